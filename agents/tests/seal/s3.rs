//! A bucket of a real S3 server (s3s-fs), which checks signatures, served on loopback by this process.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use drill_agents::{Format, Index, Kind, Removal, SEGMENT_BYTES, Vault};
use drill_scenarios::{Reference, S3Vault};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;

use super::{Home, noise, read_all, store, words};

const ACCESS: (&str, &str) = ("AKDRILLTEST", "drill-secret-key");

/// Serves the buckets below `root` until the test ends.
async fn serve(root: &Path) -> SocketAddr {
    let store = s3s_fs::FileSystem::new(root).expect("buckets");
    let mut service = s3s::service::S3ServiceBuilder::new(store);
    service.set_auth(s3s::auth::SimpleAuth::from_single(ACCESS.0, ACCESS.1));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let served = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                served.expect("served");
            });
        }
    });
    address
}

fn vault(home: &Home, address: SocketAddr, bucket: &str, secret: &str) -> Vault {
    fs::write(home.path("access"), ACCESS.0).expect("access key");
    fs::write(home.path("secret"), secret).expect("secret key");
    let written = S3Vault {
        bucket: bucket.into(),
        prefix: "drills".into(),
        endpoint: Some(format!("http://{address}")),
        region: None,
        access_key_id: Some(Reference::File("access".into())),
        secret_access_key: Some(Reference::File("secret".into())),
    };
    Vault::open(&drill_scenarios::Vault::S3(written), &home.cx.secrets).expect("vault")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_lists_gives_back_and_forgets_like_a_folder() {
    let home = Home::new();
    fs::create_dir_all(home.path("s3/backups")).expect("bucket");
    let vault = vault(&home, serve(&home.path("s3")).await, "backups", ACCESS.1);
    vault.probe_write(&home.cx).await.expect("writable");
    assert_eq!(vault.list().await.expect("listed").snapshots, []);
    let plain = noise(2 * SEGMENT_BYTES + 1);
    let stored = store(&home, &vault, &home.keys, "s-1", &plain, &Index::new(Format::Tar)).await.expect("stored");
    assert_eq!(vault.list().await.expect("listed").snapshots, [stored.header.clone()]);
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
