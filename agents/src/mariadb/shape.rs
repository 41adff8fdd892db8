//! The parts of a table, read from the statement that makes it: a server writes one part a line, and a dump holds that very text. Pure.

/// A table as `SHOW CREATE TABLE` tells it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Columns in their order, with their definitions.
    pub(super) columns: Vec<(String, String)>,
    /// Keys, by name.
    pub(super) indexes: Vec<(String, String)>,
    /// Foreign keys, checks and periods, by name.
    pub(super) constraints: Vec<(String, String)>,
    /// What stands behind the parts: engine, character set, comment, partitions, but not the counter.
    pub(super) options: String,
    /// Where the counter of an `AUTO_INCREMENT` column stands, if there is such a column.
    pub(super) counter: Option<u64>,
}

impl Shape {
    /// Reads the statement.
    pub(super) fn of(statement: &str) -> Self {
        let mut shape = Self::default();
        let mut lines = statement.lines().skip(1);
        for line in lines.by_ref() {
            if let Some(options) = line.strip_prefix(')') {
                shape.take_options(options.trim());
                break;
            }
            shape.take_part(line.trim().trim_end_matches(','));
        }
        for line in lines {
            shape.options.push(' ');
            shape.options.push_str(line.trim());
        }
        let counts = shape.columns.iter().any(|(_, definition)| counts(definition));
        shape.counter = shape.counter.or(counts.then_some(1));
        shape
    }

    fn take_part(&mut self, part: &str) {
        if let Some((name, definition)) = quoted(part) {
            return self.columns.push((name, definition.to_owned()));
        }
        let (parts, name) = match part.split_once('`').map(|(kind, _)| kind.trim()) {
            Some("CONSTRAINT") => (&mut self.constraints, named(part)),
            Some(kind) if kind.ends_with("KEY") => (&mut self.indexes, named(part)),
            Some(kind) if kind.contains("PRIMARY KEY") => (&mut self.indexes, "PRIMARY".to_owned()),
            // A check without a name, a period of system or application time.
            _ => (&mut self.constraints, part.to_owned()),
        };
        parts.push((name, part.to_owned()));
    }

    fn take_options(&mut self, options: &str) {
        let Some((before, rest)) = options.split_once(" AUTO_INCREMENT=") else {
            self.options = options.to_owned();
            return;
        };
        // The counter stands right behind the engine; further on these words are part of a comment.
        let (number, after) = rest.split_once(' ').unwrap_or((rest, ""));
        match number.parse() {
            Ok(counter) if !before.contains(' ') => {
                self.counter = Some(counter);
                self.options = format!("{before} {after}").trim_end().to_owned();
            }
            _ => self.options = options.to_owned(),
        }
    }
}

/// Whether a column's definition says that it counts by itself, outside of its comment and its default.
fn counts(definition: &str) -> bool {
    let mut outside = definition.split('\'').step_by(2);
    outside.any(|text| text.contains(" AUTO_INCREMENT"))
}

/// The name in backquotes that a part begins with, and what follows it.
fn quoted(part: &str) -> Option<(String, &str)> {
    let rest = part.strip_prefix('`')?;
    let mut from = 0;
    loop {
        let end = from + rest[from..].find('`')?;
        match rest[end + 1..].strip_prefix('`') {
            Some(_) => from = end + 2,
            None => return Some((rest[..end].replace("``", "`"), rest[end + 1..].trim_start())),
        }
    }
}

/// The first name in backquotes.
fn named(part: &str) -> String {
    let from = part.find('`').unwrap_or_default();
    quoted(&part[from..]).map_or_else(|| part.to_owned(), |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATEMENT: &str = "CREATE TABLE `o``rders` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `we``ird, name` varchar(20) DEFAULT 'a, ''b''' COMMENT 'x AUTO_INCREMENT=3',
  `both` int(11) GENERATED ALWAYS AS (`id` + 1) STORED,
  PRIMARY KEY (`id`),
  UNIQUE KEY `by``name` (`we``ird, name`(5)),
  KEY `later` (`both`) COMMENT 'KEY `x`',
  FULLTEXT KEY `words` (`we``ird, name`),
  CONSTRAINT `belongs` FOREIGN KEY (`both`) REFERENCES `c` (`id`) ON DELETE CASCADE,
  CONSTRAINT `positive` CHECK (`both` > 0)
) ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4 COMMENT='no AUTO_INCREMENT=7'
 PARTITION BY HASH (`id`)
PARTITIONS 4";

    #[test]
    fn each_part_is_told_by_its_name() {
        let shape = Shape::of(STATEMENT);
        let names = |parts: &[(String, String)]| parts.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&shape.columns), ["id", "we`ird, name", "both"]);
        assert_eq!(names(&shape.indexes), ["PRIMARY", "by`name", "later", "words"]);
        assert_eq!(names(&shape.constraints), ["belongs", "positive"]);
        assert_eq!(shape.counter, Some(42));
        assert_eq!(
            shape.options,
            "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='no AUTO_INCREMENT=7' PARTITION BY HASH (`id`) PARTITIONS 4"
        );
        assert_eq!(shape.columns[2].1, "int(11) GENERATED ALWAYS AS (`id` + 1) STORED");
    }

    #[test]
    fn a_counter_that_never_counted_stands_at_its_begin_and_words_in_a_comment_are_none() {
        let table = |column: &str| {
            Shape::of(&format!("CREATE TABLE `t` (\n  `a` {column}\n) ENGINE=InnoDB COMMENT='b AUTO_INCREMENT=9'"))
        };
        assert_eq!(table("int(11) NOT NULL AUTO_INCREMENT").counter, Some(1));
        assert_eq!(table("int(11) DEFAULT NULL COMMENT 'no AUTO_INCREMENT'").counter, None);
        assert_eq!(table("int(11)").options, "ENGINE=InnoDB COMMENT='b AUTO_INCREMENT=9'");
    }
}
