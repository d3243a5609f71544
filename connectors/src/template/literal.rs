//! What a rendered text means: Python's `ast.literal_eval`.
//!
//! The reference gives every rendered text to it and keeps the text where it fails. So `"1_000"` is a number,
//! `"1,2"` a tuple, `"'a' 'b'"` one string, `"007"` and `"2026-01-01"` are text. Most texts fail at their first
//! character, and that is looked at first.

mod number;

use super::escapes::{closing, prefixed, unescape};
use super::value::Val;
use super::{comparison, operators};

/// Brackets may nest this deep (Python's own bound is 200; ours keeps documents writable).
const MAX_NESTING: usize = 100;

/// A literal.
#[derive(Clone)]
pub(crate) enum Literal {
    Value(Val<'static>),
    Set(Vec<Val<'static>>),
    /// `bytes`, complex numbers, an ellipsis, numbers beyond bounds: what JSON has no word for.
    Foreign,
}

/// Reads a text as a literal; `None` when it is not one.
pub(crate) fn evaluate(text: &str) -> Option<Literal> {
    let text = text.trim_start_matches([' ', '\t']);
    let first = text.chars().find(|char| *char != '\n')?;
    if !(first.is_ascii_digit() || "+-.([{'\"TFNbBrRuUs#\\".contains(first)) || text.contains('\0') {
        return None;
    }
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    while reader.rest().starts_with('\n') {
        reader.at += 1;
    }
    // Indentation on a later first line is an error in Python.
    if reader.at > 0 && reader.rest().starts_with([' ', '\t']) {
        return None;
    }
    let mut items = vec![reader.item()?];
    let mut tuple = false;
    loop {
        reader.space();
        if !reader.take(",") {
            break;
        }
        tuple = true;
        reader.space();
        if reader.rest().is_empty() || reader.rest().starts_with('\n') {
            break;
        }
        items.push(reader.item()?);
    }
    loop {
        reader.space();
        if !reader.take("\n") {
            break;
        }
    }
    if !reader.rest().is_empty() {
        return None;
    }
    if tuple {
        return Some(Literal::Value(Val::tuple(items.into_iter().map(inner).collect())));
    }
    items.pop()
}

/// A literal inside another.
fn inner(literal: Literal) -> Val<'static> {
    match literal {
        Literal::Value(value) => value,
        Literal::Set(items) => Val::list(items),
        Literal::Foreign => Val::None,
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// White space and comments; line ends too inside brackets.
    fn space(&mut self) {
        loop {
            let rest = self.rest();
            match rest.bytes().next() {
                Some(b' ' | b'\t' | b'\x0c') => self.at += 1,
                Some(b'\n' | b'\r') if self.depth > 0 => self.at += 1,
                Some(b'#') => self.at += rest.find('\n').unwrap_or(rest.len()),
                Some(b'\\') if rest.starts_with("\\\n") => self.at += 2,
                _ => return,
            }
        }
    }

    fn item(&mut self) -> Option<Literal> {
        self.space();
        let rest = self.rest();
        match rest.chars().next()? {
            '[' => Some(Literal::Value(Val::list(
                self.items("]")?.0.into_iter().map(inner).collect(),
            ))),
            '(' => {
                let (mut items, comma) = self.items(")")?;
                if items.len() == 1 && !comma {
                    return items.pop();
                }
                Some(Literal::Value(Val::tuple(items.into_iter().map(inner).collect())))
            }
            '{' => self.braces(),
            '-' | '+' => {
                let negative = self.take("-") || !self.take("+");
                self.space();
                let number = self.magnitude()?;
                Some(if negative { negated(number) } else { number })
            }
            '0'..='9' => self.number(),
            '.' if rest.starts_with("...") => {
                self.at += 3;
                Some(Literal::Foreign)
            }
            '.' => self.number(),
            '\'' | '"' => self.strings(),
            'b' | 'B' | 'r' | 'R' | 'u' | 'U' if prefixed(rest).is_some() => self.strings(),
            _ => self.word(),
        }
    }

    /// What a sign stands before: a number, in brackets or not.
    fn magnitude(&mut self) -> Option<Literal> {
        if !self.take("(") {
            return self.number();
        }
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return None;
        }
        self.space();
        let number = self.magnitude()?;
        self.space();
        self.depth -= 1;
        self.take(")").then_some(number)
    }

    fn word(&mut self) -> Option<Literal> {
        let rest = self.rest();
        let length = rest
            .find(|char: char| !char.is_alphanumeric() && char != '_')
            .unwrap_or(rest.len());
        let value = match rest.get(..length)? {
            "True" => Literal::Value(Val::Bool(true)),
            "False" => Literal::Value(Val::Bool(false)),
            "None" => Literal::Value(Val::None),
            "set" => {
                self.at += length;
                self.space();
                if !self.take("(") {
                    return None;
                }
                self.depth += 1;
                self.space();
                self.depth -= 1;
                return self.take(")").then_some(Literal::Set(Vec::new()));
            }
            _ => return None,
        };
        self.at += length;
        Some(value)
    }

    /// The items up to a closing bracket, and whether a comma ends them.
    fn items(&mut self, close: &str) -> Option<(Vec<Literal>, bool)> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return None;
        }
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            self.space();
            if self.take(close) {
                self.depth -= 1;
                return Some((items, comma));
            }
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.item()?);
            self.space();
            comma = self.take(",");
        }
    }

    fn braces(&mut self) -> Option<Literal> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return None;
        }
        let mut members: Vec<(Val<'static>, Val<'static>)> = Vec::new();
        let mut set = Vec::new();
        let mut count = 0;
        loop {
            self.space();
            if self.take("}") {
                break;
            }
            let first = self.item()?;
            // Lists and dictionaries are not hashable: Python's TypeError, and so the text.
            if matches!(
                first,
                Literal::Set(_) | Literal::Value(Val::List(_) | Val::Dict(_))
            ) {
                return None;
            }
            self.space();
            let dict = self.take(":");
            if count > 0 && dict == members.is_empty() {
                return None;
            }
            if dict {
                let (key, value) = (inner(first), inner(self.item()?));
                // Few members are searched, many are not: a literal that long has no equal keys but by malice.
                let same = if count < 1000 {
                    members.iter_mut().find(|(own, _)| comparison::equal(own, &key))
                } else {
                    None
                };
                match same {
                    Some(member) => member.1 = value,
                    None => members.push((key, value)),
                }
            } else {
                set.push(inner(first));
            }
            count += 1;
            self.space();
            if !self.take(",") {
                self.space();
                if !self.take("}") {
                    return None;
                }
                break;
            }
        }
        self.depth -= 1;
        Some(if set.is_empty() {
            Literal::Value(Val::dict(members))
        } else {
            Literal::Set(set)
        })
    }

    /// One string, or several in a row, which are one.
    fn strings(&mut self) -> Option<Literal> {
        let mut content = String::new();
        let mut bytes = None;
        loop {
            let rest = self.rest();
            let Some((prefix, raw, is_bytes)) = prefixed(rest) else {
                break;
            };
            if *bytes.get_or_insert(is_bytes) != is_bytes {
                return None;
            }
            let body = rest.get(prefix..)?;
            let quote = body.get(..1)?;
            let triple = [quote; 3].concat();
            let close = if body.starts_with(&triple) {
                triple.as_str()
            } else {
                quote
            };
            let inside = body.get(close.len()..)?;
            let end = closing(inside, close)?;
            let text = inside.get(..end)?;
            if is_bytes && !text.is_ascii() {
                return None;
            }
            if raw {
                content.push_str(text);
            } else {
                content.push_str(&unescape(text)?);
            }
            self.at += prefix + close.len() + end + close.len();
            self.space();
        }
        match bytes {
            Some(false) => Some(Literal::Value(Val::str(content))),
            Some(true) => Some(Literal::Foreign),
            None => None,
        }
    }
}

fn negated(number: Literal) -> Literal {
    match number {
        Literal::Value(value) => operators::negative(&value).map_or(Literal::Foreign, Literal::Value),
        other => other,
    }
}
