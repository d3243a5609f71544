//! The methods of Python's `str`.

use super::arguments::{Args, items, text, text_or, whole, whole_or};
use super::braces;
use super::fail::{Fail, Run};
use super::operators::MAX_LENGTH;
use super::value::Val;

pub(crate) fn call<'a>(own: &str, name: &str, args: Args<'a>) -> Run<Val<'a>> {
    match name {
        "format" => return braces::format(own, &args).map(Val::str),
        "split" | "rsplit" => {
            let [separator, most] = args.bind(name, ["sep", "maxsplit"], 0)?;
            let most = usize::try_from(whole_or(&most, -1)?).unwrap_or(usize::MAX);
            let parts = match &separator {
                None | Some(Val::None) => words(own, most, name == "rsplit"),
                Some(separator) => {
                    let separator = text(separator)?;
                    if separator.is_empty() {
                        return Err(Fail::value("empty separator"));
                    }
                    let most = most.saturating_add(1);
                    if name == "split" {
                        own.splitn(most, separator).collect()
                    } else {
                        let mut parts: Vec<&str> = own.rsplitn(most, separator).collect();
                        parts.reverse();
                        parts
                    }
                }
            };
            return Ok(Val::list(parts.into_iter().map(Val::str).collect()));
        }
        "join" => {
            let [parts] = args.bind(name, ["iterable"], 1)?;
            let parts = items(&parts.unwrap_or(Val::None))?;
            let parts: Run<Vec<&str>> = parts
                .iter()
                .map(|part| match part {
                    Val::Str(part) => Ok(part.as_ref()),
                    other => Err(Fail::Type(format!(
                        "expected str instance, {} found",
                        other.type_name()
                    ))),
                })
                .collect();
            let parts = parts?;
            let length = parts.iter().map(|part| part.len() + own.len()).sum::<usize>();
            if length > MAX_LENGTH {
                return Err(Fail::value("a text grew too long"));
            }
            return Ok(Val::str(parts.join(own)));
        }
        "replace" => {
            let [old, new, count] = args.bind(name, ["old", "new", "count"], 2)?;
            let (old, new) = (old.unwrap_or(Val::None), new.unwrap_or(Val::None));
            let count = usize::try_from(whole_or(&count, -1)?).unwrap_or(usize::MAX);
            return replaced(own, text(&old)?, text(&new)?, count).map(Val::str);
        }
        "startswith" | "endswith" => {
            let [affix, start, end] = args.bind(name, ["prefix", "start", "end"], 1)?;
            let own = range(own, &start, &end)?;
            let affix = affix.unwrap_or(Val::None);
            let affixes = if let Val::Tuple(affixes) = &affix {
                affixes.to_vec()
            } else {
                vec![affix]
            };
            for affix in &affixes {
                let affix = text(affix)?;
                if if name == "startswith" {
                    own.starts_with(affix)
                } else {
                    own.ends_with(affix)
                } {
                    return Ok(Val::Bool(true));
                }
            }
            return Ok(Val::Bool(false));
        }
        "find" | "rfind" | "index" | "rindex" | "count" => {
            let [part, start, end] = args.bind(name, ["sub", "start", "end"], 1)?;
            let part = part.unwrap_or(Val::None);
            let part = text(&part)?;
            let inner = range(own, &start, &end)?;
            if name == "count" {
                let count = if part.is_empty() {
                    inner.chars().count() + 1
                } else {
                    inner.matches(part).count()
                };
                return Ok(Val::int(count));
            }
            let place = if name.starts_with('r') {
                inner.rfind(part)
            } else {
                inner.find(part)
            };
            let skipped = inner.as_ptr() as usize - own.as_ptr() as usize;
            return match place.and_then(|place| own.get(..skipped + place)) {
                Some(before) => Ok(Val::int(before.chars().count())),
                None if name.ends_with("find") => Ok(Val::Int(-1)),
                None => Err(Fail::value("substring not found")),
            };
        }
        "strip" | "lstrip" | "rstrip" => {
            let [chars] = args.bind(name, ["chars"], 0)?;
            let chars = match &chars {
                None | Some(Val::None) => None,
                Some(chars) => Some(text(chars)?),
            };
            let strips = |char: char| chars.map_or(char.is_whitespace(), |chars| chars.contains(char));
            let mut inner = own;
            if name != "rstrip" {
                inner = inner.trim_start_matches(strips);
            }
            if name != "lstrip" {
                inner = inner.trim_end_matches(strips);
            }
            return Ok(Val::str(inner));
        }
        "removeprefix" | "removesuffix" => {
            let [affix] = args.bind(name, ["affix"], 1)?;
            let affix = affix.unwrap_or(Val::None);
            let affix = text(&affix)?;
            let rest = if name == "removeprefix" {
                own.strip_prefix(affix)
            } else {
                own.strip_suffix(affix)
            };
            return Ok(Val::str(rest.unwrap_or(own)));
        }
        "partition" | "rpartition" => {
            let [separator] = args.bind(name, ["sep"], 1)?;
            let separator = separator.unwrap_or(Val::None);
            let separator = text(&separator)?;
            let split = if name == "partition" {
                own.split_once(separator)
            } else {
                own.rsplit_once(separator)
            };
            let parts = match split {
                Some((before, after)) => [before, separator, after],
                None if name == "partition" => [own, "", ""],
                None => ["", "", own],
            };
            return Ok(Val::tuple(parts.into_iter().map(Val::str).collect()));
        }
        "center" | "ljust" | "rjust" | "zfill" => {
            let [width, fill] = args.bind(name, ["width", "fillchar"], 1)?;
            let width = usize::try_from(whole(&width.unwrap_or(Val::None))?).unwrap_or(0);
            if width > MAX_LENGTH {
                return Err(Fail::value("a text grew too long"));
            }
            let fill = text_or(&fill, " ")?.chars().next().unwrap_or(' ');
            return Ok(Val::str(padded(own, name, width, fill)));
        }
        "splitlines" => {
            let [keep] = args.bind(name, ["keepends"], 0)?;
            let keep = keep.is_some_and(|keep| keep.truth());
            let lines = lines(own, keep);
            return Ok(Val::list(lines.into_iter().map(Val::str).collect()));
        }
        "encode" => return Ok(Val::str(own)),
        "expandtabs" => {
            let [size] = args.bind(name, ["tabsize"], 0)?;
            let size = usize::try_from(whole_or(&size, 8)?).unwrap_or(0).min(1000);
            return Ok(Val::str(tabs(own, size)));
        }
        _ => {}
    }
    args.bind(name, [], 0)?;
    let all = |test: fn(char) -> bool| Val::Bool(!own.is_empty() && own.chars().all(test));
    let cased = |test: fn(char) -> bool| {
        let letters = || {
            own.chars()
                .filter(|char| char.is_lowercase() || char.is_uppercase())
        };
        Val::Bool(letters().next().is_some() && letters().all(test))
    };
    Ok(match name {
        "lower" => Val::str(own.to_lowercase()),
        "casefold" => Val::str(own.to_lowercase().replace('ß', "ss")),
        "upper" => Val::str(own.to_uppercase()),
        "title" => Val::str(title(own)),
        "capitalize" => Val::str(capitalize(own)),
        "swapcase" => {
            let swap = |char: char| -> String {
                if char.is_uppercase() {
                    char.to_lowercase().collect()
                } else {
                    char.to_uppercase().collect()
                }
            };
            Val::str(own.chars().map(swap).collect::<String>())
        }
        "isdigit" | "isdecimal" | "isnumeric" => all(char::is_numeric),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isspace" => all(char::is_whitespace),
        "isascii" => Val::Bool(own.is_ascii()),
        "islower" => cased(char::is_lowercase),
        "isupper" => cased(char::is_uppercase),
        "istitle" => Val::Bool(title(own) == own && own.chars().any(char::is_alphabetic)),
        "isidentifier" => {
            let first = own
                .chars()
                .next()
                .is_some_and(|char| char.is_alphabetic() || char == '_');
            Val::Bool(first && own.chars().all(|char| char.is_alphanumeric() || char == '_'))
        }
        other => return Err(Fail::value(format_args!("str.{other} is not supported"))),
    })
}

