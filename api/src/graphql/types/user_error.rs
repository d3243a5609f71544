//! What a caller did wrong.

use async_graphql::SimpleObject;
use engine::Refusal;

use super::UserErrorCode;

/// Something the caller did wrong, and what to do about it. Nothing was changed.
#[derive(SimpleObject, Debug)]
pub(crate) struct UserError {
    /// What kind of mistake.
    code: UserErrorCode,
    /// What to do about it, for a person.
    message: String,
    /// The path into the input; null when no single field is at fault.
    field: Option<Vec<String>>,
}

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> Self {
        let field = (!refusal.field.is_empty()).then_some(refusal.field);
        Self {
            code: refusal.code.into(),
            message: refusal.message,
            field,
        }
    }
}
