//! Whether the backup is the drill's own, which needs a vault and a seal, or another tool's, which has both already.

use std::collections::BTreeMap;

use crate::place::Path;
use crate::{OwnCheck, RecoverTo, Select, Source, secret};

use super::Rules;

pub(super) fn check(rules: &mut Rules<'_>) {
    match rules.system.source {
        Source::Restic(source) => repository(rules, "restic", &source.repository, &source.env),
        Source::Borg(source) => repository(rules, "borg", &source.repository, &source.env),
        Source::Pgbackrest(source) => {
            variables(rules, "pgbackrest", &source.env);
            let hint = "`pgbackrest verify` reads every file of every backup and of the archive.";
            whole_check(rules, ("pgbackrest", "pgBackRest"), source.check, hint);
        }
        Source::Barman(source) => {
            let hint = "`barman verify-backup` reads every file of every backup.";
            whole_check(rules, ("barman", "Barman"), source.check, hint);
        }
        Source::Tool(source) => variables(rules, "tool", &source.env),
        _ => {}
    }
    if rules.system.name.is_none() {
        recovery_point(rules);
    }
    fetches_wal(rules);
}

/// Vault and seal are those of every backup that the drill takes itself.
pub(super) fn needs(rules: &mut Rules<'_>) {
    let adopted = rules.scenario.systems().all(|system| system.source.is_adopted());
    place(rules, "vault", rules.scenario.vault.is_some(), adopted);
    place(rules, "seal", rules.scenario.seal.is_some(), adopted);
}

fn place(rules: &mut Rules<'_>, key: &str, given: bool, adopted: bool) {
    match (given, adopted) {
        (true, true) => rules.say(
            &Path::of([key]),
            format!("`{key}` has no meaning for a backup that another tool took"),
            format!("Take `{key}` away: the backup rests where that tool keeps it, and is restored from there."),
        ),
        (false, false) => {
            let (what, example) = match key {
                "vault" => ("Where sealed snapshots rest", "vault: {fs: {path: vault}}"),
                _ => (
                    "To whom snapshots are encrypted, and what opens them",
                    "seal: {identities: [{file: identity.txt}]}",
                ),
            };
            rules.say(&Path::default(), format!("`{key}` is missing"), format!("{what}: `{example}`."));
        }
        _ => {}
    }
}

/// Credentials stand neither in an address nor in a variable.
fn repository(rules: &mut Rules<'_>, kind: &str, address: &str, env: &BTreeMap<String, String>) {
    if secret::in_url(address) {
        rules.say(
            &rules.at(["source", kind, "repository"]),
            "`repository` has credentials in it",
            "Take them out, and say where they are kept: `secrets: {AWS_SECRET_ACCESS_KEY: {env: NAME}}`. Replace them: they \
             have been in a file.",
        );
    }
    variables(rules, kind, env);
}

fn variables(rules: &mut Rules<'_>, kind: &str, env: &BTreeMap<String, String>) {
    let path = rules.at(["source", kind]);
    for name in env.keys().filter(|name| secret::telling(name)) {
        let path = path.key("env").key(name);
        let hint = format!("Move it to `secrets` and say where it is kept: `{name}: {{env: {name}}}`.");
        rules.say(&path, format!("`{name}` is a secret, and a secret is never written in a scenario"), hint);
    }
}

/// Within walls no server gets at an archive. Barman has fetched its WAL before.
fn fetches_wal(rules: &mut Rules<'_>) {
    if matches!(rules.system.source, Source::Pgbackrest(_)) && rules.scenario.sandbox.is_some() {
        rules.say(
            &Path::of(["sandbox"]),
            "a server in a sandbox can't fetch WAL from the archive",
            "Take `sandbox` away: the server of this drill must reach the repository.",
        );
    }
}

/// These tools check all of what they keep or nothing.
fn whole_check(rules: &mut Rules<'_>, (kind, tool): (&str, &str), check: OwnCheck, hint: &str) {
    if check == OwnCheck::Structure {
        rules.say(
            &rules.at(["source", kind, "check"]),
            format!("{tool} has no check of the structure alone"),
            format!("Write `check: data`: {hint}"),
        );
    }
}

/// A backup that is old on purpose says nothing about the recovery point, nor does an instant before the last.
fn recovery_point(rules: &mut Rules<'_>) {
    let on_purpose = matches!(rules.system.source.select(), Some(Select::Random | Select::Before(_) | Select::Id(_)));
    if on_purpose && rules.scenario.objectives.rpo.is_some() {
        rules.say(
            &Path::of(["objectives", "rpo"]),
            "`rpo` can't be measured: `select` may choose an old backup on purpose",
            "Write `select: newest`, or take `rpo` away and say with `max_age` how old the newest backup may be.",
        );
    }
    let early = rules.system.source.recover_to().is_some_and(|to| to != RecoverTo::Latest);
    if early && rules.scenario.objectives.rpo.is_some() {
        rules.say(
            &Path::of(["objectives", "rpo"]),
            "`rpo` can't be measured: `recover_to` may end before the archive does",
            "Write `recover_to: latest`, or take `rpo` away here and measure it in a scenario of its own.",
        );
    }
}
