//! `'{}'.format(value)`.

use super::arguments::Args;
use super::fail::{Fail, Run};
use super::operators::{MAX_LENGTH, Num};
use super::percent::{Spec, cut, number_text, pad, size};
use super::print;
use super::value::Val;

/// `format.format(*args, **kwargs)`.
pub(crate) fn format<'a>(format: &str, args: &Args<'a>) -> Run<String> {
    let mut out = String::new();
    let mut rest = format;
    let mut automatic = 0;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(rest.get(..at).unwrap_or_default());
        let tail = rest.get(at..).unwrap_or_default();
        if tail.starts_with("{{") || tail.starts_with("}}") {
            out.push_str(tail.get(..1).unwrap_or_default());
            rest = tail.get(2..).unwrap_or_default();
            continue;
        }
        if tail.starts_with('}') {
            return Err(Fail::value("Single '}' encountered in format string"));
        }
        let end = tail
            .find('}')
            .ok_or_else(|| Fail::value("expected '}' before end of string"))?;
        let field = tail.get(1..end).unwrap_or_default();
        rest = tail.get(end + 1..).unwrap_or_default();
        let (name, spec) = field.split_once(':').unwrap_or((field, ""));
        let (name, conversion) = match name.split_once('!') {
            Some((name, conversion)) => (name, Some(conversion)),
            None => (name, None),
        };
        let value = lookup(name, &mut automatic, args)?;
        let value = match conversion {
            Some("r" | "a") => Val::str(print::repr(&value)),
            Some(_) => Val::str(print::text(&value)),
            None => value,
        };
        one(&mut out, &value, spec)?;
        if out.len() > MAX_LENGTH {
            return Err(Fail::value("a text grew too long"));
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn lookup<'a>(path: &str, automatic: &mut usize, args: &Args<'a>) -> Run<Val<'a>> {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (first, mut rest) = path.split_at(end);
    let missing = || Fail::value(format_args!("nothing to put in place of '{{{path}}}'"));
    let index = if first.is_empty() {
        *automatic += 1;
        Some(*automatic - 1)
    } else {
        first.parse().ok()
    };
    let mut value = match index {
        Some(index) => args.positional.get(index).cloned().ok_or_else(missing)?,
        None => args
            .named
            .iter()
            .find(|(name, _)| name == first)
            .map(|(_, value)| value.clone())
            .ok_or_else(missing)?,
    };
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').ok_or_else(missing)?;
            let key = inner.get(..end).unwrap_or_default();
            value = match (key.parse::<usize>(), value.items()) {
                (Ok(index), Some(items)) if !value.is_mapping() => {
                    items.get(index).cloned().ok_or_else(missing)?
                }
                _ => value.member_named(key).ok_or_else(missing)?,
            };
            rest = inner.get(end + 1..).unwrap_or_default();
        } else {
            let inner = rest.get(1..).unwrap_or_default();
            let end = inner.find(['.', '[']).unwrap_or(inner.len());
            value = super::methods::attribute(&value, inner.get(..end).unwrap_or_default())
                .ok_or_else(missing)?;
            rest = inner.get(end..).unwrap_or_default();
        }
    }
    Ok(value)
}

/// `format(value, spec)`.
pub(crate) fn one(out: &mut String, value: &Val<'_>, text: &str) -> Run<()> {
    if text.is_empty() {
        print::display(out, value);
        return Ok(());
    }
    match value {
        Val::DateTime(moment) => {
            out.push_str(&crate::datetime::strftime::format(
                moment.local,
                moment.offset,
                text,
            ));
            return Ok(());
        }
        Val::Date(date) => {
            let midnight = date.and_time(chrono::NaiveTime::MIN);
            out.push_str(&crate::datetime::strftime::format(midnight, None, text));
            return Ok(());
        }
        _ => {}
    }
    let mut spec = Spec::default();
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    let peek = |at: usize| chars.get(at).copied();
    let is_align = |char: Option<char>| matches!(char, Some('<' | '>' | '^' | '='));
    if is_align(peek(1)) {
        spec.fill = peek(0);
        spec.align = peek(1);
        at = 2;
    } else if is_align(peek(0)) {
        spec.align = peek(0);
        at = 1;
    }
    if let Some(sign @ ('+' | '-' | ' ')) = peek(at) {
        spec.sign = Some(sign);
        at += 1;
    }
    if peek(at) == Some('#') {
        spec.alternate = true;
        at += 1;
    }
    if peek(at) == Some('0') && spec.align.is_none() {
        spec.fill = Some('0');
        spec.align = Some('=');
        at += 1;
    }
    let digits = |at: &mut usize| -> Run<Option<usize>> {
        let text: String = chars
            .iter()
            .skip(*at)
            .take_while(|char| char.is_ascii_digit())
            .collect();
        *at += text.len();
        if text.is_empty() {
            Ok(None)
        } else {
            size(&text).map(Some)
        }
    };
    spec.width = digits(&mut at)?.unwrap_or(0);
    if let Some(comma @ (',' | '_')) = peek(at) {
        spec.comma = Some(comma);
        at += 1;
    }
    if peek(at) == Some('.') {
        at += 1;
        spec.precision = digits(&mut at)?;
    }
    spec.kind = peek(at);
    if at + 1 < chars.len() {
        return Err(Fail::value(format_args!("Invalid format specifier '{text}'")));
    }
    match (value, Num::of(value)) {
        (Val::Str(text), _) => {
            if !matches!(spec.kind, None | Some('s')) {
                return Err(Fail::value("a format for numbers, and a text"));
            }
            pad(out, &cut(text, &spec), &spec);
        }
        (_, Some(number)) => {
            let number = match (number, spec.kind) {
                (Num::Int(number), Some('f' | 'F' | 'e' | 'E' | 'g' | 'G' | '%')) => {
                    Num::Float(number as f64)
                }
                (number, _) => number,
            };
            if spec.kind.is_none() {
                spec.kind = Some(if matches!(number, Num::Int(_)) { 'd' } else { 'r' });
            }
            let written = number_text(number, &spec)?;
            pad(out, &written, &spec);
        }
        _ => {
            return Err(Fail::Type(format!(
                "unsupported format string passed to {}",
                value.type_name()
            )));
        }
    }
    Ok(())
}
