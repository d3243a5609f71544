//! Each format's rules, held against what Python's own parsers made of the same bytes.

mod packed;

use std::io::Write;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::manifest::components::CsvFormat;

const LIMIT: usize = 1 << 20;

fn csv(charset: Charset, delimiter: u8, none: &[&str]) -> Decoder {
    Decoder::Csv(CsvFormat {
        charset,
        delimiter,
        none: none.iter().map(|none| (*none).to_owned()).collect(),
    })
}

fn comma() -> Decoder {
    csv(Charset::Utf8, b',', &[])
}

fn items(path: &str) -> Decoder {
    Decoder::JsonItems {
        path: path.to_owned(),
        charset: Charset::Utf8,
    }
}

fn rows_of(decoder: &Decoder, body: &[u8], piece: usize) -> Result<Vec<Row>, Undecodable> {
    let mut stage = stage(decoder, LIMIT);
    let mut rows = Rows::default();
    for piece in body.chunks(piece.max(1)) {
        stage.push(piece, &mut rows)?;
    }
    while !stage.finish(&mut rows)? {}
    let mut all = Vec::new();
    while !rows.is_empty() {
        all.extend(rows.take());
    }
    Ok(all)
}

/// The rows, which do not depend on how the bytes come.
fn decoded(decoder: &Decoder, body: &[u8]) -> Result<Vec<Row>, Undecodable> {
    let whole = rows_of(decoder, body, body.len());
    for piece in [1, 2, 3, 7] {
        assert_eq!(rows_of(decoder, body, piece), whole, "in pieces of {piece}");
    }
    whole
}

fn found(decoder: &Decoder, body: &[u8]) -> Value {
    let rows = decoded(decoder, body).unwrap();
    rows.iter()
        .map(|row| match row {
            Row::Json(text) => serde_json::from_str(text).unwrap(),
            Row::Broken { text, .. } => json!({ "broken": text }),
        })
        .collect()
}

fn code(decoder: &Decoder, body: &[u8]) -> &'static str {
    decoded(decoder, body).unwrap_err().code
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn csv_is_read_as_python_reads_it() {
    let cases: &[(&[u8], Value)] = &[
        (b"a,b\n1,2\n", json!([{"a": "1", "b": "2"}])),
        (
            b"a,b\r\n1,\"x\r\ny\"\r\n\r\n3\r\n4,5,6,7\r\n",
            json!([{"a": "1", "b": "x\ny"}, {"a": "3", "b": null}, {"a": "4", "b": "5", "null": ["6", "7"]}]),
        ),
        (b"a,a\n1,2\n3\n", json!([{"a": "2"}, {"a": null}])),
        (b"a,b\n\"q\"r,s\n", json!([{"a": "qr", "b": "s"}])),
        (b"a,b\n \"x\",2\n", json!([{"a": " \"x\"", "b": "2"}])),
        (b"a,b\n\"x\"\"y\",z\"w\n", json!([{"a": "x\"y", "b": "z\"w"}])),
        (b"a,b\n,\n", json!([{"a": "", "b": ""}])),
        (b"a\n\n \nx", json!([{"a": " "}, {"a": "x"}])),
        (b"a\n\"unclosed\nx", json!([{"a": "unclosed\nx"}])),
        (b"a\rb\r", json!([{"a": "b"}])),
        (b"a\n", json!([])),
        (b"", json!([])),
    ];
    for (body, expected) in cases {
        assert_eq!(found(&comma(), body), *expected, "{}", body.escape_ascii());
    }
}

#[test]
fn csv_takes_another_delimiter_charset_and_nulls() {
    assert_eq!(
        found(&csv(Charset::Utf8, b';', &["NA", ""]), b"a;b;c\nNA;;x,y\n"),
        json!([{"a": null, "b": null, "c": "x,y"}])
    );
    let text = "name\nJosé €\n";
    let (encoded, ..) = encoding_rs::WINDOWS_1252.encode(text);
    let charset = Charset::by_name("cp1252").unwrap();
    assert_eq!(
        found(&csv(charset, b',', &[]), &encoded),
        json!([{"name": "José €"}])
    );
    assert_eq!(
        found(
            &csv(Charset::by_name("latin_1").unwrap(), b',', &[]),
            b"a\n\xe9\x80\n"
        ),
        json!([{"a": "é\u{80}"}]),
        "Python's latin-1 is not the web's"
    );
    let mut wide = vec![0xff, 0xfe];
    wide.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    let charset = Charset::by_name("UTF-16").unwrap();
    assert_eq!(
        found(&csv(charset, b',', &[]), &wide),
        json!([{"name": "José €"}])
    );
    assert_eq!(code(&comma(), b"a\n\xe9\n"), "NOT_TEXT");
    assert_eq!(
        code(&csv(Charset::Ascii, b',', &[]), "a\né\n".as_bytes()),
        "NOT_TEXT"
    );
    assert_eq!(Charset::by_name("klingon"), None);
}

