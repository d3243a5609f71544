//! Files that belong to records.

use super::{Extractor, HttpRequester, Text};

/// `FileUploader`: how the file of a record is found, fetched and named.
#[derive(Debug)]
pub struct FileUploader {
    /// What is asked for the file; it reads `download_target`. The whole body is the file.
    pub requester: HttpRequester,
    /// Where the file is, in the record; the first one counts.
    pub download_target_extractor: Extractor,
    /// The file's name, with folders where it has any; it reads `record`.
    pub filename: Text,
}
