//! Settings: from flags, the environment, `syncline.toml` and the defaults, the first that has a value
//! winning.
//!
//! One section a file, and each is a plain struct that a test can write down. A section is read (text
//! becomes types) and then validated (types become promises), and every section's faults are given at once:
//! a deployment that is mended one restart at a time is a long evening.
//!
//! A message names the place where the wrong value was set, and what would be right. It repeats the value,
//! unless the key is one that holds a secret; and nothing here shows a secret in its `Debug`, the password
//! inside `DATABASE_URL` included.

mod coordination;
mod database;
mod identity;
mod keys;
mod limits;
mod network;
mod protection;
mod retention;
mod server;
mod sources;
mod storage;
mod telemetry;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use url::Url;

pub use coordination::{CoordinationSettings, RedisUrl};
pub use database::{DatabaseLocation, DatabaseSettings, DatabaseUrl};
pub use identity::IdentitySettings;
pub use keys::{KEYS, Key};
pub use limits::LimitSettings;
pub use network::NetworkSettings;
pub use protection::ProtectionSettings;
pub use retention::RetentionSettings;
pub use server::ServerSettings;
pub use sources::Fault;
pub use storage::StorageSettings;
pub use telemetry::{LogFormat, TelemetrySettings};
pub use worker::WorkerSettings;

use sources::Sources;

