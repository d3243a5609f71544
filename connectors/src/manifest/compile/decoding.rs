//! Decoders.

use super::super::component::Component;
use super::super::components::{
    Charset, Condition, CsvFormat, Decoder, DefaultPaginator, Extractor, PaginationStrategy, Text,
};
use super::super::slot::Slot;
use crate::decode;

const ALL: &[&str] = &[
    "JsonDecoder",
    "JsonItemsDecoder",
    "JsonlDecoder",
    "CsvDecoder",
    "XmlDecoder",
    "IterableDecoder",
    "GzipDecoder",
    "ZipfileDecoder",
];

/// What may be packed.
const PACKED: &[&str] = &[
    "CsvDecoder",
    "GzipDecoder",
    "JsonDecoder",
    "JsonItemsDecoder",
    "JsonlDecoder",
];

pub(super) fn decoder(slot: &Slot<'_>) -> Option<Decoder> {
    one_of(slot, ALL)
}

/// What an answer about a job may be written in: one document.
pub(super) fn document_decoder(slot: &Slot<'_>) -> Option<Decoder> {
    let decoder = decoder(slot)?;
    if decode::has_rows(&decoder) {
        slot.fault("an answer about a job is one document; use JsonDecoder or XmlDecoder here, and download_decoder for what is downloaded");
        return None;
    }
    Some(decoder)
}

/// What a login may answer with.
pub(super) fn login_decoder(slot: &Slot<'_>) -> Option<Decoder> {
    one_of(slot, &["JsonDecoder", "XmlDecoder"])
}

fn one_of(slot: &Slot<'_>, allowed: &[&str]) -> Option<Decoder> {
    let component = slot.component(allowed)?;
    component.check_fields();
    let inner = || {
        component
            .required("decoder")
            .and_then(|slot| one_of(&slot, PACKED))
            .map(Box::new)
    };
    match &*component.kind {
        "XmlDecoder" => Some(Decoder::Xml),
        "JsonlDecoder" => Some(Decoder::Jsonl),
        "IterableDecoder" => Some(Decoder::Lines),
        "CsvDecoder" => csv(&component).map(Decoder::Csv),
        "JsonItemsDecoder" => json_items(&component),
        "GzipDecoder" => inner().map(Decoder::Gzip),
        "ZipfileDecoder" => inner().map(Decoder::Zip),
        _ => Some(Decoder::Json),
    }
}

fn csv(component: &Component<'_>) -> Option<CsvFormat> {
    let charset = component.or("encoding", Charset::Utf8, charset);
    let delimiter = component.or("delimiter", b',', delimiter);
    let none = component.or("set_values_to_none", Vec::new(), Slot::literals);
    Some(CsvFormat {
        charset: charset?,
        delimiter: delimiter?,
        none: none?,
    })
}

fn json_items(component: &Component<'_>) -> Option<Decoder> {
    let path = component.required("items_path").and_then(|slot| {
        let path = slot.literal()?;
        if path.is_empty() || path.starts_with('$') || path.contains('[') {
            slot.fault(format!(
                "items_path is {path:?}; it has to be the names on the way to the array, joined by dots, such as data.users"
            ));
            return None;
        }
        Some(path)
    });
    let charset = component.or("encoding", Charset::Utf8, charset);
    Some(Decoder::JsonItems {
        path: path?,
        charset: charset?,
    })
}

fn charset(slot: &Slot<'_>) -> Option<Charset> {
    let name = slot.literal()?;
    let charset = Charset::by_name(&name);
    if charset.is_none() {
        slot.fault(format!(
            "encoding is {name:?}, which is not known here; write utf-8, latin-1, utf-16, cp1252 or another name of Python's"
        ));
    }
    charset
}

/// One ASCII character, or an escape that means one.
fn delimiter(slot: &Slot<'_>) -> Option<u8> {
    let written = slot.literal()?;
    let delimiter = match written.as_str() {
        "" => Some(b','),
        "\\t" => Some(b'\t'),
        "\\\\" => Some(b'\\'),
        one => match one.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0) => Some(*byte),
            _ => numbered(one),
        },
    };
    if delimiter.is_none() {
        slot.fault(format!(
            "delimiter is {written:?}; it has to be one ASCII character that is neither a quote nor a line end, such as \";\" or \"\\t\""
        ));
    }
    delimiter
}

/// `\x1f` and `\u001f`.
fn numbered(written: &str) -> Option<u8> {
    let digits = match (written.strip_prefix("\\x"), written.strip_prefix("\\u")) {
        (Some(digits), _) if digits.len() == 2 => digits,
        (_, Some(digits)) if digits.len() == 4 => digits,
        _ => return None,
    };
    let byte = u8::try_from(u32::from_str_radix(digits, 16).ok()?).ok()?;
    (byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0)).then_some(byte)
}

/// Refuses to look for the next page in rows, which are gone by then; `None`: it was refused. The head of the answer can
/// be looked at.
pub(super) fn refuse_paging(
    component: &Component<'_>,
    field: &str,
    decoder: &Decoder,
    paginator: Option<&DefaultPaginator>,
) -> Option<()> {
    match component.field(field) {
        Some(slot)
            if decode::has_rows(decoder)
                && slot.type_name() == Some("DefaultPaginator")
                && !paginator.is_some_and(|paginator| looks_at_the_head(&paginator.strategy)) =>
        {
            slot.fault(
                "a body that is read row by row (CSV, JSON Lines, lines, items, ZIP) cannot be paged by what is in it; \
                 use CursorPagination with templates that look at headers alone, use JsonDecoder or XmlDecoder, or \
                 leave the paginator out",
            );
            None
        }
        _ => Some(()),
    }
}

/// Refuses to look several times into what is read row by row; `None`: it was refused.
pub(super) fn refuse_combining(
    component: &Component<'_>,
    extractor: &Extractor,
    decoder: &Decoder,
) -> Option<()> {
    if matches!(extractor, Extractor::Combined { .. }) && decode::has_rows(decoder) {
        component.fault(
            "a CombinedExtractor looks several times into an answer, and one that is read row by row (CSV, JSON Lines, \
             lines, items, ZIP) passes once; use JsonDecoder or XmlDecoder",
        );
        return None;
    }
    Some(())
}

/// Whether nothing but the answer's headers tells what comes next.
fn looks_at_the_head(strategy: &PaginationStrategy) -> bool {
    let PaginationStrategy::Cursor {
        cursor_value,
        stop_condition,
        ..
    } = strategy
    else {
        return false;
    };
    let looks_further = |text: &Text| {
        ["response", "last_record", "last_page_size"]
            .into_iter()
            .any(|name| text.template.mentions(name))
    };
    !looks_further(cursor_value)
        && !matches!(stop_condition, Some(Condition::Computed(text)) if looks_further(text))
}
