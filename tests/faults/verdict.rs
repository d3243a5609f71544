//! Comparing the books: what callers were told, what the tables hold, what the upstream saw.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde_json::Value;
use tests::TestDatabase;

use crate::load::Told;
use crate::upstream::{Counts, RECORDS};
use crate::{STILL, TICK_SECONDS};

const ENDS: &str =
    "('sync_run.succeeded', 'sync_run.partially_succeeded', 'sync_run.failed', 'sync_run.cancelled')";

/// Has the database itself note whoever writes under a lease that has ended. Only the reaper may, and it puts the run
/// back or ends it as failed. What counts is when the transaction began: its first statement asks for the lease and locks
/// the run, so whatever follows in it is safe from everybody, also where a machine under load takes longer than is left of
/// the lease. (A process that is paused in the middle of one is cut off by the server, `idle_in_transaction_timeout`.)
pub(crate) async fn audit(database: &TestDatabase) {
    database
        .execute(
            "CREATE TABLE late_write (run text NOT NULL); \
             CREATE FUNCTION note_late_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 INSERT INTO late_write VALUES (OLD.id::text || ' ' || NEW.status); RETURN NEW; END $$; \
             CREATE TRIGGER late_write AFTER UPDATE ON sync_run FOR EACH ROW \
                 WHEN (OLD.status = 'RUNNING' AND NEW.status IN ('RUNNING', 'SUCCEEDED') \
                 AND OLD.lease_until < EXTRACT(EPOCH FROM transaction_timestamp()) * 1000000 - 100000) \
                 EXECUTE FUNCTION note_late_write()",
        )
        .await;
}

/// Nobody wrote under a lease that had ended.
pub(crate) async fn leases(database: &TestDatabase) {
    none(
        database,
        "a write under a lease that had ended",
        "SELECT run FROM late_write",
    )
    .await;
}

/// No run of an integration began before the one that had begun before it had ended, waits between its attempts included.
pub(crate) async fn turns(database: &TestDatabase) {
    none(
        database,
        "two runs of one integration at the same time",
        "SELECT one.id || ' and ' || other.id FROM sync_run AS one JOIN sync_run AS other \
         ON other.integration_id = one.integration_id AND other.id <> one.id \
         AND one.started_at <= other.started_at AND other.started_at < one.finished_at",
    )
    .await;
}

/// Ends the ticking, so that the queue can run empty: as if no due time came any more.
pub(crate) async fn end_schedules(database: &TestDatabase) {
    database.execute("UPDATE schedule SET next_due_at = NULL").await;
}

/// Every accepted trigger is one run, and that run has one end.
pub(crate) async fn runs(database: &TestDatabase, told: &Told) {
    let rows = database
        .texts("SELECT idempotency_key || ' ' || status FROM sync_run WHERE idempotency_key IS NOT NULL")
        .await;
    let mut ended: BTreeMap<&str, &str> = BTreeMap::new();
    for row in &rows {
        let (key, status) = row.split_once(' ').expect("two words");
        assert_eq!(ended.insert(key, status), None, "two runs of the key {key}");
    }
    assert!(
        ended.keys().copied().eq(told.runs.keys().map(String::as_str)),
        "the keys in the table are those whose callers were told of a run"
    );
    let mut distinct: Vec<&String> = told.runs.values().collect();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), told.runs.len(), "two keys were given one run");
    ended.retain(|_, status| *status != "SUCCEEDED");
    assert!(ended.is_empty(), "these did not succeed: {ended:?}");

    none(
        database,
        "a run whose end was told twice",
        &format!(
            "SELECT subject FROM outbox_event WHERE type IN {ENDS} GROUP BY subject HAVING COUNT(*) > 1"
        ),
    )
    .await;
    let ends = database
        .number(&format!("SELECT COUNT(*) FROM outbox_event WHERE type IN {ENDS}"))
        .await;
    let runs = database.number("SELECT COUNT(*) FROM sync_run").await;
    assert_eq!(ends, runs, "each run's end was told");
}

/// No tick fired twice, none both fired and was skipped, and between the first and the last none is missing.
pub(crate) async fn ticks(database: &TestDatabase) {
    none(
        database,
        "a tick that fired twice",
        "SELECT scheduled_for::text FROM sync_run WHERE schedule_id IS NOT NULL \
         GROUP BY schedule_id, scheduled_for HAVING COUNT(*) > 1",
    )
    .await;
    none(
        database,
        "a tick that fired and was skipped",
        "SELECT due_at::text FROM sync_run JOIN skipped_tick ON skipped_tick.schedule_id = sync_run.schedule_id \
         AND due_at = scheduled_for",
    )
    .await;
    none(
        database,
        "a tick that is nowhere: after it, before it",
        &format!(
            "SELECT due || ', ' || before FROM (SELECT due, LAG(due) OVER (PARTITION BY schedule_id ORDER BY due) AS before \
             FROM (SELECT schedule_id, scheduled_for AS due FROM sync_run WHERE schedule_id IS NOT NULL \
             UNION ALL SELECT schedule_id, due_at FROM skipped_tick) AS ticks) AS pairs WHERE due - before <> {}",
            TICK_SECONDS * 1_000_000
        ),
    )
    .await;
}

