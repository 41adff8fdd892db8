//! Foreign words made safe to show. File names, table names and what programs say may hold anything: escape sequences
//! that repaint a terminal, marks that turn the direction of writing, characters that XML forbids. Views show them escaped.

use std::borrow::Cow;

use serde_json::Value;

use crate::Record;

/// `text` with every character that is invisible or commands a display written as an escape: `\u{1b}`, `\n`.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unseen(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// As [`shown`], line by line: of what people wrote or drillctl says in several lines.
#[must_use]
pub fn shown_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(shown).collect();
    lines.join("\n")
}

/// The record with every string in it, keys included, made safe to show. What every view begins with.
pub(crate) fn shown_record(record: &Record) -> Record {
    let mut value = serde_json::to_value(record).expect("a record has string keys only");
    show_strings(&mut value);
    serde_json::from_value(value).expect("a folded record holds finite numbers only, so it comes back from JSON")
}

fn show_strings(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(safe) = shown(text) {
                *text = safe;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(show_strings),
        Value::Object(fields) => {
            *fields = std::mem::take(fields)
                .into_iter()
                .map(|(key, mut field)| {
                    show_strings(&mut field);
                    (shown(&key).into_owned(), field)
                })
                .collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Control characters, line and paragraph separators, marks of direction, zero-width spaces, tags and what is no
/// character. Joiners stay: scripts and emoji need them.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_words_of_any_script_are_left_alone() {
        for text in ["orders 2026", "Größe", "注文", "می‌خواهم", "👩‍🚀"] {
            assert!(matches!(shown(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(shown_lines("a\x1b[2J\nb\r\n"), "a\\u{1b}[2J\nb\\r\n");
    }

    #[test]
    fn what_commands_a_display_is_escaped() {
        assert_eq!(shown("a\x1b[2Jb\nc\u{202e}d\u{ffff}"), r"a\u{1b}[2Jb\nc\u{202e}d\u{ffff}");
    }
}
