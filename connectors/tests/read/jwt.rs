//! Tokens that are signed here. What is expected was made with airbyte-cdk 7.39.1 and the same keys.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::DateTime;
use connectors::read::{Checkpoint, ReadContext};
use platform::clock::ManualClock;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde_json::{Value, json};

use crate::upstream::{Upstream, connector, items, ok, pages, request};

const RSA: &str = include_str!("keys/rsa.pem");
const EC: &str = include_str!("keys/ec.pem");
const EC_PKCS8: &str = include_str!("keys/ec_pkcs8.pem");

/// The request that a read with this authenticator makes.
async fn asked(authenticator: &str, key: &str) -> Result<crate::upstream::Seen, String> {
    let upstream = Upstream::start(|_| ok(&json!({"data": []}))).await;
    let indented: String = authenticator
        .lines()
        .map(|line| format!("          {line}\n"))
        .collect();
    let with = format!(
        "http_method: GET\n        authenticator:\n          type: JwtAuthenticator\n{indented}      record_selector"
    );
    let yaml =
        items(&upstream.base(), "/items", "", "").replace("http_method: GET\n      record_selector", &with);
    let now = DateTime::from_timestamp(1_781_524_800, 0).unwrap();
    let context = ReadContext {
        clock: ManualClock::at(now).shared(),
        ..upstream.context()
    };
    let config = json!({"api_key": key, "iss": "me", "n": 5});
    let read = connector(&yaml)
        .read(&context, request(config, Checkpoint::default()))
        .unwrap();
    pages(read).await.map_err(|(_, error)| error.message)?;
    Ok(upstream.seen().remove(0))
}

fn signed(algorithm: &str, more: &str) -> String {
    format!(
        r#"secret_key: "{{{{ config['api_key'] }}}}"
algorithm: {algorithm}
token_duration: 600
header_prefix: Bearer
jwt_headers: {{kid: k1}}
jwt_payload: {{iss: "{{{{ config['iss'] }}}}", aud: you}}
additional_jwt_headers: {{zz: "1"}}
additional_jwt_payload: {{scope: "{{{{ config['n'] }}}}", flag: true}}
{more}"#
    )
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn the_token_is_the_reference_s() {
    let body = "eyJzY29wZSI6NSwiZmxhZyI6dHJ1ZSwiaXNzIjoibWUiLCJhdWQiOiJ5b3UiLCJpYXQiOjE3ODE1MjQ4MDAsImV4cCI6MTc4MTUyNTQwMCwibmJmIjoxNzgxNTI0ODAwfQ";
    let cases = [
        (
            signed("HS256", ""),
            "s3cret",
            "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIiwienoiOjF9",
            "7UA29dwYZAHxIAoNACaay4he_En5W2EKuYvntRZgAQY",
        ),
        (
            signed("HS512", "base64_encode_secret_key: true"),
            "s3cret",
            "eyJhbGciOiJIUzUxMiIsImtpZCI6ImsxIiwidHlwIjoiSldUIiwienoiOjF9",
            "8lDIbBHmdzxQMImezzHE11DdUMEcP0CcX4XuYiV7AUjTnOZDXz51A_C1YgbYzfR2J8tgYarDiNrtM_9Ig1FTEw",
        ),
        (
            signed("RS256", ""),
            RSA,
            "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIiwienoiOjF9",
            "c2iZ_Q3qHcxZpFcqat26K5oxtO7W89ECA75yGiQat2OSeUKKPPoWbwrM3RvG0NUzZxHCwQ0GD2xwbGxvD_tfPrMnKOupEpFpwM8y-e0q9EGPgF09dDYZVeyQlqSw1toms2YCqIwYi9rrJO2jkOeZ94UQvCugbmY4HFG0y7CgteZuWVl8QgfmTpDoyHH5t_HdMOWKlT3TL1sB4t-PpI8HU9O-1cAUzvJYxY82FjQ0arDg_ehZu0HXA21jLQzliHelD77sc1eTTo65SBHFNaHpuWrglqERCXunjRmMjAmCw_C4y9uY6mkhwE4j4Kg1II3a_dANWE1EqKshzTe3jw5ctw",
        ),
    ];
    for (authenticator, key, header, signature) in cases {
        let seen = asked(&authenticator, key).await.unwrap();
        assert_eq!(
            seen.header("authorization"),
            Some(&*format!("Bearer {header}.{body}.{signature}"))
        );
    }
}

#[tokio::test]
async fn elliptic_curve_keys_come_in_two_forms() {
    let der = STANDARD
        .decode(
            EC_PKCS8
                .lines()
                .filter(|line| !line.starts_with('-'))
                .collect::<String>(),
        )
        .unwrap();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &SystemRandom::new()).unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
    let in_one_line = EC_PKCS8.replace('\n', "\\n");
    for key in [EC, EC_PKCS8, &in_one_line] {
        let option = "request_option: {type: RequestOption, inject_into: request_parameter, field_name: jwt}";
        let seen = asked(&signed("ES256", option), key).await.unwrap();
        assert_eq!(seen.header("authorization"), None);
        let token = seen.get("jwt").unwrap().strip_prefix("Bearer ").unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let (header, body) = message.split_once('.').unwrap();
        assert_eq!(
            decoded(header),
            json!({"alg": "ES256", "kid": "k1", "typ": "JWT", "zz": 1})
        );
        assert_eq!(decoded(body)["iss"], "me");
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        public.verify(message.as_bytes(), &signature).unwrap();
    }
}

#[tokio::test]
async fn a_key_that_does_not_fit_is_said_without_it() {
    for (algorithm, key) in [
        ("RS256", "no-key"),
        ("ES256", RSA),
        ("RS256", EC),
        ("EdDSA", EC_PKCS8),
    ] {
        let message = asked(&signed(algorithm, ""), key).await.unwrap_err();
        assert!(
            message.starts_with("The JWT's secret_key has to be") && !message.contains("no-key"),
            "{message}"
        );
    }
    let reserved = signed("HS256", "").replace("scope:", "exp:");
    let message = asked(&reserved, "key").await.unwrap_err();
    assert_eq!(message, "exp may not be among the additional_jwt_payload.");
}
