//! A bucket of a real S3 server (s3s-fs), which checks signatures, served on loopback by this process.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use drill_agents::{Format, Index, Kind, Removal, SEGMENT_BYTES, Vault};
use drill_scenarios::{Checksum, Reference, S3Vault};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;

use super::{Home, noise, read_all, store, words};

const ACCESS: (&str, &str) = ("AKDRILLTEST", "drill-secret-key");

/// Serves the buckets below `root` until the test ends.
async fn serve(root: &Path) -> SocketAddr {
    serve_with(root, |_| true).await
}

/// The same, answering "slow down" to the uploads that `takes` is false for, counted from 0.
async fn serve_with(root: &Path, takes: fn(usize) -> bool) -> SocketAddr {
    let store = s3s_fs::FileSystem::new(root).expect("buckets");
    let mut service = s3s::service::S3ServiceBuilder::new(store);
    service.set_auth(s3s::auth::SimpleAuth::from_single(ACCESS.0, ACCESS.1));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("address");
    let uploads = Arc::new(AtomicUsize::new(0));
    let moody = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let refused = request.method() == hyper::Method::PUT && !takes(uploads.fetch_add(1, Ordering::Relaxed));
        let service = service.clone();
        async move {
            if refused {
                let mut answer = hyper::Response::new(s3s::Body::empty());
                *answer.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
                return Ok(answer);
            }
            hyper::service::Service::call(&service, request).await
        }
    });
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let moody = moody.clone();
            // How a connection ends is the client's affair.
            tokio::spawn(async move {
                let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), moody).await;
            });
        }
    });
    address
}

/// The server of a bucket that is empty.
pub(super) async fn bucket(home: &Home) -> SocketAddr {
    fs::create_dir_all(home.path("s3/backups")).expect("bucket");
    serve(&home.path("s3")).await
}

/// The vault in that bucket, reached at this address.
pub(super) fn vault_at(home: &Home, address: SocketAddr) -> Vault {
    vault(home, address, "backups", ACCESS.1)
}

/// The same, with another checksum.
pub(super) fn vault_with(home: &Home, address: SocketAddr, checksum: Checksum) -> Vault {
    open(home, S3Vault { checksum, ..written(home, address, "backups", ACCESS.1) })
}

fn vault(home: &Home, address: SocketAddr, bucket: &str, secret: &str) -> Vault {
    open(home, written(home, address, bucket, secret))
}

fn open(home: &Home, written: S3Vault) -> Vault {
    Vault::open(&drill_scenarios::Vault::S3(written), &home.cx.secrets).expect("vault")
}

