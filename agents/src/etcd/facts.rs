//! What is known of a cluster: its keys at one revision, and what stands beside them: leases, users, roles, alarms.

use std::collections::BTreeMap;

use super::connection::Connection;
use super::message::{
    Alarms, Bytes, Found, KeyValue, Lease, Leases, Nothing, Permission, Permissions, Range, Role, Roles, TimeToLive,
    User, Users,
};
use super::pages::Pages;
use crate::keyspace::{Keyspace, ValueType, shown};
use crate::{Context, Database, Fingerprint, Result};

/// What the cluster is called in an index.
const ENGINE: &str = "etcd";
/// Names of settings: the revision that is compared, the last one that the backup may be of, and the cluster's id.
pub(crate) const REVISION: &str = "revision";
pub(crate) const REVISION_AFTER: &str = "revision_after";
pub(crate) const CLUSTER: &str = "cluster_id";
/// Classes of what stands beside the keys.
pub(crate) const LEASE: &str = "lease";
pub(crate) const ALARM: &str = "alarm";
/// What the definition of a lease ends with.
const SECS: &str = " s";

/// What stands beside the keys, as it is now: none of it is kept for earlier revisions.
///
/// # Errors
/// Those of [`Connection::ask`].
pub(crate) async fn surroundings(cx: &Context, connection: &mut Connection) -> Result<Database> {
    let alarms: Alarms = connection.ask("maintenance/alarm", &Nothing {}).await?;
    let alarms = alarms.alarms.into_iter().map(|alarm| (alarm.alarm, "raised".to_owned())).collect();
    let objects = [
        (LEASE, leases(cx, connection).await?),
        ("user", users(connection).await?),
        ("role", roles(connection).await?),
        (ALARM, alarms),
    ];
    let objects = objects.into_iter().filter(|(_, all)| !all.is_empty()).map(|(class, all)| (class.to_owned(), all));
    let auth = if connection.asks_for_users() { "on" } else { "off" };
    Ok(Database {
        name: ENGINE.into(),
        engine: ENGINE.into(),
        version: connection.about.version.clone(),
        settings: [("auth".to_owned(), auth.to_owned())].into(),
        objects: objects.collect(),
        ..Database::default()
    })
}

/// The keys at this revision.
///
/// # Errors
/// Those of [`Connection::ask`].
pub(crate) async fn keys(cx: &Context, connection: &mut Connection, revision: i64) -> Result<Keyspace> {
    let (mut keyspace, mut pages) = (Keyspace::default(), Pages::at(revision));
    while pages.peek(cx, connection).await?.is_some() {
        if let Some(key) = pages.take() {
            add(&mut keyspace, &key);
        }
    }
    Ok(keyspace)
}

/// How many keys there are.
///
/// # Errors
/// Those of [`Connection::ask`].
pub(crate) async fn count(connection: &mut Connection) -> Result<u64> {
    let all = Range { key: Bytes(vec![0]), range_end: Some(Bytes(vec![0])), count_only: true, ..Range::default() };
    connection.ask("kv/range", &all).await.map(|found: Found| found.count)
}

/// Keys as an index has them: where nothing is known of any, there is no keyspace.
pub(crate) fn keyspaces(keys: Keyspace) -> BTreeMap<u64, Keyspace> {
    if keys.keys() == 0 && keys.differing.is_empty() { BTreeMap::new() } else { [(0, keys)].into() }
}

/// Counts one more key, with all that etcd knows of it.
pub(super) fn add(keyspace: &mut Keyspace, key: &KeyValue) {
    let KeyValue { key: name, value, create_revision, mod_revision, version, lease } = key;
    let numbers = [create_revision, mod_revision, version, lease].map(|number| number.to_be_bytes());
    let fingerprint = Fingerprint::of([&name.0[..], &value.0, numbers.as_flattened()]);
    keyspace.add(Keyspace::bucket_of(&name.0), ValueType::String, *lease != 0, fingerprint);
}

/// Seconds that a lease was granted for, by its definition.
pub(crate) fn granted_secs(definition: &str) -> Option<u64> {
    definition.strip_suffix(SECS)?.parse().ok()
}

/// The name of a lease, as `etcdctl` writes it.
pub(super) fn lease_name(id: i64) -> String {
    format!("{id:016x}")
}

/// How long each lease was granted for. What is left of it runs out meanwhile, so that is nothing to compare.
async fn leases(cx: &Context, connection: &mut Connection) -> Result<BTreeMap<String, String>> {
    let all: Leases = connection.ask("lease/leases", &Nothing {}).await?;
    let mut found = BTreeMap::new();
    for Lease { id } in all.leases {
        cx.go_on()?;
        let TimeToLive { granted_secs } = connection.ask("lease/timetolive", &Lease { id }).await?;
        if granted_secs > 0 {
            found.insert(lease_name(id), format!("{granted_secs}{SECS}"));
        }
    }
    Ok(found)
}

/// The roles of each user. Nobody is told of their passwords.
async fn users(connection: &mut Connection) -> Result<BTreeMap<String, String>> {
    let all: Users = connection.ask("auth/user/list", &Nothing {}).await?;
    let mut found = BTreeMap::new();
    for name in all.users {
        let Roles { mut roles } = connection.ask("auth/user/get", &User { name: &name }).await?;
        roles.sort_unstable();
        found.insert(name, roles.join(", "));
    }
    Ok(found)
}

async fn roles(connection: &mut Connection) -> Result<BTreeMap<String, String>> {
    let all: Roles = connection.ask("auth/role/list", &Nothing {}).await?;
    let mut found = BTreeMap::new();
    for role in all.roles {
        let Permissions { perm } = connection.ask("auth/role/get", &Role { role: &role }).await?;
        let mut allowed: Vec<String> = perm.iter().map(permission).collect();
        allowed.sort_unstable();
        found.insert(role, allowed.join(", "));
    }
    Ok(found)
}

/// `readwrite /app/ to /app0`: what a role may do, from which key on, and before which.
fn permission(permission: &Permission) -> String {
    let kind = permission.kind.as_deref().unwrap_or("READ").to_lowercase();
    let from = shown(&permission.key.0);
    match &permission.range_end.0[..] {
        [] => format!("{kind} {from}"),
        [0] => format!("{kind} {from} and all behind it"),
        end => format!("{kind} {from} to {}", shown(end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_role_may_do_is_put_into_words() {
        let words = |kind: Option<&str>, key: &[u8], end: &[u8]| {
            let [key, range_end] = [key, end].map(|bytes| Bytes(bytes.to_vec()));
            permission(&Permission { kind: kind.map(str::to_owned), key, range_end })
        };
        assert_eq!(words(None, b"/a", b""), "read /a");
        assert_eq!(words(Some("READWRITE"), b"/a/", b"/a0"), "readwrite /a/ to /a0");
        assert_eq!(words(Some("WRITE"), b"\0", b"\0"), "write %00 and all behind it");
    }
}
