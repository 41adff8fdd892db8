//! What a gateway may say that no healthy etcd says: from a stand-in that answers with whatever a test gives it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::etcd::address::Address;
use crate::etcd::connection::Connection;
use crate::etcd::message::Bytes;
use crate::etcd::snapshot::Snapshot;
use crate::sources::EtcdSource;
use crate::trial::{captured, context};
use crate::{Context, Kind, Result, Sha256};

/// Answers each request by its path; nothing is no answer at all. It ends with the test's process.
fn stand_in(socket: &Path, answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) {
    let (listener, answer) = (UnixListener::bind(socket).expect("listens"), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || serve(stream, &*answer));
        }
    });
}

fn serve(stream: UnixStream, answer: &dyn Fn(&str) -> Option<String>) {
    let mut reader = BufReader::new(stream);
    let head: Vec<String> =
        reader.by_ref().lines().map_while(std::io::Result::ok).take_while(|line| !line.is_empty()).collect();
    let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let _ = std::io::copy(&mut reader.by_ref().take(length.unwrap_or_default()), &mut std::io::sink());
    match answer(path.trim_start_matches("/v3/")) {
        Some(body) => {
            let said = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = reader.get_mut().write_all(said.as_bytes());
        }
        None => std::thread::park(),
    }
}

fn header(member: u64) -> Value {
    json!({"cluster_id": "1", "member_id": member.to_string(), "revision": "7"})
}

fn status() -> String {
    json!({"header": header(1), "version": "3.5.0", "leader": "1"}).to_string()
}

fn line(piece: &[u8]) -> String {
    format!("{}\n", json!({"result": {"blob": Bytes(piece.to_vec())}}))
}

/// A member whose snapshot comes as these lines.
async fn read(lines: String) -> Result<Vec<u8>> {
    let home = tempfile::tempdir().expect("tempdir");
    let socket = home.path().join("s");
    stand_in(&socket, move |path| match path {
        "maintenance/status" => Some(status()),
        "maintenance/snapshot" => Some(lines.clone()),
        _ => Some(json!({"header": header(1)}).to_string()),
    });
    let (cx, mut connection) = connected(home.path(), &socket).await;
    let mut snapshot = Snapshot::begin(&cx, &mut connection).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = snapshot.next(&connection).await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

async fn connected(home: &Path, socket: &Path) -> (Context, Connection) {
    (context(home), Connection::open(&Address::local(socket, None)).await.expect("connected"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_whole_or_an_error_however_its_stream_ends() {
    let content = b"content of a database".repeat(1000);
    let sum = hex::decode(Sha256::of(&content).to_string()).expect("a digest");
    let whole = [line(&content[..5000]), line(&content[5000..]), line(&sum)].concat();
    assert_eq!(read(whole.clone()).await.expect("whole"), [content.clone(), sum.clone()].concat());
    let refused = json!({"error": {"message": "etcdserver: too many requests"}}).to_string() + "\n";
    for (what, lines, said) in [
        ("no piece", String::new(), "broke off"),
        ("without its digest", [line(&content[..5000]), line(&content[5000..])].concat(), "broke off"),
        ("without a piece", [line(&content[5000..]), line(&sum)].concat(), "broke off"),
        ("cut in a line", whole[..whole.len() - 9].to_owned(), "a line has no end"),
        ("no JSON", "<html>\n".to_owned(), "no piece of a snapshot"),
        ("an error in it", [line(&content[..5000]), refused].concat(), "too many requests"),
    ] {
        let error = read(lines).await.expect_err(what);
        assert_eq!(error.kind(), Kind::Unavailable, "{what}: {}", error.chain());
        assert!(error.chain().contains(said), "{what}: {}", error.chain());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_somebody_always_writes_it_is_said_which_revisions_are_not_compared() {
    let home = tempfile::tempdir().expect("tempdir");
    let (socket, revision) = (home.path().join("s"), AtomicU64::new(100));
    let sum = hex::decode(Sha256::of(b"content").to_string()).expect("a digest");
    stand_in(&socket, move |path| {
        let header = json!({"member_id": "1", "revision": revision.fetch_add(1, Ordering::Relaxed).to_string()});
        Some(match path {
            "maintenance/status" => status(),
            "maintenance/snapshot" => line(b"content") + &line(&sum),
            _ => json!({"header": header}).to_string(),
        })
    });
    let (cx, described) = (context(home.path()), format!("unix://{}", socket.display()));
    let described = drill_scenarios::EtcdSource { endpoints: vec![described], ..Default::default() };
    let source = EtcdSource::open(&described, &cx.secrets).expect("a source");
    let (captured, _) = captured(&source, &cx).await.expect("captured");
    let settings = &captured.index.databases[0].settings;
    let [before, after]: [u64; 2] =
        ["revision", "revision_after"].map(|name| settings[name].parse().expect("a revision"));
    assert!(before < after, "{settings:?}");
    let said = format!("from there to revision {after} may be in it or not");
    assert!(captured.notes.iter().any(|note| note.statement.contains(&said)), "{:?}", captured.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_leads_to_several_members_is_refused() {
    let home = tempfile::tempdir().expect("tempdir");
    let (socket, asked) = (home.path().join("s"), AtomicU64::new(0));
    stand_in(&socket, move |path| match path {
        "maintenance/status" => Some(status()),
        _ => Some(json!({"header": header(1 + asked.fetch_add(1, Ordering::Relaxed) / 2)}).to_string()),
    });
    let (_, mut connection) = connected(home.path(), &socket).await;
    assert_eq!(connection.revision().await.expect("the same member"), 7);
    let error = connection.revision().await.expect_err("another member");
    assert_eq!(error.kind(), Kind::Config, "{}", error.chain());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_keeps_silent_is_passed_over_soon() {
    let home = tempfile::tempdir().expect("tempdir");
    let socket = home.path().join("s");
    stand_in(&socket, |_| None);
    let address = Address::local(&socket, None);
    let asking = Connection::open(&address);
    let error = tokio::time::timeout(std::time::Duration::from_secs(20), asking).await;
    let error = error.expect("it ends").expect_err("silence");
    assert_eq!((error.kind(), error.is_temporary()), (Kind::Unavailable, true), "{}", error.chain());
}
