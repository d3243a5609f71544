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
        (1..=8).contains(&counted),
        "{counted} batches for 12 integrations"
    );
}
