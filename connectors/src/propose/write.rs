//! The manifest's text.
//!
//! It is written for the person who goes on from there: in the order in which a manifest is read, with a comment where
//! there is something to decide. Every text that comes from outside is written as JSON, which is YAML, so nothing in a
//! field's name can become structure; and what could be taken for a template is taken apart.

use serde_json::Value;

use super::address::Credential;
use super::paging::{self, PageSize, Paging};
use super::{CursorChoice, Proposal};

pub(super) fn manifest(proposal: &Proposal) -> String {
    let mut out = Lines::default();
    out.put(0, "version: 7.0.0");
    out.put(0, "type: DeclarativeSource");
    out.put(0, "");
    out.put(0, "metadata:");
    out.put(2, format!("name: {}", quoted(&proposal.name)));
    out.put(0, "");
    out.put(0, "check:");
    out.put(2, "type: CheckStream");
    out.put(2, format!("stream_names: [{}]", quoted(&proposal.stream)));
    out.put(0, "");
    out.put(0, "streams:");
    out.put(2, "- type: DeclarativeStream");
    out.put(4, format!("name: {}", quoted(&proposal.stream)));
    primary_key(&mut out, proposal);
    out.put(4, "retriever:");
    out.put(6, "type: SimpleRetriever");
    requester(&mut out, proposal);
    out.put(6, "record_selector:");
    out.put(8, "type: RecordSelector");
    out.put(8, "extractor:");
    out.put(10, "type: DpathExtractor");
    out.put(10, format!("field_path: {}", list(&proposal.records_path)));
    paginator(&mut out, &proposal.paging);
    if let Some(cursor) = &proposal.cursor {
        incremental(&mut out, cursor);
    }
    out.put(4, "schema_loader:");
    out.put(6, "type: InlineSchemaLoader");
    out.put(6, "schema:");
    schema(&mut out, 8, &proposal.schema);
    out.put(0, "");
    spec(&mut out, proposal);
    out.0
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn put(&mut self, indent: usize, line: impl AsRef<str>) {
        let line = line.as_ref();
        if !line.is_empty() {
            self.0.extend(std::iter::repeat_n(' ', indent));
            self.0.push_str(line);
        }
        self.0.push('\n');
    }
}

/// A text as YAML: as it is where that cannot be anything but a text.
fn quoted(text: &str) -> String {
    const OTHERS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !OTHERS.contains(&text.to_ascii_lowercase().as_str());
    if plain {
        return text.to_owned();
    }
    Value::from(text).to_string()
}

/// A text that is evaluated as a template, and must come out as it is.
fn literal(text: &str) -> String {
    if text.contains("{{") || text.contains("{%") || text.contains("{#") {
        return quoted(&format!("{{{{ {} }}}}", python(text)));
    }
    quoted(text)
}

