//! What there is to know of a relation before its first page: the columns with their types, and the key.

use std::collections::HashMap;

use super::connection::Connection;
use super::error::Failed;
use super::sql::{self, Column, Relation};

/// What the manifest says of the key and the cursor.
pub(super) struct Wanted<'a> {
    pub(super) key_columns: &'a [String],
    pub(super) primary_key: &'a [String],
    pub(super) cursor_column: Option<&'a str>,
}

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) columns: Vec<Column>,
    /// The columns that pages are told apart by, in their order: the cursor, where there is one, then the key.
    pub(super) order: Vec<Column>,
    /// Where the key's columns stand in the order.
    pub(super) key_places: Vec<usize>,
    pub(super) cursor_is_nullable: bool,
    /// What a person should know.
    pub(super) notes: Vec<String>,
}

impl Described {
    /// The order's columns, for people.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.order.iter().map(|column| &*column.name).collect();
        names.join(", ")
    }
}

pub(super) async fn describe(
    connection: &mut Connection,
    relation: &Relation,
    wanted: &Wanted<'_>,
) -> Result<Described, Failed> {
    let statement = connection.prepare(&sql::columns(relation)).await?;
    let columns: Vec<Column> = statement
        .columns()
        .iter()
        .map(|column| Column {
            name: column.name().to_owned(),
            type_schema: column.type_().schema().to_owned(),
            type_name: column.type_().name().to_owned(),
        })
        .collect();
    let catalog = match relation {
        Relation::Table { schema, table } => Catalog::read(connection, schema, table).await?,
        Relation::Query(_) => Catalog::default(),
    };
    let key = [wanted.key_columns, &catalog.primary_key, wanted.primary_key]
        .into_iter()
        .find(|key| !key.is_empty())
        .ok_or_else(|| {
            Failed::config(
                "The relation has no primary key, and without one its pages cannot be told apart: name columns that \
                 identify a row in key_columns.",
            )
        })?;
    let find = |name: &str| {
        columns
            .iter()
            .find(|column| column.name == name)
            .cloned()
            .ok_or_else(|| {
                let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
                Failed::config(format!(
                    "There is no column named {name:?}; there are {}.",
                    names.join(", ")
                ))
            })
    };
    let mut order: Vec<Column> = Vec::new();
    let mut key_places = Vec::new();
    if let Some(cursor) = wanted.cursor_column {
        order.push(find(cursor)?);
    }
    for name in key {
        // A cursor that belongs to the key stands in the order once.
        let place = order.iter().position(|column| column.name == *name);
        key_places.push(place.unwrap_or(order.len()));
        if place.is_none() {
            order.push(find(name)?);
        }
    }

    let mut notes = Vec::new();
    let mut cursor_is_nullable = false;
    for column in &order {
        if catalog.not_null.get(&column.name).copied().unwrap_or(false) {
            continue;
        }
        if !connection.ask(&sql::has_null(relation, &column.name)).await? {
            continue;
        }
        if wanted.cursor_column == Some(&*column.name) {
            cursor_is_nullable = true;
            notes.push(format!(
                "Rows without a value in the cursor column {:?} are not read.",
                column.name
            ));
        } else {
            return Err(Failed::config(format!(
                "There are rows without a value in the key column {:?}; a key must not be NULL.",
                column.name
            )));
        }
    }
    Ok(Described {
        columns,
        order,
        key_places,
        cursor_is_nullable,
        notes,
    })
}

/// What the catalog knows of a table.
#[derive(Debug, Default)]
struct Catalog {
    /// In the key's order.
    primary_key: Vec<String>,
    not_null: HashMap<String, bool>,
}

const ATTRIBUTES: &str = "\
    SELECT a.attname::pg_catalog.text, a.attnotnull, \
           pg_catalog.array_position(i.indkey::pg_catalog.int2[], a.attnum) \
    FROM pg_catalog.pg_attribute a \
    LEFT JOIN pg_catalog.pg_index i ON i.indrelid = a.attrelid AND i.indisprimary \
    WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped";

impl Catalog {
    async fn read(connection: &mut Connection, schema: &str, table: &str) -> Result<Self, Failed> {
        let name = format!("{}.{}", sql::identifier(schema), sql::identifier(table));
        let rows = connection.query(ATTRIBUTES, &[&name]).await?;
        let mut catalog = Self::default();
        let mut key = Vec::new();
        for row in rows {
            let name: String = row.try_get(0)?;
            if let Some(place) = row.try_get::<_, Option<i32>>(2)? {
                key.push((place, name.clone()));
            }
            catalog.not_null.insert(name, row.try_get(1)?);
        }
        key.sort();
        catalog.primary_key = key.into_iter().map(|(_, name)| name).collect();
        Ok(catalog)
    }
}
