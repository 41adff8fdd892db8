//! Guesses what a misspelt word was meant to be.

/// The candidate that `wrong` is most likely meant to be, if any is near enough.
pub(crate) fn closest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let (wrong, count) = (plain(wrong), wrong.chars().count());
    let distance = |candidate: &'a str| {
        let length = candidate.chars().count();
        let room = (length.min(count) / 3).max(1);
        let near = length.abs_diff(count) <= room;
        near.then(|| strsim::damerau_levenshtein(&wrong, &plain(candidate))).filter(|distance| *distance <= room)
    };
    let near = candidates.into_iter().filter_map(|candidate| Some((distance(candidate)?, candidate)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
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
        assert_eq!(closest("owners", ["owner", "title"]), Some("owner"));
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
