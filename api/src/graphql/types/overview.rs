//! The status dashboard's figures.

use async_graphql::{Enum, SimpleObject};

/// The time that figures are about, up to now.
#[derive(Enum, Debug, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "engine::overview::Window")]
pub(crate) enum Window {
    /// The last 60 minutes.
    LastHour,
    /// The last 24 hours.
    #[graphql(name = "LAST_24_HOURS")]
    Last24Hours,
    /// The last 7 days.
    #[graphql(name = "LAST_7_DAYS")]
    Last7Days,
    /// The last 30 days.
    #[graphql(name = "LAST_30_DAYS")]
    Last30Days,
}

/// How the installation, or one client in it, fares. Totals are whole numbers, as Float because they may pass 2^31.
#[derive(SimpleObject, Debug, Default)]
pub(crate) struct Overview {
    /// Inbound webhooks in the window.
    webhooks_received: f64,
    /// Runs that ended in the window and were not cancelled.
    syncs_executed: f64,
    /// The share of them that succeeded whole: 0 to 1; null when none ended.
    success_rate: Option<f64>,
    /// How long upstreams took to answer, on average, in milliseconds; null when nobody measured.
    average_upstream_response_ms: Option<f64>,
    /// Runs that wait for another attempt, now.
    retrying: i32,
    /// Dead letters that are open, now.
    dead_letters: i32,
    /// Runs that are running, now.
    running: i32,
    /// Runs that wait, now.
    queued: i32,
    /// Integrations whose health is FAILING, now.
    failing: i32,
    /// How late the most overdue schedule is, in seconds; 0 when none is late, null when there is no schedule.
    scheduler_lag_seconds: Option<f64>,
}

impl From<engine::overview::Figures> for Overview {
    fn from(figures: engine::overview::Figures) -> Self {
        let int = |count| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            webhooks_received: figures.webhooks_received as f64,
            syncs_executed: figures.syncs_executed as f64,
            success_rate: figures.success_rate,
            average_upstream_response_ms: figures.average_upstream_response_ms,
            retrying: int(figures.retrying),
            dead_letters: int(figures.dead_letters),
            running: int(figures.running),
            queued: int(figures.queued),
            failing: int(figures.failing),
            scheduler_lag_seconds: figures.scheduler_lag_seconds,
        }
    }
}
