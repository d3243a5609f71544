//! Which of the two media types the caller wants.
//!
//! `application/json` is what everybody understands; `application/graphql-response+json` is the newer one,
//! whose status code can be trusted, and is sent only to a caller who names it: a wildcard may come from a
//! client that has never heard of it.

use axum::http::{HeaderMap, HeaderValue, header};

/// A media type that answers can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// `application/json`: errors of the request are 200 with `errors`.
    Json,
    /// `application/graphql-response+json`: they are 400.
    GraphqlResponse,
}

impl MediaType {
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }
}

/// The caller's choice; `None` when nothing we have is acceptable.
pub(crate) fn negotiate(headers: &HeaderMap) -> Option<MediaType> {
    let ranges = ranges(headers)?;
    if ranges.is_empty() {
        return Some(MediaType::Json);
    }
    let quality = |names: &[&str]| {
        names.iter().find_map(|name| {
            let place = ranges.iter().position(|(range, _)| range == name)?;
            Some((ranges[place].1, place))
        })
    };
    let json = quality(&["application/json", "application/*", "*/*"]).filter(|(q, _)| *q > 0.0);
    let newer = quality(&["application/graphql-response+json"]).filter(|(q, _)| *q > 0.0);
    match (json, newer) {
        (None, None) => None,
        (Some(_), None) => Some(MediaType::Json),
        (None, Some(_)) => Some(MediaType::GraphqlResponse),
        // Equal wishes: the one that was named first.
        (Some((json, json_place)), Some((newer, newer_place))) => {
            let newer_wins =
                newer > json || ((newer - json).abs() < f32::EPSILON && newer_place < json_place);
            Some(if newer_wins {
                MediaType::GraphqlResponse
            } else {
                MediaType::Json
            })
        }
    }
}

/// Whether the caller takes an event stream, where nothing else is to be had.
pub(crate) fn takes_event_stream(headers: &HeaderMap) -> bool {
    let Some(ranges) = ranges(headers) else {
        return false;
    };
    let quality = |wanted: &str| ranges.iter().find(|(range, _)| range == wanted).map(|(_, q)| *q);
    ["text/event-stream", "text/*", "*/*"]
        .into_iter()
        .find_map(quality)
        .map_or(ranges.is_empty(), |quality| quality > 0.0)
}

/// What the header names; `None` when it is no text.
fn ranges(headers: &HeaderMap) -> Option<Vec<(String, f32)>> {
    let mut ranges = Vec::new();
    for value in headers.get_all(header::ACCEPT) {
        ranges.extend(value.to_str().ok()?.split(',').filter_map(range));
    }
    Some(ranges)
}

/// One range of the header, with its quality.
fn range(text: &str) -> Option<(String, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let quality = parts
        .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
        .map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
    Some((name, quality.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &'static str) -> Option<MediaType> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        negotiate(&headers)
    }

    #[test]
    fn json_unless_the_newer_type_is_named() {
        use MediaType::{GraphqlResponse, Json};
        assert_eq!(negotiate(&HeaderMap::new()), Some(Json));
        for (accept, expected) in [
            ("*/*", Some(Json)),
            ("application/*", Some(Json)),
            ("application/json", Some(Json)),
            ("application/json; charset=utf-8", Some(Json)),
            ("application/graphql-response+json", Some(GraphqlResponse)),
            (
                "application/graphql-response+json; charset=utf-8, application/json; charset=utf-8",
                Some(GraphqlResponse),
            ),
            ("application/json, application/graphql-response+json", Some(Json)),
            (
                "application/graphql-response+json;q=0.5, application/json",
                Some(Json),
            ),
            (
                "application/json;q=0.5, application/graphql-response+json;q=0.9",
                Some(GraphqlResponse),
            ),
            ("application/json;q=0, */*", None),
            ("text/html", None),
            ("text/html, */*;q=0.8", Some(Json)),
        ] {
            assert_eq!(of(accept), expected, "{accept}");
        }
    }

    #[test]
    fn an_event_stream_goes_to_whoever_does_not_rule_it_out() {
        for (accept, expected) in [
            ("text/event-stream", true),
            ("application/json, text/event-stream;q=0.1", true),
            ("text/*", true),
            ("*/*", true),
            ("application/json", false),
            ("text/event-stream;q=0, */*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(takes_event_stream(&headers), expected, "{accept}");
        }
        assert!(takes_event_stream(&HeaderMap::new()));
    }
}
