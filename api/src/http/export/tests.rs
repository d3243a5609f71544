use chrono::{DateTime, Utc};
use engine::ids::RecordId;
use engine::records::{ChangeKind, ExportedRecord};

use super::csv::{Formulas, Table};
use super::jsonl;

fn record(key: &str, data: &str) -> ExportedRecord {
    let at: DateTime<Utc> = "2026-11-21T09:30:00Z".parse().unwrap();
    ExportedRecord {
        id: RecordId {
            first_seen_micros: at.timestamp_micros(),
            row: 1,
        },
        key: key.to_owned(),
        data: data.to_owned(),
        change: ChangeKind::Updated,
        changed_at: at,
        first_seen_at: at,
        deleted_at: None,
        cursor: "c".to_owned(),
    }
}

/// A row's cells after those of ours.
fn row(fields: &[&str], formulas: Formulas, data: &str) -> String {
    let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
    let mut out = Vec::new();
    Table::new(&fields, formulas)
        .row(&record("k", data), &mut out)
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    let ours = "k,UPDATED,2026-11-21T09:30:00Z,2026-11-21T09:30:00Z,,c,";
    let cells = text.strip_prefix(ours).unwrap_or_else(|| panic!("{text}"));
    cells.strip_suffix("\r\n").unwrap().to_owned()
}

#[test]
fn a_line_is_one_and_its_numbers_are_the_source_s() {
    let data = "{\n  \"n\": 12345678901234567890.000, \"t\": \"a \\\" b\\\\\",\r\n\t\"l\": [1, 2] }";
    let mut out = Vec::new();
    jsonl::write(&record("k", data), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    let kept = r#""data":{"n":12345678901234567890.000,"t":"a \" b\\","l":[1,2]}}"#;
    assert!(text.ends_with(&format!("{kept}\n")), "{text}");
}

#[test]
fn cells_are_what_rfc_4180_says() {
    let data =
        r#"{"a":"x,y","b":"say \"hi\"","c":"two\nlines","d":"","e":null,"g":{"deep": [1, true]},"h":-1.50}"#;
    let cells = row(&["a", "b", "c", "d", "e", "f", "g", "h"], Formulas::Escape, data);
    assert_eq!(
        cells,
        "\"x,y\",\"say \"\"hi\"\"\",\"two\nlines\",\"\",,,\"{\"\"deep\"\":[1,true]}\",-1.50,"
    );
}

#[test]
fn what_the_schema_does_not_declare_is_kept_together() {
    let data = r#"{"b":1,"_syncline_key":"theirs","z":" ","a":[ ]}"#;
    let cells = row(&["b", "_syncline_key"], Formulas::Escape, data);
    assert_eq!(
        cells,
        "1,\"{\"\"_syncline_key\"\":\"\"theirs\"\",\"\"a\"\":[],\"\"z\"\":\"\" \"\"}\""
    );
}

#[test]
fn a_text_is_no_formula_unless_somebody_wants_it() {
    for (text, escaped) in [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\\t=1", "'\t=1"),
        ("\\r=1", "\"'\r=1\""),
        ("＝1", "'＝1"),
        (
            "=HYPERLINK(\\\"http://x\\\",\\\"a\\\")",
            "\"'=HYPERLINK(\"\"http://x\"\",\"\"a\"\")\"",
        ),
        ("1-1", "1-1"),
    ] {
        let data = format!("{{\"a\":\"{text}\"}}");
        assert_eq!(row(&["a"], Formulas::Escape, &data), format!("{escaped},"));
    }
    assert_eq!(row(&["a"], Formulas::Keep, r#"{"a":"=1+1"}"#), "=1+1,");
    assert_eq!(
        row(&["a"], Formulas::Escape, r#"{"a":-1}"#),
        "-1,",
        "a number is none"
    );
    let mut out = Vec::new();
    Table::new(&["=cmd".to_owned()], Formulas::Escape).header(&mut out);
    assert!(String::from_utf8(out).unwrap().contains(",'=cmd,"));
}
