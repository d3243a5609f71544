//! What a token says.

use chrono::{DateTime, Utc};
use platform::settings::IdentitySettings;
use serde_json::Value;

/// Scopes that are looked at.
const MOST_SCOPES: usize = 200;

/// Whose things the holder may see.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Operator,
    Client(String),
}

/// What a token says, once its signature is known to be good.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) issuer: String,
    pub(super) audience: Vec<String>,
    pub(super) subject: String,
    pub(super) expires: DateTime<Utc>,
    pub(super) not_before: Option<DateTime<Utc>>,
    pub(super) owner: Owner,
    pub(super) scopes: Vec<String>,
}

impl Claims {
    /// The claims that there must be; none where one is missing or is no such thing.
    pub(super) fn read(payload: &[u8], settings: &IdentitySettings) -> Option<Self> {
        let claims: Value = serde_json::from_slice(payload).ok()?;
        let text = |name: &str| claims.get(name)?.as_str().map(str::to_owned);
        let not_before = match claims.get("nbf") {
            None | Some(Value::Null) => None,
            Some(time) => Some(instant(time)?),
        };
        let owner = match text(&settings.client_claim)?.as_str() {
            "" => return None,
            "*" => Owner::Operator,
            client => Owner::Client(client.to_owned()),
        };
        Some(Self {
            issuer: text("iss")?,
            audience: texts(claims.get("aud")?)?,
            subject: text("sub").filter(|subject| !subject.is_empty())?,
            expires: instant(claims.get("exp")?)?,
            not_before,
            owner,
            scopes: scopes(claims.get(&settings.scopes_claim)),
        })
    }
}

/// Seconds since the epoch; some issuers write parts of one.
fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let seconds = value.as_f64().filter(|seconds| (0.0..1e11).contains(seconds))?;
    DateTime::from_timestamp(seconds as i64, 0)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    }
}

/// One text with spaces between, as OAuth has it, or a list.
fn scopes(value: Option<&Value>) -> Vec<String> {
    let texts = value.and_then(texts).unwrap_or_default();
    let words = texts.iter().flat_map(|text| text.split_whitespace());
    words.take(MOST_SCOPES).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(change: impl FnOnce(&mut Value)) -> Option<Claims> {
        let settings = IdentitySettings {
            issuer: "https://login.example".to_owned(),
            audience: "syncline".to_owned(),
            client_claim: "tenant".to_owned(),
            scopes_claim: "permissions".to_owned(),
        };
        let mut claims = json!({
            "iss": "https://login.example", "aud": ["other", "syncline"], "sub": "ann", "exp": 1_800_000_000,
            "tenant": "acme", "permissions": ["runs:read", "openid profile"],
        });
        change(&mut claims);
        Claims::read(claims.to_string().as_bytes(), &settings)
    }

    #[test]
    fn everything_that_matters_must_be_there() {
        let claims = read(|_| {}).unwrap();
        assert_eq!(claims.owner, Owner::Client("acme".to_owned()));
        assert_eq!(claims.scopes, ["runs:read", "openid", "profile"]);
        assert_eq!(claims.audience, ["other", "syncline"]);
        for name in ["iss", "aud", "sub", "exp", "tenant"] {
            for wrong in [Value::Null, json!(""), json!({}), json!([1])] {
                // An empty text is an issuer or an audience, and not ours.
                if wrong == json!("") && matches!(name, "iss" | "aud") {
                    continue;
                }
                assert_eq!(
                    read(|claims| claims[name] = wrong.clone()),
                    None,
                    "{name}: {wrong}"
                );
            }
        }
        assert_eq!(read(|claims| claims["nbf"] = json!("soon")), None);
        assert_eq!(read(|claims| claims["exp"] = json!(-1)), None);
        assert!(
            read(|claims| claims["permissions"] = Value::Null)
                .unwrap()
                .scopes
                .is_empty()
        );
        assert_eq!(
            read(|claims| claims["tenant"] = json!("*")).unwrap().owner,
            Owner::Operator
        );
    }
}
