//! Tokens of an issuer that changes its keys.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::settings::{IdentitySettings, ServerSettings};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::websocket::{Said, Socket};
use crate::wire::{self, Answer};

const AUDIENCE: &str = "syncline";
/// Of nobody: made for this test with `openssl genrsa 2048`.
const RSA: &[u8] = include_bytes!("tokens_rsa.der");

enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl Pair {
    fn p256() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::P256(
            EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random)
                .unwrap()
                .into(),
        )
    }

    fn ed25519() -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap().into())
    }

    fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(RSA).unwrap().into())
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn jwk(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                let (n, e) = (&public.n, &public.e);
                json!({ "kty": "RSA", "kid": id, "use": "sig", "alg": "RS256", "n": text(n), "e": text(e) })
            }
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": text(&point[1..33]), "y": text(&point[33..]) })
            }
            Self::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": text(pair.public_key().as_ref()) })
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Self::P256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// An issuer as a test has it: its keys, and how often it was asked for them.
#[derive(Clone)]
struct Issuer {
    url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            keys: Arc::default(),
            asked: Arc::default(),
        };
        let discovery = async |State(issuer): State<Self>| {
            Json(json!({ "issuer": issuer.url, "jwks_uri": format!("{}/keys", issuer.url) }))
        };
        let keys = async |State(issuer): State<Self>| {
            issuer.asked.fetch_add(1, Ordering::SeqCst);
            Json(json!({ "keys": *issuer.keys.lock().unwrap() }))
        };
        let router = axum::Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .with_state(issuer.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        issuer
    }

    fn publish(&self, keys: &[(&str, &Pair)]) {
        *self.keys.lock().unwrap() = keys.iter().map(|(id, pair)| pair.jwk(id)).collect();
    }
}

struct Server {
    fixture: Fixture,
    issuer: Issuer,
}

impl Server {
    async fn start() -> Self {
        let issuer = Issuer::start().await;
        let settings = ServerSettings {
            identity: Some(IdentitySettings {
                issuer: issuer.url.clone(),
                audience: AUDIENCE.to_owned(),
                client_claim: "syncline_client".to_owned(),
                scopes_claim: "scope".to_owned(),
            }),
            ..ServerSettings::default()
        };
        let fixture = Fixture::with(settings).await;
        fixture.client("acme").await;
        Self { fixture, issuer }
    }

    /// Claims that are let in.
    fn claims(&self) -> Value {
        let now = self.fixture.engine.clock.now().timestamp();
        json!({
            "iss": self.issuer.url, "aud": AUDIENCE, "sub": "ann", "exp": now + 300, "nbf": now - 1,
            "syncline_client": "acme", "scope": "openid runs:read clients:read",
        })
    }

    async fn ask(&self, token: &str) -> Answer {
        let body = json!({ "query": "{ viewer { name kind scopes client { slug } } }" }).to_string();
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        wire::post(self.fixture.address, "/graphql", &headers, body.as_bytes()).await
    }

    async fn refuses(&self, token: &str, why: &str) {
        let answer = self.ask(token).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "UNAUTHENTICATED"),
            "{why}"
        );
    }
}

fn token_with(header: &Value, claims: &Value, pair: &Pair) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn token(id: &str, claims: &Value, pair: &Pair) -> String {
    token_with(
        &json!({ "alg": pair.name(), "kid": id, "typ": "JWT" }),
        claims,
        pair,
    )
}

