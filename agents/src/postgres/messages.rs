//! What `pg_dump` and `pg_restore` write to standard error, as whole messages: an error stands there in several lines, with
//! the entry of the archive before it, and details, hints and the command after it.

/// Characters of a message that are kept; the command in it may be as long as a view's definition.
const LONGEST: usize = 800;

/// A message of one of PostgreSQL's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// An error, not a warning.
    pub(super) error: bool,
    /// In one line, with the thing it is about first.
    pub(super) text: String,
}

/// The messages in these lines.
pub(super) fn messages(lines: &[String]) -> Vec<Message> {
    let mut messages = Vec::<Message>::new();
    let mut entry = None;
    for line in lines {
        let said = line.split_once(": ").filter(|(program, _)| program.starts_with("pg_")).map(|(_, said)| said);
        let said_about = |text: &str, entry: Option<&str>| match entry {
            Some(entry) => format!("{entry}: {text}"),
            None => text.to_owned(),
        };
        match said {
            Some(said) if said.starts_with("while ") => {}
            Some(said) if said.starts_with("from TOC entry ") => entry = Some(about(said)),
            Some(said) => match (said.strip_prefix("error: "), said.strip_prefix("warning: "), messages.last_mut()) {
                (Some(text), ..) => messages.push(Message { error: true, text: said_about(text, entry.take()) }),
                (_, Some(text), _) => messages.push(Message { error: false, text: said_about(text, entry.take()) }),
                (.., Some(last)) => append(&mut last.text, said),
                _ => messages.push(Message { error: false, text: said.into() }),
            },
            None => match messages.last_mut() {
                Some(last) => append(&mut last.text, line),
                None => messages.push(Message { error: false, text: line.clone() }),
            },
        }
    }
    messages
}

/// `TABLE public orders app` of `from TOC entry 215; 1259 16390 TABLE public orders app`.
fn about(entry: &str) -> &str {
    let named = entry.split_once("; ").map_or(entry, |(_, named)| named);
    named.splitn(3, ' ').nth(2).unwrap_or(named)
}

fn append(text: &mut String, line: &str) {
    let line = line.trim();
    if line.is_empty() || text.ends_with('…') {
        return;
    }
    text.push(' ');
    text.push_str(line);
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(Into::into).collect()
    }

    #[test]
    fn an_error_is_one_message_with_its_entry_and_its_command() {
        let said = lines(
            "pg_restore: while PROCESSING TOC:\n\
             pg_restore: from TOC entry 215; 1259 16390 TABLE public orders app\n\
             pg_restore: error: could not execute query: ERROR:  type \"x\" does not exist\n\
             LINE 2:     a x\n\
             Command was: CREATE TABLE public.orders (\n    a x\n);\n\
             pg_restore: warning: errors ignored on restore: 1",
        );
        let text = "TABLE public orders app: could not execute query: ERROR:  type \"x\" does not exist LINE 2:     a x \
                    Command was: CREATE TABLE public.orders ( a x );";
        let expected = [(true, text), (false, "errors ignored on restore: 1")];
        assert_eq!(messages(&said), expected.map(|(error, text)| Message { error, text: text.into() }));
    }

    #[test]
    fn details_and_hints_belong_to_the_warning_before_them() {
        let said = lines(
            "pg_dump: warning: there are circular foreign-key constraints on this table:\n\
             pg_dump: detail: t\n\
             pg_dump: hint: You might not be able to restore the dump.",
        );
        let text = "there are circular foreign-key constraints on this table: detail: t \
                    hint: You might not be able to restore the dump.";
        assert_eq!(messages(&said), [Message { error: false, text: text.into() }]);
    }
}
