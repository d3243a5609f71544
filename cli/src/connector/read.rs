//! `connector read`: the streams one after the other, each page handed on as soon as it is there.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use connectors::Connector;
use connectors::read::{
    Checkpoint, Files, Note, NoteLevel, Page, ReadContext, ReadError, ReadRequest, Selection,
};
use futures::StreamExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::input::{self, Wanted};
use super::protocol::{FailureType, Level, Protocol, StreamLabel, StreamStatus};
use super::{config_faults, context, failure_type, protocol, written};
use crate::arguments::ReadArguments;
use crate::exit::{Exit, Failure, Outcome};

pub(super) async fn run(arguments: &ReadArguments) -> Outcome {
    let connector = input::connector(&arguments.source.manifest)?;
    let config = input::config(&arguments.source)?;
    let cancel = CancellationToken::new();
    cancel_on_interrupt(cancel.clone());
    let mut context = context(&arguments.source, cancel.clone())?;
    context.limits.ahead = arguments.limit.is_none();

    let mut protocol = protocol();
    if let Some(faults) = config_faults(&connector, &context, &config) {
        return written(
            protocol
                .error(None, &faults, &faults, FailureType::Config)
                .map(|()| Exit::Failed.into()),
        );
    }
    let connector = match connector.configured(&context, &config).await {
        Ok(connector) => connector,
        Err(error) => {
            let told = error.to_string();
            let failed = protocol.error(None, &told, &told, failure_type(&error));
            return written(failed.map(|()| Exit::Failed.into()));
        }
    };
    let wanted = wanted(&connector, arguments)?;
    let mut states = match &arguments.state {
        Some(path) => input::state(path, &|stream| connector.delegates(stream))?,
        None => Default::default(),
    };
    let mut reader = Reader {
        connector: &connector,
        context,
        config,
        limit: arguments.limit,
        files: FileFolders::of(arguments),
        protocol: &mut protocol,
    };
    let mut failed = Vec::new();
    let result = async {
        for warning in connector.warnings() {
            reader.protocol.log(Level::Warn, &warning.to_string())?;
        }
        reader.protocol.log(Level::Info, "Starting syncing")?;
        for wanted in wanted {
            let state = states.remove(&wanted.stream);
            if cancel.is_cancelled() || !reader.stream(&wanted, state).await? {
                failed.push(wanted.stream);
            }
        }
        if failed.is_empty() {
            reader.protocol.log(Level::Info, "Finished syncing")?;
            reader.protocol.flush()?;
            return Ok(ExitCode::SUCCESS);
        }
        let told = format!("These streams were not read to their end: {}", failed.join(", "));
        reader.protocol.log(Level::Error, &told)?;
        reader.protocol.flush()?;
        Ok(Exit::Failed.into())
    };
    written(result.await)
}

fn cancel_on_interrupt(cancel: CancellationToken) {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.cancel();
        }
    });
}

/// The catalog's streams, or all; of these the ones named by `--stream`.
fn wanted(connector: &Connector, arguments: &ReadArguments) -> Result<Vec<Wanted>, Failure> {
    let known: Vec<&str> = connector
        .streams()
        .iter()
        .map(|stream| stream.name.as_str())
        .collect();
    let mut wanted = match &arguments.catalog {
        Some(path) => input::catalog(path)?,
        None => known
            .iter()
            .map(|name| Wanted {
                stream: (*name).to_owned(),
                full_refresh: false,
                selection: Selection::default(),
                include_files: None,
            })
            .collect(),
    };
    let asked = wanted
        .iter()
        .map(|wanted| &wanted.stream)
        .chain(&arguments.streams);
    if let Some(unknown) = asked.clone().find(|name| !known.contains(&name.as_str())) {
        return Err(Failure::usage(format!(
            "The connector has no stream {unknown:?}. It has: {}.",
            known.join(", ")
        )));
    }
    if !arguments.streams.is_empty() {
        wanted.retain(|wanted| arguments.streams.contains(&wanted.stream));
    }
    Ok(wanted)
}

/// Reads streams into messages.
/// Where files go.
#[derive(Default)]
pub(super) struct FileFolders {
    /// The folder that was named; then files are wanted unless a catalog says otherwise.
    pub(super) asked_for: Option<PathBuf>,
    /// Otherwise.
    pub(super) usual: PathBuf,
}

impl FileFolders {
    fn of(arguments: &ReadArguments) -> Self {
        let staging = &arguments.staging;
        let usual = if staging.exists() {
            staging
        } else {
            Path::new(WITHOUT_STAGING)
        };
        Self {
            asked_for: arguments.files.clone(),
            usual: usual.to_owned(),
        }
    }
}

/// The reference's folder where no platform has one.
const WITHOUT_STAGING: &str = "/tmp/airbyte-file-transfer";

/// What became of a page.
enum Printed {
    All,
    /// The limit is reached.
    Enough,
    /// The file of a record cannot be had.
    Failed(ReadError),
}

pub(super) struct Reader<'a, W: Write> {
    pub(super) connector: &'a Connector,
    pub(super) context: ReadContext,
    pub(super) config: Value,
    pub(super) limit: Option<u64>,
    pub(super) files: FileFolders,
    pub(super) protocol: &'a mut Protocol<W>,
}

