//! Jinja2's filters on sequences and mappings.

use super::arguments::{Args, items, string, text, text_or, whole};
use super::ast::{Comparison, Operator};
use super::comparison::{compare, equal, hashable};
use super::fail::{Fail, Run};
use super::operators::{MAX_LENGTH, binary};
use super::predicates;
use super::sequences::{by_path, sorted};
use super::value::{Members, Val};

pub(crate) const NAMES: [&str; 23] = [
    "batch",
    "count",
    "dictsort",
    "first",
    "groupby",
    "items",
    "join",
    "last",
    "length",
    "list",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "slice",
    "sort",
    "sum",
    "unique",
    "random",
];

pub(crate) fn apply<'a>(name: &str, value: Val<'a>, args: Args<'a>) -> Run<Val<'a>> {
    match name {
        "length" | "count" => {
            args.bind(name, [], 0)?;
            let length = value.length();
            let missing = || Fail::Type(format!("object of type '{}' has no len()", value.type_name()));
            length.map(Val::int).ok_or_else(missing)
        }
        "list" => {
            args.bind(name, [], 0)?;
            items(&value).map(Val::list)
        }
        "first" => {
            args.bind(name, [], 0)?;
            let first = items(&value)?.into_iter().next();
            Ok(first.unwrap_or_else(|| Val::undefined("the first item of an empty sequence")))
        }
        "last" => {
            args.bind(name, [], 0)?;
            if matches!(value, Val::Generator(_)) {
                return Err(Fail::Type("'generator' object is not reversible".to_owned()));
            }
            let last = items(&value)?.pop();
            Ok(last.unwrap_or_else(|| Val::undefined("the last item of an empty sequence")))
        }
        "random" => {
            args.bind(name, [], 0)?;
            let first = items(&value)?.into_iter().next();
            Ok(first.unwrap_or_else(|| Val::undefined("an item of an empty sequence")))
        }
        "reverse" => {
            args.bind(name, [], 0)?;
            if let Val::Str(text) = &value {
                return Ok(Val::str(text.chars().rev().collect::<String>()));
            }
            let mut own = value
                .items()
                .ok_or_else(|| Fail::value("argument must be iterable"))?;
            own.reverse();
            Ok(Val::generator(own))
        }
        "items" => {
            args.bind(name, [], 0)?;
            if matches!(value, Val::Undefined(_)) {
                return Ok(Val::generator(Vec::new()));
            }
            let members = value
                .members()
                .ok_or_else(|| Fail::Type("Can only get item pairs from a mapping.".to_owned()))?;
            Ok(Val::generator(pairs(members)))
        }
        "join" => join(&value, args),
        "sum" => {
            let [attribute, start] = args.bind(name, ["attribute", "start"], 0)?;
            let mut total = start.unwrap_or(Val::Int(0));
            for item in by_attribute(items(&value)?, attribute.as_ref())? {
                total = binary(Operator::Add, &total, &item)?;
            }
            Ok(total)
        }
        "max" | "min" => {
            let [sensitive, attribute] = args.bind(name, ["case_sensitive", "attribute"], 0)?;
            let sensitive = sensitive.is_some_and(|sensitive| sensitive.truth());
            let mut best: Option<(Val<'a>, Val<'a>)> = None;
            for item in items(&value)? {
                let key = sort_key(&item, attribute.as_ref(), sensitive)?;
                let comparison = if name == "max" {
                    Comparison::Greater
                } else {
                    Comparison::Less
                };
                let better = match &best {
                    None => true,
                    Some((_, own)) => compare(comparison, &key, own)?,
                };
                if better {
                    best = Some((item, key));
                }
            }
            Ok(best.map_or_else(
                || Val::undefined("an item of an empty sequence"),
                |(item, _)| item,
            ))
        }
        "sort" => {
            let [reverse, sensitive, attribute] =
                args.bind(name, ["reverse", "case_sensitive", "attribute"], 0)?;
            let sensitive = sensitive.is_some_and(|sensitive| sensitive.truth());
            let mut own = items(&value)?;
            let reverse = reverse.is_some_and(|reverse| reverse.truth());
            // Python sorts backwards stably too.
            if reverse {
                own.reverse();
            }
            // Several attributes make a list of keys, and so does one: lists compare equal where both are undefined.
            let paths = match &attribute {
                Some(Val::Str(paths)) => paths.split(',').map(Val::str).collect(),
                Some(other) => vec![other.clone()],
                None => vec![Val::None],
            };
            let keys = |item: &Val<'a>| -> Run<Val<'a>> {
                let keys = paths.iter().map(|path| sort_key(item, Some(path), sensitive));
                keys.collect::<Run<_>>().map(Val::list)
            };
            let mut own = sorted(own, keys)?;
            if reverse {
                own.reverse();
            }
            Ok(Val::list(own))
        }
        "unique" => {
            let [sensitive, attribute] = args.bind(name, ["case_sensitive", "attribute"], 0)?;
            let sensitive = sensitive.is_some_and(|sensitive| sensitive.truth());
            let mut seen: Vec<Val<'a>> = Vec::new();
            let mut own = Vec::new();
            for item in items(&value)? {
                let key = sort_key(&item, attribute.as_ref(), sensitive)?;
                hashable(&key)?;
                if !seen.iter().any(|seen| equal(seen, &key)) {
                    seen.push(key);
                    own.push(item);
                }
            }
            Ok(Val::generator(own))
        }
        "dictsort" => {
            let [sensitive, by, reverse] = args.bind(name, ["case_sensitive", "by", "reverse"], 0)?;
            let sensitive = sensitive.is_some_and(|sensitive| sensitive.truth());
            let place = Val::Int(i128::from(text_or(&by, "key")? == "value"));
            let members = value
                .members()
                .ok_or_else(|| Fail::value("dictsort wants a mapping"))?;
            let mut own = sorted(pairs(members), |item| sort_key(item, Some(&place), sensitive))?;
            if reverse.is_some_and(|reverse| reverse.truth()) {
                own.reverse();
            }
            Ok(Val::list(own))
        }
        "groupby" => {
            let [attribute, default, sensitive] =
                args.bind(name, ["attribute", "default", "case_sensitive"], 1)?;
            let sensitive = sensitive.is_some_and(|sensitive| sensitive.truth());
            let default = default.filter(|default| !matches!(default, Val::None));
            let found =
                |item: &Val<'a>| by_path(item, attribute.as_ref().unwrap_or(&Val::None), default.as_ref());
            let key = |item: &Val<'a>| sort_key(&found(item)?, None, sensitive);
            let mut groups: Vec<(Val<'a>, Vec<Val<'a>>)> = Vec::new();
            for item in sorted(items(&value)?, key)? {
                let key = key(&item)?;
                match groups.last_mut() {
                    Some((own, group)) if equal(own, &key) => group.push(item),
                    _ => groups.push((key, vec![item])),
                }
            }
            // A group is called what its first item calls it.
            let named = groups.into_iter().map(|(_, group)| {
                let name = group.first().map_or(Ok(Val::None), found)?;
                Ok(Val::tuple(vec![name, Val::list(group)]))
            });
            named.collect::<Run<_>>().map(Val::list)
        }
        "batch" => {
            let [size, fill] = args.bind(name, ["linecount", "fill_with"], 1)?;
            let size = usize::try_from(whole(&size.unwrap_or(Val::None))?)
                .unwrap_or(0)
                .clamp(1, MAX_LENGTH);
            let own = items(&value)?;
            let rows = own.chunks(size).map(|row| {
                let mut row = row.to_vec();
                if let Some(fill) = fill.as_ref().filter(|fill| !matches!(fill, Val::None)) {
                    row.resize(size.min(MAX_LENGTH), fill.clone());
                }
                Val::list(row)
            });
            Ok(Val::generator(rows.collect()))
        }
        "slice" => {
            let [slices, fill] = args.bind(name, ["slices", "fill_with"], 1)?;
            let slices = usize::try_from(whole(&slices.unwrap_or(Val::None))?)
                .unwrap_or(0)
                .clamp(1, 10_000);
            let own = items(&value)?;
            let (each, longer) = (own.len() / slices, own.len() % slices);
            let mut rest = own.as_slice();
            let mut columns = Vec::new();
            for index in 0..slices {
                let (column, after) = rest.split_at((each + usize::from(index < longer)).min(rest.len()));
                let mut column = column.to_vec();
                if let Some(fill) = fill
                    .as_ref()
                    .filter(|fill| !matches!(fill, Val::None) && index >= longer && longer > 0)
                {
                    column.push(fill.clone());
                }
                columns.push(Val::list(column));
                rest = after;
            }
            Ok(Val::generator(columns))
        }
        "map" => map(&value, args),
        _ => select(name, &value, args),
    }
}

