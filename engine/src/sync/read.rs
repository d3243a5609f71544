//! Reading ahead of writing, within bounds.
//!
//! A task pulls pages from the source and prepares them; the writer gathers what is ready. What lies between
//! the two is bounded in bytes, not in pages: a page may be 200 bytes or 20 MB. The writer's share of the
//! budget counts until its transaction has committed.
//!
//! Preparing is arithmetic, a microsecond or two a record, and happens on a thread for blocking work. On the
//! runtime's own threads it would delay every other answer, and it would not overlap with the reading: a task that
//! is woken by another one waits for that one's thread, and nobody can steal it.

use std::sync::Arc;
use std::time::Duration;

use connectors::error::ReadError;
use connectors::read::PageStream;
use futures::StreamExt;
use platform::clock::SharedClock;
use platform::database::Backend;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::diff::{Identity, Prepared, prepare};
use super::source::StreamSource;
use crate::Engine;
use crate::queue::Claim;

/// How much is read ahead and written at once.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// What may lie between reading and writing, in KiB: the group that is written, and the one that fills meanwhile.
    /// A larger page passes alone.
    budget_kib: usize,
    /// A group is written when it has so many bytes …
    group_bytes: usize,
    /// … or so many records.
    group_records: usize,
}

/// SQLite commits in microseconds, so small groups cost nothing. Eight times as much won nothing in time and cost 33 MB at
/// the peak: each byte is held in several copies on its way into the database. Changes that lie scattered cost two or
/// three pages of memory each until the transaction ends, so many small records are not one group.
const SQLITE: Bounds = Bounds {
    budget_kib: 1024,
    group_bytes: 512 * 1024,
    group_records: 2_500,
};

/// A commit waits for a disk, elsewhere, and ten statements for the network: a first sync of 200,000 records took 0.8 of
/// the time that it takes with SQLite's bounds, for 10 MB at the peak.
const POSTGRES: Bounds = Bounds {
    budget_kib: 3 * 1024,
    group_bytes: 1024 * 1024,
    group_records: 5_000,
};

impl Bounds {
    fn of(backend: Backend) -> Self {
        match backend {
            Backend::Postgres => POSTGRES,
            Backend::Sqlite => SQLITE,
        }
    }
}

/// After a group was written, the next one is given this long to grow. Progress is promised every 100 ms;
/// half of that is for the transaction itself. A page that comes later than this is written at once.
const LINGER: Duration = Duration::from_millis(50);

/// A prepared page and its share of the budget.
struct Ready {
    page: Prepared,
    share: OwnedSemaphorePermit,
}

/// The pages of a stream, prepared ahead.
pub(super) struct Reading {
    pages: mpsc::UnboundedReceiver<Result<Ready, ReadError>>,
    clock: SharedClock,
    bounds: Bounds,
    last_group: Option<Duration>,
    ended: Option<Result<(), ReadError>>,
    pub(super) identity: Arc<Identity>,
    /// Dropped with the reading: the task stops, and the source with it.
    _task: AbortOnDropHandle<()>,
}

/// Pages to be written in one transaction. Their share of the budget is held until the group is dropped.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) pages: Vec<Prepared>,
    shares: Vec<OwnedSemaphorePermit>,
    records: usize,
    bytes: usize,
}

impl Group {
    fn push(&mut self, ready: Ready) {
        self.records += ready.page.packed.len();
        self.bytes += ready.page.packed.bytes();
        self.pages.push(ready.page);
        self.shares.push(ready.share);
    }

    fn is_full(&self, bounds: Bounds) -> bool {
        self.records >= bounds.group_records || self.bytes >= bounds.group_bytes
    }
}

impl Reading {
    /// Begins to read.
    pub(super) fn begin(engine: &Engine, source: StreamSource, stream: &str, claim: &Claim) -> Self {
        let bounds = Bounds::of(engine.db.backend());
        let (sender, pages) = mpsc::unbounded_channel();
        let identity = Identity {
            stream: stream.to_owned(),
            primary_key: source.primary_key,
            declared: source.declared,
            hash_key: claim.integration_id().uuid().into_bytes(),
        };
        let identity = Arc::new(identity);
        let task = tokio::spawn(ahead(source.pages, bounds, Arc::clone(&identity), sender));
        Self {
            pages,
            clock: engine.clock.clone(),
            bounds,
            last_group: None,
            ended: None,
            identity,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// The next group, not empty; or how the reading ended. Safe to cancel: a page that was received is not
    /// lost, because it is kept in `group`.
    pub(super) async fn gather(&mut self, group: &mut Group) -> Option<Result<(), ReadError>> {
        if group.pages.is_empty() && self.ended.is_none() {
            let received = self.pages.recv().await;
            self.take(received, group);
        }
        while self.ended.is_none() && !group.is_full(self.bounds) {
            match self.pages.try_recv() {
                Ok(received) => self.take(Some(received), group),
                Err(TryRecvError::Disconnected) => self.take(None, group),
                Err(TryRecvError::Empty) => {
                    let now = self.clock.monotonic();
                    let until = self.last_group.map_or(now, |last| last + LINGER);
                    if until <= now {
                        break;
                    }
                    let lingering = self.clock.sleep(until - now);
                    tokio::select! {
                        received = self.pages.recv() => self.take(received, group),
                        () = lingering => break,
                    }
                }
            }
        }
        if group.pages.is_empty() {
            self.ended.take()
        } else {
            None
        }
    }

    /// Notes that a group was written.
    pub(super) fn written(&mut self) {
        self.last_group = Some(self.clock.monotonic());
    }

    fn take(&mut self, received: Option<Result<Ready, ReadError>>, group: &mut Group) {
        match received {
            Some(Ok(ready)) => group.push(ready),
            Some(Err(error)) => self.ended = Some(Err(error)),
            None => self.ended = Some(Ok(())),
        }
    }
}

async fn ahead(
    mut pages: PageStream,
    bounds: Bounds,
    identity: Arc<Identity>,
    sender: mpsc::UnboundedSender<Result<Ready, ReadError>>,
) {
    let budget = Arc::new(Semaphore::new(bounds.budget_kib));
    while let Some(page) = pages.next().await {
        let ready = match page {
            Err(error) => Err(error),
            Ok(page) => {
                let identity = Arc::clone(&identity);
                let preparing = tokio::task::spawn_blocking(move || prepare(page, &identity));
                let page = match preparing.await {
                    Ok(page) => page,
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        // The runtime is ending, and this task with it.
                        Err(_) => return,
                    },
                };
                let kib = u32::try_from((page.packed.bytes() / 1024 + 1).min(bounds.budget_kib)).unwrap_or(1);
                let Ok(share) = Arc::clone(&budget).acquire_many_owned(kib).await else {
                    return;
                };
                Ok(Ready { page, share })
            }
        };
        let stop = ready.is_err();
        if sender.send(ready).is_err() || stop {
            return;
        }
    }
}
