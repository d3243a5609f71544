//! XML as `xmltodict` reads it, written as JSON.
//!
//! An element is an object of its attributes (`@name`) and its children; children of one name are a list; an element
//! that has only text is that text, an empty one is null, and text beside attributes or children is `#text`. Text is
//! stripped at its ends. Prefixes stay as they are written. Comments and instructions are left out, and entities that
//! a document declares itself are not expanded, here as there: a few lines of them can mean gigabytes.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;
use serde_json::{Map, Value};

use super::Undecodable;
use crate::json::MAX_DEPTH;

/// An element that is open.
struct Element {
    name: String,
    fields: Map<String, Value>,
    text: String,
}

/// Reads a document; gives JSON text.
pub(crate) fn to_json(xml: &str) -> Result<String, Undecodable> {
    if xml.trim().is_empty() {
        return Err(wrong(
            "The upstream answered with an empty body where XML was expected.",
        ));
    }
    let mut reader = Reader::from_str(xml);
    let mut reading = Reading::default();
    loop {
        let at = |error: &dyn std::fmt::Display| wrong(format!("The upstream's answer is not XML: {error}."));
        match reader.read_event() {
            Ok(Event::Start(start)) => reading.open(&start)?,
            Ok(Event::Empty(start)) => {
                reading.open(&start)?;
                reading.close();
            }
            Ok(Event::End(_)) => reading.close(),
            Ok(Event::Text(text)) => reading.text(&text.xml10_content())?,
            Ok(Event::CData(text)) => reading.text(&text.xml10_content())?,
            Ok(Event::GeneralRef(reference)) => reading.reference(&reference)?,
            Ok(Event::DocType(_)) => reading.has_doctype = true,
            Ok(Event::Comment(_) | Event::PI(_) | Event::Decl(_)) => {}
            Ok(Event::Eof) => break,
            Err(error @ quick_xml::Error::Syntax(_)) if reader.error_position() > 0 => {
                // What breaks off inside of a tag, a comment or a CDATA section.
                return Err(Undecodable {
                    code: "BODY_TRUNCATED",
                    ..at(&error)
                });
            }
            Err(error) => return Err(at(&error)),
        }
    }
    if !reading.open.is_empty() {
        return Err(Undecodable::truncated("XML"));
    }
    match reading.root {
        Some((name, value)) => Ok(Value::Object(Map::from_iter([(name, value)])).to_string()),
        None => Err(wrong("The upstream's answer is not XML: it has no element.")),
    }
}

fn wrong(message: impl Into<String>) -> Undecodable {
    Undecodable::new("NOT_XML", message)
}

#[derive(Default)]
struct Reading {
    open: Vec<Element>,
    root: Option<(String, Value)>,
    has_doctype: bool,
}

impl Reading {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Undecodable> {
        let name = start.name().as_ref().to_owned();
        if self.open.is_empty() {
            if self.root.is_some() {
                return Err(wrong(
                    "The upstream's answer is not XML: it has two root elements.",
                ));
            }
            if name.eq_ignore_ascii_case("html") {
                return Err(wrong("The upstream answered with HTML where XML was expected."));
            }
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(wrong("The upstream's XML is nested too deeply."));
        }
        let mut fields = Map::new();
        for attribute in start.attributes() {
            let attribute =
                attribute.map_err(|error| wrong(format!("The upstream's answer is not XML: {error}.")))?;
            let declared = self.has_doctype;
            let value = attribute
                .normalized_value_with(XmlVersion::Implicit1_0, 1, |entity| {
                    quick_xml::escape::resolve_xml_entity(entity).or(declared.then_some(""))
                })
                .map_err(|error| wrong(format!("The upstream's answer is not XML: {error}.")))?;
            fields.insert(
                format!("@{}", attribute.key.as_ref()),
                Value::String(value.into_owned()),
            );
        }
        self.open.push(Element {
            name,
            fields,
            text: String::new(),
        });
        Ok(())
    }

    fn close(&mut self) {
        let Some(element) = self.open.pop() else { return };
        let Element {
            name,
            mut fields,
            text,
        } = element;
        let text = text.trim();
        let value = if fields.is_empty() {
            if text.is_empty() {
                Value::Null
            } else {
                Value::String(text.to_owned())
            }
        } else {
            if !text.is_empty() {
                add(&mut fields, "#text".to_owned(), Value::String(text.to_owned()));
            }
            Value::Object(fields)
        };
        match self.open.last_mut() {
            Some(parent) => add(&mut parent.fields, name, value),
            None => self.root = Some((name, value)),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Undecodable> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim_matches(['\u{feff}', ' ', '\t', '\n', '\r']).is_empty() => {}
            None => {
                return Err(wrong(
                    "The upstream's answer is not XML: there is text outside of its element.",
                ));
            }
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), Undecodable> {
        let name: &str = reference;
        let resolved = match reference.resolve_char_ref() {
            Ok(Some(char)) => return self.text(char.encode_utf8(&mut [0; 4])),
            Ok(None) => quick_xml::escape::resolve_xml_entity(name),
            Err(error) => return Err(wrong(format!("The upstream's answer is not XML: {error}."))),
        };
        match resolved {
            Some(text) => self.text(text),
            None if self.has_doctype => Ok(()),
            None => Err(wrong(format!(
                "The upstream's answer is not XML: it uses the entity {name:?}, which is not declared."
            ))),
        }
    }
}

/// A second child of a name makes a list of both.
fn add(fields: &mut Map<String, Value>, name: String, value: Value) {
    match fields.get_mut(&name) {
        None => {
            fields.insert(name, value);
        }
        Some(Value::Array(values)) => values.push(value),
        Some(first) => {
            let first_value = first.take();
            *first = Value::Array(vec![first_value, value]);
        }
    }
}
