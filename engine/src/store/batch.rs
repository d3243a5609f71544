//! Many lists of one kind, in one statement.
//!
//! A page of clients, each with its newest runs, asks for twenty lists at once. One query a list would cost a
//! round trip each; one `ROW_NUMBER() OVER (PARTITION BY …)` over all of them reads every run that the clients
//! ever had, to show five of each. So the lists stay what they are, each with its filter, order and limit, and
//! are joined by `UNION ALL`: one statement, in which each list is answered from its own range of the index.
//! (`LATERAL` says the same with less text, but SQLite has none.)
//!
//! The order within a list is its own subquery's: both databases append such branches as they come.

use sea_orm::sea_query::{Asterisk, Expr, Func, Query, SelectStatement, UnionType};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryResult, QueryTrait, Select};

/// The most lists in one statement: a page's worth. SQLite joins at most 500.
const TOGETHER: usize = crate::page::MAX_PAGE as usize;

const LIST: &str = "list";
const COUNT: &str = "count";

/// The rows of each of these lists.
pub(crate) async fn rows<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    mut lists: Vec<Select<E>>,
) -> Result<Vec<Vec<E::Model>>, DbErr> {
    if lists.len() == 1 {
        return Ok(vec![lists.remove(0).all(connection).await?]);
    }
    let mut found = Vec::with_capacity(lists.len());
    found.resize_with(lists.len(), Vec::new);
    let whole = |branch: &mut SelectStatement| {
        branch.column(Asterisk);
    };
    for (list, row) in together(connection, lists, whole).await? {
        found[list].push(E::Model::from_query_result(&row, "")?);
    }
    Ok(found)
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
