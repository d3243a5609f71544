//! From a tree to an envelope.
//!
//! Names come from the manifest and values from anywhere, so a name has to be one and have a declared prefix, and a
//! value is escaped. `@name` in an object is an attribute and `#text` the element's own text, as in answers.

use quick_xml::escape::escape;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::super::session::{Names, Session};
use super::security;
use crate::manifest::components::{SoapOperation, SoapVersion};
use crate::read::ReadError;

const MAX_DEPTH: usize = 60;

/// What is sent, and the headers that say what it is.
pub(in super::super) struct Envelope {
    pub(in super::super) text: String,
    pub(in super::super) labels: Vec<(HeaderName, HeaderValue)>,
}

/// The envelope of an operation whose parameters are these.
pub(in super::super) fn write(
    session: &Session,
    operation: &SoapOperation,
    names: &Names<'_>,
    parameters: &Map<String, Value>,
) -> Result<Envelope, ReadError> {
    let namespace = match operation.version {
        SoapVersion::V11 => "http://schemas.xmlsoap.org/soap/envelope/",
        SoapVersion::V12 => "http://www.w3.org/2003/05/soap-envelope",
    };
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"{namespace}\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
    );
    let mut prefixes = vec!["soapenv".to_owned(), "xsi".to_owned()];
    for (prefix, uri) in &operation.namespaces {
        let uri = session.text(uri, names)?;
        text.push_str(&format!(" xmlns:{prefix}=\"{}\"", escape(uri.as_str())));
        prefixes.push(prefix.clone());
    }
    text.push('>');
    let mut writer = Writer { text, prefixes };

    let header = session.json(&operation.header, names)?;
    let header = header.as_object().filter(|header| !header.is_empty());
    if header.is_some() || operation.security.is_some() {
        writer.text.push_str("<soapenv:Header>");
        if let Some(token) = &operation.security {
            writer
                .text
                .push_str(&security::username_token(session, token, names)?);
        }
        if let Some(header) = header {
            writer.children(header, 0)?;
        }
        writer.text.push_str("</soapenv:Header>");
    }
    writer.text.push_str("<soapenv:Body>");
    let name = session.text(&operation.operation, names)?;
    writer.element(&name, &Value::Object(parameters.clone()), 0)?;
    writer.text.push_str("</soapenv:Body></soapenv:Envelope>");

    let action = match &operation.action {
        Some(action) => Some(session.text(action, names)?),
        None => None,
    };
    Ok(Envelope {
        text: writer.text,
        labels: labels(operation.version, action.as_deref())?,
    })
}

/// The action is a header of its own in 1.1, where it is mandatory and may be empty, and part of the type in 1.2.
fn labels(version: SoapVersion, action: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>, ReadError> {
    let wrong = || ReadError::config("The SOAP action has characters that headers cannot carry.");
    if action.is_some_and(|action| action.contains(['"', '\\'])) {
        return Err(wrong());
    }
    let value = |text: String| HeaderValue::try_from(text).map_err(|_| wrong());
    Ok(match version {
        SoapVersion::V11 => vec![
            (CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8")),
            (
                HeaderName::from_static("soapaction"),
                value(format!("\"{}\"", action.unwrap_or_default()))?,
            ),
        ],
        SoapVersion::V12 => {
            let action = action
                .map(|action| format!("; action=\"{action}\""))
                .unwrap_or_default();
            vec![(
                CONTENT_TYPE,
                value(format!("application/soap+xml; charset=utf-8{action}"))?,
            )]
        }
    })
}

struct Writer {
    text: String,
    prefixes: Vec<String>,
}

impl Writer {
    fn children(&mut self, fields: &Map<String, Value>, depth: usize) -> Result<(), ReadError> {
        for (name, value) in fields {
            match value {
                Value::Null => {}
                Value::Array(items) => {
                    for item in items.iter().filter(|item| !item.is_null()) {
                        self.element(name, item, depth)?;
                    }
                }
                value => self.element(name, value, depth)?,
            }
        }
        Ok(())
    }

    fn element(&mut self, name: &str, value: &Value, depth: usize) -> Result<(), ReadError> {
        if depth > MAX_DEPTH {
            return Err(ReadError::config(format!(
                "The SOAP body is nested deeper than {MAX_DEPTH} levels."
            )));
        }
        self.check(name)?;
        self.text.push('<');
        self.text.push_str(name);
        let Value::Object(fields) = value else {
            self.text.push('>');
            self.scalar(name, value)?;
            self.end(name);
            return Ok(());
        };
        let mut children = Map::new();
        let mut own = None;
        for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            if let Some(attribute) = key.strip_prefix('@') {
                self.check(attribute)?;
                self.text.push(' ');
                self.text.push_str(attribute);
                self.text.push_str("=\"");
                self.scalar(attribute, value)?;
                self.text.push('"');
            } else if key == "#text" {
                own = Some(value);
            } else {
                children.insert(key.clone(), value.clone());
            }
        }
        self.text.push('>');
        if let Some(own) = own {
            self.scalar(name, own)?;
        }
        self.children(&children, depth + 1)?;
        self.end(name);
        Ok(())
    }

    fn end(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    fn scalar(&mut self, name: &str, value: &Value) -> Result<(), ReadError> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Array(_) | Value::Object(_) => {
                return Err(ReadError::config(format!(
                    "The SOAP body's {name:?} has to be a text, a number or a boolean here."
                )));
            }
        };
        let allowed = |character: char| {
            !character.is_control() || matches!(character, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}')
        };
        if !text.chars().all(allowed) {
            return Err(ReadError::config(format!(
                "The SOAP body's {name:?} has a character that XML cannot carry."
            )));
        }
        self.text.push_str(&escape(text.as_str()));
        Ok(())
    }

    fn check(&self, name: &str) -> Result<(), ReadError> {
        match check_name(name, |prefix| self.prefixes.iter().any(|known| known == prefix)) {
            Ok(()) => Ok(()),
            Err(reason) => Err(ReadError::config(format!("In the SOAP body {reason}."))),
        }
    }
}

/// Whether a name is one of XML's, with a prefix that is known or none.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_name(name: &str, known: impl Fn(&str) -> bool) -> Result<(), String> {
    let (prefix, local) = match name.split_once(':') {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, name),
    };
    if !prefix.into_iter().chain([local]).all(is_name) {
        return Err(format!("{name:?} is not an element's name"));
    }
    match prefix {
        Some(prefix) if !known(prefix) => Err(format!(
            "{name:?} has the prefix {prefix}, which namespaces does not declare"
        )),
        _ => Ok(()),
    }
}

/// XML's names without a colon.
pub(crate) fn is_name(text: &str) -> bool {
    let first = |character: char| character == '_' || character.is_alphabetic();
    let later =
        |character: char| first(character) || character.is_numeric() || matches!(character, '-' | '.');
    text.chars().next().is_some_and(first) && text.chars().all(later)
}
