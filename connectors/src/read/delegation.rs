//! `StateDelegatingStream`: whether a state is still of use.
//!
//! An upstream that keeps its events for thirty days answers a question about the last sixty with half of the truth and
//! no error. So a state that is older than the retention period counts as none, and the stream is read in full.

use serde_json::Value;

use super::cursor::CursorSettings;
use super::stream::StreamReader;
use super::{NoteLevel, ReadError};
use crate::datetime::duration;
use crate::http::session::{Session, display, is_truthy};
use crate::manifest::components::{Delegation, StreamPlan};

/// What the state of a stream without a cursor says after a read.
const NO_CURSOR: &str = "__ab_no_cursor_state_message";

pub(super) fn is_outdated(
    session: &Session,
    plan: &std::sync::Arc<StreamPlan>,
    delegation: &Delegation,
    state: &Value,
) -> Result<bool, ReadError> {
    let Some(period) = &delegation.api_retention_period else {
        return Ok(false);
    };
    let period = session.value(period, &[])?;
    if !is_truthy(&period) {
        return Ok(false);
    }
    let period = display(&period);
    let retention = duration::parse(&period).map_err(|_| {
        ReadError::config(format!(
            "The api_retention_period gives {period:?}, which is no ISO 8601 duration such as P30D."
        ))
    })?;
    let now = session.context.clock.now();
    let oldest = retention
        .subtract_from(&now.fixed_offset())
        .map_err(|_| ReadError::config("The api_retention_period is longer than there is time."))?;
    if state.get(NO_CURSOR).is_some() && delegation.full_refresh.incremental_sync.is_none() {
        return Ok(false);
    }
    for plan in [&delegation.full_refresh, plan] {
        let Some(settings) = StreamReader::settings_of(session, plan, now)? else {
            continue;
        };
        if let Some(value) = value(&settings, state) {
            let outdated = value < oldest;
            if outdated {
                session.note(
                    NoteLevel::Warning,
                    format!("The state is older than {period}, for which the upstream keeps changes; the stream is read in full."),
                );
            }
            return Ok(outdated);
        }
    }
    // Nobody can read it.
    Ok(true)
}

/// The cursor's value in any of the forms that a state has.
fn value(settings: &CursorSettings, state: &Value) -> Option<super::cursor::Moment> {
    let global = state
        .get("state")
        .filter(|global| global.is_object())
        .unwrap_or(state);
    settings.parse_value(global.get(&settings.field)?)
}
