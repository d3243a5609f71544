//! The status dashboard's figures.

use chrono::{DateTime, TimeDelta, Utc};
use entity::Timestamp;
use platform::database::Durability;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::access::{Actor, Resource, Scope};
use crate::deadletters::{DeadLetterFilter, DeadLetterStatus};
use crate::error::Result;
use crate::ids::ClientId;
use crate::runs::{SyncRunStatus, WaitReason};
use crate::store::figures::{self as kept, Whose};
use crate::store::{dead_letters, integrations, overview as store, schedules};

/// How far back the figures look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Window {
    /// One hour.
    LastHour,
    /// A day.
    #[default]
    Last24Hours,
    /// A week.
    Last7Days,
    /// Thirty days.
    Last30Days,
}

impl Window {
    const fn length(self) -> TimeDelta {
        match self {
            Self::LastHour => TimeDelta::hours(1),
            Self::Last24Hours => TimeDelta::hours(24),
            Self::Last7Days => TimeDelta::days(7),
            Self::Last30Days => TimeDelta::days(30),
        }
    }
}

/// The figures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Inbound webhooks in the window.
    pub webhooks_received: u64,
    /// Runs that ended in the window and were not cancelled.
    pub syncs_executed: u64,
    /// The share of them that succeeded whole, 0 to 1; none where there were none.
    pub success_rate: Option<f64>,
    /// Mean time of the upstreams' answers in the window; none where nobody measured.
    pub average_upstream_response_ms: Option<f64>,
    /// Runs that wait for their next attempt, now.
    pub retrying: u64,
    /// Open dead letters, now.
    pub dead_letters: u64,
    /// Runs that run, now.
    pub running: u64,
    /// Runs that wait, for whatever reason, now.
    pub queued: u64,
    /// Integrations that are failing, now.
    pub failing: u64,
    /// How late the most overdue schedule is; 0 where none is late, none where there is none.
    pub scheduler_lag_seconds: Option<f64>,
}

/// What can be told at a glance.
#[derive(Debug)]
pub struct Overview<'a>(&'a Engine);

impl Engine {
    /// What can be told at a glance.
    #[must_use]
    pub fn overview(&self) -> Overview<'_> {
        Overview(self)
    }
}

impl Overview<'_> {
    /// The figures, of everything that the actor may see, or of one client.
    pub async fn figures(&self, actor: &Actor, window: Window, client: Option<ClientId>) -> Result<Figures> {
        let scope = actor.reads(Resource::Overview)?;
        let (reader, now) = (self.0.db.reader(), self.0.clock.now());
        let since = Timestamp::from(now - window.length());
        let mut figures = Figures::default();
        let mut succeeded = 0;
        let ended = match Whose::within(scope, client) {
            Some(whose) => kept::ended(reader, whose, since).await?,
            None => Vec::new(),
        };
        for (status, count) in ended {
            let count = count.unsigned_abs();
            match status {
                SyncRunStatus::Cancelled => continue,
                SyncRunStatus::Succeeded => succeeded += count,
                _ => {}
            }
            figures.syncs_executed += count;
        }
        if figures.syncs_executed > 0 {
            figures.success_rate = Some(succeeded as f64 / figures.syncs_executed as f64);
        }
        for (status, reason, count) in store::unended(reader, scope, client).await? {
            let count = count.unsigned_abs();
            match status {
                SyncRunStatus::Running => figures.running += count,
                _ => figures.queued += count,
            }
            if status == SyncRunStatus::Queued
                && matches!(reason, Some(WaitReason::Backoff | WaitReason::RateLimited))
            {
                figures.retrying += count;
            }
        }
        let open = DeadLetterFilter {
            client_id: client,
            status: vec![DeadLetterStatus::Open],
            ..DeadLetterFilter::default()
        };
        figures.dead_letters = dead_letters::count(reader, scope, &open).await?;
        figures.failing = integrations::count_failing(reader, scope, client).await?;
        figures.scheduler_lag_seconds = lag(schedules::earliest_due(reader, scope).await?, now);
        Ok(figures)
    }

    /// Adds the runs that ended since the last time to the figures that are kept; gives how many.
    pub async fn fold(&self, stop: &CancellationToken) -> Result<u64> {
        let mut folded = 0;
        while !stop.is_cancelled() && kept::any_tallied(self.0.db.reader()).await? {
            let transaction = self.0.db.begin(Durability::Page).await?;
            let rows = kept::fold(&transaction).await?;
            transaction.commit().await?;
            folded += rows as u64;
            if rows < kept::BATCH {
                break;
            }
        }
        Ok(folded)
    }

    /// What is to be seen of the whole installation at any moment: for metrics, so each from the end or a range of
    /// an index.
    pub async fn gauges(&self) -> Result<Gauges> {
        let reader = self.0.db.reader();
        let (running, queued) = store::unended_by_status(reader).await?;
        let earliest = schedules::earliest_due(reader, Scope::All).await?;
        Ok(Gauges {
            running,
            queued,
            scheduler_lag_seconds: lag(earliest, self.0.clock.now()).unwrap_or(0.0),
        })
    }
}

/// What is to be seen of the whole installation at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gauges {
    /// Runs that run.
    pub running: u64,
    /// Runs that wait, for whatever reason.
    pub queued: u64,
    /// How late the most overdue schedule is; 0 where none is late.
    pub scheduler_lag_seconds: f64,
}

/// How late the schedules are, as seen by whoever waits for the latest of them: the age of the first due time that
/// nobody has seen to. It grows while no scheduler runs, or while they cannot keep up, and falls to 0 in one step when
/// what was missed has been fired or recorded.
fn lag(earliest_due: Option<Timestamp>, now: DateTime<Utc>) -> Option<f64> {
    earliest_due.map(|due| (now.timestamp_micros() - due.micros()).max(0) as f64 / 1e6)
}
