//! What a document may cost, decided before anything expensive touches it.
//!
//! The library validates by re-expanding every fragment at every spread, so a query of 938 bytes can cost it
//! seconds with all of its own limits set: they are computed during that very walk. The guard therefore comes
//! first and costs time in proportion to the text alone: one scan over the bytes ([`lexical`]), one parse
//! whose result the library is handed so that it does not parse again, and one walk with a memo per fragment
//! ([`structure`]). What passes is small enough for every later step to be quick. The library's own limits
//! stay set behind it: they know the schema (complexity), the guard does not.
//!
//! Rejected: a time-out on validation. It is synchronous, so nothing could interrupt it.

mod lexical;
mod operation;
mod structure;
mod values;

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::parser::{self, parse_query};
use async_graphql::{Name, Pos, Variables};

use super::Limits;
use super::error::Code;
use crate::counters::{self, By};

/// A document that may go on, with the operation that was asked for.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// Parsed once, here.
    pub(crate) document: ExecutableDocument,
    /// Of the operation that will run.
    pub(crate) operation: OperationType,
    /// The name of its field, where it has just one.
    pub(crate) only_field: Option<Name>,
}

/// Why a document goes no further: always the caller's doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// BAD_USER_INPUT or TOO_COMPLEX.
    pub(crate) code: Code,
    /// For the caller.
    pub(crate) message: String,
    /// Where in the text, if it is about a place.
    pub(crate) locations: Vec<Pos>,
}

impl Refusal {
    fn invalid(message: impl Into<String>, location: Option<Pos>) -> Self {
        Self {
            code: Code::BadUserInput,
            message: message.into(),
            locations: location.into_iter().collect(),
        }
    }

    fn too_complex(message: impl Into<String>) -> Self {
        Self {
            code: Code::TooComplex,
            message: message.into(),
            locations: Vec::new(),
        }
    }
}

/// Parses the text and lets it pass, or says why not.
pub(crate) fn admit(
    query: &str,
    operation_name: Option<&str>,
    variables: &Variables,
    limits: &Limits,
) -> Result<Admitted, Refusal> {
    let mut looked_at = 0;
    let admitted = look(query, operation_name, variables, limits, &mut looked_at);
    counters::looked_at(looked_at);
    match &admitted {
        Ok(_) => counters::admitted(),
        Err(_) => counters::refused(By::Guard),
    }
    admitted
}

/// `looked_at` grows by every token, value and selection: it is what the guard costs.
fn look(
    query: &str,
    operation_name: Option<&str>,
    variables: &Variables,
    limits: &Limits,
    looked_at: &mut usize,
) -> Result<Admitted, Refusal> {
    lexical::check(query, limits, looked_at)?;
    values::check(variables, limits.variable_values, looked_at)?;
    let mut document = parse_query(query).map_err(|error| unreadable(&error))?;
    structure::check(&document, limits, looked_at)?;
    let operation = operation::choose(&document, operation_name)?;
    operation::require_variables(&operation.node, variables)?;
    let kind = operation.node.ty;
    let only_field = operation::only_field(&operation.node);
    if kind == OperationType::Subscription {
        operation::single_root(&mut document, operation_name)?;
    }
    Ok(Admitted {
        only_field,
        document,
        operation: kind,
    })
}

/// Whether a JSON text has few enough values to be read at all.
pub(crate) fn few_values(json: &[u8]) -> bool {
    values::few_in_text(json)
}

/// Whether a text could run at all, whichever of its operations.
pub(crate) fn vet(query: &str, limits: &Limits) -> Result<(), Refusal> {
    let mut looked_at = 0;
    lexical::check(query, limits, &mut looked_at)?;
    let document = parse_query(query).map_err(|error| unreadable(&error))?;
    structure::check(&document, limits, &mut looked_at)
}

/// The text of an admitted document, the same for every layout of it.
pub(crate) fn canonical(query: &str) -> String {
    lexical::canonical(query)
}

/// The parser draws a picture of several lines; a caller wants a sentence and a place.
fn unreadable(error: &parser::Error) -> Refusal {
    let location = error.positions().next();
    let full = error.to_string();
    let reason = match error {
        parser::Error::Syntax { message, .. } => message
            .rsplit("= ")
            .next()
            .unwrap_or(message)
            .trim()
            .replace('_', " "),
        _ => full,
    };
    let place = location.map_or_else(String::new, |at| {
        format!(" at line {}, column {}", at.line, at.column)
    });
    Refusal::invalid(format!("Syntax error{place}: {reason}"), location)
}

#[cfg(test)]
mod tests;
