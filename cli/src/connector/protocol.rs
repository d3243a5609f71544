//! The Airbyte protocol's messages, one JSON object a line.
//!
//! The shapes, down to `recordCount` being a float and TRACE times being floats, are those of the reference implementation,
//! so that what reads its output reads ours, and a state file written by either resumes the other.
//!
//! Records are the only message there are millions of. A record is a slice of the page it came in, so it is copied into
//! the line as it stands, without being parsed and printed again; only line breaks, which JSON allows between tokens and a
//! line protocol does not, are left out.

use std::io::{self, Write};
use std::time::Duration;

use chrono::{DateTime, Utc};
use connectors::read::FileReference;
use platform::clock::SharedClock;
use serde::Serialize;
use serde_json::{Value, json};

use super::null_fields;

/// What the reference prints as the state of a stream that has no cursor.
pub(crate) const NO_CURSOR: &str = "__ab_no_cursor_state_message";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum StreamStatus {
    Started,
    Running,
    Complete,
    Incomplete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
}

/// Who has to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum FailureType {
    #[serde(rename = "config_error")]
    Config,
    #[serde(rename = "transient_error")]
    Transient,
    #[serde(rename = "system_error")]
    System,
}

/// Writes messages. Lines gather in a buffer; [`Protocol::flush`] after each page hands them on, so that a reader at the
/// other end of a pipe sees a page as soon as it is there, and a fast source does not pay a system call a record.
pub(crate) struct Protocol<W: Write> {
    out: io::BufWriter<W>,
    clock: SharedClock,
}

const BUFFER: usize = 64 * 1024;

