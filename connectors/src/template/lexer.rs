//! Splits a template into text and the tokens between braces, as Jinja2 does with its default delimiters.

use super::ParseError;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Text(String),
    OutputBegin,
    OutputEnd,
    BlockBegin,
    BlockEnd,
    Name(String),
    Str(String),
    Int(i128),
    Float(f64),
    Symbol(&'static str),
    End,
}

/// Longest first, so that `**` is not two `*`.
const SYMBOLS: [&str; 26] = [
    "//", "**", "==", "!=", "<=", ">=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
    "=", ".", ":", "|", ",", ";",
];

/// What Jinja2 makes of a source before it looks at it: one kind of line end, and none at the very end.
pub(crate) fn normalised(source: &str) -> String {
    let mut text = source.replace("\r\n", "\n").replace('\r', "\n");
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

fn fail<T>(message: impl Into<String>, offset: usize) -> Result<T, ParseError> {
    Err(ParseError {
        message: message.into(),
        offset,
    })
}

/// The tokens of a (normalised) source, each with its offset.
pub(crate) fn tokens(source: &str) -> Result<Vec<(Token, usize)>, ParseError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    // Whether the tag before asked for white space to be taken away.
    let mut trim = false;
    loop {
        let rest = source.get(at..).unwrap_or_default();
        let tag = next_tag(rest);
        let mut text = tag.map_or(rest, |(place, _)| rest.get(..place).unwrap_or_default());
        if trim {
            text = text.trim_start();
        }
        let Some((place, kind)) = tag else {
            push_text(&mut tokens, text, at);
            tokens.push((Token::End, source.len()));
            return Ok(tokens);
        };
        let opening = at + place;
        let mut inside = opening + 2;
        match source.as_bytes().get(inside) {
            Some(b'-') => {
                text = text.trim_end();
                inside += 1;
            }
            Some(b'+') if kind != '{' => inside += 1,
            _ => {}
        }
        push_text(&mut tokens, text, at);
        if kind == '#' {
            let Some(length) = source.get(inside..).and_then(|rest| rest.find("#}")) else {
                return fail("the comment is not closed: #} is missing", opening);
            };
            trim = source
                .get(..inside + length)
                .is_some_and(|before| length > 0 && before.ends_with('-'));
            at = inside + length + 2;
            continue;
        }
        if kind == '%'
            && let Some((body, after, trims)) = raw(source, inside)?
        {
            push_text(&mut tokens, body, inside);
            trim = trims;
            at = after;
            continue;
        }
        tokens.push((
            if kind == '{' {
                Token::OutputBegin
            } else {
                Token::BlockBegin
            },
            opening,
        ));
        (at, trim) = expression(source, inside, opening, kind, &mut tokens)?;
    }
}

fn push_text(tokens: &mut Vec<(Token, usize)>, text: &str, at: usize) {
    if !text.is_empty() {
        tokens.push((Token::Text(text.to_owned()), at));
    }
}

fn next_tag(text: &str) -> Option<(usize, char)> {
    let mut from = 0;
    loop {
        let place = from + text.get(from..)?.find('{')?;
        match text.as_bytes().get(place + 1) {
            Some(b'{') => return Some((place, '{')),
            Some(b'%') => return Some((place, '%')),
            Some(b'#') => return Some((place, '#')),
            _ => from = place + 1,
        }
    }
}

/// `{% raw %}…{% endraw %}`: the text in between, where it goes on, and whether white space goes after it.
fn raw(source: &str, inside: usize) -> Result<Option<(&str, usize, bool)>, ParseError> {
    let after_word = |text: &str, word: &str| -> Option<(usize, bool, bool)> {
        let trimmed = text.trim_start();
        let (trim_before, trimmed) = match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed).trim_start()),
        };
        let rest = trimmed.strip_prefix(word)?.trim_start();
        let (trim_after, rest) = match rest.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, rest.strip_prefix('+').unwrap_or(rest)),
        };
        let rest = rest.strip_prefix("%}")?;
        Some((text.len() - rest.len(), trim_before, trim_after))
    };
    let Some((begin, _, trim_first)) = source.get(inside..).and_then(|rest| after_word(rest, "raw")) else {
        return Ok(None);
    };
    let begin = inside + begin;
    let mut from = begin;
    while let Some(place) = source.get(from..).and_then(|rest| rest.find("{%")) {
        let tag = from + place;
        if let Some((end, trim_last, trim_after)) =
            source.get(tag + 2..).and_then(|rest| after_word(rest, "endraw"))
        {
            let mut body = source.get(begin..tag).unwrap_or_default();
            if trim_first {
                body = body.trim_start();
            }
            if trim_last {
                body = body.trim_end();
            }
            return Ok(Some((body, tag + 2 + end, trim_after)));
        }
        from = tag + 2;
    }
    fail("the raw block is not closed: {% endraw %} is missing", inside)
}

