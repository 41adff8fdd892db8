//! Each kind of probe against a real server, file or program, and against each way in which they fail.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::fake::{Fake, Reply};
use super::*;
use crate::{Clock, Kind, Row};

fn text(text: &str) -> Scalar {
    Scalar::Text(text.into())
}

/// A server that answers each connection by `serve`, and the port it listens on.
async fn server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    port
}

/// A server that reads a request and writes these bytes.
async fn answering(answer: Vec<u8>) -> u16 {
    server(move |mut stream| {
        let answer = answer.clone();
        async move {
            request(&mut stream).await;
            let _ = stream.write_all(&answer).await;
        }
    })
    .await
}

async fn request(stream: &mut TcpStream) -> String {
    let (mut request, mut piece) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(count @ 1..) => request.extend_from_slice(&piece[..count]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&request).into_owned()
}

fn unused_port() -> u16 {
    crate::free_port().expect("a port")
}

#[tokio::test]
async fn http_tells_status_headers_and_body() {
    let port =
        answering(b"HTTP/1.1 404 Not Found\r\nX-One: a\r\nx-one: b\r\nContent-Length: 5\r\n\r\nhello".into()).await;
    let fake = Fake::new().fact("DRILL_PORT", port);
    let seen = fake.values(json!({"http": {"url": "http://127.0.0.1:${DRILL_PORT}/x"}})).await;
    assert_eq!(seen["status"], Scalar::Int(404));
    assert_eq!(seen["header.x-one"], text("a, b"));
    assert_eq!((&seen["body"], &seen["bytes"]), (&text("hello"), &Scalar::Int(5)));
    assert!(matches!(seen["latency_ms"], Scalar::Int(0..5000)));
}

