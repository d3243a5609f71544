//! The secret part of a configuration.

use connectors::spec::Spec;
use entity::integration::Model;
use serde_json::Value;

use crate::Engine;
use crate::error::{Error, Result};
use crate::ids::IntegrationId;
use crate::integrations::Integrations;
use crate::store::integrations as store;

/// A configuration as the table keeps it.
pub(super) struct Stored {
    /// With a mask in the place of every secret.
    pub(super) config: Value,
    /// The secrets, sealed for one row; none where there are none.
    pub(super) secrets: Option<Vec<u8>>,
}

/// What a seal is bound to: opened for another row, it stays shut.
fn bound_to(id: IntegrationId) -> String {
    format!("integration:{id}")
}

/// Masks and seals a whole configuration.
pub(super) fn seal(engine: &Engine, spec: &Spec, id: IntegrationId, config: &Value) -> Result<Stored> {
    let (_, secrets) = spec.split(config);
    let empty = secrets.as_object().is_none_or(serde_json::Map::is_empty);
    let secrets = if empty {
        None
    } else {
        let plain = serde_json::to_vec(&secrets).map_err(Error::internal)?;
        Some(engine.cipher.seal(&plain, &bound_to(id)))
    };
    Ok(Stored {
        config: spec.mask(config),
        secrets,
    })
}

/// An integration's whole configuration, secrets opened: for who is about to call the upstream, and nobody
/// else.
///
/// # Errors
/// When the secrets were sealed with another master key, or for another integration.
pub fn full_config(engine: &Engine, integration: &Model) -> Result<Value> {
    let Some(sealed) = &integration.secrets else {
        return Ok(integration.config.clone());
    };
    let plain = engine
        .cipher
        .open(sealed, &bound_to(integration.id))
        .map_err(Error::internal)?;
    let secrets: Value = serde_json::from_slice(&plain).map_err(Error::internal)?;
    Ok(Spec::merge(integration.config.clone(), secrets))
}

impl Integrations<'_> {
    /// Whether the master key opens what is sealed here; true where nothing is. Asked once, at the start: with
    /// the wrong key every sync would fail, each with an error that names no cause.
    pub async fn opens_with_this_key(&self) -> Result<bool> {
        let sealed = store::newest_sealed(self.0.db.reader()).await?;
        Ok(sealed.is_none_or(|row| {
            let secrets = row.secrets.as_deref().unwrap_or_default();
            self.0.cipher.open(secrets, &bound_to(row.id)).is_ok()
        }))
    }
}

/// A new configuration with what it leaves out of the secrets that there are: masked or absent, a secret
/// keeps its value.
///
/// An absent one is not brought back where that would make a good configuration a bad one: somebody who
/// changes from a key to a password leaves the key out because it has no place there any more.
pub(super) fn keep_secrets(old: &Spec, new: &Spec, before: &Value, wanted: &Value) -> Value {
    let unmasked = new.keep_masked(before, wanted);
    let (_, secrets) = old.split(before);
    let mut filled = unmasked.clone();
    fill(&mut filled, &secrets);
    if new.validate(&filled).is_empty() || !new.validate(&unmasked).is_empty() {
        filled
    } else {
        unmasked
    }
}

fn fill(config: &mut Value, secrets: &Value) {
    let (Value::Object(config), Value::Object(secrets)) = (config, secrets) else {
        return;
    };
    for (name, secret) in secrets {
        match config.get_mut(name) {
            Some(there) => fill(there, secret),
            None => drop(config.insert(name.clone(), secret.clone())),
        }
    }
}
