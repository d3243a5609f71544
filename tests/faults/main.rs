//! Nothing is lost and nothing is done twice, whatever breaks.
//!
//! Two APIs and three schedulers on a PostgreSQL and a Redis of their own, an upstream that counts what it is asked,
//! callers that trigger runs without a break. Meanwhile processes are killed and paused past their leases, Redis is
//! restarted empty, PostgreSQL crashes and recovers, connections are cut. Afterwards the books are compared: what
//! callers were told, what the tables hold, what the upstream saw.
//!
//! `SYNCLINE_FAULT_SECONDS` says for how long (90 without), `SYNCLINE_FAULT_SEED` which faults: a seed repeats their
//! order and kinds, not the microsecond at which they meet the work.

#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test is the outside world: it has a real clock, a real environment and a plain HTTP client"
)]

mod chance;
mod load;
mod topology;
mod upstream;
mod verdict;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::{GraphQl, TestDatabase, eventually, manifest};

use crate::chance::Chance;
use crate::topology::Topology;

const CLIENTS: u32 = 6;
/// Integrations whose records never change: each must be added exactly once.
const STILL: u32 = 24;
/// Those of them whose upstream is slow.
const SLOW: std::ops::Range<u32> = 10..24;
/// Integrations whose records change meanwhile.
const CHANGING: u32 = 12;
/// Integrations that are also synced every so many seconds.
const SCHEDULED: u32 = 6;
const TICK_SECONDS: u32 = 2;
/// So many runs in the queue are enough. A slow machine would otherwise spend more time on them than on the faults: in a
/// run of half an hour, 13,000 were left at its end.
const CROWD: i64 = 1_000;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}

async fn integrations(api: &GraphQl, upstream: &str) -> Vec<String> {
    let connector = api.install_connector("items", &manifest(50)).await;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push(api.register_client(&format!("client-{number}")).await);
    }
    let mut integrations = Vec::new();
    for number in 0..STILL + CHANGING {
        let schedule = (number < SCHEDULED).then(|| json!({ "cron": format!("*/{TICK_SECONDS} * * * * *") }));
        let input = json!({
            "clientId": clients[(number % CLIENTS) as usize], "connector": connector, "name": format!("{number}"),
            "config": { "base_url": upstream, "path": format!("/{number}"), "token": "t" },
            "retryPolicy": "aggressive", "schedule": schedule,
        });
        integrations.push(api.create_integration(input).await);
    }
    integrations
}

/// Waits for as long as it takes, if only it gets less: how much there is to do is the machine's business.
async fn all_ended(database: &TestDatabase) {
    let mut left = i64::MAX;
    while left > 0 {
        left = eventually("another run has ended", || async {
            let waiting = database
                .number("SELECT COUNT(*) FROM sync_run WHERE status IN ('QUEUED', 'RUNNING')")
                .await;
            (waiting < left).then_some(waiting)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_is_done_twice_whatever_breaks() {
    let duration = Duration::from_secs(setting("SYNCLINE_FAULT_SECONDS", 90));
    let seed = setting("SYNCLINE_FAULT_SEED", 20_261_124);
    let (address, counts) = upstream::start().await;
    let mut topology = Topology::start(Arc::clone(&counts)).await;
    let api = topology.clients().lock().expect("clients")[0].clone();
    let integrations = integrations(&api, &format!("http://{address}")).await;

    let signs = Arc::new(load::Signs::default());
    let load = tokio::spawn(load::run(
        topology.clients(),
        integrations.clone(),
        STILL..STILL + CHANGING,
        Arc::clone(&counts),
        seed,
        Arc::clone(&signs),
    ));
    verdict::audit(&topology.database).await;
    let mut chance = Chance::new(seed);
    let began = Instant::now();
    while began.elapsed() < duration && !load.is_finished() {
        topology.fault(&mut chance).await;
        let queued = topology
            .database
            .number("SELECT COUNT(*) FROM sync_run WHERE status = 'QUEUED'")
            .await;
        signs.crowded.store(queued > CROWD, Ordering::SeqCst);
        chance.pause(500, 2_000).await;
    }
    signs.stop.store(true, Ordering::SeqCst);
    let told = load.await.expect("the callers");
    assert!(topology.all_run(), "a process ended that nobody ended");

    let api = topology.clients().lock().expect("clients")[0].clone();
    let database = &topology.database;
    verdict::end_schedules(database).await;
    all_ended(database).await;
    verdict::runs(database, &told).await;
    verdict::ticks(database).await;
    verdict::leases(database).await;
    verdict::turns(database).await;
    verdict::progress(database).await;
    verdict::kept_figures(database).await;
    verdict::requests(&counts);
    let report = verdict::figures(database, &told, &counts).await;
    // What changes while pages are read may stand behind the cursor, as with any API of this kind: a refresh sees it.
    for integration in &integrations[STILL as usize..] {
        api.trigger_with(json!({ "integrationId": integration, "mode": "FULL_REFRESH" }))
            .await;
    }
    all_ended(database).await;
    verdict::records(database, &counts, integrations.len()).await;
    let faults = topology
        .done
        .iter()
        .fold(std::collections::BTreeMap::new(), |mut counts, what| {
            *counts.entry(*what).or_insert(0_u32) += 1;
            counts
        });
    // Past the test harness, which keeps what passing tests print to itself.
    let _ = writeln!(
        std::io::stderr(),
        "\nfaults, seed {seed}, {} s: {faults:?}\n{report}",
        began.elapsed().as_secs()
    );
}
