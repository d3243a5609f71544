//! CSV as `ResponseToFileExtractor` reads it, which is pandas: names that come twice are numbered, empty ones are
//! named by their place, what pandas takes for missing is null, and a first column without a name of its own is an
//! index and no value. NUL bytes are dropped.
//!
//! The reference writes the answer to a disk first; here the rows are cut while they come.

use std::collections::HashMap;

use super::csv::{Cells, Cut, is_markup, quoted};
use super::{Charset, Row, Rows, Stage, Undecodable};

/// What pandas takes for missing, besides an empty cell.
const MISSING: &[&str] = &[
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// See the module.
pub(super) struct Pandas {
    cells: Cells,
    shape: Shape,
    kept: Vec<u8>,
}

struct Shape {
    preserve_na_values: bool,
    columns: Option<Vec<String>>,
    /// Cells before the first column; known with the first row.
    index: Option<usize>,
    line: u64,
}

pub(super) fn without_zeros(preserve_na_values: bool) -> Pandas {
    Pandas {
        cells: Cells::new(Charset::Utf8, b','),
        shape: Shape {
            preserve_na_values,
            columns: None,
            index: None,
            line: 0,
        },
        kept: Vec::new(),
    }
}

impl Stage for Pandas {
    fn push(&mut self, bytes: &[u8], rows: &mut Rows) -> Result<(), Undecodable> {
        self.kept.clear();
        self.kept.extend(bytes.iter().filter(|&&byte| byte != 0));
        let shape = &mut self.shape;
        self.cells.push(&self.kept, |cut| shape.row(cut, rows))
    }

    fn finish(&mut self, rows: &mut Rows) -> Result<bool, Undecodable> {
        let shape = &mut self.shape;
        self.cells.finish(|cut| shape.row(cut, rows))?;
        Ok(true)
    }
}

impl Shape {
    fn row(&mut self, cut: Cut<'_>, rows: &mut Rows) -> Result<(), Undecodable> {
        self.line += 1;
        if cut.len() == 1
            && cut
                .get(0)
                .is_some_and(|only| !only.is_empty() && only.trim().is_empty())
        {
            return Ok(());
        }
        let Some(columns) = &self.columns else {
            self.columns = Some(names(cut)?);
            return Ok(());
        };
        let index = *self.index.get_or_insert(cut.len().saturating_sub(columns.len()));
        if cut.len() > index + columns.len() {
            return Err(Undecodable::new(
                "NOT_CSV",
                format!(
                    "Row {} of the upstream's CSV has {} cells where {} were expected.",
                    self.line,
                    cut.len(),
                    index + columns.len()
                ),
            ));
        }
        let mut json = String::from("{");
        for (at, name) in columns.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            json.push_str(name);
            json.push(':');
            match cut.get(index + at).filter(|value| !self.is_missing(value)) {
                Some(value) => json.push_str(&quoted(value)),
                None => json.push_str("null"),
            }
        }
        json.push('}');
        rows.push(Row::Json(json));
        Ok(())
    }

    fn is_missing(&self, value: &str) -> bool {
        value.is_empty() || (!self.preserve_na_values && MISSING.contains(&value))
    }
}

fn names(cut: Cut<'_>) -> Result<Vec<String>, Undecodable> {
    if cut.get(0).is_some_and(is_markup) {
        return Err(Undecodable::new(
            "NOT_CSV",
            "The upstream answered with HTML or XML where CSV was expected.",
        ));
    }
    let mut names: Vec<String> = Vec::with_capacity(cut.len());
    let mut met: HashMap<String, u32> = HashMap::new();
    for (place, name) in cut.iter().enumerate() {
        let plain = if name.is_empty() {
            format!("Unnamed: {place}")
        } else {
            name.to_owned()
        };
        let mut own = plain.clone();
        while let Some(count) = met.get_mut(&own) {
            own = format!("{plain}.{count}");
            *count += 1;
        }
        met.insert(own.clone(), 1);
        names.push(own);
    }
    Ok(names.iter().map(|name| quoted(name)).collect())
}
