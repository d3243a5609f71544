//! No N+1: however many items a list has, each kind of thing beside them is one batch.

use std::cell::Cell;

use serde_json::json;
use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::fixture::Fixture;

thread_local! {
    /// Batches on this thread. The layer is the whole process's, because one that is set for a thread misses what
    /// another thread met before it; each test's runtime is its own thread, so the count is this test's.
    static BATCHES: Cell<usize> = const { Cell::new(0) };
}

/// Counts the library's batches: each is a span of this name.
struct Batches;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Batches {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        if attributes.metadata().name() == "do_load" {
            BATCHES.set(BATCHES.get() + 1);
        }
    }
}

#[tokio::test]
async fn a_list_s_neighbours_are_one_batch_each() {
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Batches)).unwrap();
    let server = Fixture::start().await;
    server.connector().await;
    for number in 0..12 {
        let client = server.client(&format!("c{number}")).await;
        let integration = server.integration(&client, "People").await;
        let ended = server.run(&integration).await;
        server.cancel(&ended).await;
        server.run(&integration).await;
    }
    BATCHES.set(0);
    let query = "{ integrations(first: 100) { edges { node { client { slug } connector { slug } schedule { cron } nextRunAt activeRun { id attempts { number } streams { stream } } lastRun { id status integration { name } } } } } }";
    let data = server.data(query, json!({})).await;
    let edges = data["integrations"]["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 12);
    assert!(
        edges
            .iter()
            .all(|edge| edge["node"]["lastRun"]["status"] == "CANCELLED"
                && edge["node"]["activeRun"]["id"].is_string()),
        "{data}"
    );
    // client, connector, schedule, active run, last run; then attempts, streams, and the last run's integration.
    let counted = BATCHES.get();
    assert!(
        (8..=16).contains(&counted),
        "{counted} batches for 12 integrations"
    );

    BATCHES.set(0);
    let query = "{ clients(first: 12) { edges { node { slug \
        integrations(first: 1) { totalCount edges { node { \
            skippedTicks(first: 1) { edges { node { reason } } } records(stream: \"users\", first: 1) { edges { node { key } } } \
            syncRuns(first: 1) { totalCount edges { node { status logs(first: 1) { edges { node { message } } } } } } } } } \
        syncRuns(last: 1, filter: { status: CANCELLED }) { totalCount edges { node { status } } } } } } }";
    let data = server.data(query, json!({})).await;
    let edges = data["clients"]["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 12);
    for edge in edges {
        let client = &edge["node"];
        assert_eq!(client["integrations"]["totalCount"], 1, "{client}");
        let runs = &client["integrations"]["edges"][0]["node"]["syncRuns"];
        assert_eq!(
            (&runs["totalCount"], &runs["edges"][0]["node"]["status"]),
            (&json!(2), &json!("QUEUED")),
            "{client}"
        );
        let cancelled = &client["syncRuns"];
        assert_eq!(
            (&cancelled["totalCount"], &cancelled["edges"][0]["node"]["status"]),
            (&json!(1), &json!("CANCELLED")),
            "{client}"
        );
    }
    // Integrations and their count, a client's runs and their count; skipped ticks, records, an integration's
    // runs and their count; logs.
    let counted = BATCHES.get();
    // Where a client's lists and an integration's are asked for at the same moment, they share a batch, so two may be
    // missing. A slow machine may split a batch in two, never in twelve.
    assert!(
        (7..=18).contains(&counted),
        "{counted} batches of lists for 12 clients"
    );

    // A count is asked of the database when somebody asks for it, and then once for all lists beside each other.
    let lists = async |count: &str| {
        BATCHES.set(0);
        let query = format!(
            "{{ clients(first: 100) {{ edges {{ node {{ integrations {{ {count} edges {{ cursor }} }} syncRuns {{ {count} edges {{ cursor }} }} }} }} }} }}"
        );
        let data = server.data(&query, json!({})).await;
        (
            data["clients"]["edges"][0]["node"]["syncRuns"]["totalCount"].clone(),
            BATCHES.get(),
        )
    };
    let (nothing, without) = lists("").await;
    let (counted, with) = lists("totalCount").await;
    assert_eq!((nothing, counted), (serde_json::Value::Null, json!(2)));
    assert!(
        without <= 3 && with > without,
        "{without} batches, and {with} with the counts"
    );
}
