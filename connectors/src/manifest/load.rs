//! What one load shares, and where things are in the file.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::document::{ByText, Position};
use crate::error::ManifestError;
use crate::template::{ParseError, Template};

/// What one load shares: faults found, templates parsed, and the allowance for what is left unshared.
pub(super) struct Load<'a> {
    pub(super) source: Source<'a>,
    faults: RefCell<Vec<ManifestError>>,
    warnings: RefCell<Vec<ManifestError>>,
    templates: RefCell<ByText<Result<Template, ParseError>>>,
    allowance: Cell<usize>,
}

/// The file's lines, to point into a text that holds a template.
pub(super) struct Source<'a> {
    lines: Vec<&'a str>,
}

impl<'a> Load<'a> {
    pub(super) fn new(yaml: &'a str) -> Self {
        Self {
            source: Source {
                lines: yaml.lines().collect(),
            },
            faults: RefCell::default(),
            warnings: RefCell::default(),
            templates: RefCell::default(),
            allowance: Cell::new(1_000_000),
        }
    }

    /// Everything found, in the file's order, each place and message once.
    pub(super) fn finish(self) -> (Vec<ManifestError>, Vec<ManifestError>) {
        (
            in_order(self.faults.into_inner()),
            in_order(self.warnings.into_inner()),
        )
    }

    pub(super) fn fault(&self, fault: ManifestError) {
        self.faults.borrow_mut().push(fault);
    }

    pub(super) fn warn(&self, warning: ManifestError) {
        self.warnings.borrow_mut().push(warning);
    }

    /// Takes one from the allowance; false: there is none left.
    pub(super) fn spend(&self) -> bool {
        self.allowance.set(self.allowance.get().saturating_sub(1));
        self.allowance.get() > 0
    }

    pub(super) fn template(&self, text: &Rc<str>) -> Result<Template, ParseError> {
        if let Some(known) = self.templates.borrow().get(text) {
            return known.clone();
        }
        let parsed = Template::parse(text);
        self.templates
            .borrow_mut()
            .insert(Rc::clone(text), parsed.clone());
        parsed
    }
}

pub(super) fn in_order(mut faults: Vec<ManifestError>) -> Vec<ManifestError> {
    faults.sort_by(|a, b| (a.line, a.column, &a.message).cmp(&(b.line, b.column, &b.message)));
    faults.dedup_by(|a, b| (a.line, a.column, &a.message) == (b.line, b.column, &b.message));
    // Whoever has more has one cause for them.
    faults.truncate(200);
    faults
}

impl Source<'_> {
    /// Where a text's byte is in the file: exact for a text on one line, else the text's beginning.
    pub(super) fn locate(&self, at: Position, text: &str, offset: usize) -> Position {
        let Some(line) = usize::try_from(at.line)
            .ok()
            .and_then(|line| self.lines.get(line.checked_sub(1)?))
        else {
            return at;
        };
        let column = usize::try_from(at.column).unwrap_or(1).saturating_sub(1);
        let rest: String = line.chars().skip(column).collect();
        let quote = usize::from(rest.starts_with(['"', '\'']));
        if rest.get(quote..).is_some_and(|rest| rest.starts_with(text)) {
            let before = text.get(..offset).map_or(0, |before| before.chars().count());
            return Position {
                line: at.line,
                column: at
                    .column
                    .saturating_add(u32::try_from(quote + before).unwrap_or(0)),
            };
        }
        at
    }
}

/// A field's place in the resolved manifest, written out only when something is wrong there.
#[derive(Clone)]
pub(super) struct Path(Option<Rc<(Path, String)>>);

impl Path {
    pub(super) fn root() -> Self {
        Self(None)
    }

    pub(super) fn field(&self, name: &str) -> Self {
        Self(Some(Rc::new((self.clone(), name.to_owned()))))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        Self(Some(Rc::new((self.clone(), format!("[{index}]")))))
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(inner) = &self.0 else { return Ok(()) };
        let (parent, segment) = &**inner;
        write!(f, "{parent}")?;
        if parent.0.is_some() && !segment.starts_with('[') {
            f.write_str(".")?;
        }
        f.write_str(segment)
    }
}
