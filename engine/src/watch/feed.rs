//! What all feeds have in common.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;
use std::str::FromStr;
use std::time::Duration;

use futures::future::{BoxFuture, Either, FutureExt, select};
use futures::stream::{self, BoxStream, StreamExt};
use platform::coordination::{Notice, Subscription};

use crate::Engine;
use crate::error::Result;

/// Notices that come within this time are one look at the database. Short enough that a progress bar moves
/// with every page, long enough that a thousand watchers of one run are ten looks a second each, not a
/// thousand.
const TOGETHER: Duration = Duration::from_millis(40);
/// How long a feed that no notice reaches waits before it looks by itself.
const POLL: Duration = Duration::from_secs(2);
/// How many changed rows a look reads.
const LOOK: usize = 100;

/// Rows with their ids, in the order to show them.
pub(super) type Rows<S> = Vec<(<S as Shown>::Id, <S as Shown>::Item)>;

/// What a feed shows: how its rows are found, and when it is over.
pub(super) trait Shown: Send + Sync + 'static {
    /// A row's id.
    type Id: Copy + Ord + Hash + FromStr + Send + Sync + 'static;
    /// A row.
    type Item: Clone + PartialEq + Send + Sync + 'static;

    /// The rows of these ids that the feed is about.
    fn look<'a>(
        &'a self,
        engine: &'a Engine,
        ids: &'a [Self::Id],
    ) -> BoxFuture<'a, Result<HashMap<Self::Id, Self::Item>>>;
    /// The rows that a feed that has lost notices must look at again, in the order to show them.
    fn present<'a>(&'a self, engine: &'a Engine) -> BoxFuture<'a, Result<Rows<Self>>>;
    /// The state that a row began with, where the feed saw its row for the first time in a later one.
    fn beginning(&self, item: &Self::Item) -> Option<Self::Item>;
    /// Whether nothing follows this row's state.
    fn is_over(&self, item: &Self::Item) -> bool;
    /// Whether the feed ends with a row that is over.
    fn ends(&self) -> bool;
}

struct Feed<S: Shown> {
    engine: Engine,
    shown: S,
    notices: Subscription,
    changed: BTreeSet<S::Id>,
    /// What the reader has seen of rows that are not over.
    seen: HashMap<S::Id, S::Item>,
    ready: VecDeque<S::Item>,
    begun: bool,
    ended: bool,
}

/// A snapshot, and then every newest state.
pub(super) fn feed<S: Shown>(engine: &Engine, topic: &str, shown: S) -> BoxStream<'static, Result<S::Item>> {
    let feed = Feed {
        engine: engine.clone(),
        shown,
        notices: engine.coordinator.subscribe(topic),
        changed: BTreeSet::new(),
        seen: HashMap::new(),
        ready: VecDeque::new(),
        begun: false,
        ended: false,
    };
    stream::unfold(feed, |mut feed| async move {
        let next = feed.next().await?;
        Some((next, feed))
    })
    .boxed()
}

impl<S: Shown> Feed<S> {
    async fn next(&mut self) -> Option<Result<S::Item>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(Ok(item));
            }
            if self.ended {
                return None;
            }
            let looked = if self.begun {
                self.wait_and_look().await
            } else {
                self.look_at_all().await
            };
            if let Err(error) = looked {
                // Without this, a reader that asks again at once would ask a broken database without end.
                self.engine.clock.sleep(POLL).await;
                return Some(Err(error));
            }
        }
    }

    async fn look_at_all(&mut self) -> Result<()> {
        let present = self.shown.present(&self.engine).await?;
        let shown: Vec<S::Id> = present.iter().map(|(id, _)| *id).collect();
        // What was shown and is no longer present has ended meanwhile, and its end must be shown too.
        let gone: Vec<S::Id> = self
            .seen
            .keys()
            .copied()
            .filter(|id| !shown.contains(id))
            .collect();
        for ids in gone.chunks(LOOK) {
            for (id, item) in self.shown.look(&self.engine, ids).await? {
                self.show(id, item);
            }
        }
        let begun = std::mem::replace(&mut self.begun, true);
        for (id, item) in present {
            if begun {
                self.show_beginning(id, &item);
            }
            self.show(id, item);
        }
        Ok(())
    }

    async fn wait_and_look(&mut self) -> Result<()> {
        if self.changed.is_empty() {
            let first = select(self.notices.next(), self.engine.clock.sleep(POLL)).await;
            let lost = match first {
                Either::Left((Some(notice), _)) => !self.hear(notice),
                Either::Left((None, poll)) => {
                    poll.await;
                    true
                }
                Either::Right(_) => true,
            };
            if lost {
                return self.look_at_all().await;
            }
            self.engine.clock.sleep(TOGETHER).await;
        }
        while let Some(Some(notice)) = self.notices.next().now_or_never() {
            if !self.hear(notice) {
                return self.look_at_all().await;
            }
        }
        let ids: Vec<S::Id> = self.changed.iter().copied().take(LOOK).collect();
        let mut found = self.shown.look(&self.engine, &ids).await?;
        for id in ids {
            self.changed.remove(&id);
            if let Some(item) = found.remove(&id) {
                self.show_beginning(id, &item);
                self.show(id, item);
            }
        }
        Ok(())
    }

    /// False where notices were lost.
    fn hear(&mut self, notice: Notice) -> bool {
        match notice {
            Notice::Message(payload) => {
                self.changed.extend(payload.parse::<S::Id>().ok());
                true
            }
            Notice::Lagged => false,
        }
    }

    fn show_beginning(&mut self, id: S::Id, item: &S::Item) {
        if !self.seen.contains_key(&id) {
            self.ready.extend(self.shown.beginning(item));
        }
    }

    fn show(&mut self, id: S::Id, item: S::Item) {
        if self.seen.get(&id) == Some(&item) {
            return;
        }
        if self.shown.is_over(&item) {
            self.seen.remove(&id);
            self.ended = self.shown.ends();
        } else {
            self.seen.insert(id, item.clone());
        }
        self.ready.push_back(item);
    }
}