#[tokio::test]
async fn http_sends_what_the_scenario_says_with_facts_and_secrets() {
    let port = server(|mut stream| async move {
        let request = request(&mut stream).await;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{request}", request.len());
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    let fake = Fake::new().fact("DRILL_PORT", port).fact("PGDATABASE", "shop");
    std::fs::write(fake.home.path().join("token"), "tok-12345\n").expect("write");
    let probe = json!({"http": {"url": "http://localhost:${DRILL_PORT}/a?db=${PGDATABASE}", "method": "POST",
        "headers": {"Host": "shop.example", "X-Db": "${PGDATABASE}"},
        "secret_headers": {"Authorization": {"file": "token"}}, "body": "n=1"}});
    let seen = fake.values(probe).await;
    let Scalar::Text(echo) = &seen["body"] else { panic!("{seen:?}") };
    let echo = echo.to_lowercase();
    for line in ["post /a?db=shop http/1.1\r\n", "host: shop.example\r\n", "x-db: shop\r\n", "content-length: 3\r\n"] {
        assert!(echo.contains(line), "{line} in {echo}");
    }
    assert!(echo.contains("authorization: [secret]\r\n"), "it was sent, and what came back was scrubbed: {echo}");
}

#[tokio::test]
async fn http_never_leaves_loopback() {
    let fake = Fake::new();
    for host in [
        "192.0.2.1",
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
        "[2001:db8::1]",
        "[::ffff:192.0.2.1]",
        "3221225985",
        "169.254.169.254",
    ] {
        let refused = fake.see(json!({"http": {"url": format!("http://{host}:1/"), "timeout": "2s"}})).await;
        assert_eq!(refused.expect_err(host).kind(), Kind::Refused, "{host}");
    }
    for url in ["ftp://127.0.0.1/", "file:///etc/passwd", "127.0.0.1:80", "http://", "http://127.0.0.1:${NOPE}/"] {
        assert_eq!(fake.see(json!({"http": {"url": url}})).await.expect_err(url).kind(), Kind::Config, "{url}");
    }
    let inside = json!({"http": {"url": format!("http://[::ffff:127.0.0.1]:{}/", unused_port())}});
    fake.nothing(inside).await;
}

#[tokio::test]
async fn http_follows_no_redirect() {
    let port =
        answering(b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n".into()).await;
    let seen = Fake::new().values(json!({"http": {"url": format!("http://127.0.0.1:{port}/")}})).await;
    assert_eq!((&seen["status"], &seen["header.location"]), (&Scalar::Int(302), &text("http://192.0.2.1/")));
}

#[tokio::test]
async fn http_keeps_the_beginning_of_a_long_body_and_counts_all_of_it() {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n".to_vec();
    answer.resize(answer.len() + 5_000_000, b'x');
    let port = answering(answer).await;
    let seen = Fake::new().values(json!({"http": {"url": format!("http://127.0.0.1:{port}/")}})).await;
    assert_eq!(seen["bytes"], Scalar::Int(5_000_000));
    assert!(matches!(&seen["body"], Scalar::Text(body) if body.len() == KEPT));
    assert_eq!(seen["sha256"], text(&crate::Sha256::of(&vec![b'x'; 5_000_000]).to_string()));
}

#[tokio::test]
async fn http_that_is_refused_broken_cut_or_late_is_nothing() {
    let fake = Fake::new();
    let to = |port: u16| json!({"http": {"url": format!("http://127.0.0.1:{port}/p"), "timeout": "300ms"}});
    let refused = fake.nothing(to(unused_port())).await;
    assert!(refused.starts_with("GET http://127.0.0.1:") && refused.contains("refused"), "{refused}");
    let garbage = answering(b"SSH-2.0-OpenSSH\r\n\r\n".into()).await;
    fake.nothing(to(garbage)).await;
    let cut = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this".into()).await;
    fake.nothing(to(cut)).await;
    let began = Clock::system();
    let silent = server(|stream| async move {
        tokio::time::sleep(Duration::from_secs(600)).await;
        drop(stream);
    })
    .await;
    assert!(fake.nothing(to(silent)).await.ends_with("took longer than 300ms"));
    let endless = server(|mut stream| async move {
        request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 1000]).await.is_ok() {}
    })
    .await;
    assert!(fake.nothing(to(endless)).await.ends_with("took longer than 300ms"));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn http_takes_a_mistaken_header_for_a_mistake() {
    let fake = Fake::new();
    for headers in [json!({"a b": "c"}), json!({"a": "b\nc: d"})] {
        let probe = json!({"http": {"url": "http://127.0.0.1:1/", "headers": headers}});
        assert_eq!(fake.see(probe).await.expect_err("no header").kind(), Kind::Config);
    }
    let unset = json!({"http": {"url": "http://127.0.0.1:1/", "secret_headers": {"a": {"file": "absent"}}}});
    assert_eq!(fake.see(unset).await.expect_err("no secret").kind(), Kind::Config);
}

#[tokio::test]
async fn tcp_tells_what_the_other_side_says_first() {
    let port = server(|mut stream| async move {
        let _ = stream.write_all(b"220 mail ESMTP\r\n").await;
        tokio::time::sleep(Duration::from_secs(600)).await;
    })
    .await;
    let fake = Fake::new().fact("DRILL_PORT", port);
    for host in ["127.0.0.1", "localhost"] {
        let seen = fake.values(json!({"tcp": {"address": format!("{host}:${{DRILL_PORT}}")}})).await;
        assert_eq!((&seen["open"], &seen["banner"]), (&Scalar::Bool(true), &text("220 mail ESMTP\r\n")));
        assert!(matches!(seen["latency_ms"], Scalar::Int(0..1000)));
    }
}

#[tokio::test]
async fn tcp_sends_first_where_asked_to() {
    let port = server(|mut stream| async move {
        let mut asked = [0; 6];
        let _ = stream.read_exact(&mut asked).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let _ = stream.write_all(&[b"+PONG ", asked.as_slice()].concat()).await;
    })
    .await;
    let probe = json!({"tcp": {"address": format!("127.0.0.1:{port}"), "send": "PING\r\n"}});
    assert_eq!(Fake::new().values(probe).await["banner"], text("+PONG PING\r\n"));
}

#[tokio::test]
async fn tcp_that_is_refused_or_silent_is_a_value_and_bounded() {
    let fake = Fake::new();
    let closed = fake.values(json!({"tcp": {"address": format!("127.0.0.1:{}", unused_port())}})).await;
    assert_eq!((&closed["open"], &closed["banner"]), (&Scalar::Bool(false), &text("")));
    let silent = server(|stream| async move {
        tokio::time::sleep(Duration::from_secs(600)).await;
        drop(stream);
    })
    .await;
    let began = Clock::system();
    let seen = fake.values(json!({"tcp": {"address": format!("127.0.0.1:{silent}")}})).await;
    assert_eq!((&seen["open"], &seen["banner"]), (&Scalar::Bool(true), &text("")));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "it doesn't wait the whole ten seconds for one who may never speak"
    );
    let endless = server(|mut stream| async move { while stream.write_all(&[b'x'; 1000]).await.is_ok() {} }).await;
    let seen = fake.values(json!({"tcp": {"address": format!("127.0.0.1:{endless}")}})).await;
    assert!(matches!(&seen["banner"], Scalar::Text(banner) if banner.len() == 4096));
}

#[tokio::test]
async fn tcp_never_leaves_loopback() {
    let fake = Fake::new();
    for address in ["192.0.2.1:1", "0.0.0.0:1", "[2001:db8::1]:1"] {
        let refused = fake.see(json!({"tcp": {"address": address, "timeout": "2s"}})).await;
        assert_eq!(refused.expect_err(address).kind(), Kind::Refused, "{address}");
    }
    for address in ["127.0.0.1", ":80", "127.0.0.1:port", "127.0.0.1:70000", ""] {
        let wrong = fake.see(json!({"tcp": {"address": address}})).await;
        assert_eq!(wrong.expect_err(address).kind(), Kind::Config, "{address}");
    }
}

fn answer(columns: &[&str], first: &[Option<&str>], count: usize) -> Reply {
    rows(columns, &vec![first; count])
}

fn rows(columns: &[&str], rows: &[&[Option<&str>]]) -> Reply {
    let row = |row: &&[Option<&str>]| -> Row { row.iter().map(|value| value.map(str::to_owned)).collect() };
    Reply::Rows(columns.iter().map(|&name| name.to_owned()).collect(), rows.iter().map(row).collect())
}

#[tokio::test]
async fn sql_tells_the_first_row_and_loses_nothing_of_its_text() {
    let mut fake = Fake::new();
    let probe = json!({"sql": {"query": "select 1"}});
    fake.reply =
        answer(&["n", "code", "price", "gone", "n"], &[Some("42"), Some("007"), Some("15.40"), None, Some("2")], 9);
    let seen = fake.values(probe.clone()).await;
    assert_eq!(
        (&seen["value"], &seen["rows"], &seen["column.n"]),
        (&Scalar::Int(42), &Scalar::Int(9), &Scalar::Int(42))
    );
    assert_eq!((&seen["column.code"], &seen["column.price"]), (&text("007"), &text("15.40")));
    assert_eq!(seen["column.gone"], Scalar::Null);
    fake.reply = answer(&["max"], &[None], 0);
    let seen = fake.values(probe).await;
    assert_eq!((&seen["value"], &seen["rows"], &seen["column.max"]), (&Scalar::Null, &Scalar::Int(0), &Scalar::Null));
}

#[tokio::test]
async fn sql_that_fails_says_something_about_the_backup_unless_the_host_is_at_fault() {
    let mut fake = Fake::new();
    let probe = json!({"sql": {"query": "select ${DRILL_RUN}", "timeout": "100ms"}});
    for kind in [Kind::Unrestorable, Kind::NotFound, Kind::Unavailable, Kind::Corrupt] {
        fake.reply = Reply::Error(kind);
        assert_eq!(fake.nothing(probe.clone()).await, format!("running `select {}`", fake.cx.run));
    }
    for kind in [Kind::Config, Kind::Refused, Kind::Denied, Kind::Exhausted, Kind::Interrupted] {
        fake.reply = Reply::Error(kind);
        assert_eq!(fake.see(probe.clone()).await.expect_err("the host").kind(), kind);
    }
    fake.reply = Reply::Unreachable;
    assert_eq!(fake.see(probe.clone()).await.expect_err("the throw-away server").kind(), Kind::Unavailable);
    fake.reply = Reply::Never;
    assert_eq!(fake.nothing(probe).await, "the query ran longer than 100ms");
}

#[tokio::test]
async fn command_tells_exit_outputs_and_json_and_runs_in_the_restored_data() {
    let fake = Fake::new().fact("PGPORT", 5433);
    std::fs::write(fake.root.join("here"), "").expect("write");
    std::fs::write(fake.home.path().join("key"), "s3cret-value").expect("write");
    let script =
        "test -e here && test \"$HOME\" = \"$PWD\" && echo \"$PGPORT $A $K ${DRILL_RUN}\" && echo oops >&2 && exit 3";
    let probe = json!({"command": {"argv": ["sh", "-c", script.replace('$', "$$"), "unused"],
        "env": {"A": "port=${PGPORT}"}, "secrets": {"K": {"file": "key"}}}});
    let seen = fake.values(probe).await;
    assert_eq!((&seen["exit"], &seen["stderr"]), (&Scalar::Int(3), &text("oops")));
    assert_eq!(seen["stdout"], text(&format!("5433 port=5433 [secret] {}", fake.cx.run)));

    let object =
        r#"{"n": 5, "big": 18446744073709551615, "f": 0.5, "ok": true, "none": null, "t": "x", "list": [1, {"a": 2}]}"#;
    let seen = fake.values(json!({"command": {"argv": ["echo", object]}})).await;
    assert_eq!((&seen["json.n"], &seen["json.big"]), (&Scalar::Int(5), &text("18446744073709551615")));
    assert_eq!((&seen["json.f"], &seen["json.ok"]), (&Scalar::Float(0.5), &Scalar::Bool(true)));
    assert_eq!((&seen["json.none"], &seen["json.t"]), (&Scalar::Null, &text("x")));
    assert_eq!(seen["json.list"], text(r#"[1,{"a":2}]"#));
    let killed = fake.values(json!({"command": {"argv": ["sh", "-c", "kill -9 $$$$"]}})).await;
    assert_eq!(killed["exit"], Scalar::Int(137));
}

#[tokio::test]
async fn command_that_is_missing_is_the_backups_fault_only_if_it_should_be_in_it() {
    let fake = Fake::new();
    for program in ["./bin/check", "bin/check", "${DRILL_ROOT}/bin/check"] {
        let why = fake.nothing(json!({"command": {"argv": [program]}})).await;
        assert!(why.ends_with("bin/check is not in the restored data"), "{why}");
    }
    for program in ["no-such-program", "/no/such/program"] {
        let missing = fake.see(json!({"command": {"argv": [program]}})).await;
        assert_eq!(missing.expect_err("of the host").kind(), Kind::Config);
    }
    let late = fake.nothing(json!({"command": {"argv": ["sleep", "600"], "timeout": "200ms"}})).await;
    assert_eq!(late, "sleep ran longer than 200ms");
}

#[tokio::test]
async fn file_tells_everything_of_a_file() {
    use std::os::unix::fs::PermissionsExt;
    let fake = Fake::new();
    let file = fake.root.join("a.txt");
    std::fs::write(&file, "hello\n").expect("write");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o4750)).expect("chmod");
    let handle = std::fs::File::options().write(true).open(&file).expect("open");
    handle.set_modified(std::time::UNIX_EPOCH + Duration::from_millis(1_700_000_000_500)).expect("set time");
    for path in ["a.txt", "./a.txt", "${DRILL_ROOT}/a.txt", "*.txt", "**/a.*"] {
        let seen = fake.values(json!({"file": {"path": path}})).await;
        assert_eq!(
            seen,
            observation([
                ("exists", Scalar::Bool(true)),
                ("count", Scalar::Int(1)),
                ("type", text("file")),
                ("bytes", Scalar::Int(6)),
                ("sha256", text("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03")),
                ("mode", text("4750")),
                ("modified", text("2023-11-14T22:13:20.5Z")),
                ("text", text("hello\n")),
            ]),
            "{path}"
        );
    }
}

#[tokio::test]
async fn file_that_is_absent_can_be_expected_to_be() {
    let fake = Fake::new();
    for path in ["a", "a/b", "*.txt", "no/**"] {
        let seen = fake.values(json!({"file": {"path": path}})).await;
        assert_eq!((&seen["exists"], &seen["count"]), (&Scalar::Bool(false), &Scalar::Int(0)));
        assert_eq!(seen["sha256"], Scalar::Null);
    }
}

#[tokio::test]
async fn file_never_leaves_the_root() {
    let fake = Fake::new();
    std::fs::write(fake.home.path().join("outside.txt"), "secret").expect("write");
    let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, fake.root.join(name)).expect("link");
    std::fs::create_dir(fake.root.join("in")).expect("folder");
    std::fs::write(fake.root.join("in/file"), "inside").expect("write");
    link("../outside.txt", "out.txt");
    link("/etc", "etc");
    link("circle", "circle");
    link("in", "current");
    link("nowhere", "broken.txt");
    for path in ["../outside.txt", "/etc/passwd", "in/../../outside.txt", "${DRILL_ROOT}/../outside.txt"] {
        let refused = fake.see(json!({"file": {"path": path}})).await;
        assert_eq!(refused.expect_err(path).kind(), Kind::Refused, "{path}");
    }
    for path in ["out.txt", "etc/passwd", "circle"] {
        assert!(fake.nothing(json!({"file": {"path": path}})).await.contains("leads out"), "{path}");
    }
    assert_eq!(fake.values(json!({"file": {"path": "current/file"}})).await["text"], text("inside"));
    assert_eq!(fake.values(json!({"file": {"path": "broken.txt"}})).await["exists"], Scalar::Bool(false));
    assert_eq!(fake.values(json!({"file": {"path": "*.txt"}})).await["count"], Scalar::Int(0));
    assert_eq!(fake.values(json!({"file": {"path": "etc/*"}})).await["count"], Scalar::Int(0));
}

