//! Messages of `pg_restore` that are known to say nothing about the backup, each with the reason. Everything else that it says is a
//! complaint. A server's error counts only as a whole, together with the command that it is about: no text in the data can look like
//! one of these.

/// A server's error, how the command begins that it is about, and why it is passed over. The documentation lists them.
const BENIGN: [(&str, &str, &str); 1] = [(
    r#"ERROR:  schema "public" already exists"#,
    "CREATE SCHEMA public;",
    "Every new database has this schema; what is in it is restored all the same.",
)];

/// Why this message says nothing about the backup; `None`: it may.
pub(crate) fn reason(message: &str) -> Option<&'static str> {
    let (_, said) = message.split_once("could not execute query: ")?;
    let (error, command) = said.split_once(" Command was: ")?;
    BENIGN.iter().find(|(known, about, _)| error == *known && command == *about).map(|(.., reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn only_the_very_error_of_the_very_command_is_passed_over() {
        let known = r#"SCHEMA public postgres: could not execute query: ERROR:  schema "public" already exists Command was: CREATE SCHEMA public;"#;
        assert!(reason(known).is_some());
        for other in [
            r#"could not execute query: ERROR:  schema "sales" already exists Command was: CREATE SCHEMA sales;"#,
            r#"could not execute query: ERROR:  schema "public" already exists Command was: CREATE SCHEMA public; DROP TABLE t;"#,
            r#"could not execute query: ERROR:  invalid input: ERROR:  schema "public" already exists Command was: CREATE SCHEMA public;"#,
            r#"COPY failed for table "t": ERROR:  schema "public" already exists"#,
            r#"ERROR:  schema "public" already exists"#,
        ] {
            assert_eq!(reason(other), None, "{other}");
        }
    }

    #[test]
    fn every_known_message_stands_in_the_documentation() {
        let page = include_str!("../../../docs/writing-a-scenario.md");
        for (error, _, reason) in super::BENIGN {
            let error = error.trim_start_matches("ERROR:  ");
            assert!(page.contains(&format!("| `{error}` | {reason} |")), "{error}");
        }
    }
}
