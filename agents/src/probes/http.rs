//! An HTTP request to the app.
//!
//! The name in the address is resolved once and the connection is pinned to what came out, which must be loopback; no redirect is
//! followed and no proxy is asked. Certificates are not checked: whom we talk to is settled by the address, and the restored app
//! shows the certificate of its production name.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use drill_scenarios::{HttpProbe, Method, Observation, Scalar};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, Request, Response, redirect};
use secrecy::ExposeSecret;
use url::{Host, Url};

use super::reach::{self, Gate};
use super::{KEPT, Seen, Within, fill, loopback, text, whole};
use crate::digest::Digest;
use crate::{Error, Kind, Result};

pub(super) async fn observe(probe: &HttpProbe, within: Within<'_>) -> Result<Seen> {
    let url = address(&fill(&probe.url, within.facts)?)?;
    let addresses = resolve(&url).await?;
    let began = within.cx.clock.elapsed();
    let gate = match gate(within, &addresses).await? {
        Some(Ok(gate)) => Some(gate),
        Some(Err(cause)) => {
            let what = format!("connecting to {url} in the sandbox");
            return Ok(Seen::Nothing(Error::new(Kind::Unavailable, what).because(cause).chain()));
        }
        None => None,
    };
    let client = client(&url, &addresses, gate.as_ref(), probe.timeout.duration())?;
    let request = request(&client, url, probe, within)?;
    let what = format!("{} {}", request.method(), request.url());
    let answered = async {
        let response = client.execute(request).await?;
        read(response).await
    };
    match answered.await {
        Ok(mut values) => {
            let latency = within.cx.clock.elapsed().saturating_sub(began);
            values.insert("latency_ms".into(), whole(latency.as_millis()));
            Ok(Seen::Values(values))
        }
        Err(error) if error.is_timeout() => Ok(Seen::Nothing(format!("{what} took longer than {}", probe.timeout))),
        Err(error) => Ok(Seen::Nothing(Error::new(Kind::Unavailable, what).because(error.without_url()).chain())),
    }
}

/// What the URL's host and port stand for, on loopback.
pub(super) async fn addresses(url: &str) -> Result<Vec<SocketAddr>> {
    resolve(&address(url)?).await
}

async fn resolve(url: &Url) -> Result<Vec<SocketAddr>> {
    let port = url.port_or_known_default().unwrap_or(80);
    match url.host() {
        Some(Host::Domain(name)) => loopback::resolve(name, port).await,
        Some(Host::Ipv4(ip)) => loopback::resolve(&ip.to_string(), port).await,
        Some(Host::Ipv6(ip)) => loopback::resolve(&ip.to_string(), port).await,
        None => Err(Error::new(Kind::Config, format!("`{url}` names no host"))),
    }
}

fn address(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|cause| Error::new(Kind::Config, format!("URL `{text}`")).because(cause))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(Error::new(Kind::Config, format!("`{other}` of `{text}` is no scheme of HTTP"))),
    }
}

/// The way to these addresses in the sandbox, or why nobody answers there; nothing if there is no sandbox.
async fn gate(within: Within<'_>, addresses: &[SocketAddr]) -> Result<Option<io::Result<Gate>>> {
    if within.cx.sandbox().is_none() {
        return Ok(None);
    }
    match reach::connect(within, addresses).await {
        Ok(connection) => Gate::open(within.cx, connection).map(|gate| Some(Ok(gate))),
        Err(cause) => Ok(Some(Err(cause))),
    }
}

/// A client that reaches these addresses, or what is behind the gate, and nothing else.
fn client(url: &Url, addresses: &[SocketAddr], gate: Option<&Gate>, patience: Duration) -> Result<Client> {
    // Whoever comes first installs it; it is the only provider that this product is built with.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .tls_danger_accept_invalid_certs(true)
        .user_agent(concat!("drillctl/", env!("CARGO_PKG_VERSION")))
        .timeout(patience);
    if let Some(Host::Domain(name)) = url.host() {
        builder = builder.resolve_to_addrs(name, addresses);
    }
    if let Some(gate) = gate {
        builder = builder.unix_socket(gate.path());
    }
    builder.build().map_err(|cause| Error::new(Kind::Unavailable, "making an HTTP client").because(cause))
}

fn request(client: &Client, url: Url, probe: &HttpProbe, within: Within<'_>) -> Result<Request> {
    let method = match probe.method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
    };
    let mut request = client.request(method, url);
    for (name, value) in &probe.headers {
        request = request.header(header_name(name)?, header_value(name, &fill(value, within.facts)?)?);
    }
    for (name, reference) in &probe.secret_headers {
        let mut value = header_value(name, within.cx.secrets.resolve(reference)?.expose_secret())?;
        value.set_sensitive(true);
        request = request.header(header_name(name)?, value);
    }
    if let Some(body) = &probe.body {
        request = request.body(fill(body, within.facts)?);
    }
    request.build().map_err(|cause| Error::new(Kind::Config, "making an HTTP request").because(cause.without_url()))
}

fn header_name(name: &str) -> Result<HeaderName> {
    name.parse().map_err(|cause| Error::new(Kind::Config, format!("`{name}` is no header name")).because(cause))
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(value)
        .map_err(|cause| Error::new(Kind::Config, format!("value of header {name}")).because(cause))
}

/// Status, headers and body; of a long body the beginning is kept and all of it counted.
async fn read(mut response: Response) -> reqwest::Result<Observation> {
    let mut values = Observation::from([("status".to_owned(), whole(response.status().as_u16()))]);
    for name in response.headers().keys() {
        let all: Vec<_> = response.headers().get_all(name).iter().map(HeaderValue::as_bytes).collect();
        values.insert(format!("header.{name}"), text(&all.join(&b", "[..])));
    }
    let (mut body, mut bytes, mut digest) = (Vec::new(), 0_u64, Digest::default());
    while let Some(piece) = response.chunk().await? {
        bytes += piece.len() as u64;
        digest.update(&piece);
        body.extend_from_slice(&piece[..piece.len().min(KEPT - body.len())]);
    }
    values.insert("body".into(), text(&body));
    values.insert("bytes".into(), whole(bytes));
    values.insert("sha256".into(), Scalar::Text(digest.finish().to_string()));
    Ok(values)
}
