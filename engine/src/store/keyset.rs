//! The one place that turns a page request into a condition, an order and a limit.

use sea_orm::sea_query::{Expr, ExprTrait, Order};
use sea_orm::{EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, Value};
use serde::Serialize;

use crate::page::{OrderDirection, Window};

/// The rows of a window, in the direction in which [`Window::page`] expects them.
///
/// `columns` are the order, the last of them unique; `values` are a key's values for them. Row values
/// (`(a, b) > (x, y)`) are compared, which both databases answer from an index.
pub(crate) fn window<E: EntityTrait, K: Serialize>(
    query: Select<E>,
    columns: &[Expr],
    direction: OrderDirection,
    window: &Window<K>,
    values: impl Fn(&K) -> Vec<Value>,
) -> Select<E> {
    let ascending = direction == OrderDirection::Asc;
    let beyond = |key: &K, upwards: bool| {
        let (row, limit) = (
            row_of(columns.to_vec()),
            row_of(values(key).into_iter().map(Expr::val).collect()),
        );
        if upwards { row.gt(limit) } else { row.lt(limit) }
    };
    let mut query = query;
    if let Some(after) = &window.after {
        query = query.filter(beyond(after, ascending));
    }
    if let Some(before) = &window.before {
        query = query.filter(beyond(before, !ascending));
    }
    let order = if ascending == window.backward {
        Order::Desc
    } else {
        Order::Asc
    };
    for column in columns {
        query = query.order_by(column.clone(), order.clone());
    }
    query.limit(window.limit())
}

fn row_of(mut parts: Vec<Expr>) -> Expr {
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        Expr::tuple(parts)
    }
}
