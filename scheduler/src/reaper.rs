//! Taking back runs whose worker is gone.

use std::time::Duration;

use engine::{Engine, queue};
use tokio_util::sync::CancellationToken;

/// How often to look. It adds to the lease's length until a lost run goes on; the look is one query over the
/// index of running runs.
const EVERY: Duration = Duration::from_secs(2);

/// Takes back until the shutdown.
pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    loop {
        if let Err(error) = queue::requeue_lost(&engine).await {
            tracing::warn!(error = %error.chain(), "lost runs could not be looked for");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = engine.clock.sleep(EVERY) => {}
        }
    }
}
