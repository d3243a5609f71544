//! What of a request is the API's, what is this person's, and what is secret.
//!
//! Credentials are known by the names under which they are sent. They are taken out of the request and asked for by
//! the connector's specification, so the manifest can be shown to anybody.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

/// Words in the names of headers and parameters that carry credentials.
const SECRET_WORDS: [&str; 7] = ["key", "token", "auth", "secret", "appid", "password", "signature"];
/// Parameters that have such a word and are no credential.
const HARMLESS: [&str; 6] = [
    "page_token",
    "pagetoken",
    "next_token",
    "nexttoken",
    "keyword",
    "keywords",
];
/// Parameters that ask for what changed since a moment.
const SINCE: [&str; 12] = [
    "updated_since",
    "updated_after",
    "updated_at_min",
    "modified_since",
    "modified_after",
    "changed_since",
    "since",
    "start_date",
    "updated_from",
    "updatedsince",
    "modifiedsince",
    "updatedafter",
];

/// How a request proves who sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// `Authorization: Bearer …`.
    Bearer,
    /// `Authorization: Basic …`.
    Basic,
    /// A header of this name.
    Header(String),
    /// A parameter of this name.
    Parameter(String),
}

/// A request, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Scheme, host, and what leads to the API.
    pub base_url: String,
    /// What is asked for there.
    pub path: String,
    /// What the address calls the records.
    pub subject: String,
    /// Parameters, without credentials.
    pub parameters: Vec<(String, String)>,
    /// Headers, without credentials.
    pub headers: Vec<(String, String)>,
    /// The credential.
    pub credential: Option<Credential>,
}

/// A request taken apart, and the values that the configuration has to hold for it.
pub(super) fn take_apart(url: &Url, headers: &[(String, String)]) -> (Address, Vec<(&'static str, String)>) {
    let mut values = Vec::new();
    let mut credential = None;
    let mut plain = Vec::new();
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("authorization") && credential.is_none() {
            credential = Some(authorization(name, value, &mut values));
        } else if is_secret(name) && credential.is_none() {
            credential = Some(Credential::Header(name.clone()));
            values.push(("api_key", value.clone()));
        } else if !is_secret(name) {
            plain.push((name.clone(), value.clone()));
        }
    }
    let mut parameters = Vec::new();
    for (name, value) in url.query_pairs().into_owned() {
        if !is_secret(&name) {
            parameters.push((name, value));
        } else if credential.is_none() {
            values.push(("api_key", value));
            credential = Some(Credential::Parameter(name));
        }
    }
    let trimmed = url.path().trim_matches('/');
    let (prefix, last) = trimmed.rsplit_once('/').unwrap_or(("", trimmed));
    let mut base_url = url.origin().ascii_serialization();
    if !prefix.is_empty() {
        base_url.push('/');
        base_url.push_str(prefix);
    }
    let subject = last.split('.').next().unwrap_or_default();
    let address = Address {
        base_url,
        path: format!("/{last}"),
        subject: if subject.is_empty() {
            "records".to_owned()
        } else {
            subject.to_owned()
        },
        parameters,
        headers: plain,
        credential,
    };
    (address, values)
}

fn authorization(name: &str, value: &str, values: &mut Vec<(&'static str, String)>) -> Credential {
    let (scheme, rest) = value.split_once(' ').unwrap_or(("", value));
    if scheme.eq_ignore_ascii_case("bearer") {
        values.push(("api_key", rest.trim().to_owned()));
        return Credential::Bearer;
    }
    let decoded = STANDARD
        .decode(rest.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    if scheme.eq_ignore_ascii_case("basic")
        && let Some((username, password)) = decoded.as_deref().and_then(|text| text.split_once(':'))
    {
        values.push(("username", username.to_owned()));
        values.push(("password", password.to_owned()));
        return Credential::Basic;
    }
    values.push(("api_key", value.to_owned()));
    Credential::Header(name.to_owned())
}

/// Whether what is sent under this name is a credential.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !HARMLESS.contains(&name.as_str())
        && name != "idempotency-key"
        && SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Whether the parameter asks for what changed since a moment.
pub(super) fn asks_since(name: &str) -> bool {
    SINCE.contains(&name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_of_the_request() {
        let apart = |url: &str, headers: &[(&str, &str)]| {
            let headers: Vec<(String, String)> = headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            take_apart(&Url::parse(url).unwrap(), &headers)
        };
        let (address, values) = apart(
            "https://api.example.com/v1/orders.json?limit=5&page_token=x",
            &[("X-Api-Key", "s3cret"), ("Accept", "application/json")],
        );
        assert_eq!(address.base_url, "https://api.example.com/v1");
        assert_eq!(
            (address.path.as_str(), address.subject.as_str()),
            ("/orders.json", "orders")
        );
        assert_eq!(
            address.credential,
            Some(Credential::Header("X-Api-Key".to_owned()))
        );
        assert_eq!(values, [("api_key", "s3cret".to_owned())]);
        assert_eq!(address.headers.len(), 1);
        assert_eq!(address.parameters.len(), 2, "a page token is no credential");
        let (address, values) = apart("https://e.com/?appid=k", &[]);
        assert_eq!(
            address.credential,
            Some(Credential::Parameter("appid".to_owned()))
        );
        assert_eq!(
            (address.base_url.as_str(), address.path.as_str()),
            ("https://e.com", "/")
        );
        assert_eq!(values, [("api_key", "k".to_owned())]);
        let (address, values) = apart("https://e.com/a", &[("authorization", "Basic dTpw")]);
        assert_eq!(address.credential, Some(Credential::Basic));
        assert_eq!(
            values,
            [("username", "u".to_owned()), ("password", "p".to_owned())]
        );
    }
}
