//! Fuzzing of whatever strangers write: manifests, templates, and the bodies of answers.
//!
//! Inputs are made [from real ones](changed). Whatever comes of them: no panic, no more steps than the fuel, and no more
//! bytes than the bound. Each test is a target of bolero's. As an ordinary test it tries a fixed number of inputs from a
//! [fixed seed](engine), never a time, so that a run is the same one everywhere; whoever wants more says so
//! (CONTRIBUTING.md).

mod changed;
mod engine;

use serde_json::{Value, json};

use crate::decode::{self, Charset, Rows};
use crate::manifest::components::{CsvFormat, Decoder};
use crate::template::{Template, TemplateError};
use changed::{Changed, Input};

/// Tries the seeds as they are, and then what is made of them: so many, where nobody says how many.
macro_rules! fuzz {
    ($usual:expr, $seeds:expr, $target:expr) => {{
        let (seeds, target): (Vec<Vec<u8>>, _) = ($seeds, $target);
        // Under `cargo bolero` this is the engine that was asked for; a target that was not meant returns here.
        #[cfg_attr(not(fuzzing), expect(unused_variables, reason = "only whether it is meant"))]
        let chosen = bolero::check!().with_max_len(engine::CHOICES);
        #[cfg(not(fuzzing))]
        let chosen = bolero::TestTarget::new(engine::Repeatable::new($usual));
        for bytes in &seeds {
            let (bytes, piece) = (bytes.clone(), decode::PIECE);
            target(&Input { bytes, piece });
        }
        let piece = decode::PIECE;
        chosen.with_generator(Changed { seeds, piece }).for_each(target);
    }};
}

/// A manifest has no more faults than are told, and each has a place in it.
#[test]
fn manifests_load_or_say_why_not() {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for slug in ["jsonplaceholder", "sample", "soap-example", "postgres"] {
        let mut shipped = crate::catalog::shipped().iter();
        seeds.push(
            shipped
                .find(|shipped| shipped.slug == slug)
                .unwrap()
                .yaml
                .as_bytes()
                .to_vec(),
        );
    }
    seeds.push(include_bytes!("../catalog/salesforce-bulk.yaml").to_vec());
    fuzz!(250, seeds, |input: &Input| {
        let text = String::from_utf8_lossy(&input.bytes);
        if let Err(faults) = crate::Connector::parse(&text) {
            assert!(!faults.is_empty(), "a manifest that is refused has faults");
            for fault in faults {
                assert!(
                    fault.message.len() < 10_000,
                    "{} bytes of a message",
                    fault.message.len()
                );
            }
        }
    });
}

/// No template takes more fuel than it has, and none makes more than the bound out of little.
#[test]
fn templates_end_and_stay_small() {
    const FUEL: u64 = 20_000;
    let reference: Value = serde_json::from_str(include_str!("../template/reference.json")).unwrap();
    let cases = reference["cases"].as_array().unwrap();
    let seeds: Vec<Vec<u8>> = cases
        .iter()
        .map(|case| case["t"].as_str().unwrap().as_bytes().to_vec())
        .collect();
    fuzz!(6_000, seeds, |input: &Input| {
        let text = String::from_utf8_lossy(&input.bytes);
        let Ok(template) = Template::parse(&text) else {
            return;
        };
        crate::template::tests::with_scope(&reference["scope"], |scope| {
            let scope = scope.fuel(FUEL);
            let evaluated = template.evaluate_str(&scope);
            if let Ok(text) = &evaluated {
                assert!(text.len() <= 1 << 25, "{} bytes", text.len());
            }
            // The same fuel is enough, or not, each time.
            let again = template.evaluate_str(&scope);
            let out =
                |result: &Result<String, TemplateError>| matches!(result, Err(TemplateError::OutOfFuel));
            assert_eq!(out(&evaluated), out(&again));
            let _ = template.evaluate(&scope);
            let _ = template.evaluate_bool(&scope);
        });
    });
}

const LIMIT: usize = 64 * 1024;

fn zipped(name: &str, body: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    let packed = encoder.finish().unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(body);
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let mut zip = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0".to_vec();
    zip.extend(crc.sum().to_le_bytes());
    zip.extend(size(&packed));
    zip.extend(size(body));
    zip.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    zip.extend([0, 0]);
    zip.extend(name.as_bytes());
    zip.extend(packed);
    zip
}

