//! `HttpRequester`, those of other protocols on HTTP, and what is put into requests.

use super::super::component::Component;
use super::super::components::{
    Address, Authenticator, ErrorHandler, HttpMethod, HttpRequester, InjectInto, JsonTemplate,
    QueryProperties, RequestBody, RequestField, RequestOption, TextMap,
};
use super::super::slot::Slot;
use super::values::{json_template, text_map};
use super::{auth, errors, properties, protocol, recovery, soap};

/// A requester whose answers are not a stream's pages.
pub(super) fn requester(slot: &Slot<'_>) -> Option<HttpRequester> {
    let (requester, properties) = requester_of_pages(slot)?;
    if properties.is_some() {
        slot.fault(format!(
            "query properties are for the requester of a SimpleRetriever; {} asks for no records",
            slot.name()
        ));
        return None;
    }
    recovery::refuse_actions(&slot.component(REQUESTERS)?, &requester)?;
    Some(requester)
}

const REQUESTERS: &[&str] = &["HttpRequester", "GraphqlRequester", "SoapRequester"];

/// A stream's requester, with the fields that it asks for where they are not written into the request.
pub(super) fn requester_of_pages(slot: &Slot<'_>) -> Option<(HttpRequester, Option<QueryProperties>)> {
    let component = slot.component(REQUESTERS)?;
    component.check_fields();
    let plain = &*component.kind == "HttpRequester";
    let address = address(&component);
    let path = component.optional_text("path");
    let usual = if plain { HttpMethod::Get } else { HttpMethod::Post };
    let method = component.or("http_method", usual, |slot| {
        slot.word(&[("GET", HttpMethod::Get), ("POST", HttpMethod::Post)])
    });
    let parameters = component.or(
        "request_parameters",
        (TextMap::default(), None),
        properties::request_parameters,
    );
    let request_headers = component.or("request_headers", TextMap::default(), text_map);
    let body = match &*component.kind {
        "GraphqlRequester" => protocol::graphql(&component),
        "SoapRequester" => soap::soap(&component),
        _ => body(&component),
    };
    let authenticator = component.or("authenticator", Authenticator::None, |slot| {
        auth::of_requester(slot, address.as_ref())
    });
    let error_handler = component.or("error_handler", ErrorHandler::default(), errors::handler);
    let use_cache = component.or("use_cache", false, Slot::boolean);
    let connect_timeout_seconds = component.optional("connect_timeout_in_seconds", Slot::number);
    let read_timeout_seconds = component.optional("read_timeout_in_seconds", Slot::number);
    let keepalive = component.or("use_tcp_keepalive", false, Slot::boolean);
    keepalive?;
    let (request_parameters, in_parameters) = parameters?;
    let properties = properties::of_requester(&component, in_parameters);
    let requester = HttpRequester {
        address: address?,
        path: path?,
        method: method?,
        request_parameters,
        request_headers: request_headers?,
        body: body?,
        authenticator: authenticator?,
        error_handler: error_handler?,
        use_cache: use_cache?,
        connect_timeout_seconds: connect_timeout_seconds?,
        read_timeout_seconds: read_timeout_seconds?,
    };
    Some((requester, properties?))
}

fn address(component: &Component<'_>) -> Option<Address> {
    if let Some(url) = component.field("url") {
        return url.text().map(Address::Url);
    }
    match component.field("url_base") {
        Some(base) => base.text().map(Address::UrlBase),
        None => {
            component.fault(format!(
                "{} needs an address: write url, or url_base and path",
                component.kind
            ));
            None
        }
    }
}

fn body(component: &Component<'_>) -> Option<RequestBody> {
    let data = component.optional("request_body_data", text_map);
    let json = component.optional("request_body_json", json_template);
    let newer = component.optional("request_body", newer_body);
    let (data, json, newer) = (data?, json?, newer?);
    if let Some(body) = newer {
        return Some(body);
    }
    let data = data.filter(|data| !data.is_empty());
    let json = json.filter(|json| !is_empty(json));
    match (data, json) {
        (Some(_), Some(_)) => {
            component.fault("a request has one body: write request_body_data or request_body_json, not both");
            None
        }
        (Some(data), None) => Some(RequestBody::Data(data)),
        (None, Some(json)) => Some(RequestBody::Json(json)),
        (None, None) => Some(RequestBody::None),
    }
}

fn is_empty(json: &JsonTemplate) -> bool {
    match json {
        JsonTemplate::Text(text) => text.source().is_empty(),
        JsonTemplate::Object(entries) => entries.is_empty(),
        JsonTemplate::Array(items) => items.is_empty(),
        JsonTemplate::Literal(_) => false,
    }
}

fn newer_body(slot: &Slot<'_>) -> Option<RequestBody> {
    let component = slot.component(&[
        "RequestBodyJsonObject",
        "RequestBodyUrlEncodedForm",
        "RequestBodyPlainText",
        "RequestBodyGraphQL",
    ])?;
    component.check_fields();
    let value = component.required("value")?;
    match &*component.kind {
        "RequestBodyPlainText" => value.text().map(|text| RequestBody::Data(TextMap::Whole(text))),
        "RequestBodyUrlEncodedForm" => text_map(&value).map(RequestBody::Data),
        _ => json_template(&value).map(RequestBody::Json),
    }
}

pub(super) fn option(slot: &Slot<'_>) -> Option<RequestOption> {
    option_of(&slot.component(&["RequestOption"])?)
}

pub(super) fn option_of(component: &Component<'_>) -> Option<RequestOption> {
    component.check_fields();
    let inject_into = component.required("inject_into").and_then(|slot| {
        slot.word(&[
            ("request_parameter", InjectInto::RequestParameter),
            ("header", InjectInto::Header),
            ("body_data", InjectInto::BodyData),
            ("body_json", InjectInto::BodyJson),
        ])
    });
    let name = component.optional_text("field_name");
    let path = component.optional("field_path", Slot::texts);
    let (inject_into, name, path) = (inject_into?, name?, path?.filter(|path| !path.is_empty()));
    let field = match (name, path) {
        (Some(name), None) => RequestField::Name(name),
        (None, Some(path)) if inject_into == InjectInto::BodyJson => RequestField::Path(path),
        (None, Some(_)) => {
            component.fault("field_path is for inject_into: body_json; elsewhere write field_name");
            return None;
        }
        (None, None) => {
            component.fault("RequestOption needs the field field_name (or, in a JSON body, field_path)");
            return None;
        }
        (Some(_), Some(_)) => {
            component.fault("write field_name or field_path, not both");
            return None;
        }
    };
    Some(RequestOption { inject_into, field })
}
