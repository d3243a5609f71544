//! Paths into records that are being changed: what AddFields writes and RemoveFields takes away.
//!
//! A path's parts are literal names when writing; when removing they may be shell patterns, because the
//! reference hands them to a globbing library.

use serde_json::{Map, Value};

/// Writes a value, making what is missing on the way: an array where the next part is a number, else an
/// object.
pub(crate) fn write(target: &mut Value, path: &[String], value: Value) {
    let Some((part, rest)) = path.split_first() else {
        *target = value;
        return;
    };
    if let Value::Array(items) = target
        && let Ok(index) = part.parse::<usize>()
        && index < MAX_INDEX
    {
        if items.len() <= index {
            items.resize(index + 1, Value::Null);
        }
        return descend(&mut items[index], rest, value);
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(fields) = target {
        descend(fields.entry(part.clone()).or_insert(Value::Null), rest, value);
    }
}

/// An index that a manifest may write to; beyond it is a mistake that would cost memory.
const MAX_INDEX: usize = 10_000;

fn descend(slot: &mut Value, rest: &[String], value: Value) {
    if let Some(next) = rest.first()
        && !slot.is_object()
        && !slot.is_array()
    {
        *slot = if next.parse::<usize>().is_ok() {
            Value::Array(Vec::new())
        } else {
            Value::Object(Map::new())
        };
    }
    write(slot, rest, value);
}

/// Removes what the path names. An array's last element goes, one before it becomes null, so that the others
/// keep their places; `**` stands for any number of parts, none included.
pub(crate) fn remove(target: &mut Value, path: &[String]) {
    let Some((part, rest)) = path.split_first() else {
        return;
    };
    if part == "**" {
        remove(target, rest);
        each_child(target, &mut |_, child| remove(child, path));
        return;
    }
    if rest.is_empty() {
        retain(target, &mut |name, _| !matches(part, name));
    } else {
        each_child(target, &mut |name, child| {
            if matches(part, name) {
                remove(child, rest);
            }
        });
    }
}

/// Removes every scalar that the condition names, wherever it is: what a conditional RemoveFields does in the
/// reference, whose globbing library then ignores the path.
pub(crate) fn remove_leaves(target: &mut Value, condition: &mut dyn FnMut(&Value) -> bool) {
    retain(target, &mut |_, value| {
        value.is_object() || value.is_array() || !condition(value)
    });
    each_child(target, &mut |_, child| remove_leaves(child, condition));
}

fn each_child(target: &mut Value, visit: &mut dyn FnMut(&str, &mut Value)) {
    match target {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, child)| visit(name, child)),
        Value::Array(items) => {
            items
                .iter_mut()
                .enumerate()
                .for_each(|(index, child)| visit(&index.to_string(), child));
        }
        _ => {}
    }
}

fn retain(target: &mut Value, keep: &mut dyn FnMut(&str, &Value) -> bool) {
    match target {
        Value::Object(fields) => fields.retain(|name, value| keep(name, value)),
        Value::Array(items) => {
            for index in (0..items.len()).rev() {
                if keep(&index.to_string(), &items[index]) {
                    continue;
                }
                if index + 1 == items.len() {
                    items.pop();
                } else {
                    items[index] = Value::Null;
                }
            }
        }
        _ => {}
    }
}

/// Shell patterns: `*`, `?` and `[…]`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    if !pattern.contains(['*', '?', '[']) {
        return pattern == name;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    glob(&pattern, &name)
}

/// Linear in the worst case that matters: only the last `*` is ever tried again.
fn glob(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => class(pattern, p, name[n]),
            Some(literal) if *literal == name[n] => Some(p + 1),
            _ => None,
        };
        match (step, retry) {
            (Some(next), _) => {
                p = next;
                n += 1;
            }
            (None, Some((after, from))) => {
                p = after;
                n = from + 1;
                retry = Some((after, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}

/// A character class at `at`; where it ends when it matches. An unclosed bracket is a literal one.
fn class(pattern: &[char], at: usize, character: char) -> Option<usize> {
    let negated = pattern.get(at + 1) == Some(&'!');
    let first = at + 1 + usize::from(negated);
    let Some(length) = pattern
        .get(first + 1..)
        .and_then(|rest| rest.iter().position(|c| *c == ']'))
    else {
        return (character == '[').then_some(at + 1);
    };
    let end = first + 1 + length;
    let members = &pattern[first..end];
    let mut found = false;
    let mut index = 0;
    while index < members.len() {
        if members.get(index + 1) == Some(&'-') && index + 2 < members.len() {
            found |= (members[index]..=members[index + 2]).contains(&character);
            index += 3;
        } else {
            found |= members[index] == character;
            index += 1;
        }
    }
    (found != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('/').map(ToOwned::to_owned).collect()
    }

    #[test]
    fn writing_makes_the_way() {
        let mut record = json!({"a": 1});
        write(&mut record, &path("b/c"), json!(2));
        write(&mut record, &path("a"), json!(3));
        write(&mut record, &path("l/2"), json!("x"));
        assert_eq!(record, json!({"a": 3, "b": {"c": 2}, "l": [null, null, "x"]}));
    }

    #[test]
    fn removing_follows_patterns() {
        let cases = [
            ("a", json!({"b": {"x": 1, "y": [1, 2]}, "c_1": 1, "c_2": 2})),
            (
                "nothing/there",
                json!({"a": 1, "b": {"x": 1, "y": [1, 2]}, "c_1": 1, "c_2": 2}),
            ),
            ("b/x", json!({"a": 1, "b": {"y": [1, 2]}, "c_1": 1, "c_2": 2})),
            (
                "b/y/0",
                json!({"a": 1, "b": {"x": 1, "y": [null, 2]}, "c_1": 1, "c_2": 2}),
            ),
            ("c_*", json!({"a": 1, "b": {"x": 1, "y": [1, 2]}})),
            ("**/x", json!({"a": 1, "b": {"y": [1, 2]}, "c_1": 1, "c_2": 2})),
        ];
        for (pointer, expected) in cases {
            let mut record = json!({"a": 1, "b": {"x": 1, "y": [1, 2]}, "c_1": 1, "c_2": 2});
            remove(&mut record, &path(pointer));
            assert_eq!(record, expected, "{pointer}");
        }
        let mut record = json!({"a": null, "b": {"c": null, "d": 2}, "e": [null, 1, null]});
        remove_leaves(&mut record, &mut Value::is_null);
        assert_eq!(record, json!({"b": {"d": 2}, "e": [null, 1]}));
    }

    #[test]
    fn patterns_are_the_shell_s() {
        for (pattern, name, expected) in [
            ("*", "x", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
            ("?", "ab", false),
            ("[a-c]1", "b1", true),
            ("[!a-c]1", "b1", false),
            ("[", "[", true),
            ("x", "xy", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
