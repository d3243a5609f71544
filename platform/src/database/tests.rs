//! The database on real files.

use std::time::Duration;

use futures::StreamExt;
use sea_orm::{ConnAcquireErr, ConnectionTrait, DbErr, Statement, StreamTrait};
use tempfile::TempDir;

use super::*;
use crate::settings::{DatabaseSettings, DatabaseUrl};

async fn open() -> (TempDir, Database) {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = DatabaseSettings::sqlite(directory.path().join("made/on demand?.db"));
    settings.acquire_timeout = Duration::from_secs(30);
    let database = Database::connect(&settings).await.unwrap();
    let schema = "CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL);
                  CREATE TABLE child (counter INTEGER NOT NULL REFERENCES counter (id));
                  INSERT INTO counter VALUES (1, 0)";
    database.for_migration().execute_unprepared(schema).await.unwrap();
    (directory, database)
}

async fn number(connection: &impl ConnectionTrait, sql: &str) -> i64 {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    connection
        .query_one_raw(statement)
        .await
        .unwrap()
        .unwrap()
        .try_get_by_index(0)
        .unwrap()
}

async fn counter(connection: &impl ConnectionTrait) -> i64 {
    number(connection, "SELECT value FROM counter WHERE id = 1").await
}

async fn set(transaction: &WriteTransaction, value: i64) {
    let sql = format!("UPDATE counter SET value = {value} WHERE id = 1");
    transaction.execute_unprepared(&sql).await.unwrap();
}

