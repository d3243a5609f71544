//! Time, passed in.
//!
//! A lease, a back-off and a cron schedule are all claims about time, and a test of one that has to wait
//! is a test nobody runs. So nobody in the workspace asks the operating system what time it is (clippy
//! refuses it outside this file): they hold a [`SharedClock`], and a test hands them a [`ManualClock`] that
//! moves only when told.
//!
//! `tokio::time::pause` was the alternative. It moves tokio's timers but not the wall clock, so what is due
//! and what has slept disagree, and it stands still for a multi-threaded runtime, which is what the
//! end-to-end tests run on.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

/// A source of time.
pub trait Clock: Send + Sync + Debug {
    /// The wall clock, in UTC. It may step; use [`Clock::monotonic`] to measure.
    fn now(&self) -> DateTime<Utc>;

    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;

    /// Ends once `duration` has passed on this clock. Dropping it forgets the wait.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// A clock as it is handed about.
pub type SharedClock = Arc<dyn Clock>;

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The operating system's clock, ready to be handed about.
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the monotonic clock"
    )]
    fn monotonic(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that waits by tokio's timer"
    )]
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

/// A clock that stands still until a test moves it. Clones share the time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    state: Arc<Mutex<ManualState>>,
}

#[derive(Debug)]
struct ManualState {
    now: DateTime<Utc>,
    monotonic: Duration,
    tickets: u64,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: DateTime<Utc>) -> Self {
        let state = ManualState {
            now,
            monotonic: Duration::ZERO,
            tickets: 0,
            sleepers: BTreeMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// This clock, as what the code under test takes.
    pub fn shared(&self) -> SharedClock {
        Arc::new(self.clone())
    }

    /// Moves both clocks on, and wakes whoever slept until then, the earliest first.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.now += TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
        state.monotonic += by;
        state.wake();
    }

    /// Sets the wall clock. Forward, it takes sleepers along, as [`ManualClock::advance`] does; back, it is
    /// a step of the wall clock alone, which is how a real machine's clock goes back.
    pub fn set(&self, to: DateTime<Utc>) {
        let mut state = self.lock();
        let by = to.signed_duration_since(state.now);
        state.now = to;
        if let Ok(by) = by.to_std() {
            state.monotonic += by;
            state.wake();
        }
    }

    /// How many are asleep on this clock: a test waits for this before it moves the time.
    pub fn sleepers(&self) -> usize {
        let mut state = self.lock();
        state.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        state.sleepers.len()
    }

    fn lock(&self) -> MutexGuard<'_, ManualState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ManualState {
    fn wake(&mut self) {
        let later = self.sleepers.split_off(&(self.monotonic, u64::MAX));
        for (_, sleeper) in std::mem::replace(&mut self.sleepers, later) {
            // Whoever stopped waiting need not be woken.
            let _ = sleeper.send(());
        }
    }
}

impl Default for ManualClock {
    /// Noon on 2026-01-01, UTC.
    fn default() -> Self {
        let noon = Utc.with_ymd_and_hms(2026, 1, 1, 12, 0, 0);
        Self::at(noon.single().expect("a fixed date in UTC exists once"))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.lock().now
    }

    fn monotonic(&self) -> Duration {
        self.lock().monotonic
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration.is_zero() {
            return tokio::task::yield_now().boxed();
        }
        let (sender, woken) = oneshot::channel();
        let mut state = self.lock();
        state.tickets += 1;
        let until = (state.monotonic.saturating_add(duration), state.tickets);
        state.sleepers.insert(until, sender);
        drop(state);
        async move {
            // The sender goes with the last clone of the clock: then nobody can move time any more, and
            // ending the sleep would be a lie.
            if woken.await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_its_time_has_come_and_not_before() {
        let clock = ManualClock::default();
        let mut nap = clock.sleep(Duration::from_secs(10));
        assert_eq!(clock.sleepers(), 1);
        clock.advance(Duration::from_millis(9_999));
        assert!((&mut nap).now_or_never().is_none());
        clock.advance(Duration::from_millis(1));
        assert!((&mut nap).now_or_never().is_some());
        assert_eq!(clock.sleepers(), 0);
    }

    #[tokio::test]
    async fn setting_the_wall_clock_back_moves_no_sleeper_and_no_monotonic_time() {
        let clock = ManualClock::default();
        let start = clock.now();
        let mut nap = clock.sleep(Duration::from_secs(60));
        clock.set(start - TimeDelta::hours(1));
        assert_eq!(clock.monotonic(), Duration::ZERO);
        assert!((&mut nap).now_or_never().is_none());
        clock.set(start);
        assert!((&mut nap).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_dropped_sleep_is_forgotten() {
        let clock = ManualClock::default();
        drop(clock.sleep(Duration::from_secs(1)));
        assert_eq!(clock.sleepers(), 0);
    }

    #[tokio::test]
    async fn the_system_clock_moves_and_sleeps() {
        let clock = SystemClock::shared();
        let (wall, mono) = (clock.now(), clock.monotonic());
        clock.sleep(Duration::from_millis(5)).await;
        assert!(clock.now() > wall);
        assert!(clock.monotonic() - mono >= Duration::from_millis(5));
    }
}