#[tokio::test]
async fn file_takes_the_newest_of_what_a_glob_matches() {
    let fake = Fake::new();
    std::fs::create_dir_all(fake.root.join("logs/old.log")).expect("a folder of that name doesn't count");
    for (age, name) in [(300, "logs/a.log"), (100, "logs/b.log"), (200, "logs/old.log/c.log"), (1, "logs/d.txt")] {
        std::fs::write(fake.root.join(name), name).expect("write");
        let file = std::fs::File::options().write(true).open(fake.root.join(name)).expect("open");
        file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(2_000_000_000 - age)).expect("set time");
    }
    let seen = fake.values(json!({"file": {"path": "logs/*.log"}})).await;
    assert_eq!((&seen["text"], &seen["count"]), (&text("logs/b.log"), &Scalar::Int(2)));
    assert_eq!(fake.values(json!({"file": {"path": "logs/**/*.log"}})).await["count"], Scalar::Int(3));
    assert_eq!(fake.see(json!({"file": {"path": "a["}})).await.expect_err("no glob").kind(), Kind::Config);
}

#[tokio::test]
async fn file_that_is_none_is_never_read() {
    let fake = Fake::new();
    let pipe = fake.root.join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("mkfifo");
    let seen = fake.values(json!({"file": {"path": "pipe"}})).await;
    assert_eq!((&seen["type"], &seen["bytes"], &seen["mode"]), (&text("fifo"), &Scalar::Null, &text("0600")));
    let seen = fake.values(json!({"file": {"path": "."}})).await;
    assert_eq!((&seen["type"], &seen["sha256"]), (&text("directory"), &Scalar::Null));
}

