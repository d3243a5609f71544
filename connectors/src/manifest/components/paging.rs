//! How the next page is found.

use super::{Condition, Integer, RequestOption, Text};

/// `DefaultPaginator`.
#[derive(Debug, Clone)]
pub struct DefaultPaginator {
    /// How the next token is found.
    pub strategy: PaginationStrategy,
    /// Where the page size goes.
    pub page_size_option: Option<RequestOption>,
    /// Where the token goes.
    pub page_token_option: Option<PageTokenOption>,
}

/// Where a page token goes.
#[derive(Debug, Clone)]
pub enum PageTokenOption {
    /// Into a part of the request.
    Option(RequestOption),
    /// `RequestPath`: it is the next request's address, whole or as a path.
    Path,
}

/// How the next token is found.
#[derive(Debug, Clone)]
pub enum PaginationStrategy {
    /// `PageIncrement`: page numbers
    PageIncrement {
        /// A page with fewer records is the last one.
        page_size: Option<Integer>,
        /// The first page's number.
        start_from_page: i64,
        /// Whether the first request names its page.
        inject_on_first_request: bool,
    },
    /// `OffsetIncrement`: numbers of records
    OffsetIncrement {
        /// A page with fewer records is the last one.
        page_size: Option<Integer>,
        /// Whether the first request names its offset.
        inject_on_first_request: bool,
    },
    /// `CursorPagination`: whatever the answer says
    Cursor {
        /// The next token; empty or null: there is no next page. Reads `response`, `headers`, `last_record`,
        /// `last_page_size`, `last_page_token_value`.
        cursor_value: Text,
        /// True: there is no next page.
        stop_condition: Option<Condition>,
        /// For the page size option only.
        page_size: Option<Integer>,
    },
    /// `RelayPagination`: GraphQL's `pageInfo { hasNextPage endCursor }`
    Relay {
        /// For the page size option only.
        page_size: Option<Integer>,
        /// Where the answer holds the object with `pageInfo`.
        connection_path: Vec<Text>,
    },
}

impl PaginationStrategy {
    /// The page size, whichever the strategy.
    pub fn page_size(&self) -> Option<&Integer> {
        match self {
            Self::PageIncrement { page_size, .. }
            | Self::OffsetIncrement { page_size, .. }
            | Self::Cursor { page_size, .. }
            | Self::Relay { page_size, .. } => page_size.as_ref(),
        }
    }
}
