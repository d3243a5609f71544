//! A folder: what is new, positions inside of files, and what may be read at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::TimeDelta;
use connectors::read::{Checkpoint, ErrorKind, Page, ReadContext, ReadError};
use platform::clock::{ManualClock, SystemClock};
use serde_json::json;

use super::{JSONL, gzip, lines, read, stream};
use crate::upstream::{connector, context, ids, kept, pages, records, request};

struct Folder {
    allowed: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self {
            allowed: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.allowed.path().join("exports")
    }

    fn write(&self, key: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// A context whose clock is ahead, so that what was just written has settled.
    fn context(&self) -> ReadContext {
        let mut context = context(Vec::new());
        context.folders = Arc::from([self.allowed.path().to_owned()]);
        context.clock = ManualClock::at(SystemClock::shared().now() + TimeDelta::hours(1)).shared();
        context
    }

    fn manifest(&self, fields: &str) -> String {
        let path = serde_json::to_string(&self.path()).unwrap();
        stream(&format!(
            "storage: {{type: LocalStorage, folder: {path}}}\n{fields}"
        ))
    }

    async fn read(&self, fields: &str, checkpoint: Checkpoint) -> Result<Vec<Page>, (Vec<Page>, ReadError)> {
        read(&self.context(), &self.manifest(fields), json!({}), checkpoint).await
    }
}

#[tokio::test]
async fn a_second_read_takes_what_is_new_or_changed() {
    let folder = Folder::new();
    folder.write("b.jsonl", lines([1, 2]));
    folder.write("x/a.jsonl.gz", gzip(lines([3]).as_bytes()));
    folder.write("notes.txt", "no record");
    folder.write("empty.jsonl", "");
    let first = folder.read(JSONL, Checkpoint::default()).await.unwrap();
    let mut got = ids(&first);
    got.sort_unstable();
    assert_eq!(got, [1, 2, 3]);
    let end = &first.last().unwrap().checkpoint;
    assert_eq!(end.resume, None);

    let nothing = folder.read(JSONL, kept(end)).await.unwrap();
    assert_eq!(ids(&nothing), [0_i64; 0]);
    assert_eq!(nothing[0].checkpoint.state, end.state);

    // The time of a copy may be its original's; it is new all the same.
    let before = SystemClock::shared().now() - TimeDelta::days(30);
    folder.write("a.jsonl", lines([4]));
    let copy = std::fs::File::options()
        .write(true)
        .open(folder.path().join("a.jsonl"))
        .unwrap();
    copy.set_modified(before.into()).unwrap();
    folder.write("b.jsonl", lines([1, 2, 5]));
    let second = folder.read(JSONL, kept(end)).await.unwrap();
    let mut got = ids(&second);
    got.sort_unstable();
    assert_eq!(got, [1, 2, 4, 5]);
}

#[tokio::test]
async fn what_is_still_being_written_waits() {
    let folder = Folder::new();
    folder.write("a.jsonl", lines([1]));
    let mut context = folder.context();
    context.clock = SystemClock::shared();
    let yaml = folder.manifest(JSONL);
    let read = read(&context, &yaml, json!({}), Checkpoint::default())
        .await
        .unwrap();
    assert_eq!(ids(&read), [0_i64; 0]);
}

#[tokio::test]
async fn a_cut_read_goes_on_inside_a_file() {
    let folder = Folder::new();
    folder.write("a.jsonl", lines(0..2_500));
    folder.write("b.jsonl.gz", gzip(lines(2_500..5_200).as_bytes()));
    let fields = format!("{JSONL}\nfile_field: _file\nline_field: _line");
    let whole = folder.read(&fields, Checkpoint::default()).await.unwrap();
    let expected = records(&whole);
    assert_eq!(ids(&whole).len(), 5_200);
    assert_eq!(
        expected[2_499],
        json!({"_file": "a.jsonl", "_line": 2_500, "id": 2_499})
    );
    assert_eq!(
        expected[2_500],
        json!({"_file": "b.jsonl.gz", "_line": 1, "id": 2_500})
    );
    assert!(whole.len() >= 6 && whole.iter().all(|page| page.records.len() <= 1_000));
    for cut in 0..whole.len() - 1 {
        let mut got = records(&whole[..=cut]);
        let rest = folder.read(&fields, kept(&whole[cut].checkpoint)).await.unwrap();
        got.extend(records(&rest));
        assert!(got == expected, "cut after page {cut}");
        assert_eq!(rest.last().unwrap().checkpoint, whole.last().unwrap().checkpoint);
    }
    // A file that was changed meanwhile is not gone on with.
    folder.write("a.jsonl", lines([7]));
    let rest = folder.read(&fields, kept(&whole[0].checkpoint)).await.unwrap();
    assert_eq!(ids(&rest), (2_500..5_200).chain([7]).collect::<Vec<_>>());
    assert!(
        rest[0]
            .notes
            .iter()
            .any(|note| note.message.contains("was changed or removed")),
        "{:?}",
        rest[0].notes
    );
}

#[tokio::test]
async fn tables_have_a_header_and_texts() {
    let folder = Folder::new();
    let table = |ids: std::ops::Range<u32>| -> String {
        let rows: String = ids.map(|id| format!("{id};\"a;b\n{id}\"\r\n")).collect();
        format!("\u{feff}id;note\r\n{rows}")
    };
    folder.write("a.csv", table(0..1_500));
    folder.write("b.csv.gz", gzip(table(1_500..3_000).as_bytes()));
    let fields = "format: {type: CsvFormat, delimiter: ';'}\nglob: '*.csv*'";
    let whole = folder.read(fields, Checkpoint::default()).await.unwrap();
    let expected = records(&whole);
    assert_eq!(expected.len(), 3_000);
    assert_eq!(expected[1_499], json!({"id": "1499", "note": "a;b\n1499"}));
    for cut in 0..whole.len() - 1 {
        let mut got = records(&whole[..=cut]);
        got.extend(records(
            &folder.read(fields, kept(&whole[cut].checkpoint)).await.unwrap(),
        ));
        assert!(got == expected, "cut after page {cut}");
    }
}

#[tokio::test]
async fn a_broken_line_is_rejected_with_its_place_and_the_rest_is_read() {
    let folder = Folder::new();
    let mut text = lines(0..1_500);
    text.push_str("{\"id\":\n[7]\n");
    text.push_str(&lines(1_500..3_000));
    folder.write("a.jsonl", &text);
    // One that is broken altogether does not stand in the way of the next.
    folder.write("b.jsonl", "nothing\n");
    folder.write("c.jsonl", lines([3_000]));
    let whole = folder.read(JSONL, Checkpoint::default()).await.unwrap();
    assert_eq!(ids(&whole), (0..=3_000).collect::<Vec<_>>());
    let rejected = |pages: &[Page]| -> Vec<(String, serde_json::Value)> {
        let all = pages.iter().flat_map(|page| &page.rejected);
        all.map(|rejected| (rejected.message.clone(), rejected.payload.clone()))
            .collect()
    };
    let told = rejected(&whole);
    assert_eq!(told.len(), 3, "{told:?}");
    for ((message, payload), (place, text)) in told.iter().zip([
        ("\"a.jsonl\", line 1501 is not JSON", "{\"id\":"),
        ("\"a.jsonl\", line 1502 is JSON, and not an object", "[7]"),
        ("\"b.jsonl\", line 1 is not JSON", "nothing"),
    ]) {
        assert!(message.contains(place), "{message}");
        assert_eq!(payload, text);
    }
    // What was said once is not said again by a read that goes on.
    for cut in 0..whole.len() - 1 {
        let rest = folder.read(JSONL, kept(&whole[cut].checkpoint)).await.unwrap();
        let mut again = rejected(&whole[..=cut]);
        again.extend(rejected(&rest));
        assert_eq!(again, told, "cut after page {cut}");
    }
}

#[tokio::test]
async fn broken_files_are_placed() {
    for (name, bytes, code, said) in [
        (
            "a.jsonl",
            "<html>\n".repeat(101).into_bytes(),
            "BAD_RECORD",
            "\"a.jsonl\", 101 in a row are no records: line 101 is not JSON",
        ),
        (
            "a.jsonl.gz",
            b"no gzip at all, but long enough".to_vec(),
            "BODY_UNDECODABLE",
            "is not gzip",
        ),
        (
            "a.jsonl.gz",
            gzip(lines(0..100).as_bytes())[..60].to_vec(),
            "BODY_UNDECODABLE",
            "ends in the middle",
        ),
    ] {
        let folder = Folder::new();
        folder.write(name, bytes);
        let error = folder.read(JSONL, Checkpoint::default()).await.unwrap_err().1;
        assert_eq!(
            (error.kind, error.code.as_str()),
            (ErrorKind::Malformed, code),
            "{error}"
        );
        assert!(error.message.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_bomb_is_read_in_portions_and_a_record_without_end_refused() {
    let folder = Folder::new();
    // 64 MiB of one line, from 64 KiB.
    let mut line = b"{\"id\": \"".to_vec();
    line.resize(64 << 20, b'x');
    folder.write("a.jsonl.gz", gzip(&line));
    let mut context = folder.context();
    context.limits.max_body_bytes = 4 << 20;
    let yaml = folder.manifest(JSONL);
    let error = read(&context, &yaml, json!({}), Checkpoint::default())
        .await
        .unwrap_err()
        .1;
    assert_eq!(error.code, "BODY_TOO_LARGE", "{error}");
    assert!(
        error.stats.bytes < 64 << 10,
        "most of it was not even read: {}",
        error.stats.bytes
    );
}

#[tokio::test]
async fn files_elsewhere_cannot_be_read() {
    let folder = Folder::new();
    folder.write("a.jsonl", lines([1]));
    let secret = tempfile::tempdir().unwrap();
    std::fs::write(secret.path().join("s.jsonl"), lines([666])).unwrap();
    let refused = async |path: &Path, context: ReadContext| {
        let path = serde_json::to_string(path).unwrap();
        let yaml = stream(&format!(
            "storage: {{type: LocalStorage, folder: {path}}}\n{JSONL}"
        ));
        let error = read(&context, &yaml, json!({}), Checkpoint::default())
            .await
            .unwrap_err()
            .1;
        assert_eq!(error.kind, ErrorKind::Config);
        assert!(error.message.contains("SYNCLINE_ALLOW_FOLDERS"), "{error}");
    };
    refused(secret.path(), folder.context()).await;
    refused(&folder.path().join("../.."), folder.context()).await;
    refused(&folder.path().join("nothing"), folder.context()).await;
    let mut nowhere = folder.context();
    nowhere.folders = Arc::from([]);
    refused(&folder.path(), nowhere).await;

    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink(secret.path(), folder.path().join("link")).unwrap();
        symlink(secret.path().join("s.jsonl"), folder.path().join("s.jsonl")).unwrap();
        let read = folder.read(JSONL, Checkpoint::default()).await.unwrap();
        assert_eq!(ids(&read), [1], "links are not followed");
        symlink(secret.path(), folder.allowed.path().join("out")).unwrap();
        refused(&folder.allowed.path().join("out"), folder.context()).await;
        // A file that becomes a link between the listing and the reading.
        folder.write("big.jsonl", lines(0..2_500));
        let first = folder
            .read("format: {type: JsonlFormat}\nprefix: big", Checkpoint::default())
            .await
            .unwrap();
        std::fs::remove_file(folder.path().join("big.jsonl")).unwrap();
        symlink(secret.path().join("s.jsonl"), folder.path().join("big.jsonl")).unwrap();
        let rest = folder
            .read(
                "format: {type: JsonlFormat}\nprefix: big",
                kept(&first[0].checkpoint),
            )
            .await
            .unwrap();
        assert_eq!(ids(&rest), [0_i64; 0]);
    }
}

#[tokio::test]
async fn cancelling_ends_a_read_in_the_middle() {
    let folder = Folder::new();
    folder.write("a.jsonl", lines(0..5_000));
    let context = folder.context();
    let mut stream = connector(&folder.manifest(JSONL))
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    futures::StreamExt::next(&mut stream).await.unwrap().unwrap();
    context.cancel.cancel();
    assert_eq!(pages(stream).await.unwrap_err().1.kind, ErrorKind::Cancelled);
}
