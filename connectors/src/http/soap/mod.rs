//! SOAP, without its description: an operation with a body goes out in an envelope, and an envelope comes back.
//!
//! A WSDL is not read. It would tell types and addresses, which a manifest's author knows as well, at the price of a
//! second language with imports to fetch. What is lost without one is whether an element that came once may come
//! again; the manifest says that where it matters (`lists`).
//!
//! An answer becomes JSON before anybody looks at it, so that filters, extractors and paginators are those of every
//! other API. It is read by local names: which prefix a server binds to which namespace is its own affair, and elements
//! that differ in nothing but their namespace are rarer than servers that cannot decide on one.

mod envelope;
mod fault;
mod security;

use serde_json::Value;

pub(super) use envelope::write;
pub(crate) use envelope::{check_name, is_name};

use super::answer::Answer;
use super::session::Session;
use super::verdict::Said;
use super::xml;
use crate::manifest::components::SoapOperation;
use crate::read::ErrorKind;

/// The answer as JSON, and what it says of itself. What is no envelope stays as it is.
pub(super) fn understand(
    session: &Session,
    operation: &SoapOperation,
    mut came: Answer,
) -> (Answer, Option<Said>) {
    let nothing = came.body.trim_ascii().is_empty();
    if nothing && matches!(came.status, 202 | 204) {
        return (came, None);
    }
    match xml::read(&came.body, "Envelope", &operation.lists) {
        Ok(document) => {
            let said = document
                .get("Body")
                .and_then(|body| body.get("Fault"))
                .map(|fault| fault::read(session, fault));
            came.body = Value::Object(document).to_string().into();
            (came, said)
        }
        // The status of an error page says more than that it is no envelope.
        Err(_) if !came.is_usable() => (came, None),
        Err(error) => {
            let said = Said {
                kind: ErrorKind::Malformed,
                code: error.code("NOT_SOAP"),
                retryable: error.may_pass(),
                message: format!("The answer is not a SOAP envelope: {error}."),
            };
            (came, Some(said))
        }
    }
}
