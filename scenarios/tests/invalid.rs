//! One file for each kind of mistake, in `scenarios/invalid/`, and beside it exactly what is said about it. Those whose name begins with
//! `site-` are site files.

use std::fs;
use std::path::{Path, PathBuf};

use drill_scenarios::{parse_bytes, parse_site};

fn files(extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("invalid");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder of mistakes")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == extension))
        .collect();
    found.sort();
    found
}

/// What the parser says about a file.
fn said(path: &Path) -> String {
    let name = path.file_name().expect("a name").to_string_lossy();
    let bytes = fs::read(path).expect("a file");
    let problems =
        if name.starts_with("site-") { parse_site(&name, &bytes).err() } else { parse_bytes(&name, &bytes).err() };
    format!("{}\n", problems.unwrap_or_else(|| panic!("{name} has no mistake")))
}

#[test]
fn each_mistake_is_said_as_it_is_written_down() {
    let mistakes = files("yaml");
    assert!(mistakes.len() >= 30, "only {} mistakes", mistakes.len());
    let mut changed = Vec::new();
    for path in &mistakes {
        let (said, golden) = (said(path), path.with_extension("txt"));
        if fs::read_to_string(&golden).unwrap_or_default() == said {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&golden, &said).expect("the golden message");
        } else {
            changed.push(format!("{}:\n{said}", golden.display()));
        }
    }
    let how = "read them, and if they are right run `UPDATE=1 cargo nextest run -p drill-scenarios each_mistake`";
    assert!(changed.is_empty(), "{} messages have changed; {how}\n\n{}", changed.len(), changed.join("\n"));
}

#[test]
fn no_message_is_left_without_its_mistake() {
    let orphans: Vec<PathBuf> = files("txt").into_iter().filter(|path| !path.with_extension("yaml").exists()).collect();
    assert!(orphans.is_empty(), "{orphans:?}");
}

#[test]
fn no_message_repeats_a_secret() {
    let mut secrets = 0;
    for path in files("yaml") {
        let text = String::from_utf8_lossy(&fs::read(&path).expect("a scenario")).into_owned();
        for secret in ["hunter22", "QQQQQQ", "PPPPPP"].into_iter().filter(|secret| text.contains(secret)) {
            secrets += 1;
            assert!(!said(&path).contains(secret), "{}:\n{}", path.display(), said(&path));
        }
    }
    assert!(secrets >= 6, "the mistakes with secrets have moved");
}
