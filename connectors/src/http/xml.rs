//! From XML to JSON.
//!
//! `<a x="1"><b>2</b><b>3</b></a>` becomes `{"a": {"@x": "1", "b": ["2", "3"]}}`: an element with nothing but text is
//! the text, one with attributes or children an object, whose own text is `#text`. Values stay text, because only a
//! schema would tell a number from a postcode. `xsi:nil` is null. A path in `lists` is an array however many there are,
//! none included.
//!
//! Everything is bounded: depth, elements, attributes. Document types are refused outright, and with them every entity
//! that could expand.

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde_json::{Map, Value};

const MAX_DEPTH: usize = 100;
const MAX_ELEMENTS: usize = 2_000_000;
const MAX_ATTRIBUTES: usize = 256;

/// Why a body is not what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum XmlError {
    #[error("it is empty")]
    Empty,
    #[error("it is not XML ({0})")]
    NotXml(String),
    #[error("its outermost element is {0} and not {1}")]
    Other(String, &'static str),
    #[error("it ends in the middle")]
    Cut,
    #[error("it has a document type, which is not read")]
    DocumentType,
    #[error("it has the entity {0}, and only XML's own are read")]
    Entity(String),
    #[error("its elements are nested deeper than {MAX_DEPTH} levels")]
    Depth,
    #[error("it has more than {MAX_ELEMENTS} elements; make the pages smaller")]
    Elements,
    #[error("an element has more than {MAX_ATTRIBUTES} attributes")]
    Attributes,
}

impl XmlError {
    /// The code of the whole; `other` where it is something else altogether.
    pub(crate) fn code(&self, other: &'static str) -> &'static str {
        match self {
            Self::Cut => "BODY_TRUNCATED",
            Self::Depth | Self::Elements | Self::Attributes => "BODY_TOO_LARGE",
            _ => other,
        }
    }

    /// Half an answer, or a proxy's page, may be a whole one next time.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Empty | Self::NotXml(_) | Self::Other(..) | Self::Cut)
    }
}

/// An element that is being read.
#[derive(Default)]
struct Open {
    name: String,
    fields: Map<String, Value>,
    text: String,
    has_children: bool,
    nil: bool,
}

/// What is in the outermost element, which has to be this one; `lists` are paths below it.
pub(crate) fn read(
    body: &[u8],
    root: &'static str,
    lists: &[Vec<String>],
) -> Result<Map<String, Value>, XmlError> {
    let text = std::str::from_utf8(body).map_err(|_| XmlError::NotXml("it is not UTF-8".to_owned()))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(XmlError::Empty);
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Open> = Vec::new();
    let mut elements = 0_usize;
    loop {
        let event = reader
            .read_event()
            .map_err(|error| malformed(&error, !open.is_empty()))?;
        match event {
            Event::Start(start) => {
                elements += 1;
                if elements > MAX_ELEMENTS {
                    return Err(XmlError::Elements);
                }
                if open.len() >= MAX_DEPTH {
                    return Err(XmlError::Depth);
                }
                let element = begin(&start)?;
                match open.last_mut() {
                    Some(parent) => parent.has_children = true,
                    None if element.name != root => {
                        return Err(XmlError::Other(shown(&element.name), root));
                    }
                    None => {}
                }
                open.push(element);
            }
            Event::End(_) => {
                // The path begins below the outermost element.
                let path: Vec<&str> = open.iter().skip(1).map(|element| &*element.name).collect();
                let missing = missing_lists(&path, lists);
                let is_list = lists.iter().any(|list| list == &path);
                let Some(element) = open.pop() else { continue };
                let name = element.name.clone();
                let value = finish(element, missing);
                let Some(parent) = open.last_mut() else {
                    return Ok(match value {
                        Value::Object(fields) => fields,
                        _ => Map::new(),
                    });
                };
                add(&mut parent.fields, name, value, is_list);
            }
            Event::Text(part) => {
                let part = part.xml_content(XmlVersion::Implicit1_0);
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&part);
                } else if !part.trim().is_empty() {
                    return Err(XmlError::NotXml("it begins with text".to_owned()));
                }
            }
            Event::CData(part) => {
                let part = part.xml_content(XmlVersion::Implicit1_0);
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&part);
                }
            }
            Event::GeneralRef(reference) => {
                let unknown = || XmlError::Entity(shown(&reference));
                let Some(element) = open.last_mut() else { continue };
                if reference.is_char_ref() {
                    let character = reference.resolve_char_ref().ok().flatten();
                    element.text.push(character.ok_or_else(unknown)?);
                } else {
                    element
                        .text
                        .push_str(resolve_predefined_entity(&reference).ok_or_else(unknown)?);
                }
            }
            Event::DocType(_) => return Err(XmlError::DocumentType),
            Event::Eof => return Err(XmlError::Cut),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

fn malformed(error: &quick_xml::Error, inside: bool) -> XmlError {
    match error {
        quick_xml::Error::Syntax(_) if inside => XmlError::Cut,
        error => XmlError::NotXml(shown(&error.to_string())),
    }
}

/// At most a few words of somebody else's.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(80)
        .collect()
}

