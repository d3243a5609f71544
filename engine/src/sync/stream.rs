//! One stream of a run, from its opening to its end.

use connectors::read::Checkpoint;
use connectors::schema::{Declared, Observed};
use entity::words::{LogLevel, SyncMode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::apply::{Applied, Applier};
use super::read::{Group, Reading};
use super::{Ending, Source, StopSignals, Tally, checkpoint, deletions, drift, unchanged};
use crate::Engine;
use crate::queue::Claim;
use crate::runs::SyncProgress;
use crate::store::run_log::LogLine;

/// Reads a stream to its end. `Err` is how the run ends instead.
pub(super) async fn run(
    engine: &Engine,
    claim: &Claim,
    source: &dyn Source,
    stream: &str,
    stop: &StopSignals,
    tally: &mut Tally,
) -> Result<(), Ending> {
    let began = engine.clock.monotonic();
    let opened = tokio::select! {
        biased;
        ending = stopped(stop) => return Err(ending),
        opened = checkpoint::open(engine, claim, stream) => opened.map_err(Ending::from)?,
    };
    if opened.cancel_requested {
        return Err(Ending::Cancelled);
    }
    let marking = opened.marking.then_some(opened.generation);
    let mut applier = Applier {
        engine,
        claim,
        stream,
        stream_id: opened.stream_id,
        marking,
        notes: 0,
        expected: opened.expected,
        observed: Observed::default(),
    };
    let full_refresh = is_full_refresh(claim);
    let mut outcome = Outcome {
        unchanged: opened.unchanged,
        ..Outcome::default()
    };
    if !opened.ended {
        let validators = unchanged::recall(&opened, source.identity(), full_refresh);
        outcome = read(
            &mut applier,
            source,
            opened.checkpoint,
            validators.as_ref(),
            stop,
            tally,
        )
        .await?;
        drift::judge(&applier, &outcome.declared, &opened.watch)
            .await
            .map_err(Ending::from)?;
    }
    let total = &outcome.total;
    let seconds = (engine.clock.monotonic() - began).as_secs_f64();
    let line = LogLine::new(
        LogLevel::Info,
        if outcome.unchanged {
            "the upstream says that the stream has not changed"
        } else {
            "stream read to its end"
        },
        json!({
            "stream": stream, "seconds": (seconds * 1000.0).round() / 1000.0, "pages": total.pages,
            "records_read": total.records_read, "records_added": total.records_added,
            "records_updated": total.records_updated, "records_unchanged": total.records_unchanged,
            "records_failed": total.records_failed,
        }),
    );
    // What failed is not stored, and comes again only if it is read again.
    let all_stored = total.records_failed == 0;
    let validators = outcome.validators.take().filter(|_| all_stored);
    let kept = validators
        .zip(source.identity())
        .and_then(|(validators, source)| unchanged::remember(validators, source, full_refresh));
    let end = deletions::End {
        full_refresh,
        generation: opened.generation,
        unchanged: outcome.unchanged,
        kept,
    };
    deletions::finish(&applier, end, line, stop).await
}

/// What came of reading a stream.
#[derive(Default)]
struct Outcome {
    total: SyncProgress,
    declared: Declared,
    validators: Option<Value>,
    unchanged: bool,
}

fn is_full_refresh(claim: &Claim) -> bool {
    claim.row().mode == SyncMode::FullRefresh
}

/// Reads and writes every page that is left.
async fn read(
    applier: &mut Applier<'_>,
    source: &dyn Source,
    from: Checkpoint,
    validators: Option<&Value>,
    stop: &StopSignals,
    tally: &mut Tally,
) -> Result<Outcome, Ending> {
    let Applier {
        engine,
        claim,
        stream,
        ..
    } = *applier;
    // The source is stopped by whatever stops the run, and by leaving this function.
    let reading = CancellationToken::new();
    let _stop_reading = reading.clone().drop_guard();
    let pages = source
        .open(stream, from, is_full_refresh(claim), validators, reading)
        .map_err(|error| Ending::from_read(error, Some(stream)))?;
    let mut pages = Reading::begin(engine, pages, stream, claim);
    let mut outcome = Outcome {
        declared: pages.identity.declared.clone(),
        ..Outcome::default()
    };
    loop {
        let mut group = Group::default();
        let ended = tokio::select! {
            biased;
            ending = stopped(stop) => match ending {
                // What has been read is written before the run is put back.
                Ending::Drained if !group.pages.is_empty() => None,
                ending => return Err(ending),
            },
            ended = pages.gather(&mut group) => ended,
        };
        match ended {
            Some(Ok(())) => break,
            Some(Err(error)) => {
                let stats = error.stats;
                if error.held_back.is_none() {
                    tracing::warn!(stream, code = %error.code, kind = error.kind.as_str(), "{}", error.message);
                }
                applier.spent(stats).await.map_err(Ending::from)?;
                return Err(Ending::from_read(error, Some(stream)));
            }
            None => {}
        }
        let applied = write(applier, &mut group, stop).await?;
        drop(group);
        pages.written();
        tally.pages += applied.done.pages;
        tally.read += applied.done.records_read;
        tally.failed += applied.done.records_failed;
        add(&mut outcome.total, &applied.done);
        outcome.unchanged = applied.unchanged;
        outcome.validators = applied.validators;
        if applied.cancel_requested {
            return Err(Ending::Cancelled);
        }
        if tally.over_budget(false) {
            return Err(Ending::failed(tally.over_budget_error(stream)));
        }
    }
    Ok(outcome)
}

/// Writes a group. It is not interrupted by a cancellation or a drain, both of which can wait for a
/// transaction, but by the loss of the lease, which the fence would refuse anyway.
async fn write(applier: &mut Applier<'_>, group: &mut Group, stop: &StopSignals) -> Result<Applied, Ending> {
    let pages = std::mem::take(&mut group.pages);
    tokio::select! {
        biased;
        () = stop.abort.cancelled() => Err(Ending::Lost),
        applied = applier.write(pages) => applied.map_err(Ending::from),
    }
}

/// Ends when the run is stopped from outside.
pub(super) async fn stopped(stop: &StopSignals) -> Ending {
    tokio::select! {
        biased;
        () = stop.abort.cancelled() => Ending::Lost,
        () = stop.cancel.cancelled() => Ending::Cancelled,
        () = stop.drain.cancelled() => Ending::Drained,
    }
}

fn add(total: &mut SyncProgress, done: &SyncProgress) {
    total.pages += done.pages;
    total.records_read += done.records_read;
    total.records_added += done.records_added;
    total.records_updated += done.records_updated;
    total.records_unchanged += done.records_unchanged;
    total.records_failed += done.records_failed;
}