impl<W: Write> Protocol<W> {
    pub(crate) fn new(out: W, clock: SharedClock) -> Self {
        Self {
            out: io::BufWriter::with_capacity(BUFFER, out),
            clock,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A clock that only goes forward, to space things by.
    pub(crate) fn uptime(&self) -> Duration {
        self.clock.monotonic()
    }

    pub(crate) fn log(&mut self, level: Level, message: &str) -> io::Result<()> {
        self.line(&json!({ "type": "LOG", "log": { "level": level, "message": message } }))
    }

    pub(crate) fn status(&mut self, stream: &str, status: StreamStatus) -> io::Result<()> {
        let at = self.trace_time();
        self.line(&json!({ "type": "TRACE", "trace": {
            "type": "STREAM_STATUS",
            "emitted_at": at,
            "stream_status": { "stream_descriptor": { "name": stream }, "status": status },
        }}))?;
        self.flush()
    }

    pub(crate) fn error(
        &mut self,
        stream: Option<&str>,
        message: &str,
        internal: &str,
        failure: FailureType,
    ) -> io::Result<()> {
        let at = self.trace_time();
        let mut error = json!({ "message": message, "internal_message": internal, "failure_type": failure });
        if let Some(stream) = stream {
            error["stream_descriptor"] = json!({ "name": stream });
        }
        self.line(
            &json!({ "type": "TRACE", "trace": { "type": "ERROR", "emitted_at": at, "error": error } }),
        )?;
        self.flush()
    }

    /// `json` must be one valid JSON value.
    pub(crate) fn record(
        &mut self,
        stream: &StreamLabel,
        json: &str,
        emitted_at: DateTime<Utc>,
        file: Option<&FileReference>,
    ) -> io::Result<()> {
        self.out.write_all(br#"{"type":"RECORD","record":{"stream":"#)?;
        self.out.write_all(stream.quoted.as_bytes())?;
        self.out.write_all(br#","data":"#)?;
        // Inside a JSON string a line break is escaped, so every bare one is mere layout.
        for piece in null_fields::left_out(json).split(['\n', '\r']) {
            self.out.write_all(piece.as_bytes())?;
        }
        write!(self.out, r#","emitted_at":{}"#, emitted_at.timestamp_millis())?;
        if let Some(file) = file {
            let reference = json!({
                "staging_file_url": file.path.to_string_lossy(),
                "source_file_relative_path": file.relative_path.to_string_lossy(),
                "file_size_bytes": file.bytes,
            });
            write!(self.out, r#","file_reference":{reference}"#)?;
        }
        self.out.write_all(b"}}\n")
    }

    /// `records`: how many of the stream since its last state.
    pub(crate) fn state(&mut self, stream: &str, state: Option<&Value>, records: u64) -> io::Result<()> {
        let no_cursor = json!({ NO_CURSOR: true });
        self.line(&json!({ "type": "STATE", "state": {
            "type": "STREAM",
            "stream": { "stream_descriptor": { "name": stream }, "stream_state": state.unwrap_or(&no_cursor) },
            "sourceStats": { "recordCount": records as f64 },
        }}))
    }

    pub(crate) fn connection_status(&mut self, failure: Option<&str>) -> io::Result<()> {
        let status = match failure {
            None => json!({ "status": "SUCCEEDED" }),
            Some(message) => json!({ "status": "FAILED", "message": message }),
        };
        self.line(&json!({ "type": "CONNECTION_STATUS", "connectionStatus": status }))?;
        self.flush()
    }

    pub(crate) fn spec(&mut self, spec: &Value) -> io::Result<()> {
        self.line(&json!({ "type": "SPEC", "spec": spec }))?;
        self.flush()
    }

    pub(crate) fn catalog(&mut self, streams: Vec<Value>) -> io::Result<()> {
        self.line(&json!({ "type": "CATALOG", "catalog": { "streams": streams } }))?;
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn line(&mut self, message: &Value) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, message)?;
        self.out.write_all(b"\n")
    }

    fn trace_time(&self) -> f64 {
        self.now().timestamp_millis() as f64
    }
}

/// A stream's name, quoted once instead of at every record.
pub(crate) struct StreamLabel {
    quoted: String,
}

impl StreamLabel {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            quoted: Value::from(name).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use platform::clock::ManualClock;

    use super::*;

    fn written(write: impl FnOnce(&mut Protocol<&mut Vec<u8>>) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        let clock = ManualClock::at("2026-06-15T12:00:00Z".parse().expect("a date"));
        let mut protocol = Protocol::new(&mut bytes, clock.shared());
        write(&mut protocol).expect("a vector takes everything");
        protocol.flush().expect("a vector takes everything");
        drop(protocol);
        String::from_utf8(bytes).expect("UTF-8")
    }

    /// Copied from the reference's output.
    #[test]
    fn messages_are_byte_for_byte_the_references() {
        let at = "2026-06-15T12:00:00Z".parse().expect("a date");
        let state = json!({ "created_at": "2026-06-15T00:00:00.000000+0000" });
        let text = written(|protocol| {
            protocol.log(Level::Info, "Starting syncing")?;
            protocol.status("teams", StreamStatus::Started)?;
            protocol.record(
                &StreamLabel::new("teams"),
                r#"{"id":3648000,"users":[]}"#,
                at,
                None,
            )?;
            protocol.state("teams", Some(&state), 5)?;
            protocol.state("tags", None, 5)
        });
        assert_eq!(
            text,
            r#"{"type":"LOG","log":{"level":"INFO","message":"Starting syncing"}}
{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1781524800000.0,"stream_status":{"stream_descriptor":{"name":"teams"},"status":"STARTED"}}}
{"type":"RECORD","record":{"stream":"teams","data":{"id":3648000,"users":[]},"emitted_at":1781524800000}}
{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"teams"},"stream_state":{"created_at":"2026-06-15T00:00:00.000000+0000"}},"sourceStats":{"recordCount":5.0}}}
{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"tags"},"stream_state":{"__ab_no_cursor_state_message":true}},"sourceStats":{"recordCount":5.0}}}
"#
        );
    }

    #[test]
    fn a_pretty_printed_record_still_takes_one_line() {
        let at = "2026-06-15T12:00:00Z".parse().expect("a date");
        let text = written(|protocol| {
            protocol.record(
                &StreamLabel::new("a \"b\""),
                "{\r\n  \"text\": \"one\\ntwo\"\n}",
                at,
                None,
            )
        });
        assert_eq!(text.lines().count(), 1);
        let message: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(message["record"]["stream"], "a \"b\"");
        assert_eq!(message["record"]["data"]["text"], "one\ntwo");
    }

    #[test]
    fn a_status_is_seen_at_once() {
        let mut seen = Seen::default();
        let clock = ManualClock::at("2026-06-15T12:00:00Z".parse().expect("a date"));
        let mut protocol = Protocol::new(&mut seen, clock.shared());
        protocol.log(Level::Info, "gathers").expect("written");
        assert!(protocol.out.get_ref().0.is_empty());
        protocol.status("users", StreamStatus::Complete).expect("written");
        assert!(!protocol.out.get_ref().0.is_empty());
    }

    #[derive(Default)]
    struct Seen(Vec<u8>);

    impl Write for &mut Seen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
