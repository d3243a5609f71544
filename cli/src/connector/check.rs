//! `connector check`.
//!
//! The exit code follows the reference, whose contract is that a check which could be made exits 0, and the message says how
//! it went. A shell that wants `&&` has `--strict`.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::protocol::Level;
use super::{config_faults, context, input, protocol, written};
use crate::arguments::CheckArguments;
use crate::exit::{Exit, Outcome};

pub(super) async fn run(arguments: &CheckArguments) -> Outcome {
    let connector = input::connector(&arguments.source.manifest)?;
    let config = input::config(&arguments.source)?;
    let context = context(&arguments.source, CancellationToken::new())?;
    let failure = match config_faults(&connector, &context, &config) {
        Some(faults) => Some(faults),
        None if arguments.offline => None,
        None => connector
            .check(&context, &config)
            .await
            .err()
            .map(|error| error.to_string()),
    };
    let mut protocol = protocol();
    written((|| {
        for warning in connector.warnings() {
            protocol.log(Level::Warn, &warning.to_string())?;
        }
        match &failure {
            None if arguments.offline => protocol.log(
                Level::Info,
                "The manifest loads and the configuration fits; nobody was called.",
            )?,
            None => protocol.log(Level::Info, "Check succeeded")?,
            Some(_) => protocol.log(Level::Error, "Check failed")?,
        }
        protocol.connection_status(failure.as_deref())?;
        Ok(match failure {
            Some(_) if arguments.strict => Exit::Failed.into(),
            _ => ExitCode::SUCCESS,
        })
    })())
}
