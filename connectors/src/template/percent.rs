//! `'%s' % value`, and how numbers are written in given widths.

use super::fail::{Fail, Run};
use super::operators::{MAX_LENGTH, Num};
use super::print;
use super::value::Val;

#[derive(Default)]
pub(super) struct Spec {
    pub(super) fill: Option<char>,
    pub(super) align: Option<char>,
    pub(super) sign: Option<char>,
    pub(super) alternate: bool,
    pub(super) width: usize,
    pub(super) comma: Option<char>,
    pub(super) precision: Option<usize>,
    pub(super) kind: Option<char>,
}

/// `format % values`.
pub(crate) fn format(format: &str, values: &Val<'_>) -> Run<String> {
    let mut out = String::with_capacity(format.len());
    let mut supply = match values {
        Val::Tuple(items) => items.to_vec(),
        other => vec![other.clone()],
    }
    .into_iter();
    let mut rest = format;
    let few = || Fail::Type("not enough arguments for format string".to_owned());
    while let Some(at) = rest.find('%') {
        out.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        let mut named = None;
        if let Some(inner) = rest.strip_prefix('(') {
            let end = inner
                .find(')')
                .ok_or_else(|| Fail::value("incomplete format key"))?;
            let key = inner.get(..end).unwrap_or_default();
            if !values.is_mapping() {
                return Err(Fail::Type("format requires a mapping".to_owned()));
            }
            named = Some(
                values
                    .member_named(key)
                    .ok_or_else(|| Fail::value(format_args!("KeyError: '{key}'")))?,
            );
            rest = inner.get(end + 1..).unwrap_or_default();
        }
        let mut spec = Spec::default();
        let mut chars = rest.char_indices().peekable();
        let mut digits = String::new();
        let mut precise = false;
        let kind = loop {
            let Some((at, char)) = chars.next() else {
                return Err(Fail::value("incomplete format"));
            };
            match char {
                '-' => spec.align = Some('<'),
                '+' | ' ' if !precise => spec.sign = Some(char),
                '#' => spec.alternate = true,
                '0' if digits.is_empty() && !precise => spec.fill = Some('0'),
                '0'..='9' => digits.push(char),
                '.' => {
                    spec.width = size(&digits)?;
                    digits.clear();
                    precise = true;
                }
                'l' | 'h' | 'L' => {}
                kind => {
                    rest = rest.get(at + kind.len_utf8()..).unwrap_or_default();
                    break kind;
                }
            }
        };
        if precise {
            spec.precision = Some(size(&digits)?);
        } else {
            spec.width = size(&digits)?;
        }
        if spec.align == Some('<') {
            spec.fill = None;
        } else {
            spec.align = Some(if spec.fill == Some('0') { '=' } else { '>' });
        }
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value = match named {
            Some(value) => value,
            None => supply.next().ok_or_else(few)?,
        };
        spec.kind = Some(kind);
        match kind {
            's' | 'r' | 'a' => {
                let text = if kind == 's' {
                    print::text(&value)
                } else {
                    print::repr(&value)
                };
                spec.kind = Some('s');
                pad(&mut out, &cut(&text, &spec), &spec);
            }
            'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
                let number = match Num::of(&value) {
                    Some(Num::Int(number)) => number,
                    Some(Num::Float(number)) if matches!(kind, 'd' | 'i' | 'u') => number.trunc() as i128,
                    _ => return Err(wanted(kind, &value)),
                };
                if matches!(kind, 'i' | 'u') {
                    spec.kind = Some('d');
                }
                let written = number_text(Num::Int(number), &spec)?;
                pad(&mut out, &written, &spec);
            }
            'f' | 'F' | 'e' | 'E' | 'g' | 'G' => {
                let number = Num::of(&value).ok_or_else(|| wanted(kind, &value))?;
                let written = number_text(Num::Float(number.float()), &spec)?;
                pad(&mut out, &written, &spec);
            }
            'c' => match &value {
                Val::Str(text) if text.chars().count() == 1 => pad(&mut out, text, &spec),
                _ => return Err(wanted(kind, &value)),
            },
            other => {
                return Err(Fail::value(format_args!(
                    "unsupported format character '{other}'"
                )));
            }
        }
        if out.len() > MAX_LENGTH {
            return Err(Fail::value("a text grew too long"));
        }
    }
    out.push_str(rest);
    // To Python whatever can be subscripted might be a mapping, of which not all members need be used.
    let mapping =
        values.is_mapping() || matches!(values, Val::List(_) | Val::JsonList(_) | Val::Undefined(_));
    if supply.next().is_some() && !mapping {
        return Err(Fail::Type(
            "not all arguments converted during string formatting".to_owned(),
        ));
    }
    Ok(out)
}

