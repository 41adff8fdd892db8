//! What looks like a secret in the text of a scenario. Secrets stand elsewhere and are referred to; one that is written
//! all the same is refused where it is certain, and never printed where it is likely.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::place::Place;

/// Texts that are a secret and nothing else: age identities, plugin identities, private keys in PEM.
static CERTAIN: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    compile(&[
        r"(?i)AGE-SECRET-KEY-[A-Z0-9-]*",
        r"AGE-PLUGIN-[A-Z0-9-]*1[A-Z0-9]+",
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:.*?-----END [A-Z0-9 ]*PRIVATE KEY-----|.*)",
    ])
});

/// Texts that may be a secret: the password of a URL, a URL's secret parameters, values of keys with a telling name.
static LIKELY: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    compile(&[
        // A slash in a password breaks the URL, but people write it; what stands before it must then not be a port.
        r#"://[^\s:/?#@"']*:(?<secret>[^\s"'/]+|[^\s"'/$]*[^\s"'/$0-9][^\s"'/$]*/[^\s"']*)@"#,
        r#"(?i)[?&](?:[\w-]*(?:password|passwd|passphrase|secret|token|signature|credential|account_key)[\w-]*)=(?<secret>[^&\s"']+)"#,
        r#"(?i)[\w-]*(?:password|passwd|passphrase|secret|token|private_key|account_key|cipher_pass|authorization|cookie)[\w-]*["']?:[ \t]+(?<secret>"[^"\n]*"|'[^'\n]*'|[^\s{\[&*|>#,}"'][^,}\n]*)"#,
    ])
});

/// Names whose value is a secret: options and parameters of storage services, headers.
static TELLING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)password|passwd|passphrase|secret|token|signature|credential|private_key|account_key|access_key$|_pass$|^authorization$|^proxy-authorization$|cookie|api-?key",
    )
    .expect("a constant expression")
});

fn compile(expressions: &[&str]) -> Vec<Regex> {
    expressions.iter().map(|text| Regex::new(text).expect("a constant expression")).collect()
}

/// Every place that holds a secret for certain.
pub(crate) fn certain(text: &str) -> Vec<Place> {
    CERTAIN.iter().flat_map(|regex| regex.find_iter(text)).map(|found| Place::new(found.start(), found.end())).collect()
}

/// Whether a value under this name is a secret.
pub(crate) fn telling(name: &str) -> bool {
    TELLING.is_match(name)
}

/// Whether a URL holds a password, or a parameter whose name tells of a secret.
pub(crate) fn in_url(url: &str) -> bool {
    LIKELY[..2].iter().any(|regex| regex.is_match(url))
}

/// The parts of a text that are never printed.
#[derive(Debug)]
pub(crate) struct Masks {
    /// In their order, none touching another.
    places: Vec<Place>,
    /// What stands there, each once.
    secrets: BTreeSet<String>,
}

impl Masks {
    /// Those found in the text, and `more` that are known from its structure.
    pub(crate) fn of(text: &str, more: Vec<Place>) -> Self {
        let likely = LIKELY
            .iter()
            .flat_map(|regex| regex.captures_iter(text))
            .filter_map(|found| found.name("secret"))
            .map(|found| Place::new(found.start(), found.end()));
        let mut all: Vec<Place> = certain(text).into_iter().chain(likely).chain(more).collect();
        all.sort_unstable();
        let mut places: Vec<Place> = Vec::new();
        for place in all.into_iter().filter(|place| place.start < place.end) {
            match places.last_mut().filter(|last| place.start <= last.end) {
                Some(last) => last.end = last.end.max(place.end),
                None => places.push(place),
            }
        }
        let secret =
            |place: &Place| text.get(place.start..place.end).unwrap_or_default().trim_matches(['"', '\'', ' ']);
        let secrets = places.iter().map(secret).filter(|secret| secret.len() > 2).map(String::from).collect();
        Self { places, secrets }
    }

    /// The end of the masked part that holds this byte.
    fn end_at(&self, byte: usize) -> Option<usize> {
        let next = self.places.partition_point(|place| place.end <= byte);
        self.places.get(next).filter(|place| place.start <= byte).map(|place| place.end)
    }

