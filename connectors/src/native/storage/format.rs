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
    /// What stands where a record should.
    pub(super) broken: Vec<Broken>,
    pub(super) length: usize,
    /// The number of the last one.
    pub(super) line: u64,
}

/// A line, or a row, that is no record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) text: String,
    /// Which one, and why.
    pub(super) why: String,
}

impl Framed {
    fn count(&self) -> usize {
        self.records.len() + self.broken.len()
    }

    /// Keeps a broken one, and says how large it was.
    fn broken(&mut self, bytes: &[u8], why: String) -> usize {
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.broken.push(Broken { text, why });
        bytes.len()
    }
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
        let row =
            csv::StringRecord::from_byte_record(row).map_err(|_| "the header is not UTF-8".to_owned())?;
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
            Self::Jsonl => Ok(lines(bytes, whole, (most, size), line)),
            Self::Csv { delimiter } => rows(bytes, whole, header, (most, size), (delimiter, line)),
        }
    }
}

fn lines(bytes: &[u8], whole: bool, (most, size): (usize, usize), line: u64) -> Framed {
    let mut framed = Framed {
        line,
        ..Framed::default()
    };
    let mut taken = 0;
    while framed.count() < most && taken < size && framed.length < bytes.len() {
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
        match object(text) {
            Ok(record) => {
                taken += record.len();
                framed.records.push((framed.line, record));
            }
            Err(why) => taken += framed.broken(text, format!("line {} {why}", framed.line)),
        }
    }
    framed
}

fn object(line: &[u8]) -> Result<String, String> {
    let body = Body::new(&bytes::Bytes::copy_from_slice(line)).map_err(|_| "is not UTF-8")?;
    // Also checks that it is JSON to its end.
    record::select(&body, &[]).map_err(|error| format!("is not JSON: {error}"))?;
    if !body.as_str().starts_with('{') {
        return Err("is JSON, and not an object".to_owned());
    }
    Ok(body.as_str().to_owned())
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
    while framed.count() < most && taken < size {
        let Some((row, end)) = rows
            .next()
            .map_err(|fault| format!("after row {}, {fault}", framed.line))?
        else {
            break;
        };
        framed.line += 1;
        let begin = std::mem::replace(&mut framed.length, end);
        let why = if row.len() != header.len() {
            Some(format!(
                "has {} fields and the header {}",
                row.len(),
                header.len()
            ))
        } else if row.iter().any(|field| std::str::from_utf8(field).is_err()) {
            Some("is not UTF-8".to_owned())
        } else {
            None
        };
        if let Some(why) = why {
            let raw = bytes.get(begin..end).unwrap_or_default().trim_ascii();
            taken += framed.broken(raw, format!("row {} {why}", framed.line));
            continue;
        }
        let mut fields = Map::new();
        for (name, value) in header.iter().zip(row.iter()) {
            let value = String::from_utf8_lossy(value).into_owned();
            fields.insert(name.clone(), Value::String(value));
        }
        let text = Value::Object(fields).to_string();
        taken += text.len();
        framed.records.push((framed.line, text));
    }
    if whole && framed.count() < most && taken < size {
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
    fn next(&mut self) -> Result<Option<(csv::ByteRecord, usize)>, String> {
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
        Ok(Some((row, end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: (usize, usize) = (100, 1_000_000);

    type Found = (Vec<(u64, String)>, Vec<Broken>);

    /// Frames the bytes as they would come in pieces of this size: records, and why others are none.
    fn in_pieces(format: Format, text: &[u8], piece: usize) -> Result<Found, String> {
        let (mut plain, mut header, mut line) = (Vec::new(), None, 0);
        let (mut records, mut broken) = (Vec::new(), Vec::new());
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
            broken.extend(framed.broken);
            if whole {
                assert!(plain.is_empty(), "{plain:?}");
                return Ok((records, broken));
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
            expected_lines.0,
            [
                (1, "{\"a\": \"é\\n\"}".to_owned()),
                (3, "{\"a\": 2}".to_owned()),
                (4, "{\"a\": 3}".to_owned())
            ]
        );
        let format = Format::Csv { delimiter: b',' };
        let expected_rows = in_pieces(format, csv, 10_000).unwrap();
        assert_eq!(
            expected_rows.0,
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
    fn what_is_wrong_is_placed_and_the_rest_goes_on() {
        let jsonl = b"{\"id\":1}\n\n{\"id\":\n[2]\n{\"id\":\"\xff\"}\n{\"id\":3}";
        let csv = b"a;b\n1;2\n\"1\n1\"\n3;\xff\n4;5\n";
        for piece in 1..40 {
            let (records, broken) = in_pieces(Format::Jsonl, jsonl, piece).unwrap();
            let lines: Vec<u64> = records.iter().map(|(line, _)| *line).collect();
            assert_eq!(lines, [1, 6], "{piece}");
            let why: Vec<&str> = broken.iter().map(|broken| &*broken.why).collect();
            assert!(why[0].starts_with("line 3 is not JSON"), "{why:?}");
            assert_eq!(
                why[1..],
                ["line 4 is JSON, and not an object", "line 5 is not UTF-8"]
            );
            assert_eq!(broken[1].text, "[2]");

            let (records, broken) = in_pieces(Format::Csv { delimiter: b';' }, csv, piece).unwrap();
            let rows: Vec<u64> = records.iter().map(|(row, _)| *row).collect();
            assert_eq!(rows, [1, 4], "{piece}");
            let broken: Vec<(&str, &str)> = broken.iter().map(|row| (&*row.text, &*row.why)).collect();
            assert_eq!(
                broken,
                [
                    ("\"1\n1\"", "row 2 has 1 fields and the header 2"),
                    ("3;\u{fffd}", "row 3 is not UTF-8")
                ]
            );
        }
        let header = in_pieces(Format::Csv { delimiter: b';' }, b"a;a\n", 1_000);
        assert_eq!(header.unwrap_err(), "two columns are named \"a\"");
    }
}
