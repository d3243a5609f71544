//! The first look: a scan over the bytes that knows just enough of the lexical grammar to count tokens and
//! nesting, and to not be fooled by what stands in strings and comments. It also tells whether two texts are one
//! document in different layouts.

use super::{Limits, Refusal};

/// Bytes of a name. The longest in the schema has some thirty, and an error repeats an unknown one.
const MAX_NAME: usize = 256;

/// Lets the text pass.
pub(super) fn check(query: &str, limits: &Limits, looked_at: &mut usize) -> Result<(), Refusal> {
    let (most_bytes, most_tokens) = (limits.query_bytes, limits.query_tokens);
    if query.len() > most_bytes {
        return Err(Refusal::too_complex(format!(
            "The query is longer than {most_bytes} bytes"
        )));
    }
    let mut nesting = 0_usize;
    for (before, token) in tokens(query).enumerate() {
        *looked_at += 1;
        match token {
            b"{" | b"(" | b"[" => nesting += 1,
            b"}" | b")" | b"]" => nesting = nesting.saturating_sub(1),
            [first, ..] if token.len() > MAX_NAME && is_word(*first) => {
                return Err(Refusal::too_complex(format!(
                    "The query has a name of more than {MAX_NAME} bytes"
                )));
            }
            _ => {}
        }
        if before >= most_tokens {
            return Err(Refusal::too_complex(format!(
                "The query has more than {most_tokens} tokens"
            )));
        }
        if nesting > limits.query_nesting {
            return Err(Refusal::too_complex(format!(
                "The query nests deeper than {} brackets",
                limits.query_nesting
            )));
        }
    }
    Ok(())
}

/// The text without what GraphQL ignores between tokens (white space, commas, comments).
pub(super) fn canonical(query: &str) -> String {
    let tokens: Vec<&[u8]> = tokens(query).filter(|token| !token.starts_with(b"#")).collect();
    String::from_utf8_lossy(&tokens.join(&b' ')).into_owned()
}

/// Comments are among them: the parser's time goes into those as well.
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
                b'#' => at = end_of_line(bytes, at),
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
