//! Figures of ended runs that are kept, so that an overview does not count a month of runs each time.
//!
//! What the runs' index could give grew with the runs of the window: 243 ms for thirty days of five million. Now there
//! are counts by the hour, and by the day for each client (by the hour, 10,000 clients with eight runs a day would have
//! as many counts as runs). A window's first hour or day, of which it has a part, is counted from the runs: a client's
//! have an index for that. (`m20261125_000801` thought counts worth it beyond ten million runs a month; 20 ms is what a
//! dashboard may take.)
//!
//! Who notices that a run has ended is a trigger, the only one there is. Runs end, and go, in a dozen statements, in
//! processes of this version and, during a rolling update, of the one before, and one of them that forgot would make the
//! figures wrong for ever. The trigger only appends (`sync_run_tally`), one small row a run; a task adds those to the counts
//! later, and a reader adds what waits there. So a settlement neither waits for a row that every scheduler wants nor holds
//! one while it commits, and the figures are exact at any moment.
//!
//! Rejected: adding to the counts where a run is settled, in groups with sorted keys. Every group of every scheduler then
//! takes the row of the present hour until its commit is on disk, and one that is paused there holds up all. Rolling up by
//! the runs' end times: those are the processes' clocks, and a transaction that commits late, or a clock that is behind,
//! writes into an hour that was counted already.
//!
//! Creating the triggers keeps runs from being written until this migration commits, so none ends uncounted: 13 s for five
//! million runs on a busy machine. Leases last 30 s.
//!
//! An overview also counts the integrations that fail, which looked at all of them. The few have an index.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

use crate::sql;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, TABLES).await?;
        let triggers = match manager.get_database_backend() {
            DatabaseBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        sql::run(manager, triggers).await?;
        sql::run(manager, WHAT_THERE_IS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let triggers = match manager.get_database_backend() {
            DatabaseBackend::Postgres => POSTGRES_DOWN,
            _ => SQLITE_DOWN,
        };
        sql::run(manager, triggers).await?;
        sql::run(manager, INDEXES_DOWN).await?;
        let tables = ["sync_run_tally", "sync_run_client_day", "sync_run_hour"];
        sql::drop_tables(manager, &tables).await
    }
}

const TABLES: &str = "
CREATE TABLE sync_run_hour (
    hour bigint NOT NULL,
    status text NOT NULL,
    runs bigint NOT NULL,
    PRIMARY KEY (hour, status)
) {without_row_id};

CREATE TABLE sync_run_client_day (
    client_id {uuid} NOT NULL REFERENCES client (id),
    day bigint NOT NULL,
    status text NOT NULL,
    runs bigint NOT NULL,
    PRIMARY KEY (client_id, day, status)
) {without_row_id};

CREATE TABLE sync_run_tally (
    id {row},
    client_id {uuid} NOT NULL,
    finished_at bigint NOT NULL,
    status text NOT NULL,
    runs bigint NOT NULL
);
";

const POSTGRES: &str = "
CREATE FUNCTION sync_run_tally() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP <> 'INSERT' AND OLD.finished_at IS NOT NULL THEN
        INSERT INTO sync_run_tally (client_id, finished_at, status, runs) VALUES (OLD.client_id, OLD.finished_at, OLD.status, -1);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.finished_at IS NOT NULL THEN
        INSERT INTO sync_run_tally (client_id, finished_at, status, runs) VALUES (NEW.client_id, NEW.finished_at, NEW.status, 1);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER sync_run_made AFTER INSERT ON sync_run FOR EACH ROW
    WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION sync_run_tally();
CREATE TRIGGER sync_run_ended AFTER UPDATE OF finished_at, status ON sync_run FOR EACH ROW
    WHEN (OLD.finished_at IS DISTINCT FROM NEW.finished_at OR (NEW.finished_at IS NOT NULL AND OLD.status <> NEW.status))
    EXECUTE FUNCTION sync_run_tally();
CREATE TRIGGER sync_run_gone AFTER DELETE ON sync_run FOR EACH ROW
    WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION sync_run_tally();
ALTER TABLE sync_run_tally SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
";

const POSTGRES_DOWN: &str = "
DROP TRIGGER sync_run_gone ON sync_run;
DROP TRIGGER sync_run_ended ON sync_run;
DROP TRIGGER sync_run_made ON sync_run;
DROP FUNCTION sync_run_tally();
";

const SQLITE: &str = "
CREATE TRIGGER sync_run_made AFTER INSERT ON sync_run WHEN NEW.finished_at IS NOT NULL BEGIN
    INSERT INTO sync_run_tally (client_id, finished_at, status, runs) VALUES (NEW.client_id, NEW.finished_at, NEW.status, 1);
END;
CREATE TRIGGER sync_run_ended AFTER UPDATE OF finished_at, status ON sync_run
    WHEN OLD.finished_at IS NOT NEW.finished_at OR (NEW.finished_at IS NOT NULL AND OLD.status <> NEW.status) BEGIN
    INSERT INTO sync_run_tally (client_id, finished_at, status, runs)
        SELECT OLD.client_id, OLD.finished_at, OLD.status, -1 WHERE OLD.finished_at IS NOT NULL;
    INSERT INTO sync_run_tally (client_id, finished_at, status, runs)
        SELECT NEW.client_id, NEW.finished_at, NEW.status, 1 WHERE NEW.finished_at IS NOT NULL;
END;
CREATE TRIGGER sync_run_gone AFTER DELETE ON sync_run WHEN OLD.finished_at IS NOT NULL BEGIN
    INSERT INTO sync_run_tally (client_id, finished_at, status, runs) VALUES (OLD.client_id, OLD.finished_at, OLD.status, -1);
END;
";

const SQLITE_DOWN: &str = "
DROP TRIGGER sync_run_gone;
DROP TRIGGER sync_run_ended;
DROP TRIGGER sync_run_made;
";

const INDEXES_DOWN: &str = "
DROP INDEX integration_failing;
DROP INDEX sync_run_client_finished;
";

const WHAT_THERE_IS: &str = "
CREATE INDEX integration_failing ON integration (client_id, id)
    WHERE deleted_at IS NULL AND (paused_for_credential OR consecutive_failures >= 3);
CREATE INDEX sync_run_client_finished ON sync_run (client_id, finished_at, status) WHERE finished_at IS NOT NULL;
INSERT INTO sync_run_hour (hour, status, runs)
    SELECT finished_at - finished_at % 3600000000, status, COUNT(*) FROM sync_run WHERE finished_at IS NOT NULL GROUP BY 1, 2;
INSERT INTO sync_run_client_day (client_id, day, status, runs)
    SELECT client_id, finished_at - finished_at % 86400000000, status, COUNT(*) FROM sync_run WHERE finished_at IS NOT NULL
    GROUP BY 1, 2, 3;
";