/// Read from the working directory when it is there.
const FILE: &str = "syncline.toml";

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[server]`
    pub server: ServerSettings,
    /// `[database]`
    pub database: DatabaseSettings,
    /// `[coordination]`
    pub coordination: CoordinationSettings,
    /// `[worker]`
    pub worker: WorkerSettings,
    /// `[network]`
    pub network: NetworkSettings,
    /// `[protection]`
    pub protection: ProtectionSettings,
    /// `[storage]`
    pub storage: StorageSettings,
    /// `[telemetry]`
    pub telemetry: TelemetrySettings,
    /// `[retention]`
    pub retention: RetentionSettings,
}

/// What this process is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything in one process.
    Serve,
    /// The GraphQL server alone.
    Api,
    /// The scheduler and its workers alone.
    Scheduler,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Serve => "serve",
            Self::Api => "api",
            Self::Scheduler => "scheduler",
        })
    }
}

/// What the command line sets, by the key of `syncline.toml` (`"server.listen"`).
#[derive(Clone, Default)]
pub struct Overrides {
    /// Another place for `syncline.toml`; it must exist.
    pub config_file: Option<PathBuf>,
    values: BTreeMap<&'static str, String>,
}

impl Overrides {
    /// Sets a key, when its flag was given.
    ///
    /// # Panics
    /// When there is no such key: a flag for nothing is a mistake in the program.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: Option<impl ToString>) -> Self {
        assert!(keys::find(key).is_some(), "{key} is no setting");
        if let Some(value) = value {
            self.values.insert(key, value.to_string());
        }
        self
    }
}

impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        f.debug_struct("Overrides")
            .field("config_file", &self.config_file)
            .field("keys", &self.values.keys())
            .finish()
    }
}

/// Settings that cannot be used: each fault is a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", faults.join("\n"))]
pub struct SettingsError {
    /// What is wrong, and where.
    pub faults: Vec<String>,
}

impl SettingsError {
    fn one(fault: impl Into<String>) -> Self {
        Self {
            faults: vec![fault.into()],
        }
    }
}

impl Settings {
    /// Reads the settings of this process.
    ///
    /// # Errors
    /// Everything that is wrong, where it was set, and what to do.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn load(overrides: &Overrides) -> Result<Self, SettingsError> {
        Self::load_with(overrides, &|name| std::env::var(name).ok(), Path::new(FILE))
    }

    fn load_with(
        overrides: &Overrides,
        environment: &dyn Fn(&str) -> Option<String>,
        default_file: &Path,
    ) -> Result<Self, SettingsError> {
        let path = overrides.config_file.as_deref().unwrap_or(default_file);
        let file = match std::fs::read_to_string(path) {
            Ok(text) => sources::read_file(&text, FILE).map_err(|faults| SettingsError { faults })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && overrides.config_file.is_none() => {
                BTreeMap::new()
            }
            Err(error) => {
                return Err(SettingsError::one(format!(
                    "cannot read {}: {error}",
                    path.display()
                )));
            }
        };
        let sources = Sources {
            flags: &overrides.values,
            environment,
            file,
            file_name: FILE.to_owned(),
        };
        Self::from_sources(&sources)
    }

    fn from_sources(sources: &Sources<'_>) -> Result<Self, SettingsError> {
        let mut faults = Vec::new();
        let mut note = |fault: Fault| faults.push(sources.locate(&fault));

        let server = checked(ServerSettings::read(sources), ServerSettings::validate).map_err(&mut note);
        let coordination = checked(
            CoordinationSettings::read(sources),
            CoordinationSettings::validate,
        )
        .map_err(&mut note);
        let worker = checked(WorkerSettings::read(sources), WorkerSettings::validate).map_err(&mut note);
        let network = checked(NetworkSettings::read(sources), NetworkSettings::validate).map_err(&mut note);
        let protection =
            checked(ProtectionSettings::read(sources), ProtectionSettings::validate).map_err(&mut note);
        let storage = checked(StorageSettings::read(sources), StorageSettings::validate).map_err(&mut note);
        let telemetry =
            checked(TelemetrySettings::read(sources), TelemetrySettings::validate).map_err(&mut note);
        let retention =
            checked(RetentionSettings::read(sources), RetentionSettings::validate).map_err(&mut note);
        let database = match (&storage, &worker) {
            (Ok(storage), Ok(worker)) => checked(
                DatabaseSettings::read(sources, storage, worker),
                DatabaseSettings::validate,
            )
            .map_err(&mut note),
            _ => Err(()),
        };

        match (
            server,
            database,
            coordination,
            worker,
            network,
            protection,
            storage,
            telemetry,
            retention,
        ) {
            (
                Ok(server),
                Ok(database),
                Ok(coordination),
                Ok(worker),
                Ok(network),
                Ok(protection),
                Ok(storage),
                Ok(telemetry),
                Ok(retention),
            ) => Ok(Self {
                server,
                database,
                coordination,
                worker,
                network,
                protection,
                storage,
                telemetry,
                retention,
            }),
            _ => Err(SettingsError { faults }),
        }
    }

    /// Whether anything is kept in the data directory: the database, or a master key that nobody else keeps.
    pub fn keeps_files(&self) -> bool {
        let storage = &self.storage;
        self.database.url.sqlite_path().is_some()
            || (storage.master_key.is_none() && storage.master_key_file.is_none())
    }

    /// Whether these settings fit what the process is to be. A process that shares its work with others must
    /// be able to hear them, and to open what they sealed.
    ///
    /// # Errors
    /// What is missing, and how to set it.
    pub fn validate_for(&self, role: Role) -> Result<(), SettingsError> {
        if role == Role::Serve {
            return Ok(());
        }
        let mut faults = Vec::new();
        if self.coordination.redis_url.is_none() {
            faults.push(format!(
                "REDIS_URL is not set: `syncline {role}` shares its work with other processes and needs Redis to \
                 hear them; set it, or run everything in one process with `syncline serve`"
            ));
        }
        if self.storage.master_key.is_none() && self.storage.master_key_file.is_none() {
            faults.push(format!(
                "SYNCLINE_MASTER_KEY is not set: every process must seal with the same key, so `syncline {role}` \
                 makes none of its own; set it, or SYNCLINE_MASTER_KEY_FILE, for all of them"
            ));
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(SettingsError { faults })
        }
    }
}

/// A section that was read and can be used.
fn checked<T>(read: Result<T, Fault>, validate: fn(&T) -> Result<(), Fault>) -> Result<T, Fault> {
    let section = read?;
    validate(&section)?;
    Ok(section)
}

/// A URL without what could be a secret in it: password and parameters.
fn redact_url(url: &Url) -> String {
    let mut shown = url.clone();
    if shown.password().is_some() && shown.set_password(Some("******")).is_err() {
        return format!("{}://******", url.scheme());
    }
    shown.set_query(None);
    shown.set_fragment(None);
    shown.to_string()
}
