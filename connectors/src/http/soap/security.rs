//! WS-Security's UsernameToken: the name, and the password or its digest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::SecondsFormat;
use quick_xml::escape::escape;
use sha1::{Digest as _, Sha1};

use super::super::session::{Names, Session};
use crate::manifest::components::UsernameToken;
use crate::read::ReadError;

const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const PROFILE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0";
const BASE64: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";

/// The header's element.
pub(super) fn username_token(
    session: &Session,
    token: &UsernameToken,
    names: &Names<'_>,
) -> Result<String, ReadError> {
    let username = session.text(&token.username, names)?;
    let password = session.text(&token.password, names)?;
    let username = escape(username.as_str());
    let inside = if token.digest {
        let mut nonce = [0_u8; 16];
        session.context.random.fill(&mut nonce);
        let created = session
            .context
            .clock
            .now()
            .to_rfc3339_opts(SecondsFormat::Millis, true);
        let digest = digest(&nonce, &created, &password);
        session.hide(&digest);
        format!(
            "<wsse:Password Type=\"{PROFILE}#PasswordDigest\">{digest}</wsse:Password>\
             <wsse:Nonce EncodingType=\"{BASE64}\">{}</wsse:Nonce><wsu:Created>{created}</wsu:Created>",
            STANDARD.encode(nonce)
        )
    } else {
        format!(
            "<wsse:Password Type=\"{PROFILE}#PasswordText\">{}</wsse:Password>",
            escape(password.as_str())
        )
    };
    Ok(format!(
        "<wsse:Security soapenv:mustUnderstand=\"1\" xmlns:wsse=\"{WSSE}\" xmlns:wsu=\"{WSU}\">\
         <wsse:UsernameToken><wsse:Username>{username}</wsse:Username>{inside}</wsse:UsernameToken></wsse:Security>"
    ))
}

/// Base64(SHA-1(nonce + created + password)), as the profile has it.
fn digest(nonce: &[u8], created: &str, password: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(nonce);
    hash.update(created);
    hash.update(password);
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_profiles() {
        // Computed with Python's hashlib.
        let nonce = STANDARD.decode("AAECAwQFBgcICQoLDA0ODw==").unwrap();
        assert_eq!(digest(&nonce, "2026-01-02T03:04:05.000Z", "secret"), DIGEST);
    }

    const DIGEST: &str = "1GZoXQfvOOzts70qPCbayodt23w=";
}
