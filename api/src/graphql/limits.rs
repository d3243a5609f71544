//! What the library itself holds a document to behind the guard, beside the settings.

pub(crate) use platform::settings::LimitSettings as Limits;

/// Directives on one field. The settings bound those of the whole document.
pub(super) const MAX_DIRECTIVES_OF_A_FIELD: usize = 5;
