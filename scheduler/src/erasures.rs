//! Erasing clients whose erasure was asked for.

use std::time::Duration;

use engine::{Engine, topics};
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::AFTER_FAILURE;

/// How long an erasure waits at most whose notice was lost, or whose worker was.
const POLL: Duration = Duration::from_secs(5);

/// Erases until the shutdown, which it obeys between two batches.
pub(crate) async fn run(engine: Engine, name: String, stop: CancellationToken) {
    // A lease is believed by its owner's name: two processes of one name must not share it.
    let worker = format!("{name}/{}", engine.new_uuid());
    // Subscribed before looking: what is asked for between is heard.
    let mut notices = engine.coordinator.subscribe(topics::ERASURES);
    loop {
        let pause = match engine.erasures().work(&worker, &stop).await {
            Ok(_) => POLL,
            Err(error) => {
                tracing::warn!(error = %error.chain(), "an erasure is interrupted; it goes on soon");
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
