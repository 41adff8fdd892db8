//! What an answer of etcd means that is an error.

use reqwest::StatusCode;
use serde_json::Value;

use crate::{Error, Kind};

/// What etcd says where it wants to know who asks.
const NOBODY: &str = "user name is empty";
/// What it says of a token that it doesn't know, or no more.
const STALE_TOKEN: &str = "invalid auth token";

/// An error that etcd answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    said: String,
    status: StatusCode,
}

impl Refusal {
    /// The words in the body of such an answer: `{"message": …}`, `{"error": …}`, or the first in the second; some are no JSON.
    pub(super) fn of(status: StatusCode, body: &[u8]) -> Self {
        let said = serde_json::from_slice::<Value>(body).ok().as_ref().and_then(words).map(str::to_owned);
        let plain = || String::from_utf8_lossy(&body[..body.len().min(200)]).trim().to_owned();
        Self { said: said.unwrap_or_else(plain), status }
    }

    /// The words of an error that ends a stream.
    pub(super) fn of_stream(error: &Value) -> Self {
        Self { said: words(error).unwrap_or("no reason was told").into(), status: StatusCode::INTERNAL_SERVER_ERROR }
    }

    pub(super) fn wants_a_user(&self) -> bool {
        self.said.contains(NOBODY)
    }

    pub(super) fn wants_another_token(&self) -> bool {
        self.said.contains(STALE_TOKEN)
    }

    /// The error that it is. `doing` says what was asked of whom.
    pub(super) fn error(&self, doing: &str) -> Error {
        let is = |words: &str| self.said.contains(words);
        let error = |kind| Error::new(kind, format!("{doing}: {}", self.said.trim_start_matches("etcdserver: ")));
        match () {
            () if self.wants_a_user() => error(Kind::Denied)
                .hint("Name a user with the role `root` and where its password is kept: `user: root` and `password: {env: NAME}`."),
            () if is("authentication failed") => error(Kind::Denied).hint("Check user and password."),
            () if is("permission denied") => error(Kind::Denied)
                .hint("Name a user with the role `root` (`etcdctl user grant-role NAME root`): etcd gives a snapshot to no other."),
            () if is("CommonName") => error(Kind::Config).hint(
                "A cluster that has users wants a certificate without a common name (CN) from whoever comes through its gateway.",
            ),
            () if is("has been compacted") => error(Kind::Unavailable).hint(
                "The cluster forgot the revision of the backup before it was read to its end. Let it keep more \
                 (`--auto-compaction-retention`), or raise `limits.bandwidth`.",
            ),
            () if is("space exceeded") => error(Kind::Exhausted)
                .hint("The cluster takes no writes: make room (compact, `etcdctl defrag`, `etcdctl alarm disarm`), or write `canary: false`."),
            () if self.status == StatusCode::NOT_FOUND => error(Kind::Config)
                .hint("drillctl asks etcd 3.4 or newer through its JSON gateway; let the member start with `--enable-grpc-gateway`."),
            () => error(Kind::Unavailable).temporary(),
        }
    }
}

fn words(value: &Value) -> Option<&str> {
    match value.get("message").or_else(|| value.get("error"))? {
        Value::String(text) => Some(text),
        inner => words(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_words_its_errors_in_another_form() {
        for body in [
            r#"{"error":"etcdserver: user name is empty","message":"etcdserver: user name is empty","code":3}"#,
            r#"{"code":3, "message":"etcdserver: user name is empty"}"#,
            r#"{"error":{"grpc_code":2,"http_code":500,"message":"auth: user name is empty"}}"#,
        ] {
            let refusal = Refusal::of(StatusCode::BAD_REQUEST, body.as_bytes());
            assert!(refusal.wants_a_user(), "{refusal:?}");
            assert_eq!(refusal.error("asking").kind(), Kind::Denied);
        }
        let named = Refusal::of(StatusCode::BAD_REQUEST, b"CommonName of client sending a request against gateway\n");
        assert_eq!(named.error("asking").kind(), Kind::Config);
        let none = Refusal::of(StatusCode::NOT_FOUND, b"Not Found\n").error("asking for status");
        assert_eq!((none.kind(), none.to_string().as_str()), (Kind::Config, "asking for status: Not Found"));
    }
}
