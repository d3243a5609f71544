//! Records cut from bytes of which the end may not be there yet.

use serde_json::{Map, Value};

use crate::json::Body;
use crate::manifest::components::ObjectFormat;
use crate::record;

/// What an object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jsonl,
    Csv { delimiter: u8 },
}

impl From<ObjectFormat> for Format {
    fn from(format: ObjectFormat) -> Self {
        match format {
            ObjectFormat::Jsonl => Self::Jsonl,
            ObjectFormat::Csv { delimiter } => Self::Csv { delimiter },
        }
    }
}

/// Whole records, with their numbers, and the bytes that they took.
#[derive(Debug, Default)]
pub(super) struct Framed {
    pub(super) records: Vec<(u64, String)>,
    pub(super) length: usize,
    /// The number of the last one.
    pub(super) line: u64,
}

const MARK: &[u8] = b"\xef\xbb\xbf";

impl Format {
    pub(super) fn has_header(self) -> bool {
        matches!(self, Self::Csv { .. })
    }

    /// The names in a table's first row, and its bytes; `None`: it has not come whole yet.
    pub(super) fn header(self, bytes: &[u8], whole: bool) -> Result<Option<(Vec<String>, usize)>, String> {
        let Self::Csv { delimiter } = self else {
            return Ok(None);
        };
        let mark = if bytes.starts_with(MARK) { MARK.len() } else { 0 };
        let mut rows = Rows::new(&bytes[mark..], delimiter, whole);
        let Some((row, length)) = rows.next()? else {
            return Ok(None);
        };
        let names: Vec<String> = row.iter().map(|name| name.trim().to_owned()).collect();
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) {
                return Err(format!("two columns are named {name:?}"));
            }
        }
        Ok(Some((names, mark + length)))
    }

    /// Records, up to so many and so many bytes of them.
    pub(super) fn frame(
        self,
        bytes: &[u8],
        whole: bool,
        header: &[String],
        (most, size): (usize, usize),
        line: u64,
    ) -> Result<Framed, String> {
        match self {
            Self::Jsonl => lines(bytes, whole, (most, size), line),
            Self::Csv { delimiter } => rows(bytes, whole, header, (most, size), (delimiter, line)),
        }
    }
}

fn lines(bytes: &[u8], whole: bool, (most, size): (usize, usize), line: u64) -> Result<Framed, String> {
    let mut framed = Framed {
        line,
        ..Framed::default()
    };
    let mut taken = 0;
    while framed.records.len() < most && taken < size && framed.length < bytes.len() {
        let rest = &bytes[framed.length..];
        let (text, length) = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&rest[..end], end + 1),
            None if whole => (rest, rest.len()),
            None => break,
        };
        framed.line += 1;
        framed.length += length;
        let text = text.trim_ascii();
        let text = if line == 0 && framed.line == 1 {
            text.strip_prefix(MARK).unwrap_or(text)
        } else {
            text
        };
        if text.is_empty() {
            continue;
        }
        let wrong = |what: &str| format!("line {} {what}", framed.line);
        let body = Body::new(&bytes::Bytes::copy_from_slice(text)).map_err(|_| wrong("is not UTF-8"))?;
        // Also checks that it is JSON to its end.
        record::select(&body, &[]).map_err(|error| wrong(&format!("is not JSON: {error}")))?;
        if !body.as_str().starts_with('{') {
            return Err(wrong("is JSON, and not an object"));
        }
        taken += text.len();
        framed.records.push((framed.line, body.as_str().to_owned()));
    }
    Ok(framed)
}

fn rows(
    bytes: &[u8],
    whole: bool,
    header: &[String],
    (most, size): (usize, usize),
    (delimiter, line): (u8, u64),
) -> Result<Framed, String> {
    let mut framed = Framed {
        line,
        ..Framed::default()
    };
    let mut rows = Rows::new(bytes, delimiter, whole);
    let mut taken = 0;
    while framed.records.len() < most && taken < size {
        let Some((row, end)) = rows
            .next()
            .map_err(|fault| format!("after row {}, {fault}", framed.line))?
        else {
            break;
        };
        framed.line += 1;
        if row.len() != header.len() {
            return Err(format!(
                "row {} has {} fields and the header {}",
                framed.line,
                row.len(),
                header.len()
            ));
        }
        let mut fields = Map::new();
        for (name, value) in header.iter().zip(row.iter()) {
            fields.insert(name.clone(), Value::String(value.to_owned()));
        }
        let text = Value::Object(fields).to_string();
        taken += text.len();
        framed.length = end;
        framed.records.push((framed.line, text));
    }
    if whole && framed.records.len() < most && taken < size {
        // What is left is empty lines.
        framed.length = bytes.len();
    }
    Ok(framed)
}

