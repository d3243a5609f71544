//! Feeds that show the same are one look at the database.
//!
//! A thousand people watch one client's runs: each change would be a thousand equal queries, and so would every poll of
//! those to whom nothing happens. So for everything that is watched there is one [`Source`], whoever watches it, which
//! hears, waits and looks; its readers share the rows that it found. Whoever joins is given a look that began after they
//! came, and hears everything from then on: the source does one thing after another, so no reader is ever shown a row
//! older than one that it has seen.
//!
//! The key is what is shown, with the scope in it: what two readers may see is the same, or they have not the same source.
//!
//! A source lives as long as a reader of it does.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::StreamExt;
use futures::future::{Either, FutureExt, select};
use platform::coordination::{Notice, Subscription};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::feed::{LOOK, POLL, Rows, Shown, TOGETHER};
use crate::Engine;
use crate::error::{Error, Result};

/// Looks that a reader may fall behind before it has to join again, which costs a look for all who have to: more than a
/// second of changes that never stop.
const BACKLOG: usize = 32;

/// What readers are told.
pub(super) enum Looked<S: Shown> {
    /// All that is there now.
    Present(Arc<Rows<S>>),
    /// What has changed.
    Changed(Arc<Rows<S>>),
    /// The database could not be asked.
    Failed(Arc<Error>),
}

impl<S: Shown> Clone for Looked<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Present(rows) => Self::Present(Arc::clone(rows)),
            Self::Changed(rows) => Self::Changed(Arc::clone(rows)),
            Self::Failed(error) => Self::Failed(Arc::clone(error)),
        }
    }
}

/// All that is there, and what follows it.
pub(super) type Joined<S> = (Arc<Rows<S>>, broadcast::Receiver<Looked<S>>);
type Answer<S> = std::result::Result<Joined<S>, Arc<Error>>;

/// The sources of one kind.
pub(super) struct Sources<S: Shown>(Arc<Mutex<HashMap<S, Weak<Open<S>>>>>);

impl<S: Shown> Default for Sources<S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<S: Shown> Clone for Sources<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A source, for its readers.
pub(super) struct Open<S: Shown> {
    shown: S,
    /// As many as there are readers, who are counted elsewhere.
    joining: mpsc::UnboundedSender<oneshot::Sender<Answer<S>>>,
    all: Weak<Mutex<HashMap<S, Weak<Self>>>>,
    _task: AbortOnDropHandle<()>,
}

impl<S: Shown> Sources<S> {
    /// The source of this, which is begun where there is none.
    pub(super) fn open(&self, engine: &Engine, topic: &str, shown: &S) -> Arc<Open<S>> {
        let mut all = lock(&self.0);
        if let Some(open) = all.get(shown).and_then(Weak::upgrade) {
            return open;
        }
        let (joining, joins) = mpsc::unbounded_channel();
        let source = Source {
            notices: engine.coordinator.subscribe(topic),
            engine: engine.clone(),
            shown: shown.clone(),
            joins,
            readers: broadcast::channel(BACKLOG).0,
            changed: BTreeSet::new(),
            told: HashMap::new(),
        };
        let open = Arc::new(Open {
            shown: shown.clone(),
            joining,
            all: Arc::downgrade(&self.0),
            _task: AbortOnDropHandle::new(tokio::spawn(source.run())),
        });
        all.insert(shown.clone(), Arc::downgrade(&open));
        open
    }
}

