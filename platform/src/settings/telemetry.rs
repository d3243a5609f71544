//! `[telemetry]`: what is logged, and in which shape.

use std::str::FromStr;

use super::sources::{Fault, Sources};

/// The drivers say much that helps only who debugs them.
const DEFAULT_FILTER: &str =
    "info,sqlx=warn,sea_orm=warn,sea_orm_migration=warn,hyper=warn,h2=warn,rustls=warn";

/// What is logged, and in which shape.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// The shape of a line.
    pub log_format: LogFormat,
    /// What is logged, in `RUST_LOG`'s language.
    pub filter: String,
}

/// The shape of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object a line: for machines.
    Json,
    /// For a person.
    Pretty,
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "json" => Ok(Self::Json),
            "pretty" => Ok(Self::Pretty),
            _ => Err(()),
        }
    }
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            log_format: LogFormat::default(),
            filter: DEFAULT_FILTER.to_owned(),
        }
    }
}

impl TelemetrySettings {
    pub(super) fn read(sources: &Sources<'_>) -> Result<Self, Fault> {
        let default = Self::default();
        Ok(Self {
            log_format: sources
                .parse("telemetry.log_format", "json or pretty")?
                .unwrap_or(default.log_format),
            filter: sources.text("telemetry.filter")?.unwrap_or(default.filter),
        })
    }

    /// Whether this can be used.
    ///
    /// # Errors
    /// The key that cannot, and why.
    pub fn validate(&self) -> Result<(), Fault> {
        tracing_subscriber::EnvFilter::try_new(&self.filter)
            .map(drop)
            .map_err(|error| {
                let problem = format!(
                    "is {:?}, which cannot be understood ({error}): write for example info,engine=debug",
                    self.filter
                );
                Fault::new("telemetry.filter", problem)
            })
    }
}
