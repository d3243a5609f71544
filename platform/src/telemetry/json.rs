//! One JSON object a line, with the fields of the spans around an event flat in it.
//!
//! The order is fixed: `timestamp`, `level`, `target`, `message`, then the fields, the outermost span's
//! first. An inner span's field replaces an outer one's of the same name, and the event's own replaces both.

use std::fmt;
use std::io::Write;

use chrono::SecondsFormat;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::clock::SharedClock;

/// What a line begins with: a field of such a name is renamed rather than lost.
const RESERVED: [&str; 4] = ["timestamp", "level", "target", "message"];

/// Writes events as lines of JSON.
pub(super) struct JsonLines<W> {
    writer: W,
    clock: SharedClock,
}

/// A span's fields, kept with the span.
struct Fields(Map<String, Value>);

impl<W> JsonLines<W> {
    pub(super) fn new(writer: W, clock: SharedClock) -> Self {
        Self { writer, clock }
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Map::new();
        attributes.record(&mut Collect {
            fields: &mut fields,
            message: None,
        });
        span.extensions_mut().insert(Fields(fields));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(Fields(fields)) = span.extensions_mut().get_mut() {
            values.record(&mut Collect {
                fields,
                message: None,
            });
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Map::new();
        let mut collect = Collect {
            fields: &mut own,
            message: None,
        };
        event.record(&mut collect);
        let message = collect.message.unwrap_or_default();

        let mut line = Map::new();
        let time = self.clock.now().to_rfc3339_opts(SecondsFormat::Micros, true);
        line.insert("timestamp".to_owned(), time.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        line.insert("message".to_owned(), message.into());
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(Fields(fields)) = span.extensions().get() {
                line.extend(fields.clone());
            }
        }
        line.extend(own);

        if let Ok(mut text) = serde_json::to_vec(&line) {
            text.push(b'\n');
            // In one piece, so that two threads' lines do not mix; and nobody can be told that it failed.
            let _ = self.writer.make_writer_for(event.metadata()).write_all(&text);
        }
    }
}

struct Collect<'a> {
    fields: &'a mut Map<String, Value>,
    message: Option<String>,
}

impl Collect<'_> {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        let name = field.name().strip_prefix("r#").unwrap_or(field.name());
        let name = if RESERVED.contains(&name) {
            format!("field_{name}")
        } else {
            name.to_owned()
        };
        self.fields.insert(name, value.into());
    }
}

impl Visit for Collect<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = Some(value.to_owned());
        } else {
            self.insert(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            let error_text = error.to_string();
            // Many errors end in their cause already.
            if !text.ends_with(&error_text) {
                text.push_str(": ");
                text.push_str(&error_text);
            }
            cause = error.source();
        }
        self.insert(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::clock::ManualClock;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        let sink = lines.clone();
        let layer = JsonLines::new(move || sink.clone(), ManualClock::default().shared());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn every_line_has_the_fields_of_the_spans_around_it() {
        let lines = logged(|| {
            let run = tracing::info_span!(
                "run",
                client = "cli_1",
                run = "run_1",
                attempt = tracing::field::Empty
            );
            let _run = run.enter();
            run.record("attempt", 2);
            let _page = tracing::info_span!("page", run = "run_2").entered();
            tracing::info!(target: "engine", records = 100, "page \"written\"");
        });
        assert_eq!(
            lines,
            [
                r#"{"timestamp":"2026-01-01T12:00:00.000000Z","level":"INFO","target":"engine","message":"page \"written\"","client":"cli_1","run":"run_2","attempt":2,"records":100}"#
            ]
        );
    }

    #[test]
    fn a_field_that_would_replace_the_level_is_renamed_and_a_newline_stays_in_its_line() {
        let lines = logged(|| tracing::warn!(level = "high", "two\nlines"));
        assert_eq!(lines.len(), 1);
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(
            (&line["level"], &line["field_level"]),
            (&"WARN".into(), &"high".into())
        );
        assert_eq!(line["message"], "two\nlines");
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let error = crate::secrets::MasterKey::parse("x", "here")
            .map(drop)
            .unwrap_err();
        let outer = io::Error::other(error);
        let lines = logged(|| tracing::error!(error = &outer as &dyn std::error::Error, "failed"));
        assert!(lines[0].contains("here does not hold 32 bytes"), "{lines:?}");
    }
}
