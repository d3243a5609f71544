//! Reading a shipped connector as a server's run does: page by page, each with a checkpoint, and on from the last one
//! when the vendor asked for patience.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeZone, Utc};
use connectors::Connector;
use connectors::read::{
    Ask, Checkpoint, ErrorKind, Gate, HeldBack, Pacer, Page, ReadContext, ReadError, ReadLimits, ReadRequest,
    RetryMode, Seen, Selection, Told,
};
use futures::StreamExt;
use futures::future::BoxFuture;
use platform::clock::{Clock, ManualClock};
use platform::http_client::{HttpClient, HttpLimits, NetworkPolicy};
use platform::random::SystemRandom;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::fake::Fake;

/// When all of this happens.
pub(crate) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 15, 12, 0, 0).unwrap()
}

/// A moment before [`now`], in seconds of the epoch.
pub(crate) fn days_ago(days: i64) -> i64 {
    now().timestamp() - days * 86_400
}

/// The same as RFC 3339 writes it.
pub(crate) fn date_ago(days: i64) -> String {
    let moment = DateTime::from_timestamp(days_ago(days), 0).unwrap();
    moment.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The manifest as it is shipped.
pub(crate) fn shipped(slug: &str) -> &'static str {
    let mut all = connectors::catalog::shipped().iter();
    all.find(|manifest| manifest.slug == slug).unwrap().yaml
}

/// The manifest with another origin than the vendor's, wherever that begins a value.
pub(crate) fn moved(yaml: &str, origin: &str, fake: &Fake) -> String {
    let mut moved = yaml.to_owned();
    for before in ["\"", ": "] {
        moved = moved.replace(&format!("{before}{origin}"), &format!("{before}{}", fake.base()));
    }
    assert_ne!(moved, yaml, "{origin} is not in the manifest");
    moved
}

pub(crate) fn load(yaml: &str) -> Connector {
    Connector::parse(yaml).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// What a read gave.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) records: Vec<Value>,
    pub(crate) state: Option<Value>,
    /// What kept the read waiting, each time.
    pub(crate) waits: Vec<(ErrorKind, Option<Duration>)>,
    /// For how long answers asked to be left alone, as the gate of a server's run is told.
    pub(crate) patience: Vec<Duration>,
}

impl Got {
    /// One field of every record.
    pub(crate) fn all(&self, pointer: &str) -> Vec<&Value> {
        let field = |record| Value::pointer(record, pointer).unwrap_or(&Value::Null);
        self.records.iter().map(field).collect()
    }
}

/// A gate that lets everything through, and remembers what it was told.
#[derive(Default)]
struct Listening(Mutex<Vec<Duration>>);

#[async_trait]
impl Gate for Listening {
    async fn admit(&self, _: &Ask<'_>) -> Result<(), HeldBack> {
        Ok(())
    }

    async fn seen(&self, _: &Ask<'_>, seen: Seen, _: Told) {
        if let Seen::Works { patience } | Seen::Fails { patience } = seen {
            self.0.lock().unwrap().extend(patience);
        }
    }
}

/// A clock on which nobody waits: whoever wants to moves the time on instead.
#[derive(Debug)]
struct Hasty(ManualClock);

impl Clock for Hasty {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = self.0.clone();
        Box::pin(async move { clock.advance(duration) })
    }
}

/// A clock that stands still, but for the wait between two polls of a job, which is over at once.
#[derive(Debug)]
struct Polled(ManualClock);

const POLL: Duration = Duration::from_secs(5);

impl Clock for Polled {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration != POLL {
            return self.0.sleep(duration);
        }
        self.0.advance(duration);
        Box::pin(tokio::task::yield_now())
    }
}

fn context(fake: &Fake, gate: Arc<dyn Gate>) -> ReadContext {
    to(vec![fake.address], gate)
}

/// What a connector's manifest limits under this configuration, without reading anything.
pub(crate) fn limits(connector: &Connector, config: &Value) -> Vec<connectors::read::Counted> {
    let faults = connector.spec().validate(config);
    assert!(faults.is_empty(), "{faults:?}");
    connector.call_limits(&to(Vec::new(), Arc::<Listening>::default()), config)
}