/// Records equal the upstream's. What never changed was added once and never again, by whomever and however often
/// it was read: a stale fence that wrote would show here.
pub(crate) async fn records(database: &TestDatabase, counts: &Counts, integrations: usize) {
    none(
        database,
        "an integration whose records were added or changed again",
        &format!(
            "SELECT integration.name || ': ' || SUM(records_added) || ' added, ' || SUM(records_updated) || ' updated' \
             FROM integration JOIN sync_run ON integration_id = integration.id \
             WHERE CAST(integration.name AS INT) < {STILL} GROUP BY integration.name \
             HAVING SUM(records_added) <> {RECORDS} OR SUM(records_updated) <> 0"
        ),
    )
    .await;
    let rows = database
        .texts(
            "SELECT integration.name || ' ' || record.key || ' ' || record.data FROM record \
             JOIN stream_state ON stream_state.id = stream_id JOIN integration ON integration.id = integration_id \
             WHERE record.deleted_at IS NULL",
        )
        .await;
    let mut held: BTreeMap<u32, BTreeMap<String, Value>> = BTreeMap::new();
    for row in &rows {
        let mut words = row.splitn(3, ' ');
        let mut word = || words.next().expect("three words");
        let (name, key, data) = (word(), word(), word());
        let integration = held.entry(name.parse().expect("a number")).or_default();
        let data = serde_json::from_str(data).expect("JSON");
        assert_eq!(
            integration.insert(key.to_owned(), data),
            None,
            "{name}: the key {key} twice"
        );
    }
    for number in 0..u32::try_from(integrations).expect("a u32") {
        assert!(
            held.get(&number) == Some(&counts.records(number)),
            "the records of integration {number} are not the upstream's"
        );
    }
}

/// A refresh read each record once, however often it was interrupted: pages that nobody may see again are not counted
/// again, and a worker that had lost the run added nothing.
pub(crate) async fn progress(database: &TestDatabase) {
    none(
        database,
        "a refresh that counted a page twice, or left one out",
        &format!(
            "SELECT sync_run.idempotency_key || ': ' || records_read FROM sync_run \
             JOIN integration ON integration_id = integration.id WHERE CAST(integration.name AS INT) < {STILL} \
             AND mode = 'FULL_REFRESH' AND records_read <> {RECORDS}"
        ),
    )
    .await;
}

/// What is kept of ended runs is what counting them gives.
pub(crate) async fn kept_figures(database: &TestDatabase) {
    none(
        database,
        "an hour of whose runs another number is kept than there is",
        "SELECT COALESCE(kept.hour, counted.hour) || ' ' || COALESCE(kept.status, counted.status) || ': ' || \
         COALESCE(kept.runs, 0) || ' kept, ' || COALESCE(counted.runs, 0) || ' counted' FROM \
         (SELECT hour, status, SUM(runs) AS runs FROM (SELECT hour, status, runs FROM sync_run_hour UNION ALL \
         SELECT finished_at - finished_at % 3600000000, status, runs FROM sync_run_tally) AS told GROUP BY hour, status) AS kept \
         FULL JOIN (SELECT finished_at - finished_at % 3600000000 AS hour, status, COUNT(*) AS runs FROM sync_run \
         WHERE finished_at IS NOT NULL GROUP BY 1, 2) AS counted USING (hour, status) \
         WHERE kept.runs IS DISTINCT FROM counted.runs",
    )
    .await;
}

/// One integration's requests never overlapped.
pub(crate) fn requests(counts: &Counts) {
    assert_eq!(
        counts.overlaps.load(Ordering::SeqCst),
        0,
        "requests of one integration at the same time: two runs of it were running"
    );
}

/// What happened, in figures.
pub(crate) async fn figures(database: &TestDatabase, told: &Told, counts: &Counts) -> String {
    let count = async |sql: &str| database.number(sql).await;
    format!(
        "{} triggers accepted, {} calls repeated; {} runs in all, {} attempts ended by a lost lease, {} by another fault; \
         {} ticks fired, {} skipped; {} requests, {} refused by the upstream",
        told.runs.len(),
        told.repeated,
        count("SELECT COUNT(*) FROM sync_run").await,
        count("SELECT COUNT(*) FROM sync_attempt WHERE error::text LIKE '%LEASE_LOST%'").await,
        count("SELECT COUNT(*) FROM sync_attempt WHERE error IS NOT NULL AND error::text NOT LIKE '%LEASE_LOST%'").await,
        count("SELECT COUNT(*) FROM sync_run WHERE schedule_id IS NOT NULL").await,
        count("SELECT COUNT(*) FROM skipped_tick").await,
        counts.requests.load(Ordering::SeqCst),
        counts.failures.load(Ordering::SeqCst),
    )
}

async fn none(database: &TestDatabase, what: &str, sql: &str) {
    let found = database.texts(sql).await;
    assert!(found.is_empty(), "{what}: {found:?}");
}
