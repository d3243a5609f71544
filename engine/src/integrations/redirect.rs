//! To where an integration's secrets are sent, and who may change that.
//!
//! A credential that is bound to a client may change the client's integrations, and does not thereby know their secrets:
//! they are masked in every answer. If it could change the host and keep the secret, the next run would carry the secret
//! to a host of its choosing. So what decides where secrets go is the operator's: the manifest, and with it the version
//! of the connector, and whatever in the configuration can name a host.
//!
//! The spec says what cannot: numbers, switches, dates, and choices from a list. Anything else is a text that some
//! template may put into an address, and it would take evaluating every template of a manifest to know. Rejected for
//! that reason: comparing the hosts of before and after, which misses the address of a token's issuer.
//!
//! Who gives all secrets anew sends nobody's but their own, and may.

use connectors::spec::Spec;
use serde_json::Value;

use crate::outcome::{Refusal, RefusalCode};

/// Why this change would send secrets elsewhere that the caller did not give; none where it would not. `wanted` is what
/// the caller gave, `config` what it comes to.
pub(super) fn redirected(spec: &Spec, before: &Value, wanted: &Value, config: &Value) -> Option<Refusal> {
    let given = spec.secret_texts(wanted);
    let keeps_secrets = spec
        .secret_texts(config)
        .iter()
        .any(|secret| !given.contains(secret));
    if !keeps_secrets {
        return None;
    }
    let (before, _) = spec.split(before);
    let (after, _) = spec.split(config);
    let names = [&before, &after]
        .into_iter()
        .filter_map(Value::as_object)
        .flat_map(|object| object.keys());
    let mut changed = names.filter(|name| before.get(name) != after.get(name));
    let name = changed.find(|name| can_name_a_host(spec, name))?;
    let message = format!(
        "{name} can decide to where the integration's secrets are sent: give all secrets anew together with it, or let an \
         operator change it."
    );
    Some(Refusal::new(RefusalCode::Forbidden, message, ["config", name]))
}

/// Why the version of an integration that has secrets is not changed.
pub(super) fn another_version() -> Refusal {
    let message =
        "Another version may send the integration's secrets elsewhere: only an operator may change it.";
    Refusal::new(RefusalCode::Forbidden, message, ["connectorVersion"])
}

fn can_name_a_host(spec: &Spec, name: &str) -> bool {
    let property = &spec.schema()["properties"][name];
    let kinds: Vec<&str> = match &property["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let harmless = |kind: &str| matches!(kind, "integer" | "number" | "boolean" | "null");
    let is_date = matches!(property["format"].as_str(), Some("date" | "date-time"));
    let is_choice = property["enum"].is_array() || !property["const"].is_null();
    let is_plain = !kinds.is_empty() && kinds.iter().all(|kind| harmless(kind));
    !(is_date || is_choice || is_plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec() -> Spec {
        let schema = json!({ "type": "object", "properties": {
            "key": { "type": "string", "airbyte_secret": true },
            "host": { "type": "string" },
            "region": { "type": "string", "enum": ["eu", "us"] },
            "since": { "type": "string", "format": "date" },
            "size": { "type": ["integer", "null"] },
            "account": { "type": "object", "properties": { "domain": { "type": "string" } } },
        } });
        Spec::new(schema, None).unwrap()
    }

    fn refused(wanted: &Value) -> bool {
        let before = json!({ "key": "hidden-value", "host": "a.example", "account": { "domain": "a" } });
        let mut config = wanted.clone();
        if config["key"].is_null() {
            config["key"] = json!("hidden-value");
        }
        redirected(&spec(), &before, wanted, &config).is_some()
    }

    #[test]
    fn a_kept_secret_stays_with_its_host() {
        let same = json!({ "host": "a.example", "account": { "domain": "a" } });
        assert!(!refused(&same));
        for (name, value, elsewhere) in [
            ("host", json!("evil.example"), true),
            ("account", json!({ "domain": "evil.example" }), true),
            ("unknown", json!("evil.example"), true),
            ("region", json!("us"), false),
            ("since", json!("2026-01-01"), false),
            ("size", json!(10), false),
        ] {
            let mut wanted = same.clone();
            wanted[name] = value;
            assert_eq!(refused(&wanted), elsewhere, "{name}");
            wanted["key"] = json!("given-anew-by-the-caller");
            assert!(!refused(&wanted), "{name}, with the secret");
        }
    }
}
