//! Mutations of dead letters.

use async_graphql::{Context, Object, Result};
use engine::Outcome;

use super::payloads::{DiscardDeadLettersPayload, ReplayDeadLettersPayload, errors};
use crate::graphql::context::{actor, engine_of};
use crate::graphql::inputs::{DiscardDeadLettersInput, ReplayDeadLettersInput};

#[derive(Default)]
pub(crate) struct DeadLetterMutations;

#[Object]
impl DeadLetterMutations {
    /// Does open dead letters again: a record is kept once more, a run is queued once more.
    async fn replay_dead_letters(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones")] input: ReplayDeadLettersInput,
    ) -> Result<ReplayDeadLettersPayload> {
        let Some(filter) = input.filter.into_engine() else {
            return Ok(ReplayDeadLettersPayload {
                replayed: 0,
                user_errors: Vec::new(),
            });
        };
        Ok(
            match engine_of(ctx).dead_letters().replay(actor(ctx), &filter).await? {
                Outcome::Done(count) => ReplayDeadLettersPayload {
                    replayed: int(count),
                    user_errors: Vec::new(),
                },
                Outcome::Refused(refusals) => ReplayDeadLettersPayload {
                    replayed: 0,
                    user_errors: errors(refusals),
                },
            },
        )
    }

    /// Lets open dead letters go.
    async fn discard_dead_letters(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones")] input: DiscardDeadLettersInput,
    ) -> Result<DiscardDeadLettersPayload> {
        let Some(filter) = input.filter.into_engine() else {
            return Ok(DiscardDeadLettersPayload {
                discarded: 0,
                user_errors: Vec::new(),
            });
        };
        Ok(
            match engine_of(ctx).dead_letters().discard(actor(ctx), &filter).await? {
                Outcome::Done(count) => DiscardDeadLettersPayload {
                    discarded: int(count),
                    user_errors: Vec::new(),
                },
                Outcome::Refused(refusals) => DiscardDeadLettersPayload {
                    discarded: 0,
                    user_errors: errors(refusals),
                },
            },
        )
    }
}

fn int(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
