//! The files: the manifest, and the configuration beside it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use connectors::propose::{Address, Proposal, name_of};
use serde_json::{Map, Value};

use crate::arguments::NewArguments;
use crate::exit::Failure;

/// What will be written, and under which name.
pub(super) struct Files {
    pub(super) name: String,
    pub(super) manifest: PathBuf,
    pub(super) config: PathBuf,
}

impl Files {
    /// Chooses the names, and refuses to write over anything before anybody is called.
    pub(super) fn of(arguments: &NewArguments, address: &Address) -> Result<Self, Failure> {
        let named = arguments.name.as_deref().unwrap_or(&address.subject);
        let name = match name_of(named) {
            name if !name.is_empty() => name,
            _ => return Err(Failure::usage("--name needs a letter or a digit.")),
        };
        let manifest = arguments
            .output
            .clone()
            .unwrap_or_else(|| PathBuf::from(format!("{name}.yaml")));
        let config = manifest.with_extension("config.json");
        for path in [&manifest, &config] {
            if path.exists() {
                return Err(Failure::usage(format!(
                    "{} is there already. Name another file with --output, or remove it.",
                    path.display()
                )));
            }
        }
        Ok(Self {
            name,
            manifest,
            config,
        })
    }

    pub(super) fn write(&self, proposal: &Proposal, config: &Map<String, Value>) -> Result<(), Failure> {
        put(&self.manifest, &proposal.manifest(), false)?;
        if config.is_empty() {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(config)
            .map_err(|error| Failure::failed(format!("The configuration cannot be written: {error}.")))?;
        put(&self.config, &format!("{text}\n"), true)
    }
}

/// Writes a file that is not there yet.
fn put(path: &Path, text: &str, secret: bool) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::failed(format!("Cannot write {}: {error}.", path.display())))
}
