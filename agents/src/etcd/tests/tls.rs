//! A cluster that is reached over TLS.

use std::path::Path;
use std::time::Duration;

use drill_scenarios::EtcdSource;

use super::fixture::Fixture;
use crate::process::Program;
use crate::trial::{captured, context};
use crate::{Kind, Result};

/// Makes a key and a certificate that vouches for itself, for whoever is at loopback.
async fn certify(folder: &Path, name: &str) {
    let fixed = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=drill", "-addext"];
    let openssl = Program::new("openssl").args(fixed).arg("subjectAltName=IP:127.0.0.1");
    let openssl = openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    let file = |end: &str| folder.join(format!("{name}.{end}"));
    let openssl = openssl.arg("-keyout").arg(file("key")).arg("-out").arg(file("crt"));
    let ended = openssl.run(&context(folder), Duration::from_secs(60), 4096).await;
    let ended = ended.expect("these tests need openssl: apt-get install openssl");
    ended.success(Kind::Config).expect("a certificate");
}

fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    free.expect("a free port").port()
}

async fn keys(fixture: &Fixture, described: &EtcdSource) -> Result<u64> {
    let (captured, _) = captured(&fixture.open(described)?, &fixture.cx).await?;
    Ok(captured.index.databases[0].keyspaces[&0].keys())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_must_prove_its_name_and_is_shown_the_clients_certificate_if_it_asks() {
    let home = tempfile::tempdir().expect("tempdir");
    for name in ["server", "client", "other"] {
        certify(home.path(), name).await;
    }
    let trusted = home.path().join("trusted.crt");
    // Its gateway is a client of the member too, with the member's own certificate.
    let both = ["client.crt", "server.crt"].map(|name| std::fs::read(home.path().join(name)).expect("a certificate"));
    std::fs::write(&trusted, both.concat()).expect("certificates");
    let file = |name: &str| home.path().join(name).display().to_string();
    for asks in [true, false] {
        let url = format!("https://127.0.0.1:{}", free_port());
        let (urls, own) =
            (format!("unix://client:0,{url}"), [file("server.crt"), file("server.key"), file("trusted.crt")]);
        let shows = ["--listen-client-urls", &urls, "--cert-file", &own[0], "--key-file", &own[1]];
        let asking = ["--client-cert-auth", "--trusted-ca-file", &own[2]];
        let fixture = Fixture::start_with(&[&shows[..], if asks { &asking[..] } else { &[] }].concat()).await;
        fixture.ctl("put a 1").await;
        let trusting = |ca: &str| EtcdSource {
            endpoints: vec![url.clone()],
            ca: Some(home.path().join(ca)),
            ..EtcdSource::default()
        };
        let shown = |name: &str, source: EtcdSource| EtcdSource {
            certificate: Some(home.path().join(format!("{name}.crt"))),
            key: Some(home.path().join(format!("{name}.key"))),
            ..source
        };
        assert_eq!(keys(&fixture, &shown("client", trusting("server.crt"))).await.expect("both are known"), 1);
        let error = keys(&fixture, &shown("client", trusting("other.crt"))).await.expect_err("not known");
        assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
        for stranger in [shown("other", trusting("server.crt")), trusting("server.crt")] {
            assert_eq!(keys(&fixture, &stranger).await.is_err(), asks, "a member that asks: {asks}");
        }
    }
}