#[tokio::test]
async fn a_token_is_who_its_claims_say() {
    let server = Server::start().await;
    let pairs = [("r", Pair::rsa()), ("p", Pair::p256()), ("e", Pair::ed25519())];
    server
        .issuer
        .publish(&pairs.each_ref().map(|(id, pair)| (*id, pair)));
    for (id, pair) in &pairs {
        let answer = server.ask(&token(id, &server.claims(), pair)).await.json();
        assert_eq!(
            answer["data"]["viewer"],
            json!({ "name": "holder of a token", "kind": "CLIENT", "scopes": ["clients:read", "runs:read"], "client": { "slug": "acme" } }),
            "{id}: {answer}"
        );
    }
    let mut claims = server.claims();
    (claims["syncline_client"], claims["scope"]) = (json!("*"), json!(["*"]));
    let answer = server.ask(&token("r", &claims, &pairs[0].1)).await.json();
    assert_eq!(answer["data"]["viewer"]["kind"], "OPERATOR");
    // The token binds: what is another client's is not there.
    let other = server.fixture.client("other").await;
    let body = json!({ "query": "query ($id: ID!) { node(id: $id) { id } }", "variables": { "id": other } })
        .to_string();
    let bearer = format!("Bearer {}", token("e", &server.claims(), &pairs[2].1));
    let answer = wire::post(
        server.fixture.address,
        "/graphql",
        &[("authorization", &bearer)],
        body.as_bytes(),
    )
    .await;
    assert_eq!(answer.text(), r#"{"data":{"node":null}}"#);
}

#[tokio::test]
async fn what_is_wrong_with_a_token_keeps_it_out() {
    let server = Server::start().await;
    let (pair, other) = (Pair::ed25519(), Pair::ed25519());
    server.issuer.publish(&[("e", &pair)]);
    let good = server.claims();
    assert_eq!(server.ask(&token("e", &good, &pair)).await.status, 200);
    let now = server.fixture.engine.clock.now().timestamp();
    for (name, wrong) in [
        ("iss", json!("https://elsewhere.example")),
        ("iss", json!(format!("{}/", server.issuer.url))),
        ("aud", json!("somebody-else")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("exp", json!(now - 31)),
        ("exp", Value::Null),
        ("nbf", json!(now + 60)),
        ("sub", Value::Null),
        ("syncline_client", Value::Null),
        ("syncline_client", json!("nobody")),
        ("syncline_client", json!("")),
    ] {
        let mut claims = good.clone();
        claims[name] = wrong.clone();
        server
            .refuses(&token("e", &claims, &pair), &format!("{name}: {wrong}"))
            .await;
    }
    server
        .refuses(&token("e", &good, &other), "another's signature")
        .await;
    for algorithm in ["none", "None", "HS256", "ES256", "RS256", ""] {
        let header = json!({ "alg": algorithm, "kid": "e" });
        server
            .refuses(&token_with(&header, &good, &pair), algorithm)
            .await;
    }
    let unsigned = token_with(&json!({ "alg": "none" }), &good, &pair);
    let (message, _) = unsigned.rsplit_once('.').unwrap();
    server.refuses(&format!("{message}."), "no signature").await;
    let critical = json!({ "alg": "EdDSA", "kid": "e", "crit": ["exp"], "exp": 1 });
    server
        .refuses(&token_with(&critical, &good, &pair), "critical")
        .await;
    let signed = token("e", &good, &pair);
    let (message, signature) = signed.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let mut raised = good.clone();
    raised["scope"] = json!("*");
    let raised = URL_SAFE_NO_PAD.encode(raised.to_string());
    server
        .refuses(&format!("{header}.{raised}.{signature}"), "changed claims")
        .await;
    for text in [
        "..",
        "a.b.c",
        &format!("{header}..{signature}"),
        &"a".repeat(20_000),
    ] {
        server.refuses(text, text).await;
    }
}

#[tokio::test]
async fn a_new_key_is_read_once_it_is_named_and_not_for_every_unknown_name() {
    let server = Server::start().await;
    let (old, new) = (Pair::p256(), Pair::p256());
    server.issuer.publish(&[("old", &old)]);
    assert_eq!(
        server.ask(&token("old", &server.claims(), &old)).await.status,
        200
    );
    assert_eq!(server.issuer.asked.load(Ordering::SeqCst), 1);
    // Within the minute after a reading nobody is asked again, whoever makes up names.
    server.issuer.publish(&[("old", &old), ("new", &new)]);
    for name in ["new", "made up", "and another"] {
        server.refuses(&token(name, &server.claims(), &new), name).await;
    }
    assert_eq!(
        server.ask(&token("old", &server.claims(), &old)).await.status,
        200
    );
    assert_eq!(server.issuer.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn keys_change_with_the_time() {
    let clock = platform::clock::ManualClock::at(chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let issuer = Issuer::start().await;
    let settings = ServerSettings {
        identity: Some(IdentitySettings {
            issuer: issuer.url.clone(),
            audience: AUDIENCE.to_owned(),
            client_claim: "syncline_client".to_owned(),
            scopes_claim: "scope".to_owned(),
        }),
        ..ServerSettings::default()
    };
    let fixture = Fixture::on(settings, clock.shared()).await;
    fixture.client("acme").await;
    let server = Server { fixture, issuer };
    let (old, new) = (Pair::p256(), Pair::p256());
    server.issuer.publish(&[("old", &old)]);
    assert_eq!(
        server.ask(&token("old", &server.claims(), &old)).await.status,
        200
    );
    server.issuer.publish(&[("new", &new)]);
    clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(
        server.ask(&token("new", &server.claims(), &new)).await.status,
        200,
        "named, and read"
    );
    assert_eq!(server.issuer.asked.load(Ordering::SeqCst), 2);
    server
        .refuses(
            &token("old", &server.claims(), &old),
            "the issuer has withdrawn it",
        )
        .await;
    // A key that everybody names is withdrawn too: an hour later at the latest.
    server.issuer.publish(&[("newest", &old)]);
    clock.advance(std::time::Duration::from_secs(60 * 60));
    server
        .refuses(&token("new", &server.claims(), &new), "withdrawn")
        .await;
    assert_eq!(server.issuer.asked.load(Ordering::SeqCst), 3);
    assert_eq!(
        server.ask(&token("newest", &server.claims(), &old)).await.status,
        200
    );
}

#[tokio::test]
async fn an_issuer_that_is_away_is_no_fault_of_the_token() {
    let server = Server::start().await;
    let pair = Pair::ed25519();
    *server.issuer.keys.lock().unwrap() = vec![json!("no key")];
    server
        .refuses(&token("e", &server.claims(), &pair), "no such key")
        .await;
    let gone = Server {
        fixture: Fixture::with(ServerSettings {
            identity: Some(IdentitySettings {
                issuer: "http://127.0.0.1:9".to_owned(),
                audience: AUDIENCE.to_owned(),
                client_claim: "syncline_client".to_owned(),
                scopes_claim: "scope".to_owned(),
            }),
            ..ServerSettings::default()
        })
        .await,
        issuer: Issuer::start().await,
    };
    let answer = gone.ask(&token("e", &gone.claims(), &pair)).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "UNAVAILABLE"));
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let server = Server::start().await;
    let pair = Pair::ed25519();
    server.issuer.publish(&[("e", &pair)]);
    let mut claims = server.claims();
    // Less the half minute that clocks may differ by.
    claims["exp"] = json!(server.fixture.engine.clock.now().timestamp() - 28);
    let mut socket = Socket::connect(&server.fixture, Some("graphql-transport-ws")).await;
    let bearer = format!("Bearer {}", token("e", &claims, &pair));
    socket
        .say(json!({ "type": "connection_init", "payload": { "Authorization": bearer } }))
        .await;
    assert_eq!(socket.message().await["type"], "connection_ack");
    assert_eq!(socket.hear().await, Said::Closed(4403));
}
