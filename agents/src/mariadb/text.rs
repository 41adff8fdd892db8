//! Names and texts as they stand in SQL, for sessions that [`super::session::Session::prepare`] has made fit.

/// A name in backquotes.
pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text in single quotes.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', "''"))
}

/// One line, and nothing lost.
pub(super) fn one_line(text: &str) -> String {
    if !text.contains(['\n', '\r', '\t']) {
        return text.into();
    }
    text.replace('\\', r"\\").replace('\n', r"\n").replace('\r', r"\r").replace('\t', r"\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_or_a_text_ends_it() {
        assert_eq!(identifier("a`b"), "`a``b`");
        assert_eq!(literal(r"it's \"), r"'it''s \\'");
    }

    #[test]
    fn a_definition_of_several_lines_is_told_from_one_with_the_same_words() {
        assert_ne!(one_line("a\nb"), one_line("a\\nb\r"));
    }
}