    /// A line of the text with its masked parts replaced, and where `mark` (bytes of the text) lies in it, in characters.
    pub(crate) fn line(&self, text: &str, line: Range<usize>, mark: Place) -> (String, Range<usize>) {
        let (mut shown, mut count, mut byte) = (String::new(), 0, line.start);
        let (mut first, mut last) = (None, 0);
        while byte < line.end {
            let masked = self.end_at(byte).map(|end| end.min(line.end));
            let c = text.get(byte..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
            let next = masked.unwrap_or(byte + c.len_utf8());
            if first.is_none() && next > mark.start {
                first = Some(count);
            }
            if masked.is_some() {
                shown.push_str("***");
                count += 3;
            } else {
                shown.push(printable(c));
                count += 1;
            }
            if byte < mark.end {
                last = count;
            }
            byte = next;
        }
        let first = first.unwrap_or(count);
        (shown, first..last.max(first + 1))
    }

    /// A message without any of the masked texts.
    pub(crate) fn scrub(&self, message: &str) -> String {
        let hidden = self.secrets.iter().filter(|secret| message.contains(secret.as_str()));
        let mut clean = hidden.fold(message.to_owned(), |clean, secret| clean.replace(secret, "***"));
        for regex in LIKELY.iter().take(2) {
            clean = regex
                .replace_all(&clean, |found: &Captures<'_>| found[0].replace(&found["secret"], "***"))
                .into_owned();
        }
        CERTAIN.iter().fold(clean, |clean, regex| regex.replace_all(&clean, "***").into_owned())
    }
}

/// What a terminal can be shown of a character.
pub(crate) fn printable(c: char) -> char {
    if matches!(c, '\t' | '\n' | '\r') {
        ' '
    } else if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
        '\u{fffd}'
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::{Masks, certain, in_url, telling};
    use crate::place::Place;

    #[test]
    fn a_masked_part_is_replaced_and_the_mark_moves_with_it() {
        let text = "url: postgresql://app:hunter22@db/x # note";
        let masks = Masks::of(text, vec![]);
        let (line, mark) = masks.line(text, 0..text.len(), Place::new(5, 35));
        assert_eq!(line, "url: postgresql://app:***@db/x # note");
        assert_eq!(mark, 5..30);
    }

    #[test]
    fn nothing_that_tells_a_secret_is_printed() {
        for text in [
            "password: hunter22",
            "  PGPASSWORD: \"hunter22\"",
            "secrets: {TOKEN: hunter22}",
            "s3://b/p?secret_access_key=hunter22",
            "x AGE-SECRET-KEY-1HUNTER22hunter22",
            "|\n -----BEGIN OPENSSH PRIVATE KEY-----\n hunter22\n -----END OPENSSH PRIVATE KEY-----",
        ] {
            let masks = Masks::of(text, vec![]);
            let mut start = 0;
            for line in text.split_inclusive('\n') {
                let (shown, _) = masks.line(text, start..start + line.len(), Place::new(0, 1));
                assert!(!shown.to_lowercase().contains("hunter22"), "{shown}");
                start += line.len();
            }
            assert!(!masks.scrub(text).contains("hunter22"), "{text}");
        }
    }

    #[test]
    fn public_keys_and_plain_addresses_are_no_secrets() {
        assert!(certain("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p").is_empty());
        assert!(!in_url("postgresql://app@db:5432/orders?host=/run/postgresql"));
        assert!(!in_url("http://127.0.0.1:${DRILL_PORT}/health"));
        assert!(!in_url("http://127.0.0.1:${DRILL_PORT}/users/@me"));
        assert!(!in_url("http://127.0.0.1:8080/users/@me"));
        assert!(in_url("postgresql://app:a/b@db/orders"));
        assert!(in_url("postgresql://app:x@db/orders"));
        assert!(in_url("postgresql://db/orders?user=a&password=b"));
        assert!(telling("secret_access_key") && telling("Authorization") && !telling("region"));
    }
}