impl<S: Shown> Open<S> {
    /// What there is from now on.
    pub(super) async fn join(&self) -> Answer<S> {
        let (answer, answered) = oneshot::channel();
        let ended = || Arc::new(Error::internal("what looks for this feed has ended"));
        self.joining.send(answer).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

impl<S: Shown> Drop for Open<S> {
    fn drop(&mut self) {
        let Some(all) = self.all.upgrade() else { return };
        let mut all = lock(&all);
        // Somebody may have begun another one meanwhile.
        if all.get(&self.shown).is_some_and(|open| open.strong_count() == 0) {
            all.remove(&self.shown);
        }
    }
}

struct Source<S: Shown> {
    engine: Engine,
    shown: S,
    notices: Subscription,
    joins: mpsc::UnboundedReceiver<oneshot::Sender<Answer<S>>>,
    readers: broadcast::Sender<Looked<S>>,
    changed: BTreeSet<S::Id>,
    /// What readers know of rows that are not over.
    told: HashMap<S::Id, Arc<S::Item>>,
}

/// What a source wakes up for.
enum Call<S: Shown> {
    Join(oneshot::Sender<Answer<S>>),
    Notice(Notice),
    Time,
}

impl<S: Shown> Source<S> {
    async fn run(mut self) {
        while let Some(call) = self.call().await {
            match call {
                Call::Join(first) => self.welcome(first).await,
                Call::Time => self.look_at_all().await,
                Call::Notice(notice) => {
                    let heard = self.hear(notice);
                    self.engine.clock.sleep(TOGETHER).await;
                    if heard && self.hear_all() {
                        self.look().await;
                    } else {
                        self.look_at_all().await;
                    }
                }
            }
        }
    }

    /// None when nobody can join any more, which is when nobody reads.
    async fn call(&mut self) -> Option<Call<S>> {
        let waiting = select(self.notices.next(), self.engine.clock.sleep(POLL));
        tokio::select! {
            join = self.joins.recv() => join.map(Call::Join),
            heard = waiting => Some(match heard {
                Either::Left((Some(notice), _)) => Call::Notice(notice),
                Either::Left((None, time)) => {
                    time.await;
                    Call::Time
                }
                Either::Right(_) => Call::Time,
            }),
        }
    }

    /// Takes in what was said; false where something was lost.
    fn hear_all(&mut self) -> bool {
        while let Some(Some(notice)) = self.notices.next().now_or_never() {
            if !self.hear(notice) {
                return false;
            }
        }
        true
    }

    fn hear(&mut self, notice: Notice) -> bool {
        match notice {
            Notice::Message(payload) => {
                self.changed.extend(payload.parse::<S::Id>().ok());
                true
            }
            Notice::Lagged => false,
        }
    }

    async fn look(&mut self) {
        while !self.changed.is_empty() {
            let ids: Vec<S::Id> = self.changed.iter().copied().take(LOOK).collect();
            let mut found = match self.shown.look(&self.engine, &ids).await {
                Ok(found) => found,
                Err(error) => return self.fail(error).await,
            };
            let mut rows = Vec::new();
            for id in ids {
                self.changed.remove(&id);
                if let Some(item) = found.remove(&id)
                    && self.is_news(&id, &item)
                {
                    let item = Arc::new(item);
                    self.know(id, &item);
                    rows.push((id, item));
                }
            }
            if !rows.is_empty() {
                self.tell(Looked::Changed(Arc::new(rows)));
            }
        }
    }

    async fn look_at_all(&mut self) {
        match self.present().await {
            Ok(rows) => self.tell_of_all(&rows),
            Err(error) => self.fail(error).await,
        }
    }

    /// Lets in whoever has come by now, with one look for all of them.
    async fn welcome(&mut self, first: oneshot::Sender<Answer<S>>) {
        let mut joining = vec![first];
        while let Ok(next) = self.joins.try_recv() {
            joining.push(next);
        }
        match self.present().await {
            Ok(rows) => {
                self.tell_of_all(&rows);
                for join in joining {
                    let _gone_meanwhile = join.send(Ok((Arc::clone(&rows), self.readers.subscribe())));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for join in joining {
                    let _gone_meanwhile = join.send(Err(Arc::clone(&error)));
                }
            }
        }
    }

    async fn present(&mut self) -> Result<Arc<Rows<S>>> {
        let present = self.shown.present(&self.engine).await?;
        self.changed.clear();
        let rows = present.into_iter().map(|(id, item)| (id, Arc::new(item)));
        Ok(Arc::new(rows.collect()))
    }

    /// Readers hear of all that is there only where it is not what they know.
    fn tell_of_all(&mut self, rows: &Arc<Rows<S>>) {
        let is_known = rows.len() == self.told.len() && !rows.iter().any(|(id, item)| self.is_news(id, item));
        if !is_known {
            self.told.clear();
            for (id, item) in rows.iter() {
                self.know(*id, item);
            }
            self.tell(Looked::Present(Arc::clone(rows)));
        }
    }

    fn is_news(&self, id: &S::Id, item: &S::Item) -> bool {
        self.told
            .get(id)
            .is_none_or(|told| self.shown.is_news(told, item))
    }

    fn know(&mut self, id: S::Id, item: &Arc<S::Item>) {
        if self.shown.is_over(item) {
            self.told.remove(&id);
        } else {
            self.told.insert(id, Arc::clone(item));
        }
    }

    async fn fail(&mut self, error: Error) {
        self.tell(Looked::Failed(Arc::new(error)));
        // What readers know by now is not known.
        self.told.clear();
        self.engine.clock.sleep(POLL).await;
    }

    fn tell(&self, looked: Looked<S>) {
        let _nobody_reads = self.readers.send(looked);
    }
}

fn lock<T>(all: &Mutex<T>) -> MutexGuard<'_, T> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}
