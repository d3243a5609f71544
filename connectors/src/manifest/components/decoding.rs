//! From bytes to JSON.

pub use crate::decode::Charset;

/// How a body becomes documents or rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Decoder {
    /// `JsonDecoder`: one JSON document
    #[default]
    Json,
    /// `XmlDecoder`: one XML document
    Xml,
    /// `CsvDecoder`: a record a row, under the names of the first row
    Csv(CsvFormat),
    /// `ResponseToFileExtractor`, which decodes by itself: CSV, packed with gzip or not
    CsvFile {
        /// Only empty cells are null, and not `NA`, `null`, `NaN` and their like.
        preserve_na_values: bool,
    },
    /// `JsonlDecoder`: a JSON document a line
    Jsonl,
    /// `IterableDecoder`: a line is `{"record": line}`
    Lines,
    /// `JsonItemsDecoder`: a record for each item of an array that stands somewhere in one JSON document
    JsonItems {
        /// The array: names joined by dots, `item` for what is in an array.
        path: String,
        /// What the document is written in.
        charset: Charset,
    },
    /// `GzipDecoder`; a body that is not packed passes as it is
    Gzip(Box<Decoder>),
    /// `ZipfileDecoder`: the archive's files, one after the other
    Zip(Box<Decoder>),
}

/// How a CSV is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFormat {
    /// What it is written in.
    pub charset: Charset,
    /// Between two cells.
    pub delimiter: u8,
    /// Values that mean null.
    pub none: Vec<String>,
}
