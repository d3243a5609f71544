//! JSON Lines: a document a line.
//!
//! A line that is none goes its own way (the reference logs it and goes on), and an answer none of whose lines is
//! JSON is no JSON Lines at all: an error page in HTML must not pass for an export without rows.

use super::lines::Lines;
use super::{Row, Rows, Stage, Undecodable};
use crate::json::MAX_DEPTH;
use crate::json::scan::Scanner;

/// Broken lines that are held until a good one shows that this is JSON Lines.
const HELD: usize = 100;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Jsonl {
    lines: Lines,
    reading: Reading,
}

#[derive(Debug, Default)]
struct Reading {
    good: bool,
    held: Vec<Row>,
}

impl Reading {
    fn line(&mut self, line: &[u8], rows: &mut Rows) -> Result<(), Undecodable> {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        let text = std::str::from_utf8(line)
            .map_err(|_| Undecodable::new("NOT_JSON", "The upstream's JSON Lines are not UTF-8."))?;
        match checked(text) {
            Ok(()) => {
                if !self.good {
                    self.good = true;
                    self.held.drain(..).for_each(|row| rows.push(row));
                }
                rows.push(Row::Json(text.to_owned()));
            }
            Err(why) => {
                let broken = Row::Broken {
                    text: text.to_owned(),
                    why,
                };
                if self.good {
                    rows.push(broken);
                } else if self.held.len() < HELD && !text.starts_with('<') {
                    self.held.push(broken);
                } else {
                    return Err(none());
                }
            }
        }
        Ok(())
    }
}

fn none() -> Undecodable {
    Undecodable::new(
        "NOT_JSON",
        "The upstream answered with something else where JSON Lines were expected.",
    )
}

fn checked(text: &str) -> Result<(), String> {
    let mut scanner = Scanner::new(text);
    scanner.space();
    let checked = scanner.skip(0).and_then(|_| scanner.end());
    checked.map_err(|error| {
        format!("The line is not JSON ({error}; nesting deeper than {MAX_DEPTH} is refused).")
    })
}

impl Stage for Jsonl {
    fn push(&mut self, bytes: &[u8], rows: &mut Rows) -> Result<(), Undecodable> {
        let reading = &mut self.reading;
        self.lines.push(bytes, |line| reading.line(line, rows))
    }

    fn finish(&mut self, rows: &mut Rows) -> Result<bool, Undecodable> {
        if let Some(last) = self.lines.finish() {
            self.reading.line(&last, rows)?;
        }
        if self.reading.held.is_empty() {
            Ok(true)
        } else {
            Err(none())
        }
    }
}
