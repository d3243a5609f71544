//! The documents that are made to cost much.

use serde_json::{Value, json};

pub(super) fn query(query: String) -> String {
    json!({ "query": query }).to_string()
}

fn with_variables(variables: Value) -> String {
    json!({ "query": "query ($x: JSON) { node(id: $x) { id } }", "variables": variables }).to_string()
}

pub(super) fn repeated(count: usize, unit: impl Fn(usize) -> String) -> String {
    (0..count).map(unit).collect()
}

/// Fragments that each spread the next one twice.
fn bomb(levels: usize) -> String {
    let fragments = repeated(levels, |level| {
        let next = level + 1;
        format!(" fragment F{level} on Query {{ ...F{next} ...F{next} }}")
    });
    format!("{{ ...F0 }}{fragments} fragment F{levels} on Query {{ __typename }}")
}

/// Every attack, as the text of a request.
pub(super) fn attacks() -> Vec<(&'static str, String)> {
    let nest = |open: &str, inner: &str, close: &str, depth| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let operations = repeated(1_000, |number| format!("query Q{number} {{ __typename }} "));
    let batch: Vec<Value> = vec![json!({ "query": "{ __typename }" }); 1_000];
    vec![
        (
            "alias overloading",
            query(format!(
                "{{ {} }}",
                repeated(1_000, |number| format!("a{number}: __typename "))
            )),
        ),
        (
            "aliases of a costly field",
            query(format!(
                "{{ {} }}",
                repeated(101, |number| format!("a{number}: overview {{ running }} "))
            )),
        ),
        (
            "directive overloading",
            query(format!("{{ __typename {} }}", "@include(if: true) ".repeat(900))),
        ),
        (
            "unknown directives",
            query(format!("{{ __typename {} }}", "@a".repeat(2_000))),
        ),
        (
            "field duplication",
            query(format!("{{ {} }}", "__typename ".repeat(4_000))),
        ),
        (
            "duplication in fragments",
            query(format!(
                "{{ {} }} fragment F on Query {{ {} }}",
                "...F ".repeat(100),
                "__typename ".repeat(100)
            )),
        ),
        (
            "a fragment that spreads itself",
            query("{ ...A } fragment A on Query { ...A }".to_owned()),
        ),
        (
            "circular fragments",
            query("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }".to_owned()),
        ),
        (
            "a long circle of fragments",
            query(format!(
                "{{ ...F0 }} {}",
                repeated(400, |number| format!(
                    "fragment F{number} on Query {{ ...F{} }} ",
                    (number + 1) % 400
                ))
            )),
        ),
        ("a fragment bomb", query(bomb(28))),
        (
            "a fragment bomb that nothing spreads",
            query(format!(
                "{{ __typename }} {}",
                bomb(28).split_once('}').expect("fragments").1
            )),
        ),
        ("deep nesting", query(nest("{ a ", "", "}", 2_000))),
        (
            "nesting beyond the levels alone",
            query(nest("{ a ", "", "}", 20)),
        ),
        (
            "deep inline fragments",
            query(nest("{ ... ", "{ __typename }", "}", 500)),
        ),
        (
            "a deep list",
            query(format!("{{ node(id: {}) {{ id }} }}", nest("[", "1", "]", 2_000))),
        ),
        (
            "a deep object",
            query(format!(
                "{{ node(id: {}) {{ id }} }}",
                nest("{a:", "1", "}", 2_000)
            )),
        ),
        (
            "deep types of variables",
            query(format!(
                "query ($x: {}) {{ __typename }}",
                nest("[", "Int", "]", 2_000)
            )),
        ),
        (
            "circular introspection",
            query(
                "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }"
                    .to_owned(),
            ),
        ),
        (
            "circular introspection by name",
            query(
                "{ __type(name: \"Query\") { fields { type { fields { type { fields { name } } } } } } }"
                    .to_owned(),
            ),
        ),
        ("a batch", Value::from(batch).to_string()),
        ("many operations", query(operations)),
        ("a long name", query(format!("{{ {} }}", "a".repeat(90_000)))),
        (
            "a long text",
            query(format!("{{ node(id: \"{}\") {{ id }} }}", "a".repeat(150_000))),
        ),
        (
            "escapes",
            query(format!("{{ node(id: \"{}\") {{ id }} }}", "\\\"".repeat(75_000))),
        ),
        (
            "white space",
            query(format!("{{ {} __typename }}", " \n".repeat(100_000))),
        ),
        (
            "comments",
            query(format!("{} {{ __typename }}", "#\n".repeat(45_000))),
        ),
        (
            "a long comment",
            query(format!("#{}\n{{ __typename }}", "x".repeat(150_000))),
        ),
        (
            "commas",
            query(format!("{{ {} __typename }}", ",".repeat(120_000))),
        ),
        (
            "many arguments",
            query(format!("{{ node({}) {{ id }} }}", "id: 1 ".repeat(2_000))),
        ),
        (
            "many definitions of variables",
            query(format!(
                "query ({}) {{ __typename }}",
                repeated(1_500, |number| format!("$v{number}: Int "))
            )),
        ),
        (
            "a list of many values",
            query(format!("{{ nodes(ids: [{}]) {{ id }} }}", "1 ".repeat(6_000))),
        ),
        (
            "huge variables",
            with_variables(json!({ "x": "x".repeat(3 * 1024 * 1024) })),
        ),
        (
            "a huge list in variables",
            with_variables(json!({ "x": vec![1; 50_000] })),
        ),
        (
            "a list that fills the body",
            format!(
                r#"{{"query":"{{ __typename }}","variables":{{"x":[{}1]}}}}"#,
                "1,".repeat(1_000_000)
            ),
        ),
        (
            "objects that fill the body",
            format!(
                r#"{{"query":"{{ __typename }}","variables":{{"x":[{}1]}}}}"#,
                "{},".repeat(600_000)
            ),
        ),
        (
            "keys that fill the body",
            format!(
                r#"{{"query":"{{ __typename }}","variables":{{{}"z":1}}}}"#,
                repeated(150_000, |number| format!("\"{number}\":1,"))
            ),
        ),
        (
            "deep JSON in variables",
            format!(
                r#"{{"query":"{{ __typename }}","variables":{{"x":{}}}}}"#,
                nest("[", "1", "]", 90_000)
            ),
        ),
        (
            "JSON just too deep",
            format!(
                r#"{{"query":"{{ __typename }}","variables":{{"x":{}}}}}"#,
                nest("{\"a\":", "1", "}", 200)
            ),
        ),
        (
            "values in extensions",
            format!(
                r#"{{"query":"{{ __typename }}","extensions":{{"x":[{}1]}}}}"#,
                "1,".repeat(120_000)
            ),
        ),
    ]
}
