//! Schema drift: records that are no longer what the connector's schema says.
//!
//! A consumer that reads `price` as a number breaks on the day when the upstream sends a text, and the sync that
//! stored it succeeded. So a few records of each page are held against the declared schema while they are prepared, and
//! at the stream's end what they showed is judged: a field that held another type than declared, and a field that all
//! records had in earlier runs and none has now. It never fails a run: the records are what the upstream says they are.
//! It is said once, in the run's log and as an event, and stays to be seen with the integration until it is over.
//!
//! That a field is gone can only be said against what was there. Many schemas declare fields that no record has, so what
//! counts is the fields that *every* record looked at had, kept beside the stream's state. An incremental run
//! often reads a handful of records; fewer than [`FEW`] say nothing about all.

use chrono::{DateTime, Utc};
use connectors::schema::{Declared, Observed};
use entity::words::LogLevel;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::apply::{Applier, ApplyError, begin};
use crate::events::EventDraft;
use crate::store::run_log::LogLine;
use crate::store::{events, run_log, stored_json, stream_state};
use crate::topics;

/// Records that have to be looked at before one can say what all of them have.
const FEW: usize = 5;

/// How a field drifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DriftKind {
    /// It holds another type than declared.
    TypeChanged,
    /// All records had it, and none has it now.
    FieldVanished,
}

/// A field that is not what it was declared to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDrift {
    /// The field.
    pub field: String,
    /// How it drifted.
    pub kind: DriftKind,
    /// The declared type.
    pub expected: String,
    /// What was found besides; nothing where the field is gone.
    pub found: Option<String>,
    /// When it was first noticed.
    pub since: DateTime<Utc>,
}

/// What is kept of a stream's schema between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watch {
    /// Fields that every record had; none before enough were seen.
    #[serde(default)]
    always: Option<Vec<String>>,
    /// What is not as declared.
    #[serde(default)]
    pub(crate) drift: Vec<FieldDrift>,
}

impl Watch {
    pub(crate) fn of(column: Option<Value>) -> Self {
        // What an older or a newer release wrote and this one cannot read is watched afresh.
        column
            .and_then(|column| stored_json::read(column).ok())
            .unwrap_or_default()
    }

    /// What a run leaves, given what it saw.
    fn after(&self, declared: &Declared, seen: &Observed, now: DateTime<Utc>) -> Self {
        if seen.records == 0 {
            return self.clone();
        }
        let ever: Vec<&str> = seen.ever(declared).collect();
        let strays = seen.strays(declared);
        let known = |field: &str, kind: DriftKind| {
            self.drift
                .iter()
                .find(|drift| drift.field == field && drift.kind == kind)
        };
        let mut drift: Vec<FieldDrift> = strays
            .iter()
            .map(|(field, types, found)| FieldDrift {
                field: (*field).to_owned(),
                kind: DriftKind::TypeChanged,
                expected: types.to_string(),
                found: Some(found.to_string()),
                since: known(field, DriftKind::TypeChanged).map_or(now, |drift| drift.since),
            })
            .collect();
        let enough = seen.records >= FEW;
        let before = self.always.as_deref().unwrap_or_default();
        for (field, types) in declared.fields() {
            let old = known(field, DriftKind::FieldVanished);
            let gone = !ever.contains(&field)
                && (old.is_some() || enough && before.iter().any(|name| name == field));
            if gone {
                drift.push(FieldDrift {
                    field: field.to_owned(),
                    kind: DriftKind::FieldVanished,
                    expected: types.to_string(),
                    found: None,
                    since: old.map_or(now, |drift| drift.since),
                });
            }
            // No record of this run had it, so nothing was learnt of its type.
            if let Some(old) = known(field, DriftKind::TypeChanged)
                && !ever.contains(&field)
                && old.expected == types.to_string()
            {
                drift.push(old.clone());
            }
        }
        let always = if enough {
            let whole: Vec<&str> = seen.always(declared).collect();
            let vanished = |name: &str| {
                drift
                    .iter()
                    .any(|drift| drift.field == name && drift.kind == DriftKind::FieldVanished)
            };
            let stays = |name: &str| {
                vanished(name)
                    || whole.contains(&name)
                        && self
                            .always
                            .as_ref()
                            .is_none_or(|before| before.iter().any(|own| own == name))
            };
            Some(
                declared
                    .fields()
                    .map(|(name, _)| name)
                    .filter(|name| stays(name))
                    .map(str::to_owned)
                    .collect(),
            )
        } else {
            self.always.clone()
        };
        Self { always, drift }
    }

