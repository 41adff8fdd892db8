//! A source that is reached over TLS.

use std::path::Path;
use std::time::Duration;

use drill_scenarios::RedisSource;

use super::fixture::Fixture;
use crate::process::Program;
use crate::trial::{captured, context};
use crate::{Kind, Result};

/// An address of this host's own, so that every test has the usual port to itself.
fn address() -> String {
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.78.{high}.{low}")
}

/// Makes a key and a certificate for `address`.
async fn certify(folder: &Path, name: &str, address: &str) {
    let fixed = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=drill", "-addext"];
    let openssl = Program::new("openssl").args(fixed).arg(format!("subjectAltName=IP:{address}"));
    let openssl = openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    let file = |end: &str| folder.join(format!("{name}.{end}"));
    let openssl = openssl.arg("-keyout").arg(file("key")).arg("-out").arg(file("crt"));
    let ended = openssl.run(&context(folder), Duration::from_secs(60), 4096).await;
    let ended = ended.expect("these tests need openssl: apt-get install openssl");
    ended.success(Kind::Config).expect("a certificate");
}

async fn keys(fixture: &Fixture, described: &RedisSource) -> Result<u64> {
    let (captured, _) = captured(&fixture.open(described)?, &fixture.cx).await?;
    Ok(captured.index.databases[0].keyspaces[&0].keys())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_must_prove_its_name_and_is_shown_the_clients_certificate_if_it_asks() {
    let (address, home) = (address(), tempfile::tempdir().expect("tempdir"));
    for (name, whose) in [("server", address.as_str()), ("client", "127.0.0.1"), ("other", "127.0.0.1")] {
        certify(home.path(), name, whose).await;
    }
    let file = |name: &str| home.path().join(name).display().to_string();
    let [certificate, key, client] = ["server.crt", "server.key", "client.crt"].map(file);
    let options = ["--tls-port", "6379", "--bind", &address, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let fixture = Fixture::start_with(&[&options[..], &["--tls-ca-cert-file", &client]].concat()).await;
    fixture.send("SET a 1").await;

    let trusting = |ca: &str| RedisSource {
        url: Some(format!("rediss://{address}")),
        ca: Some(home.path().join(ca)),
        ..RedisSource::default()
    };
    let shown = |name: &str, source: RedisSource| RedisSource {
        certificate: Some(home.path().join(format!("{name}.crt"))),
        key: Some(home.path().join(format!("{name}.key"))),
        ..source
    };
    assert_eq!(keys(&fixture, &shown("client", trusting("server.crt"))).await.expect("both are known"), 1);
    for refused in
        [shown("client", trusting("other.crt")), shown("other", trusting("server.crt")), trusting("server.crt")]
    {
        let error = keys(&fixture, &refused).await.expect_err("not known");
        assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    }
    fixture.send("CONFIG SET tls-auth-clients no").await;
    assert_eq!(keys(&fixture, &trusting("server.crt")).await.expect("no certificate is asked for"), 1);
}
