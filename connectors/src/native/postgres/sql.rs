//! The statements, as text. Identifiers are quoted, values are parameters; only the manifest's own query stands as it
//! was written.

use super::describe::Described;

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Relation {
    Table { schema: String, table: String },
    Query(String),
}

/// A column of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// The type's schema and name, for casts: a name without its schema may mean another type, and the standard's
    /// names of some types (`character`) mean a length of one.
    pub(super) type_schema: String,
    pub(super) type_name: String,
}

impl Column {
    fn quoted(&self) -> String {
        format!("q.{}", identifier(&self.name))
    }

    fn cast(&self) -> String {
        format!(
            "{}.{}",
            identifier(&self.type_schema),
            identifier(&self.type_name)
        )
    }

    fn is_builtin(&self, names: &[&str]) -> bool {
        self.type_schema == "pg_catalog" && names.contains(&&*self.type_name)
    }

    /// Whether an interval can be taken from it.
    pub(super) fn is_moment(&self) -> bool {
        self.is_builtin(&["date", "timestamp", "timestamptz"])
    }

    /// The value as it stands in a position and in the state: text that casts back to the same value.
    fn position(&self) -> String {
        let column = self.quoted();
        if self.is_moment() {
            // ISO 8601, with the T.
            format!("(pg_catalog.to_json({column}) #>> '{{}}')")
        } else {
            format!("{column}::pg_catalog.text")
        }
    }

    /// The value as it stands in a record, where JSON's own form or a reader's double would lose something.
    fn value(&self) -> String {
        let column = self.quoted();
        if self.is_builtin(&["numeric", "money"]) {
            format!("{column}::pg_catalog.text")
        } else if self.is_builtin(&["_numeric", "_money"]) {
            format!("{column}::pg_catalog.text[]")
        } else if self.is_builtin(&["bytea"]) {
            format!("pg_catalog.translate(pg_catalog.encode({column}, 'base64'), E'\\n', '')")
        } else {
            column
        }
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// At the beginning.
    None,
    /// At the cursor's value (`$1`), or an interval (`$2`) before it.
    From { lookback: bool },
    /// After the position (`$1` and on).
    After,
}

pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Relation {
    /// As it stands behind FROM.
    pub(super) fn from(&self) -> String {
        match self {
            Self::Table { schema, table } => format!("{}.{} q", identifier(schema), identifier(table)),
            // The line break ends a comment at the query's end.
            Self::Query(query) => format!(
                "({}\n) q",
                query.trim_end_matches(|end: char| end == ';' || end.is_whitespace())
            ),
        }
    }
}

/// The statement that names the columns.
pub(super) fn columns(relation: &Relation) -> String {
    format!("SELECT q.* FROM {} LIMIT 0", relation.from())
}

/// The statement that says whether there are rows without a value here.
pub(super) fn has_null(relation: &Relation, column: &str) -> String {
    format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE q.{} IS NULL)",
        relation.from(),
        identifier(column)
    )
}

/// The statement of a page: its rows' positions and the rows themselves.
pub(super) fn page(relation: &Relation, described: &Described, bound: Bound, rows: usize) -> String {
    let order = &described.order;
    let list = |of: fn(&Column) -> String| order.iter().map(of).collect::<Vec<_>>().join(", ");
    let values: Vec<String> = described
        .columns
        .iter()
        .map(|column| format!("{} AS {}", column.value(), identifier(&column.name)))
        .collect();
    let parameter =
        |index: usize, column: &Column| format!("${}::pg_catalog.text::{}", index + 1, column.cast());
    let condition = match (bound, order.first()) {
        (Bound::From { lookback }, Some(cursor)) => {
            let back = if lookback {
                " - $2::pg_catalog.text::pg_catalog.interval"
            } else {
                ""
            };
            format!("{} >= {}{back}", cursor.quoted(), parameter(0, cursor))
        }
        (Bound::After, Some(_)) => {
            let parameters: Vec<String> = order
                .iter()
                .enumerate()
                .map(|(index, column)| parameter(index, column))
                .collect();
            format!("({}) > ({})", list(Column::quoted), parameters.join(", "))
        }
        _ if described.cursor_is_nullable => {
            let cursor = order.first().map(Column::quoted).unwrap_or_default();
            format!("{cursor} IS NOT NULL")
        }
        _ => "true".to_owned(),
    };
    format!(
        "SELECT {positions}, pg_catalog.row_to_json(r)::pg_catalog.text \
         FROM {from}, LATERAL (SELECT {values}) r WHERE {condition} ORDER BY {order} LIMIT {rows}",
        positions = list(Column::position),
        from = relation.from(),
        values = values.join(", "),
        order = list(Column::quoted),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(
            identifier(r#"a"; DROP TABLE b; --"#),
            r#""a""; DROP TABLE b; --""#
        );
    }

    #[test]
    fn a_querys_end_is_its_own() {
        let query = Relation::Query("SELECT 1 -- one ;\n;; ".to_owned());
        assert_eq!(query.from(), "(SELECT 1 -- one\n) q");
    }
}
