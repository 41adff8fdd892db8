//! Guesses what a misspelt word was meant to be.

/// The candidate that `wrong` is most likely meant to be, if any is near enough.
pub(crate) fn closest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let wrong = plain(wrong);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&wrong, &plain(candidate));
    let near = |candidate: &&str| {
        let room = (candidate.chars().count().min(wrong.chars().count()) / 3).max(1);
        wrong.chars().count() < 64 && distance(candidate) <= room
    };
    candidates.into_iter().filter(near).min_by_key(|candidate| distance(candidate))
}

/// "`a`, `b` and `c`".
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    joined(words, "and")
}

/// "`a`, `b` or `c`".
pub(crate) fn either<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    joined(words, "or")
}

fn joined<'a>(words: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., end] => format!("{} {last} {end}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{closest, either};

    #[test]
    fn a_slip_of_the_finger_is_understood_and_another_word_is_not() {
        assert_eq!(closest("ownr", ["owner", "title"]), Some("owner"));
        assert_eq!(closest("Owner", ["owner"]), Some("owner"));
        assert_eq!(closest("one-file-system", ["one_file_system"]), Some("one_file_system"));
        assert_eq!(closest("directroy", ["directory", "sqlite"]), Some("directory"));
        assert_eq!(closest("banana", ["owner", "title"]), None);
    }

    #[test]
    fn words_are_listed_as_in_a_sentence() {
        assert_eq!(either(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(either(["a"]), "`a`");
    }
}
