//! Rows read by the places of their columns.
//!
//! SeaORM reads a row by names: it writes a text for every column of every row to look it up by, and another for every
//! NULL, which says for an error that nobody sees that there was one. In a page of fifty runs that was half of all
//! allocations of the answer. A `SELECT` of an entity names its columns in the order of the model's fields, so their
//! places are known; a test holds the two orders together.

use entity::{client, integration, record, run_log, skipped_tick, sync_run};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryResult, QueryTrait, Select};

/// A model whose columns stand in a row as its fields are declared.
pub(crate) trait Placed: Sized {
    /// The model in this row whose first column is at this place.
    fn placed(row: &QueryResult, first: usize) -> Result<Self, DbErr>;
}

/// The models that these rows are.
pub(crate) async fn all<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    query: Select<E>,
) -> Result<Vec<E::Model>, DbErr>
where
    E::Model: Placed,
{
    let rows = connection.query_all(&query.into_query()).await?;
    rows.iter().map(|row| E::Model::placed(row, 0)).collect()
}

/// The model that this row is, where there is one.
pub(crate) async fn one<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    query: Select<E>,
) -> Result<Option<E::Model>, DbErr>
where
    E::Model: Placed,
{
    let row = connection.query_one(&query.into_query()).await?;
    row.map(|row| E::Model::placed(&row, 0)).transpose()
}

macro_rules! placed {
    ($($table:ident: $($field:ident)+;)+) => {
        $(impl Placed for $table::Model {
            fn placed(row: &QueryResult, first: usize) -> Result<Self, DbErr> {
                let mut places = first..;
                let mut place = || places.next().unwrap_or(usize::MAX);
                Ok(Self { $($field: row.try_get_by_index(place())?,)+ })
            }
        })+

        #[cfg(test)]
        const FIELDS: &[(&str, &[&str])] = &[$((stringify!($table), &[$(stringify!($field)),+])),+];
        #[cfg(test)]
        fn columns() -> Vec<Vec<String>> {
            use sea_orm::{IdenStatic, Iterable};
            vec![$($table::Column::iter().map(|column| column.as_str().to_owned()).collect()),+]
        }
    };
}

placed! {
    client: id slug name metadata status created_at updated_at;
    integration: id client_id connector_id name config secrets streams paused_manually paused_for_credential paused_for_failure
        retry requests_per_minute consecutive_failures last_run_status change_counter deleted_at created_at updated_at;
    record: id stream_id key data hash change_number change first_seen_at changed_at deleted_at;
    run_log: id run_id at level message fields;
    skipped_tick: schedule_id due_at reason;
    sync_run: id client_id integration_id trigger mode status streams idempotency_key input_hash correlation_id attempt
        max_attempts fence lease_owner lease_until not_before wait_reason cancel_requested schedule_id scheduled_for
        queued_at started_at finished_at requests pages records_read records_added records_updated records_unchanged
        records_deleted records_failed bytes_read error held_deletions deletions_approved updated_at;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_s_columns_stand_as_they_are_read() {
        for ((table, fields), columns) in FIELDS.iter().zip(columns()) {
            assert_eq!(*fields, columns, "{table}");
        }
    }
}
