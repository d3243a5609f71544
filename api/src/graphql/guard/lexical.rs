//! The first look: a scan over the bytes that knows just enough of the lexical grammar to count tokens and
//! nesting, and to not be fooled by what stands in strings and comments. It also tells whether two texts are one
//! document in different layouts.

use super::Refusal;

/// Bytes of query text. Large values belong into variables.
const MAX_BYTES: usize = 100_000;
/// GraphiQL's introspection has about 250.
const MAX_TOKENS: usize = 5_000;
/// Open brackets of any kind at once. The parser recurses on them.
const MAX_NESTING: usize = 40;

pub(super) fn check(query: &str) -> Result<(), Refusal> {
    if query.len() > MAX_BYTES {
        return Err(Refusal::too_complex(format!(
            "The query is longer than {MAX_BYTES} bytes"
        )));
    }
    let mut nesting = 0_usize;
    for (before, token) in tokens(query).enumerate() {
        match token {
            b"{" | b"(" | b"[" => nesting += 1,
            b"}" | b")" | b"]" => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        if before >= MAX_TOKENS {
            return Err(Refusal::too_complex(format!(
                "The query has more than {MAX_TOKENS} tokens"
            )));
        }
        if nesting > MAX_NESTING {
            return Err(Refusal::too_complex(format!(
                "The query nests deeper than {MAX_NESTING} brackets"
            )));
        }
    }
    Ok(())
}

/// The text without what GraphQL ignores between tokens (white space, commas, comments).
pub(super) fn canonical(query: &str) -> String {
    let tokens: Vec<&[u8]> = tokens(query).collect();
    String::from_utf8_lossy(&tokens.join(&b' ')).into_owned()
}

fn tokens(query: &str) -> impl Iterator<Item = &[u8]> {
    let bytes = query.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at;
            let byte = *bytes.get(start)?;
            at += 1;
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b',' => continue,
                b'#' => {
                    at = end_of_line(bytes, at);
                    continue;
                }
                b'"' => at = end_of_string(bytes, start),
                b'.' => at = run(bytes, at, |byte| byte == b'.'),
                byte if is_word(byte) => at = run(bytes, at, is_word),
                _ => {}
            }
            return Some(&bytes[start..at]);
        }
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+') || !byte.is_ascii()
}

fn run(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes[from..]
        .iter()
        .position(|&byte| !belongs(byte))
        .map_or(bytes.len(), |length| from + length)
}

fn end_of_line(bytes: &[u8], from: usize) -> usize {
    run(bytes, from, |byte| byte != b'\n' && byte != b'\r')
}

/// The index after the string that opens at `start`; the end of the text when it is never closed, which the
/// parser then reports.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let block = bytes[start..].starts_with(b"\"\"\"");
    let mut at = start + if block { 3 } else { 1 };
    while at < bytes.len() {
        let rest = &bytes[at..];
        match (block, rest[0]) {
            (true, b'\\') if rest.starts_with(b"\\\"\"\"") => at += 4,
            (true, b'"') if rest.starts_with(b"\"\"\"") => return at + 3,
            (false, b'\\') => at += 2,
            (false, b'"') => return at + 1,
            // An ordinary string ends with its line; the parser says so.
            (false, b'\n') => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}
