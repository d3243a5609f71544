//! The reference's own filters: hashes, base64, regular expressions.

use std::cell::RefCell;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use fancy_regex::{Captures, Regex, RegexBuilder};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Digest;

use super::arguments::{Args, string, text};
use super::fail::{Fail, Run};
use super::operators::MAX_LENGTH;
use super::value::Val;

/// Compiled expressions kept at a time.
const KEPT: usize = 64;

/// Steps back that a match may take: an expression may be written to take forever.
const BACKTRACKS: usize = 100_000;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

thread_local! {
    static EXPRESSIONS: RefCell<Vec<(String, Regex)>> = const { RefCell::new(Vec::new()) };
}

fn hexadecimal(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// `hash(value, hash_type='md5', salt=None)`.
pub(crate) fn hash<'a>(value: Val<'a>, args: Args<'a>) -> Run<Val<'a>> {
    let [kind, salt] = args.bind("hash", ["hash_type", "salt"], 0)?;
    let kind = kind.unwrap_or(Val::str("md5"));
    let mut content = string(&value);
    if let Some(salt) = salt.filter(Val::truth) {
        content.push_str(&string(&salt));
    }
    let digest = match text(&kind)? {
        "md5" => hexadecimal(md5::Md5::digest(content)),
        "sha1" => hexadecimal(sha1::Sha1::digest(content)),
        "sha224" => hexadecimal(sha2::Sha224::digest(content)),
        "sha256" => hexadecimal(sha2::Sha256::digest(content)),
        "sha384" => hexadecimal(sha2::Sha384::digest(content)),
        "sha512" => hexadecimal(sha2::Sha512::digest(content)),
        other => return Err(Fail::value(format_args!("No hashing function named {other}"))),
    };
    Ok(Val::str(digest))
}

/// `hmac(value, key, hash_type='sha256')`.
pub(crate) fn hmac<'a>(value: Val<'a>, args: Args<'a>) -> Run<Val<'a>> {
    let [key, kind] = args.bind("hmac", ["key", "hash_type"], 1)?;
    if kind.is_some_and(|kind| string(&kind) != "sha256") {
        return Err(Fail::value("hmac: sha256 is the one hash type allowed"));
    }
    let key = string(&key.unwrap_or(Val::None));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).map_err(Fail::value)?;
    mac.update(string(&value).as_bytes());
    Ok(Val::str(hexadecimal(mac.finalize().into_bytes())))
}

/// A value whose `encode` the filter calls: what has none is an `AttributeError`.
fn encodable<'v>(value: &'v Val<'_>) -> Run<&'v str> {
    match value {
        Val::Str(text) => Ok(text),
        Val::Undefined(name) => Err(Fail::undefined(name)),
        other => Err(Fail::value(format_args!(
            "'{}' object has no attribute 'encode'",
            other.type_name()
        ))),
    }
}

pub(crate) fn base64_encode<'a>(value: &Val<'a>) -> Run<Val<'a>> {
    Ok(Val::str(STANDARD.encode(encodable(value)?)))
}

/// Characters that are not base64 are skipped, as Python does.
pub(crate) fn base64_decode<'a>(value: &Val<'a>) -> Run<Val<'a>> {
    let kept = |char: &char| char.is_ascii_alphanumeric() || matches!(char, '+' | '/' | '=');
    let digits: String = encodable(value)?.chars().filter(kept).collect();
    let bytes = LENIENT
        .decode(digits)
        .map_err(|error| Fail::value(format_args!("base64: {error}")))?;
    String::from_utf8(bytes)
        .map(Val::str)
        .map_err(|_| Fail::value("base64: the content is not UTF-8"))
}

