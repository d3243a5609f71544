//! The migrations, one a file, in order.
//!
//! They are written as SQL, once for both databases, with a word in braces wherever the two name a type
//! differently (see [`sql`]). SeaORM's table builder was the alternative: it has no word for a partial index,
//! for a table without row ids or for a collation, which are what half of these tables stand on, and a
//! migration that is part builder and part SQL is read twice.
//!
//! A migration states what a table was on the day it was written. It imports no entity, and once released it
//! never changes: what must change is another migration.

mod m20261121_000001_clients;
mod m20261121_000002_integrations;
mod m20261121_000003_sync_runs;
mod m20261121_000004_records;
mod m20261121_000005_letters_logs_events;
mod m20261125_000001_idempotency_answers;
mod m20261125_000002_fair_claims;
mod m20261125_000003_run_keys;
mod m20261125_000004_record_changes;
mod m20261125_000201_api_keys;
mod m20261125_000301_schema_drift;
mod m20261125_000401_validators;
mod m20261125_000801_run_figures;
mod m20261125_000901_erasures;
mod m20261125_001001_kept_figures;
mod sql;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{MigrationTrait, async_trait};

/// All migrations, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_clients::Migration),
            Box::new(m20261121_000002_integrations::Migration),
            Box::new(m20261121_000003_sync_runs::Migration),
            Box::new(m20261121_000004_records::Migration),
            Box::new(m20261121_000005_letters_logs_events::Migration),
            Box::new(m20261125_000001_idempotency_answers::Migration),
            Box::new(m20261125_000002_fair_claims::Migration),
            Box::new(m20261125_000003_run_keys::Migration),
            Box::new(m20261125_000004_record_changes::Migration),
            Box::new(m20261125_000201_api_keys::Migration),
            Box::new(m20261125_000301_schema_drift::Migration),
            Box::new(m20261125_000401_validators::Migration),
            Box::new(m20261125_000801_run_figures::Migration),
            Box::new(m20261125_000901_erasures::Migration),
            Box::new(m20261125_001001_kept_figures::Migration),
        ]
    }
}
