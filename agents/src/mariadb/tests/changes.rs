//! Whatever changes after the restore is seen, and nothing else is.

use std::collections::BTreeSet;

use super::fixture::{Fixture, RICH};

/// A change, and all that must be different after it.
const CHANGES: [(&str, &[&str]); 32] = [
    ("UPDATE item SET net = net + 0.01 WHERE id = 17777", &["table:item"]),
    ("DELETE FROM parts WHERE id = 2", &["table:parts"]),
    ("UPDATE twins SET v = 'b' WHERE v = 'a' LIMIT 1", &["table:twins"]),
    ("UPDATE customer SET mail = NULL WHERE mail = ''", &["table:customer"]),
    ("UPDATE older SET v = 2", &["table:older"]),
    ("UPDATE odds SET bits = b'1' WHERE id = 3", &["table:odds"]),
    ("UPDATE `odd name; -- \"ß\"` SET `select` = 1", &[]),
    ("INSERT INTO `odd name; -- \"ß\"` VALUES (NULL)", &["table:odd name; -- \"ß\""]),
    ("DROP INDEX by_state ON item", &["index:item.by_state"]),
    ("ALTER TABLE customer DROP INDEX words", &["index:customer.words"]),
    ("ALTER TABLE item DROP FOREIGN KEY belongs", &["constraint:item.belongs"]),
    ("ALTER TABLE customer AUTO_INCREMENT = 5000", &["auto_increment:customer"]),
    ("ALTER TABLE empty_ AUTO_INCREMENT = 2", &["auto_increment:empty_"]),
    ("ALTER TABLE customer ALTER COLUMN born SET DEFAULT '1980-01-01'", &["column:customer.born"]),
    ("ALTER TABLE twins COMMENT 'changed'", &["table:twins"]),
    ("SELECT setval(untouched, 7)", &["sequence:untouched"]),
    ("ALTER SEQUENCE invoice NOCYCLE", &["sequence:invoice"]),
    ("DROP VIEW of_totals", &["view:of_totals"]),
    ("CREATE OR REPLACE VIEW totals AS SELECT 1 AS name, 2 AS total", &["view:totals"]),
    ("DROP FUNCTION vat", &["function:vat"]),
    ("ALTER PROCEDURE nothing COMMENT 'does something'", &["procedure:nothing"]),
    ("SET sql_mode = 'ORACLE'", &[]),
    ("DROP PACKAGE BODY tools", &["package body:tools"]),
    ("SET sql_mode = ''", &[]),
    ("DROP TRIGGER touch_too", &["trigger:touch_too"]),
    ("CREATE OR REPLACE TRIGGER touch BEFORE UPDATE ON item FOR EACH ROW SET NEW.at = NULL", &["trigger:touch"]),
    ("ALTER EVENT nightly DISABLE", &["event:nightly"]),
    ("DROP EVENT nightly", &["event:nightly"]),
    ("ALTER DATABASE shop COLLATE utf8mb4_bin", &["setting:collation"]),
    ("UPDATE old SET v = 'X' WHERE v = 'x'", &["table:old"]),
    (
        "DROP TABLE versioned",
        &["table:versioned", "column:versioned.id", "column:versioned.v", "index:versioned.PRIMARY"],
    ),
    (
        "CREATE TABLE added (x int AUTO_INCREMENT PRIMARY KEY)",
        &["table:added", "column:added.x", "index:added.PRIMARY", "auto_increment:added"],
    ),
];

#[tokio::test]
async fn every_kind_of_change_is_seen_as_what_it_is() {
    let fixture = Fixture::start().await;
    fixture.fill(RICH).await;
    let (captured, environed) = fixture.round_trip().await;
    let mut session = environed.session().await;
    let mut before = environed.differences(&fixture.cx, &captured).await;
    assert_eq!(before, BTreeSet::new());
    for (sql, expected) in CHANGES {
        session.rows("changing", sql).await.expect(sql);
        let after = environed.differences(&fixture.cx, &captured).await;
        let new: BTreeSet<&str> = after.difference(&before).map(String::as_str).collect();
        let known: BTreeSet<&str> = expected.iter().copied().filter(|subject| !before.contains(*subject)).collect();
        assert_eq!(new, known, "{sql}");
        assert!(before.is_subset(&after), "{sql} hides a difference");
        before = after;
    }
    environed.release(&fixture.cx).await;
}
