//! Coordination between processes, through Redis.
//!
//! Everything here may be lost at any moment, and nothing depends on it: see [`super`]. What matters instead is
//! that a Redis which is away costs nobody time. Notices are handed to a task ([`notices`]) and never waited
//! for; a lock fails within a second; whoever asked goes on by the database alone.
//!
//! A lock is a hash with its owner and its fence, changed by scripts only, so that look and change are one. Each
//! script may run twice for one call that timed out: for the same owner the second run changes nothing. The
//! fence is the server's time in microseconds, or one more than the last where that is larger: it grows even
//! after the server has forgotten everything, as a counter would not.
//!
//! [Budgets and circuits](protection) are a hash each. While the server is away, each process keeps its own.
//!
//! Keys begin with a prefix that is configured, and what one script touches shares a hash tag (`{…}`), which
//! puts it on one node of a cluster.
//!
//! Rejected: Redlock, which asks several servers for one lock and still has no fence, and the crates that
//! implement it.

mod notices;
mod protection;
mod scripts;

use std::time::Duration;

use async_trait::async_trait;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError};

use self::notices::Notices;
use self::scripts::Scripts;
use super::local::Local;
use super::{CoordinationError, Coordinator, Subscription};
use crate::clock::SharedClock;
use crate::settings::CoordinationSettings;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(1);
/// How long an answer may take. A script that was cut off here may have run.
const ANSWER: Duration = Duration::from_millis(500);

/// Coordination between the processes that share a Redis and a prefix.
#[derive(Debug)]
pub struct RedisCoordinator {
    connection: Connection,
    notices: Notices,
    scripts: Scripts,
    prefix: String,
    /// Budgets and circuits for while the server is away.
    local: Local,
}

/// A connection that comes back by itself; clones share it.
#[derive(Clone)]
struct Connection(ConnectionManager);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The manager's own output names the password.
        f.write_str("Connection")
    }
}

impl RedisCoordinator {
    /// Connects. A server that does not answer is no failure: this comes back without it within a second, and
    /// goes on trying.
    ///
    /// # Errors
    /// When no Redis is configured, or its address makes no sense.
    pub async fn connect(
        settings: &CoordinationSettings,
        clock: SharedClock,
    ) -> Result<Self, CoordinationError> {
        let url = settings.redis_url.as_ref().ok_or_else(|| CoordinationError {
            reason: "REDIS_URL is not set".to_owned(),
        })?;
        let client = Client::open(url.expose()).map_err(|error| unavailable(&error))?;
        let connecting = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            // One try a call: the next call tries again, and nobody waits out another's patience.
            .set_number_of_retries(0);
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), connecting)
            .map_err(|error| unavailable(&error))?;
        let connection = Connection(manager);
        let local = Local::new(clock.clone());
        let notices = Notices::start(client, connection.clone(), settings.redis_prefix.clone(), clock).await;
        Ok(Self {
            local,
            connection,
            notices,
            scripts: Scripts::default(),
            prefix: settings.redis_prefix.clone(),
        })
    }

    /// A connection, unless it is known that there is none: who asks need not find out again.
    fn connection(&self) -> Result<ConnectionManager, CoordinationError> {
        self.notices.are_heard()?;
        Ok(self.connection.0.clone())
    }

    /// The keys of a lock: who holds it, and the last fence that was given out.
    fn lock_keys(&self, name: &str) -> [String; 2] {
        let prefix = &self.prefix;
        [
            format!("{prefix}{{lock:{name}}}"),
            format!("{prefix}{{lock:{name}}}:fence"),
        ]
    }
}

/// The driver's messages name addresses and commands, never the password.
fn unavailable(error: &RedisError) -> CoordinationError {
    CoordinationError {
        reason: error.to_string(),
    }
}

/// In milliseconds, as Redis counts.
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[async_trait]
impl Coordinator for RedisCoordinator {
    async fn publish(&self, topic: &str, payload: &str) -> Result<(), CoordinationError> {
        self.notices.publish(topic, payload).await;
        Ok(())
    }

    fn subscribe(&self, topic: &str) -> Subscription {
        self.notices.subscribe(topic)
    }

    async fn try_lock(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<u64>, CoordinationError> {
        let [held, fence] = self.lock_keys(name);
        let mut connection = self.connection()?;
        let mut call = self.scripts.lock.key(held);
        call.key(fence).arg(owner).arg(millis(ttl));
        call.invoke_async(&mut connection)
            .await
            .map_err(|error| unavailable(&error))
    }

    async fn renew(&self, name: &str, owner: &str, ttl: Duration) -> Result<bool, CoordinationError> {
        let [held, _] = self.lock_keys(name);
        let mut connection = self.connection()?;
        let mut call = self.scripts.renew.key(held);
        call.arg(owner).arg(millis(ttl));
        call.invoke_async(&mut connection)
            .await
            .map_err(|error| unavailable(&error))
    }

    async fn unlock(&self, name: &str, owner: &str) -> Result<bool, CoordinationError> {
        let [held, _] = self.lock_keys(name);
        let mut connection = self.connection()?;
        let mut call = self.scripts.unlock.key(held);
        call.arg(owner)
            .invoke_async(&mut connection)
            .await
            .map_err(|error| unavailable(&error))
    }

    async fn ping(&self) -> Result<(), CoordinationError> {
        let mut connection = self.connection.0.clone();
        redis::cmd("PING")
            .exec_async(&mut connection)
            .await
            .map_err(|error| unavailable(&error))?;
        self.notices.are_heard()
    }
}

#[cfg(test)]
mod tests;
