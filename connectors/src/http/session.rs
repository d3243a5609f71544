//! What all requests of one read share: the context, the configuration with its secrets, the tokens that were
//! fetched, and the meter.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use serde_json::Value;

use super::ambient::Ambient;
use super::rotation::Rotation;
use super::token::Token;
use crate::manifest::components::{ApiBudget, ConcurrencyLevel, Integer};
use crate::read::{Note, NoteLevel, PageStats, ReadContext, Selection};
use crate::template::Variable;

/// Names that a place in the manifest offers besides `config` and `parameters`.
pub(crate) type Names<'a> = [(&'static str, Variable<'a>)];

/// See the module.
pub(crate) struct Session {
    pub(crate) context: ReadContext,
    pub(crate) config: Value,
    /// What the manifest says on how much the upstream allows.
    pub(crate) budget: Option<Arc<ApiBudget>>,
    secrets: RwLock<Vec<String>>,
    requests: AtomicU64,
    bytes: AtomicU64,
    notes: Mutex<Vec<Note>>,
    pub(super) ambient: Ambient,
    /// Jobs that run, of all streams that are read, and how many may.
    jobs: Arc<AtomicUsize>,
    jobs_at_once: usize,
    side_by_side: usize,
    /// What a catalog selects of the stream that is read.
    selection: OnceLock<(String, Selection)>,
    /// By what was asked for; the lock is held while asking, so that a token is asked for once.
    pub(super) tokens: tokio::sync::Mutex<HashMap<String, Arc<Token>>>,
    /// Tokens that take turns, by what they are.
    pub(super) rotations: tokio::sync::Mutex<HashMap<String, Arc<Rotation>>>,
}

/// Slices that are read side by side where the manifest does not say how many.
const SIDE_BY_SIDE: usize = 4;
/// More than this would be more than one stream should have of anybody's server, whatever the manifest says.
const MOST_SIDE_BY_SIDE: usize = 50;