/// A text inside of a template.
fn python(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('\'', "\\'")
        .replace('\n', "\\n")
        .replace('{', "\\x7b")
        .replace('}', "\\x7d")
        .replace('%', "\\x25");
    format!("'{escaped}'")
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| literal(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// `response['a']['b']`, and nothing where a step is missing.
fn in_response(path: &[String]) -> String {
    let (last, parents) = match path.split_last() {
        Some((last, parents)) => (last.as_str(), parents),
        None => ("", path),
    };
    let mut text = "response".to_owned();
    for part in parents {
        text.push_str(&format!(".get({}, {{}})", python(part)));
    }
    format!("{text}.get({})", python(last))
}

fn primary_key(out: &mut Lines, proposal: &Proposal) {
    match proposal.primary_key.as_slice() {
        [] => out.put(
            4,
            "# No field tells the records apart, so each content is a record of its own.",
        ),
        [one] => out.put(4, format!("primary_key: {}", quoted(one))),
        several => {
            let names: Vec<String> = several.iter().map(|name| quoted(name)).collect();
            out.put(4, format!("primary_key: [{}]", names.join(", ")));
        }
    }
}

fn requester(out: &mut Lines, proposal: &Proposal) {
    let address = &proposal.address;
    out.put(6, "requester:");
    out.put(8, "type: HttpRequester");
    let base = format!("{{{{ config.get('base_url', {}) }}}}", python(&address.base_url));
    out.put(8, format!("url_base: {}", quoted(&base)));
    out.put(8, format!("path: {}", literal(&address.path)));
    out.put(8, "http_method: GET");
    authenticator(out, address.credential.as_ref());
    let since = proposal
        .cursor
        .as_ref()
        .and_then(|cursor| cursor.since.as_deref());
    let paged = proposal.paging != Paging::None;
    let counted = matches!(proposal.paging, Paging::Page { .. } | Paging::Offset { .. });
    let parameters = address.parameters.iter().filter(|(name, _)| {
        let by_paginator = paged && paging::is_position(name) || counted && paging::is_size(name);
        !by_paginator && since != Some(name.as_str())
    });
    mapping(out, "request_parameters", parameters);
    mapping(out, "request_headers", address.headers.iter());
}

fn mapping<'a>(out: &mut Lines, field: &str, entries: impl Iterator<Item = &'a (String, String)>) {
    for (at, (name, value)) in entries.enumerate() {
        if at == 0 {
            out.put(8, format!("{field}:"));
        }
        out.put(10, format!("{}: {}", quoted(name), literal(value)));
    }
}

fn authenticator(out: &mut Lines, credential: Option<&Credential>) {
    let Some(credential) = credential else { return };
    out.put(8, "authenticator:");
    let (place, name) = match credential {
        Credential::Bearer => {
            out.put(10, "type: BearerAuthenticator");
            return out.put(10, "api_token: \"{{ config['api_key'] }}\"");
        }
        Credential::Basic => {
            out.put(10, "type: BasicHttpAuthenticator");
            out.put(10, "username: \"{{ config['username'] }}\"");
            return out.put(10, "password: \"{{ config['password'] }}\"");
        }
        Credential::Header(name) => ("header", name),
        Credential::Parameter(name) => ("request_parameter", name),
    };
    out.put(10, "type: ApiKeyAuthenticator");
    out.put(10, "api_token: \"{{ config['api_key'] }}\"");
    out.put(10, "inject_into:");
    out.put(12, "type: RequestOption");
    out.put(12, format!("inject_into: {place}"));
    out.put(12, format!("field_name: {}", literal(name)));
}

fn paginator(out: &mut Lines, paging: &Paging) {
    let size = match paging {
        Paging::None => return,
        Paging::Page { size, .. } | Paging::Offset { size, .. } => Some(size),
        _ => None,
    };
    out.put(6, "paginator:");
    out.put(8, "type: DefaultPaginator");
    out.put(8, "page_token_option:");
    match paging {
        Paging::None | Paging::LinkHeader | Paging::NextUrl { .. } => out.put(10, "type: RequestPath"),
        Paging::Token { parameter, .. }
        | Paging::LastRecord { parameter, .. }
        | Paging::Page { parameter, .. }
        | Paging::Offset { parameter, .. } => option(out, parameter),
    }
    if let Some(PageSize {
        parameter: Some(parameter),
        ..
    }) = size
    {
        out.put(8, "page_size_option:");
        option(out, parameter);
    }
    out.put(8, "pagination_strategy:");
    strategy(out, paging);
}

fn option(out: &mut Lines, parameter: &str) {
    out.put(10, "type: RequestOption");
    out.put(10, "inject_into: request_parameter");
    out.put(10, format!("field_name: {}", literal(parameter)));
}

fn strategy(out: &mut Lines, paging: &Paging) {
    let mut cursor = |value: String, stop: Option<String>| {
        out.put(10, "type: CursorPagination");
        out.put(
            10,
            format!("cursor_value: {}", quoted(&format!("{{{{ {value} }}}}"))),
        );
        if let Some(stop) = stop {
            out.put(
                10,
                format!("stop_condition: {}", quoted(&format!("{{{{ {stop} }}}}"))),
            );
        }
    };
    let no_more = |more: &Vec<String>| format!("not {}", in_response(more));
    match paging {
        Paging::None => {}
        Paging::LinkHeader => cursor("headers['link'].get('next', {}).get('url')".to_owned(), None),
        Paging::NextUrl { path } => cursor(in_response(path), None),
        Paging::Token { path, more, .. } => cursor(in_response(path), more.as_ref().map(no_more)),
        Paging::LastRecord { field, more, .. } => {
            let value = format!("last_record[{}]", python(field));
            cursor(value, Some(no_more(more)));
        }
        Paging::Page { start, size, .. } => {
            out.put(10, "type: PageIncrement");
            out.put(10, format!("start_from_page: {start}"));
            out.put(10, format!("page_size: {}", size.records));
            out.put(10, "inject_on_first_request: true");
        }
        Paging::Offset { size, .. } => {
            out.put(10, "type: OffsetIncrement");
            out.put(10, format!("page_size: {}", size.records));
        }
    }
}

fn incremental(out: &mut Lines, cursor: &CursorChoice) {
    let formats = &cursor.moment.formats;
    let format = formats.first().map_or("%s", String::as_str);
    out.put(4, "incremental_sync:");
    out.put(6, "type: DatetimeBasedCursor");
    out.put(6, format!("cursor_field: {}", literal(&cursor.moment.field)));
    out.put(6, format!("datetime_format: {}", quoted(format)));
    let told: Vec<String> = formats.iter().map(|format| quoted(format)).collect();
    out.put(6, format!("cursor_datetime_formats: [{}]", told.join(", ")));
    out.put(6, "start_datetime:");
    out.put(8, "type: MinMaxDatetime");
    out.put(
        8,
        "datetime: \"{{ config.get('start_date', '2000-01-01T00:00:00Z') }}\"",
    );
    out.put(8, "datetime_format: \"%Y-%m-%dT%H:%M:%SZ\"");
    match &cursor.since {
        Some(parameter) => {
            out.put(6, "start_time_option:");
            out.put(8, "type: RequestOption");
            out.put(8, "inject_into: request_parameter");
            out.put(8, format!("field_name: {}", literal(parameter)));
        }
        None => {
            out.put(6, "# Everything is read, and what did not change is left out. Where the API can be asked for changes");
            out.put(
                6,
                "# alone, write a start_time_option with its parameter instead.",
            );
            out.put(6, "is_client_side_incremental: true");
        }
    }
}

fn schema(out: &mut Lines, indent: usize, schema: &Value) {
    for (name, value) in schema.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                out.put(indent, "properties:");
                for (name, inner) in properties {
                    let nested = inner.get("properties").is_some() || inner.get("items").is_some();
                    if nested {
                        out.put(indent + 2, format!("{}:", quoted(name)));
                        self::schema(out, indent + 4, inner);
                    } else {
                        out.put(indent + 2, format!("{}: {inner}", quoted(name)));
                    }
                }
            }
            ("items", items) if items.get("properties").is_some() => {
                out.put(indent, "items:");
                self::schema(out, indent + 2, items);
            }
            (name, value) => out.put(indent, format!("{name}: {value}")),
        }
    }
}

