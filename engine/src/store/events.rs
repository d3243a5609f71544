//! The outbox: events, written in the transaction that makes them true.

use entity::Timestamp;
use entity::ids::{ClientId, EventId};
use entity::outbox_event::{Column, Entity, Model};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Select,
};

use super::keyset;
use super::statement::Sql;
use super::stored_json::storable;
use crate::access::Scope;
use crate::events::{EventDraft, EventFilter};
use crate::page::{OrderDirection, Window};
use crate::{Engine, correlation};

/// Only one relay at a time gives sequences; the number is ours alone among PostgreSQL's advisory locks.
const RELAY_LOCK: &str = "SELECT pg_advisory_xact_lock(7305804402566329)";

/// Writes an event. It has no sequence yet: the relay gives one.
pub(crate) async fn append(
    connection: &impl ConnectionTrait,
    engine: &Engine,
    draft: EventDraft,
) -> Result<(), DbErr> {
    Entity::insert(drawn(engine, draft).into_active_model())
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}

/// Writes many clients' events in one statement.
pub(crate) async fn append_all(
    connection: &impl ConnectionTrait,
    engine: &Engine,
    drafts: Vec<(ClientId, EventDraft)>,
) -> Result<(), DbErr> {
    if drafts.is_empty() {
        return Ok(());
    }
    let rows = drafts.into_iter().map(|(client, draft)| {
        let event = drawn(engine, draft);
        [
            event.id.into(),
            event.event_type.into(),
            event.subject.into(),
            client.into(),
            event.correlation_id.into(),
            event.at.into(),
            event.data.to_string().into(),
        ]
    });
    let columns = [
        ("id", "uuid"),
        ("type", "text"),
        ("subject", "text"),
        ("client_id", "uuid"),
        ("correlation_id", "text"),
        ("at", "bigint"),
        ("data", "text"),
    ];
    let statement = Sql::new(connection.get_database_backend())
        .text("INSERT INTO outbox_event (id, type, subject, client_id, correlation_id, at, data) SELECT row.id, row.type, ")
        .text("row.subject, row.client_id, row.correlation_id, row.at, ")
        .either("row.data", "CAST(row.data AS jsonb)")
        .text(" FROM ")
        .rows(columns, rows)
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

fn drawn(engine: &Engine, draft: EventDraft) -> Model {
    Model {
        id: EventId::new(engine.new_uuid()),
        sequence: None,
        event_type: draft.event_type.to_owned(),
        subject: draft.subject,
        client_id: draft.client_id,
        correlation_id: draft
            .correlation_id
            .unwrap_or_else(|| correlation::current(&*engine.random)),
        at: engine.timestamp(),
        data: storable(draft.data),
    }
}

/// Gives a sequence to at most `limit` events that have none, in the order of their ids; gives how many.
///
/// An event's id is made before its transaction commits, so ids do not tell in which order events became
/// visible, and neither would a database's sequence. Only here, where one transaction at a time looks at what
/// has committed, does a number mean "whoever has read up to it has missed nothing".
pub(crate) async fn assign_sequences(connection: &impl ConnectionTrait, limit: u64) -> Result<u64, DbErr> {
    if connection.get_database_backend() == DbBackend::Postgres {
        connection.execute_unprepared(RELAY_LOCK).await?;
    }
    let statement = Sql::new(connection.get_database_backend())
        .text(
            "UPDATE outbox_event SET sequence = numbered.sequence FROM (\
                 SELECT waiting.id AS id, last.sequence + ROW_NUMBER() OVER (ORDER BY waiting.id) AS sequence \
                 FROM (SELECT id FROM outbox_event WHERE sequence IS NULL ORDER BY id LIMIT ",
        )
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .text(
            ") AS waiting CROSS JOIN (SELECT COALESCE(MAX(sequence), 0) AS sequence FROM outbox_event) AS last\
             ) AS numbered WHERE outbox_event.id = numbered.id",
        )
        .build();
    connection
        .execute_raw(statement)
        .await
        .map(|done| done.rows_affected())
}

/// Whether events wait for a sequence.
pub(crate) async fn any_waiting(connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let waiting = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Sequence.is_null())
        // By the index of those that wait: without an order PostgreSQL may go through the whole table, in which
        // it believes nearly all to wait when it looked last in a rush.
        .order_by_asc(Column::Id)
        .limit(1)
        .into_tuple::<EventId>()
        .one(connection)
        .await?;
    Ok(waiting.is_some())
}

fn within(scope: Scope) -> Select<Entity> {
    match scope {
        Scope::All => Entity::find(),
        Scope::Client(client) => Entity::find().filter(Column::ClientId.eq(client)),
    }
}

/// These events, as far as they are in scope.
pub(crate) async fn by_ids(
    connection: &impl ConnectionTrait,
    scope: Scope,
    ids: &[EventId],
) -> Result<Vec<Model>, DbErr> {
    within(scope)
        .filter(super::among(
            connection.get_database_backend(),
            Column::Id,
            ids.iter().copied(),
        ))
        .all(connection)
        .await
}

fn matching(scope: Scope, filter: &EventFilter) -> Select<Entity> {
    let mut query = within(scope).filter(Column::Sequence.is_not_null());
    if let Some(client) = filter.client_id {
        query = query.filter(Column::ClientId.eq(client));
    }
    if !filter.types.is_empty() {
        query = query.filter(Column::EventType.is_in(&filter.types));
    }
    if let Some(subject) = &filter.subject {
        query = query.filter(Column::Subject.eq(subject));
    }
    if let Some(after) = filter.after {
        query = query.filter(Column::At.gt(Timestamp::from(after)));
    }
    if let Some(before) = filter.before {
        query = query.filter(Column::At.lt(Timestamp::from(before)));
    }
    query
}

/// A page of the events that match and have a sequence, the last first.
pub(crate) async fn page(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &EventFilter,
    window: &Window<i64>,
) -> Result<Vec<Model>, DbErr> {
    let columns = [Column::Sequence.into_expr()];
    keyset::window(
        matching(scope, filter),
        &columns,
        OrderDirection::Desc,
        window,
        |sequence| vec![(*sequence).into()],
    )
    .all(connection)
    .await
}

/// How many match.
pub(crate) async fn count(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &EventFilter,
) -> Result<u64, DbErr> {
    matching(scope, filter).count(connection).await
}

/// The events after this sequence, in order; of these types only, where any are given.
pub(crate) async fn after(
    connection: &impl ConnectionTrait,
    scope: Scope,
    sequence: i64,
    types: &[String],
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = within(scope).filter(Column::Sequence.gt(sequence));
    if !types.is_empty() {
        query = query.filter(Column::EventType.is_in(types));
    }
    query
        .order_by_asc(Column::Sequence)
        .limit(limit)
        .all(connection)
        .await
}

/// The last sequence given.
pub(crate) async fn last_sequence(connection: &impl ConnectionTrait) -> Result<i64, DbErr> {
    Entity::find()
        .select_only()
        .column_as(Column::Sequence.max(), "last")
        .into_tuple::<Option<i64>>()
        .one(connection)
        .await
        .map(|last| last.flatten().unwrap_or(0))
}
