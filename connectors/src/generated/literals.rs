//! Texts that look like Python's literals, whole and broken: what a template without braces is read as.

use serde_json::{Value, json};

use super::{Chooser, cases, compare, python};
use crate::template::Template;
use crate::template::tests::{outcome, with_scope};

const SCRIPT: &str = r#"
import ast, json, sys, warnings
warnings.simplefilter("ignore")

def plain(value):
    # JSON's numbers are 64 bits here; what is larger stays a text.
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise OverflowError
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise OverflowError
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): plain(item) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise OverflowError

for line in sys.stdin:
    text = json.loads(line)
    try:
        answer = {"ok": plain(ast.literal_eval(text))}
    except OverflowError:
        answer = "no JSON"
    except Exception:
        answer = {"ok": text}
    print(json.dumps(answer))
"#;

const ATOMS: [&str; 40] = [
    "0",
    "1",
    "-1",
    "+7",
    "007",
    "00",
    "1_000",
    "1__0",
    "_1",
    "0x1F",
    "0o17",
    "0b101",
    "1.5",
    "1.",
    ".5",
    "-.5e3",
    "1e5",
    "1E-3",
    "1e400",
    "12345678901234567890",
    "None",
    "True",
    "False",
    "none",
    "true",
    "'a'",
    "\"b\"",
    "'it''s'",
    "'\\n'",
    "'\\x41'",
    "'\\u00e9'",
    "r'\\n'",
    "'''t'''",
    "u'x'",
    "b'x'",
    "1j",
    "- 1",
    "--1",
    "not 1",
    "abc",
];

fn literal(choose: &Chooser, depth: usize) -> String {
    if depth == 0 || choose.once_in(2) {
        return (*choose.one(&ATOMS)).to_owned();
    }
    let items: Vec<String> = (0..choose.below(4)).map(|_| literal(choose, depth - 1)).collect();
    let comma = if choose.once_in(4) { "," } else { "" };
    match choose.below(5) {
        0 => format!("[{}{comma}]", items.join(", ")),
        1 => format!("({}{comma})", items.join(",")),
        2 => format!("({})", literal(choose, depth - 1)),
        3 => {
            let pairs: Vec<String> = items
                .iter()
                .enumerate()
                .map(|(at, item)| format!("'k{at}': {item}"))
                .collect();
            format!("{{{}{comma}}}", pairs.join(", "))
        }
        _ => items.join(" "),
    }
}

/// With a character more, less or in another place.
fn broken(choose: &Chooser, literal: String) -> String {
    let mut characters: Vec<char> = literal.chars().collect();
    let place = choose.below(characters.len() + 1);
    match choose.below(3) {
        0 => characters.insert(
            place,
            *choose.one(&['(', ']', ',', '\'', ' ', '-', '.', ':', '\\', '#']),
        ),
        1 if place < characters.len() => drop(characters.remove(place)),
        _ => {}
    }
    characters.into_iter().collect()
}

#[test]
fn generated_literals_are_read_as_python_reads_them() {
    let choose = Chooser::new();
    let texts: Vec<String> = (0..cases(6_000))
        .map(|_| literal(&choose, 3))
        .map(|text| {
            if choose.once_in(3) {
                broken(&choose, text)
            } else {
                text
            }
        })
        // Braces of these kinds begin a template.
        .filter(|text| !text.is_empty() && ["{{", "{%", "{#"].iter().all(|begin| !text.contains(begin)))
        .collect();
    let asked: Vec<Value> = texts.iter().map(|text| json!(text)).collect();
    let Some(answers) = python(SCRIPT, &asked) else {
        return;
    };
    let compared = texts
        .iter()
        .zip(answers)
        .filter(|(_, theirs)| theirs != "no JSON");
    compare(
        choose.seed,
        compared.map(|(text, theirs)| {
            let template = Template::parse(text).unwrap();
            let ours = with_scope(&json!({}), |scope| outcome(template.evaluate(&scope)));
            (format!("{text:?}"), ours, theirs)
        }),
    );
}
