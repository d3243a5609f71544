//! What stays open after a credential was shown: a WebSocket with its subscriptions, an event stream. It ends with the
//! credential.
//!
//! One watcher a process looks after all of them: it hears of keys that were rotated or revoked, here or in another
//! process, and looks by itself every few seconds, which is all there is while the coordinator is away. It asks for each
//! secret in use once, however many connections were opened with it. A watcher a connection would ask the same ten
//! thousand times.
//!
//! An end that is known beforehand (a key's expiry, a token's) needs nobody's notice: the session waits for it.

use std::collections::HashMap;
use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::{Engine, topics};
use futures::future::{BoxFuture, Either, select};
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;

use super::Admitted;
use super::subscriptions::{Permit, Subscriptions};

/// How long a revocation goes unnoticed when nobody tells of it.
const POLL: Duration = Duration::from_secs(5);
/// Notices that come within this time are one look.
const TOGETHER: Duration = Duration::from_millis(40);
/// Timers are not made for more. A connection that is older than this is looked at by the watcher all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Everything that is open, by the secret that it was opened with.
#[derive(Debug)]
pub(crate) struct Sessions {
    all: Arc<Mutex<HashMap<String, Shared>>>,
    subscriptions: Arc<Subscriptions>,
}

/// What the sessions of one secret have in common.
#[derive(Debug)]
struct Shared {
    end: CancellationToken,
    sessions: usize,
}

/// Something open.
pub(crate) struct Session {
    all: Arc<Mutex<HashMap<String, Shared>>>,
    prefix: Option<String>,
    revoked: CancellationToken,
    expired: BoxFuture<'static, ()>,
    payer: Arc<str>,
    subscriptions: Arc<Subscriptions>,
}

impl Sessions {
    /// Of which each credential may have so many subscriptions at once.
    pub(crate) fn new(subscriptions: usize) -> Self {
        Self {
            all: Arc::default(),
            subscriptions: Arc::new(Subscriptions::new(subscriptions)),
        }
    }

    /// Begins a session of who was let in.
    pub(crate) fn open(&self, engine: &Engine, admitted: &Admitted) -> Session {
        let expired = match admitted.ends_at {
            Some(end) => {
                let left = (end - engine.clock.now()).to_std().unwrap_or_default();
                engine.clock.sleep(left.min(LONGEST_WAIT))
            }
            None => pending().boxed(),
        };
        let prefix = admitted.prefix.clone();
        let revoked = prefix.as_ref().map_or_else(CancellationToken::new, |prefix| {
            let mut open = lock(&self.all);
            let shared = open.entry(prefix.clone()).or_insert_with(|| Shared {
                end: CancellationToken::new(),
                sessions: 0,
            });
            shared.sessions += 1;
            shared.end.clone()
        });
        Session {
            all: Arc::clone(&self.all),
            prefix,
            revoked,
            expired,
            payer: Arc::clone(&admitted.payer),
            subscriptions: Arc::clone(&self.subscriptions),
        }
    }

    /// Ends sessions whose credential has ended, for as long as it is polled.
    pub(crate) async fn watch(&self, engine: &Engine) {
        let mut notices = engine.coordinator.subscribe(topics::ACCESS);
        loop {
            match select(notices.next(), engine.clock.sleep(POLL)).await {
                Either::Left((Some(_), _)) => engine.clock.sleep(TOGETHER).await,
                Either::Left((None, poll)) => poll.await,
                Either::Right(_) => {}
            }
            while let Some(Some(_)) = notices.next().now_or_never() {}
            if let Err(error) = self.look(engine).await {
                tracing::warn!(error = %error.chain(), "whether open connections' keys still count is not known; asked again soon");
            }
        }
    }

    async fn look(&self, engine: &Engine) -> engine::Result<()> {
        let prefixes: Vec<String> = lock(&self.all).keys().cloned().collect();
        if prefixes.is_empty() {
            return Ok(());
        }
        let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
        let standing = engine.api_keys().standing(&prefixes).await?;
        let open = lock(&self.all);
        let ended = prefixes.iter().filter(|prefix| !standing.contains_key(**prefix));
        for shared in ended.filter_map(|prefix| open.get(*prefix)) {
            shared.end.cancel();
        }
        Ok(())
    }
}

impl Session {
    /// The right to one more subscription; the most that there may be when all are taken.
    pub(crate) fn subscribe(&self) -> Result<Permit, usize> {
        self.subscriptions.take(&self.payer)
    }

    /// Ends with the credential.
    pub(crate) async fn ended(&mut self) {
        select(pin!(self.revoked.cancelled()), &mut self.expired).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(prefix) = &self.prefix else { return };
        let mut open = lock(&self.all);
        if let Some(shared) = open.get_mut(prefix) {
            shared.sessions -= 1;
            if shared.sessions == 0 {
                open.remove(prefix);
            }
        }
    }
}

fn lock(all: &Mutex<HashMap<String, Shared>>) -> MutexGuard<'_, HashMap<String, Shared>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}
