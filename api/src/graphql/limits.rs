//! What the library itself holds a document to, behind the guard.

/// What depends on the installation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Whether the schema may be asked about itself.
    pub(crate) introspection: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { introspection: true }
    }
}

/// Fields that an answer may have, a list counting as its page size times what is selected of an item.
pub(super) const MAX_COMPLEXITY: usize = 20_000;
/// Directives on one field.
pub(super) const MAX_DIRECTIVES_OF_A_FIELD: usize = 5;
/// The library's own recursion, fragments included.
pub(super) const MAX_RECURSION: usize = 40;
