//! A real S3 server (s3s-fs), which checks signatures, on loopback.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A server with one bucket; it ends when it is dropped.
pub struct Bucket {
    folder: tempfile::TempDir,
    name: String,
    address: SocketAddr,
    _server: Runtime,
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
        let address = server.block_on(serve(folder.path()));
        Self { folder, name: name.into(), address, _server: server }
    }

    /// URL of the server.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The file that holds an object.
    pub fn object(&self, key: &str) -> PathBuf {
        self.folder.path().join(&self.name).join(key)
    }
}

async fn serve(buckets: &Path) -> SocketAddr {
    let store = s3s_fs::FileSystem::new(buckets).expect("buckets");
    let mut service = s3s::service::S3ServiceBuilder::new(store);
    service.set_auth(s3s::auth::SimpleAuth::from_single(Bucket::ACCESS_KEY_ID, Bucket::SECRET_ACCESS_KEY));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            // How a connection ends is the client's affair.
            tokio::spawn(async move {
                let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    address
}