fn to(allow_addresses: Vec<std::net::SocketAddr>, gate: Arc<dyn Gate>) -> ReadContext {
    let policy = NetworkPolicy {
        allow_networks: Vec::new(),
        allow_addresses,
    };
    ReadContext {
        folders: Default::default(),
        http: HttpClient::new(policy, HttpLimits::default()).unwrap(),
        clock: Arc::new(Polled(ManualClock::at(now()))),
        random: SystemRandom::shared(),
        retry: RetryMode::LeaveToCaller,
        gate: Some(gate),
        limits: ReadLimits::default(),
        cancel: CancellationToken::new(),
    }
}

/// A connector, what it is configured with, and whom it reads from.
pub(crate) struct Reader<'a> {
    pub(crate) fake: &'a Fake,
    pub(crate) connector: Connector,
    pub(crate) config: Value,
}

impl Reader<'_> {
    /// Reads a stream to its end, going on after whatever passes.
    pub(crate) async fn read(&self, stream: &str, state: Option<Value>) -> Result<Got, ReadError> {
        let faults = self.connector.spec().validate(&self.config);
        assert!(faults.is_empty(), "{faults:?}");
        let gate = Arc::<Listening>::default();
        let context = context(self.fake, Arc::clone(&gate) as Arc<dyn Gate>);
        let mut got = Got {
            records: Vec::new(),
            state: state.clone(),
            waits: Vec::new(),
            patience: Vec::new(),
        };
        let mut checkpoint = Checkpoint { state, resume: None };
        while got.waits.len() < 10 {
            let request = ReadRequest {
                stream: stream.to_owned(),
                config: self.config.clone(),
                checkpoint: checkpoint.clone(),
                full_refresh: false,
                selection: Selection::default(),
            };
            let mut pages = self.connector.read(&context, request)?;
            let failure = loop {
                match pages.next().await {
                    None => break None,
                    Some(Err(error)) => break Some(error),
                    Some(Ok(page)) => {
                        assert!(page.rejected.is_empty(), "{:?}", page.rejected);
                        checkpoint = page.checkpoint;
                        let parsed = page.records.iter().map(|record| record.json());
                        got.records
                            .extend(parsed.map(|json| serde_json::from_str::<Value>(json).unwrap()));
                    }
                }
            };
            match failure {
                None => {
                    got.state = checkpoint.state;
                    got.patience = std::mem::take(&mut *gate.0.lock().unwrap());
                    self.hold_against_the_schema(stream, &got.records);
                    return Ok(got);
                }
                Some(error) if error.retryable => got.waits.push((error.kind, error.retry_after)),
                Some(error) => return Err(error),
            }
        }
        panic!("the vendor asks for patience without an end: {:?}", got.waits);
    }

    /// Finds out which streams there are.
    pub(crate) async fn configure(&mut self) {
        let context = context(self.fake, Arc::<Listening>::default());
        let configured = self.connector.configured(&context, &self.config).await;
        self.connector = configured.unwrap();
    }

    /// Reads a stream until it ends or anything goes wrong, and counts its records.
    pub(crate) async fn once(&self, stream: &str) -> Result<usize, ReadError> {
        self.through(stream, &context(self.fake, Arc::<Listening>::default()))
            .await
    }

    /// Reads a stream until it ends or something goes wrong, and counts its records.
    async fn through(&self, stream: &str, context: &ReadContext) -> Result<usize, ReadError> {
        let request = ReadRequest {
            stream: stream.to_owned(),
            config: self.config.clone(),
            checkpoint: Checkpoint::default(),
            full_refresh: false,
            selection: Selection::default(),
        };
        let mut pages = self.connector.read(context, request)?;
        let mut count = 0;
        while let Some(page) = pages.next().await {
            count += page?.records.len();
        }
        Ok(count)
    }

    /// Reads a stream so many times in a row, on a timed fake: in a hurry, until the vendor has had enough, whose word
    /// is given back; and then at the pace of the manifest's budget, as `connector read` does, of which nothing may
    /// be refused, and which has to take this long.
    pub(crate) async fn keeps_its_pace(
        &self,
        clock: &ManualClock,
        stream: &str,
        times: usize,
        takes: Duration,
    ) -> ReadError {
        let hurried = context(self.fake, Arc::<Listening>::default());
        let mut refused = None;
        for _ in 0..times {
            refused = self.through(stream, &hurried).await.err();
            if refused.is_some() {
                break;
            }
        }
        let refused = refused.unwrap_or_else(|| panic!("{stream}: the fake let everything pass"));
        assert_eq!(
            (refused.kind, refused.retryable),
            (ErrorKind::RateLimited, true),
            "{refused}"
        );
        assert!(self.fake.take_refused() > 0, "{refused}");

        clock.advance(Duration::from_secs(2 * 86_400));
        let began = clock.monotonic();
        let pacer = Pacer::new(Arc::new(Hasty(clock.clone())));
        let paced = context(self.fake, Arc::new(pacer));
        for _ in 0..times {
            let read = self.through(stream, &paced).await;
            assert!(read.is_ok_and(|count| count > 0), "{stream}");
        }
        assert_eq!(self.fake.take_refused(), 0, "{stream}");
        let took = clock.monotonic() - began;
        assert!((takes..takes * 2).contains(&took), "{stream} took {took:?}");
        refused
    }

    /// Reads a stream unless it is as it was when it gave these validators: how many records it has, and its last page.
    pub(crate) async fn unless(&self, stream: &str, validators: Option<&Value>) -> (usize, Page) {
        let context = context(self.fake, Arc::<Listening>::default());
        let request = ReadRequest {
            stream: stream.to_owned(),
            config: self.config.clone(),
            checkpoint: Checkpoint::default(),
            full_refresh: true,
            selection: Selection::default(),
        };
        let pages = self.connector.read_unless(&context, request, validators).unwrap();
        let mut pages: Vec<_> = pages.map(Result::unwrap).collect().await;
        let count = pages.iter().map(|page| page.records.len()).sum();
        (count, pages.pop().unwrap())
    }

    /// As [`Self::read`], where nothing may go wrong.
    pub(crate) async fn whole(&self, stream: &str, state: Option<Value>) -> Got {
        match self.read(stream, state).await {
            Ok(got) => got,
            Err(error) => panic!("{stream}: {error}\n{:#?}", self.fake.take_requests().last()),
        }
    }

    pub(crate) async fn check(&self) -> Result<(), ReadError> {
        let gate = Arc::<Listening>::default();
        self.connector
            .check(&context(self.fake, gate), &self.config)
            .await
    }

    /// Every record fits the schema, is described by it to the last field, and has a key of its own.
    fn hold_against_the_schema(&self, stream: &str, records: &[Value]) {
        let mut streams = self.connector.streams().iter();
        let described = streams.find(|described| described.name == stream).unwrap();
        let validator = jsonschema::validator_for(&described.json_schema).unwrap();
        let mut keys = HashSet::new();
        for record in records {
            if let Err(error) = validator.validate(record) {
                panic!("{stream}: {error} in {record:#}");
            }
            // Where the schema is asked for, it is the description that records were cast by.
            let asked_for = described.json_schema["properties"].is_null();
            for field in record.as_object().unwrap().keys().filter(|_| !asked_for) {
                let known = &described.json_schema["properties"][field];
                assert!(!known.is_null(), "{stream}: the schema does not describe {field}");
            }
            let part = |path: &Vec<String>| {
                let value = path.iter().fold(record, |value, name| &value[name]);
                assert!(
                    !value.is_null(),
                    "{stream}: {path:?} of the key is missing in {record:#}"
                );
                value.clone()
            };
            let key = Value::from_iter(described.primary_key.iter().map(part)).to_string();
            assert!(keys.insert(key.clone()), "{stream}: the key {key} comes twice");
        }
    }
}

/// Breaks the manifest in one place and expects the fake to refuse what is then asked. It is how a fake shows that it
/// looks: one that lets this pass would let the same mistake pass in the manifest that is shipped.
pub(crate) async fn refuses(
    reader: &Reader<'_>,
    yaml: &str,
    stream: &str,
    change: (&str, &str),
) -> ReadError {
    let (from, to) = change;
    assert!(yaml.contains(from), "the manifest has no {from:?}");
    let broken = Reader {
        fake: reader.fake,
        connector: load(&yaml.replace(from, to)),
        config: reader.config.clone(),
    };
    match broken.read(stream, None).await {
        Ok(_) => panic!("{stream}: {to:?} in place of {from:?} was let pass"),
        Err(error) => error,
    }
}
