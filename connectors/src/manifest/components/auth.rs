//! How a request proves who asks.

use indexmap::IndexMap;

use super::{Condition, Decoder, HttpRequester, RequestOption, RotatingTokensAuthenticator, Text, TextMap};

/// Any of the format's authenticators.
#[derive(Debug, Clone, Default)]
pub enum Authenticator {
    /// `NoAuth`, or none given.
    #[default]
    None,
    /// `ApiKeyAuthenticator`
    ApiKey(ApiKeyAuthenticator),
    /// `BearerAuthenticator`: `Authorization: Bearer <token>`
    Bearer {
        /// The token.
        api_token: Text,
    },
    /// `BasicHttpAuthenticator`
    Basic {
        /// The user.
        username: Text,
        /// The password; an empty text where the manifest has none.
        password: Text,
    },
    /// `JwtAuthenticator`
    Jwt(Box<JwtAuthenticator>),
    /// `OAuthAuthenticator`
    OAuth(Box<OAuthAuthenticator>),
    /// `LegacySessionTokenAuthenticator`
    LegacySessionToken(Box<LegacySessionTokenAuthenticator>),
    /// `RateLimitedMultipleTokenAuthenticator`
    RotatingTokens(Box<RotatingTokensAuthenticator>),
    /// `SessionTokenAuthenticator`
    SessionToken(Box<SessionTokenAuthenticator>),
    /// `SelectiveAuthenticator`
    Selective(Box<SelectiveAuthenticator>),
}

/// `ApiKeyAuthenticator`.
#[derive(Debug, Clone)]
pub struct ApiKeyAuthenticator {
    /// The key.
    pub api_token: Text,
    /// Where it goes (`header: X` reads as an option that injects into header X).
    pub inject_into: RequestOption,
}

/// `JwtAuthenticator`: a token that is signed here.
#[derive(Debug, Clone)]
pub struct JwtAuthenticator {
    /// The secret, or the private key in PEM.
    pub secret_key: Text,
    /// Whether the secret is base64-encoded before it signs.
    pub base64_encode_secret_key: bool,
    /// How it is signed.
    pub algorithm: JwtAlgorithm,
    /// How long a token is good, in seconds.
    pub token_duration: i64,
    /// Put before the token, with a space.
    pub header_prefix: Option<Text>,
    /// The header `kid`.
    pub kid: Option<Text>,
    /// The header `typ`.
    pub typ: Option<Text>,
    /// The header `cty`.
    pub cty: Option<Text>,
    /// Further headers of the token.
    pub additional_headers: TextMap,
    /// The claim `iss`.
    pub iss: Option<Text>,
    /// The claim `sub`.
    pub sub: Option<Text>,
    /// The claim `aud`.
    pub aud: Option<Text>,
    /// Further claims.
    pub additional_payload: TextMap,
    /// Where the token goes; without one, the header Authorization.
    pub request_option: Option<RequestOption>,
}

/// How a JWT is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "RFC 7518 and RFC 8037 say what each is")]
pub enum JwtAlgorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl JwtAlgorithm {
    /// Each with its name.
    pub(crate) const ALL: [(&str, Self); 12] = [
        ("HS256", Self::Hs256),
        ("HS384", Self::Hs384),
        ("HS512", Self::Hs512),
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("EdDSA", Self::EdDsa),
    ];

    /// Its name in a token.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, algorithm)| *algorithm == self)
            .map_or("none", |(name, _)| name)
    }
}