pub(crate) fn replaced(own: &str, old: &str, new: &str, count: usize) -> Run<String> {
    if own.len().saturating_add(1).saturating_mul(new.len().max(1)) > 4 * MAX_LENGTH {
        return Err(Fail::value("a text grew too long"));
    }
    Ok(own.replacen(old, new, count))
}

/// The part between two character positions.
fn range<'s>(own: &'s str, start: &Option<Val<'_>>, end: &Option<Val<'_>>) -> Run<&'s str> {
    if start.is_none() && end.is_none() {
        return Ok(own);
    }
    let length = i64::try_from(own.chars().count()).unwrap_or(i64::MAX);
    let place = |value: i64| {
        if value < 0 {
            (value + length).max(0)
        } else {
            value.min(length)
        }
    };
    let (start, end) = (place(whole_or(start, 0)?), place(whole_or(end, length)?));
    let byte = |place: i64| {
        let place = usize::try_from(place).unwrap_or(0);
        own.char_indices().nth(place).map_or(own.len(), |(at, _)| at)
    };
    Ok(own.get(byte(start)..byte(end)).unwrap_or_default())
}

fn words(own: &str, most: usize, from_the_end: bool) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = if from_the_end {
        own.trim_end()
    } else {
        own.trim_start()
    };
    while !rest.is_empty() {
        if words.len() == most {
            words.push(if from_the_end {
                rest.trim_end()
            } else {
                rest.trim_start()
            });
            break;
        }
        let cut = if from_the_end {
            rest.rfind(char::is_whitespace)
        } else {
            rest.find(char::is_whitespace)
        };
        let Some(at) = cut else {
            words.push(rest);
            break;
        };
        let (before, after) = rest.split_at(at);
        if from_the_end {
            words.push(after.trim_start());
            rest = before.trim_end();
        } else {
            words.push(before);
            rest = after.trim_start();
        }
    }
    if from_the_end {
        words.reverse();
    }
    words
}

