//! The settings as flags.
//!
//! clap could read the environment itself, but then a variable would look like a flag to the loader, and its complaint
//! would name the wrong place. So clap only *shows* the variables; what it hands on is what was typed, and the loader
//! applies the order flag, environment, file, default.
//!
//! Secrets have no flag: every user of a machine can read every process's command line.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use platform::settings::{KEYS, Overrides};

/// One setting as the command line shows it. Its variable and its flag's name are the loader's ([`KEYS`]), whose complaints
/// name them too.
#[derive(Debug)]
struct Shown {
    key: &'static str,
    value: &'static str,
    default: Option<&'static str>,
    group: Group,
    help: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    General,
    Server,
    Limits,
    Database,
    Work,
    Logs,
}

impl Group {
    fn heading(self) -> &'static str {
        match self {
            Self::General => "General",
            Self::Server => "Server",
            Self::Limits => "Limits",
            Self::Database => "Database",
            Self::Work => "Syncing",
            Self::Logs => "Logs",
        }
    }
}

const fn shown(
    group: Group,
    key: &'static str,
    value: &'static str,
    default: Option<&'static str>,
    help: &'static str,
) -> Shown {
    Shown {
        key,
        value,
        default,
        group,
        help,
    }
}

#[rustfmt::skip]
const SHOWN: &[Shown] = &[
    shown(Group::General, "storage.data_dir", "DIR", Some("./data"),
        "Where the SQLite file and the master key are kept; made if missing"),
    shown(Group::General, "storage.master_key_file", "FILE", None,
        "The key that seals connector credentials. Without this, or SYNCLINE_MASTER_KEY, `serve` makes one in the data directory. Keep a copy: without it the credentials are lost"),
    shown(Group::Server, "server.listen", "ADDR:PORT", Some("127.0.0.1:8000"),
        "Where to listen. Beyond loopback, SYNCLINE_OPERATOR_KEY is required"),
    shown(Group::Server, "server.anonymous_loopback", "true|false", Some("true"),
        "Whether loopback is served without a key while there is no SYNCLINE_OPERATOR_KEY; else only API keys and tokens open it"),
    shown(Group::Server, "server.allowed_origins", "ORIGINS", None,
        "Web pages that may call the API from a browser, such as https://app.example.com; separated by commas [default: only our own]"),
    shown(Group::Server, "server.trusted_proxies", "CIDRS", None,
        "Proxies whose X-Forwarded-For names the caller, such as 10.0.0.0/8; separated by commas [default: none]"),
    shown(Group::Server, "server.operations", "PATH", None,
        "A file or a folder of the only operations that run, *.graphql or a manifest; the operator's key may run others [default: any may]"),
    shown(Group::Server, "identity.issuer", "URL", None,
        "An OpenID Connect issuer whose tokens are let in, exactly as they name it"),
    shown(Group::Server, "identity.audience", "NAME", None,
        "For whom the issuer's tokens must be made; required with an issuer"),
    shown(Group::Limits, "limits.query_depth", "N", Some("15"),
        "Levels of fields that a query may have, fragments expanded"),
    shown(Group::Limits, "limits.query_complexity", "N", Some("20000"),
        "Fields that an answer may have; a list counts with its page size, a list in a list with the product"),
    shown(Group::Limits, "limits.query_fields", "N", Some("3000"),
        "Fields that a query may have, fragments expanded"),
    shown(Group::Limits, "limits.query_aliases", "N", Some("100"),
        "Aliases that a query may have, fragments expanded"),
    shown(Group::Limits, "limits.query_directives", "N", Some("50"),
        "Directives that a query may have"),
    shown(Group::Limits, "limits.query_tokens", "N", Some("5000"),
        "Tokens that a query may have"),
    shown(Group::Limits, "limits.query_nesting", "N", Some("40"),
        "Brackets of any kind inside one another that a query may have"),
    shown(Group::Limits, "limits.query_bytes", "N", Some("100000"),
        "Bytes that a query may have; large values belong into variables"),
    shown(Group::Limits, "limits.variable_values", "N", Some("10000"),
        "Values in a request's variables, those inside of lists and objects included"),
    shown(Group::Limits, "limits.body_kibibytes", "KIB", Some("2048"),
        "Size of a request's body"),
    shown(Group::Limits, "limits.request_seconds", "SECONDS", Some("60"),
        "How long a request may take; then it is answered UNAVAILABLE, and its work in the database ends"),
    shown(Group::Limits, "limits.requests_per_minute", "N", Some("6000"),
        "Requests a minute that one credential may make of the API, over all processes; where none is needed, one address"),
    shown(Group::Limits, "limits.failed_logins_per_minute", "N", Some("60"),
        "Wrong credentials a minute from one address, before it has to wait"),
    shown(Group::Limits, "limits.subscriptions", "N", Some("1000"),
        "Subscriptions that one credential may have open at once, in each process"),
    shown(Group::Limits, "limits.web_sockets", "N", Some("10000"),
        "WebSockets that may be open at once, in each process"),
    shown(Group::Limits, "limits.web_sockets_per_credential", "N", Some("1000"),
        "Of them those of one API key or token"),
    shown(Group::Limits, "limits.introspection", "true|false", Some("true"),
        "Whether the schema may be asked about itself; GraphiQL needs it"),
    shown(Group::Limits, "limits.suggestions", "true|false", Some("false"),
        "Whether an error about an unknown name suggests what may have been meant"),
    shown(Group::Database, "database.url", "URL", None,
        "sqlite://PATH or postgres://… [default: a SQLite file in the data directory]. Everybody on the machine can read a flag: an address with a password belongs in the environment"),
    shown(Group::Database, "database.max_connections", "N", Some("10"),
        "Connections at most"),
    shown(Group::Database, "database.min_connections", "N", Some("1"),
        "Connections kept open"),
    shown(Group::Database, "database.acquire_timeout_seconds", "SECONDS", Some("10"),
        "How long to wait for a connection before giving up"),
    shown(Group::Database, "coordination.redis_url", "URL", None,
        "Redis, for coordination between processes: `api` and `scheduler` require it, `serve` does without"),
    shown(Group::Database, "coordination.redis_prefix", "PREFIX", Some("syncline:"),
        "What every key in Redis begins with: one for each installation that shares it"),
    shown(Group::Work, "worker.workers", "N", None,
        "Syncs that run at the same time"),
    shown(Group::Work, "worker.lease_seconds", "SECONDS", Some("30"),
        "After how long without a sign of life another worker takes over a run"),
    shown(Group::Work, "network.allow_networks", "CIDRS", None,
        "Networks that connectors may call although they are not public, such as 10.0.0.0/8; separated by commas"),
    shown(Group::Work, "network.allow_folders", "DIRS", None,
        "Folders of this machine below which connectors may read files; separated by commas [default: none]"),
    shown(Group::Work, "protection.requests_per_minute", "N", Some("100"),
        "Requests a minute that an integration makes of its upstream, unless it has a requestsPerMinute of its own"),
    shown(Group::Work, "protection.runs_per_client", "N", Some("10"),
        "Syncs of one client that run at the same time, over all processes"),
    shown(Group::Work, "protection.runs_per_connector", "N", None,
        "Syncs with one connector that run at the same time, over all processes and clients [default: no cap]"),
    shown(Group::Logs, "telemetry.log_format", "json|pretty", None,
        "How logs are written to standard error [default: pretty on a terminal, else json]"),
];