#[tokio::test]
async fn a_file_is_made_with_its_directories_and_opened_as_we_need_it() {
    let (directory, database) = open().await;
    assert!(directory.path().join("made/on demand?.db").is_file());
    assert_eq!(database.backend(), Backend::Sqlite);
    database.ping().await.unwrap();
    let statement = Statement::from_string(sea_orm::DbBackend::Sqlite, "PRAGMA journal_mode");
    let row = database.reader().query_one_raw(statement).await.unwrap().unwrap();
    assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "wal");
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_place_that_cannot_be_is_said_in_words() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Database::connect(&DatabaseSettings::sqlite(file.path().join("below/a/file.db")))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("cannot make the directory"), "{error}");

    let url = DatabaseUrl::parse("postgres://me:hunter2@127.0.0.1:1/none").unwrap();
    let mut settings = DatabaseSettings::new(url);
    settings.acquire_timeout = Duration::from_secs(2);
    let error = Database::connect(&settings).await.unwrap_err().to_string();
    assert!(
        error.contains("127.0.0.1:1") && error.contains("DATABASE_URL"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let (_directory, database) = open().await;
    for _ in 0..8 {
        let error = database
            .reader()
            .execute_unprepared("UPDATE counter SET value = 7")
            .await
            .unwrap_err();
        assert!(error.to_string().contains("readonly"), "{error}");
    }
    assert_eq!(counter(database.reader()).await, 0);
}

#[tokio::test]
async fn a_reader_streams() {
    let (_directory, database) = open().await;
    let sql =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n";
    let statement = Statement::from_string(sea_orm::DbBackend::Sqlite, sql);
    let rows = database.reader().stream_raw(statement).await.unwrap();
    let sum = rows
        .fold(0, async |sum, row| {
            sum + row.unwrap().try_get_by_index::<i64>(0).unwrap()
        })
        .await;
    assert_eq!(sum, 500_500);
}

#[tokio::test]
async fn foreign_keys_hold() {
    let (_directory, database) = open().await;
    let transaction = database.begin(Durability::Accepted).await.unwrap();
    let error = transaction
        .execute_unprepared("INSERT INTO child VALUES (99)")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("FOREIGN KEY"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn none_of_800_that_read_and_then_write_at_once_is_lost() {
    let (_directory, database) = open().await;
    let tasks = (0..16).map(|task| {
        let database = database.clone();
        tokio::spawn(async move {
            for round in 0..50 {
                let durability = if (task + round) % 2 == 0 {
                    Durability::Page
                } else {
                    Durability::Accepted
                };
                let transaction = database.begin(durability).await.unwrap();
                let before = counter(&transaction).await;
                tokio::task::yield_now().await;
                set(&transaction, before + 1).await;
                transaction.commit().await.unwrap();
            }
        })
    });
    for task in futures::future::join_all(tasks).await {
        task.unwrap();
    }
    assert_eq!(counter(database.reader()).await, 800);
}

#[tokio::test]
async fn each_durability_is_what_it_says() {
    let (_directory, database) = open().await;
    for (durability, synchronous) in [
        (Durability::Accepted, 2),
        (Durability::Page, 1),
        (Durability::Page, 1),
        (Durability::Accepted, 2),
    ] {
        let transaction = database.begin(durability).await.unwrap();
        assert_eq!(number(&transaction, "PRAGMA synchronous").await, synchronous);
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn pages_are_brought_home_before_the_log_is_long() {
    const BLOB: u64 = 1 << 20;
    let (directory, database) = open().await;
    let size = || {
        std::fs::metadata(directory.path().join("made/on demand?.db"))
            .unwrap()
            .len()
    };
    let transaction = database.begin(Durability::Page).await.unwrap();
    let sql = format!("CREATE TABLE page AS SELECT zeroblob({BLOB}) AS content");
    transaction.execute_unprepared(&sql).await.unwrap();
    transaction.commit().await.unwrap();
    // A sixteenth of the log that makes the writer do it.
    let clock = crate::clock::SystemClock::shared();
    for _ in 0..2_000 {
        if size() >= BLOB {
            return;
        }
        clock.sleep(Duration::from_millis(5)).await;
    }
    panic!("the file has {} bytes", size());
}

#[tokio::test]
async fn what_is_dropped_or_rolled_back_was_never_written() {
    let (_directory, database) = open().await;
    let transaction = database.begin(Durability::Accepted).await.unwrap();
    set(&transaction, 1).await;
    drop(transaction);
    let transaction = database.begin(Durability::Accepted).await.unwrap();
    assert_eq!(counter(&transaction).await, 0);
    set(&transaction, 2).await;
    transaction.rollback().await.unwrap();
    let transaction = database.begin(Durability::Page).await.unwrap();
    assert_eq!(counter(&transaction).await, 0);
    set(&transaction, 3).await;
    assert_eq!(
        counter(database.reader()).await,
        0,
        "nobody sees what is not committed"
    );
    transaction.commit().await.unwrap();
    assert_eq!(counter(database.reader()).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_cancelled_anywhere_leaves_nothing_behind_and_blocks_nobody() {
    let (_directory, database) = open().await;
    // Slow enough to be cut in the middle, and it writes first.
    let slow = "UPDATE counter SET value = 1000 + (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
                WHERE i < 20000) SELECT count(*) FROM n) WHERE id = 1";
    let mut committed = 0;
    for round in 0..60_u64 {
        let work = async {
            let transaction = database.begin(Durability::Page).await.unwrap();
            set(&transaction, -1).await;
            transaction.execute_unprepared(slow).await.unwrap();
            set(&transaction, committed + 1).await;
            transaction.commit().await.unwrap();
        };
        let finished = tokio::time::timeout(Duration::from_micros(round * 150), work)
            .await
            .is_ok();
        let transaction = database.begin(Durability::Accepted).await.unwrap();
        let now = counter(&transaction).await;
        // A commit that was cut may have been done, whole.
        assert!(
            now == committed + 1 || (now == committed && !finished),
            "{now} after {committed}"
        );
        committed = now;
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn the_turn_comes_in_order_and_is_not_waited_for_for_ever() {
    let (directory, database) = open().await;
    let first = database.begin(Durability::Accepted).await.unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    for number in 0..5 {
        let (database, order) = (database.clone(), Arc::clone(&order));
        waiting.push(tokio::spawn(async move {
            let transaction = database.begin(Durability::Page).await.unwrap();
            order.lock().unwrap().push(number);
            transaction.commit().await.unwrap();
        }));
        tokio::task::yield_now().await;
    }
    first.commit().await.unwrap();
    futures::future::join_all(waiting).await;
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);

    let mut settings = DatabaseSettings::sqlite(directory.path().join("other.db"));
    settings.acquire_timeout = Duration::from_millis(50);
    let impatient = Database::connect(&settings).await.unwrap();
    let held = impatient.begin(Durability::Accepted).await.unwrap();
    let error = impatient.begin(Durability::Accepted).await.unwrap_err();
    assert!(
        matches!(error, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
        "{error}"
    );
    drop(held);
    impatient
        .begin(Durability::Accepted)
        .await
        .unwrap()
        .commit()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_page_of_10_000_rows_is_one_statement() {
    let (_directory, database) = open().await;
    let values: Vec<sea_orm::Value> = (2..10_002_i64)
        .flat_map(|id| [id.into(), (id * 2).into()])
        .collect();
    let rows = vec!["(?, ?)"; 10_000].join(", ");
    let sql = format!("INSERT INTO counter (id, value) VALUES {rows}");
    let transaction = database.begin(Durability::Page).await.unwrap();
    let insert = Statement::from_sql_and_values(sea_orm::DbBackend::Sqlite, sql, values);
    assert_eq!(
        transaction.execute_raw(insert).await.unwrap().rows_affected(),
        10_000
    );
    transaction.commit().await.unwrap();
    assert_eq!(
        number(database.reader(), "SELECT count(*) FROM counter").await,
        10_001
    );
}
