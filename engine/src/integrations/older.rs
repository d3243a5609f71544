//! A configuration in a form that the connector took before.
//!
//! A manifest's migrations say how a configuration of an older version becomes one of today's
//! (`config_normalization_rules`). One that fits the specification is kept as it was entered. One that fits only once it
//! was migrated is kept migrated: secrets are sealed by where the specification says they are, and in an older form they
//! may be anywhere.
//!
//! A migration may also leave a secret behind where it was, which no specification marks. So what it leaves is refused
//! where the specification knows no such field, and where a secret can be read in what would be kept in the open.

use connectors::Connector;
use connectors::read::RetryMode;
use connectors::spec::Spec;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::outcome::Refusal;

/// A text this short is found in others by chance.
const TELLING: usize = 4;

/// The configuration as it is to be checked and kept.
pub(super) fn todays(
    engine: &Engine,
    plan: &Connector,
    entered: &Value,
    refusals: &mut Vec<Refusal>,
) -> Value {
    let spec = plan.spec();
    if !entered.is_object() || spec.validate(entered).is_empty() {
        return entered.clone();
    }
    let context = engine
        .connectors
        .read_context(RetryMode::LeaveToCaller, CancellationToken::new(), None);
    match plan.migrate(&context, entered) {
        Ok(migrated) if migrated != *entered && spec.validate(&migrated).is_empty() => {
            if let Some(name) = left_in_the_open(spec, &migrated) {
                let message = format!(
                    "The configuration has an older form, and of what the connector's migration makes of it, {name} could \
                     be a secret that nothing marks as one. Enter the form that the connector's specification describes."
                );
                refusals.push(Refusal::invalid(message, ["config", name]));
            }
            migrated
        }
        // What is wrong is told of what was entered.
        _ => entered.clone(),
    }
}

/// A field that would be kept in the open, and may be, or hold, a secret.
fn left_in_the_open<'a>(spec: &Spec, migrated: &'a Value) -> Option<&'a str> {
    let secrets = spec.secret_texts(migrated);
    let (public, _) = spec.split(migrated);
    let tells = |value: &Value| {
        let mut found = false;
        texts(value, &mut |text| {
            found |= secrets
                .iter()
                .any(|secret| text == secret || secret.len() >= TELLING && text.contains(secret.as_str()));
        });
        found
    };
    let names = migrated.as_object()?.keys();
    names.map(String::as_str).find(|name| {
        let Some(value) = public.get(name) else {
            return false;
        };
        !spec.describes(name) || tells(value)
    })
}

fn texts(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Number(number) => see(&number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, see)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            see(name);
            texts(value, see);
        }),
        Value::Null | Value::Bool(_) => {}
    }
}
