//! How evaluation fails inside. Which Python exception it would be matters: the reference catches two of them.

use std::fmt::Display;

use super::TemplateError;
use crate::datetime::DateError;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fail {
    /// `TypeError`: the reference takes the template for plain text then.
    Type(String),
    /// `UndefinedError`: the reference takes the default.
    Undefined(String),
    /// Any other: it ends the evaluation.
    Value(String),
    UnknownVariable {
        name: String,
        offered: String,
    },
    OutOfFuel,
}

pub(crate) type Run<T> = Result<T, Fail>;

impl Fail {
    pub(crate) fn undefined(name: &str) -> Fail {
        Fail::Undefined(format!("{name} is undefined"))
    }

    pub(crate) fn value(message: impl Display) -> Fail {
        Fail::Value(message.to_string())
    }
}

impl From<DateError> for Fail {
    fn from(error: DateError) -> Fail {
        Fail::Value(error.0)
    }
}

impl From<Fail> for TemplateError {
    fn from(fail: Fail) -> TemplateError {
        match fail {
            Fail::Undefined(message) => TemplateError::Undefined(message),
            Fail::Type(message) | Fail::Value(message) => TemplateError::Value(message),
            Fail::UnknownVariable { name, offered } => TemplateError::UnknownVariable { name, offered },
            Fail::OutOfFuel => TemplateError::OutOfFuel,
        }
    }
}
