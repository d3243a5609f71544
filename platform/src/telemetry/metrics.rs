//! Metrics, in Prometheus' text format.
//!
//! Whoever counts writes to the `metrics` facade, which is process-wide as the `tracing` subscriber is; the recorder
//! behind it is here, installed once, by the binary. Where none was installed (a test, a command that serves
//! nothing), counting costs an atomic load and the text is empty.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

/// From a claim that finds its run at once to one that finds it in the morning.
const SECONDS: [f64; 14] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1_800.0, 21_600.0,
];

/// What is served as the `Content-Type` of [`render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

pub(super) fn install() -> Result<(), BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets(&SECONDS)?
        .install_recorder()?;
    // A second recorder was refused in the line above.
    let _ = RECORDER.set(handle);
    Ok(())
}

/// Everything that was counted.
#[must_use]
pub fn render() -> String {
    RECORDER.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Sorts what histograms were told into their buckets. Each scrape does; where nobody scrapes, what was told would
/// pile up, so whoever tells calls this every minute or so.
pub fn upkeep() {
    if let Some(recorder) = RECORDER.get() {
        recorder.run_upkeep();
    }
}
