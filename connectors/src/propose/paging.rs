//! How the next page is asked for.
//!
//! An answer tells this only in part: a token is there or it is not, but which parameter takes it stands in the
//! API's documentation. So what is made here are candidates, the likeliest first, to be tried out: whoever holds
//! the proposal reads two pages with each and keeps the first that gives other records.

use serde_json::Value;

use super::Sample;
use super::paging_words::{MORE, OFFSETS, PAGES, SIZES, TOKENS, TOTAL_HEADERS, TOTALS};

/// Lengths that are a page's rather than a list's.
const ROUND: [usize; 9] = [10, 15, 20, 25, 30, 50, 100, 200, 250];
/// Where a token or an address is looked for.
const DEEPEST: usize = 4;
/// Candidates that are worth a request each.
const MOST: usize = 8;

/// A way to ask for the next page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paging {
    /// There is one page.
    None,
    /// The `Link` header's `next`.
    LinkHeader,
    /// An address in the body.
    NextUrl {
        /// Where.
        path: Vec<String>,
    },
    /// A token in the body.
    Token {
        /// Where.
        path: Vec<String>,
        /// The parameter that takes it.
        parameter: String,
        /// The field that says whether there is more.
        more: Option<Vec<String>>,
    },
    /// The last record's key.
    LastRecord {
        /// The key.
        field: String,
        /// The parameter that takes it.
        parameter: String,
        /// The field that says whether there is more.
        more: Vec<String>,
    },
    /// Numbered pages.
    Page {
        /// The parameter that takes the number.
        parameter: String,
        /// The first page's.
        start: i64,
        /// Records on a page, with the parameter that asks for them.
        size: PageSize,
    },
    /// Records counted.
    Offset {
        /// The parameter that takes the count.
        parameter: String,
        /// Records on a page, with the parameter that asks for them.
        size: PageSize,
    },
}

/// How long pages are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSize {
    /// The parameter that says it; none: the upstream's own length.
    pub parameter: Option<String>,
    /// Records.
    pub records: i64,
}

/// A way to page, and what speaks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagingCandidate {
    /// The way.
    pub paging: Paging,
    /// What was seen.
    pub why: String,
}

/// Whether a parameter of the address only says which page is wanted, and has to go when pages are asked for.
pub(super) fn is_position(name: &str) -> bool {
    PAGES.iter().any(|(page, _)| *page == name) || OFFSETS.contains(&name) || TOKENS.contains(&name)
}

pub(super) fn is_size(name: &str) -> bool {
    SIZES.contains(&name)
}

/// The ways that may work, the likeliest first. The last one is always [`Paging::None`].
pub(super) fn candidates(
    sample: &Sample,
    count: usize,
    key: &[String],
    single: bool,
) -> Vec<PagingCandidate> {
    let mut found = Vec::new();
    let mut add = |paging: Paging, why: String| {
        if found.len() < MOST {
            found.push(PagingCandidate { paging, why });
        }
    };
    let more = field(&sample.body, &|name, value| {
        MORE.contains(&name) && value.is_boolean()
    });
    let is_more = more.as_ref().map(|(_, value)| value.as_bool() == Some(true));
    if !single && count > 0 {
        by_answer(sample, key, more.as_ref(), &mut add);
        by_number(sample, count, is_more, &mut add);
    }
    let why = if found.is_empty() {
        "nothing in the answer speaks of a further page"
    } else {
        "one page only"
    };
    found.push(PagingCandidate {
        paging: Paging::None,
        why: why.to_owned(),
    });
    found
}

type Found<'v> = (Vec<String>, &'v Value);

/// What the answer gives for the next page.
fn by_answer(
    sample: &Sample,
    key: &[String],
    more: Option<&Found<'_>>,
    add: &mut impl FnMut(Paging, String),
) {
    let link = sample.header("link").map(crate::http::link::parse);
    if link.is_some_and(|links| links.pointer("/next/url").is_some()) {
        add(
            Paging::LinkHeader,
            "the answer has a Link header with rel=\"next\"".to_owned(),
        );
    }
    let is_next =
        |name: &str| name.to_ascii_lowercase().contains("next") || name == "after" || name == "endCursor";
    let is_address = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        text.starts_with("http://")
            || text.starts_with("https://")
            || (text.starts_with('/') && text.contains('?'))
    };
    let next_url = field(&sample.body, &|name, value| {
        (is_next(name) || name == "href") && is_address(value)
    })
    .filter(|(path, _)| path.iter().any(|name| is_next(name)));
    if let Some((path, _)) = next_url {
        let why = format!("{} holds the next page's address", path.join("."));
        add(Paging::NextUrl { path }, why);
    }
    let is_token = |name: &str, value: &Value| {
        let lower = name.to_ascii_lowercase();
        let named = is_next(name)
            || lower.ends_with("cursor")
            || lower.ends_with("marker")
            || lower.contains("continuation");
        let plain = match value {
            Value::String(text) => !text.is_empty() && !is_address(value),
            Value::Number(_) => is_next(name),
            _ => false,
        };
        named && plain && !lower.contains("prev")
    };
    if let Some((path, _)) = field(&sample.body, &is_token) {
        let name = path.last().cloned().unwrap_or_default();
        let more = more.map(|(path, _)| path.clone());
        for parameter in takers(sample, &name) {
            let why = format!("{} holds a token, which {parameter} takes", path.join("."));
            let (path, more) = (path.clone(), more.clone());
            add(
                Paging::Token {
                    path,
                    parameter,
                    more,
                },
                why,
            );
        }
    } else if let (Some((more, Value::Bool(true))), [key]) = (more, key) {
        for parameter in ["starting_after", "after", "after_id"] {
            let why = format!(
                "{} is true and there is no token, so {parameter} may take the last record's {key}",
                more.join(".")
            );
            let (field, parameter, more) = (key.clone(), parameter.to_owned(), more.clone());
            add(
                Paging::LastRecord {
                    field,
                    parameter,
                    more,
                },
                why,
            );
        }
    }
}

