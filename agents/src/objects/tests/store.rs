//! An S3 server that keeps what it is told in memory, and speaks the protocol by s3s, which checks signatures. Unlike a server on a file
//! system it takes any key.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::stream;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, ETag, ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput, StreamingBlob,
    Timestamp,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use tokio::net::TcpListener;

/// The name of its one bucket, and its keys.
pub(super) const BUCKET: &str = "photos";
pub(super) const KEYS: [&str; 2] = ["AKTEST", "the-secret-key"];

/// Objects, by their whole keys.
pub(super) type Objects = BTreeMap<String, Object>;

/// What happens before a request is answered: it is named by its verb, and told the key.
pub(super) type Meanwhile = Box<dyn FnMut(&str, &str, &mut Objects) -> Option<S3ErrorCode> + Send>;

/// An object.
#[derive(Clone, Default)]
pub(super) struct Object {
    pub(super) content: Bytes,
    pub(super) headers: BTreeMap<&'static str, &'static str>,
    pub(super) metadata: BTreeMap<&'static str, &'static str>,
    /// Seconds since 1970.
    pub(super) written: u64,
}

impl Object {
    pub(super) fn of(content: impl Into<Bytes>) -> Self {
        Self { content: content.into(), written: 1_700_000_000, ..Self::default() }
    }

    fn etag(&self) -> ETag {
        ETag::Strong(crate::Sha256::of(&self.content).to_string()[..32].to_owned())
    }

    fn tag(&self, manner: Manner) -> Option<ETag> {
        (manner != Manner::Tagless).then(|| self.etag())
    }

    fn modified(&self) -> Timestamp {
        (std::time::UNIX_EPOCH + std::time::Duration::from_secs(self.written)).into()
    }

    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| (*value).to_owned())
    }

    fn metadata(&self) -> Option<HashMap<String, String>> {
        Some(self.metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}

/// How the server tells versions of an object apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Manner {
    /// By entity tags, and gives out no other version than one that was asked for.
    #[default]
    Strict,
    /// By entity tags, and gives out what there is.
    Deaf,
    /// By their times only.
    Tagless,
}

/// What the server keeps. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Store(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: Objects,
    meanwhile: Option<Meanwhile>,
    manner: Manner,
    asked: BTreeMap<&'static str, usize>,
}

impl Store {
    /// A server that keeps these objects, on loopback until the test ends.
    pub(super) async fn serve<const N: usize>(objects: [(&str, Object); N]) -> (Self, SocketAddr) {
        let store = Self::default();
        store.change(|all| all.extend(objects.map(|(key, object)| (key.to_owned(), object))));
        let mut service = s3s::service::S3ServiceBuilder::new(store.clone());
        service.set_auth(s3s::auth::SimpleAuth::from_single(KEYS[0], KEYS[1]));
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
        (store, address)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Objects)) {
        change(&mut self.0.lock().expect("not poisoned").objects);
    }

    /// What happens before each request from now on.
    pub(super) fn meanwhile(
        &self,
        happens: impl FnMut(&str, &str, &mut Objects) -> Option<S3ErrorCode> + Send + 'static,
    ) {
        self.0.lock().expect("not poisoned").meanwhile = Some(Box::new(happens));
    }

    /// How often something was asked for.
    pub(super) fn asked(&self, verb: &str) -> usize {
        self.0.lock().expect("not poisoned").asked.get(verb).copied().unwrap_or_default()
    }

    pub(super) fn behave(&self, manner: Manner) {
        self.0.lock().expect("not poisoned").manner = manner;
    }

    fn manner(&self) -> Manner {
        self.0.lock().expect("not poisoned").manner
    }

    fn ask<T>(&self, verb: &'static str, key: &str, answer: impl FnOnce(&mut Objects) -> S3Result<T>) -> S3Result<T> {
        let state = &mut *self.0.lock().expect("not poisoned");
        *state.asked.entry(verb).or_default() += 1;
        if let Some(code) = state.meanwhile.as_mut().and_then(|happens| happens(verb, key, &mut state.objects)) {
            return Err(S3Error::new(code));
        }
        answer(&mut state.objects)
    }
}

fn find<'a>(objects: &'a Objects, key: &str) -> S3Result<&'a Object> {
    objects.get(key).ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchKey))
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.or(input.start_after).unwrap_or_default();
        let most = usize::try_from(input.max_keys.unwrap_or(1000)).expect("a number of keys");
        let manner = self.manner();
        self.ask("list", &after, |objects| {
            let mut found = objects.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > after);
            let page: Vec<_> = found.by_ref().take(most).collect();
            let contents = page.iter().map(|(key, object)| s3s::dto::Object {
                key: Some((*key).clone()),
                size: Some(object.content.len() as i64),
                e_tag: object.tag(manner),
                last_modified: Some(object.modified()),
                ..Default::default()
            });
            let more = found.next().is_some();
            Ok(S3Response::new(ListObjectsV2Output {
                contents: Some(contents.collect()),
                is_truncated: Some(more),
                next_continuation_token: page.last().filter(|_| more).map(|(key, _)| (*key).clone()),
                ..Default::default()
            }))
        })
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let manner = self.manner();
        let if_match = input.if_match.filter(|_| manner == Manner::Strict);
        self.ask("get", &input.key, |objects| {
            let object = find(objects, &input.key)?;
            if if_match.is_some_and(|wanted| !matches!(wanted, ETagCondition::ETag(tag) if tag == object.etag())) {
                return Err(S3Error::new(S3ErrorCode::PreconditionFailed));
            }
            let total = object.content.len() as u64;
            let part = input.range.map(|range| range.check(total)).transpose()?;
            let content_range = part.as_ref().map(|part| format!("bytes {}-{}/{total}", part.start, part.end - 1));
            let part = part.unwrap_or(0..total);
            let content = object.content.slice(part.start as usize..part.end as usize);
            Ok(S3Response::new(GetObjectOutput {
                content_length: Some(content.len() as i64),
                body: Some(StreamingBlob::wrap(stream::iter([Ok::<_, std::io::Error>(content)]))),
                content_range,
                e_tag: object.tag(manner),
                last_modified: Some(object.modified()),
                metadata: object.metadata(),
                content_type: object.header("content-type"),
                cache_control: object.header("cache-control"),
                content_disposition: object.header("content-disposition"),
                content_encoding: object.header("content-encoding"),
                ..Default::default()
            }))
        })
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let manner = self.manner();
        self.ask("head", &request.input.key, |objects| {
            let object = find(objects, &request.input.key)?;
            Ok(S3Response::new(HeadObjectOutput {
                content_length: Some(object.content.len() as i64),
                e_tag: object.tag(manner),
                last_modified: Some(object.modified()),
                metadata: object.metadata(),
                content_type: object.header("content-type"),
                ..Default::default()
            }))
        })
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        use futures::TryStreamExt as _;
        let (key, body) = (request.input.key, request.input.body.expect("a body"));
        let content: Vec<Bytes> = body.try_collect().await.map_err(|_| S3Error::new(S3ErrorCode::IncompleteBody))?;
        self.ask("put", &key, |objects| {
            objects.insert(key.clone(), Object::of(content.concat()));
            Ok(S3Response::new(PutObjectOutput::default()))
        })
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.ask("delete", &request.input.key, |objects| {
            objects.remove(&request.input.key);
            Ok(S3Response::new(DeleteObjectOutput::default()))
        })
    }
}