fn gzipped(body: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn is_table(decoder: &Decoder) -> bool {
    match decoder {
        Decoder::Csv(_) | Decoder::CsvFile { .. } => true,
        Decoder::Gzip(inner) | Decoder::Zip(inner) => is_table(inner),
        _ => false,
    }
}

/// Every decoder, in pieces of any size: an error or rows, no more of them than there are bytes, and an end.
#[test]
fn bodies_decode_or_say_why_not() {
    let csv = |charset| {
        Decoder::Csv(CsvFormat {
            charset,
            delimiter: b',',
            none: vec![String::new()],
        })
    };
    let items = Decoder::JsonItems {
        path: "a.b".to_owned(),
        charset: Charset::Utf8,
    };
    let decoders = [
        Decoder::Json,
        Decoder::Xml,
        Decoder::Jsonl,
        Decoder::Lines,
        csv(Charset::Utf8),
        Decoder::CsvFile {
            preserve_na_values: false,
        },
        items.clone(),
        Decoder::Gzip(Box::new(Decoder::Json)),
        Decoder::Gzip(Box::new(Decoder::Jsonl)),
        Decoder::Gzip(Box::new(csv(Charset::Utf8))),
        Decoder::Gzip(Box::new(items)),
        Decoder::Zip(Box::new(Decoder::Jsonl)),
        Decoder::Zip(Box::new(csv(Charset::Utf8))),
    ];
    let rows: String = (0..40)
        .map(|id| json!({ "id": id, "name": "a\"b\n" }).to_string() + "\n")
        .collect();
    let table: String = (0..40)
        .map(|id| format!("{id},\"a \"\"b\"\",\n{id}\",,x\n"))
        .collect();
    let table = format!("id,name,none,last\n{table}");
    let mut seeds: Vec<Vec<u8>> = [
        json!({ "a": { "b": [{ "id": 1 }, [2], "three", null, 4.5e6] }, "c": "\u{e9}\u{1f600}" }).to_string(),
        "<?xml version=\"1.0\"?><a x=\"1\"><b>t</b><b/>&amp;<![CDATA[<]]><!-- c --></a>".to_owned(),
        rows,
        table,
        "one\r\ntwo\n\nthree".to_owned(),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    let packed: Vec<Vec<u8>> = seeds
        .iter()
        .flat_map(|seed| [gzipped(seed), zipped("a.csv", seed)])
        .collect();
    seeds.extend(packed);
    // More than the bound, of next to nothing.
    let bomb = "{}\n".repeat(200_000);
    seeds.extend([gzipped(bomb.as_bytes()), zipped("a.jsonl", bomb.as_bytes())]);
    fuzz!(4_000, seeds, |input: &Input| {
        let Input { bytes: input, piece } = input;
        for decoder in &decoders {
            let document = decode::document(decoder, input, None, LIMIT);
            if let Ok(decode::Document::Made(text)) = document {
                assert!(text.len() <= 64 * LIMIT, "{} bytes of a document", text.len());
            }
            let mut stage = decode::stage(decoder, LIMIT);
            let mut rows = Rows::default();
            let (mut given, mut bytes, mut ends) = (0_usize, 0_usize, 0_usize);
            let mut failed = false;
            let mut take = |rows: &mut Rows| {
                while !rows.is_empty() {
                    let batch = rows.take();
                    assert!(!batch.is_empty(), "a batch that is there has rows");
                    given += batch.len();
                    bytes += batch.iter().map(|row| row.text().len()).sum::<usize>();
                }
            };
            for piece in input.chunks(*piece) {
                failed = stage.push(piece, &mut rows).is_err();
                take(&mut rows);
                if failed {
                    break;
                }
            }
            while !failed && !stage.finish(&mut rows).unwrap_or(true) {
                take(&mut rows);
                ends += 1;
                assert!(ends < 100_000, "it does not end");
            }
            take(&mut rows);
            // A row is a byte at least, and what is unpacked is bounded. A byte of it becomes six at most (\u0000); only in a
            // table each row has the names of its columns, too.
            let most = input.len().max(LIMIT) + 64;
            assert!(given <= most, "{given} rows of {most} bytes");
            assert!(is_table(decoder) || bytes <= 6 * most, "{bytes} bytes of {most}");
        }
    });
}
