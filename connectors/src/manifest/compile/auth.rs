//! Authenticators.

use super::super::component::Component;
use super::super::components::{
    Address, ApiKeyAuthenticator, Authenticator, Condition, Decoder, InjectInto,
    LegacySessionTokenAuthenticator, OAuthAuthenticator, RefreshTokenError, RefreshTokenUpdater,
    RequestField, RequestOption, SelectiveAuthenticator, SessionTokenAuthenticator, SessionTokenUse, TextMap,
};
use super::super::slot::Slot;
use super::decoding::login_decoder;
use super::jwt::jwt;
use super::requests::{option, requester};
use super::rotation::rotating;
use super::values::{condition, text_map};

const KINDS: &[&str] = &[
    "ApiKeyAuthenticator",
    "BasicHttpAuthenticator",
    "BearerAuthenticator",
    "JwtAuthenticator",
    "OAuthAuthenticator",
    "RateLimitedMultipleTokenAuthenticator",
    "SelectiveAuthenticator",
    "SessionTokenAuthenticator",
    "NoAuth",
];

/// A requester's authenticator.
pub(super) fn of_requester(slot: &Slot<'_>, address: Option<&Address>) -> Option<Authenticator> {
    if slot.type_name() != Some(LEGACY) {
        return authenticator(slot);
    }
    let component = slot.component(&[LEGACY])?;
    component.check_fields();
    legacy(&component, address).map(|legacy| Authenticator::LegacySessionToken(Box::new(legacy)))
}

const LEGACY: &str = "LegacySessionTokenAuthenticator";

/// Its paths go behind the requester's address, which is why no other authenticator can hold it.
fn legacy(component: &Component<'_>, address: Option<&Address>) -> Option<LegacySessionTokenAuthenticator> {
    let text = |name: &str| component.required(name).and_then(|slot| slot.text());
    let header = text("header");
    let session_token = component.optional_text("session_token");
    let validate_session_url = text("validate_session_url");
    let login_url = text("login_url");
    let username = component.optional_text("username");
    let password = component.optional_text("password");
    let session_token_response_key = text("session_token_response_key");
    Some(LegacySessionTokenAuthenticator {
        api_url: address?.text().clone(),
        header: header?,
        session_token: session_token?,
        validate_session_url: validate_session_url?,
        login_url: login_url?,
        username: username?,
        password: password?,
        session_token_response_key: session_token_response_key?,
    })
}

fn authenticator(slot: &Slot<'_>) -> Option<Authenticator> {
    let component = slot.component(KINDS)?;
    component.check_fields();
    match &*component.kind {
        "ApiKeyAuthenticator" => api_key(&component),
        "BasicHttpAuthenticator" => {
            let username = component.required("username").and_then(|slot| slot.text());
            let password = component.text_or("password", "");
            Some(Authenticator::Basic {
                username: username?,
                password: password?,
            })
        }
        "BearerAuthenticator" => {
            let api_token = component.required("api_token").and_then(|slot| slot.text());
            Some(Authenticator::Bearer {
                api_token: api_token?,
            })
        }
        "JwtAuthenticator" => jwt(&component).map(|jwt| Authenticator::Jwt(Box::new(jwt))),
        "OAuthAuthenticator" => oauth(&component).map(|oauth| Authenticator::OAuth(Box::new(oauth))),
        "RateLimitedMultipleTokenAuthenticator" => {
            rotating(&component).map(|rotating| Authenticator::RotatingTokens(Box::new(rotating)))
        }
        "SelectiveAuthenticator" => selective(&component),
        "SessionTokenAuthenticator" => session_token(&component),
        _ => Some(Authenticator::None),
    }
}

fn api_key(component: &Component<'_>) -> Option<Authenticator> {
    let api_token = component.text_or("api_token", "");
    let inject_into = component.optional("inject_into", option);
    let header = component.optional_text("header");
    let (api_token, inject_into, header) = (api_token?, inject_into?, header?);
    let inject_into = match (inject_into, header) {
        (Some(option), None) => option,
        (None, Some(header)) => RequestOption {
            inject_into: InjectInto::Header,
            field: RequestField::Name(header),
        },
        (None, None) => {
            component
                .fault("ApiKeyAuthenticator needs to know where the key goes: write inject_into (or header)");
            return None;
        }
        (Some(_), Some(_)) => {
            component.fault("write inject_into or header, not both");
            return None;
        }
    };
    Some(Authenticator::ApiKey(ApiKeyAuthenticator {
        api_token,
        inject_into,
    }))
}

