//! A source that is reached over TLS.

use std::path::Path;
use std::time::Duration;

use drill_scenarios::Reference;

use super::fixture::{Fixture, database};
use crate::mariadb::connection::Target;
use crate::mariadb::programs::ServerPrograms;
use crate::mariadb::site::Site;
use crate::process::{Program, Running};
use crate::trial::captured;
use crate::{Context, Kind, Place, Result, Source, free_port};

/// Makes a key and a certificate for `localhost` that the server can read.
async fn certify(cx: &Context, folder: &Path, name: &str) {
    let file = |end: &str| folder.join(format!("{name}.{end}"));
    let fixed = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
    let more = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    let openssl = Program::new("openssl").args(fixed).args(more);
    let openssl = openssl.arg("-keyout").arg(file("key")).arg("-out").arg(file("crt"));
    let ended = openssl.run(cx, Duration::from_secs(60), 4096).await;
    let ended = ended.expect("these tests need openssl: apt-get install openssl");
    ended.success(Kind::Config).expect("a certificate");
    let account = crate::mariadb::site::account().expect("account");
    std::os::unix::fs::chown(file("key"), Some(account.uid), Some(account.gid)).expect("chown");
}

/// A server that takes nobody over the network without TLS.
async fn serve(fixture: &Fixture, port: u16) -> Running {
    let cx = &fixture.cx;
    let programs = ServerPrograms::find(cx, None).await.expect("programs");
    let place = Place { folder: fixture.folder.join("second"), also: vec![fixture.folder.join("second-sockets")] };
    let site = Site::make(cx, &place, programs).expect("site");
    site.init(cx).await.expect("init");
    let path = |name: &str| fixture.folder.join(name).display().to_string();
    let options = [
        format!("--datadir={}", site.data().display()),
        format!("--socket={}", site.socket().display()),
        format!("--port={port}"),
        format!("--ssl-cert={}", path("server.crt")),
        format!("--ssl-key={}", path("server.key")),
    ];
    let program = Program::new(&site.programs.server.path).arg("--no-defaults").args(options);
    let program = program.args(["--bind-address=127.0.0.1", "--require-secure-transport=1"]);
    let server = program.account(&site.account).log_to(&site.log()).start(cx).expect("start");
    let target = Target::local(&site.socket(), "root", "");
    for _ in 0..500 {
        if let Ok(mut session) = target.connect().await {
            for sql in [
                "CREATE DATABASE shop",
                "CREATE TABLE shop.t AS SELECT 1 AS v",
                "CREATE USER app IDENTIFIED BY 'correct horse'",
                "GRANT ALL PRIVILEGES ON *.* TO app",
            ] {
                session.run("preparing", sql).await.expect(sql);
            }
            return server;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the server of the test does not start: {}", site.logged());
}

async fn reached(fixture: &Fixture, port: u16, options: &str) -> Result<u64> {
    let described = drill_scenarios::MariadbSource {
        url: Some(format!("mariadb://app@localhost:{port}/shop{options}")),
        password: Some(Reference::File("password".into())),
        ..fixture.described()
    };
    let source = fixture.open(&described)?;
    source.identity(&fixture.cx).await?;
    let (taken, _) = captured(&source, &fixture.cx).await?;
    Ok(database(&taken).tables["t"].rows)
}

#[tokio::test]
async fn ssl_mode_means_what_it_says_for_the_session_and_for_the_dump() {
    let fixture = Fixture::start().await;
    std::fs::write(fixture.folder.join("password"), "correct horse\n").expect("password");
    for name in ["server", "other"] {
        certify(&fixture.cx, &fixture.folder, name).await;
    }
    let port = free_port().expect("a port");
    let _server = serve(&fixture, port).await;
    assert_eq!(reached(&fixture, port, "?ssl-mode=required").await.expect("required"), 1);
    assert_eq!(reached(&fixture, port, "?ssl-ca=server.crt").await.expect("verified"), 1);
    let plain = reached(&fixture, port, "").await.expect_err("the server takes TLS only");
    assert_eq!(plain.kind(), Kind::Denied, "{}", plain.chain());
    let impostor = reached(&fixture, port, "?ssl-ca=other.crt").await.expect_err("nobody vouches for it");
    assert_eq!(impostor.kind(), Kind::Unavailable, "{}", impostor.chain());
}
