//! Each setting, what it is, and who said so.

use platform::settings::{IdentitySettings, KEYS, Key, LogFormat, Settings};

use super::SettingReport;
use crate::arguments::Typed;

pub(super) fn settings(typed: &Typed, settings: Option<&Settings>) -> Vec<SettingReport> {
    let file_path = typed
        .overrides
        .config_file
        .clone()
        .unwrap_or_else(|| "syncline.toml".into());
    let file = std::fs::read_to_string(&file_path)
        .ok()
        .and_then(|text| text.parse::<toml::Table>().ok());
    KEYS.iter()
        .map(|key| SettingReport {
            key: key.path,
            value: settings.map(|settings| value(key, settings)),
            source: source(key, typed, file.as_ref(), &file_path.display().to_string()),
            variable: key.variable,
        })
        .collect()
}

fn source(key: &Key, typed: &Typed, file: Option<&toml::Table>, file_name: &str) -> String {
    if typed.was_typed(key.path) {
        return format!("flag {}", key.flag());
    }
    if let Some(variable) = key.variable.filter(|name| is_set(name)) {
        return format!("environment {variable}");
    }
    let (section, name) = key.path.split_once('.').unwrap_or((key.path, ""));
    let in_file = file
        .and_then(|file| file.get(section))
        .and_then(|section| section.get(name))
        .is_some();
    if in_file {
        file_name.to_owned()
    } else {
        "default".to_owned()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "only whether a variable is set, to say where a value came from"
)]
fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// The value as it may be shown.
fn value(key: &Key, settings: &Settings) -> String {
    let secret = |is_set: bool| if is_set { "set (hidden)" } else { "not set" }.to_owned();
    let list = |items: Vec<String>| {
        if items.is_empty() {
            "none".to_owned()
        } else {
            items.join(", ")
        }
    };
    let limits = &settings.network.limits;
    let seconds = |duration: std::time::Duration| format!("{} s", duration.as_secs_f64());
    match key.path {
        "server.listen" => settings.server.listen.to_string(),
        "server.operator_key" => secret(settings.server.operator_key.is_some()),
        "server.anonymous_loopback" => settings.server.anonymous_loopback.to_string(),
        "server.trusted_proxies" => list(
            settings
                .server
                .trusted_proxies
                .iter()
                .map(ToString::to_string)
                .collect(),
        ),
        "server.operations" => settings
            .server
            .operations
            .as_ref()
            .map_or_else(|| "any may run".to_owned(), |path| path.display().to_string()),
        "identity.issuer" => identity(settings, |identity| &identity.issuer),
        "identity.audience" => identity(settings, |identity| &identity.audience),
        "identity.client_claim" => identity(settings, |identity| &identity.client_claim),
        "identity.scopes_claim" => identity(settings, |identity| &identity.scopes_claim),
        "limits.query_depth" => settings.server.limits.query_depth.to_string(),
        "limits.query_complexity" => settings.server.limits.query_complexity.to_string(),
        "limits.query_fields" => settings.server.limits.query_fields.to_string(),
        "limits.query_aliases" => settings.server.limits.query_aliases.to_string(),
        "limits.query_directives" => settings.server.limits.query_directives.to_string(),
        "limits.query_tokens" => settings.server.limits.query_tokens.to_string(),
        "limits.query_nesting" => settings.server.limits.query_nesting.to_string(),
        "limits.query_bytes" => settings.server.limits.query_bytes.to_string(),
        "limits.variable_values" => settings.server.limits.variable_values.to_string(),
        "limits.body_kibibytes" => format!("{} KiB", settings.server.limits.body_bytes / 1024),
        "limits.request_seconds" => seconds(settings.server.limits.request_time),
        "limits.requests_per_minute" => settings.server.limits.requests_per_minute.to_string(),
        "limits.failed_logins_per_minute" => settings.server.limits.failed_logins_per_minute.to_string(),
        "limits.subscriptions" => settings.server.limits.subscriptions.to_string(),
        "limits.web_sockets" => settings.server.limits.web_sockets.to_string(),
        "limits.web_sockets_per_credential" => settings.server.limits.web_sockets_per_credential.to_string(),
        "limits.introspection" => settings.server.limits.introspection.to_string(),
        "limits.suggestions" => settings.server.limits.suggestions.to_string(),
        "server.allowed_origins" => list(settings.server.allowed_origins.clone()),
        "server.max_event_streams" => settings.server.max_event_streams.to_string(),
        "database.url" => settings.database.url.to_string(),
        "database.max_connections" => settings.database.max_connections.to_string(),
        "database.min_connections" => settings.database.min_connections.to_string(),
        "database.acquire_timeout_seconds" => seconds(settings.database.acquire_timeout),
        "coordination.redis_url" => secret(settings.coordination.redis_url.is_some()),
        "coordination.redis_prefix" => settings.coordination.redis_prefix.clone(),
        "worker.workers" => settings.worker.workers.to_string(),
        "worker.lease_seconds" => format!("{} s", settings.worker.lease_seconds),
        "network.allow_networks" => list(
            settings
                .network
                .allow_networks
                .iter()
                .map(ToString::to_string)
                .collect(),
        ),
        "network.allow_folders" => list(
            settings
                .network
                .allow_folders
                .iter()
                .map(|folder| folder.display().to_string())
                .collect(),
        ),
        "network.connect_timeout_seconds" => seconds(limits.connect_timeout),
        "network.request_timeout_seconds" => seconds(limits.request_timeout),
        "network.stall_timeout_seconds" => seconds(limits.stall_timeout),
        "network.max_body_mebibytes" => format!("{} MiB", limits.max_body_bytes / (1024 * 1024)),
        "network.max_redirects" => limits.max_redirects.to_string(),
        "network.max_pages" => settings.network.max_pages.to_string(),
        "protection.requests_per_minute" => settings.protection.requests_per_minute.to_string(),
        "protection.runs_per_client" => settings.protection.runs_per_client.to_string(),
        "protection.runs_per_connector" => match settings.protection.runs_per_connector {
            Some(runs) => runs.to_string(),
            None => "no cap".to_owned(),
        },
        "storage.data_dir" => settings.storage.data_dir.display().to_string(),
        "storage.master_key" => secret(settings.storage.master_key.is_some()),
        "storage.master_key_file" => match &settings.storage.master_key_file {
            Some(path) => path.display().to_string(),
            None => "not set".to_owned(),
        },
        "telemetry.log_format" => match settings.telemetry.log_format {
            LogFormat::Json => "json",
            LogFormat::Pretty => "pretty",
            LogFormat::Auto => "pretty on a terminal, else json",
        }
        .to_owned(),
        "telemetry.filter" => settings.telemetry.filter.clone(),
        "retention.logs_days" => format!("{} days", settings.retention.logs_days),
        "retention.events_days" => format!("{} days", settings.retention.events_days),
        // A key that is newer than this table: better unsaid than leaked.
        _ => "?".to_owned(),
    }
}

fn identity(settings: &Settings, part: fn(&IdentitySettings) -> &String) -> String {
    let identity = settings.server.identity.as_ref();
    identity.map_or_else(|| "no issuer".to_owned(), |identity| part(identity).clone())
}

#[cfg(test)]
mod tests {
    use platform::settings::Overrides;

    use super::*;

    #[test]
    fn every_key_has_a_value_and_secrets_stay_hidden() {
        let overrides = Overrides::default()
            .with("server.operator_key", Some("0123456789abcdef-very-secret"))
            .with("database.url", Some("postgres://me:hunter2@db/syncline"));
        let settings = Settings::load(&overrides).expect("settings");
        for key in KEYS {
            let value = value(key, &settings);
            assert_ne!(value, "?", "{}", key.path);
            assert!(
                !value.contains("very-secret") && !value.contains("hunter2"),
                "{value}"
            );
        }
    }
}
