//! Waiting for something to become true.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long a condition may take before the test fails. Long, because it is only ever waited out by a failure:
/// a loaded CI machine must not turn a right answer into a red test.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Asks again and again until the answer is `Some`, and fails with `what` when it never is.
///
/// # Panics
/// When the condition does not hold within [`PATIENCE`].
pub async fn eventually<T, F, Fut>(what: &str, mut ask: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain for: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
