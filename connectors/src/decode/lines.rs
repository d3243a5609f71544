//! Lines, and the decoder that makes each a record of its own.

use super::newlines::Newlines;
use super::{Row, Rows, Stage, Undecodable};

/// Cuts bytes into lines at `\n`.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    /// Gives each whole line, without its end.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), Undecodable>,
    ) -> Result<(), Undecodable> {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = rest.split_at(at);
            if self.pending.is_empty() {
                each(line)?;
            } else {
                self.pending.extend_from_slice(line);
                each(&self.pending)?;
                self.pending.clear();
            }
            rest = &after[1..];
        }
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    /// What stands after the last line end, if anything does.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        let last = std::mem::take(&mut self.pending);
        (!last.is_empty()).then_some(last)
    }
}

/// `IterableDecoder`: each line is `{"record": line}`, empty ones too.
#[derive(Debug, Default)]
pub(super) struct Strings {
    newlines: Newlines,
    lines: Lines,
    translated: Vec<u8>,
}

fn row(line: &[u8]) -> Result<Row, Undecodable> {
    let text = std::str::from_utf8(line)
        .map_err(|_| Undecodable::new("NOT_TEXT", "The upstream's lines are not UTF-8."))?;
    Ok(Row::Json(serde_json::json!({ "record": text }).to_string()))
}

impl Stage for Strings {
    fn push(&mut self, bytes: &[u8], rows: &mut Rows) -> Result<(), Undecodable> {
        self.translated.clear();
        self.newlines.translate(bytes, &mut self.translated);
        self.lines.push(&self.translated, |line| {
            rows.push(row(line)?);
            Ok(())
        })
    }

    fn finish(&mut self, rows: &mut Rows) -> Result<bool, Undecodable> {
        if let Some(last) = self.lines.finish() {
            rows.push(row(&last)?);
        }
        Ok(true)
    }
}
