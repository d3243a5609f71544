//! What an export of a client writes of each thing, in the names of the API.

use engine::access::ApiKey;
use engine::clients::Client;
use engine::deadletters::DeadLetter;
use engine::events::Event;
use engine::ids::{IntegrationId, RunId};
use engine::integrations::{Integration, PauseReason, Schedule, SkippedTick};
use engine::runs::{LogEntry, StreamProgress, SyncAttempt, SyncError, SyncProgress, SyncRun};
use serde_json::{Value, json};

use crate::graphql::rfc3339;

pub(super) fn client(client: &Client) -> Value {
    json!({
        "id": client.id, "slug": client.slug, "name": client.name, "metadata": client.metadata,
        "status": client.status, "createdAt": rfc3339(client.created_at), "updatedAt": rfc3339(client.updated_at),
    })
}

pub(super) fn api_key(key: &ApiKey) -> Value {
    json!({
        "id": key.id, "name": key.name, "prefix": key.prefix, "scopes": key.scopes,
        "createdAt": rfc3339(key.created_at), "expiresAt": key.expires_at.map(rfc3339),
        "lastUsedAt": key.last_used_at.map(rfc3339), "revokedAt": key.revoked_at.map(rfc3339),
    })
}

pub(super) fn integration(integration: &Integration) -> Value {
    let paused = integration.pause_reasons.iter().map(|reason| match reason {
        PauseReason::Manual => "MANUAL",
        PauseReason::Credential => "CREDENTIAL",
        PauseReason::RepeatedFailure => "REPEATED_FAILURE",
    });
    json!({
        "id": integration.id, "connectorId": integration.connector_id, "name": integration.name,
        "config": integration.config, "streams": integration.streams, "pauseReasons": paused.collect::<Vec<_>>(),
        "retry": integration.retry, "requestsPerMinute": integration.requests_per_minute,
        "createdAt": rfc3339(integration.created_at), "updatedAt": rfc3339(integration.updated_at),
    })
}

pub(super) fn schedule(schedule: &Schedule) -> Value {
    json!({
        "integrationId": schedule.integration_id, "cron": schedule.cron, "timezone": schedule.timezone,
        "jitterSeconds": schedule.jitter_seconds, "overlap": schedule.overlap,
        "catchUpSeconds": schedule.catch_up_seconds, "nextDueAt": schedule.next_due_at.map(rfc3339),
    })
}

pub(super) fn skipped_tick(of: IntegrationId, tick: &SkippedTick) -> Value {
    json!({ "integrationId": of, "dueAt": rfc3339(tick.due_at), "reason": tick.reason })
}

pub(super) fn run(run: &SyncRun, attempts: &[SyncAttempt], streams: &[StreamProgress]) -> Value {
    let attempts = attempts.iter().map(|attempt| {
        json!({
            "number": attempt.number, "startedAt": rfc3339(attempt.started_at),
            "finishedAt": attempt.finished_at.map(rfc3339), "worker": attempt.worker,
            "error": attempt.error.as_ref().map(error),
        })
    });
    let streams = streams.iter().map(|stream| {
        json!({
            "stream": stream.stream, "status": stream.status, "progress": progress(stream.progress),
            "cursor": stream.cursor,
        })
    });
    json!({
        "id": run.id, "integrationId": run.integration_id, "trigger": run.trigger, "mode": run.mode,
        "status": run.status, "idempotencyKey": run.idempotency_key, "correlationId": run.correlation_id,
        "attempt": run.attempt, "maxAttempts": run.max_attempts, "scheduledFor": run.scheduled_for.map(rfc3339),
        "queuedAt": rfc3339(run.queued_at), "startedAt": run.started_at.map(rfc3339),
        "finishedAt": run.finished_at.map(rfc3339), "progress": progress(run.progress),
        "error": run.error.as_ref().map(error), "heldDeletions": run.held_deletions,
        "attempts": attempts.collect::<Vec<_>>(), "streams": streams.collect::<Vec<_>>(),
    })
}

pub(super) fn log(run: RunId, entry: &LogEntry) -> Value {
    json!({
        "runId": run, "at": rfc3339(entry.at), "level": entry.level.as_str(), "message": entry.message,
        "fields": entry.fields,
    })
}

pub(super) fn dead_letter(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id, "kind": letter.kind, "status": letter.status, "integrationId": letter.integration_id,
        "runId": letter.run_id, "stream": letter.stream, "payload": letter.payload, "error": error(&letter.error),
        "attempts": letter.attempts, "createdAt": rfc3339(letter.created_at),
        "resolvedAt": letter.resolved_at.map(rfc3339),
    })
}

pub(super) fn event(event: &Event) -> Value {
    json!({
        "id": event.id, "type": event.event_type, "subject": event.subject, "time": rfc3339(event.time),
        "correlationId": event.correlation_id, "data": event.data,
    })
}

fn progress(progress: SyncProgress) -> Value {
    json!({
        "requests": progress.requests, "pages": progress.pages, "recordsRead": progress.records_read,
        "recordsAdded": progress.records_added, "recordsUpdated": progress.records_updated,
        "recordsUnchanged": progress.records_unchanged, "recordsDeleted": progress.records_deleted,
        "recordsFailed": progress.records_failed, "bytesRead": progress.bytes_read,
    })
}

fn error(error: &SyncError) -> Value {
    json!({
        "kind": error.kind, "code": error.code, "message": error.message, "retryable": error.retryable,
        "stream": error.stream, "httpStatus": error.http_status, "url": error.url,
    })
}
