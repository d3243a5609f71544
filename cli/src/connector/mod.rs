//! `syncline connector`: a manifest on its own, without server or database.
//!
//! What is printed is the Airbyte protocol, so the commands can stand in for a connector built with the reference, and be
//! held against it. Logs of ours go to standard error, messages to standard output, and nothing else does.
//!
//! # Loopback
//! A server refuses to call its own machine on behalf of a user who may be anybody. Whoever types these commands is the
//! machine's user already, and the API that a new connector is tried on runs, as often as not, on localhost: so loopback
//! is let through here without being asked for. Private networks still need `--allow-networks`: the commands also run
//! in build pipelines, on manifests that somebody proposed.

mod check;
mod discover;
mod input;
mod list;
mod new;
mod null_fields;
mod protocol;
mod read;
mod spec;

use std::io::{self, ErrorKind as IoErrorKind, StdoutLock};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use connectors::read::{ErrorKind, MAX_FILE_BYTES, Pacer, ReadContext, ReadError, ReadLimits, RetryMode};
use ipnet::IpNet;
use platform::clock::SystemClock;
use platform::http_client::{HttpClient, HttpLimits, NetworkPolicy};
use platform::random::SystemRandom;
use tokio_util::sync::CancellationToken;

use crate::arguments::{ConnectorCommand, SourceArguments};
use crate::console;
use crate::exit::{Failure, Outcome};
use protocol::{FailureType, Protocol};

pub(crate) async fn run(command: ConnectorCommand) -> Outcome {
    match command {
        ConnectorCommand::New(arguments) => new::run(&arguments).await,
        ConnectorCommand::Schema => {
            let schema = connectors::manifest::editor_schema();
            console::print(&format!("{schema:#}\n")).map(|()| ExitCode::SUCCESS)
        }
        ConnectorCommand::List => list::run(),
        ConnectorCommand::Spec(arguments) => spec::run(&arguments),
        ConnectorCommand::Check(arguments) => check::run(&arguments).await,
        ConnectorCommand::Discover(arguments) => discover::run(&arguments).await,
        ConnectorCommand::Read(arguments) => read::run(&arguments).await,
    }
}

type Stdout = Protocol<StdoutLock<'static>>;

fn protocol() -> Stdout {
    Protocol::new(io::stdout().lock(), SystemClock::shared())
}

/// Whoever reads our output may have seen enough (`| head`): that is no failure.
fn written(result: io::Result<ExitCode>) -> Outcome {
    match result {
        Ok(code) => Ok(code),
        Err(error) if error.kind() == IoErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::failed(format!(
            "Cannot write to standard output: {error}."
        ))),
    }
}

fn context(arguments: &SourceArguments, cancel: CancellationToken) -> Result<ReadContext, Failure> {
    context_within(&arguments.allow_networks, &arguments.allow_folders, cancel)
}

/// What may be called and read: these networks besides loopback and the public ones, and these folders.
fn context_within(
    allowed: &[IpNet],
    folders: &[PathBuf],
    cancel: CancellationToken,
) -> Result<ReadContext, Failure> {
    let mut allow_networks: Vec<IpNet> = LOOPBACK
        .iter()
        .filter_map(|network| network.parse().ok())
        .collect();
    allow_networks.extend(allowed);
    let policy = NetworkPolicy {
        allow_networks,
        allow_addresses: Vec::new(),
    };
    let limits = HttpLimits {
        // Each body has a bound of its own, and a file's is the largest.
        max_body_bytes: MAX_FILE_BYTES,
        ..HttpLimits::default()
    };
    let http = HttpClient::new(policy, limits).map_err(|error| Failure::failed(error.to_string()))?;
    Ok(ReadContext {
        http,
        clock: SystemClock::shared(),
        random: SystemRandom::shared(),
        retry: RetryMode::AsReference,
        folders: folders.into(),
        // One person's read, beside which nobody else's is known: it waits for the manifest's budget itself.
        gate: Some(Arc::new(Pacer::new(SystemClock::shared()))),
        limits: ReadLimits::default(),
        cancel,
    })
}

const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// Whose turn it is to act, in the protocol's words.
fn failure_type(error: &ReadError) -> FailureType {
    match error.kind {
        ErrorKind::Config | ErrorKind::Auth => FailureType::Config,
        ErrorKind::RateLimited | ErrorKind::Timeout | ErrorKind::Network => FailureType::Transient,
        ErrorKind::Upstream if error.retryable => FailureType::Transient,
        _ => FailureType::System,
    }
}

/// The configuration's faults against the spec, as one sentence; `None` when it fits.
fn config_faults(
    connector: &connectors::Connector,
    context: &ReadContext,
    config: &serde_json::Value,
) -> Option<String> {
    let migrated = match connector.migrate(context, config) {
        Ok(migrated) => migrated,
        Err(error) => return Some(error.to_string()),
    };
    let faults = connector.spec().validate(&migrated);
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    (!told.is_empty()).then(|| {
        format!(
            "The configuration does not fit the connector's spec: {}",
            told.join("; ")
        )
    })
}

#[cfg(test)]
mod tests;