fn wanted(kind: char, value: &Val<'_>) -> Fail {
    Fail::Type(format!(
        "%{kind} format: a number is required, not {}",
        value.type_name()
    ))
}

pub(super) fn size(digits: &str) -> Run<usize> {
    if digits.is_empty() {
        return Ok(0);
    }
    digits
        .parse()
        .ok()
        .filter(|size| *size < 10_000)
        .ok_or_else(|| Fail::value("a width too large"))
}

pub(super) fn cut(text: &str, spec: &Spec) -> String {
    spec.precision
        .map_or_else(|| text.to_owned(), |length| text.chars().take(length).collect())
}

pub(super) fn pad(out: &mut String, text: &str, spec: &Spec) {
    let missing = spec.width.saturating_sub(text.chars().count());
    let fill = spec.fill.unwrap_or(' ');
    let numeric = !matches!(spec.kind, None | Some('s' | 'c'));
    let align = spec.align.unwrap_or(if numeric { '>' } else { '<' });
    let (before, inner, after) = match align {
        '>' => (missing, 0, 0),
        '^' => (missing / 2, 0, missing - missing / 2),
        '=' => (0, missing, 0),
        _ => (0, 0, missing),
    };
    let fills = |count: usize| std::iter::repeat_n(fill, count);
    out.extend(fills(before));
    let signed = text.starts_with(['-', '+', ' ']);
    let (sign, digits) = if inner > 0 && signed {
        text.split_at(1)
    } else {
        ("", text)
    };
    out.push_str(sign);
    out.extend(fills(inner));
    out.push_str(digits);
    out.extend(fills(after));
}

pub(super) fn number_text(number: Num, spec: &Spec) -> Run<String> {
    let kind = spec.kind.unwrap_or('d');
    let negative = match number {
        Num::Int(number) => number < 0,
        Num::Float(number) => number.is_sign_negative() && !number.is_nan(),
    };
    let digits = match (number, kind) {
        (Num::Int(number), 'd' | 'n') => number.unsigned_abs().to_string(),
        (Num::Int(number), 'x') => prefixed(spec, "0x", format!("{:x}", number.unsigned_abs())),
        (Num::Int(number), 'X') => prefixed(spec, "0X", format!("{:X}", number.unsigned_abs())),
        (Num::Int(number), 'o') => prefixed(spec, "0o", format!("{:o}", number.unsigned_abs())),
        (Num::Int(number), 'b') => prefixed(spec, "0b", format!("{:b}", number.unsigned_abs())),
        (number, _) => {
            let value = number.float().abs();
            let precision = spec.precision.unwrap_or(6);
            if value.is_infinite() || value.is_nan() {
                print::float(value)
            } else {
                match kind {
                    'f' | 'F' => format!("{value:.precision$}"),
                    '%' => format!("{:.precision$}%", value * 100.0),
                    'e' | 'E' => exponent(value, precision, kind),
                    'g' | 'G' => general(value, precision.max(1), kind),
                    'r' => match spec.precision {
                        None => print::float(value),
                        Some(precision) => general(value, precision.max(1), 'g'),
                    },
                    other => return Err(Fail::value(format_args!("unknown format code '{other}'"))),
                }
            }
        }
    };
    let digits = match spec.comma {
        Some(comma) => grouped(&digits, comma),
        None => digits,
    };
    let sign = if negative {
        "-"
    } else {
        match spec.sign {
            Some('+') => "+",
            Some(' ') => " ",
            _ => "",
        }
    };
    Ok(format!("{sign}{digits}"))
}

fn prefixed(spec: &Spec, prefix: &str, digits: String) -> String {
    if spec.alternate {
        format!("{prefix}{digits}")
    } else {
        digits
    }
}

fn exponent(value: f64, precision: usize, kind: char) -> String {
    let text = format!("{value:.precision$e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    format!(
        "{digits}{kind}{}{:02}",
        if power < 0 { '-' } else { '+' },
        power.unsigned_abs()
    )
}

fn general(value: f64, precision: usize, kind: char) -> String {
    let scientific = exponent(value, precision - 1, 'e');
    let power: i32 = scientific
        .split_once('e')
        .and_then(|(_, power)| power.parse().ok())
        .unwrap_or(0);
    let places = i32::try_from(precision).unwrap_or(i32::MAX);
    let trimmed = |text: &str| -> String {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if (-4..places).contains(&power) {
        let decimals = usize::try_from(places - 1 - power).unwrap_or(0);
        return trimmed(&format!("{value:.decimals$}"));
    }
    let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "+00"));
    let letter = if kind == 'G' { 'E' } else { 'e' };
    format!("{}{letter}{power}", trimmed(digits))
}

fn grouped(digits: &str, comma: char) -> String {
    let whole = digits
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(digits.len());
    let (whole, rest) = digits.split_at(whole);
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(comma);
        }
        out.push(digit);
    }
    out + rest
}
