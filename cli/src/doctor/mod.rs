//! `syncline doctor`: what `serve` would find if it started now, and how to mend what it would not like.
//!
//! It looks and does not touch: no table is made, no key written, no file left behind. Each finding is one thing that somebody
//! can act on, with its cure beside it; a list of green ticks is only worth something if the red ones say what to do.
//! The same report is printed for people and, with `--json`, for scripts.

mod health;
mod probes;
mod render;
mod sources;

use std::process::ExitCode;

use platform::settings::{Role, Settings};
use serde::Serialize;

use crate::arguments::DoctorArguments;
use crate::exit::{Exit, Failure, Outcome};

/// How a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Ok,
    /// It works, and should be looked at.
    Warning,
    /// `serve` would not start, or not work.
    Fault,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) check: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) saw: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mend: Option<String>,
}

impl Finding {
    pub(crate) fn ok(check: &'static str, saw: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Ok,
            saw: saw.into(),
            mend: None,
        }
    }

    pub(crate) fn warning(check: &'static str, saw: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Warning,
            saw: saw.into(),
            mend: Some(mend.into()),
        }
    }

    pub(crate) fn fault(check: &'static str, saw: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Fault,
            saw: saw.into(),
            mend: Some(mend.into()),
        }
    }
}

/// A setting as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SettingReport {
    pub(crate) key: &'static str,
    /// Redacted; `None` when the settings as a whole could not be read.
    pub(crate) value: Option<String>,
    pub(crate) source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) variable: Option<&'static str>,
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    pub(crate) version: &'static str,
    pub(crate) settings: Vec<SettingReport>,
    pub(crate) findings: Vec<Finding>,
}

impl Report {
    fn count(&self, verdict: Verdict) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.verdict == verdict)
            .count()
    }
}

pub(crate) async fn run(arguments: &DoctorArguments) -> Outcome {
    let typed = &arguments.settings.0;
    let loaded = Settings::load(&typed.overrides);
    if let (true, Ok(settings)) = (arguments.ready, &loaded) {
        return health::run(settings).await;
    }
    let mut findings = Vec::new();
    match &loaded {
        Ok(settings) => {
            findings.push(role(settings));
            findings.extend(probes::all(settings).await);
        }
        Err(error) => findings.extend(error.faults.iter().map(|fault| {
            Finding::fault(
                "settings",
                fault.clone(),
                "Change it there; nothing else was looked at.",
            )
        })),
    }
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        settings: sources::settings(typed, loaded.as_ref().ok()),
        findings,
    };
    let text = if arguments.json {
        serde_json::to_string_pretty(&report).map_err(|error| Failure::failed(error.to_string()))? + "\n"
    } else {
        render::text(&report)
    };
    crate::console::print(&text)?;
    Ok(if report.count(Verdict::Fault) > 0 {
        Exit::Failed.into()
    } else {
        ExitCode::SUCCESS
    })
}

fn role(settings: &Settings) -> Finding {
    match settings.validate_for(Role::Serve) {
        Ok(()) if settings.validate_for(Role::Api).is_err() => Finding::ok(
            "settings",
            "fit `syncline serve`; `api` and `scheduler` would also need Redis and a master key of their own",
        ),
        Ok(()) => Finding::ok("settings", "fit `syncline serve`, `api` and `scheduler`"),
        Err(error) => Finding::fault("settings", error.to_string(), "Change it there."),
    }
}

#[cfg(test)]
mod tests;
