//! What callers do meanwhile: they trigger runs, and ask again under the same key until they are answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tests::GraphQl;

use crate::SLOW;
use crate::chance::Chance;
use crate::upstream::{Counts, RECORDS};

/// What callers were told.
#[derive(Default)]
pub(crate) struct Told {
    /// The run that each idempotency key stands for.
    pub(crate) runs: BTreeMap<String, String>,
    /// Calls that had to be repeated, because no answer came or one that says "later".
    pub(crate) repeated: u64,
}

/// What callers are told to do.
#[derive(Default)]
pub(crate) struct Signs {
    pub(crate) stop: AtomicBool,
    /// To wait until the queue is shorter.
    pub(crate) crowded: AtomicBool,
}

/// One of so many triggers is for a slow integration.
const SLOW_ONE_IN: usize = 16;
/// How many callers there are.
const CALLERS: u64 = 8;
/// Between two triggers of a caller: together they keep the workers busy and the queue short.
const PAUSE: Duration = Duration::from_millis(120);

const TRIGGER: &str = "mutation($input: TriggerSyncInput!) { triggerSync(input: $input) { run { id } \
                       userErrors { code message } } }";

/// Triggers runs of these integrations until told to stop, and changes records of the ones that change. While there is a
/// crowd in the queue nobody joins it.
pub(crate) async fn run(
    clients: Arc<Mutex<Vec<GraphQl>>>,
    integrations: Vec<String>,
    changing: std::ops::Range<u32>,
    counts: Arc<Counts>,
    seed: u64,
    signs: Arc<Signs>,
) -> Told {
    let told = Arc::new(Mutex::new(Told::default()));
    let callers = (0..CALLERS).map(|caller| {
        let (clients, integrations, counts) =
            (Arc::clone(&clients), integrations.clone(), Arc::clone(&counts));
        let (told, signs, changing) = (Arc::clone(&told), Arc::clone(&signs), changing.clone());
        tokio::spawn(async move {
            let mut chance = Chance::new(seed.wrapping_add(caller + 1));
            let mut number = 0;
            while !signs.stop.load(Ordering::SeqCst) {
                if signs.crowded.load(Ordering::SeqCst) {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                number += 1;
                let key = format!("{caller}-{number}");
                // More of the slow ones would be a queue that grows.
                let slow = chance.below(SLOW_ONE_IN) == 0;
                let number = loop {
                    let number = chance.below(integrations.len());
                    if SLOW.contains(&(number as u32)) == slow {
                        break number;
                    }
                };
                // A refresh reads every page, an incremental run hardly one.
                let mode = if slow || chance.below(2) == 0 {
                    "FULL_REFRESH"
                } else {
                    "INCREMENTAL"
                };
                let input =
                    json!({ "integrationId": integrations[number], "idempotencyKey": key, "mode": mode });
                let run = trigger(&clients, json!({ "input": input }), &mut chance, &told).await;
                told.lock().expect("told").runs.insert(key, run);
                let record = chance.below(usize::try_from(RECORDS).expect("a usize")) as u64 + 1;
                let changed = changing.start + chance.below(changing.len()) as u32;
                counts.touch(changed, record);
                tokio::time::sleep(PAUSE).await;
            }
        })
    });
    futures::future::join_all(callers).await;
    Arc::into_inner(told)
        .expect("the callers have ended")
        .into_inner()
        .expect("told")
}

/// The run, after however many tries. Half of the accepted calls are made a second time: the answer is the same run.
async fn trigger(
    clients: &Mutex<Vec<GraphQl>>,
    input: Value,
    chance: &mut Chance,
    told: &Mutex<Told>,
) -> String {
    let mut first: Option<String> = None;
    loop {
        let client = {
            let clients = clients.lock().expect("clients");
            clients[chance.below(clients.len())].clone()
        };
        let answer = client.try_answer(TRIGGER, input.clone()).await;
        if let Some(run) = answer.ok().and_then(accepted) {
            match &first {
                Some(first) => assert_eq!(first, &run, "one key is one run"),
                None if chance.below(2) == 0 => return run,
                None => {}
            }
            if first.is_some() {
                return run;
            }
            first = Some(run);
            continue;
        }
        told.lock().expect("told").repeated += 1;
        chance.pause(20, 200).await;
    }
}

/// The run of an accepted call; none where the answer is that it cannot be served now.
fn accepted(answer: Value) -> Option<String> {
    if let Some(error) = answer["errors"].get(0) {
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        assert_eq!(code, "UNAVAILABLE", "only what passes may fail: {answer:#}");
        return None;
    }
    let payload = &answer["data"]["triggerSync"];
    assert_eq!(payload["userErrors"], json!([]), "{answer:#}");
    Some(payload["run"]["id"].as_str().expect("a run").to_owned())
}
