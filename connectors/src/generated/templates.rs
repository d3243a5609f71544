//! Templates from a grammar: expressions of names, literals, operators, filters, tests and methods, in braces and statements.

use serde_json::{Value, json};

use super::{Chooser, cases, compare, python};
use crate::template::Template;
use crate::template::tests::{outcome, with_scope};

const SCRIPT: &str = r#"
import json, sys
from jinja2.exceptions import TemplateSyntaxError, UndefinedError
from airbyte_cdk.sources.declarative.interpolation.interpolated_string import InterpolatedString

def plain(value):
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
    case = json.loads(line)
    scope = case["scope"]
    config = scope.pop("config")
    try:
        value = InterpolatedString.create(case["t"], parameters=scope.pop("parameters", {})).eval(config, **scope)
        answer = {"ok": plain(value)}
    except TemplateSyntaxError:
        answer = "parse"
    except UndefinedError:
        answer = "undefined"
    except OverflowError:
        answer = "no JSON"
    except Exception:
        answer = "error"
    print(json.dumps(answer))
"#;

fn scope() -> Value {
    json!({
        "config": {
            "s": "Hello World", "n": 5, "f": 2.5, "z": 0, "t": true, "none": null, "l": [3, 1, 2], "ls": ["b", "a", "C"],
            "d": { "a": 1, "b": { "c": [1, 2] } }, "e": "", "el": [], "ed": {}, "num": "42", "neg": -7, "csv": "a,b,,c",
            "recs": [{ "id": 2, "n": "x" }, { "id": 1, "n": "Y" }, { "id": 3, "n": "x" }],
        },
        "parameters": { "name": "users" },
        "record": { "id": 1, "name": "n" },
        "response": { "data": [{ "id": 1 }, { "id": 2 }], "next": null },
        "last_record": null, "last_page_size": 0,
    })
}

const NAMES: [&str; 22] = [
    "config.s",
    "config['n']",
    "config.f",
    "config.z",
    "config.t",
    "config.none",
    "config.l",
    "config.ls",
    "config.d",
    "config.d.b.c",
    "config.e",
    "config.el",
    "config.num",
    "config.neg",
    "config.csv",
    "config.recs",
    "config.missing",
    "record.id",
    "record['name']",
    "response.data",
    "last_record",
    "last_page_size",
];
const LITERALS: [&str; 17] = [
    "0",
    "1",
    "-3",
    "2.5",
    "10",
    "'a'",
    "'B c'",
    "''",
    "'x,y'",
    "'7'",
    "[1, 2]",
    "['b', 'a']",
    "{'k': 1}",
    "none",
    "true",
    "false",
    "(1, 2)",
];
const OPERATORS: [&str; 16] = [
    "+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">=", "and", "or", "in", "not in", "<=",
];
const FILTERS: [&str; 30] = [
    "upper",
    "lower",
    "title",
    "capitalize",
    "trim",
    "length",
    "int",
    "float",
    "string",
    "abs",
    "round",
    "first",
    "last",
    "join(',')",
    "default('d')",
    "default('d', true)",
    "list",
    "replace('a', 'b')",
    "map(attribute='id')|list",
    "sum",
    "reverse|list",
    "sort",
    "unique|list",
    "max",
    "min",
    "int(9)",
    "round(1)",
    "join",
    "string|length",
    "selectattr('id', 'equalto', 1)|list",
];
const TESTS: [&str; 11] = [
    "defined",
    "none",
    "string",
    "number",
    "mapping",
    "iterable",
    "sequence",
    "not none",
    "undefined",
    "true",
    "boolean",
];
const METHODS: [&str; 10] = [
    ".upper()",
    ".split(',')",
    ".get('a')",
    ".strip()",
    ".startswith('H')",
    ".keys()|list",
    ".items()|list",
    "[0]",
    "[-1]",
    "['a']",
];

fn expression(choose: &Chooser, depth: usize) -> String {
    if depth == 0 || choose.once_in(5) {
        let leaves: &[&str] = if choose.once_in(3) { &LITERALS } else { &NAMES };
        return (*choose.one(leaves)).to_owned();
    }
    let inner = || expression(choose, depth - 1);
    match choose.below(9) {
        0..=2 => format!("({} {} {})", inner(), choose.one(&OPERATORS), inner()),
        3 | 4 => format!("({})|{}", inner(), choose.one(&FILTERS)),
        5 => format!("({} if {} else {})", inner(), inner(), inner()),
        6 => format!("({} is {})", inner(), choose.one(&TESTS)),
        7 => format!("({}){}", inner(), choose.one(&METHODS)),
        _ => format!("[{}, {}]", inner(), inner()),
    }
}

fn template(choose: &Chooser) -> String {
    let one = || expression(choose, choose.below(4));
    match choose.below(8) {
        0 => format!("a{{{{ {} }}}}b{{{{ {} }}}}", one(), one()),
        1 => format!(
            "{{% if {} %}}x{{% else %}}{{{{ {} }}}}{{% endif %}}",
            one(),
            one()
        ),
        2 => format!(
            "{{% for i in {} %}}{{{{ i }}}},{{{{ loop.index }}}};{{% endfor %}}",
            one()
        ),
        3 => format!("{{% set v = {} %}}{{{{ v }}}}{{{{ v|string }}}}", one()),
        _ => format!("{{{{ {} }}}}", one()),
    }
}

#[test]
fn generated_templates_give_what_python_gives() {
    let (choose, scope) = (Chooser::new(), scope());
    let templates: Vec<String> = (0..cases(4_000)).map(|_| template(&choose)).collect();
    let asked: Vec<Value> = templates
        .iter()
        .map(|source| json!({ "t": source, "scope": scope }))
        .collect();
    let Some(answers) = python(SCRIPT, &asked) else {
        return;
    };
    let compared = templates
        .iter()
        .zip(answers)
        .filter(|(_, theirs)| theirs != "no JSON");
    compare(
        choose.seed,
        compared.map(|(source, theirs)| {
            let ours = match Template::parse(source) {
                Ok(template) => with_scope(&scope, |scope| outcome(template.evaluate(&scope))),
                Err(_) => "parse".into(),
            };
            (source.clone(), ours, theirs)
        }),
    );
}