/// The rows of a table, as far as they are whole.
struct Rows<'a> {
    reader: csv::Reader<&'a [u8]>,
    length: usize,
    whole: bool,
}

impl<'a> Rows<'a> {
    fn new(bytes: &'a [u8], delimiter: u8, whole: bool) -> Self {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(bytes);
        Self {
            reader,
            length: bytes.len(),
            whole,
        }
    }

    /// The next row, and where it ends.
    fn next(&mut self) -> Result<Option<(csv::StringRecord, usize)>, String> {
        let mut row = csv::ByteRecord::new();
        let found = self
            .reader
            .read_byte_record(&mut row)
            .map_err(|error| error.to_string())?;
        let end = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        // A row at the end of what is there may go on: its line may, or a quoted field.
        if !found || (!self.whole && end >= self.length) {
            return Ok(None);
        }
        let row = csv::StringRecord::from_byte_record(row).map_err(|_| "a row is not UTF-8".to_owned())?;
        Ok(Some((row, end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: (usize, usize) = (100, 1_000_000);

    /// Frames the bytes as they would come in pieces of this size.
    fn in_pieces(format: Format, text: &[u8], piece: usize) -> Result<Vec<(u64, String)>, String> {
        let (mut plain, mut header, mut line, mut records) = (Vec::new(), None, 0, Vec::new());
        let mut pieces = text.chunks(piece).peekable();
        loop {
            plain.extend_from_slice(pieces.next().unwrap_or_default());
            let whole = pieces.peek().is_none();
            if format.has_header() && header.is_none() {
                if let Some((names, length)) = format.header(&plain, whole)? {
                    plain.drain(..length);
                    header = Some(names);
                } else if !whole {
                    continue;
                }
            }
            let framed = format.frame(&plain, whole, header.as_deref().unwrap_or_default(), MOST, line)?;
            plain.drain(..framed.length);
            line = framed.line;
            records.extend(framed.records);
            if whole {
                assert!(plain.is_empty(), "{plain:?}");
                return Ok(records);
            }
        }
    }

    #[test]
    fn records_are_the_same_however_their_bytes_come() {
        let jsonl = "\u{feff}{\"a\": \"é\\n\"}\r\n\n{\"a\": 2}\n{\"a\": 3}".as_bytes();
        let csv =
            "\u{feff}id,\"na\"\"me\"\r\n1,\"x, y\"\r\n2,\"two\nlines \"\"q\"\"\"\n\n3,é\r\n\r\n".as_bytes();
        let expected_lines = in_pieces(Format::Jsonl, jsonl, 10_000).unwrap();
        assert_eq!(
            expected_lines,
            [
                (1, "{\"a\": \"é\\n\"}".to_owned()),
                (3, "{\"a\": 2}".to_owned()),
                (4, "{\"a\": 3}".to_owned())
            ]
        );
        let format = Format::Csv { delimiter: b',' };
        let expected_rows = in_pieces(format, csv, 10_000).unwrap();
        assert_eq!(
            expected_rows,
            [
                (1, r#"{"id":"1","na\"me":"x, y"}"#.to_owned()),
                (2, r#"{"id":"2","na\"me":"two\nlines \"q\""}"#.to_owned()),
                (3, r#"{"id":"3","na\"me":"é"}"#.to_owned())
            ]
        );
        for piece in 1..40 {
            assert_eq!(
                in_pieces(Format::Jsonl, jsonl, piece).unwrap(),
                expected_lines,
                "{piece}"
            );
            assert_eq!(in_pieces(format, csv, piece).unwrap(), expected_rows, "{piece}");
        }
    }

    #[test]
    fn what_is_wrong_is_placed() {
        let jsonl = |text: &str| in_pieces(Format::Jsonl, text.as_bytes(), 1_000).unwrap_err();
        assert!(
            jsonl("{}\n{\"a\":\n").starts_with("line 2 is not JSON"),
            "{}",
            jsonl("{}\n{\"a\":\n")
        );
        assert_eq!(jsonl("{}\n\n[1]\n"), "line 3 is JSON, and not an object");
        let csv =
            |text: &str| in_pieces(Format::Csv { delimiter: b';' }, text.as_bytes(), 1_000).unwrap_err();
        assert_eq!(csv("a;b\n1;2\n1\n"), "row 2 has 1 fields and the header 2");
        assert_eq!(csv("a;a\n"), "two columns are named \"a\"");
    }
}
