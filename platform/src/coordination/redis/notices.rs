//! Notices between processes: one task that publishes, one that hears.
//!
//! Who has something to say puts it on a list and goes on: a page's commit must not wait for a Redis that is
//! slow, still less for one that is away. The publisher sends all that is on the list in one round trip. What
//! cannot be sent is handed to this process's own listeners, who are the likeliest to need it; the others look
//! by themselves within a second.
//!
//! The listener hears every topic of the prefix by one pattern. There are a handful of topics and nearly every
//! process listens to most of them, so asking for each by itself would save little and would have to be
//! repeated after each reconnection. When the connection was away, everybody is told to look again.
//!
//! A connection can die without a word (a firewall that forgets it). So the listener asks for an answer now and
//! then, and takes silence for the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use redis::{Client, Msg, RedisResult};
use tokio::sync::{Notify, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::super::topics::Topics;
use super::super::{CoordinationError, Notice, Subscription};
use super::{CONNECT, Connection};
use crate::clock::SharedClock;

/// Notices on the list; who has one more waits for room, which is never longer than Redis's patience.
const LIST: usize = 1024;
/// After a failure, how long until the next connection is tried.
const PAUSE: Duration = Duration::from_millis(500);
/// How often a listener asks whether the other side is there.
const ASK: Duration = Duration::from_secs(5);

type Said = (String, String);

/// The two tasks, and the subscriptions of this process.
#[derive(Debug)]
pub(super) struct Notices {
    topics: Arc<Topics>,
    list: mpsc::Sender<Said>,
    heard: Arc<Hearing>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

/// Whether notices of other processes are heard.
#[derive(Debug, Default)]
struct Hearing {
    now: AtomicBool,
    changed: Notify,
}

impl Notices {
    pub(super) async fn start(
        client: Client,
        connection: Connection,
        prefix: String,
        clock: SharedClock,
    ) -> Self {
        let (list, said) = mpsc::channel(LIST);
        let (topics, heard) = (Arc::new(Topics::default()), Arc::new(Hearing::default()));
        let channels = format!("{prefix}notice:");
        let publisher = tokio::spawn(publish(said, connection, channels.clone(), Arc::clone(&topics)));
        let listener = Listener {
            client,
            channels,
            topics: Arc::clone(&topics),
            hearing: Arc::clone(&heard),
            clock,
        };
        let first = heard.changed.notified();
        let listener = tokio::spawn(async move { listener.run().await });
        // Subscriptions made before this would miss what is published meanwhile. A server that is away is not
        // waited for.
        first.await;
        Self {
            topics,
            list,
            heard,
            _tasks: [
                AbortOnDropHandle::new(publisher),
                AbortOnDropHandle::new(listener),
            ],
        }
    }

    pub(super) async fn publish(&self, topic: &str, payload: &str) {
        // It fails only after the tasks have ended, and then nobody is there to hear.
        let _ = self.list.send((topic.to_owned(), payload.to_owned())).await;
    }

    pub(super) fn subscribe(&self, topic: &str) -> Subscription {
        self.topics.subscribe(topic)
    }

    pub(super) fn are_heard(&self) -> Result<(), CoordinationError> {
        if self.heard.now.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(CoordinationError {
            reason: "the connection that hears other processes is away".to_owned(),
        })
    }
}

async fn publish(
    mut said: mpsc::Receiver<Said>,
    mut connection: Connection,
    channels: String,
    topics: Arc<Topics>,
) {
    let mut batch = Vec::with_capacity(LIST);
    while said.recv_many(&mut batch, LIST).await > 0 {
        let mut commands = redis::pipe();
        for (topic, payload) in &batch {
            commands
                .cmd("PUBLISH")
                .arg(format!("{channels}{topic}"))
                .arg(payload)
                .ignore();
        }
        if let Err(error) = commands.exec_async(&mut connection.0).await {
            tracing::debug!(%error, notices = batch.len(), "notices not published; pollers will find what they told");
            for (topic, payload) in &batch {
                topics.tell(topic, Notice::Message(payload.clone()));
            }
        }
        batch.clear();
    }
}

struct Listener {
    client: Client,
    channels: String,
    topics: Arc<Topics>,
    hearing: Arc<Hearing>,
    clock: SharedClock,
}

impl Listener {
    async fn run(&self) {
        let mut away = false;
        loop {
            let ended = self.listen(&mut away).await;
            self.hearing.now.store(false, Ordering::Relaxed);
            self.hearing.changed.notify_one();
            if !away {
                away = true;
                let error = ended.err().map(|error| error.to_string());
                tracing::warn!(error, "Redis is away; work goes on by polling");
            }
            self.clock.sleep(PAUSE).await;
        }
    }

    async fn listen(&self, away: &mut bool) -> RedisResult<()> {
        let subscribed = async {
            let mut connection = self.client.get_async_pubsub().await?;
            connection.psubscribe(format!("{}*", self.channels)).await?;
            RedisResult::Ok(connection)
        };
        let connection = tokio::time::timeout(CONNECT, subscribed)
            .await
            .map_err(|_| timed_out())??;
        self.hearing.now.store(true, Ordering::Relaxed);
        if std::mem::take(away) {
            tracing::info!("Redis is back");
        }
        // Whoever subscribed while nothing was heard may have missed something.
        self.topics.tell_all_to_look();
        self.hearing.changed.notify_one();
        let (mut ask, mut messages) = connection.split();
        let mut next_ask = self.clock.sleep(ASK);
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => self.hear(&message),
                    None => return Ok(()),
                },
                () = &mut next_ask => {
                    let answered = tokio::time::timeout(CONNECT, ask.ping::<redis::Value>());
                    answered.await.map_err(|_| timed_out())??;
                    next_ask = self.clock.sleep(ASK);
                }
            }
        }
    }

    fn hear(&self, message: &Msg) {
        let Some(topic) = message.get_channel_name().strip_prefix(&self.channels) else {
            return;
        };
        let notice = match message.get_payload() {
            Ok(payload) => Notice::Message(payload),
            Err(_) => Notice::Lagged,
        };
        self.topics.tell(topic, notice);
    }
}

fn timed_out() -> redis::RedisError {
    (redis::ErrorKind::Io, "no answer in time").into()
}