fn pairs<'a>(members: Members<'a>) -> Vec<Val<'a>> {
    members
        .into_iter()
        .map(|(key, value)| Val::tuple(vec![key, value]))
        .collect()
}

fn by_attribute<'a>(items: Vec<Val<'a>>, attribute: Option<&Val<'a>>) -> Run<Vec<Val<'a>>> {
    match attribute {
        None | Some(Val::None) => Ok(items),
        Some(path) => items.iter().map(|item| by_path(item, path, None)).collect(),
    }
}

/// What is compared when sorting: an attribute, and texts without their case.
fn sort_key<'a>(item: &Val<'a>, attribute: Option<&Val<'a>>, sensitive: bool) -> Run<Val<'a>> {
    let key = match attribute {
        None | Some(Val::None) => item.clone(),
        Some(path) => by_path(item, path, None)?,
    };
    Ok(match key {
        Val::Str(text) if !sensitive => Val::str(text.to_lowercase()),
        other => other,
    })
}

fn join<'a>(value: &Val<'a>, args: Args<'a>) -> Run<Val<'a>> {
    let [separator, attribute] = args.bind("join", ["d", "attribute"], 0)?;
    let separator = separator.map(|separator| string(&separator)).unwrap_or_default();
    let mut out = String::new();
    for (index, item) in by_attribute(items(value)?, attribute.as_ref())?
        .iter()
        .enumerate()
    {
        if index > 0 {
            out.push_str(&separator);
        }
        super::print::display(&mut out, item);
        if out.len() > MAX_LENGTH {
            return Err(Fail::value("a text grew too long"));
        }
    }
    Ok(Val::str(out))
}

