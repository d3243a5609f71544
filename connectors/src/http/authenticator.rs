//! How a request proves who asks.
//!
//! Credentials are values for the four parts of a request and nothing more, so that they merge under the same
//! rule as everybody else's: a header that the manifest also sets by hand is a mistake that is said.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::jwt;
use super::legacy;
use super::merge;
use super::session::{Session, display};
use super::token;
use crate::manifest::components::{
    Authenticator, InjectInto, RequestField, RequestOption, RotatingTokensAuthenticator,
    SelectiveAuthenticator, SessionTokenUse,
};
use crate::read::ReadError;
use crate::template::Variable;

/// What an authenticator adds to a request.
#[derive(Default)]
pub(super) struct Credentials {
    pub(super) parameters: Map<String, Value>,
    pub(super) headers: Map<String, Value>,
    pub(super) data: Map<String, Value>,
    pub(super) json: Map<String, Value>,
}

impl Credentials {
    fn authorization(value: String) -> Self {
        let mut headers = Map::new();
        headers.insert("Authorization".to_owned(), Value::String(value));
        Self {
            headers,
            ..Self::default()
        }
    }

    fn option(session: &Session, option: &RequestOption, value: String) -> Result<Self, ReadError> {
        let mut credentials = Self::default();
        let target = match option.inject_into {
            InjectInto::RequestParameter => &mut credentials.parameters,
            InjectInto::Header => &mut credentials.headers,
            InjectInto::BodyData => &mut credentials.data,
            InjectInto::BodyJson => &mut credentials.json,
        };
        inject(session, option, Value::String(value), target)?;
        // An empty header name is how manifests say "no header".
        credentials.headers.remove("");
        Ok(credentials)
    }
}

/// Puts a value where an option says.
pub(crate) fn inject(
    session: &Session,
    option: &RequestOption,
    value: Value,
    target: &mut Map<String, Value>,
) -> Result<(), ReadError> {
    match &option.field {
        RequestField::Name(name) => {
            target.insert(session.text(name, &[])?, value);
        }
        RequestField::Path(path) => {
            let path = path
                .iter()
                .map(|part| session.text(part, &[]))
                .collect::<Result<Vec<_>, _>>()?;
            merge::set_at(target, &path, value);
        }
    }
    Ok(())
}

/// The credentials for the next request; asks for a token where one is needed.
pub(super) async fn credentials(
    session: &Session,
    authenticator: &Authenticator,
) -> Result<Credentials, ReadError> {
    let credentials = prove(session, authenticator).await?;
    let parts = [&credentials.headers, &credentials.parameters, &credentials.data];
    for value in parts.into_iter().flat_map(Map::values).filter_map(Value::as_str) {
        // What follows the scheme's name is the secret part of an Authorization header.
        session.hide(value.split_once(' ').map_or(value, |(_, secret)| secret));
    }
    Ok(credentials)
}

async fn prove(session: &Session, authenticator: &Authenticator) -> Result<Credentials, ReadError> {
    match authenticator {
        // Tokens that take turns are put into the request when it is known.
        Authenticator::None | Authenticator::RotatingTokens(_) => Ok(Credentials::default()),
        Authenticator::ApiKey(key) => {
            let value = display(&session.value(&key.api_token, &[])?);
            Credentials::option(session, &key.inject_into, value)
        }
        Authenticator::Bearer { api_token } => Ok(Credentials::authorization(format!(
            "Bearer {}",
            session.text(api_token, &[])?
        ))),
        Authenticator::Basic { username, password } => {
            let pair = format!(
                "{}:{}",
                session.text(username, &[])?,
                session.text(password, &[])?
            );
            Ok(Credentials::authorization(format!(
                "Basic {}",
                STANDARD.encode(pair)
            )))
        }
        Authenticator::Jwt(jwt) => {
            let token = jwt::token(session, jwt)?;
            match &jwt.request_option {
                Some(option) => Credentials::option(session, option, token),
                None => Ok(Credentials::authorization(token)),
            }
        }
        Authenticator::OAuth(oauth) => {
            let token = token::oauth(session, oauth).await?;
            Ok(Credentials::authorization(format!("Bearer {token}")))
        }
        Authenticator::LegacySessionToken(login) => {
            let (name, token) = Box::pin(legacy::header(session, login)).await?;
            Ok(Credentials {
                headers: Map::from_iter([(name, Value::String(token))]),
                ..Credentials::default()
            })
        }
        Authenticator::SessionToken(login) => {
            let token = Box::pin(token::session_token(session, login)).await?;
            match &login.request_authentication {
                SessionTokenUse::Bearer => {
                    Ok(Credentials::authorization(format!("Bearer {}", display(&token))))
                }
                SessionTokenUse::ApiKey {
                    inject_into,
                    api_token,
                } => {
                    let value = session.value(api_token, &[("session_token", Variable::Json(&token))])?;
                    Credentials::option(session, inject_into, display(&value))
                }
            }
        }
        Authenticator::Selective(selective) => Box::pin(prove(session, select(session, selective)?)).await,
    }
}

/// The tokens that take turns, where there are some.
pub(super) fn rotating<'a>(
    session: &Session,
    authenticator: &'a Authenticator,
) -> Result<Option<&'a RotatingTokensAuthenticator>, ReadError> {
    match authenticator {
        Authenticator::RotatingTokens(rotating) => Ok(Some(rotating)),
        Authenticator::Selective(selective) => rotating(session, select(session, selective)?),
        _ => Ok(None),
    }
}

/// Makes the next request ask for a new token.
pub(super) async fn forget(session: &Session, authenticator: &Authenticator) {
    match authenticator {
        Authenticator::Selective(selective) => {
            if let Ok(selected) = select(session, selective) {
                Box::pin(forget(session, selected)).await;
            }
        }
        _ => token::forget(session).await,
    }
}

fn select<'a>(
    session: &Session,
    selective: &'a SelectiveAuthenticator,
) -> Result<&'a Authenticator, ReadError> {
    let path = &selective.authenticator_selection_path;
    let mut chosen = &session.config;
    for part in path {
        chosen = chosen.get(part).ok_or_else(|| {
            ReadError::config(format!(
                "The configuration has no {}, which selects the authenticator.",
                path.join(".")
            ))
        })?;
    }
    selective.authenticators.get(&display(chosen)).ok_or_else(|| {
        let offered: Vec<&str> = selective.authenticators.keys().map(String::as_str).collect();
        ReadError::config(format!(
            "The configuration's {} names no authenticator; there are {}.",
            path.join("."),
            offered.join(", ")
        ))
    })
}