fn oauth(component: &Component<'_>) -> Option<OAuthAuthenticator> {
    let token_refresh_endpoint = component.optional_text("token_refresh_endpoint");
    let client_id_name = component.text_or("client_id_name", "client_id");
    let client_id = component.optional_text("client_id");
    let client_secret_name = component.text_or("client_secret_name", "client_secret");
    let client_secret = component.optional_text("client_secret");
    let refresh_token_name = component.text_or("refresh_token_name", "refresh_token");
    let refresh_token = component.optional("refresh_token", Slot::text);
    let access_token_name = component.text_or("access_token_name", "access_token");
    let access_token_value = component.optional_text("access_token_value");
    let expires_in_name = component.text_or("expires_in_name", "expires_in");
    let grant_type_name = component.text_or("grant_type_name", "grant_type");
    let grant_type = component.text_or("grant_type", "refresh_token");
    let refresh_request_body = component.or("refresh_request_body", TextMap::default(), text_map);
    let refresh_request_headers = component.or("refresh_request_headers", TextMap::default(), text_map);
    let send_refresh_request_as_query_params =
        component.or("send_refresh_request_as_query_params", false, Slot::boolean);
    let scopes = component.or("scopes", Vec::new(), Slot::literals);
    let token_expiry_date = component.optional_text("token_expiry_date");
    let token_expiry_date_format = component.optional("token_expiry_date_format", Slot::literal);
    let error_status_codes = component.or("refresh_token_error_status_codes", Vec::new(), statuses);
    let error_key = component.or("refresh_token_error_key", String::new(), Slot::literal);
    let error_values = component.or("refresh_token_error_values", Vec::new(), Slot::literals);
    let updater = component.optional("refresh_token_updater", refresh_token_updater);
    let own = refresh_token_error(error_status_codes?, error_key?, error_values?);
    let updater = updater?;
    let profile_assertion = component.optional("profile_assertion", |slot| {
        let component = slot.component(&["JwtAuthenticator"])?;
        component.check_fields();
        jwt(&component)
    });
    let uses = condition(component, "use_profile_assertion")?.unwrap_or(Condition::Fixed(false));
    let profile_assertion = profile_assertion?;
    if profile_assertion.is_none() && !matches!(uses, Condition::Fixed(false)) {
        component.fault(
            "use_profile_assertion needs profile_assertion, the JwtAuthenticator whose token is shown",
        );
        return None;
    }
    let refresh_token_error = own.or_else(|| updater.as_ref().and_then(|(_, error)| error.clone()));
    let token_refresh_endpoint = token_refresh_endpoint?;
    if token_refresh_endpoint.is_none() && matches!(access_token_value, Some(None)) {
        component.fault("OAuthAuthenticator needs the field token_refresh_endpoint (or access_token_value)");
        return None;
    }
    Some(OAuthAuthenticator {
        token_refresh_endpoint,
        client_id_name: client_id_name?,
        client_id: client_id?,
        client_secret_name: client_secret_name?,
        client_secret: client_secret?,
        refresh_token_name: refresh_token_name?,
        refresh_token: refresh_token?,
        access_token_name: access_token_name?,
        access_token_value: access_token_value?,
        expires_in_name: expires_in_name?,
        grant_type_name: grant_type_name?,
        grant_type: grant_type?,
        refresh_request_body: refresh_request_body?,
        refresh_request_headers: refresh_request_headers?,
        send_refresh_request_as_query_params: send_refresh_request_as_query_params?,
        scopes: scopes?,
        token_expiry_date: token_expiry_date?,
        token_expiry_date_format: token_expiry_date_format?,
        refresh_token_error,
        refresh_token_updater: updater.map(|(updater, _)| updater),
        profile_assertion: profile_assertion.map(|jwt| (Box::new(jwt), uses)),
    })
}

