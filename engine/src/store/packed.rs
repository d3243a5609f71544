//! Records on their way into the database: one blob, and where each of them lies in it.

use sea_orm::DbBackend;

use super::statement::Sql;

/// Bytes of a hash.
const HASH: usize = 16;
/// Digits of a key's length, which stands between the hash and the key.
const DIGITS: usize = 4;
/// The longest key: four digits could say more, but PostgreSQL's index could not hold it.
pub(crate) const LONGEST_KEY: usize = 1024;

/// Records of one stream with keys that differ, packed for [`upsert`].
#[derive(Debug, Default, Clone)]
pub(crate) struct Packed {
    blob: Vec<u8>,
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    key: usize,
    data: usize,
}

impl Packed {
    /// Room for records of so many bytes together.
    pub(crate) fn with_capacity(records: usize, bytes: usize) -> Self {
        Self {
            blob: Vec::with_capacity(bytes + records * (HASH + DIGITS + 16)),
            spans: Vec::with_capacity(records),
        }
    }

    /// Adds a record. Its key is at most [`LONGEST_KEY`] bytes long, and none of those before it has it.
    pub(crate) fn push(&mut self, key: &str, data: &str, hash: &[u8; HASH]) {
        debug_assert!(
            key.len() <= LONGEST_KEY,
            "keys are bounded before they are packed"
        );
        self.spans.push(Span {
            start: self.blob.len(),
            key: key.len(),
            data: data.len(),
        });
        self.blob.extend_from_slice(hash);
        let mut length = key.len();
        let mut digits = [b'0'; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit += (length % 10) as u8;
            length /= 10;
        }
        self.blob.extend_from_slice(&digits);
        self.blob.extend_from_slice(key.as_bytes());
        self.blob.extend_from_slice(data.as_bytes());
    }

    /// Adds the records of another one.
    pub(crate) fn append(&mut self, other: Self) {
        if self.spans.is_empty() {
            *self = other;
            return;
        }
        let shift = self.blob.len();
        self.blob.extend_from_slice(&other.blob);
        self.spans.extend(other.spans.iter().map(|span| Span {
            start: span.start + shift,
            ..*span
        }));
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// How many bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        self.blob.len()
    }
}

/// Expressions for the parts of a record that [`Packed::rows`] stands for, over the blob `$1`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) key: &'static str,
    pub(crate) data: &'static str,
    pub(crate) hash: &'static str,
    /// Its place among the others, from 0.
    pub(crate) place: &'static str,
}

/// A row is a number: the upper half a position, from 1, the lower half a length.
const SQLITE: Parts = Parts {
    key: "CAST(substr($1, (row.value >> 32) + 20, CAST(substr($1, (row.value >> 32) + 16, 4) AS INTEGER)) AS TEXT)",
    data: "CAST(substr($1, (row.value >> 32) + 20 + CAST(substr($1, (row.value >> 32) + 16, 4) AS INTEGER), \
           (row.value & 4294967295) - 20 - CAST(substr($1, (row.value >> 32) + 16, 4) AS INTEGER)) AS TEXT)",
    hash: "substr($1, row.value >> 32, 16)",
    place: "row.key",
};

/// A row has its key cut out already, which a join needs, and its data not, which most rows do not need.
const POSTGRES: Parts = Parts {
    key: "row.key",
    data: "convert_from(substring($1 FROM row.start + 20 + row.key_length FOR row.data_length), 'UTF8')",
    hash: "row.hash",
    place: "(row.ordinal - 1)",
};

impl Packed {
    /// How the database at hand takes the parts of a record out of the blob.
    pub(crate) const fn parts(backend: DbBackend) -> Parts {
        match backend {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        }
    }

    /// Begins a statement with the blob as `$1`; gives the list of rows, for [`Rows::table`].
    pub(crate) fn bind(self, backend: DbBackend) -> (Sql, Rows) {
        (Sql::new(backend).silently(self.blob), Rows(self.spans))
    }
}

/// Where the records of a blob lie.
#[derive(Debug)]
pub(crate) struct Rows(Vec<Span>);

impl Rows {
    /// Adds the table `row`, with a row a record.
    pub(crate) fn table(self, sql: Sql) -> Sql {
        if sql.backend() != DbBackend::Postgres {
            let length = |span: &Span| HASH + DIGITS + span.key + span.data;
            let list = self.list(['[', ']'], |span| {
                ((span.start + 1) as u64) << 32 | length(span) as u64
            });
            return sql.text("json_each(").bind(list).text(") AS row");
        }
        let array = |part: fn(&Span) -> usize| self.list(['{', '}'], |span| part(span) as u64);
        sql.text(
            "(SELECT convert_from(substring($1 FROM start + 20 FOR key_length), 'UTF8') AS key, \
             substring($1 FROM start FOR 16) AS hash, start, key_length, data_length, ordinal FROM UNNEST(CAST(CAST(",
        )
        .bind(array(|span| span.start + 1))
        .text(" AS TEXT) AS INT[]), CAST(CAST(")
        .bind(array(|span| span.key))
        .text(" AS TEXT) AS INT[]), CAST(CAST(")
        .bind(array(|span| span.data))
        // OFFSET keeps the planner from computing a key at each of its uses.
        .text(" AS TEXT) AS INT[])) WITH ORDINALITY AS place(start, key_length, data_length, ordinal) OFFSET 0) AS row")
    }

    fn list(&self, brackets: [char; 2], part: impl Fn(&Span) -> u64) -> String {
        use std::fmt::Write as _;
        let [open, close] = brackets;
        let mut list = String::with_capacity(self.0.len() * 20 + 2);
        for span in &self.0 {
            list.push(if list.is_empty() { open } else { ',' });
            // Writing to a String cannot fail.
            let _ = write!(list, "{}", part(span));
        }
        list.push(close);
        list
    }
}
