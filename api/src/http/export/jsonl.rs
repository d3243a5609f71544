//! A record a line, as JSON.

use engine::records::ExportedRecord;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::graphql::rfc3339;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    id: String,
    key: &'a str,
    change: &'static str,
    changed_at: String,
    first_seen_at: String,
    deleted_at: Option<String>,
    cursor: &'a str,
    data: &'a RawValue,
}

/// Writes a record's line. Its data are what the source said, to the last digit; only the space between them goes, since
/// a line must be one.
pub(super) fn write(record: &ExportedRecord, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let data: Box<RawValue> = RawValue::from_string(compact(&record.data))?;
    let line = Line {
        id: record.id.to_string(),
        key: &record.key,
        change: record.change.as_str(),
        changed_at: rfc3339(record.changed_at),
        first_seen_at: rfc3339(record.first_seen_at),
        deleted_at: record.deleted_at.map(rfc3339),
        cursor: &record.cursor,
        data: &data,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.push(b'\n');
    Ok(())
}

/// JSON without the space between its tokens.
pub(super) fn compact(json: &str) -> String {
    let (mut kept, mut in_string, mut escaped) = (String::with_capacity(json.len()), false, false);
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if matches!(character, ' ' | '\n' | '\r' | '\t') {
            continue;
        } else {
            in_string = character == '"';
        }
        kept.push(character);
    }
    kept
}
