//! Whether the backup is the drill's own, which needs a vault and a seal, or another tool's, which has both already.

use std::collections::BTreeMap;

use crate::place::Path;
use crate::{Select, Source, secret};

use super::Rules;

pub(super) fn check(rules: &mut Rules<'_>) {
    let adopted = rules.scenario.source.is_adopted();
    place(rules, "vault", rules.scenario.vault.is_some(), adopted);
    place(rules, "seal", rules.scenario.seal.is_some(), adopted);
    match &rules.scenario.source {
        Source::Restic(source) => repository(rules, "restic", &source.repository, &source.env),
        Source::Borg(source) => repository(rules, "borg", &source.repository, &source.env),
        _ => {}
    }
    recovery_point(rules);
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
    let path = Path::of(["source", kind]);
    if secret::in_url(address) {
        rules.say(
            &path.key("repository"),
            "`repository` has credentials in it",
            "Take them out, and say where they are kept: `secrets: {AWS_SECRET_ACCESS_KEY: {env: NAME}}`. Replace them: they \
             have been in a file.",
        );
    }
    for name in env.keys().filter(|name| secret::telling(name)) {
        let path = path.key("env").key(name);
        let hint = format!("Move it to `secrets` and say where it is kept: `{name}: {{env: {name}}}`.");
        rules.say(&path, format!("`{name}` is a secret, and a secret is never written in a scenario"), hint);
    }
}

/// A backup that is old on purpose says nothing about the recovery point.
fn recovery_point(rules: &mut Rules<'_>) {
    let on_purpose = matches!(rules.scenario.source.select(), Some(Select::Random | Select::Before(_) | Select::Id(_)));
    if on_purpose && rules.scenario.objectives.rpo.is_some() {
        rules.say(
            &Path::of(["objectives", "rpo"]),
            "`rpo` can't be measured: `select` may choose an old backup on purpose",
            "Write `select: newest`, or take `rpo` away and say with `max_age` how old the newest backup may be.",
        );
    }
}
