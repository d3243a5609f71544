//! Giving events their sequence.

use std::time::Duration;

use engine::{Engine, topics};
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::AFTER_FAILURE;

/// How long an event waits at most whose notice was lost.
const POLL: Duration = Duration::from_millis(500);

/// Relays until the shutdown.
pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    // Subscribed before looking: what is written between is heard.
    let mut notices = engine.coordinator.subscribe(topics::EVENTS);
    loop {
        let pause = match engine.events().relay().await {
            Ok(_) => POLL,
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
