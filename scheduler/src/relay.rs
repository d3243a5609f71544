//! Giving events their sequence.

use std::time::Duration;

use engine::{Engine, topics};
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::AFTER_FAILURE;

/// How long an event waits at most whose notice was lost.
const POLL: Duration = Duration::from_millis(500);

/// How long the relay rests after it found something. Under load every commit tells of new events; a transaction for each
/// would make the others' commits wait for the disk as often, and this much later nobody notices.
const REST: Duration = Duration::from_millis(10);

/// Relays until the shutdown.
pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    // Subscribed before looking: what is written between is heard.
    let mut notices = engine.coordinator.subscribe(topics::EVENTS);
    loop {
        let pause = match engine.events().relay().await {
            Ok(relayed) => {
                if relayed > 0 {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = engine.clock.sleep(REST) => {}
                    }
                }
                POLL
            }
            Err(error) => {
                tracing::warn!(error = %error.chain(), "events could not be relayed");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            Some(_) = notices.next() => while notices.next().now_or_never().flatten().is_some() {},
            () = engine.clock.sleep(pause) => {}
        }
    }
}