/// What has no flag: secrets, and what has had a name of its own since long before us.
#[cfg(test)]
const ENVIRONMENT_ONLY: [&str; 3] = ["server.operator_key", "storage.master_key", "telemetry.filter"];

const CONFIG_FILE: &str = "config_file";

/// What was typed of all settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingFlags(pub(crate) Typed);

/// What was typed, for commands that only touch the database.
#[derive(Debug, Clone, Default)]
pub(crate) struct StorageFlags(pub(crate) Typed);

/// Settings from the command line: for the loader, and by key for `doctor`, which says where each came from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Typed {
    pub(crate) overrides: Overrides,
    pub(crate) keys: Vec<&'static str>,
}

impl Typed {
    pub(crate) fn set(&mut self, key: &'static str, value: impl ToString) {
        self.overrides = std::mem::take(&mut self.overrides).with(key, Some(value));
        self.keys.push(key);
    }

    pub(crate) fn was_typed(&self, key: &str) -> bool {
        self.keys.contains(&key)
    }
}

fn augment(command: Command, wanted: impl Fn(Group) -> bool) -> Command {
    let file = Arg::new(CONFIG_FILE)
        .long("config-file")
        .value_name("FILE")
        .env("SYNCLINE_CONFIG_FILE")
        .hide_env_values(true)
        .help("Settings from this file [default: ./syncline.toml when there is one]")
        .help_heading(Group::General.heading());
    SHOWN
        .iter()
        .filter(|shown| wanted(shown.group))
        .filter_map(|shown| {
            let key = KEYS.iter().find(|key| key.path == shown.key)?;
            let argument = Arg::new(shown.key)
                .long(key.flag().trim_start_matches('-').to_owned())
                .value_name(shown.value)
                .env(key.variable?)
                .hide_env_values(true)
                .help(shown.help)
                .help_heading(shown.group.heading());
            Some(match shown.default {
                Some(default) => argument.default_value(default),
                None => argument,
            })
        })
        .fold(command.arg(file), Command::arg)
}

fn typed(matches: &ArgMatches) -> Typed {
    let value = |id: &str| {
        // A setting outside the command's groups is no argument of it.
        let value = matches.try_get_one::<String>(id).ok().flatten()?;
        (matches.value_source(id) == Some(ValueSource::CommandLine)).then(|| value.clone())
    };
    let mut typed = Typed::default();
    // The file's place has no key inside the file, so its variable is ours to read.
    typed.overrides.config_file = matches.get_one::<String>(CONFIG_FILE).map(Into::into);
    for shown in SHOWN {
        if let Some(value) = value(shown.key) {
            typed.set(shown.key, value);
        }
    }
    typed
}

macro_rules! flags {
    ($name:ident, $wanted:expr) => {
        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self(typed(matches)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                self.0 = typed(matches);
                Ok(())
            }
        }

        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                augment(command, $wanted)
            }

            fn augment_args_for_update(command: Command) -> Command {
                augment(command, $wanted)
            }
        }
    };
}

flags!(SettingFlags, |_| true);
flags!(StorageFlags, |group| matches!(
    group,
    Group::General | Group::Database | Group::Logs
));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_with_a_variable_is_shown_or_left_out_on_purpose() {
        for key in KEYS.iter().filter(|key| key.variable.is_some()) {
            let shown = SHOWN.iter().any(|shown| shown.key == key.path);
            assert_ne!(shown, ENVIRONMENT_ONLY.contains(&key.path), "{}", key.path);
        }
        for shown in SHOWN {
            assert!(KEYS.iter().any(|key| key.path == shown.key), "{}", shown.key);
        }
    }
}