fn padded(own: &str, name: &str, width: usize, fill: char) -> String {
    let missing = width.saturating_sub(own.chars().count());
    let fills = |count: usize, fill: char| std::iter::repeat_n(fill, count).collect::<String>();
    match name {
        "ljust" => own.to_owned() + &fills(missing, fill),
        "rjust" => fills(missing, fill) + own,
        "zfill" => {
            let split = usize::from(own.starts_with(['-', '+']));
            let (sign, digits) = own.split_at(split);
            format!("{sign}{}{digits}", fills(missing, '0'))
        }
        _ => {
            // CPython puts the odd one on the left when the width is odd.
            let left = missing / 2 + (missing & width & 1);
            fills(left, fill) + own + &fills(missing - left, fill)
        }
    }
}

pub(crate) fn lines(own: &str, keep: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = own;
    while !rest.is_empty() {
        let at = rest.find(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']);
        let Some(at) = at else {
            lines.push(rest);
            break;
        };
        let tail = rest.get(at..).unwrap_or_default();
        let end = at
            + if tail.starts_with("\r\n") {
                2
            } else {
                tail.chars().next().map_or(1, char::len_utf8)
            };
        lines.push(rest.get(..if keep { end } else { at }).unwrap_or_default());
        rest = rest.get(end..).unwrap_or_default();
    }
    lines
}

fn tabs(own: &str, size: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for char in own.chars() {
        match char {
            '\t' if size > 0 => {
                let missing = size - column % size;
                out.extend(std::iter::repeat_n(' ', missing));
                column += missing;
            }
            '\t' => {}
            '\n' | '\r' => {
                out.push(char);
                column = 0;
            }
            char => {
                out.push(char);
                column += 1;
            }
        }
    }
    out
}

pub(crate) fn capitalize(own: &str) -> String {
    let mut chars = own.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().collect::<String>() + &chars.as_str().to_lowercase(),
        None => String::new(),
    }
}

fn title(own: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(own.len());
    for char in own.chars() {
        if inside {
            out.extend(char.to_lowercase());
        } else {
            out.extend(char.to_uppercase());
        }
        inside = char.is_alphabetic();
    }
    out
}