#[tokio::test]
async fn file_that_is_long_or_no_text_is_hashed_but_not_told() {
    let fake = Fake::new();
    std::fs::write(fake.root.join("long"), vec![b'x'; KEPT + 1]).expect("write");
    std::fs::write(fake.root.join("binary"), b"\xff\xfe").expect("write");
    std::fs::write(fake.root.join("just"), vec![b'x'; KEPT]).expect("write");
    for (name, told) in [("long", false), ("binary", false), ("just", true)] {
        let seen = fake.values(json!({"file": {"path": name}})).await;
        assert_eq!(seen.contains_key("text"), told, "{name}");
        assert!(matches!(&seen["sha256"], Scalar::Text(digest) if digest.len() == 64));
    }
}

#[tokio::test]
async fn looking_goes_on_until_it_holds_or_the_time_is_over() {
    use std::ops::ControlFlow::{Break, Continue};
    let fake = Fake::new();
    let mut looks = 0;
    let third = until(&fake.cx, Duration::from_secs(30), async || {
        looks += 1;
        Ok(if looks == 3 { Break(looks) } else { Continue(looks) })
    });
    assert_eq!(third.await.expect("looks"), 3);
    let mut looks = 0;
    let once = until(&fake.cx, Duration::ZERO, async || {
        looks += 1;
        Ok(Continue::<_, i32>(looks))
    });
    assert_eq!(once.await.expect("looks"), 1);
    let began = Clock::system();
    let mut looks = 0;
    let hanging = until(&fake.cx, Duration::from_millis(300), async || {
        looks += 1;
        if looks == 2 {
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        Ok(Continue::<_, i32>(looks))
    });
    assert_eq!(hanging.await.expect("the last answer that there was"), 1);
    assert!(began.elapsed() < Duration::from_secs(5));
    let failed = until(&fake.cx, Duration::from_secs(30), async || {
        Err::<std::ops::ControlFlow<()>, _>(crate::Error::new(Kind::Config, "no"))
    });
    assert_eq!(failed.await.expect_err("at once").kind(), Kind::Config);
    fake.cx.cancel.cancel();
    let stopped = until(&fake.cx, Duration::from_secs(30), async || Ok(Continue::<(), ()>(())));
    assert_eq!(stopped.await.expect_err("asked to stop").kind(), Kind::Interrupted);
}

#[test]
fn where_nothing_was_seen_nothing_holds() {
    use drill_scenarios::Judgement;
    let at = jiff::Timestamp::UNIX_EPOCH;
    let nothing = Seen::Nothing("connection refused".into());
    assert_eq!(nothing.judge(&BTreeMap::new(), at), Judgement::Fails(vec!["connection refused".into()]));
    assert_eq!(Seen::Values(Observation::new()).judge(&BTreeMap::new(), at), Judgement::Holds);
}

/// The SHA-256 of `one`.
const ONE: &str = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";

fn with_files() -> Fake {
    let fake = Fake::new();
    std::fs::create_dir_all(fake.root.join("up/2026")).expect("folders");
    for (name, content) in [("up/2026/a.png", "one"), ("up/b.png", "two"), ("up/grüße.png", "three")] {
        std::fs::write(fake.root.join(name), content).expect("a file");
    }
    std::os::unix::fs::symlink("/etc/passwd", fake.root.join("up/out.png")).expect("a link");
    std::os::unix::fs::symlink("b.png", fake.root.join("up/in.png")).expect("a link");
    fake
}

#[tokio::test]
async fn references_are_looked_up_and_the_first_that_leads_nowhere_is_named() {
    let mut fake = with_files();
    let probe = json!({"references": {"query": "select file from pictures", "below": "up"}});
    let whole = [Some("2026/a.png"), Some("b.png"), None, Some("grüße.png"), Some("in.png")];
    let answer: Vec<&[Option<&str>]> = whole.iter().map(std::slice::from_ref).collect();
    fake.reply = rows(&["file"], &answer);
    let seen = fake.values(probe.clone()).await;
    assert_eq!((&seen["references"], &seen["unresolved"]), (&Scalar::Int(4), &Scalar::Int(0)));
    assert_eq!(seen["first_unresolved"], Scalar::Null);
    for (path, why) in [
        ("2026/gone.png", "2026/gone.png is not there"),
        ("b.png/c.png", "b.png/c.png is not there"),
        ("2026", "2026 is no file"),
        ("out.png", "out.png leads out of the restored data"),
        ("../../key", "../../key leads out of the restored data"),
        ("/b.png", "/b.png leads out of the restored data"),
        ("", " (an empty path) names no file"),
        ("a\0b", "a\0b can't be the path of a file"),
    ] {
        fake.reply = rows(&["file"], &[&[Some("b.png")], &[Some(path)], &[Some("also-gone.png")]]);
        let seen = fake.values(probe.clone()).await;
        assert_eq!((&seen["references"], &seen["missing"]), (&Scalar::Int(3), &Scalar::Int(2)), "{path}");
        assert_eq!(seen["first_unresolved"], text(why), "{path}");
    }
    let long = "x".repeat(5_000);
    fake.reply = rows(&["file"], &[&[Some(&long)]]);
    assert_eq!(fake.values(probe).await["missing"], Scalar::Int(1));
}

#[tokio::test]
async fn what_a_reference_says_of_its_file_must_hold() {
    let mut fake = with_files();
    let probe = json!({"references": {"query": "select …", "below": "up"}});
    let upper = ONE.to_uppercase();
    for (size, sha256, first) in [
        (Some("3"), Some(ONE), None),
        (Some(" 3 "), Some(upper.as_str()), None),
        (None, None, None),
        (Some("4"), Some(ONE), Some("2026/a.png has 3 bytes, and the database says 4")),
        (Some("three"), None, Some("2026/a.png has 3 bytes, and the database says three")),
        (
            None,
            Some("00"),
            Some(
                "2026/a.png has the SHA-256 7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed, and the database says 00",
            ),
        ),
    ] {
        fake.reply = rows(&["path", "Size", "sha256"], &[&[Some("2026/a.png"), size, sha256]]);
        let seen = fake.values(probe.clone()).await;
        assert_eq!(seen["first_unresolved"], first.map_or(Scalar::Null, text), "{size:?} {sha256:?}");
        assert_eq!(seen["differing"], Scalar::Int(i64::from(first.is_some())));
        assert_eq!(seen["missing"], Scalar::Int(0));
    }
}

#[tokio::test]
async fn references_that_nothing_names_prove_nothing() {
    let mut fake = with_files();
    let probe = json!({"references": {"query": "select …"}});
    for nothing in [rows(&["file"], &[]), rows(&["file"], &[&[None], &[None]])] {
        fake.reply = nothing;
        assert_eq!(fake.nothing(probe.clone()).await, "the query names no file");
    }
    fake.reply = Reply::Error(Kind::Unrestorable);
    assert!(fake.nothing(probe.clone()).await.contains("running"));
    fake.reply = Reply::Unreachable;
    assert_eq!(fake.see(probe.clone()).await.expect_err("the host").kind(), Kind::Unavailable);
    fake.reply = Reply::Never;
    let slow = json!({"references": {"query": "select …", "timeout": "50ms"}});
    assert_eq!(fake.nothing(slow).await, "looking the references up took longer than 50ms");
}

#[tokio::test]
async fn a_hundred_thousand_references_are_each_looked_up() {
    let mut fake = with_files();
    let names: Vec<[Option<&str>; 1]> =
        (0..100_000).map(|n| [Some(if n % 1_000 == 999 { "gone.png" } else { "b.png" })]).collect();
    let answer: Vec<&[Option<&str>]> = names.iter().map(<[_; 1]>::as_slice).collect();
    fake.reply = rows(&["file"], &answer);
    let seen = fake.values(json!({"references": {"query": "select …", "below": "up"}})).await;
    assert_eq!((&seen["references"], &seen["unresolved"]), (&Scalar::Int(100_000), &Scalar::Int(100)));
}
