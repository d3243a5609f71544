//! W3C Trace Context: whose trace a request belongs to.
//!
//! What comes in as `traceparent` is on every log line of the request, and its trace id is the request's id where the
//! caller gave none: so errors, runs and events, which carry that id, are found from the trace that caused them, also
//! those that happen an hour later in another process. What is malformed is ignored, as the specification asks.
//!
//! It is not passed on to upstreams: they are other people's systems, which have no business in our callers' traces, and
//! a header that a manifest does not have may change what an API answers.

use axum::http::{HeaderMap, HeaderName};

const HEADER: HeaderName = HeaderName::from_static("traceparent");

/// The caller's place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceParent<'a> {
    /// 32 lower-case hexadecimal digits.
    pub(crate) trace_id: &'a str,
    /// 16 of them: the span that called.
    pub(crate) span_id: &'a str,
}

impl<'a> TraceParent<'a> {
    /// The header's, where there is one that is sound.
    pub(crate) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut all = headers.get_all(HEADER).iter();
        let (Some(only), None) = (all.next(), all.next()) else {
            return None;
        };
        read(only.to_str().ok()?)
    }
}

/// `00-<trace>-<span>-<flags>`. A later version may have more behind, and begins the same.
fn read(text: &str) -> Option<TraceParent<'_>> {
    let mut parts = text.trim().splitn(5, '-');
    let version = parts.next().filter(|part| is_hex(part, 2) && *part != "ff")?;
    let trace_id = parts.next().filter(|part| is_id(part, 32))?;
    let span_id = parts.next().filter(|part| is_id(part, 16))?;
    parts.next().filter(|flags| is_hex(flags, 2))?;
    let more = parts.next();
    (version != "00" || more.is_none()).then_some(TraceParent { trace_id, span_id })
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// All zeros is no id.
fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn only_what_the_specification_allows_is_read() {
        for (text, sound) in [
            (format!("00-{TRACE}-{SPAN}-01"), true),
            (format!("00-{TRACE}-{SPAN}-00"), true),
            (format!("cc-{TRACE}-{SPAN}-01-what-is-to-come"), true),
            (format!("00-{TRACE}-{SPAN}-01-more"), false),
            (format!("ff-{TRACE}-{SPAN}-01"), false),
            (format!("00-{}-{SPAN}-01", TRACE.to_uppercase()), false),
            (format!("00-{}-{SPAN}-01", "0".repeat(32)), false),
            (format!("00-{TRACE}-{}-01", "0".repeat(16)), false),
            (format!("00-{TRACE}-{SPAN}"), false),
            (format!("00-{TRACE}-{SPAN}-1"), false),
            (format!("00-{}-{SPAN}-01", &TRACE[1..]), false),
            (String::new(), false),
        ] {
            let expected = sound.then_some(TraceParent {
                trace_id: TRACE,
                span_id: SPAN,
            });
            assert_eq!(read(&text), expected, "{text}");
        }
    }

    #[test]
    fn two_of_them_are_none() {
        let value = format!("00-{TRACE}-{SPAN}-01");
        let mut headers = HeaderMap::new();
        headers.append(HEADER, value.parse().unwrap());
        assert!(TraceParent::of(&headers).is_some());
        headers.append(HEADER, value.parse().unwrap());
        assert_eq!(TraceParent::of(&headers), None);
    }
}
