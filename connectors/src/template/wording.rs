//! What the filters on text do: letters' case, markup, length, margins, quoting for URLs.

use super::arguments::{Args, text_or, whole_or};
use super::fail::Run;
use super::strings;
use super::value::Val;

pub(crate) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut begins = true;
    for char in text.chars() {
        if begins {
            out.extend(char.to_uppercase());
        } else {
            out.extend(char.to_lowercase());
        }
        begins = char.is_whitespace() || "-({[<".contains(char);
    }
    out
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&#39;")
        .replace('"', "&#34;")
}

pub(crate) fn strip_tags(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(rest.get(..at).unwrap_or_default());
        let tail = rest.get(at..).unwrap_or_default();
        let close = if tail.starts_with("<!--") { "-->" } else { ">" };
        match tail.find(close) {
            Some(end) => rest = tail.get(end + close.len()..).unwrap_or_default(),
            None => {
                out.push_str(tail);
                rest = "";
            }
        }
    }
    out.push_str(rest);
    let words: Vec<&str> = out.split_whitespace().collect();
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    entities
        .iter()
        .fold(words.join(" "), |text, (entity, char)| text.replace(entity, char))
}

pub(crate) fn truncate<'a>(own: &str, args: Args<'a>) -> Run<Val<'a>> {
    let [length, kill, end, leeway] = args.bind("truncate", ["length", "killwords", "end", "leeway"], 0)?;
    let length = usize::try_from(whole_or(&length, 255)?).unwrap_or(0);
    let leeway = usize::try_from(whole_or(&leeway, 5)?).unwrap_or(0);
    let end = text_or(&end, "...")?;
    if own.chars().count() <= length.saturating_add(leeway) {
        return Ok(Val::str(own));
    }
    let kept: String = own
        .chars()
        .take(length.saturating_sub(end.chars().count()))
        .collect();
    if kill.is_some_and(|kill| kill.truth()) {
        return Ok(Val::str(kept + end));
    }
    let words = kept.rsplit_once(' ').map_or(kept.as_str(), |(words, _)| words);
    Ok(Val::str(format!("{words}{end}")))
}

pub(crate) fn indent<'a>(own: &str, args: Args<'a>) -> Run<Val<'a>> {
    let [width, first, blank] = args.bind("indent", ["width", "first", "blank"], 0)?;
    let margin = match &width {
        Some(Val::Str(margin)) => margin.to_string(),
        width => " ".repeat(usize::try_from(whole_or(width, 4)?).unwrap_or(0).min(1000)),
    };
    let blank = blank.is_some_and(|blank| blank.truth());
    let mut out = String::new();
    for (index, line) in strings::lines(&format!("{own}\n"), false).into_iter().enumerate() {
        if index > 0 {
            out.push('\n');
            if blank || !line.is_empty() {
                out.push_str(&margin);
            }
        }
        out.push_str(line);
    }
    if first.is_some_and(|first| first.truth()) {
        out.insert_str(0, &margin);
    }
    Ok(Val::str(out))
}

/// `urllib.parse.quote` and `quote_plus`.
pub(crate) fn quote(text: &str, safe: &str, plus: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let char = char::from(byte);
        if char.is_ascii_alphanumeric() || "_.-~".contains(char) || char.is_ascii() && safe.contains(char) {
            out.push(char);
        } else if plus && byte == b' ' {
            out.push('+');
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