fn map<'a>(value: &Val<'a>, mut args: Args<'a>) -> Run<Val<'a>> {
    if matches!(value, Val::None) || !value.truth() {
        return Ok(Val::generator(Vec::new()));
    }
    let own = items(value)?;
    let attribute = args.named.iter().position(|(name, _)| name == "attribute");
    if let (Some(at), true) = (attribute, args.positional.is_empty()) {
        let (_, path) = args.named.remove(at);
        let default = args
            .named
            .iter()
            .find(|(name, _)| name == "default")
            .map(|(_, value)| value.clone());
        let default = default.filter(|default| !matches!(default, Val::None));
        let mapped = own.iter().map(|item| by_path(item, &path, default.as_ref()));
        return mapped.collect::<Run<_>>().map(Val::generator);
    }
    if args.positional.is_empty() {
        return Err(Fail::value("map requires a filter argument"));
    }
    let filter = args.positional.remove(0);
    let filter = text(&filter)?;
    if !super::filters::exists(filter) {
        return Err(Fail::value(format_args!("No filter named '{filter}'.")));
    }
    own.into_iter()
        .map(|item| super::filters::apply(filter, item, args.clone()))
        .collect::<Run<_>>()
        .map(Val::generator)
}

fn select<'a>(name: &str, value: &Val<'a>, mut args: Args<'a>) -> Run<Val<'a>> {
    if !value.truth() && !matches!(value, Val::Generator(_)) {
        return Ok(Val::generator(Vec::new()));
    }
    let wanted = name.starts_with("select");
    let path = if name.ends_with("attr") {
        if args.positional.is_empty() {
            return Err(Fail::value("missing parameter for attribute name"));
        }
        Some(args.positional.remove(0))
    } else {
        None
    };
    let test = if args.positional.is_empty() {
        None
    } else {
        Some(args.positional.remove(0))
    };
    let mut own = Vec::new();
    for item in items(value)? {
        let subject = match &path {
            Some(path) => by_path(&item, path, None)?,
            None => item.clone(),
        };
        let passes = match &test {
            Some(test) => predicates::apply(text(test)?, &subject, args.clone())?,
            None => subject.truth(),
        };
        if passes == wanted {
            own.push(item);
        }
    }
    Ok(Val::generator(own))
}
