//! To whom a snapshot is sealed, and that the drill can open it.

use std::sync::LazyLock;

use regex::Regex;

use crate::place::Path;

use super::Rules;

/// What a public key of age looks like: its own kinds and plugins' in Bech32, and two kinds of ssh.
static RECIPIENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(?:age1(?:[a-z0-9+-]+1)?[02-9ac-hj-np-z]{58,}|age1[a-z0-9+-]+1[02-9ac-hj-np-z]{6,}|ssh-(?:ed25519|rsa) [A-Za-z0-9+/]{40,}={0,2}(?: .*)?)$",
    )
    .expect("a constant expression")
});

pub(super) fn check(rules: &mut Rules<'_>) {
    let Some(seal) = &rules.scenario.seal else { return };
    let path = Path::of(["seal"]);
    match (seal.identities.is_empty(), &seal.passphrase) {
        (true, None) => rules.say(
            &path,
            "`seal` does not say what opens the snapshot",
            "Add `identities: [{file: path}]` (make one with `drillctl keys`), or `passphrase: {env: NAME}`.",
        ),
        (false, Some(_)) => rules.say(
            &path.key("passphrase"),
            "`identities` and `passphrase` are both given",
            "Keep one: age seals either to recipients or with a passphrase.",
        ),
        (true, Some(_)) if !seal.recipients.is_empty() => rules.say(
            &path.key("recipients"),
            "`recipients` stand beside a `passphrase`",
            "Keep one: age seals either to recipients, who need `identities`, or with a passphrase alone.",
        ),
        _ => {}
    }
    recipients(rules, &seal.recipients, &path.key("recipients"));
}

fn recipients(rules: &mut Rules<'_>, recipients: &[String], path: &Path) {
    for (number, recipient) in recipients.iter().enumerate() {
        let path = path.item(number);
        let upper = recipient.to_ascii_uppercase();
        if upper.starts_with("AGE-SECRET-KEY-") || upper.starts_with("AGE-PLUGIN-") {
            continue; // said once already, wherever it stands
        }
        if !RECIPIENT.is_match(recipient.trim()) {
            let hint = "Write the public key whole: `age1…` (the line `# public key:` in an identity file), \
                        `ssh-ed25519 AAAA…` or `ssh-rsa AAAA…`.";
            rules.say(&path, format!("{} is not a recipient", path.label()), hint);
        } else if recipients.iter().take(number).any(|before| before == recipient) {
            rules.say(&path, format!("{} is given twice", path.label()), "Keep one of them.");
        }
    }
}
