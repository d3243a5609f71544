//! Logs and [`metrics`]. Logs go to stderr: JSON lines for machines, something readable for a terminal.
//!
//! A line must say on its own whose it is: `request_id`, `client`, `integration`, `run`, `attempt`. These
//! are fields of the spans around it, and tracing-subscriber's JSON nests them in a list of spans, where a
//! log search does not find them; so this room writes its own lines, with every field of every span around
//! an event flat in the object (see `json`). Standard output belongs to what a command was asked for.

mod json;
pub mod metrics;

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::clock::SystemClock;
use crate::settings::{LogFormat, TelemetrySettings};

/// Logging or counting could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter means nothing.
    #[error("RUST_LOG cannot be understood: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Somebody started it before.
    #[error("logging was started twice: {0}")]
    Started(#[from] tracing_subscriber::util::TryInitError),
    /// Somebody counts already.
    #[error("metrics cannot be recorded: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// Starts logging to stderr, and counting, for the whole process: once, by the binary.
///
/// # Errors
/// When the filter cannot be understood, or logging was started before.
pub fn init(settings: &TelemetrySettings) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let terminal = std::io::stderr().is_terminal();
    let json = match settings.log_format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !terminal,
    };
    let layer = if json {
        json::JsonLines::new(std::io::stderr, SystemClock::shared()).boxed()
    } else {
        tracing_subscriber::fmt::layer()
            .compact()
            .with_writer(std::io::stderr)
            .with_ansi(terminal)
            .boxed()
    };
    // The filter is the whole registry's, not the layer's: a filter of one layer remembers, for each thread, what it
    // was last asked, and a library that only asks whether a line would be wanted makes it swallow the next one.
    tracing_subscriber::registry()
        .with(filter)
        .with(layer)
        .try_init()?;
    metrics::install()?;
    if json {
        log_panics();
    }
    Ok(())
}

/// A panic is a line like any other: whoever reads stderr by the line must not find a page of prose there.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("a panic without a message");
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = std::backtrace::Backtrace::capture();
        match backtrace.status() {
            std::backtrace::BacktraceStatus::Captured => {
                tracing::error!(%location, %backtrace, panic = true, "{message}");
            }
            _ => tracing::error!(%location, panic = true, "{message}"),
        }
    }));
}
