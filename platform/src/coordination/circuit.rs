//! Circuits: an upstream that is down is left alone, by all processes at once.
//!
//! After so many failures without a success between them a circuit opens, and nobody asks. When its time is over it
//! is half open: one single request, the probe, finds out. If that succeeds the circuit closes; if not it opens again
//! for twice as long, up to a bound. A probe whose process dies becomes another's after a while.
//!
//! Failures in a row and not a share of a window: what is to be told apart is an upstream that is down from one
//! that has bad moments, and the retry policies are made for the latter. What counts as a failure is the caller's
//! business.

use std::time::Duration;

use async_trait::async_trait;

/// When a circuit opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitPolicy {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it is open at first.
    pub first: Duration,
    /// How long it is open at most.
    pub longest: Duration,
    /// How long a probe may take before there is another.
    pub probe: Duration,
}

impl Default for CircuitPolicy {
    fn default() -> Self {
        Self {
            failures: 10,
            first: Duration::from_secs(30),
            longest: Duration::from_secs(300),
            probe: Duration::from_secs(60),
        }
    }
}

impl CircuitPolicy {
    /// How long it is open for the `times`-th time in a row.
    fn open_for(&self, times: u32) -> Duration {
        self.first
            .saturating_mul(1 << times.saturating_sub(1).min(10))
            .min(self.longest)
    }
}

/// How long to wait while somebody else's probe is out.
pub(super) const WHILE_PROBED: Duration = Duration::from_secs(2);
/// How long a circuit that nobody uses remembers its failures.
pub(super) const MEMORY: Duration = Duration::from_secs(3600);

/// Whether somebody may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It is closed.
    Closed {
        /// Whether the last request failed: a success is worth reporting.
        failing: bool,
    },
    /// It is half open, and this caller's request is the probe: what comes of it must be reported.
    Probe,
    /// Not before this has passed.
    Refused {
        /// Until it is worth asking again.
        wait: Duration,
    },
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The upstream works.
    Success,
    /// It does not.
    Failure,
    /// Nothing is known: the request was not made after all, or was broken off.
    Unknown,
}

/// A circuit's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CircuitState {
    /// Requests are let through.
    #[default]
    Closed,
    /// None is.
    Open,
    /// One is.
    HalfOpen,
}

/// Circuits that all processes of an installation share. Like budgets they do not fail: where the others cannot be
/// asked, a process goes by what it sees itself.
#[async_trait]
pub trait Circuits: Send + Sync {
    /// Whether `owner` may ask.
    async fn pass(&self, name: &str, owner: &str, policy: CircuitPolicy) -> Passage;

    /// Tells what came of the owner's request.
    async fn report(&self, name: &str, owner: &str, verdict: Verdict, policy: CircuitPolicy);

    /// The states of these.
    async fn circuits(&self, names: &[String]) -> Vec<CircuitState>;
}

/// One circuit, in time that begins anywhere.
#[derive(Debug, Clone, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// How often it has opened since it was last closed; 0: it is closed.
    opened: u32,
    open_until: Duration,
    probe: Option<(String, Duration)>,
    used: Duration,
}

impl Breaker {
    pub(super) fn pass(&mut self, owner: &str, policy: CircuitPolicy, now: Duration) -> Passage {
        self.used = now;
        if self.opened == 0 {
            return Passage::Closed {
                failing: self.failures > 0,
            };
        }
        if self.open_until > now {
            return Passage::Refused {
                wait: self.open_until - now,
            };
        }
        match &self.probe {
            Some((other, until)) if other != owner && *until > now => Passage::Refused {
                wait: WHILE_PROBED.min(*until - now),
            },
            _ => {
                self.probe = Some((owner.to_owned(), now + policy.probe));
                Passage::Probe
            }
        }
    }

    pub(super) fn report(&mut self, owner: &str, verdict: Verdict, policy: CircuitPolicy, now: Duration) {
        self.used = now;
        let probed = self.probe.as_ref().is_some_and(|(prober, _)| prober == owner);
        match verdict {
            Verdict::Success => *self = Self::default(),
            Verdict::Failure if self.opened == 0 => {
                self.failures += 1;
                if self.failures >= policy.failures {
                    self.open(policy, now);
                }
            }
            Verdict::Failure if probed => self.open(policy, now),
            // It was sent before the circuit opened.
            Verdict::Failure => {}
            Verdict::Unknown if probed => self.probe = None,
            Verdict::Unknown => {}
        }
    }

    pub(super) fn state(&self, now: Duration) -> CircuitState {
        match self.opened {
            0 => CircuitState::Closed,
            _ if self.open_until > now => CircuitState::Open,
            _ => CircuitState::HalfOpen,
        }
    }

    /// Whether it is as if it had never been used.
    pub(super) fn is_forgotten(&self, now: Duration) -> bool {
        (self.failures == 0 && self.opened == 0) || now.saturating_sub(self.used) > MEMORY
    }

    fn open(&mut self, policy: CircuitPolicy, now: Duration) {
        self.opened += 1;
        self.open_until = now + policy.open_for(self.opened);
        self.probe = None;
    }
}