fn spec(out: &mut Lines, proposal: &Proposal) {
    let credential = proposal.address.credential.as_ref();
    let required: &[&str] = match credential {
        None => &[],
        Some(Credential::Basic) => &["username", "password"],
        Some(_) => &["api_key"],
    };
    out.put(0, "spec:");
    out.put(2, "type: Spec");
    out.put(2, "connection_specification:");
    out.put(4, "$schema: http://json-schema.org/draft-07/schema#");
    out.put(4, "type: object");
    if !required.is_empty() {
        out.put(4, format!("required: [{}]", required.join(", ")));
    }
    out.put(4, "additionalProperties: true");
    out.put(4, "properties:");
    let mut order = 0;
    let mut property = |name: &str, title: &str, lines: &[String]| {
        out.put(6, format!("{name}:"));
        out.put(8, "type: string");
        out.put(8, format!("title: {title}"));
        for line in lines {
            out.put(8, line);
        }
        out.put(8, format!("order: {order}"));
        order += 1;
    };
    let base_url = &proposal.address.base_url;
    let described = format!(
        "description: {}",
        quoted(&format!("Where the API is, when it is not {base_url}."))
    );
    property(
        "base_url",
        "Base URL",
        &[described, "pattern: \"^https?://\"".to_owned()],
    );
    let secret = || "airbyte_secret: true".to_owned();
    match credential {
        None => {}
        Some(Credential::Basic) => {
            property("username", "User name", &[]);
            property("password", "Password", &[secret()]);
        }
        Some(_) => property("api_key", "API key", &[secret()]),
    }
    if proposal.cursor.is_some() {
        let pattern = "pattern: \"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$\"".to_owned();
        let lines = [
            "description: Records changed before this are left out.".to_owned(),
            pattern,
            "examples: [\"2026-01-01T00:00:00Z\"]".to_owned(),
        ];
        property("start_date", "Start date", &lines);
    }
}

#[cfg(test)]
mod tests;
