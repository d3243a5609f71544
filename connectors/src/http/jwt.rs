//! `JwtAuthenticator`: a token that is signed here, for each request.
//!
//! HMAC is the workspace's; RSA, ECDSA and Ed25519 are ring's, which every TLS connection of ours uses anyway. A
//! library for JWT was rejected: what is wanted of one is three base64 texts and two dots, and it would bring a second
//! choice of cryptography. What ring does not have (ES512, ES256K, encrypted keys) is refused when the manifest is
//! loaded.
//!
//! Signatures draw on the operating system's randomness and not on the one that is passed in: a nonce that a test
//! could foretell would give the key away.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use serde_json::{Map, Value};

use super::merge::Part;
use super::session::Session;
use crate::manifest::components::{JwtAlgorithm, JwtAuthenticator, TextMap};
use crate::read::ReadError;
use crate::template::ValidTypes;

/// The token, signed now, with its prefix.
pub(super) fn token(session: &Session, jwt: &JwtAuthenticator) -> Result<String, ReadError> {
    let header = header(session, jwt)?;
    let payload = payload(session, jwt)?;
    let signed = format!("{}.{}", encoded(&header), encoded(&payload));
    let secret = session.text(&jwt.secret_key, &[])?;
    let secret = if jwt.base64_encode_secret_key {
        STANDARD.encode(secret)
    } else {
        secret
    };
    let signature = sign(jwt.algorithm, &secret, signed.as_bytes())?;
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    session.hide(&token);
    let prefix = match &jwt.header_prefix {
        Some(prefix) => session.text(prefix, &[])?,
        None => String::new(),
    };
    Ok(if prefix.is_empty() {
        token
    } else {
        format!("{prefix} {token}")
    })
}

fn encoded(fields: &Map<String, Value>) -> String {
    URL_SAFE_NO_PAD.encode(Value::Object(fields.clone()).to_string())
}

fn header(session: &Session, jwt: &JwtAuthenticator) -> Result<Map<String, Value>, ReadError> {
    let mut fields = further(session, &jwt.additional_headers, "additional_jwt_headers")?;
    reserved(&fields, &["kid", "alg", "typ", "cty"], "additional_jwt_headers")?;
    for (name, text) in [("kid", &jwt.kid), ("typ", &jwt.typ), ("cty", &jwt.cty)] {
        if let Some(text) = text {
            fields.insert(name.to_owned(), Value::String(session.text(text, &[])?));
        }
    }
    fields.insert("alg".to_owned(), Value::from(jwt.algorithm.name()));
    // In the order of their names, as the reference's library writes them.
    let mut fields: Vec<_> = fields.into_iter().collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(fields.into_iter().collect())
}

fn payload(session: &Session, jwt: &JwtAuthenticator) -> Result<Map<String, Value>, ReadError> {
    let mut fields = further(session, &jwt.additional_payload, "additional_jwt_payload")?;
    let own = ["iss", "sub", "aud", "iat", "exp", "nbf"];
    reserved(&fields, &own, "additional_jwt_payload")?;
    if let Some(text) = &jwt.iss {
        fields.insert("iss".to_owned(), Value::String(session.text(text, &[])?));
    }
    for (name, text) in [("sub", &jwt.sub), ("aud", &jwt.aud)] {
        if let Some(text) = text {
            fields.insert(name.to_owned(), session.value(text, &[])?);
        }
    }
    let now = session.context.clock.now().timestamp();
    fields.insert("iat".to_owned(), Value::from(now));
    fields.insert(
        "exp".to_owned(),
        Value::from(now.saturating_add(jwt.token_duration)),
    );
    fields.insert("nbf".to_owned(), Value::from(now));
    Ok(fields)
}

fn further(session: &Session, map: &TextMap, what: &str) -> Result<Map<String, Value>, ReadError> {
    match session.pairs(map, &[], ValidTypes::ANY)? {
        Part::Mapping(fields) => Ok(fields),
        Part::Text(_) => Err(ReadError::config(format!("The {what} have to be a mapping."))),
    }
}

fn reserved(fields: &Map<String, Value>, names: &[&str], what: &str) -> Result<(), ReadError> {
    match names.iter().find(|name| fields.contains_key(**name)) {
        None => Ok(()),
        Some(name) => Err(ReadError::config(format!("{name} may not be among the {what}."))),
    }
}

