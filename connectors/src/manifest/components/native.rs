//! Streams that are code: their manifests say what is read, and not with which requests.

use super::{Integer, Number, RecordSelector, Text};

/// How a stream's records are fetched that is read over something else than HTTP.
#[derive(Debug)]
pub struct NativeRetriever {
    /// Where from.
    pub source: NativeSource,
    /// The stream's transformations.
    pub record_selector: RecordSelector,
    /// Whether the manifest says what records look like.
    pub has_schema: bool,
}

impl NativeRetriever {
    /// Whether only the source knows what records look like.
    pub(crate) fn is_open(&self) -> bool {
        !self.has_schema && matches!(self.source, NativeSource::Postgres(_))
    }
}

/// What a native stream is read from.
#[derive(Debug)]
pub enum NativeSource {
    /// `PostgresStream`
    Postgres(Box<PostgresSource>),
    /// `ObjectStorageStream`
    ObjectStorage(Box<ObjectStorageSource>),
}

/// What the progress through object storage is measured by.
const LAST_MODIFIED: &str = "last_modified";

impl NativeSource {
    /// The field that progress is measured by.
    pub fn cursor_field(&self) -> Option<&str> {
        match self {
            Self::Postgres(source) => source.cursor_column.as_ref().map(Text::source),
            Self::ObjectStorage(_) => Some(LAST_MODIFIED),
        }
    }
}

/// `PostgresStream`.
#[derive(Debug)]
pub struct PostgresSource {
    /// The server.
    pub connection: PostgresConnection,
    /// What is read.
    pub relation: PostgresRelation,
    /// The columns that pages are told apart by; empty ones are left out. None left: the table's primary key, else
    /// the stream's.
    pub key_columns: Vec<Text>,
    /// A field that gets the record's key as one text, for streams whose key the manifest cannot know.
    pub key_field: Option<String>,
    /// The column that only ever grows, where the stream can be read incrementally.
    pub cursor_column: Option<Text>,
    /// How far before the state a read begins, an ISO 8601 duration.
    pub lookback_window: Option<Text>,
    /// Rows in a page, at most.
    pub page_size: Integer,
    /// How long the server may work on one page.
    pub statement_timeout_seconds: Number,
}

/// What a `PostgresStream` reads.
#[derive(Debug)]
pub enum PostgresRelation {
    /// A table or view.
    Table {
        /// Its schema.
        schema: Text,
        /// Its name.
        table: Text,
    },
    /// A query.
    Query(Text),
}

/// `PostgresConnection`.
#[derive(Debug)]
pub struct PostgresConnection {
    /// A name or an address.
    pub host: Text,
    /// 5432 unless the manifest says otherwise.
    pub port: Integer,
    /// The database.
    pub database: Text,
    /// The role.
    pub username: Text,
    /// Its password.
    pub password: Option<Text>,
    /// Evaluates to `verify` (TLS, and the certificate has to be the host's) or `disable`.
    pub tls_mode: Text,
    /// Who vouches for the server, as PEM; without one, the system's authorities do.
    pub tls_ca_certificate: Option<Text>,
}

/// `ObjectStorageStream`.
#[derive(Debug)]
pub struct ObjectStorageSource {
    /// Where the objects are.
    pub storage: Storage,
    /// What the keys begin with.
    pub prefix: Option<Text>,
    /// A shell pattern that whole keys fit.
    pub glob: Option<Text>,
    /// What the objects hold.
    pub format: ObjectFormat,
    /// How they are compressed.
    pub compression: ObjectCompression,
    /// A field that gets the object's key.
    pub file_field: Option<String>,
    /// A field that gets the record's number in the object: of its line, or of its row below the header.
    pub line_field: Option<String>,
}

/// Where objects are.
#[derive(Debug)]
pub enum Storage {
    /// `LocalStorage`: a folder of the machine's
    Local {
        /// The folder; below one that the operator allows.
        folder: Text,
    },
    /// `S3Storage`
    S3(S3Storage),
}

/// `S3Storage`.
#[derive(Debug)]
pub struct S3Storage {
    /// The bucket.
    pub bucket: Text,
    /// Its region.
    pub region: Text,
    /// Whose service it is, where it is not AWS's.
    pub endpoint: Option<Text>,
    /// Who asks; nobody in particular where a bucket is public.
    pub access_key_id: Option<Text>,
    /// The secret of the key.
    pub secret_access_key: Option<Text>,
    /// The token that belongs to a key for a while.
    pub session_token: Option<Text>,
}

/// What objects hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectFormat {
    /// `JsonlFormat`: an object of JSON on each line
    Jsonl,
    /// `CsvFormat`: a header, and rows of texts
    Csv {
        /// Between fields.
        delimiter: u8,
    },
}

/// How objects are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ObjectCompression {
    /// With gzip where the key ends in `.gz`.
    #[default]
    Auto,
    /// With gzip.
    Gzip,
    /// Not.
    None,
}
