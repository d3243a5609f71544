//! What the parameters and fields of paging are called by those who make APIs.

/// Parameters that number pages, with the number of the first page.
pub(super) const PAGES: [(&str, i64); 8] = [
    ("page", 1),
    ("_page", 1),
    ("page[number]", 1),
    ("page_number", 1),
    ("pageNumber", 1),
    ("pageNo", 1),
    ("p", 1),
    ("pageIndex", 0),
];
/// Parameters that count records.
pub(super) const OFFSETS: [&str; 9] = [
    "offset",
    "_start",
    "skip",
    "start",
    "startAt",
    "start_at",
    "$skip",
    "from",
    "startIndex",
];
/// Parameters that say how long a page is.
pub(super) const SIZES: [&str; 16] = [
    "limit",
    "_limit",
    "per_page",
    "perPage",
    "page_size",
    "pageSize",
    "page[size]",
    "size",
    "count",
    "pagelen",
    "first",
    "maxResults",
    "max_results",
    "top",
    "$top",
    "pageLimit",
];
/// Parameters that take a token.
pub(super) const TOKENS: [&str; 10] = [
    "cursor",
    "page_token",
    "pageToken",
    "after",
    "starting_after",
    "next_token",
    "nextToken",
    "continuation",
    "marker",
    "start_cursor",
];
/// Fields that say whether there is more.
pub(super) const MORE: [&str; 6] = [
    "has_more",
    "hasMore",
    "has_next",
    "hasNext",
    "hasNextPage",
    "has_next_page",
];
/// Fields that hold the number of all records.
pub(super) const TOTALS: [&str; 9] = [
    "total",
    "total_count",
    "totalCount",
    "totalResults",
    "total_results",
    "totalItems",
    "total_items",
    "totalSize",
    "count",
];
/// Headers that do.
pub(super) const TOTAL_HEADERS: [&str; 3] = ["x-total-count", "x-total", "total-count"];
