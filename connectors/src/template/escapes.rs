//! Python's string literals: prefixes, quotes, escapes.

/// A string's prefix: its length, whether it is raw, whether it is `bytes`.
pub(crate) fn prefixed(text: &str) -> Option<(usize, bool, bool)> {
    let length = text.find(['\'', '"'])?;
    let prefix = text.get(..length)?.to_ascii_lowercase();
    match prefix.as_str() {
        "" | "u" => Some((length, false, false)),
        "r" => Some((length, true, false)),
        "b" => Some((length, false, true)),
        "br" | "rb" => Some((length, true, true)),
        _ => None,
    }
}

pub(crate) fn closing(inside: &str, close: &str) -> Option<usize> {
    let bytes = inside.as_bytes();
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            b'\\' => at += 2,
            b'\n' if close.len() == 1 => return None,
            _ if bytes
                .get(at..)
                .is_some_and(|rest| rest.starts_with(close.as_bytes())) =>
            {
                return Some(at);
            }
            _ => at += 1,
        }
    }
}

/// Resolves the escapes of a Python string; an unknown one stays as it is.
pub(crate) fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at)?);
        let escape = rest.get(at + 1..)?;
        let kind = escape.chars().next()?;
        let mut length = kind.len_utf8();
        let hex = |digits: usize| -> Option<char> {
            let code = escape
                .get(1..1 + digits)
                .filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            Some(char::from_u32(u32::from_str_radix(code, 16).ok()?).unwrap_or('\u{fffd}'))
        };
        match kind {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(kind),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\u{b}'),
            '0'..='7' => {
                length = escape
                    .bytes()
                    .take(3)
                    .take_while(|byte| (b'0'..=b'7').contains(byte))
                    .count();
                let code = u32::from_str_radix(escape.get(..length)?, 8).ok()?;
                out.push(char::from_u32(code)?);
            }
            'x' => {
                out.push(hex(2)?);
                length = 3;
            }
            'u' => {
                // What json.dumps writes as two halves is one character.
                let unit = |at: usize| u16::from_str_radix(escape.get(at..at + 4)?, 16).ok();
                let low = escape
                    .get(5..7)
                    .filter(|next| *next == "\\u")
                    .and_then(|_| unit(7));
                let pair = char::decode_utf16([unit(1)?].into_iter().chain(low)).next()?;
                match pair {
                    Ok(char) if char.len_utf16() == 2 => {
                        out.push(char);
                        length = 11;
                    }
                    _ => {
                        out.push(hex(4)?);
                        length = 5;
                    }
                }
            }
            'U' => {
                out.push(hex(8)?);
                length = 9;
            }
            'N' => return None,
            other => {
                out.push('\\');
                out.push(other);
            }
        }
        rest = escape.get(length..)?;
    }
    out.push_str(rest);
    Some(out)
}