/// Reads tokens up to the closing braces; gives the place behind them, and whether they ask for trimming.
fn expression(
    source: &str,
    inside: usize,
    opening: usize,
    kind: char,
    tokens: &mut Vec<(Token, usize)>,
) -> Result<(usize, bool), ParseError> {
    let (close, end) = if kind == '{' {
        ("}}", Token::OutputEnd)
    } else {
        ("%}", Token::BlockEnd)
    };
    let mut brackets: Vec<char> = Vec::new();
    let mut at = inside;
    loop {
        let rest = source.get(at..).unwrap_or_default();
        let Some(first) = rest.chars().next() else {
            return fail(
                format!("the expression is not closed: {close} is missing"),
                opening,
            );
        };
        if brackets.is_empty() {
            let signed = rest
                .strip_prefix('-')
                .or_else(|| rest.strip_prefix('+').filter(|_| kind == '%'));
            if rest.starts_with(close) {
                tokens.push((end, at));
                return Ok((at + 2, false));
            }
            if signed.is_some_and(|rest| rest.starts_with(close)) {
                tokens.push((end, at));
                return Ok((at + 3, first == '-'));
            }
        }
        if first.is_whitespace() {
            at += first.len_utf8();
        } else if first == '\'' || first == '"' {
            let (text, length) = string(rest, first, at)?;
            tokens.push((Token::Str(text), at));
            at += length;
        } else if first.is_ascii_digit() {
            let after_dot = source.get(..at).is_some_and(|before| before.ends_with('.'));
            let (token, length) = number(rest, after_dot, at)?;
            tokens.push((token, at));
            at += length;
        } else if first.is_alphabetic() || first == '_' {
            let length = rest
                .find(|char: char| !char.is_alphanumeric() && char != '_')
                .unwrap_or(rest.len());
            tokens.push((Token::Name(rest.get(..length).unwrap_or_default().to_owned()), at));
            at += length;
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            match first {
                '(' => brackets.push(')'),
                '[' => brackets.push(']'),
                '{' => brackets.push('}'),
                ')' | ']' | '}' if brackets.pop() != Some(first) => {
                    return fail(format!("unexpected '{first}'"), at);
                }
                _ => {}
            }
            tokens.push((Token::Symbol(symbol), at));
            at += symbol.len();
        } else {
            return fail(format!("unexpected character {first:?}"), at);
        }
    }
}

fn string(rest: &str, quote: char, at: usize) -> Result<(String, usize), ParseError> {
    let mut end = 1;
    while let Some(byte) = rest.as_bytes().get(end) {
        match *byte {
            b'\\' => end += 2,
            byte if byte == quote as u8 => {
                let text = rest.get(1..end).unwrap_or_default();
                return match super::escapes::unescape(text) {
                    Some(text) => Ok((text, end + 1)),
                    None => fail("a broken escape inside a string", at),
                };
            }
            _ => end += 1,
        }
    }
    fail("the string is not closed", at)
}

fn digits(text: &str) -> usize {
    // Single underscores may stand between digits.
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' => at += 1,
            b'_' if at > 0 && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => at += 1,
            _ => break,
        }
    }
    at
}

fn number(rest: &str, after_dot: bool, at: usize) -> Result<(Token, usize), ParseError> {
    let whole = digits(rest);
    let tail = |from: usize| rest.get(from..).unwrap_or_default();
    if !after_dot {
        let mut length = whole;
        if let Some(fraction) = tail(length).strip_prefix('.') {
            let fraction = digits(fraction);
            if fraction > 0 {
                length += 1 + fraction;
            }
        }
        if let Some(exponent) = tail(length).strip_prefix(['e', 'E']) {
            let sign = usize::from(exponent.starts_with(['+', '-']));
            let exponent = digits(exponent.get(sign..).unwrap_or_default());
            if exponent > 0 {
                length += 1 + sign + exponent;
            }
        }
        if length > whole {
            let text = rest.get(..length).unwrap_or_default().replace('_', "");
            return Ok((Token::Float(text.parse().unwrap_or(f64::INFINITY)), length));
        }
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        let own = rest
            .get(..2)
            .filter(|own| own.eq_ignore_ascii_case(prefix))
            .and_then(|_| rest.get(2..));
        if let Some(own) = own {
            let length = own
                .find(|char: char| !char.is_digit(radix) && char != '_')
                .unwrap_or(own.len());
            let text = own.get(..length).unwrap_or_default().replace('_', "");
            return match i128::from_str_radix(&text, radix) {
                Ok(value) => Ok((Token::Int(value), 2 + length)),
                Err(_) => fail("a broken number", at),
            };
        }
    }
    // A leading zero stands alone: `007` is three numbers, and so no expression.
    let length = if rest.starts_with('0') {
        rest.find(|char: char| char != '0' && char != '_')
            .unwrap_or(rest.len())
    } else {
        whole
    };
    let text = rest.get(..length).unwrap_or_default().replace('_', "");
    match text.parse() {
        Ok(value) => Ok((Token::Int(value), length)),
        Err(_) => fail("a number too large", at),
    }
}
