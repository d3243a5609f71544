//! Signatures of requests, version 4: what AWS asks for and everybody who speaks its language.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use url::Url;

/// Who signs.
pub(super) struct Credentials {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

/// The hash of a body that is not there.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Percent-encoded as signatures have it: everything but letters, digits and `-._~`, in capitals.
pub(super) fn encode(text: &str, slashes: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if plain || (slashes && byte == b'/') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The query, as it is signed and sent.
pub(super) fn canonical_query(query: &[(&str, String)]) -> String {
    let mut pairs: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name, false), encode(value, false)))
        .collect();
    pairs.sort();
    pairs.join("&")
}

/// The headers that prove a GET; `path` is the encoded one.
pub(super) fn headers(
    credentials: &Credentials,
    region: &str,
    url: &Url,
    path: &str,
    query: &str,
    now: DateTime<Utc>,
) -> Vec<(&'static str, String)> {
    let moment = now.format("%Y%m%dT%H%M%SZ").to_string();
    let day = now.format("%Y%m%d").to_string();
    let host = crate::http::gate::host(url);
    let mut signed = vec![
        ("host", host),
        ("x-amz-content-sha256", EMPTY.to_owned()),
        ("x-amz-date", moment.clone()),
    ];
    if let Some(token) = &credentials.token {
        signed.push(("x-amz-security-token", token.clone()));
    }
    let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = signed
        .iter()
        .map(|(name, value)| format!("{name}:{}\n", value.trim()))
        .collect();
    let request = format!("GET\n{path}\n{query}\n{lines}\n{names}\n{EMPTY}");
    let scope = format!("{day}/{region}/s3/aws4_request");
    let text = format!(
        "AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}",
        lower_hex(&Sha256::digest(request))
    );
    let mut key = format!("AWS4{}", credentials.secret).into_bytes();
    for part in [&*day, region, "s3", "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = lower_hex(&mac(&key, &text));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        credentials.id
    );
    // The client writes the host itself.
    signed.remove(0);
    signed.push(("authorization", authorization));
    signed
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn lower_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    /// "GET Bucket (List Objects)" of the examples in AWS's documentation of the signature.
    #[test]
    fn the_documented_example_has_the_documented_signature() {
        let credentials = Credentials {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
        };
        let query = canonical_query(&[("prefix", "J".to_owned()), ("max-keys", "2".to_owned())]);
        assert_eq!(query, "max-keys=2&prefix=J");
        let url = Url::parse("https://examplebucket.s3.amazonaws.com/").unwrap();
        let now = Utc.with_ymd_and_hms(2013, 5, 24, 0, 0, 0).unwrap();
        let headers = headers(&credentials, "us-east-1", &url, "/", &query, now);
        let (_, authorization) = headers.last().unwrap();
        assert!(
            authorization
                .ends_with("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
            "{authorization}"
        );
    }

    #[test]
    fn keys_are_encoded_as_they_are_signed() {
        assert_eq!(encode("a b/ü+(1).csv", true), "a%20b/%C3%BC%2B%281%29.csv");
        assert_eq!(encode("a/b", false), "a%2Fb");
    }
}