fn begin(start: &BytesStart<'_>) -> Result<Open, XmlError> {
    let local = |name: quick_xml::name::LocalName<'_>| name.into_inner().to_owned();
    let mut element = Open {
        name: local(start.local_name()),
        ..Open::default()
    };
    // Its own check for repetitions compares all with all.
    for (count, attribute) in start.attributes().with_checks(false).enumerate() {
        if count >= MAX_ATTRIBUTES {
            return Err(XmlError::Attributes);
        }
        let attribute = attribute.map_err(|error| XmlError::NotXml(shown(&error.to_string())))?;
        let prefix = attribute
            .key
            .prefix()
            .map(|prefix| prefix.into_inner().to_owned());
        let name = local(attribute.key.local_name());
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| XmlError::NotXml(shown(&error.to_string())))?;
        match (prefix.as_deref(), name.as_str()) {
            (Some("xmlns"), _) | (None, "xmlns") => {}
            (Some(_), "nil") => element.nil = matches!(value.trim(), "true" | "1"),
            (Some(_), "type" | "schemaLocation" | "noNamespaceSchemaLocation" | "encodingStyle") => {}
            _ => {
                element
                    .fields
                    .insert(format!("@{name}"), Value::String(value.into_owned()));
            }
        }
    }
    Ok(element)
}

/// The lists that an element has to have, however many members they have.
fn missing_lists<'a>(path: &[&str], lists: &'a [Vec<String>]) -> Vec<&'a str> {
    lists
        .iter()
        .filter_map(|list| list.split_last())
        .filter(|(_, parent)| *parent == path)
        .map(|(name, _)| name.as_str())
        .collect()
}

fn finish(element: Open, lists: Vec<&str>) -> Value {
    let Open {
        mut fields,
        text,
        has_children,
        nil,
        ..
    } = element;
    if nil {
        return Value::Null;
    }
    for list in lists {
        fields.entry(list).or_insert_with(|| Value::Array(Vec::new()));
    }
    if fields.is_empty() && !has_children {
        return Value::String(text);
    }
    let blank = text.trim().is_empty();
    if !blank {
        let text = if has_children {
            text.trim().to_owned()
        } else {
            text
        };
        fields.insert("#text".to_owned(), Value::String(text));
    }
    Value::Object(fields)
}

fn add(fields: &mut Map<String, Value>, name: String, value: Value, is_list: bool) {
    match fields.get_mut(&name) {
        Some(Value::Array(items)) => items.push(value),
        Some(first) => {
            let first_value = first.take();
            *first = Value::Array(vec![first_value, value]);
        }
        None => {
            let value = if is_list { Value::Array(vec![value]) } else { value };
            fields.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(inner: &str, lists: &[&[&str]]) -> Value {
        let lists: Vec<Vec<String>> = lists
            .iter()
            .map(|list| list.iter().map(|part| (*part).to_owned()).collect())
            .collect();
        let text = format!(
            "<?xml version=\"1.0\"?>\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">\
             <s:Header/><s:Body>{inner}</s:Body></s:Envelope>"
        );
        read(text.as_bytes(), "Envelope", &lists).unwrap()["Body"].clone()
    }

    #[test]
    fn elements_become_values() {
        assert_eq!(
            body(
                "<a:R xmlns:a='urn:a' xmlns:i='urn:i'><id v=\"1 &amp; 2\">7</id><n i:nil='true'/><e/>\
                 <t> x&lt;y&#33; <![CDATA[<z>]]></t><b i:type='q'>1</b><b>2</b></a:R>",
                &[]
            ),
            json!({"R": {
                "id": {"@v": "1 & 2", "#text": "7"}, "n": null, "e": "", "t": " x<y! <z>", "b": ["1", "2"],
            }})
        );
    }

    #[test]
    fn lists_are_lists_whether_there_are_none_one_or_many() {
        let lists: &[&[&str]] = &[&["Body", "R", "users", "user"]];
        for (inner, expected) in [
            ("<R><users/></R>", json!([])),
            ("<R><users><user>1</user></users></R>", json!(["1"])),
            (
                "<R><users><user>1</user><user>2</user></users></R>",
                json!(["1", "2"]),
            ),
        ] {
            assert_eq!(body(inner, lists)["R"]["users"]["user"], expected, "{inner}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        let of = |text: &str| read(text.as_bytes(), "Envelope", &[]).unwrap_err();
        let bomb =
            "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><Envelope><Body>&b;</Body></Envelope>";
        assert_eq!(of(bomb), XmlError::DocumentType);
        assert_eq!(
            of("<Envelope><Body>&b;</Body></Envelope>"),
            XmlError::Entity("b".to_owned())
        );
        assert_eq!(of("  "), XmlError::Empty);
        assert_eq!(
            of("<html><body/></html>"),
            XmlError::Other("html".to_owned(), "Envelope")
        );
        for cut in [
            "<Envelope><Body><a>1",
            "<Envelope><Body><a",
            "<Envelope><Body><a></a></Body>",
        ] {
            assert_eq!(of(cut), XmlError::Cut, "{cut}");
        }
        assert_eq!(of(&format!("<Envelope>{}", "<a>".repeat(200))), XmlError::Depth);
        let attributes: String = (0..500).map(|number| format!(" a{number}='1'")).collect();
        assert_eq!(of(&format!("<Envelope{attributes}/>")), XmlError::Attributes);
        assert!(matches!(of("<Envelope><a></b></Envelope>"), XmlError::NotXml(_)));
    }
}
