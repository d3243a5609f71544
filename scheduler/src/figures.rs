//! Adding the runs that ended to the figures that are kept of them.

use std::time::Duration;

use engine::Engine;
use tokio_util::sync::CancellationToken;

/// How often. What has not been added is added up by whoever asks, so this is about how much that is, and not about how
/// fresh the figures are.
const EVERY: Duration = Duration::from_secs(5);

/// Adds until the shutdown.
pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    loop {
        if let Err(error) = engine.overview().fold(&stop).await {
            tracing::warn!(error = %error.chain(), "the figures of ended runs could not be kept");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = engine.clock.sleep(EVERY) => {}
        }
    }
}