#[test]
fn an_error_page_is_no_csv() {
    assert_eq!(code(&comma(), b"<!DOCTYPE html>\n<html></html>"), "NOT_CSV");
    assert_eq!(
        code(
            &Decoder::CsvFile {
                preserve_na_values: false
            },
            b"<html>\n"
        ),
        "NOT_CSV"
    );
}

#[test]
fn json_lines_go_on_after_one_that_is_broken() {
    assert_eq!(
        found(&Decoder::Jsonl, b"{\"a\":1}\n\nnot\r\n[1,2]\n\"x\"\n{\"b\":2}"),
        json!([{"a": 1}, {"broken": "not"}, [1, 2], "x", {"b": 2}])
    );
    assert_eq!(
        found(&Decoder::Jsonl, b"oh\n{\"a\":1}\n"),
        json!([{"broken": "oh"}, {"a": 1}])
    );
    assert_eq!(found(&Decoder::Jsonl, b""), json!([]));
    assert_eq!(code(&Decoder::Jsonl, b"oh\nno\n"), "NOT_JSON");
    assert_eq!(code(&Decoder::Jsonl, b"<html>\n{}\n"), "NOT_JSON");
    assert_eq!(code(&Decoder::Jsonl, &b"no\n".repeat(101)), "NOT_JSON");
}

#[test]
fn lines_are_records_and_empty_ones_too() {
    assert_eq!(
        found(&Decoder::Lines, "a\r\n\nbé\rc".as_bytes()),
        json!([{"record": "a"}, {"record": ""}, {"record": "bé"}, {"record": "c"}])
    );
    assert_eq!(found(&Decoder::Lines, b""), json!([]));
    assert_eq!(code(&Decoder::Lines, b"\xff\n"), "NOT_TEXT");
}