/// The parameters that may take the token of this name.
fn takers(sample: &Sample, name: &str) -> Vec<String> {
    let mut takers: Vec<String> = Vec::new();
    let asked = sample.url.query_pairs().map(|(name, _)| name.into_owned());
    takers.extend(asked.filter(|name| TOKENS.contains(&name.as_str())));
    let bare = ["next_", "next"].iter().find_map(|prefix| {
        let rest = name.strip_prefix(prefix)?;
        let mut letters = rest.chars();
        Some(letters.next()?.to_lowercase().collect::<String>() + letters.as_str())
    });
    takers.extend(bare);
    takers.extend(match name {
        "endCursor" | "end_cursor" => vec!["after".to_owned()],
        "next" => vec!["cursor".to_owned(), "next".to_owned()],
        _ => Vec::new(),
    });
    takers.push(name.to_owned());
    takers.extend(["cursor", "page_token", "after"].map(str::to_owned));
    let mut unique = Vec::new();
    for taker in takers {
        if !unique.contains(&taker) {
            unique.push(taker);
        }
    }
    unique.truncate(4);
    unique
}

/// Pages that are numbered, or counted by their records.
fn by_number(sample: &Sample, count: usize, is_more: Option<bool>, add: &mut impl FnMut(Paging, String)) {
    let records = i64::try_from(count).unwrap_or(i64::MAX);
    let asked: Vec<(String, String)> = sample.url.query_pairs().into_owned().collect();
    let size = asked
        .iter()
        .find(|(name, value)| is_size(name) && value.parse::<i64>().is_ok());
    let size = match size {
        Some((name, value)) => PageSize {
            parameter: Some(name.clone()),
            records: value.parse().unwrap_or(records),
        },
        None => PageSize {
            parameter: None,
            records,
        },
    };
    for (name, value) in &asked {
        let value: Option<i64> = value.parse().ok();
        if let (Some((_, start)), Some(at)) = (PAGES.iter().find(|(page, _)| page == name), value) {
            let start = if at == 0 { 0 } else { *start };
            let why = format!("the address has the parameter {name}");
            let (parameter, size) = (name.clone(), size.clone());
            add(
                Paging::Page {
                    parameter,
                    start,
                    size,
                },
                why,
            );
        }
        if OFFSETS.contains(&name.as_str()) && value.is_some() {
            let why = format!("the address has the parameter {name}");
            let (parameter, size) = (name.clone(), size.clone());
            add(Paging::Offset { parameter, size }, why);
        }
    }
    let total = TOTAL_HEADERS
        .iter()
        .find_map(|name| {
            Some((
                (*name).to_owned(),
                sample.header(name)?.trim().parse::<u64>().ok()?,
            ))
        })
        .or_else(|| {
            let (path, value) = field(&sample.body, &|name, value| {
                TOTALS.contains(&name) && value.is_u64()
            })?;
            Some((path.join("."), value.as_u64()?))
        });
    let why = match (&total, is_more) {
        (Some((name, total)), _) if *total > count as u64 => {
            format!("{name} is {total} and {count} records came")
        }
        (_, Some(true)) => "the answer says that there is more".to_owned(),
        (None, None) if size.parameter.is_some() && size.records == records => {
            format!("as many records came as were asked for, {count}")
        }
        (None, None) if ROUND.contains(&count) => format!("{count} records look like a page"),
        _ => return,
    };
    // Those who write `_limit` write `_page`.
    let underscored = size.parameter.as_deref() == Some("_limit");
    let (pages, offsets) = if underscored {
        ([("_page", 1), ("page", 1), ("_page", 0)], ["_start", "offset"])
    } else {
        ([("page", 1), ("page", 0), ("_page", 1)], ["offset", "skip"])
    };
    for (parameter, start) in pages {
        let (parameter, size) = (parameter.to_owned(), size.clone());
        add(
            Paging::Page {
                parameter,
                start,
                size,
            },
            why.clone(),
        );
    }
    for parameter in offsets
        .into_iter()
        .chain(["_start"])
        .take(if underscored { 2 } else { 3 })
    {
        let (parameter, size) = (parameter.to_owned(), size.clone());
        add(Paging::Offset { parameter, size }, why.clone());
    }
}

/// The first field outside of lists that is wanted, the shallowest first.
fn field<'v>(body: &'v Value, wanted: &dyn Fn(&str, &Value) -> bool) -> Option<Found<'v>> {
    let mut level: Vec<Found<'v>> = vec![(Vec::new(), body)];
    for _ in 0..DEEPEST {
        let mut deeper = Vec::new();
        for (path, value) in &level {
            for (name, inner) in value.as_object().into_iter().flatten() {
                let path: Vec<String> = path.iter().cloned().chain([name.clone()]).collect();
                if wanted(name, inner) {
                    return Some((path, inner));
                }
                deeper.push((path, inner));
            }
        }
        level = deeper;
    }
    None
}

#[cfg(test)]
mod tests;
