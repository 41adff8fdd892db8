//! A real S3 server (s3s-fs), which checks signatures, on loopback.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::dto::{PutObjectInput, StreamingBlob};
use s3s::{Body, S3, S3Request};
use tokio::runtime::Runtime;

/// A server with one bucket; it ends when it is dropped.
pub struct Bucket {
    folder: tempfile::TempDir,
    name: String,
    address: SocketAddr,
    server: Option<Runtime>,
}

impl Bucket {
    /// What the server takes as access key.
    pub const ACCESS_KEY_ID: &str = "AKDRILLTEST";
    /// What the server takes as secret key.
    pub const SECRET_ACCESS_KEY: &str = "the-secret-key-of-the-bucket";

    /// Starts a server with an empty bucket.
    pub fn start(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("s3").tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join(name)).expect("a bucket");
        let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let server = server.expect("a runtime");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("its address");
        server.spawn(serve(store(folder.path()), listener));
        Self { folder, name: name.into(), address, server: Some(server) }
    }

    /// URL of the server.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The file that holds an object.
    pub fn object(&self, key: &str) -> PathBuf {
        self.folder.path().join(&self.name).join(key)
    }

    /// Puts objects of this type there, with a word about each.
    pub fn put(&self, content_type: &str, objects: impl IntoIterator<Item = (String, Vec<u8>)>) {
        let (store, objects): (_, Vec<_>) = (store(self.folder.path()), objects.into_iter().collect());
        let put = async {
            for (key, content) in objects {
                let word = [("word".to_owned(), format!("about {key}"))];
                let input = PutObjectInput {
                    bucket: self.name.clone(),
                    key,
                    content_length: Some(content.len().try_into().expect("a length")),
                    body: Some(StreamingBlob::from(Body::from(content))),
                    content_type: Some(content_type.into()),
                    metadata: Some(word.into()),
                    ..PutObjectInput::default()
                };
                store.put_object(request(input)).await.expect("put");
            }
        };
        // A thread of its own may wait where the caller may not.
        std::thread::scope(|scope| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            scope.spawn(move || runtime.block_on(put)).join().expect("put");
        });
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown_background();
        }
    }
}

fn store(buckets: &Path) -> s3s_fs::FileSystem {
    s3s_fs::FileSystem::new(buckets).expect("buckets")
}

/// A request of the server's own.
fn request<T>(input: T) -> S3Request<T> {
    S3Request {
        input,
        method: Default::default(),
        uri: Default::default(),
        headers: Default::default(),
        extensions: Default::default(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    }
}

async fn serve(store: s3s_fs::FileSystem, listener: TcpListener) {
    let mut service = s3s::service::S3ServiceBuilder::new(store);
    service.set_auth(s3s::auth::SimpleAuth::from_single(Bucket::ACCESS_KEY_ID, Bucket::SECRET_ACCESS_KEY));
    let service = service.build();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((socket, _)) = listener.accept().await {
        let service = service.clone();
        // How a connection ends is the client's affair.
        tokio::spawn(async move {
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