fn with_expression<T>(expression: &str, act: impl FnOnce(&Regex) -> Run<T>) -> Run<T> {
    EXPRESSIONS.with_borrow_mut(|kept| {
        let at = match kept.iter().position(|(own, _)| own == expression) {
            Some(at) => at,
            None => {
                let compiled = RegexBuilder::new(expression)
                    .backtrack_limit(BACKTRACKS)
                    .build()
                    .map_err(|error| Fail::value(format_args!("regular expression: {error}")))?;
                if kept.len() >= KEPT {
                    kept.remove(0);
                }
                kept.push((expression.to_owned(), compiled));
                kept.len() - 1
            }
        };
        match kept.get(at) {
            Some((_, compiled)) => act(compiled),
            None => Err(Fail::value("regular expression")),
        }
    })
}

/// `regex_search(value, regex)`: the first group of the first match.
pub(crate) fn regex_search<'a>(value: Val<'a>, args: Args<'a>) -> Run<Val<'a>> {
    let [expression] = args.bind("regex_search", ["regex"], 1)?;
    let expression = expression.unwrap_or(Val::None);
    with_expression(text(&expression)?, |compiled| {
        let found = compiled.captures(text(&value)?).map_err(Fail::value)?;
        Ok(match found {
            Some(groups) if groups.len() > 1 => match groups.get(1) {
                Some(group) => Val::str(group.as_str()),
                None => Val::None,
            },
            _ => Val::str(""),
        })
    })
}

/// `regex_replace(value, regex, replacement)`.
pub(crate) fn regex_replace<'a>(value: Val<'a>, args: Args<'a>) -> Run<Val<'a>> {
    let [expression, replacement] = args.bind("regex_replace", ["regex", "replacement"], 2)?;
    let (expression, replacement) = (expression.unwrap_or(Val::None), replacement.unwrap_or(Val::None));
    let replacement = text(&replacement)?;
    let own = text(&value)?;
    with_expression(text(&expression)?, |compiled| {
        let mut out = String::new();
        let mut last = 0;
        let mut from = 0;
        // An empty match counts right behind another match too, as in Python; Rust's iterators leave it out.
        while let Some(groups) = compiled.captures_from_pos(own, from).map_err(Fail::value)? {
            let Some(whole) = groups.get(0) else { break };
            out.push_str(own.get(last..whole.start()).unwrap_or_default());
            expand(&mut out, replacement, &groups);
            last = whole.end();
            from = last;
            if whole.start() == whole.end() {
                match own.get(from..).and_then(|rest| rest.chars().next()) {
                    Some(char) => from += char.len_utf8(),
                    None => break,
                }
            }
            if out.len() > MAX_LENGTH {
                return Err(Fail::value("a text grew too long"));
            }
        }
        out.push_str(own.get(last..).unwrap_or_default());
        Ok(Val::str(out))
    })
}

/// Python's replacement templates: `\1`, `\g<1>`, `\g<name>`, `\n`.
fn expand(out: &mut String, template: &str, groups: &Captures<'_, str>) {
    let group = |index: usize| groups.get(index).map_or("", |group| group.as_str());
    let mut rest = template;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at).unwrap_or_default());
        let escape = rest.get(at + 1..).unwrap_or_default();
        let digits = escape.bytes().take(2).take_while(u8::is_ascii_digit).count();
        let name = escape.strip_prefix("g<").and_then(|inner| inner.split_once('>'));
        let used = if digits > 0 {
            out.push_str(group(
                escape
                    .get(..digits)
                    .and_then(|digits| digits.parse().ok())
                    .unwrap_or(0),
            ));
            digits
        } else if let Some((name, _)) = name {
            match name.parse() {
                Ok(index) => out.push_str(group(index)),
                Err(_) => out.push_str(groups.name(name).map_or("", |group| group.as_str())),
            }
            name.len() + 3
        } else {
            match escape.chars().next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('\\') => out.push('\\'),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            }
            escape.chars().next().map_or(0, char::len_utf8)
        };
        rest = escape.get(used..).unwrap_or_default();
    }
    out.push_str(rest);
}