fn refresh_token_error(
    status_codes: Vec<u16>,
    key: String,
    values: Vec<String>,
) -> Option<RefreshTokenError> {
    let given = !status_codes.is_empty() || !key.is_empty() || !values.is_empty();
    given.then_some(RefreshTokenError {
        status_codes,
        key,
        values,
    })
}

/// HTTP statuses.
pub(super) fn statuses(slot: &Slot<'_>) -> Option<Vec<u16>> {
    slot.each(|slot| {
        let number = slot.whole_number()?;
        let status = u16::try_from(number)
            .ok()
            .filter(|status| (100..=599).contains(status));
        if status.is_none() {
            slot.fault(format!("{number} is not an HTTP status (100 to 599)"));
        }
        status
    })
}

const UPDATER_FIELDS: &[&str] = &[
    "refresh_token_name",
    "access_token_config_path",
    "refresh_token_config_path",
    "token_expiry_date_config_path",
    "refresh_token_error_status_codes",
    "refresh_token_error_key",
    "refresh_token_error_values",
];

/// A mapping without a type of its own.
fn refresh_token_updater(slot: &Slot<'_>) -> Option<(RefreshTokenUpdater, Option<RefreshTokenError>)> {
    let credentials = |name: &str| vec!["credentials".to_owned(), name.to_owned()];
    let mut updater = RefreshTokenUpdater {
        refresh_token_name: "refresh_token".to_owned(),
        access_token_config_path: credentials("access_token"),
        refresh_token_config_path: credentials("refresh_token"),
        token_expiry_date_config_path: credentials("token_expiry_date"),
    };
    let mut error = RefreshTokenError::default();
    for (key, _, value) in slot.entries()? {
        match &*key {
            "refresh_token_name" => updater.refresh_token_name = value.literal()?,
            "access_token_config_path" => updater.access_token_config_path = value.literals()?,
            "refresh_token_config_path" => updater.refresh_token_config_path = value.literals()?,
            "token_expiry_date_config_path" => updater.token_expiry_date_config_path = value.literals()?,
            "refresh_token_error_status_codes" => error.status_codes = statuses(&value)?,
            "refresh_token_error_key" => error.key = value.literal()?,
            "refresh_token_error_values" => error.values = value.literals()?,
            other => value.strange_field(other, UPDATER_FIELDS),
        }
    }
    Some((
        updater,
        refresh_token_error(error.status_codes, error.key, error.values),
    ))
}

fn selective(component: &Component<'_>) -> Option<Authenticator> {
    let path = component
        .required("authenticator_selection_path")
        .and_then(|slot| slot.literals());
    let choices = component.required("authenticators").and_then(|slot| {
        let read: Vec<_> = slot
            .entries()?
            .iter()
            // A mapping of components without a type of its own: what propagation leaves in it is no choice.
            .map(|(key, _, value)| Some((key.to_string(), authenticator(value)?)))
            .collect();
        read.into_iter().collect::<Option<_>>()
    });
    Some(Authenticator::Selective(Box::new(SelectiveAuthenticator {
        authenticator_selection_path: path?,
        authenticators: choices?,
    })))
}

fn session_token(component: &Component<'_>) -> Option<Authenticator> {
    let login_requester = component
        .required("login_requester")
        .and_then(|slot| requester(&slot));
    let session_token_path = component
        .required("session_token_path")
        .and_then(|slot| slot.literals());
    let expiration_duration = component.optional("expiration_duration", Slot::literal);
    let decoder = component.or("decoder", Decoder::default(), login_decoder);
    let shown = component.required("request_authentication").and_then(|slot| {
        let component = slot.component(&["ApiKey", "Bearer"])?;
        if &*component.kind == "Bearer" {
            return Some(SessionTokenUse::Bearer);
        }
        component.check_fields_of("SessionTokenUse");
        let inject_into = component.required("inject_into").and_then(|slot| option(&slot));
        let api_token = component.text_or("api_token", "{{ session_token }}");
        Some(SessionTokenUse::ApiKey {
            inject_into: inject_into?,
            api_token: api_token?,
        })
    });
    Some(Authenticator::SessionToken(Box::new(SessionTokenAuthenticator {
        login_requester: login_requester?,
        session_token_path: session_token_path?,
        expiration_duration: expiration_duration?,
        decoder: decoder?,
        request_authentication: shown?,
    })))
}
