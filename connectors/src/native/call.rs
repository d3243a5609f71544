//! What stands around one call to somebody else's server that is not an HTTP request: the gate before it, a bound on
//! its time, cancellation inside it, the gate's word afterwards, and repetition where the read repeats by itself.

use std::time::Duration;

use crate::http::gate::{Allowed, Ask, HeldBack, Seen, Told};
use crate::http::session::Session;
use crate::read::{ErrorKind, ReadError, RetryMode};

/// Repetitions of a read by hand, as for requests.
const MAX_RETRIES: u32 = 5;

/// Makes the call. `target` is shown in errors; `host` names the circuit.
pub(super) async fn guarded<T, F>(
    session: &Session,
    host: &str,
    target: &str,
    mut work: impl FnMut() -> F,
) -> Result<T, ReadError>
where
    F: Future<Output = Result<T, ReadError>>,
{
    repeated(session, || once(session, host, target, work())).await
}

/// Repeats what failed and may not fail again, where the read repeats by itself.
pub(super) async fn repeated<T, F>(session: &Session, mut work: impl FnMut() -> F) -> Result<T, ReadError>
where
    F: Future<Output = Result<T, ReadError>>,
{
    let context = &session.context;
    let mut tries = 0;
    loop {
        let error = match work().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        tries += 1;
        let again = error.retryable && error.held_back.is_none() && tries <= MAX_RETRIES;
        if !again || context.retry == RetryMode::LeaveToCaller {
            return Err(error);
        }
        let wait = Duration::from_secs(1 << (tries - 1)).min(context.limits.max_backoff);
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err(ReadError::cancelled()),
            () = context.clock.sleep(wait) => {}
        }
    }
}

async fn once<T>(
    session: &Session,
    host: &str,
    target: &str,
    work: impl Future<Output = Result<T, ReadError>>,
) -> Result<T, ReadError> {
    let context = &session.context;
    let named = |mut error: ReadError| {
        error.url.get_or_insert_with(|| session.scrub(target));
        error
    };
    let ask = Ask {
        host,
        // A manifest's budget counts HTTP requests.
        allowed: &Allowed::Unsaid,
    };
    if let Some(gate) = &context.gate {
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err(ReadError::cancelled()),
            admitted = gate.admit(&ask) => admitted.map_err(HeldBack::unaddressed).map_err(named)?,
        }
    }
    let limit = context.limits.page_timeout;
    let outcome = tokio::select! {
        biased;
        () = context.cancel.cancelled() => Err(ReadError::cancelled()),
        outcome = work => outcome,
        () = context.clock.sleep(limit) => {
            let message = format!("No whole page came within {} seconds.", limit.as_secs());
            Err(ReadError::new(ErrorKind::Timeout, "TIMEOUT", message).retryable())
        }
    };
    if let Some(gate) = &context.gate {
        gate.seen(&ask, seen(outcome.as_ref().err()), Told::default())
            .await;
    }
    outcome.map_err(named)
}

/// An upstream fails when it cannot be reached or says that it cannot; a refusal of ours shows that it works.
fn seen(error: Option<&ReadError>) -> Seen {
    match error.map(|error| (error.kind, error.retryable)) {
        Some((ErrorKind::Cancelled | ErrorKind::Internal, _)) => Seen::Nothing,
        Some((ErrorKind::Config, _)) if error.is_some_and(|error| error.code == "BLOCKED_ADDRESS") => {
            Seen::Nothing
        }
        Some((ErrorKind::Network | ErrorKind::Timeout, _) | (ErrorKind::Upstream, true)) => Seen::Fails {
            patience: error.and_then(|error| error.retry_after),
        },
        None | Some(_) => Seen::Works { patience: None },
    }
}
