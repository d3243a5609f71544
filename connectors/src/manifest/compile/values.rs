//! Values that a manifest may compute.

use std::rc::Rc;

use super::super::component::Component;
use super::super::components::{Condition, Integer, JsonTemplate, Number, Text, TextMap};
use super::super::document::Kind;
use super::super::slot::Slot;

/// A whole number, or a text: digits, or a template that gives one.
pub(super) fn integer(slot: &Slot<'_>) -> Option<Integer> {
    match &slot.node.kind {
        Kind::Text(text) => match text.trim().parse() {
            Ok(number) => Some(Integer::Fixed(number)),
            Err(_) => computed_number(slot, text, "a whole number").map(Integer::Computed),
        },
        _ => slot.whole_number().map(Integer::Fixed),
    }
}

/// A number, or a text: digits, or a template that gives one.
pub(super) fn number(slot: &Slot<'_>) -> Option<Number> {
    match &slot.node.kind {
        Kind::Text(text) => match text.trim().parse() {
            Ok(number) => Some(Number::Fixed(number)),
            Err(_) => computed_number(slot, text, "a number").map(Number::Computed),
        },
        _ => slot.number().map(Number::Fixed),
    }
}

fn computed_number(slot: &Slot<'_>, source: &Rc<str>, what: &str) -> Option<Text> {
    let text = slot.compile(source)?;
    if text.constant().is_some() {
        slot.fault(format!(
            "{} is {source:?}; it has to be {what}, or a template that gives one",
            slot.name()
        ));
        return None;
    }
    Some(text)
}

/// A condition; an empty one is none.
pub(super) fn condition(component: &Component<'_>, name: &str) -> Option<Option<Condition>> {
    component
        .optional(name, |slot| match &slot.node.kind {
            Kind::Text(text) if text.is_empty() => Some(None),
            Kind::Boolean(value) => Some(Some(Condition::Fixed(*value))),
            _ => slot.text().map(|text| Some(Condition::Computed(text))),
        })
        .map(Option::flatten)
}

/// Pairs, or a template that gives pairs.
pub(super) fn text_map(slot: &Slot<'_>) -> Option<TextMap> {
    if matches!(slot.node.kind, Kind::Text(_)) {
        return slot.text().map(TextMap::Whole);
    }
    text_pairs(&slot.entries()?).map(TextMap::Entries)
}

/// Names and values.
pub(super) type TextPairs = Vec<(Text, Text)>;

/// The entries of a mapping as pairs.
pub(super) fn text_pairs(entries: &[(Rc<str>, Slot<'_>, Slot<'_>)]) -> Option<TextPairs> {
    let read: Vec<_> = entries
        .iter()
        .map(|(key, key_slot, value)| match &value.node.kind {
            Kind::Map(fields) if fields.contains_key("type") => {
                // The format knows one component in here, and this reports it.
                value.component(&[]);
                None
            }
            Kind::Null => Some(None),
            _ => Some(Some((key_slot.compile(key)?, value.text()?))),
        })
        .collect();
    Some(
        read.into_iter()
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect(),
    )
}

/// A JSON document of templates.
pub(super) fn json_template(slot: &Slot<'_>) -> Option<JsonTemplate> {
    match &slot.node.kind {
        Kind::Text(_) => slot.text().map(JsonTemplate::Text),
        Kind::List(_) => slot.each(json_template).map(JsonTemplate::Array),
        Kind::Map(_) => {
            let read: Vec<_> = slot
                .entries()?
                .iter()
                .map(|(key, key_slot, value)| Some((key_slot.compile(key)?, json_template(value)?)))
                .collect();
            read.into_iter().collect::<Option<_>>().map(JsonTemplate::Object)
        }
        _ => slot.json().map(JsonTemplate::Literal),
    }
}
