//! Who listens to what, inside this process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::{Notice, Subscription};

/// Notices a slow listener may fall behind before it is told to look again.
const BACKLOG: usize = 1024;

/// The subscriptions of a process, by topic.
#[derive(Debug, Default)]
pub(super) struct Topics(Mutex<HashMap<String, broadcast::Sender<Notice>>>);

impl Topics {
    /// Hands a notice to whoever listens now.
    pub(super) fn tell(&self, topic: &str, notice: Notice) {
        let mut topics = self.lock();
        if let Some(sender) = topics.get(topic)
            && sender.send(notice).is_err()
        {
            topics.remove(topic);
        }
    }

    /// Tells every listener to look again.
    pub(super) fn tell_all_to_look(&self) {
        self.lock()
            .retain(|_, sender| sender.send(Notice::Lagged).is_ok());
    }

    pub(super) fn subscribe(&self, topic: &str) -> Subscription {
        let mut topics = self.lock();
        let sender = topics
            .entry(topic.to_owned())
            .or_insert_with(|| broadcast::channel(BACKLOG).0);
        Subscription::new(
            BroadcastStream::new(sender.subscribe()).map(|received| match received {
                Ok(notice) => notice,
                Err(BroadcastStreamRecvError::Lagged(_)) => Notice::Lagged,
            }),
        )
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, broadcast::Sender<Notice>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