    /// What is in here and was not before.
    fn news<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a FieldDrift> {
        self.drift.iter().filter(|drift| {
            !before
                .drift
                .iter()
                .any(|old| (&old.field, old.kind, &old.found) == (&drift.field, drift.kind, &drift.found))
        })
    }
}

impl FieldDrift {
    fn message(&self) -> String {
        match &self.found {
            Some(found) => format!(
                "schema drift: {} is declared as {}, and records have {found} there",
                self.field, self.expected
            ),
            None => format!(
                "schema drift: {} was in all records, and is in none now",
                self.field
            ),
        }
    }
}

/// Judges what a stream that was read to its end showed, and keeps it where it is new. Costs a transaction only then.
pub(super) async fn judge(
    applier: &Applier<'_>,
    declared: &Declared,
    before: &Watch,
) -> Result<(), ApplyError> {
    let Applier {
        engine,
        claim,
        stream,
        stream_id,
        ..
    } = *applier;
    let now = engine.clock.now();
    let after = before.after(declared, &applier.observed, now);
    if after == *before {
        return Ok(());
    }
    let news: Vec<&FieldDrift> = after.news(before).collect();
    let (transaction, _) = begin(engine, claim).await?;
    stream_state::watch(&transaction, stream_id, &stored_json::write(&after)?, now).await?;
    let lines = news.iter().map(|drift| {
        tracing::warn!(stream, field = drift.field, "{}", drift.message());
        LogLine::new(
            LogLevel::Warn,
            stored_json::storable_text(drift.message()),
            stored_json::storable(json!({
                "stream": stream, "field": drift.field, "expected": drift.expected, "found": drift.found,
            })),
        )
    });
    run_log::append(&transaction, claim.id(), lines, now).await?;
    if !news.is_empty() {
        let run = claim.row();
        let draft = EventDraft::about(
            "integration.schema_drifted",
            claim.integration_id(),
            Some(run.client_id),
        )
        .with(stored_json::storable(
            json!({ "stream": stream, "run": claim.id().to_string(), "fields": news }),
        ))
        .correlated(run.correlation_id.clone());
        events::append(&transaction, engine, draft).await?;
    }
    transaction.commit().await?;
    engine.notify(topics::RUNS, &claim.id().to_string()).await;
    engine.notify(topics::EVENTS, "").await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use connectors::record::Record;

    use super::*;

    fn declared() -> Declared {
        Declared::of(&json!({"properties": {
            "id": {"type": "integer"}, "price": {"type": "number"}, "note": {"type": "string"}, "never": {}}}))
    }

    fn seen(records: usize, record: &Value) -> Observed {
        let records: Vec<Record> = (0..records).map(|_| Record::from_value(record)).collect();
        Observed::page(&declared(), &records)
    }

    fn told(watch: &Watch) -> Vec<(&str, DriftKind)> {
        watch
            .drift
            .iter()
            .map(|drift| (drift.field.as_str(), drift.kind))
            .collect()
    }

    #[test]
    fn a_field_that_was_always_there_and_one_of_another_type_are_told_until_they_are_back() {
        let now = DateTime::UNIX_EPOCH;
        let good = json!({"id": 1, "price": 2.5, "note": null});
        let first = Watch::default().after(&declared(), &seen(6, &good), now);
        assert!(first.drift.is_empty());
        assert_eq!(
            first,
            first.after(&declared(), &seen(6, &good), now),
            "a steady upstream costs nothing"
        );
        let bad = json!({"id": "1", "note": "n"});
        let second = first.after(&declared(), &seen(6, &bad), now);
        assert_eq!(
            told(&second),
            [
                ("id", DriftKind::TypeChanged),
                ("price", DriftKind::FieldVanished)
            ]
        );
        assert_eq!(second.news(&first).count(), 2);
        let third = second.after(&declared(), &seen(1, &bad), now + chrono::TimeDelta::days(1));
        assert_eq!(third, second, "it is the same drift, since then");
        let mended = third.after(&declared(), &seen(1, &good), now);
        assert!(mended.drift.is_empty());
    }

    #[test]
    fn few_records_and_none_at_all_say_nothing_of_what_is_gone() {
        let now = DateTime::UNIX_EPOCH;
        let first = Watch::default().after(&declared(), &seen(6, &json!({"id": 1, "price": 1})), now);
        assert!(
            first
                .after(&declared(), &seen(4, &json!({"id": 1})), now)
                .drift
                .is_empty()
        );
        assert_eq!(first.after(&declared(), &Observed::default(), now), first);
        let scarce = Watch::default().after(&declared(), &seen(4, &json!({"id": 1, "price": 1})), now);
        assert!(
            scarce
                .after(&declared(), &seen(6, &json!({"id": 1})), now)
                .drift
                .is_empty()
        );
    }
}
