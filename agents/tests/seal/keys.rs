//! Keys of every kind, what is refused before anything is done, and that no secret shows.

use std::fs;

use drill_agents::Kind;
use drill_agents::seal::{Keys, inspect, locate};
use drill_scenarios::{Reference, Seal};

use super::{Home, chmod, sealed_to, words, write_identity};

fn seal(recipients: &[&str], identities: &[&str]) -> Seal {
    Seal {
        recipients: recipients.iter().map(|text| (*text).into()).collect(),
        identities: identities.iter().map(|path| Reference::File(path.into())).collect(),
        passphrase: None,
    }
}

#[test]
fn an_identity_that_does_not_open_the_recipients_is_refused_beforehand() {
    let home = Home::new();
    let mine = home.keys.identities().remove(0);
    let other = write_identity(&home.path("other.txt"));
    assert_eq!(home.keys.prove().expect("proof"), mine);
    let both = Keys::open(&seal(&[&other], &["key.txt", "other.txt"]), &home.cx.secrets).expect("keys");
    assert_eq!(both.prove().expect("the second opens it"), other);
    let apart = Keys::open(&seal(&[&other], &["key.txt"]), &home.cx.secrets).expect("keys");
    let error = apart.prove().expect_err("refused");
    assert_eq!(words(&error), format!("Config: none of the identities opens what is sealed to {other}"));
    let blind = Keys::open(&seal(&[&other], &[]), &home.cx.secrets).expect("keys");
    assert_eq!(words(&blind.prove().expect_err("refused")), "Config: seal has no identity to open the snapshot with");
}

#[test]
fn settings_that_can_not_work_are_refused_with_what_to_do() {
    let home = Home::new();
    fs::write(home.path("passphrase"), "open sesame").expect("passphrase");
    let passphrase = Some(Reference::File("passphrase".into()));
    let both = Seal { passphrase, ..sealed_to("key.txt") };
    for (seal, said) in [
        (both, "Config: seal has both a passphrase and keys"),
        (seal(&[], &[]), "Config: seal has neither recipients nor identities"),
        (seal(&["age1yubikey1qwerty"], &[]), "Config: \"age1yubikey1qwerty\" is no public key of age"),
        (
            seal(&["age1nosuchplugin1qqqqqqqq0cyqru"], &[]),
            "Config: age plugin `age-plugin-nosuchplugin` is not on the path",
        ),
        (seal(&[], &["absent.txt"]), "Config: reading secret file"),
    ] {
        let error = Keys::open(&seal, &home.cx.secrets).expect_err(said);
        assert!(words(&error).starts_with(said), "{}", words(&error));
        assert!(error.next_step().is_some(), "{said}");
    }
}

#[test]
fn a_file_that_others_can_read_is_warned_of() {
    let home = Home::new();
    let public = home.keys.identities().remove(0);
    assert_eq!(home.keys.warnings(), []);
    assert_eq!(inspect(&home.path("key.txt")).expect("looked into")[0].exposed, None);
    for (mode, statement) in [
        (0o640, "Its group can read it (mode 0640); `chmod 600` keeps it to its owner."),
        (0o604, "Everybody on this host can read it (mode 0604); `chmod 600` keeps it to its owner."),
        (0o622, "Everybody on this host can change it (mode 0622); `chmod 600` keeps it to its owner."),
    ] {
        chmod(&home.path("key.txt"), mode);
        let keys = Keys::open(&sealed_to("key.txt"), &home.cx.secrets).expect("keys");
        assert_eq!(keys.warnings()[0].statement, statement);
        let found = inspect(&home.path("key.txt")).expect("looked into");
        assert_eq!((found[0].public.as_str(), found[0].exposed.as_deref()), (public.as_str(), Some(statement)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_recipients_opens_it_and_it_is_said_which_did() {
    let home = Home::new();
    let mine = home.keys.identities().remove(0);
    let other = write_identity(&home.path("other.txt"));
    let sealing = Keys::open(&seal(&[&mine, &other], &["key.txt"]), &home.cx.secrets).expect("keys");
    let index = drill_agents::Index::new(drill_agents::Format::Tar);
    super::store(&home, (&home.vault, &sealing), "s-1", b"content", &index).await.expect("stored");
    for (file, public) in [("key.txt", &mine), ("other.txt", &other)] {
        let keys = Keys::open(&seal(&[], &[file]), &home.cx.secrets).expect("keys");
        let located = locate(&home.cx, &home.vault, &keys, "s-1", None).await.expect("located");
        assert_eq!(located.opened_with(), public);
        assert_eq!(located.header().recipients, [mine.clone(), other.clone()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_passphrase_is_a_wrong_key() {
    let home = Home::new();
    let keys = |text: &str| {
        fs::write(home.path("passphrase"), text).expect("passphrase");
        let passphrase = Some(Reference::File("passphrase".into()));
        Keys::open(&Seal { recipients: vec![], identities: vec![], passphrase }, &home.cx.secrets).expect("keys")
    };
    let index = drill_agents::Index::new(drill_agents::Format::Tar);
    super::store(&home, (&home.vault, &keys("right")), "s-1", b"content", &index).await.expect("stored");
    let wrong = locate(&home.cx, &home.vault, &keys("wrong"), "s-1", None).await.expect_err("wrong");
    assert_eq!(words(&wrong), "WrongKey: the passphrase at hand does not open snapshot s-1");
    let none = locate(&home.cx, &home.vault, &home.keys, "s-1", None).await.expect_err("no passphrase");
    assert_eq!(none.kind(), Kind::WrongKey);
}

#[test]
fn secrets_show_in_nothing_that_is_told_and_are_scrubbed() {
    let home = Home::new();
    let text = fs::read_to_string(home.path("key.txt")).expect("identity");
    let secret = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).expect("secret");
    let told = format!("{:?} {:?} {:?}", home.keys, home.keys.warnings(), home.keys.identities());
    assert!(!told.contains("SECRET"), "{told}");
    assert_eq!(home.cx.secrets.scrub(&format!("it was {secret}!")), "it was [secret]!");
}

#[cfg(feature = "ssh")]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_ssh_seals_and_opens() {
    use std::process::Command;
    let home = Home::new();
    super::run_well(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(home.path("id")));
    let public = fs::read_to_string(home.path("id.pub")).expect("public key");
    let keys = Keys::open(&seal(&[&public], &["id"]), &home.cx.secrets).expect("keys");
    assert!(public.starts_with(&keys.prove().expect("proof")), "{:?}", keys.prove());
    let index = drill_agents::Index::new(drill_agents::Format::File("it".into()));
    super::store(&home, (&home.vault, &keys), "s-1", b"content", &index).await.expect("stored");
    let located = locate(&home.cx, &home.vault, &keys, "s-1", None).await.expect("located");
    assert!(located.opened_with().starts_with("ssh-ed25519 "));
    super::run_well(
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "hunter2", "-f"]).arg(home.path("sealed")),
    );
    let error = Keys::open(&seal(&[], &["sealed"]), &home.cx.secrets).expect_err("a passphrase");
    assert_eq!(words(&error), "Config: file sealed holds an SSH key that is sealed with a passphrase");
}

#[cfg(not(feature = "ssh"))]
#[test]
fn a_build_without_ssh_says_so() {
    let home = Home::new();
    let error =
        Keys::open(&seal(&["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me"], &[]), &home.cx.secrets).expect_err("left out");
    assert!(words(&error).contains("which this build leaves out"), "{}", words(&error));
}
