//! The lines of an iCalendar file (RFC 5545, section 3.1): unfolded, each with its name, parameters and value.

use super::Refused;

/// The most bytes that a calendar may have.
const MAX_BYTES: usize = 4 << 20;

/// One line of content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Number of its first line in the file, from 1.
    pub(super) number: usize,
    /// Its name, in capitals.
    pub(super) name: String,
    /// Its parameters, names in capitals.
    pub(super) parameters: Vec<(String, String)>,
    /// What it says.
    pub(super) value: String,
}

impl Line {
    /// The value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Not understood, and why.
    pub(super) fn refused(&self, message: impl Into<String>) -> Refused {
        Refused { line: self.number, message: message.into() }
    }
}

/// Every line of content.
pub(super) fn lines(text: &str) -> Result<Vec<Line>, Refused> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        return Err(Refused { line: 1, message: format!("the calendar is bigger than {} MiB", MAX_BYTES >> 20) });
    }
    let mut whole: Vec<(usize, String)> = Vec::new();
    for (at, raw) in text.lines().enumerate() {
        match (raw.strip_prefix([' ', '\t']), whole.last_mut()) {
            (Some(more), Some((_, line))) => line.push_str(more),
            _ if raw.trim().is_empty() => {}
            _ => whole.push((at + 1, raw.to_owned())),
        }
    }
    whole.into_iter().map(|(number, text)| line(number, &text)).collect()
}

fn line(number: usize, text: &str) -> Result<Line, Refused> {
    let wrong = || Refused { line: number, message: "this is not a line of iCalendar: it has no `NAME:value`".into() };
    let (head, value) = split_unquoted(text, ':').ok_or_else(wrong)?;
    let mut parts = Vec::new();
    let mut rest = head;
    while let Some((part, more)) = split_unquoted(rest, ';') {
        parts.push(part);
        rest = more;
    }
    parts.push(rest);
    let (name, parameters) = parts.split_first().ok_or_else(wrong)?;
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(wrong());
    }
    let parameters = parameters.iter().map(|part| {
        let (name, value) = part.split_once('=').ok_or_else(wrong)?;
        Ok((name.to_ascii_uppercase(), value.trim_matches('"').to_owned()))
    });
    Ok(Line {
        number,
        name: name.to_ascii_uppercase(),
        parameters: parameters.collect::<Result<_, _>>()?,
        value: value.trim_end().to_owned(),
    })
}

/// Splits at the first separator that doesn't stand between quotes.
fn split_unquoted(text: &str, separator: char) -> Option<(&str, &str)> {
    let mut quoted = false;
    let at = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == separator && !quoted
    });
    let (at, _) = at?;
    Some((text.get(..at)?, text.get(at + separator.len_utf8()..)?))
}
