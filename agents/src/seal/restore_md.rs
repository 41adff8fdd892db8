//! `RESTORE.md`: how to get a snapshot back with the programs of any Linux distribution, in ten years, without drillctl. It
//! lies beside the sealed files, so it names nothing that they hide. A test runs the commands that stand in it.

use crate::snapshot::{Header, Part, StreamFormat};

/// The instructions for this snapshot.
pub(super) fn restore_md(header: &Header) -> String {
    let Header { id, scenario, source, taken_at, tool, .. } = header;
    let newest = header.newest_at.map(|at| format!("\n- newest data in it: {at}")).unwrap_or_default();
    let recipients: String = header.recipients.iter().map(|key| format!("\n  - `{key}`")).collect();
    let segments = match header.segments.as_slice() {
        [only] => format!("`{}`", only.name),
        [first, .., last] => format!("`{}` to `{}`, {} files", first.name, last.name, header.segments.len()),
        [] => "none".into(),
    };
    let (key, restore) = (key(header.key.as_ref()), restore(header.format));
    let (sealed, plain) = (header.sealed_bytes(), header.stream_bytes());
    format!(
        r#"# How to restore this snapshot without drillctl

You need `age` (https://age-encryption.org), `zstd`, `bash`{tool_needed}, and a key that it is sealed to. Every `.age` file
here is a standard age file with one zstd frame inside; the segments, opened in order of their names, are one stream.

- snapshot: {id}
- scenario: {scenario}, source: {source}
- taken at: {taken_at}{newest}
- segments: {segments}; {sealed} bytes sealed, {plain} bytes of stream
- sealed to:{recipients}
- written by: {tool}

Run everything below in this folder, with bash. Copy it from the vault first if the vault is a bucket.

## 1. Is it whole? This takes no key.

```bash
sha256sum -c SHA256SUMS
```

Go on only if it says OK for every line and exits with 0. It tells damage, not forgery: the digest of `snapshot.json`, which
lists the same digests, stands in the record of the run that took the snapshot.

## 2. Say which key, and where to restore to

```
KEY=/path/to/your/identity
TARGET={target}
```
{key}
## 3. Restore

```bash
(
set -euo pipefail
{restore}
)
```

`pipefail` matters: without it a segment that does not open goes unnoticed, and what was restored is cut off. Look at the exit
code (`echo $?`) before you believe the result.{remark}

## What is in it, by name

```bash
(
set -euo pipefail
age -d -i "$KEY" index.age | zstd -dc | jq .
)
```

The index lists every path with its size and SHA-256, or every table with its rows, as they were when the snapshot was taken.
"#,
        tool_needed = tool_needed(header.format),
        remark = remark(header.format),
        target = target(header.format),
    )
}

fn tool_needed(format: StreamFormat) -> &'static str {
    match format {
        StreamFormat::Tar => ", GNU `tar`",
        StreamFormat::File => "",
        StreamFormat::PgDump => ", `pg_restore` of a PostgreSQL that is not older than the one dumped",
        StreamFormat::PgDumps => ", `tar`, `pg_restore` of a PostgreSQL that is not older than the one dumped",
        StreamFormat::MariadbDump => {
            ", the client `mariadb` (or `mysql`) of a server that is not older than the one dumped"
        }
        StreamFormat::Rdb => ", a Redis server that is not older than the one that was backed up",
        StreamFormat::EtcdSnapshot => {
            ", `etcdutl` (before 3.5 `etcdctl`) and `etcd` that are not older than the cluster that was backed up"
        }
        StreamFormat::PgBase => {
            ", `tar`, the server programs of the PostgreSQL major that it is from (`pg_verifybackup`)"
        }
    }
}

fn target(format: StreamFormat) -> &'static str {
    match format {
        StreamFormat::Tar => "/path/to/an/empty/folder",
        StreamFormat::PgBase => "/path/to/a/new/folder",
        StreamFormat::File => "/path/of/the/file",
        StreamFormat::Rdb => "/path/of/the/servers/folder/dump.rdb",
        StreamFormat::EtcdSnapshot => "/path/of/snapshot.db",
        StreamFormat::PgDump | StreamFormat::PgDumps | StreamFormat::MariadbDump => "name_of_an_empty_database",
    }
}

