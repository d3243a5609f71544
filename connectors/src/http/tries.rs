//! How often a request is repeated, and how long is waited before.

use std::time::Duration;

use super::answer::Answer;
use super::session::Session;
use super::{backoff, retry_after, verdict};
use crate::manifest::components::{HttpRequester, ResponseAction};
use crate::read::{ReadError, RetryMode};

/// The longest that a read as the reference goes on repeating one request.
const PATIENCE: Duration = Duration::from_secs(600);

/// An attempt that gave no answer worth reading.
pub(super) struct Failure {
    pub(super) error: ReadError,
    pub(super) action: ResponseAction,
    pub(super) answer: Option<Answer>,
}

/// The reference nests three retry loops: the outermost for plain failures, then for rate limits without a
/// time, innermost for waits that a strategy computes. An outer repetition starts the inner ones anew.
#[derive(Debug, Default)]
pub(super) struct Tries {
    total: u32,
    plain: u32,
    limited: u32,
    timed: u32,
    pub(super) refreshed: bool,
    /// How often another token was taken instead of a wait.
    pub(super) rotated: usize,
}

impl Tries {
    /// How long to wait before the next attempt, or the error that ends them.
    pub(super) fn next(
        &mut self,
        session: &Session,
        requester: &HttpRequester,
        failure: Failure,
        started: Duration,
    ) -> Result<Duration, ReadError> {
        let Failure {
            mut error,
            action,
            answer,
        } = failure;
        self.total += 1;
        let told = backoff::wait(session, &requester.error_handler, answer.as_ref(), self.total).map_err(
            |refused| ReadError {
                http_status: error.http_status,
                url: error.url.clone(),
                ..refused
            },
        )?;
        if session.context.retry == RetryMode::LeaveToCaller {
            let now = session.context.clock.now();
            let header = answer
                .as_ref()
                .and_then(|answer| retry_after::parse(answer.header("retry-after")?, now));
            error.retry_after = told.or(header);
            return Err(error);
        }
        let most = verdict::max_retries(session, &requester.error_handler)?;
        let spent = session.context.clock.monotonic().saturating_sub(started);
        let (count, wait, patient) = if let Some(told) = told {
            self.timed += 1;
            (self.timed, told + Duration::from_secs(1), spent < PATIENCE)
        } else if action == ResponseAction::RateLimited {
            self.limited += 1;
            self.timed = 0;
            (self.limited, doubling(self.limited), true)
        } else {
            self.plain += 1;
            self.limited = 0;
            self.timed = 0;
            (self.plain, doubling(self.plain), spent < PATIENCE)
        };
        if count > most || !patient {
            error.retry_after = told;
            return Err(error);
        }
        Ok(wait.min(session.context.limits.max_backoff))
    }
}

/// 1, 2, 4 … seconds.
fn doubling(count: u32) -> Duration {
    Duration::from_secs(1 << count.saturating_sub(1).min(10))
}