fn sign(algorithm: JwtAlgorithm, secret: &str, message: &[u8]) -> Result<Vec<u8>, ReadError> {
    fn mac<M: Mac + KeyInit>(secret: &str, message: &[u8]) -> Result<Vec<u8>, ReadError> {
        let mut mac = <M as KeyInit>::new_from_slice(secret.as_bytes()).map_err(|_| unusable("a secret"))?;
        mac.update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
    match algorithm {
        JwtAlgorithm::Hs256 => mac::<Hmac<sha2::Sha256>>(secret, message),
        JwtAlgorithm::Hs384 => mac::<Hmac<sha2::Sha384>>(secret, message),
        JwtAlgorithm::Hs512 => mac::<Hmac<sha2::Sha512>>(secret, message),
        JwtAlgorithm::Rs256 => rsa(&signature::RSA_PKCS1_SHA256, secret, message),
        JwtAlgorithm::Rs384 => rsa(&signature::RSA_PKCS1_SHA384, secret, message),
        JwtAlgorithm::Rs512 => rsa(&signature::RSA_PKCS1_SHA512, secret, message),
        JwtAlgorithm::Ps256 => rsa(&signature::RSA_PSS_SHA256, secret, message),
        JwtAlgorithm::Ps384 => rsa(&signature::RSA_PSS_SHA384, secret, message),
        JwtAlgorithm::Ps512 => rsa(&signature::RSA_PSS_SHA512, secret, message),
        JwtAlgorithm::Es256 => ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, secret, message),
        JwtAlgorithm::Es384 => ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, secret, message),
        JwtAlgorithm::EdDsa => {
            let what = "an Ed25519 key (PEM, \"PRIVATE KEY\")";
            let (_, der) = pem(secret).ok_or_else(|| unusable(what))?;
            let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| unusable(what))?;
            Ok(key.sign(message).as_ref().to_vec())
        }
    }
}

fn rsa(
    padding: &'static dyn signature::RsaEncoding,
    secret: &str,
    message: &[u8],
) -> Result<Vec<u8>, ReadError> {
    let what = "an RSA key of 2048 bits or more (PEM, \"PRIVATE KEY\" or \"RSA PRIVATE KEY\")";
    let (label, der) = pem(secret).ok_or_else(|| unusable(what))?;
    let key = match label.as_str() {
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der),
        _ => RsaKeyPair::from_pkcs8(&der),
    };
    let key = key.map_err(|_| unusable(what))?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(padding, &SystemRandom::new(), message, &mut signature)
        .map_err(|_| unusable(what))?;
    Ok(signature)
}

fn ecdsa(
    algorithm: &'static signature::EcdsaSigningAlgorithm,
    secret: &str,
    message: &[u8],
) -> Result<Vec<u8>, ReadError> {
    let what = "an elliptic-curve key of the algorithm's curve (PEM, \"PRIVATE KEY\" or \"EC PRIVATE KEY\")";
    let random = SystemRandom::new();
    let (label, der) = pem(secret).ok_or_else(|| unusable(what))?;
    let key = if label == "EC PRIVATE KEY" {
        let (private, public) = sec1(&der).ok_or_else(|| unusable(what))?;
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, private, public, &random)
    } else {
        EcdsaKeyPair::from_pkcs8(algorithm, &der, &random)
    };
    let key = key.map_err(|_| unusable(what))?;
    let signature = key.sign(&random, message).map_err(|_| unusable(what))?;
    Ok(signature.as_ref().to_vec())
}

fn unusable(what: &str) -> ReadError {
    ReadError::config(format!("The JWT's secret_key has to be {what}."))
}

/// The label and the bytes of a PEM block. Configurations often hold the line breaks as `\n`, or none at all.
fn pem(text: &str) -> Option<(String, Vec<u8>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let body: String = body
        .replace("\\n", "")
        .chars()
        .filter(|character| !character.is_whitespace())
        .collect();
    Some((label.to_owned(), STANDARD.decode(body).ok()?))
}

/// The private and the public key of SEC 1's `ECPrivateKey`.
fn sec1(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (body, _) = element(der, 0x30)?;
    let (_, rest) = element(body, 0x02)?;
    let (private, mut rest) = element(rest, 0x04)?;
    if let Some((_, after)) = element(rest, 0xa0) {
        rest = after;
    }
    let (public, _) = element(rest, 0xa1)?;
    let (bits, _) = element(public, 0x03)?;
    // The first octet counts unused bits.
    Some((private, bits.get(1..)?))
}

/// The content of a DER element with this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = if short < 0x80 {
        (usize::from(short), rest)
    } else {
        let count = usize::from(short & 0x7f);
        let (octets, rest) = rest.split_at_checked(count).filter(|_| count <= 4)?;
        (
            octets.iter().fold(0, |sum, &octet| sum << 8 | usize::from(octet)),
            rest,
        )
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}