/// A running job's place; it is free again when this is dropped.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Session {
    /// A session for one read; `secrets` are the configuration's values at the spec's secret paths.
    pub(crate) fn new(
        context: ReadContext,
        config: Value,
        secrets: Vec<String>,
        budget: Option<Arc<ApiBudget>>,
    ) -> Self {
        let ambient = Ambient::new(&context);
        let this = Self {
            context,
            ambient,
            config,
            budget,
            secrets: RwLock::new(Vec::new()),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            notes: Mutex::new(Vec::new()),
            jobs: Arc::default(),
            jobs_at_once: 1,
            side_by_side: SIDE_BY_SIDE,
            selection: OnceLock::new(),
            tokens: tokio::sync::Mutex::new(HashMap::new()),
            rotations: tokio::sync::Mutex::new(HashMap::new()),
        };
        for secret in &secrets {
            this.hide(secret);
            // An upstream may repeat it as it stood in the address.
            this.hide(&url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>());
        }
        this
    }

    /// The same session, for so many jobs at once. What does not come to a number above zero is one, as in the
    /// reference.
    pub(crate) fn with_jobs_at_once(mut self, count: Option<&Integer>) -> Self {
        let count = count.and_then(|count| self.integer(count, &[]).ok());
        self.jobs_at_once = count
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or(1)
            .max(1);
        self
    }

    /// The same session, for so many slices side by side.
    pub(crate) fn with_concurrency(mut self, level: Option<&ConcurrencyLevel>) -> Self {
        if let Some(level) = level {
            let told = self.integer(&level.default_concurrency, &[]).ok();
            let told = told.map(|told| level.max_concurrency.map_or(told, |most| told.min(most)));
            let told = told.and_then(|told| usize::try_from(told).ok());
            self.side_by_side = told.unwrap_or(SIDE_BY_SIDE).clamp(1, MOST_SIDE_BY_SIDE);
        }
        self
    }

    /// Remembers what a catalog selects of the stream that is read.
    pub(crate) fn select(&self, stream: &str, selection: Selection) {
        // A session reads one stream, and its parents as the manifest has them.
        let _ = self.selection.set((stream.to_owned(), selection));
    }

    /// What a catalog selects of a stream.
    pub(crate) fn selection(&self, stream: &str) -> Option<&Selection> {
        let (name, selection) = self.selection.get()?;
        (name == stream).then_some(selection)
    }

    /// How many slices may be read side by side.
    pub(crate) fn side_by_side(&self) -> usize {
        if self.context.limits.ahead {
            self.side_by_side
        } else {
            1
        }
    }

    /// How many jobs may run at once.
    pub(crate) fn jobs_at_once(&self) -> usize {
        self.jobs_at_once
    }

    /// A place for one more job. Whoever has none running always gets one: a child's jobs must not wait for its
    /// parent's, which nobody polls meanwhile.
    pub(crate) fn place_for_job(&self, own: usize) -> Option<Place> {
        if own > 0 && own.max(self.jobs.load(Ordering::Relaxed)) >= self.jobs_at_once {
            return None;
        }
        self.jobs.fetch_add(1, Ordering::Relaxed);
        Some(Place(Arc::clone(&self.jobs)))
    }

    /// The same secrets around another configuration: while one is being changed.
    pub(super) fn with_config(&self, config: Value) -> Self {
        let secrets = self
            .secrets
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        Self::new(self.context.clone(), config, secrets, None)
    }

    /// Keeps a value out of everything that is shown from now on: a configured secret, or a token made of one.
    pub(crate) fn hide(&self, secret: &str) {
        // A one- or two-letter secret protects nothing and would turn every message into stars.
        if secret.chars().count() <= 2 {
            return;
        }
        let known = |secrets: &[String]| secrets.iter().any(|known| known == secret);
        if known(&self.secrets.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        if !known(&secrets) {
            secrets.push(secret.to_owned());
            // The longest first: one secret may be a part of another.
            secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// Whether everything that templates gave so far is a matter of the configuration and of the answers alone.
    pub(crate) fn is_timeless(&self) -> bool {
        !self.ambient.was_asked()
    }

    /// Counts a request and the bytes of its answer.
    pub(crate) fn count(&self, bytes: usize) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.count_bytes(bytes);
    }

    /// Counts bytes of a body that is read piece by piece.
    pub(super) fn count_bytes(&self, bytes: usize) {
        self.bytes
            .fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What was spent since it was last asked.
    pub(crate) fn take_stats(&self) -> PageStats {
        PageStats {
            requests: self.requests.swap(0, Ordering::Relaxed),
            bytes: self.bytes.swap(0, Ordering::Relaxed),
        }
    }

    /// Something a person should know; said once.
    pub(crate) fn note(&self, level: NoteLevel, message: impl Into<String>) {
        let note = Note {
            level,
            message: self.scrub(&message.into()),
        };
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// The notes since it was last asked.
    pub(crate) fn take_notes(&self) -> Vec<Note> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the configuration's secrets out of somebody else's text.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let mut scrubbed = text.to_owned();
        for secret in self.secrets.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if scrubbed.contains(secret.as_str()) {
                scrubbed = scrubbed.replace(secret.as_str(), "******");
            }
        }
        scrubbed
    }
}

/// A value as Python's `str` shows it, which is how the reference puts it into addresses and headers.
pub(crate) fn display(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => crate::template::float_repr(float),
            None => number.to_string(),
        },
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(quoted).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", quoted(&Value::String(name.clone())), quoted(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

/// A value inside of another one: texts are quoted.
fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('\'') && !text.contains('"') => format!("\"{text}\""),
        Value::String(text) => format!(
            "'{}'",
            text.replace('\\', "\\\\")
                .replace('\'', "\\'")
                .replace('\n', "\\n")
        ),
        other => display(other),
    }
}

/// Whether Python takes the value for true.
pub(crate) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}
