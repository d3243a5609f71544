//! The methods of Python's containers: `dict` and what behaves like one, `list` and `tuple`.

use std::cell::RefCell;

use super::arguments::{Args, items, whole_or};
use super::comparison::{equal, hashable};
use super::fail::{Fail, Run};
use super::print;
use super::value::{Members, Val};

pub(crate) fn mapping<'a>(value: &Val<'a>, name: &str, args: Args<'a>) -> Run<Val<'a>> {
    let members = || value.members().unwrap_or_default();
    let key_error = |key: &Val<'a>| Fail::Value(format!("KeyError: {}", print::repr(key)));
    let immutable = || Fail::value(format_args!("{name}: the template's inputs cannot be changed"));
    match name {
        "get" => {
            let [key, default] = args.bind("get", ["key", "default"], 1)?;
            let key = key.unwrap_or(Val::None);
            hashable(&key)?;
            Ok(value.member(&key).or(default).unwrap_or(Val::None))
        }
        "keys" | "values" | "items" => {
            args.bind(name, [], 0)?;
            Ok(match name {
                "keys" => Val::View(
                    "dict_keys",
                    members()
                        .into_iter()
                        .map(|(key, _)| key)
                        .collect::<Vec<_>>()
                        .into(),
                ),
                "values" => Val::View(
                    "dict_values",
                    members()
                        .into_iter()
                        .map(|(_, value)| value)
                        .collect::<Vec<_>>()
                        .into(),
                ),
                _ => {
                    let pairs = members()
                        .into_iter()
                        .map(|(key, value)| Val::tuple(vec![key, value]));
                    Val::View("dict_items", pairs.collect::<Vec<_>>().into())
                }
            })
        }
        "copy" => Ok(Val::dict(members())),
        "fromkeys" => Err(Fail::value("fromkeys is not supported")),
        _ => {
            let Val::Dict(own) = value else {
                return Err(immutable());
            };
            match name {
                "clear" => own.borrow_mut().clear(),
                "update" => {
                    for given in &args.positional {
                        let given = given
                            .members()
                            .ok_or_else(|| Fail::Type("update() wants a dict".to_owned()))?;
                        for (key, value) in given {
                            put(value, own, key);
                        }
                    }
                    for (key, value) in args.named {
                        put(value, own, Val::str(key));
                    }
                }
                "setdefault" => {
                    let [key, default] = args.bind(name, ["key", "default"], 1)?;
                    let key = key.unwrap_or(Val::None);
                    if let Some(present) = value.member(&key) {
                        return Ok(present);
                    }
                    let default = default.unwrap_or(Val::None);
                    put(default.clone(), own, key);
                    return Ok(default);
                }
                "pop" => {
                    let [key, default] = args.bind(name, ["key", "default"], 1)?;
                    let key = key.unwrap_or(Val::None);
                    let at = own.borrow().iter().position(|(own, _)| equal(own, &key));
                    return match at {
                        Some(at) => Ok(own.borrow_mut().remove(at).1),
                        None => default.ok_or_else(|| key_error(&key)),
                    };
                }
                _ => {
                    let last = own.borrow_mut().pop();
                    return last
                        .map(|(key, value)| Val::tuple(vec![key, value]))
                        .ok_or_else(|| Fail::value("popitem(): dictionary is empty"));
                }
            }
            Ok(Val::None)
        }
    }
}

fn put<'a>(value: Val<'a>, members: &RefCell<Members<'a>>, key: Val<'a>) {
    let value = value.frozen();
    let mut members = members.borrow_mut();
    match members.iter_mut().find(|(own, _)| equal(own, &key)) {
        Some(member) => member.1 = value,
        None => members.push((key, value)),
    }
}

pub(crate) fn list<'a>(value: &Val<'a>, name: &str, args: Args<'a>) -> Run<Val<'a>> {
    let own = items(value)?;
    match name {
        "index" | "count" => {
            let [wanted, ..] = args.bind(name, ["value", "start", "stop"], 1)?;
            let wanted = wanted.unwrap_or(Val::None);
            if name == "count" {
                return Ok(Val::int(own.iter().filter(|item| equal(item, &wanted)).count()));
            }
            let at = own.iter().position(|item| equal(item, &wanted));
            return at
                .map(Val::int)
                .ok_or_else(|| Fail::value(format_args!("{} is not in list", print::repr(&wanted))));
        }
        "copy" => return Ok(Val::list(own)),
        _ => {}
    }
    let Val::List(own) = value else {
        return Err(Fail::value(format_args!(
            "{name}: the template's inputs cannot be changed"
        )));
    };
    let place = |index: i64, length: usize| -> usize {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        usize::try_from(if index < 0 {
            (index + length).max(0)
        } else {
            index.min(length)
        })
        .unwrap_or(0)
    };
    match name {
        "append" => {
            let [item] = args.bind(name, ["object"], 1)?;
            let item = item.unwrap_or(Val::None).frozen();
            own.borrow_mut().push(item);
        }
        "extend" => {
            let [more] = args.bind(name, ["iterable"], 1)?;
            let more: Vec<Val<'a>> = items(&more.unwrap_or(Val::None))?
                .iter()
                .map(Val::frozen)
                .collect();
            own.borrow_mut().extend(more);
        }
        "insert" => {
            let [index, item] = args.bind(name, ["index", "object"], 2)?;
            let item = item.unwrap_or(Val::None).frozen();
            let at = place(whole_or(&index, 0)?, own.borrow().len());
            own.borrow_mut().insert(at, item);
        }
        "pop" => {
            let [index] = args.bind(name, ["index"], 0)?;
            let index = whole_or(&index, -1)?;
            let length = own.borrow().len();
            let at = if index < 0 {
                length.checked_sub(index.unsigned_abs() as usize)
            } else {
                Some(index as usize)
            };
            return match at.filter(|at| *at < length) {
                Some(at) => Ok(own.borrow_mut().remove(at)),
                None => Err(Fail::value("pop index out of range")),
            };
        }
        "remove" => {
            let [item] = args.bind(name, ["value"], 1)?;
            let item = item.unwrap_or(Val::None);
            let at = own.borrow().iter().position(|own| equal(own, &item));
            match at {
                Some(at) => drop(own.borrow_mut().remove(at)),
                None => return Err(Fail::value("list.remove(x): x not in list")),
            }
        }
        "reverse" => own.borrow_mut().reverse(),
        "clear" => own.borrow_mut().clear(),
        _ => {
            let [key, reverse] = args.bind(name, ["key", "reverse"], 0)?;
            if key.is_some_and(|key| !matches!(key, Val::None)) {
                return Err(Fail::value("sort: a key is not supported"));
            }
            let unsorted = own.borrow().clone();
            let mut sorted = super::sequences::sorted(unsorted, |item| Ok(item.clone()))?;
            if reverse.is_some_and(|reverse| reverse.truth()) {
                sorted.reverse();
            }
            *own.borrow_mut() = sorted;
        }
    }
    Ok(Val::None)
}
