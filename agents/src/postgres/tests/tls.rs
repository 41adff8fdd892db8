//! A source that is reached over TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::fixture::{Fixture, capture};
use crate::postgres::site::account;
use crate::process::Program;
use crate::{Clock, Context, Kind, Result, Secrets, Source};

const HBA: &str = "hostssl all all 127.0.0.0/8 trust\nhost all all all reject";

/// An address of this host's own, so that every test has the usual port to itself.
fn address() -> String {
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.77.{high}.{low}")
}

/// Makes a key and a certificate for `address` that the server can read.
async fn certify(folder: &Path, name: &str, address: &str) {
    let file = |end: &str| folder.join(format!("{name}.{end}"));
    let cx = Context::new("tls", folder, Clock::system(), Arc::new(Secrets::relative_to(folder)));
    let fixed = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=drill", "-addext"];
    let openssl = Program::new("openssl").args(fixed).arg(format!("subjectAltName=IP:{address}"));
    let openssl = openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    let openssl = openssl.arg("-keyout").arg(file("key")).arg("-out").arg(file("crt"));
    let ended = openssl.run(&cx, Duration::from_secs(60), 4096).await;
    let ended = ended.expect("these tests need openssl: apt-get install openssl");
    ended.success(Kind::Config).expect("a certificate");
    let account = account().expect("account");
    std::os::unix::fs::chown(file("key"), Some(account.uid), Some(account.gid)).expect("chown");
}

async fn reached(fixture: &Fixture, address: &str, options: &str) -> Result<u64> {
    let url = format!("postgresql://postgres@{address}/shop?connect_timeout=5{options}");
    let described = drill_scenarios::PostgresSource { url: Some(url), ..fixture.described() };
    let source = fixture.open(&described)?;
    source.identity(&fixture.cx).await?;
    let (captured, _) = capture(&fixture.cx, &source).await?;
    Ok(captured.index.databases[0].tables["public.t"].rows)
}

#[tokio::test]
async fn sslmode_means_what_it_says_for_the_session_and_for_pg_dump() {
    let address = address();
    let listen = format!("listen_addresses={address}");
    let home = tempfile::Builder::new().prefix("tls").tempdir_in("/tmp").expect("tempdir");
    std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    certify(home.path(), "server", &address).await;
    certify(home.path(), "other", "127.0.0.1").await;
    let file = |name: &str| home.path().join(name).display().to_string();
    let settings = [format!("ssl_cert_file={}", file("server.crt")), format!("ssl_key_file={}", file("server.key"))];
    let fixture = Fixture::start_with(&["ssl=on", &listen, &settings[0], &settings[1]], HBA).await;
    fixture.fill("CREATE TABLE t AS SELECT 1 AS v").await;

    assert_eq!(reached(&fixture, &address, "").await.expect("prefer"), 1);
    assert_eq!(reached(&fixture, &address, "&sslmode=require").await.expect("require"), 1);
    let verified = format!("&sslmode=verify-full&sslrootcert={}", file("server.crt"));
    assert_eq!(reached(&fixture, &address, &verified).await.expect("verify-full"), 1);
    let plain = reached(&fixture, &address, "&sslmode=disable").await.expect_err("the server takes TLS only");
    assert_eq!(plain.kind(), Kind::Denied, "{}", plain.chain());
    for untrusted in ["&sslmode=verify-full", &format!("&sslmode=verify-full&sslrootcert={}", file("other.crt"))] {
        let refused = reached(&fixture, &address, untrusted).await.expect_err("nobody vouches for it");
        assert_eq!(refused.kind(), Kind::Unavailable, "{}", refused.chain());
    }
}