#[test]
fn items_are_found_on_their_path() {
    let cases: &[(&str, &str, Value)] = &[
        (
            r#"{"data":{"users":[{"a":[{}]}, 2 ,"x\"]",[3],null],"n":{"users":[0]}},"users":[1]}"#,
            "data.users",
            json!([{"a": [{}]}, 2, "x\"]", [3], null]),
        ),
        (r#"[{"a":[1,2]},{"b":0,"a":[3]}]"#, "item.a", json!([1, 2, 3])),
        (r#"{"a":{"item":5}}"#, "a", json!([5])),
        (r#"{"a.b":[1]}"#, "a.b", json!([1])),
        (r#" {"a":[], "b":{}, "c":[[1],[2]]} "#, "c.item", json!([1, 2])),
        (r#"{"a":[1]}"#, "b", json!([])),
        ("\u{feff}{\"\\u0061\":[true]}", "a", json!([true])),
    ];
    for (body, path, expected) in cases {
        assert_eq!(found(&items(path), body.as_bytes()), *expected, "{body}");
    }
}

#[test]
fn items_of_what_is_no_json_are_an_error() {
    for (body, expected) in [
        ("", "NOT_JSON"),
        ("<html>", "NOT_JSON"),
        ("{\"a\":[1,2", "BODY_TRUNCATED"),
        ("{\"a\":[{\"b\":\"", "BODY_TRUNCATED"),
        ("{\"a\":[1]} x", "NOT_JSON"),
        ("{\"a\":[01]}", "NOT_JSON"),
        ("{\"a\":[{\"b\" 1}]}", "NOT_JSON"),
        ("{\"a\":[1}", "NOT_JSON"),
        ("{\"b\":tru}", "NOT_JSON"),
    ] {
        assert_eq!(code(&items("a"), body.as_bytes()), expected, "{body}");
    }
    let deep = format!("{{\"b\":{}", "[".repeat(1_000));
    assert_eq!(code(&items("a"), deep.as_bytes()), "NOT_JSON");
}

#[test]
fn xml_is_read_as_xmltodict_reads_it() {
    for (xml, expected) in [
        ("<a/>", json!({"a": null})),
        ("<a> </a>", json!({"a": null})),
        (r#"<a x="1"/>"#, json!({"a": {"@x": "1"}})),
        (r#"<a x="1"> t </a>"#, json!({"a": {"@x": "1", "#text": "t"}})),
        (
            "<a><b>1</b><b/><c>x &amp; y<![CDATA[ <z> ]]></c> tail </a>",
            json!({"a": {"b": ["1", null], "c": "x & y <z>", "#text": "tail"}}),
        ),
        ("<a>one<b/>two</a>", json!({"a": {"b": null, "#text": "onetwo"}})),
        (
            r#"<?xml version="1.0"?><ns:a xmlns:ns="u" ns:x="y"><ns:b>1</ns:b></ns:a>"#,
            json!({"ns:a": {"@xmlns:ns": "u", "@ns:x": "y", "ns:b": "1"}}),
        ),
        (
            r#"<!DOCTYPE a [<!ENTITY e "expanded">]><a>x&e;y</a>"#,
            json!({"a": "xy"}),
        ),
        ("<a x=\"l\n2&#10;&lt;\"/>", json!({"a": {"@x": "l 2\n<"}})),
        ("<a>\r\nx\r\ny</a>", json!({"a": "x\ny"})),
        (
            r#"<a><b>1</b><b x="2">3</b><b><c/></b></a>"#,
            json!({"a": {"b": ["1", {"@x": "2", "#text": "3"}, {"c": null}]}}),
        ),
        ("<a><!-- c --><?pi x?>t</a>", json!({"a": "t"})),
        ("<a>&#65;&#x42;</a>", json!({"a": "AB"})),
    ] {
        let read: Value = serde_json::from_str(&xml::to_json(xml).unwrap()).unwrap();
        assert_eq!(read, expected, "{xml}");
    }
}

#[test]
fn what_is_no_xml_is_an_error_and_not_an_empty_answer() {
    for (xml, expected) in [
        ("", "NOT_XML"),
        ("{\"a\": 1}", "NOT_XML"),
        ("<html><body>502</body></html>", "NOT_XML"),
        ("<a>x&e;y</a>", "NOT_XML"),
        ("<a>1</a><b/>", "NOT_XML"),
        ("<a>1</a> x", "NOT_XML"),
        (r#"<a x="1" x="2"/>"#, "NOT_XML"),
        ("<a></b>", "NOT_XML"),
        ("<a><b>1</b>", "BODY_TRUNCATED"),
        ("<a><b", "BODY_TRUNCATED"),
    ] {
        assert_eq!(xml::to_json(xml).unwrap_err().code, expected, "{xml}");
    }
    let deep = "<a>".repeat(100_000);
    assert_eq!(xml::to_json(&deep).unwrap_err().code, "NOT_XML");
}

#[test]
fn xml_is_read_in_the_charset_that_it_names() {
    let made = |body: &[u8], content_type| match document(&Decoder::Xml, body, content_type, LIMIT) {
        Ok(Document::Made(text)) => text,
        _ => panic!("it should decode"),
    };
    let latin = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>";
    assert_eq!(made(latin, None), "{\"a\":\"é\"}");
    assert_eq!(
        made("<a>é</a>".as_bytes(), Some("text/xml; charset=utf-8")),
        "{\"a\":\"é\"}"
    );
    assert_eq!(
        made(b"<a>\xe9</a>", Some("text/xml; charset=\"latin-1\"")),
        "{\"a\":\"é\"}"
    );
}

#[test]
fn a_csv_file_is_read_as_pandas_reads_it() {
    let file = Decoder::CsvFile {
        preserve_na_values: false,
    };
    assert_eq!(
        found(&file, b"a,a,,a.1\n1,NA,,null\n2,x\0y\n\n"),
        json!([
            {"a": "1", "a.1": null, "Unnamed: 2": null, "a.1.1": null},
            {"a": "2", "a.1": "xy", "Unnamed: 2": null, "a.1.1": null}
        ])
    );
    assert_eq!(found(&file, &gzip(b"a\nx\n")), json!([{"a": "x"}]));
    assert_eq!(
        found(&file, b"a,b\ni,1,2\nj,3,4\n"),
        json!([{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
        "a first column without a name is an index"
    );
    assert_eq!(code(&file, b"a,b\n1,2\n1,2,3\n"), "NOT_CSV");
    let kept = Decoder::CsvFile {
        preserve_na_values: true,
    };
    assert_eq!(found(&kept, b"a,b\nNA,\n"), json!([{"a": "NA", "b": null}]));
}

#[test]
fn batches_end_where_the_rows_say_and_not_where_the_bytes_came() {
    let body = "{\"a\":1}\n".repeat(2_500);
    let batches = |piece: usize| {
        let mut stage = stage(&Decoder::Jsonl, LIMIT);
        let (mut rows, mut sizes) = (Rows::default(), Vec::new());
        for piece in body.as_bytes().chunks(piece) {
            stage.push(piece, &mut rows).unwrap();
            while rows.is_full() {
                sizes.push(rows.take().len());
            }
        }
        while !stage.finish(&mut rows).unwrap() {}
        sizes.push(rows.take().len());
        sizes
    };
    assert_eq!(batches(10), [1_000, 1_000, 500]);
    assert_eq!(batches(9_999), batches(10));
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let decoders = [
            comma(), Decoder::Jsonl, Decoder::Lines, items("a"), Decoder::Gzip(Box::new(Decoder::Jsonl)),
            Decoder::Zip(Box::new(comma())), Decoder::CsvFile { preserve_na_values: false },
        ];
        for decoder in decoders {
            let _ = rows_of(&decoder, &body, 5);
        }
        let _ = xml::to_json(&String::from_utf8_lossy(&body));
    }

    #[test]
    fn items_are_what_serde_finds(values in proptest::collection::vec(any::<(i64, String, Vec<bool>)>(), 0..6), spaces in 0_usize..3) {
        let values: Vec<Value> = values.into_iter().map(|(a, b, c)| json!({"a": a, "b": b, "c": [c, {b: null}]})).collect();
        let document = json!({"x": values, "data": {"a": values, "rows": values}, "y": "[{"});
        let text = format!("{}{document:#}", " ".repeat(spaces));
        prop_assert_eq!(found(&items("data.rows"), text.as_bytes()), json!(values));
    }
}
