//! `connector discover`: the streams, with the fields that the reference gives them.

use std::process::ExitCode;

use connectors::StreamDescription;
use serde_json::{Value, json};

use tokio_util::sync::CancellationToken;

use super::{context, failure_type, input, protocol, written};
use crate::arguments::DiscoverArguments;
use crate::exit::{Exit, Outcome};

pub(super) async fn run(arguments: &DiscoverArguments) -> Outcome {
    let connector = input::connector(&arguments.source.manifest)?;
    // A file that cannot be read is a mistake, also where nothing of the catalogue depends on it.
    let config = input::config(&arguments.source)?;
    let streams = if connector.has_to_ask() {
        let context = context(&arguments.source, CancellationToken::new())?;
        match connector.discover(&context, &config).await {
            Ok(streams) => streams,
            Err(error) => {
                let told = error.to_string();
                let failed = protocol().error(None, &told, &told, failure_type(&error));
                return written(failed.map(|()| Exit::Failed.into()));
            }
        }
    } else {
        connector.streams().to_vec()
    };
    let streams = streams.iter().map(described).collect();
    written(protocol().catalog(streams).map(|()| ExitCode::SUCCESS))
}

pub(super) fn described(stream: &StreamDescription) -> Value {
    let mut described = json!({
        "name": stream.name,
        "json_schema": stream.json_schema,
        "supported_sync_modes": if stream.supports_incremental { vec!["full_refresh", "incremental"] } else { vec!["full_refresh"] },
    });
    if stream.supports_incremental {
        described["source_defined_cursor"] = Value::Bool(true);
        if let Some(field) = &stream.cursor_field {
            described["default_cursor_field"] = json!([field]);
        }
    }
    if !stream.primary_key.is_empty() {
        described["source_defined_primary_key"] = json!(stream.primary_key);
    }
    described["is_resumable"] = Value::Bool(stream.supports_incremental);
    described["is_file_based"] = Value::Bool(stream.has_files);
    described
}
