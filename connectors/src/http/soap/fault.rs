//! What a fault says.
//!
//! SOAP 1.1 says `Client` where 1.2 says `Sender`, and `Server` for `Receiver`; what is more exact is after a dot, or in
//! a subcode. Faults come with status 500 whoever is to blame, so the status is not asked.

use serde_json::Value;

use super::super::excerpt;
use super::super::session::Session;
use super::super::verdict::Said;
use crate::read::ErrorKind;

pub(super) fn read(session: &Session, fault: &Value) -> Said {
    let codes = codes(fault);
    let (kind, code, retryable) = classify(&codes);
    let reason = text(fault.get("faultstring"))
        .or_else(|| text(fault.get("Reason").and_then(|reason| reason.get("Text"))))
        .and_then(|said| excerpt::presentable(&session.scrub(&said)))
        .unwrap_or_else(|| "no reason given".to_owned());
    let shown =
        excerpt::presentable(&session.scrub(&codes.join(", "))).unwrap_or_else(|| "no code".to_owned());
    Said {
        kind,
        code,
        retryable,
        message: format!("The upstream answered with a SOAP fault ({shown}): {reason}"),
    }
}

/// The codes without their prefixes, from the general to the exact.
fn codes(fault: &Value) -> Vec<String> {
    let mut found: Vec<String> = text(fault.get("faultcode")).into_iter().collect();
    let mut code = fault.get("Code");
    // Subcodes nest; nobody has more than a few.
    for _ in 0..8 {
        let Some(here) = code else { break };
        found.extend(text(here.get("Value")));
        code = here.get("Subcode");
    }
    found
        .iter()
        .map(|code| code.rsplit(':').next().unwrap_or_default().trim().to_owned())
        .filter(|code| !code.is_empty())
        .collect()
}

/// The text of an element, with attributes or without; of several (languages) the first.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Object(fields) => text(fields.get("#text")),
        Value::Array(items) => text(items.first()),
        _ => None,
    }
}

/// Codes of WS-Security, and of APIs with many users, that mean the credential.
const AUTH: [&str; 12] = [
    "AUTHENTICATION",
    "AUTHORIZATION",
    "FAILEDAUTHENTICATION",
    "FAILEDCHECK",
    "INVALIDSECURITY",
    "INVALIDSECURITYTOKEN",
    "SECURITYTOKENUNAVAILABLE",
    "UNSUPPORTEDSECURITYTOKEN",
    "INVALIDCREDENTIALS",
    "INVALIDLOGIN",
    "INVALIDSESSIONID",
    "ACCESSDENIED",
];

/// Codes that mean patience.
const LIMITS: [&str; 6] = [
    "RATELIMITED",
    "RATELIMITEXCEEDED",
    "REQUESTLIMITEXCEEDED",
    "THROTTLED",
    "THROTTLING",
    "TOOMANYREQUESTS",
];

fn classify(codes: &[String]) -> (ErrorKind, &'static str, bool) {
    let is_one = |words: &[&str]| {
        codes.iter().flat_map(|code| code.split('.')).any(|part| {
            let plain: String = part
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .collect::<String>()
                .to_ascii_uppercase();
            words.contains(&plain.as_str())
        })
    };
    if is_one(&LIMITS) {
        return (ErrorKind::RateLimited, "SOAP_RATE_LIMITED", true);
    }
    if is_one(&AUTH) {
        return (ErrorKind::Auth, "SOAP_AUTH", false);
    }
    let general = codes.first().and_then(|code| code.split('.').next());
    match general {
        Some("VersionMismatch" | "MustUnderstand" | "DataEncodingUnknown") => {
            (ErrorKind::Config, "SOAP_MISMATCH", false)
        }
        Some("Client" | "Sender") => (ErrorKind::Upstream, "SOAP_CLIENT", false),
        // A code of the upstream's own says nothing about whose fault it is: it may pass.
        _ => (ErrorKind::Upstream, "SOAP_SERVER", true),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn class(fault: &Value) -> (ErrorKind, &'static str, bool) {
        classify(&codes(fault))
    }

    #[test]
    fn both_versions_have_the_same_faults() {
        let one = |code: &str| class(&json!({ "faultcode": code, "faultstring": "x" }));
        let two = |code: &str, sub: &str| {
            class(&json!({"Code": {"Value": code, "Subcode": {"Value": sub}}, "Reason": {"Text": "x"}}))
        };
        let client = (ErrorKind::Upstream, "SOAP_CLIENT", false);
        let server = (ErrorKind::Upstream, "SOAP_SERVER", true);
        let auth = (ErrorKind::Auth, "SOAP_AUTH", false);
        assert_eq!(one("soap:Client"), client);
        assert_eq!(two("s:Sender", "x:BadDate"), client);
        assert_eq!(one("soap:Server"), server);
        assert_eq!(two("s:Receiver", "x:Busy"), server);
        assert_eq!(one("x:Whatever"), server);
        assert_eq!(one("Client.Authentication"), auth);
        assert_eq!(one("wsse:FailedAuthentication"), auth);
        assert_eq!(two("s:Sender", "wsse:InvalidSecurityToken"), auth);
        assert_eq!(one("sf:INVALID_SESSION_ID"), auth);
        assert_eq!(
            one("sf:REQUEST_LIMIT_EXCEEDED"),
            (ErrorKind::RateLimited, "SOAP_RATE_LIMITED", true)
        );
        assert_eq!(
            one("s:MustUnderstand"),
            (ErrorKind::Config, "SOAP_MISMATCH", false)
        );
    }
}
