//! Many lists of one kind, in one statement.
//!
//! A page of clients, each with its newest runs, asks for twenty lists at once. One query a list would cost a
//! round trip each; one `ROW_NUMBER() OVER (PARTITION BY …)` over all of them reads every run that the clients
//! ever had, to show five of each. So the lists stay what they are, each with its filter, order and limit, and
//! are joined by `UNION ALL`: one statement, in which each list is answered from its own range of the index.
//! (`LATERAL` says the same with less text, but SQLite has none.)
//!
//! The order within a list is its own subquery's: both databases append such branches as they come.
//!
//! Most lists of a request differ in nothing but their parent. PostgreSQL then gets one list and an array of parents
//! ([`rows_of`]): planning twenty branches takes it ten times as long as reading them, and a statement whose text does not
//! say how many there are is planned once. There `LATERAL` is what keeps each list in its own range of the index.

use std::fmt::{self, Display, Write};

use sea_orm::sea_query::{
    Asterisk, Expr, Func, PostgresQueryBuilder, Query, QueryBuilder, SelectStatement, SqlWriter, UnionType,
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryResult, QueryTrait, Select, Value};

use super::placed::{self, Placed};
use super::statement::Sql;

/// The most lists in one statement: a page's worth. SQLite joins at most 500.
const TOGETHER: usize = crate::page::MAX_PAGE as usize;

const LIST: &str = "list";
const COUNT: &str = "count";

/// The rows of each of these lists.
pub(crate) async fn rows<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    mut lists: Vec<Select<E>>,
) -> Result<Vec<Vec<E::Model>>, DbErr>
where
    E::Model: Placed,
{
    if lists.len() == 1 {
        return Ok(vec![placed::all(connection, lists.remove(0)).await?]);
    }
    let mut found = Vec::with_capacity(lists.len());
    found.resize_with(lists.len(), Vec::new);
    let whole = |branch: &mut SelectStatement| {
        branch.column(Asterisk);
    };
    for (list, row) in together(connection, lists, whole).await? {
        found[list].push(E::Model::placed(&row, 1)?);
    }
    Ok(found)
}

/// The rows of the list of each of these parents, which differs from the others in its parent alone.
pub(crate) async fn rows_of<E: EntityTrait, P: Copy + PartialEq + Into<Value>>(
    connection: &impl ConnectionTrait,
    parents: &[P],
    list: impl Fn(P) -> Select<E>,
) -> Result<Vec<Vec<E::Model>>, DbErr>
where
    E::Model: Placed,
{
    let backend = connection.get_database_backend();
    let other = parents
        .first()
        .and_then(|first| parents.iter().find(|parent| *parent != first));
    let (DbBackend::Postgres, Some(first), Some(other)) = (backend, parents.first(), other) else {
        return rows(connection, parents.iter().map(|parent| list(*parent)).collect()).await;
    };
    // What two lists bind differently is their parent; what they bind alike, the scope above all, is everybody's.
    let (pieces, others) = (Pieces::of(&list(*first)), Pieces::of(&list(*other)));
    let array = parents.iter().map(|parent| (*parent).into()).collect();
    let kind = (*first).into().array_type();
    let mut sql = Sql::new(backend)
        .text("SELECT CAST(parent.number AS INTEGER) AS list, listed.* FROM UNNEST(")
        .bind(Value::Array(kind, Some(Box::new(array))))
        .text(") WITH ORDINALITY AS parent(id, number) CROSS JOIN LATERAL (");
    for (text, bound) in pieces.texts.iter().zip(pieces.values.iter().zip(&others.values)) {
        sql = sql.text(text);
        sql = match bound {
            (one, another) if one == another => sql.bind(one.clone()),
            _ => sql.text("parent.id"),
        };
    }
    let sql = sql
        .text(pieces.texts.last().map_or("", String::as_str))
        .text(") AS listed");
    let mut found = Vec::with_capacity(parents.len());
    found.resize_with(parents.len(), Vec::new);
    for row in connection.query_all_raw(sql.build()).await? {
        let number: i32 = row.try_get_by_index(0)?;
        found[number.unsigned_abs() as usize - 1].push(E::Model::placed(&row, 1)?);
    }
    Ok(found)
}

/// A statement, cut where something is bound.
struct Pieces {
    /// One more than there are values.
    texts: Vec<String>,
    values: Vec<Value>,
}

impl Pieces {
    fn of<E: EntityTrait>(list: &Select<E>) -> Self {
        let mut pieces = Self {
            texts: vec![String::with_capacity(1024)],
            values: Vec::new(),
        };
        list.as_query()
            .build_collect_into(PostgresQueryBuilder, &mut pieces);
        pieces
    }
}

impl Write for Pieces {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(last) = self.texts.last_mut() {
            last.push_str(text);
        }
        Ok(())
    }
}

/// Whole, with a question mark for each value: what the trait asks for, and nobody reads.
impl Display for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.texts.join("?"))
    }
}

impl SqlWriter for Pieces {
    fn push_param<T: QueryBuilder>(&mut self, value: Value, _: &T) {
        self.values.push(value);
        self.texts.push(String::new());
    }

    fn as_writer(&mut self) -> &mut dyn Write {
        self
    }
}

/// How many rows each of these lists has.
pub(crate) async fn counts<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    lists: Vec<Select<E>>,
) -> Result<Vec<u64>, DbErr> {
    let mut found = vec![0; lists.len()];
    let count = |branch: &mut SelectStatement| {
        branch.expr_as(Func::count(Expr::col(Asterisk)), COUNT);
    };
    for (list, row) in together(connection, lists, count).await? {
        found[list] = row.try_get::<i64>("", COUNT)?.unsigned_abs();
    }
    Ok(found)
}

/// What is selected of each list, with the number of the list that it is of.
async fn together<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    lists: Vec<Select<E>>,
    select: impl Fn(&mut SelectStatement),
) -> Result<Vec<(usize, QueryResult)>, DbErr> {
    let mut found = Vec::new();
    let mut lists = lists.into_iter();
    for first in (0..lists.len()).step_by(TOGETHER) {
        // Numbered from 0 in each statement, so that its text says only how many lists there are.
        let branches = lists.by_ref().take(TOGETHER).enumerate().map(|(number, list)| {
            let mut branch = Query::select();
            branch
                .expr_as(Expr::cust(number.to_string()), LIST)
                .from_subquery(list.into_query(), "listed");
            select(&mut branch);
            branch
        });
        let Some(statement) = branches.reduce(|mut all, branch| {
            all.union(UnionType::All, branch);
            all
        }) else {
            break;
        };
        for row in connection.query_all(&statement).await? {
            let list: i32 = row.try_get("", LIST)?;
            found.push((first + list.unsigned_abs() as usize, row));
        }
    }
    Ok(found)
}
