//! Messages of etcd's API, as its gateway writes them in JSON: numbers of 64 bits are texts, bytes are in base64, and what is zero or
//! empty is left out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        STANDARD.decode(text.as_bytes()).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Numbers of 64 bits.
mod number {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<T: Display, S: Serializer>(number: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What every answer begins with.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Header {
    #[serde(default, with = "number")]
    pub(super) cluster_id: u64,
    #[serde(default, with = "number")]
    pub(super) member_id: u64,
    /// Of the store, when it answered.
    #[serde(default, with = "number")]
    pub(super) revision: i64,
}

/// A request for nothing in particular.
#[derive(Debug, Serialize)]
pub(super) struct Nothing {}

#[derive(Debug, Deserialize)]
pub(super) struct Status {
    pub(super) header: Header,
    #[serde(default)]
    pub(super) version: String,
    #[serde(default, rename = "dbSize", with = "number")]
    pub(super) db_bytes: u64,
    /// Id of the leader; 0 if there is none.
    #[serde(default, with = "number")]
    pub(super) leader: u64,
}

/// Keys from `key` to before `range_end`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Range {
    pub(super) key: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) range_end: Option<Bytes>,
    #[serde(with = "number")]
    pub(super) limit: u64,
    /// 0: as it is now.
    #[serde(with = "number")]
    pub(super) revision: i64,
    /// Answered by the member by itself, without asking the others.
    pub(super) serializable: bool,
    pub(super) count_only: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Found {
    pub(super) header: Header,
    #[serde(default)]
    pub(super) kvs: Vec<KeyValue>,
    #[serde(default)]
    pub(super) more: bool,
    #[serde(default, with = "number")]
    pub(super) count: u64,
}

/// A key as it was at one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct KeyValue {
    pub(super) key: Bytes,
    #[serde(default)]
    pub(super) value: Bytes,
    #[serde(default, with = "number")]
    pub(super) create_revision: i64,
    #[serde(default, with = "number")]
    pub(super) mod_revision: i64,
    #[serde(default, with = "number")]
    pub(super) version: i64,
    /// Id of the lease that it goes with; 0 if it stays.
    #[serde(default, with = "number")]
    pub(super) lease: i64,
}

/// One condition on one key, and what is done where it holds.
#[derive(Debug, Serialize)]
pub(super) struct Transaction {
    pub(super) compare: [Compare; 1],
    pub(super) success: [Operation; 1],
}

#[derive(Debug, Serialize)]
#[serde(tag = "target", rename_all = "UPPERCASE")]
pub(super) enum Compare {
    Create {
        key: Bytes,
        #[serde(with = "number")]
        create_revision: i64,
    },
    Mod {
        key: Bytes,
        #[serde(with = "number")]
        mod_revision: i64,
    },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Operation {
    RequestPut { key: Bytes, value: Bytes },
    RequestDeleteRange { key: Bytes },
}

#[derive(Debug, Deserialize)]
pub(super) struct Done {
    #[serde(default)]
    pub(super) succeeded: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Leases {
    #[serde(default)]
    pub(super) leases: Vec<Lease>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Lease {
    #[serde(rename = "ID", with = "number")]
    pub(super) id: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct TimeToLive {
    /// Seconds that it was granted for; 0 if there is no such lease any more.
    #[serde(default, rename = "grantedTTL", with = "number")]
    pub(super) granted_secs: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Users {
    #[serde(default)]
    pub(super) users: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct User<'a> {
    pub(super) name: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct Role<'a> {
    pub(super) role: &'a str,
}

/// Names of roles: all there are, or those of one user.
#[derive(Debug, Deserialize)]
pub(super) struct Roles {
    #[serde(default)]
    pub(super) roles: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Permissions {
    #[serde(default)]
    pub(super) perm: Vec<Permission>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Permission {
    /// `READ` is left out.
    #[serde(default, rename = "permType")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) key: Bytes,
    #[serde(default)]
    pub(super) range_end: Bytes,
}

#[derive(Debug, Deserialize)]
pub(super) struct Alarms {
    #[serde(default)]
    pub(super) alarms: Vec<Alarm>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Alarm {
    #[serde(default)]
    pub(super) alarm: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Members {
    #[serde(default)]
    pub(super) members: Vec<Member>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Member {
    #[serde(default)]
    pub(super) name: String,
}

#[derive(Serialize)]
pub(super) struct Authenticate<'a> {
    pub(super) name: &'a str,
    pub(super) password: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Token {
    #[serde(default)]
    pub(super) token: String,
}

/// One line of a stream.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    #[serde(default)]
    pub(super) result: Option<Piece>,
    /// Why the stream ended before its time.
    #[serde(default)]
    pub(super) error: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Piece {
    #[serde(default)]
    pub(super) blob: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_zero_and_numbers_and_bytes_are_texts() {
        let found: Found = serde_json::from_str(
            r#"{"header":{"revision":"9223372036854775807"},"kvs":[{"key":"/w==","lease":"7587899148814528775"}]}"#,
        )
        .expect("an answer");
        assert_eq!((found.header.revision, found.count, found.more), (i64::MAX, 0, false));
        let key = KeyValue { key: Bytes(vec![255]), lease: 7_587_899_148_814_528_775, ..KeyValue::default() };
        assert_eq!(found.kvs, [key]);
    }

    #[test]
    fn a_transaction_is_written_as_the_gateway_reads_it() {
        let transaction = Transaction {
            compare: [Compare::Create { key: Bytes(b"a".to_vec()), create_revision: 0 }],
            success: [Operation::RequestPut { key: Bytes(b"a".to_vec()), value: Bytes(b"b".to_vec()) }],
        };
        let text = serde_json::to_string(&transaction).expect("JSON");
        let expected = r#"{"compare":[{"target":"CREATE","key":"YQ==","create_revision":"0"}],"success":[{"request_put":{"key":"YQ==","value":"Yg=="}}]}"#;
        assert_eq!(text, expected);
    }
}