/// `OAuthAuthenticator`.
#[derive(Debug, Clone)]
pub struct OAuthAuthenticator {
    /// Where a token is asked for; without one, `access_token_value` is used as it is.
    pub token_refresh_endpoint: Option<Text>,
    /// The field name of the client's id in the token request.
    pub client_id_name: Text,
    /// The client's id.
    pub client_id: Option<Text>,
    /// The field name of the client's secret.
    pub client_secret_name: Text,
    /// The client's secret.
    pub client_secret: Option<Text>,
    /// The field name of the refresh token.
    pub refresh_token_name: Text,
    /// The refresh token.
    pub refresh_token: Option<Text>,
    /// The field name of the access token in the answer.
    pub access_token_name: Text,
    /// A token that is there already.
    pub access_token_value: Option<Text>,
    /// The field name of the token's life in the answer.
    pub expires_in_name: Text,
    /// The field name of the grant's type.
    pub grant_type_name: Text,
    /// The grant's type.
    pub grant_type: Text,
    /// Further fields of the token request.
    pub refresh_request_body: TextMap,
    /// Further headers of the token request.
    pub refresh_request_headers: TextMap,
    /// Whether the token request's fields go into the query instead of the body.
    pub send_refresh_request_as_query_params: bool,
    /// Scopes, sent as they are.
    pub scopes: Vec<String>,
    /// When the token that is there already ends.
    pub token_expiry_date: Option<Text>,
    /// How an end is written; with a format, the answer's `expires_in` is a time and not a number of seconds.
    pub token_expiry_date_format: Option<String>,
    /// Token answers with this status and one of the error values mean that the refresh token is spent.
    pub refresh_token_error: Option<RefreshTokenError>,
    /// What to remember when an answer brings a new refresh token.
    pub refresh_token_updater: Option<RefreshTokenUpdater>,
    /// A token of our own that stands for the client and the refresh token where the condition holds.
    pub profile_assertion: Option<(Box<JwtAuthenticator>, Condition)>,
}

/// How a token endpoint says that the refresh token is spent.
#[derive(Debug, Clone, Default)]
pub struct RefreshTokenError {
    /// Statuses.
    pub status_codes: Vec<u16>,
    /// The field that holds the error.
    pub key: String,
    /// The values that say so.
    pub values: Vec<String>,
}

/// `refresh_token_updater`: refresh tokens that are good for one use.
#[derive(Debug, Clone)]
pub struct RefreshTokenUpdater {
    /// The field name of the new refresh token in the answer.
    pub refresh_token_name: String,
    /// Where the configuration holds the access token.
    pub access_token_config_path: Vec<String>,
    /// Where the configuration holds the refresh token.
    pub refresh_token_config_path: Vec<String>,
    /// Where the configuration holds the end of the access token.
    pub token_expiry_date_config_path: Vec<String>,
}

/// `LegacySessionTokenAuthenticator`: a token that the configuration has, as long as it holds, else one from a login.
#[derive(Debug, Clone)]
pub struct LegacySessionTokenAuthenticator {
    /// The requester's address, before both paths.
    pub api_url: Text,
    /// The header that the token goes into.
    pub header: Text,
    /// The token that the configuration has.
    pub session_token: Option<Text>,
    /// Answers with 401 where that does not hold any more.
    pub validate_session_url: Text,
    /// Where the user's name and password are posted to.
    pub login_url: Text,
    /// The user's name.
    pub username: Option<Text>,
    /// The user's password.
    pub password: Option<Text>,
    /// The field of the login's answer that has the token.
    pub session_token_response_key: Text,
}

/// `SessionTokenAuthenticator`: log in, then show the session's token.
#[derive(Debug, Clone)]
pub struct SessionTokenAuthenticator {
    /// The request that logs in.
    pub login_requester: HttpRequester,
    /// Where its answer holds the token.
    pub session_token_path: Vec<String>,
    /// How long a token is used, as an ISO 8601 duration; without one, for ever.
    pub expiration_duration: Option<String>,
    /// How its answer is read.
    pub decoder: Decoder,
    /// How the token is shown.
    pub request_authentication: SessionTokenUse,
}

/// How a session's token is shown.
#[derive(Debug, Clone)]
pub enum SessionTokenUse {
    /// As a bearer token.
    Bearer,
    /// As a field. The template reads `session_token`.
    ApiKey {
        /// Where it goes.
        inject_into: RequestOption,
        /// What is sent: `{{ session_token }}` unless the manifest says otherwise.
        api_token: Text,
    },
}

/// `SelectiveAuthenticator`: the configuration decides.
#[derive(Debug, Clone)]
pub struct SelectiveAuthenticator {
    /// Where the configuration holds the choice.
    pub authenticator_selection_path: Vec<String>,
    /// The choices.
    pub authenticators: IndexMap<String, Authenticator>,
}