fn written(home: &Home, address: SocketAddr, bucket: &str, secret: &str) -> S3Vault {
    fs::write(home.path("access"), ACCESS.0).expect("access key");
    fs::write(home.path("secret"), secret).expect("secret key");
    S3Vault {
        bucket: bucket.into(),
        prefix: "drills".into(),
        endpoint: Some(format!("http://{address}")),
        region: None,
        checksum: Checksum::default(),
        access_key_id: Some(Reference::File("access".into())),
        secret_access_key: Some(Reference::File("secret".into())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_lists_gives_back_and_forgets_like_a_folder() {
    let home = Home::new();
    fs::create_dir_all(home.path("s3/backups")).expect("bucket");
    let vault = vault(&home, serve(&home.path("s3")).await, "backups", ACCESS.1);
    vault.probe_write(&home.cx).await.expect("writable");
    assert_eq!(vault.list().await.expect("listed").snapshots, []);
    let plain = noise(2 * SEGMENT_BYTES + 1);
    let stored = store(&home, (&vault, &home.keys), "s-1", &plain, &Index::new(Format::Tar)).await.expect("stored");
    assert_eq!(vault.list().await.expect("listed").snapshots, std::slice::from_ref(&stored.header));
    assert_eq!(vault.header("s-1").await.expect("header"), stored.header);

    let locate = || drill_agents::seal::locate(&home.cx, &vault, &home.keys, "s-1", Some(&stored.header_sha256));
    let located = locate().await.expect("located");
    assert!(read_all(located.stream(&home.cx)).await.expect("read") == plain);
    let object = home.path("s3/backups/drills/snapshots/s-1/000001.age");
    let mut bytes = fs::read(&object).expect("object");
    bytes[1000] ^= 1;
    fs::write(&object, bytes).expect("flipped");
    let error = read_all(locate().await.expect("located").stream(&home.cx)).await.expect_err("flipped");
    assert_eq!(error.kind(), Kind::Corrupt, "{}", words(&error));
    fs::remove_file(&object).expect("removed");
    let error = read_all(locate().await.expect("located").stream(&home.cx)).await.expect_err("missing");
    assert_eq!(words(&error), "Corrupt: segment 000001 (2 of 3) of snapshot s-1 is missing");
    assert_eq!((vault.free_bytes(), vault.capabilities().atomic), (None, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_left_in_a_bucket_is_removed() {
    let home = Home::new();
    fs::create_dir_all(home.path("s3/backups")).expect("bucket");
    let vault = vault(&home, serve(&home.path("s3")).await, "backups", ACCESS.1);
    let (sealing, mut writer) =
        drill_agents::seal::Sealing::begin(&home.cx, &vault, &home.keys, "s-run-1").await.expect("begun");
    writer.write(&noise(SEGMENT_BYTES)).await.expect("written");
    sealing.abandon(writer, drill_agents::Error::new(Kind::Unavailable, "the source broke")).await;
    assert_eq!(vault.incomplete().await.expect("listed"), ["s-run-1"]);
    let removed = vault.remove_incomplete("s-run-1", &home.cx).await.expect("removed");
    assert_eq!((removed, vault.incomplete().await.expect("listed")), (Removal::Removed, vec![]));
    assert_eq!(vault.remove_incomplete("s-run-1", &home.cx).await.expect("again"), Removal::Absent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_can_not_be_written_is_refused_and_no_secret_shows() {
    let home = Home::new();
    fs::create_dir_all(home.path("s3/backups")).expect("bucket");
    let address = serve(&home.path("s3")).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("address");
    for (bucket, secret, address, kind) in
        [("backups", "another-secret-key", address, Kind::Denied), ("backups", ACCESS.1, closed, Kind::Unavailable)]
    {
        let error = vault(&home, address, bucket, secret).probe_write(&home.cx).await.expect_err("refused");
        assert_eq!(error.kind(), kind, "{}", words(&error));
        assert!(words(&error).contains(&format!("s3://{bucket}/drills")), "{}", words(&error));
        assert!(!format!("{error:?}").contains("secret-key"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_now_and_then_is_asked_again_and_one_that_always_does_is_not_asked_for_ever() {
    let home = Home::new();
    fs::create_dir_all(home.path("s3/backups")).expect("bucket");
    let address = serve_with(&home.path("s3"), |upload| upload % 2 == 1).await;
    let moody = vault(&home, address, "backups", ACCESS.1);
    let plain = noise(2 * SEGMENT_BYTES + 1);
    store(&home, (&moody, &home.keys), "s-1", &plain, &Index::new(Format::Tar)).await.expect("stored");
    let located = drill_agents::seal::locate(&home.cx, &moody, &home.keys, "s-1", None).await.expect("located");
    assert!(read_all(located.stream(&home.cx)).await.expect("read") == plain);

    let address = serve_with(&home.path("s3"), |_| false).await;
    let closed = vault(&home, address, "backups", ACCESS.1);
    let error =
        store(&home, (&closed, &home.keys), "s-2", &plain, &Index::new(Format::Tar)).await.expect_err("refused");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", words(&error));
    assert!(words(&error).contains("s-2/00000"), "{}", words(&error));
}