fn remark(format: StreamFormat) -> &'static str {
    match format {
        StreamFormat::Tar => {
            "\nOwners are restored by root only; extended attributes and ACLs where the file system has them."
        }
        StreamFormat::File => "",
        StreamFormat::Rdb => {
            "\nThe server loads it when it starts. Stop it before, and put the file where its `dir` and `dbfilename` say, readable for its\n\
             account. A server with `appendonly yes` does not look at it: start it once with `appendonly no`, then set that again at\n\
             run time (`CONFIG SET appendonly yes`)."
        }
        StreamFormat::EtcdSnapshot => {
            "\nThat is the snapshot. Each member of a new cluster restores it into an empty folder of its own, with its own name and address,\n\
             the same list of all members, and a token that no other cluster has; then start `etcd` with these same options:\n\n\
             ```bash\n\
             etcdutl snapshot restore /path/of/snapshot.db --data-dir /var/lib/etcd --name NAME \\\n    \
             --initial-advertise-peer-urls https://NAME:2380 --initial-cluster NAME=https://NAME:2380,… --initial-cluster-token TOKEN\n\
             ```\n\n\
             It tells by the SHA-256 at its end whether it is whole. Users and their passwords are in it; certificates and settings are not."
        }
        StreamFormat::PgDump => {
            "\nRoles that the dump names must be there: make them first, or add `--no-owner --no-privileges`."
        }
        StreamFormat::MariadbDump => {
            "\nMake the database first, with the character set and collation that stand in the index (below, as `settings`) and under its\n\
             old name, which routines may refer to. Do it on a server where nothing else has that name: the dump drops tables that are\n\
             in its way. Accounts that views and routines name as their definers must be there for those to work. `mariadb` finds its\n\
             server by `MYSQL_HOST`, `MYSQL_UNIX_PORT` and `MYSQL_PWD`, or by a `~/.my.cnf`."
        }
        StreamFormat::PgDumps => {
            "\nRoles that the dumps name must be there: make them first, or add `--no-owner --no-privileges`. The stream holds several\n\
             dumps in pieces; they lie in a temporary folder while they are restored (`TMPDIR` says where), with room for all of them."
        }
        StreamFormat::PgBase => {
            "\nRun it as the account that the server shall run as, with the server's programs on the path (Debian keeps them in\n\
             `/usr/lib/postgresql/MAJOR/bin`). What is restored is a whole cluster: before you start it\n\
             (`pg_ctl -D \"$TARGET\" start`), read its `postgresql.conf`, `postgresql.auto.conf` and `pg_hba.conf`, which are those of the\n\
             source, and remove `standby.signal` if it is there. It recovers to the end of the WAL in the backup by itself. While the\n\
             source still runs, set `archive_mode = off`, and `max_logical_replication_workers = 0` if it has subscriptions."
        }
    }
}

fn restore(format: StreamFormat) -> &'static str {
    match format {
        StreamFormat::Tar => {
            r#"mkdir -p "$TARGET"
for f in [0-9]*.age; do age -d -i "$KEY" "$f" | zstd -dc; done |
    tar --xattrs --xattrs-include='*' --acls --numeric-owner -xpf - -C "$TARGET""#
        }
        StreamFormat::File | StreamFormat::Rdb | StreamFormat::EtcdSnapshot => {
            r#"for f in [0-9]*.age; do age -d -i "$KEY" "$f" | zstd -dc; done > "$TARGET""#
        }
        StreamFormat::PgDump => {
            r#"for f in [0-9]*.age; do age -d -i "$KEY" "$f" | zstd -dc; done |
    pg_restore --exit-on-error -d "$TARGET""#
        }
        // Without `--comments` the client takes the comments out of routines.
        StreamFormat::MariadbDump => {
            r#"for f in [0-9]*.age; do age -d -i "$KEY" "$f" | zstd -dc; done |
    mariadb --comments --binary-mode --default-character-set=utf8mb4 "$TARGET""#
        }
        StreamFormat::PgBase => {
            r#"mkdir -m 700 "$TARGET"
for f in [0-9]*.age; do age -d -i "$KEY" "$f" | zstd -dc; done | tar -xpf - -C "$TARGET"
pg_verifybackup "$TARGET""#
        }
        // A shell's list of the pieces of a big dump is too long for the arguments of a program, but not for `printf`.
        StreamFormat::PgDumps => {
            r#"DUMPS=$(mktemp -d)
trap 'rm -r "$DUMPS"' EXIT
for f in [0-9]*.age; do age -d -i "$KEY" "$f" | zstd -dc; done | tar -xf - -C "$DUMPS"
for dump in "$DUMPS"/pre-data "$DUMPS"/data-* "$DUMPS"/post-data; do
    printf '%s\0' "$dump"/* | xargs -0 cat | pg_restore --exit-on-error -d "$TARGET"
done"#
        }
    }
}

/// Where a passphrase opens it, the key comes out of the snapshot itself.
fn key(sealed: Option<&Part>) -> String {
    let Some(part) = sealed else { return String::new() };
    format!(
        "\nThis snapshot is sealed with a passphrase. It opens `{name}`, which holds the identity; put that where only you can read\n\
         it, and remove it afterwards. age asks for the passphrase once:\n\n```\n(umask 077 && age -d {name} > \"$KEY\")\n```\n",
        name = part.name
    )
}
