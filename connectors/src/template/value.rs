//! Python's values, borrowed from JSON where they can be.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use chrono::{FixedOffset, NaiveDate, NaiveDateTime};
use serde_json::{Map, Number, Value};

use super::SliceView;
use crate::datetime::Duration;

/// Members of a dictionary that a template made. They are few: a search from the front serves.
pub(crate) type Members<'a> = Vec<(Val<'a>, Val<'a>)>;

/// A value while a template runs.
#[derive(Clone)]
pub(crate) enum Val<'a> {
    /// What was looked for and not found: its name.
    Undefined(Rc<str>),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Cow<'a, str>),
    JsonList(&'a [Value]),
    JsonDict(&'a Map<String, Value>),
    /// A mapping whose names ignore case.
    Headers(&'a Map<String, Value>),
    Slice(&'a SliceView<'a>),
    List(Rc<RefCell<Vec<Val<'a>>>>),
    Tuple(Rc<Vec<Val<'a>>>),
    Dict(Rc<RefCell<Members<'a>>>),
    /// `keys()`, `values()`, `items()`: what it prints as.
    View(&'static str, Rc<Vec<Val<'a>>>),
    /// What a lazy filter gives: it can be walked through, and has no length.
    Generator(Rc<Vec<Val<'a>>>),
    DateTime(Moment),
    Date(NaiveDate),
    /// A `timedelta`, or with years or months isodate's `Duration`.
    Duration(Duration),
    /// A method that is not called (yet).
    Method(Rc<(Val<'a>, String)>),
    /// A macro or another function by its name.
    Function(&'static str),
}

/// A `datetime`: local time, and its offset unless it is naive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) local: NaiveDateTime,
    pub(crate) offset: Option<FixedOffset>,
}

impl Moment {
    /// The moment in UTC (a naive one is taken as UTC).
    pub(crate) fn utc(&self) -> NaiveDateTime {
        match self.offset {
            Some(offset) => self.local.checked_sub_offset(offset).unwrap_or(self.local),
            None => self.local,
        }
    }
}

impl<'a> Val<'a> {
    pub(crate) fn undefined(name: &str) -> Val<'a> {
        Val::Undefined(name.into())
    }

    pub(crate) fn str(text: impl Into<String>) -> Val<'a> {
        Val::Str(Cow::Owned(text.into()))
    }

    pub(crate) fn list(items: Vec<Val<'a>>) -> Val<'a> {
        Val::List(Rc::new(RefCell::new(items)))
    }

    pub(crate) fn tuple(items: Vec<Val<'a>>) -> Val<'a> {
        Val::Tuple(Rc::new(items))
    }

    pub(crate) fn dict(members: Members<'a>) -> Val<'a> {
        Val::Dict(Rc::new(RefCell::new(members)))
    }

    pub(crate) fn generator(items: Vec<Val<'a>>) -> Val<'a> {
        Val::Generator(Rc::new(items))
    }

    pub(crate) fn int(number: usize) -> Val<'a> {
        Val::Int(i128::try_from(number).unwrap_or(i128::MAX))
    }

    pub(crate) fn from_json(value: &'a Value) -> Val<'a> {
        match value {
            Value::Null => Val::None,
            Value::Bool(truth) => Val::Bool(*truth),
            Value::Number(number) => from_number(number),
            Value::String(text) => Val::Str(Cow::Borrowed(text)),
            Value::Array(items) => Val::JsonList(items),
            Value::Object(members) => Val::JsonDict(members),
        }
    }

    /// `bool(value)`.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Val::Undefined(_) | Val::None => false,
            Val::Bool(truth) => *truth,
            Val::Int(number) => *number != 0,
            Val::Float(number) => *number != 0.0,
            Val::Str(text) => !text.is_empty(),
            Val::JsonList(items) => !items.is_empty(),
            Val::JsonDict(members) | Val::Headers(members) => !members.is_empty(),
            Val::Slice(slice) => !slice.fields.is_empty() || !slice.extra_fields.is_empty(),
            Val::List(items) => !items.borrow().is_empty(),
            Val::Tuple(items) | Val::View(_, items) => !items.is_empty(),
            Val::Dict(members) => !members.borrow().is_empty(),
            // isodate's durations have no truth of their own, and so are true.
            Val::Duration(duration) => !duration.is_exact() || duration.micros != 0,
            Val::Generator(_) | Val::DateTime(_) | Val::Date(_) | Val::Method(_) | Val::Function(_) => true,
        }
    }

    /// Python's name of the type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Val::Undefined(_) => "Undefined",
            Val::None => "NoneType",
            Val::Bool(_) => "bool",
            Val::Int(_) => "int",
            Val::Float(_) => "float",
            Val::Str(_) => "str",
            Val::JsonList(_) | Val::List(_) => "list",
            Val::JsonDict(_) | Val::Dict(_) => "dict",
            Val::Headers(_) => "CaseInsensitiveDict",
            Val::Slice(_) => "StreamSlice",
            Val::Tuple(_) => "tuple",
            Val::View(name, _) => name,
            Val::Generator(_) => "generator",
            Val::DateTime(_) => "datetime.datetime",
            Val::Date(_) => "datetime.date",
            Val::Duration(duration) if duration.is_exact() => "datetime.timedelta",
            Val::Duration(_) => "Duration",
            Val::Method(_) | Val::Function(_) => "builtin_function_or_method",
        }
    }

    pub(crate) fn is_mapping(&self) -> bool {
        matches!(
            self,
            Val::JsonDict(_) | Val::Dict(_) | Val::Headers(_) | Val::Slice(_)
        )
    }

    /// The value's items as Python would iterate over it (a mapping's are its keys); `None` if it cannot.
    pub(crate) fn items(&self) -> Option<Vec<Val<'a>>> {
        let keys = |members: &'a Map<String, Value>| -> Vec<Val<'a>> {
            members.keys().map(|key| Val::Str(Cow::Borrowed(key))).collect()
        };
        Some(match self {
            Val::Undefined(_) => Vec::new(),
            Val::Str(text) => text.chars().map(Val::str).collect(),
            Val::JsonList(items) => items.iter().map(Val::from_json).collect(),
            Val::JsonDict(members) | Val::Headers(members) => keys(members),
            Val::Slice(slice) => keys(slice.fields),
            Val::List(items) => items.borrow().clone(),
            Val::Tuple(items) | Val::View(_, items) | Val::Generator(items) => items.to_vec(),
            Val::Dict(members) => members.borrow().iter().map(|(key, _)| key.clone()).collect(),
            _ => return None,
        })
    }

    /// `len(value)`.
    pub(crate) fn length(&self) -> Option<usize> {
        Some(match self {
            Val::Undefined(_) => 0,
            Val::Str(text) => text.chars().count(),
            Val::JsonList(items) => items.len(),
            Val::JsonDict(members) | Val::Headers(members) => members.len(),
            Val::Slice(slice) => slice.fields.len(),
            Val::List(items) => items.borrow().len(),
            Val::Tuple(items) | Val::View(_, items) => items.len(),
            Val::Dict(members) => members.borrow().len(),
            _ => return None,
        })
    }

    /// The members of a mapping.
    pub(crate) fn members(&self) -> Option<Members<'a>> {
        let json = |members: &'a Map<String, Value>| -> Members<'a> {
            members
                .iter()
                .map(|(key, value)| (Val::Str(Cow::Borrowed(key)), Val::from_json(value)))
                .collect()
        };
        match self {
            Val::JsonDict(members) | Val::Headers(members) => Some(json(members)),
            Val::Slice(slice) => Some(json(slice.fields)),
            Val::Dict(members) => Some(members.borrow().clone()),
            _ => None,
        }
    }

    /// `mapping[key]`; `None` if there is no such key, or no mapping.
    pub(crate) fn member(&self, key: &Val<'a>) -> Option<Val<'a>> {
        match self {
            Val::Dict(members) => members
                .borrow()
                .iter()
                .find(|(own, _)| super::comparison::equal(own, key))
                .map(|(_, value)| value.clone()),
            _ => match key {
                Val::Str(key) => self.member_named(key),
                _ => None,
            },
        }
    }

    /// `mapping[name]`.
    pub(crate) fn member_named(&self, name: &str) -> Option<Val<'a>> {
        match self {
            Val::JsonDict(members) => members.get(name).map(Val::from_json),
            Val::Slice(slice) => slice.fields.get(name).map(Val::from_json),
            Val::Headers(members) => members
                .iter()
                .find(|(own, _)| own.eq_ignore_ascii_case(name))
                .map(|(_, value)| Val::from_json(value)),
            Val::Dict(members) => members
                .borrow()
                .iter()
                .find(|(own, _)| matches!(own, Val::Str(own) if own == name))
                .map(|(_, value)| value.clone()),
            _ => None,
        }
    }

    /// A copy that shares nothing that can change: what goes into a container is put in as it is now, so no
    /// container ever holds itself.
    pub(crate) fn frozen(&self) -> Val<'a> {
        match self {
            Val::List(items) => Val::list(items.borrow().iter().map(Val::frozen).collect()),
            Val::Dict(members) => {
                let copies = members
                    .borrow()
                    .iter()
                    .map(|(key, value)| (key.frozen(), value.frozen()))
                    .collect();
                Val::dict(copies)
            }
            other => other.clone(),
        }
    }
}

fn from_number<'a>(number: &Number) -> Val<'a> {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(whole), ..) => Val::Int(i128::from(whole)),
        (_, Some(whole), _) => Val::Int(i128::from(whole)),
        (_, _, float) => Val::Float(float.unwrap_or(f64::NAN)),
    }
}
