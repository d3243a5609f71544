//! Stopping in order.
//!
//! Two tokens, because there are two questions. `soft` says "take on nothing new, finish what you hold";
//! `hard` says "let go now". The first SIGTERM or SIGINT gives the soft one, and 20 seconds to drain; the
//! end of those, or a second signal, gives the hard one. A process that still does not leave after that is
//! ended by the supervisor, and nothing is lost by it: every page is committed with its checkpoint.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::{SharedClock, SystemClock};

/// How long a drain may take before what is left is let go.
pub const DRAIN: Duration = Duration::from_secs(20);

/// The two tokens of a process's end. Clones are the same shutdown.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Take on nothing new and finish what is held.
    pub soft: CancellationToken,
    /// Let go of everything now. Never comes without `soft`.
    pub hard: CancellationToken,
}

impl Shutdown {
    /// One that nobody but the holder triggers: for tests, and for what ends by itself.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that SIGTERM and SIGINT trigger. Needs a running tokio runtime.
    ///
    /// # Errors
    /// When the operating system refuses the signal handlers.
    pub fn on_signals() -> std::io::Result<Self> {
        Self::on_signals_by(SystemClock::shared())
    }

    fn on_signals_by(clock: SharedClock) -> std::io::Result<Self> {
        let shutdown = Self::new();
        let mut signals = Signals::install()?;
        let told = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                name = signals.next() => {
                    tracing::info!(signal = name, drain_seconds = DRAIN.as_secs(), "stopping: finishing what is running");
                    told.drain();
                }
                () = told.soft.cancelled() => {}
            }
            tokio::select! {
                name = signals.next() => tracing::warn!(signal = name, "second signal: stopping at once"),
                () = clock.sleep(DRAIN) => tracing::warn!("the drain took too long: stopping at once"),
                () = told.hard.cancelled() => {}
            }
            told.abort();
        });
        Ok(shutdown)
    }

    /// Asks everybody to finish.
    pub fn drain(&self) {
        self.soft.cancel();
    }

    /// Makes everybody let go.
    pub fn abort(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn install() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn install() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "CTRL-C"
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    async fn signal(name: &str) {
        let us = std::process::id().to_string();
        let sent = tokio::process::Command::new("kill")
            .args(["-s", name, &us])
            .status()
            .await;
        assert!(sent.unwrap().success());
    }

    async fn soon(token: &CancellationToken) {
        tokio::time::timeout(Duration::from_secs(5), token.cancelled())
            .await
            .expect("the token comes");
    }

    #[tokio::test]
    async fn the_first_signal_drains_and_the_second_aborts() {
        let shutdown = Shutdown::on_signals_by(ManualClock::default().shared()).unwrap();
        signal("TERM").await;
        soon(&shutdown.soft).await;
        assert!(!shutdown.hard.is_cancelled());
        signal("INT").await;
        soon(&shutdown.hard).await;
    }

    #[tokio::test]
    async fn a_drain_that_takes_too_long_is_ended() {
        let clock = ManualClock::default();
        let shutdown = Shutdown::on_signals_by(clock.shared()).unwrap();
        shutdown.drain();
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        clock.advance(DRAIN - Duration::from_millis(1));
        tokio::task::yield_now().await;
        assert!(!shutdown.hard.is_cancelled());
        clock.advance(Duration::from_millis(1));
        soon(&shutdown.hard).await;
    }
}
