//! Whatever changes after the restore is seen, and nothing else is.

use std::collections::BTreeSet;

use super::fixture::{Fixture, RICH};

/// A change, and all that must be different after it.
const CHANGES: [(&str, &[&str]); 22] = [
    ("ALTER TABLE sales.item DISABLE TRIGGER touch", &["trigger touch on sales.item"]),
    ("UPDATE sales.item SET net = net + 0.01 WHERE id = 17777", &["rows of sales.item"]),
    ("DELETE FROM sales.log WHERE line = 'line 900'", &["rows of sales.log_rest"]),
    (
        "UPDATE public.twins SET v = 'b' WHERE ctid = (SELECT min(ctid) FROM public.twins WHERE v = 'a')",
        &["rows of public.twins"],
    ),
    ("INSERT INTO public.no_columns DEFAULT VALUES", &["rows of public.no_columns"]),
    ("UPDATE sales.customer SET home = NULL WHERE id = 1", &["rows of sales.customer"]),
    ("DROP INDEX sales.item_tags", &["index sales.item_tags"]),
    ("SELECT setval('sales.untouched', 1, true)", &["sequence sales.untouched"]),
    ("ALTER SEQUENCE sales.invoice NO CYCLE", &["sequence sales.invoice"]),
    (
        "CREATE OR REPLACE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN  END $$",
        &["function public.watch()"],
    ),
    (
        "DROP INDEX sales.customer_name; DROP EXTENSION pg_trgm",
        &["extension pg_trgm", "comment extension pg_trgm", "index sales.customer_name"],
    ),
    ("SELECT lo_put(90002, 2999999, '\\x00')", &["rows of large objects"]),
    (
        "ALTER TABLE public.base ADD CONSTRAINT positive CHECK (a > 0) NO INHERIT",
        &["constraint positive on public.base"],
    ),
    ("ALTER TABLE sales.customer ALTER COLUMN name DROP NOT NULL", &["column sales.customer.name"]),
    ("DROP POLICY own ON public.secret", &["policy own on public.secret"]),
    ("ALTER TABLE public.secret DISABLE ROW LEVEL SECURITY", &["table public.secret"]),
    ("REVOKE INSERT ON sales.item FROM owner_of_things", &["grant table sales.item"]),
    ("COMMENT ON FUNCTION sales.vat IS NULL", &["comment function sales.vat(numeric)"]),
    ("ALTER TYPE sales.state ADD VALUE 'lost'", &["type sales.state"]),
    ("ALTER EVENT TRIGGER watcher DISABLE", &["event trigger watcher"]),
    ("REFRESH MATERIALIZED VIEW sales.totals", &["rows of sales.totals"]),
    (
        "CREATE TABLE public.added (x integer)",
        &[
            "table public.added",
            "column public.added.x",
            "rows of public.added",
            "owner table public.added",
            "grant table public.added",
        ],
    ),
];

#[tokio::test]
async fn every_kind_of_change_is_seen_as_what_it_is() {
    let fixture = Fixture::start().await;
    fixture.fill(RICH).await;
    let (captured, stream) = fixture.capture(&fixture.source()).await;
    let (environed, _) = fixture.restore(&captured, stream).await;
    let client = environed.client().await;
    let mut before = environed.differences(&fixture.cx, &captured).await;
    assert_eq!(before, BTreeSet::new());
    for (sql, expected) in CHANGES {
        client.batch_execute(sql).await.expect(sql);
        let after = environed.differences(&fixture.cx, &captured).await;
        let new: BTreeSet<&str> = after.difference(&before).map(String::as_str).collect();
        assert_eq!(new, expected.iter().copied().collect(), "{sql}");
        assert!(before.is_subset(&after), "{sql} hides a difference");
        before = after;
    }
    environed.release(&fixture.cx).await;
}
