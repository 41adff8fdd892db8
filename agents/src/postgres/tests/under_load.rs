//! A source that is written to while it is captured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fixture::Fixture;

const SCHEMA: &str = "
    CREATE TABLE account (id serial PRIMARY KEY, balance bigint NOT NULL);
    CREATE TABLE movement (id bigserial PRIMARY KEY, account integer NOT NULL, amount bigint NOT NULL);
    INSERT INTO account (balance) SELECT 1000 FROM generate_series(1, 20000);
    INSERT INTO movement (account, amount) SELECT n % 20000 + 1, 1 FROM generate_series(1, 100000) n";

#[tokio::test(flavor = "multi_thread")]
async fn the_facts_are_those_of_the_dump_while_others_write() {
    let fixture = Fixture::start().await;
    let client = fixture.fill(SCHEMA).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            let mut writes = 0;
            while !stop.load(Ordering::Relaxed) {
                let sql = format!(
                    "BEGIN; UPDATE account SET balance = balance - 1 WHERE id = {0}; DELETE FROM movement WHERE id = {0};
                     INSERT INTO movement (account, amount) VALUES ({0}, 1); COMMIT",
                    writes % 20_000 + 1
                );
                client.batch_execute(&sql).await.expect("write");
                writes += 1;
            }
            writes
        }
    });
    let (captured, stream) = fixture.capture(&fixture.source()).await;
    stop.store(true, Ordering::Relaxed);
    assert!(writing.await.expect("writer") > 100, "the writer did write");
    let sequence = &captured.index.databases[0].objects["sequence"]["public.movement_id_seq"];
    assert!(sequence.contains("moving from at 1"), "{sequence}");
    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    assert_eq!(environed.differences(&fixture.cx, &captured).await, [].into());
    environed.release(&fixture.cx).await;
}
