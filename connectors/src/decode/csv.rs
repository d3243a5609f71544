//! CSV as Python's `csv.DictReader` reads it: the first row names the columns, every value is a text, a row that is
//! too short has nulls, and what is beyond the columns is a list under the name that Python's `None` gets in JSON.
//!
//! The parser is `csv-core`, the one inside of the `csv` crate: the same rules, pushed instead of pulled.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::charset::Recoder;
use super::newlines::Newlines;
use super::{Charset, Row, Rows, Stage, Undecodable};
use crate::manifest::components::CsvFormat;

/// The key of cells beyond the last column.
const BEYOND: &str = "null";

/// Cuts text into rows of cells.
pub(super) struct Cells {
    reader: Reader,
    recoder: Recoder,
    charset: Charset,
    newlines: Newlines,
    recoded: Vec<u8>,
    translated: Vec<u8>,
    text: Vec<u8>,
    written: usize,
    ends: Vec<usize>,
    ended: usize,
}

/// A row: its cells.
#[derive(Clone, Copy)]
pub(super) struct Cut<'c> {
    text: &'c str,
    ends: &'c [usize],
}

impl<'c> Cut<'c> {
    pub(super) fn len(self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(self, index: usize) -> Option<&'c str> {
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)?,
        };
        self.text.get(start..end)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'c str> {
        (0..self.len()).filter_map(move |index| self.get(index))
    }
}

impl Cells {
    pub(super) fn new(charset: Charset, delimiter: u8) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            recoder: Recoder::new(charset),
            charset,
            newlines: Newlines::default(),
            recoded: Vec::new(),
            translated: Vec::new(),
            text: vec![0; 4 * 1024],
            written: 0,
            ends: vec![0; 64],
            ended: 0,
        }
    }

    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        each: impl FnMut(Cut<'_>) -> Result<(), Undecodable>,
    ) -> Result<(), Undecodable> {
        self.recoded.clear();
        self.recoder.push(bytes, &mut self.recoded)?;
        self.translated.clear();
        self.newlines.translate(&self.recoded, &mut self.translated);
        // An empty input would mean the end.
        if self.translated.is_empty() {
            return Ok(());
        }
        self.cut(false, each)
    }

    pub(super) fn finish(
        &mut self,
        mut each: impl FnMut(Cut<'_>) -> Result<(), Undecodable>,
    ) -> Result<(), Undecodable> {
        self.recoded.clear();
        self.recoder.finish(&mut self.recoded)?;
        self.translated.clear();
        self.newlines.translate(&self.recoded, &mut self.translated);
        if !self.translated.is_empty() {
            self.cut(false, &mut each)?;
        }
        self.translated.clear();
        self.cut(true, each)
    }

    fn cut(
        &mut self,
        last: bool,
        mut each: impl FnMut(Cut<'_>) -> Result<(), Undecodable>,
    ) -> Result<(), Undecodable> {
        let mut at = 0;
        loop {
            let input = &self.translated[at..];
            if input.is_empty() && !last {
                return Ok(());
            }
            let (result, read, written, ended) = self.reader.read_record(
                input,
                &mut self.text[self.written..],
                &mut self.ends[self.ended..],
            );
            at += read;
            self.written += written;
            self.ended += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => {
                    let text =
                        std::str::from_utf8(&self.text[..self.written]).map_err(|_| self.charset.broken())?;
                    each(Cut {
                        text,
                        ends: &self.ends[..self.ended],
                    })?;
                    self.written = 0;
                    self.ended = 0;
                }
                ReadRecordResult::End => return Ok(()),
            }
        }
    }
}

/// `CsvDecoder`.
pub(super) struct Csv {
    cells: Cells,
    shape: Shape,
}

struct Shape {
    none: Vec<String>,
    columns: Option<Vec<Column>>,
    width: usize,
}

/// A column's name as it stands in JSON, and the cell that it has: of equal names the last counts.
struct Column {
    name: String,
    cell: usize,
}

impl Csv {
    pub(super) fn new(format: &CsvFormat) -> Self {
        Self {
            cells: Cells::new(format.charset, format.delimiter),
            shape: Shape {
                none: format.none.clone(),
                columns: None,
                width: 0,
            },
        }
    }
}

impl Stage for Csv {
    fn push(&mut self, bytes: &[u8], rows: &mut Rows) -> Result<(), Undecodable> {
        let shape = &mut self.shape;
        self.cells.push(bytes, |cut| shape.row(cut, rows))
    }

    fn finish(&mut self, rows: &mut Rows) -> Result<bool, Undecodable> {
        let shape = &mut self.shape;
        self.cells.finish(|cut| shape.row(cut, rows))?;
        Ok(true)
    }
}

impl Shape {
    fn row(&mut self, cut: Cut<'_>, rows: &mut Rows) -> Result<(), Undecodable> {
        let Some(columns) = &self.columns else {
            self.width = cut.len();
            self.columns = Some(columns(cut)?);
            return Ok(());
        };
        let mut json = String::from("{");
        for column in columns {
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&column.name);
            json.push(':');
            match cut.get(column.cell) {
                Some(value) if !self.none.iter().any(|none| none == value) => {
                    json.push_str(&quoted(value));
                }
                _ => json.push_str("null"),
            }
        }
        if cut.len() > self.width {
            if json.len() > 1 {
                json.push(',');
            }
            let beyond: Vec<&str> = cut.iter().skip(self.width).collect();
            json.push_str(&format!("{}:{}", quoted(BEYOND), serde_json::json!(beyond)));
        }
        json.push('}');
        rows.push(Row::Json(json));
        Ok(())
    }
}

fn columns(cut: Cut<'_>) -> Result<Vec<Column>, Undecodable> {
    if cut.get(0).is_some_and(is_markup) {
        return Err(Undecodable::new(
            "NOT_CSV",
            "The upstream answered with HTML or XML where CSV was expected.",
        ));
    }
    let mut columns: indexmap::IndexMap<&str, usize> = indexmap::IndexMap::new();
    for (cell, name) in cut.iter().enumerate() {
        columns.insert(name, cell);
    }
    Ok(columns
        .into_iter()
        .map(|(name, cell)| Column {
            name: quoted(name),
            cell,
        })
        .collect())
}

/// An error page, told from a column's name that begins with a bracket.
pub(super) fn is_markup(first: &str) -> bool {
    let first = first.trim_start().to_ascii_lowercase();
    ["<!doctype", "<html", "<?xml"]
        .iter()
        .any(|start| first.starts_with(start))
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