impl<W: Write> Reader<'_, W> {
    /// False when the stream failed; an error is one of the output's.
    pub(super) async fn stream(&mut self, wanted: &Wanted, state: Option<Value>) -> io::Result<bool> {
        let name = &wanted.stream;
        self.protocol
            .log(Level::Info, &format!("Syncing stream: {name}"))?;
        self.protocol.status(name, StreamStatus::Started)?;
        let request = ReadRequest {
            stream: name.clone(),
            config: self.config.clone(),
            checkpoint: Checkpoint { state, resume: None },
            full_refresh: wanted.full_refresh,
            selection: wanted.selection.clone(),
        };
        let mut pages = match self.connector.read(&self.context, request) {
            Ok(pages) => pages,
            Err(error) => return self.failed(name, &error),
        };
        let files = match self.files(wanted) {
            Ok(files) => files,
            Err(error) => return self.failed(name, &error),
        };
        let mut progress = Progress::default();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) => return self.failed(name, &error),
            };
            match self.page(name, page, &mut progress, files.as_ref()).await? {
                Printed::All => {}
                Printed::Enough => return self.cut_off(name, &progress),
                Printed::Failed(error) => return self.failed(name, &error),
            }
        }
        if progress.unsaid || !progress.said_any {
            self.protocol
                .state(name, progress.state.as_ref(), progress.since_state)?;
        }
        self.protocol.log(
            Level::Info,
            &format!("Read {} records from {name} stream", progress.records),
        )?;
        self.protocol.status(name, StreamStatus::Complete)?;
        Ok(true)
    }

    /// The files that are wanted with the stream's records.
    fn files(&self, wanted: &Wanted) -> Result<Option<Files>, ReadError> {
        let folder = match (wanted.include_files, &self.files.asked_for) {
            (Some(false), _) | (None, None) => return Ok(None),
            (_, Some(folder)) => folder,
            (Some(true), None) => &self.files.usual,
        };
        self.connector
            .files(&self.context, &self.config, &wanted.stream, folder.clone())
    }

    async fn page(
        &mut self,
        name: &str,
        page: Page,
        progress: &mut Progress,
        files: Option<&Files>,
    ) -> io::Result<Printed> {
        if progress.records == 0 && !page.records.is_empty() {
            self.protocol.status(name, StreamStatus::Running)?;
        }
        self.notes(&page.notes)?;
        for rejected in &page.rejected {
            self.protocol.log(
                Level::Warn,
                &format!("A record of {name} was left out: {}", rejected.message),
            )?;
        }
        let label = StreamLabel::new(name);
        let now = self.protocol.now();
        let room = self.limit.map_or(u64::MAX, |limit| limit - progress.records);
        let taken = usize::try_from(room)
            .unwrap_or(usize::MAX)
            .min(page.records.len());
        for record in &page.records[..taken] {
            let file = match files {
                None => None,
                Some(files) => match files.fetch(record).await {
                    Ok(file) => file,
                    Err(error) => return Ok(Printed::Failed(error)),
                },
            };
            self.protocol.record(&label, record.json(), now, file.as_ref())?;
        }
        if let Some(files) = files {
            self.notes(&files.take_notes())?;
        }
        progress.records += taken as u64;
        progress.since_state += taken as u64;
        let whole = taken == page.records.len();
        if whole {
            progress.reached(page.checkpoint.state);
            if progress.unsaid && self.protocol.uptime() >= progress.next_state {
                self.protocol
                    .state(name, progress.state.as_ref(), progress.since_state)?;
                progress.said(self.protocol.uptime());
            }
        }
        self.protocol.flush()?;
        if (page.last && whole) || self.limit.is_none_or(|limit| progress.records < limit) {
            Ok(Printed::All)
        } else {
            Ok(Printed::Enough)
        }
    }

    fn notes(&mut self, notes: &[Note]) -> io::Result<()> {
        for note in notes {
            let level = match note.level {
                NoteLevel::Warning => Level::Warn,
                NoteLevel::Info => Level::Info,
            };
            self.protocol.log(level, &note.message)?;
        }
        Ok(())
    }

    fn cut_off(&mut self, name: &str, progress: &Progress) -> io::Result<bool> {
        self.protocol.log(
            Level::Info,
            &format!(
                "Stopped {name} after {} records, as --limit asks",
                progress.records
            ),
        )?;
        self.protocol.status(name, StreamStatus::Incomplete)?;
        Ok(true)
    }

    fn failed(&mut self, name: &str, error: &ReadError) -> io::Result<bool> {
        self.protocol.error(
            Some(name),
            &error.message,
            &error.to_string(),
            failure_type(error),
        )?;
        self.protocol.status(name, StreamStatus::Incomplete)?;
        Ok(false)
    }
}

/// A state is printed when it moved, but not after each of ten thousand partitions, whose states are long: printing them all
/// would be most of the output.
const STATE_EVERY: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Progress {
    records: u64,
    since_state: u64,
    state: Option<Value>,
    /// The state moved since it was last printed.
    unsaid: bool,
    next_state: Duration,
    said_any: bool,
}

impl Progress {
    fn reached(&mut self, state: Option<Value>) {
        if state != self.state {
            self.state = state;
            self.unsaid = true;
        }
    }

    fn said(&mut self, uptime: Duration) {
        self.unsaid = false;
        self.said_any = true;
        self.since_state = 0;
        self.next_state = uptime + STATE_EVERY;
    }
}
