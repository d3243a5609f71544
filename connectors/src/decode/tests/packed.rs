//! What comes packed: gzip, and archives with files in them.

use super::*;

#[test]
fn gzip_is_unpacked_and_what_is_plain_passes() {
    let plain = b"a\n1\n2\n".as_slice();
    let packed = Decoder::Gzip(Box::new(comma()));
    let expected = json!([{"a": "1"}, {"a": "2"}]);
    assert_eq!(found(&packed, plain), expected);
    assert_eq!(found(&packed, &gzip(plain)), expected);
    let members = [gzip(b"a\n1\n"), gzip(b"2\n")].concat();
    assert_eq!(found(&packed, &members), expected);
    let twice = Decoder::Gzip(Box::new(packed.clone()));
    assert_eq!(found(&twice, &gzip(&gzip(plain))), expected);
    let cut = gzip(plain);
    assert_eq!(code(&packed, &cut[..cut.len() - 3]), "BODY_TRUNCATED");
    let mut broken = gzip(plain);
    broken[12] ^= 0xff;
    assert!(decoded(&packed, &broken).is_err());
}

#[test]
fn a_bomb_is_stopped_at_the_bound() {
    let bomb = gzip(&vec![b'\n'; 4 * LIMIT]);
    assert!(bomb.len() < LIMIT / 10);
    let lines = Decoder::Gzip(Box::new(Decoder::Jsonl));
    assert_eq!(rows_of(&lines, &bomb, PIECE).unwrap_err().code, "BODY_TOO_LARGE");
    let nested = gzip(&gzip(&vec![b'\n'; 4 * LIMIT]));
    let twice = Decoder::Gzip(Box::new(lines));
    assert_eq!(
        rows_of(&twice, &nested, PIECE).unwrap_err().code,
        "BODY_TOO_LARGE"
    );
    let document = document(&Decoder::Gzip(Box::new(Decoder::Json)), &bomb, None, LIMIT);
    assert_eq!(document.err().map(|error| error.code), Some("BODY_TOO_LARGE"));
}

/// An archive made by hand: the crate is built without its writer's compression.
fn archive(files: &[(&str, &[u8], bool)]) -> Vec<u8> {
    let (mut body, mut directory) = (Vec::new(), Vec::new());
    for (name, content, deflate) in files {
        let packed = if *deflate {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        } else {
            content.to_vec()
        };
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let mut fields = Vec::new();
        fields.extend([20, 0, 0, 0, if *deflate { 8 } else { 0 }, 0, 0, 0, 0x21, 0x5c]);
        fields.extend(crc.sum().to_le_bytes());
        fields.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
        fields.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        fields.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        fields.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&fields);
        directory.extend([0; 10]);
        directory.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
        directory.extend(name.as_bytes());
        body.extend(b"PK\x03\x04");
        body.extend(&fields);
        body.extend(name.as_bytes());
        body.extend(packed);
    }
    let count = u16::try_from(files.len()).unwrap().to_le_bytes();
    let start = u32::try_from(body.len()).unwrap().to_le_bytes();
    let length = u32::try_from(directory.len()).unwrap().to_le_bytes();
    body.extend(&directory);
    body.extend(b"PK\x05\x06\x00\x00\x00\x00");
    body.extend(count);
    body.extend(count);
    body.extend(length);
    body.extend(start);
    body.extend([0, 0]);
    body
}

#[test]
fn every_file_of_an_archive_is_read() {
    let zip = Decoder::Zip(Box::new(comma()));
    let long = format!("a\n{}", "x\n".repeat(20_000));
    let body = archive(&[
        ("one.csv", b"a,b\n1,2\n", true),
        ("dir/", b"", false),
        ("two.csv", b"c\n3\n", false),
    ]);
    assert_eq!(found(&zip, &body), json!([{"a": "1", "b": "2"}, {"c": "3"}]));
    let body = archive(&[("long.csv", long.as_bytes(), true)]);
    assert_eq!(rows_of(&zip, &body, PIECE).unwrap().len(), 20_000);
    let json_files = Decoder::Zip(Box::new(Decoder::Json));
    let body = archive(&[
        ("1.json", br#"[{"a":1},{"a":2}]"#, true),
        ("2.json", br#"{"a":3}"#, true),
    ]);
    assert_eq!(found(&json_files, &body), json!([{"a": 1}, {"a": 2}, {"a": 3}]));
}

#[test]
fn a_broken_archive_is_an_error_that_names_the_file() {
    let zip = Decoder::Zip(Box::new(comma()));
    assert_eq!(code(&zip, b"nothing of the kind"), "NOT_ZIP");
    let body = archive(&[("one.csv", b"a,b\n1,2\n", false)]);
    assert_eq!(code(&zip, &body[..body.len() - 8]), "NOT_ZIP");
    let mut wrong = body.clone();
    let at = wrong.windows(3).position(|three| three == b"1,2").unwrap();
    wrong[at] = b'9';
    let error = decoded(&zip, &wrong).unwrap_err();
    assert!(error.message.contains("one.csv"), "{error}");
    let bomb = archive(&[("zeros.csv", &vec![b'\n'; 4 * LIMIT], true)]);
    assert_eq!(rows_of(&zip, &bomb, PIECE).unwrap_err().code, "BODY_TOO_LARGE");
}
