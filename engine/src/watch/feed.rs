//! What all feeds have in common.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver};

use super::source::{Looked, Open, Sources};
use crate::Engine;
use crate::error::{Error, Result};

/// Notices that come within this time are one look at the database. Short enough that a progress bar moves
/// with every page, long enough that a busy run is twenty-five looks a second, and not one for each page.
pub(super) const TOGETHER: Duration = Duration::from_millis(40);
/// How long a source that no notice reaches waits before it looks by itself.
pub(super) const POLL: Duration = Duration::from_secs(2);
/// How many changed rows a look reads.
pub(super) const LOOK: usize = 100;

/// Rows with their ids, in the order to show them.
pub(super) type Rows<S> = Vec<(<S as Shown>::Id, Arc<<S as Shown>::Item>)>;

/// The same as the database gave them.
pub(super) type Found<S> = Vec<(<S as Shown>::Id, <S as Shown>::Item)>;

/// What a feed shows: how its rows are found, and when it is over. Feeds that show the same are equal.
pub(super) trait Shown: Clone + Eq + Hash + Send + Sync + 'static {
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
    fn present<'a>(&'a self, engine: &'a Engine) -> BoxFuture<'a, Result<Found<Self>>>;
    /// The state that a row began with, where the feed saw its row for the first time in a later one.
    fn beginning(&self, item: &Self::Item) -> Option<Self::Item>;
    /// Whether somebody who knows a row in one state is to be shown it in this one.
    fn is_news(&self, known: &Self::Item, item: &Self::Item) -> bool {
        known != item
    }
    /// Whether nothing follows this row's state.
    fn is_over(&self, item: &Self::Item) -> bool;
    /// Whether the feed ends with a row that is over.
    fn ends(&self) -> bool;
}

/// A row as it was found, which everybody who was shown it shares; or why there is none.
pub type Seen<T> = std::result::Result<Arc<T>, Arc<Error>>;

struct Feed<S: Shown> {
    engine: Engine,
    shown: S,
    source: Arc<Open<S>>,
    /// None until it has joined, and when it has to join again.
    looks: Option<Receiver<Looked<S>>>,
    /// What the reader has seen of rows that are not over.
    seen: HashMap<S::Id, Arc<S::Item>>,
    ready: VecDeque<Arc<S::Item>>,
    begun: bool,
    ended: bool,
}

/// A snapshot, and then every newest state.
pub(super) fn feed<S: Shown>(
    engine: &Engine,
    sources: &Sources<S>,
    topic: &str,
    shown: S,
) -> BoxStream<'static, Seen<S::Item>> {
    let feed = Feed {
        engine: engine.clone(),
        source: sources.open(engine, topic, &shown),
        shown,
        looks: None,
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
    async fn next(&mut self) -> Option<Seen<S::Item>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(Ok(item));
            }
            if self.ended {
                return None;
            }
            let heard = match self.looks.take() {
                Some(looks) => self.hear(looks).await,
                None => self.join().await,
            };
            if let Err(error) = heard {
                return Some(Err(error));
            }
        }
    }

    async fn join(&mut self) -> std::result::Result<(), Arc<Error>> {
        match self.source.join().await {
            Ok((rows, looks)) => {
                self.looks = Some(looks);
                self.show_all(&rows).await
            }
            Err(error) => {
                // Without this, a reader that asks again at once would ask a broken database without end.
                self.engine.clock.sleep(POLL).await;
                Err(error)
            }
        }
    }

    /// Takes in all that was looked at since the reader asked last: of each row its newest state. A reader that is too
    /// slow for what is kept for it joins again.
    async fn hear(&mut self, mut looks: Receiver<Looked<S>>) -> std::result::Result<(), Arc<Error>> {
        let mut heard = match looks.recv().await {
            Ok(looked) => vec![looked],
            Err(RecvError::Lagged(_) | RecvError::Closed) => return Ok(()),
        };
        loop {
            match looks.try_recv() {
                Ok(looked) => heard.push(looked),
                Err(broadcast::error::TryRecvError::Empty) => break,
                Err(_) => return Ok(()),
            }
        }
        self.looks = Some(looks);
        if let [Looked::Changed(rows)] = heard.as_slice() {
            for (id, item) in rows.iter() {
                self.show_change(*id, item);
            }
            return Ok(());
        }
        self.take_newest(heard).await
    }

    async fn take_newest(&mut self, heard: Vec<Looked<S>>) -> std::result::Result<(), Arc<Error>> {
        let (mut newest, mut failed) = (Vec::new(), None);
        let mut later: HashSet<S::Id> = HashSet::new();
        for looked in heard.into_iter().rev() {
            match looked {
                Looked::Changed(rows) => {
                    for (id, item) in rows.iter().rev().filter(|(id, _)| later.insert(*id)) {
                        newest.push((*id, Arc::clone(item)));
                    }
                }
                Looked::Present(rows) => {
                    let all: Rows<S> = rows
                        .iter()
                        .filter(|(id, _)| !later.contains(id))
                        .cloned()
                        .chain(newest.into_iter().rev())
                        .collect();
                    return self.show_all(&all).await;
                }
                Looked::Failed(error) => {
                    failed = Some(error);
                    // What was looked at before is told by the look at all that follows.
                    break;
                }
            }
        }
        for (id, item) in newest.into_iter().rev() {
            self.show_change(id, &item);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Shows all that there is, and the end of what was shown before and is not there any more.
    async fn show_all(&mut self, present: &Rows<S>) -> std::result::Result<(), Arc<Error>> {
        let shown: HashSet<S::Id> = present.iter().map(|(id, _)| *id).collect();
        let gone: Vec<S::Id> = self
            .seen
            .keys()
            .copied()
            .filter(|id| !shown.contains(id))
            .collect();
        for ids in gone.chunks(LOOK) {
            match self.shown.look(&self.engine, ids).await {
                Ok(found) => {
                    for (id, item) in found {
                        self.show(id, &Arc::new(item));
                    }
                }
                Err(error) => {
                    self.looks = None;
                    return Err(Arc::new(error));
                }
            }
        }
        let begun = std::mem::replace(&mut self.begun, true);
        for (id, item) in present {
            if begun {
                self.show_change(*id, item);
            } else {
                self.show(*id, item);
            }
        }
        Ok(())
    }

    fn show_change(&mut self, id: S::Id, item: &Arc<S::Item>) {
        if !self.seen.contains_key(&id) {
            self.ready.extend(self.shown.beginning(item).map(Arc::new));
        }
        self.show(id, item);
    }

    fn show(&mut self, id: S::Id, item: &Arc<S::Item>) {
        if self
            .seen
            .get(&id)
            .is_some_and(|seen| Arc::ptr_eq(seen, item) || !self.shown.is_news(seen, item))
        {
            return;
        }
        if self.shown.is_over(item) {
            self.seen.remove(&id);
            // A map keeps its room, and there are ten thousand of them.
            if self.seen.is_empty() {
                self.seen = HashMap::new();
            }
            self.ended = self.shown.ends();
        } else {
            self.seen.insert(id, Arc::clone(item));
        }
        self.ready.push_back(Arc::clone(item));
    }
}
