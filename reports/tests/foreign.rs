//! What a source names its things is foreign: none of it may command a browser, a terminal or an XML parser.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use drill_reports::{
    Entry, Record, fold, html, journal, junit,
    text::{Paint, text},
};
use serde_json::Value;

const HOSTILE: &str =
    "</style></title><script>alert(1)</script><img src=x onerror='x'>&amp;\" ]]>--> \u{1b}[2J\u{7}\n\u{202e}cod";
const ESCAPED: &str = r"\u{1b}[2J\u{7}\n\u{202e}cod";

/// The journal of a failure, with `words` wherever it holds words of others.
fn record_with(words: &str) -> Record {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/failed-content.ndjson");
    let entries = journal::read(&fs::read(path).unwrap()).unwrap().entries;
    let foreign: Vec<Entry> = entries
        .into_iter()
        .map(|entry| {
            let mut value = serde_json::to_value(entry).unwrap();
            put_words(&mut value["event"], words);
            serde_json::from_value(value).unwrap()
        })
        .collect();
    fold(&foreign).unwrap()
}

/// Replaces every string but those that the format gives a meaning.
fn put_words(value: &mut Value, words: &str) {
    match value {
        Value::String(text) => *text = words.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| put_words(item, words)),
        Value::Object(fields) => {
            let format = [
                "type",
                "kind",
                "at",
                "due",
                "taken_at",
                "newest_at",
                "level",
                "outcome",
                "how",
                "stage",
                "phase",
                "id",
            ];
            fields
                .iter_mut()
                .filter(|(key, _)| !format.contains(&key.as_str()))
                .for_each(|(_, field)| put_words(field, words));
        }
        _ => {}
    }
}

/// The tags of a page, without what stands between them.
fn tags(page: &str) -> Vec<&str> {
    page.split('<').skip(1).map(|part| part.split(['>', ' ', '\n']).next().unwrap()).collect()
}

#[test]
fn foreign_words_add_no_tag_to_the_page() {
    assert_eq!(tags(&html(&record_with(HOSTILE))), tags(&html(&record_with("harmless"))));
}

#[test]
fn foreign_words_end_no_attribute() {
    let page = html(&record_with("\" onmouseover=\"alert(1)"));
    assert!(!page.contains("\" onmouseover"));
}

#[test]
fn what_commands_a_display_is_shown_escaped_in_every_view() {
    let record = record_with(HOSTILE);
    let plain = text(&record, Paint::Plain);
    // In the text, lines may break within the words.
    assert!(plain.contains(r"\u{1b}[2J\u{7}\n\u{202e}") && !plain.contains('\u{1b}') && !plain.contains('\u{202e}'));
    for view in [html(&record), junit(&record)] {
        assert!(view.contains(ESCAPED));
        assert!(!view.contains(['\u{1b}', '\u{7}', '\u{202e}']));
    }
}

#[test]
fn colour_adds_escape_sequences_and_nothing_else() {
    let record = record_with(HOSTILE);
    let mut coloured = text(&record, Paint::Ansi);
    while let Some(start) = coloured.find("\u{1b}[") {
        let end = start + coloured[start..].find('m').unwrap();
        coloured.replace_range(start..=end, "");
    }
    assert_eq!(coloured, text(&record, Paint::Plain));
}

#[test]
fn junit_is_read_back_by_a_parser_with_every_case() {
    let record = record_with(HOSTILE);
    let report = quick_junit::Report::deserialize_from_str(&junit(&record)).unwrap();
    assert_eq!(report.tests, record.checks.len() + record.objectives.len() + 2);
    assert_eq!((report.failures, report.errors), (2, 0));
}

#[test]
fn the_page_fetches_nothing_and_runs_nothing() {
    let page = html(&record_with("harmless"));
    for forbidden in ["<script", "<link", "<img", "<iframe", "src=", "url(", "@import", "http:", "https:"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("default-src 'none'"));
}
