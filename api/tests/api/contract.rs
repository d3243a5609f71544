//! schema.graphql against docs/contract.graphql: nothing that clients build on may go, change its name or
//! change its type. Adding is free, unless it asks callers for something new.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::Value as ConstValue;
use async_graphql::parser::types::{
    BaseType, InputValueDefinition, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};

use crate::schema::parsed;

/// What the contract has and the server does not serve yet, each with the reason. An entry that is served
/// after all fails the test, so the list can only shrink.
const NOT_YET: [(&str, &str); 0] = [];

type Types = BTreeMap<String, TypeDefinition>;

fn types(sdl: &str) -> Types {
    let definitions = parsed(sdl).definitions.into_iter();
    definitions
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => {
                Some((definition.node.name.node.to_string(), definition.node))
            }
            _ => None,
        })
        .collect()
}

/// What broke, and where.
#[derive(Debug, Default)]
struct Breaks(BTreeMap<String, String>);

impl Breaks {
    fn add(&mut self, place: &str, what: impl Into<String>) {
        self.0.insert(place.to_owned(), what.into());
    }
}

fn compare(promised: &Types, served: &Types) -> Breaks {
    let mut breaks = Breaks::default();
    for (name, promised) in promised {
        let Some(served) = served.get(name) else {
            breaks.add(name, "is gone");
            continue;
        };
        match (&promised.kind, &served.kind) {
            (TypeKind::Scalar, TypeKind::Scalar) => {}
            (TypeKind::Object(promised), TypeKind::Object(served)) => {
                for interface in &promised.implements {
                    if !served.implements.iter().any(|known| known.node == interface.node) {
                        breaks.add(name, format!("no longer implements {}", interface.node));
                    }
                }
                compare_fields(name, &promised.fields, &served.fields, &mut breaks);
            }
            (TypeKind::Interface(promised), TypeKind::Interface(served)) => {
                compare_fields(name, &promised.fields, &served.fields, &mut breaks);
            }
            (TypeKind::Enum(promised), TypeKind::Enum(served)) => {
                let served: BTreeSet<_> = served
                    .values
                    .iter()
                    .map(|word| word.node.value.node.as_str())
                    .collect();
                for word in &promised.values {
                    if !served.contains(word.node.value.node.as_str()) {
                        breaks.add(&format!("{name}.{}", word.node.value.node), "is gone");
                    }
                }
            }
            (TypeKind::InputObject(promised), TypeKind::InputObject(served)) => {
                let promised: Vec<_> = promised.fields.iter().map(|field| &field.node).collect();
                let served: Vec<_> = served.fields.iter().map(|field| &field.node).collect();
                compare_inputs(name, &promised, &served, &mut breaks);
            }
            _ => breaks.add(name, "is another kind of type"),
        }
    }
    breaks
}

type Fields = [async_graphql::parser::Positioned<async_graphql::parser::types::FieldDefinition>];

fn compare_fields(owner: &str, promised: &Fields, served: &Fields, breaks: &mut Breaks) {
    for promised in promised {
        let promised = &promised.node;
        let place = format!("{owner}.{}", promised.name.node);
        let Some(served) = served
            .iter()
            .find(|field| field.node.name.node == promised.name.node)
        else {
            breaks.add(&place, "is gone");
            continue;
        };
        let served = &served.node;
        if !answers_as(&promised.ty.node, &served.ty.node) {
            breaks.add(&place, format!("was {}, is {}", promised.ty.node, served.ty.node));
        }
        let promised: Vec<_> = promised.arguments.iter().map(|argument| &argument.node).collect();
        let served: Vec<_> = served.arguments.iter().map(|argument| &argument.node).collect();
        compare_inputs(&place, &promised, &served, breaks);
    }
}

fn compare_inputs(
    owner: &str,
    promised: &[&InputValueDefinition],
    served: &[&InputValueDefinition],
    breaks: &mut Breaks,
) {
    for promised in promised {
        let place = format!("{owner}.{}", promised.name.node);
        let Some(served) = served.iter().find(|input| input.name.node == promised.name.node) else {
            breaks.add(&place, "is gone");
            continue;
        };
        if !takes(&promised.ty.node, &served.ty.node) {
            breaks.add(&place, format!("was {}, is {}", promised.ty.node, served.ty.node));
        }
        let default =
            |input: &InputValueDefinition| input.default_value.as_ref().map(|value| plain(&value.node));
        if default(promised) != default(served) {
            breaks.add(
                &place,
                format!(
                    "defaulted to {:?}, defaults to {:?}",
                    default(promised),
                    default(served)
                ),
            );
        }
    }
    for served in served {
        let known = promised.iter().any(|input| input.name.node == served.name.node);
        if !known && !served.ty.node.nullable && served.default_value.is_none() {
            breaks.add(&format!("{owner}.{}", served.name.node), "is new and required");
        }
    }
}

/// 60 and 60.0 are one default.
fn plain(value: &ConstValue) -> String {
    match value {
        ConstValue::Number(number) => number.as_f64().unwrap_or(f64::NAN).to_string(),
        other => other.to_string(),
    }
}

/// Whether who expects `promised` can read `served`: what may be null may become non-null.
fn answers_as(promised: &Type, served: &Type) -> bool {
    (promised.nullable || !served.nullable)
        && match (&promised.base, &served.base) {
            (BaseType::Named(promised), BaseType::Named(served)) => promised == served,
            (BaseType::List(promised), BaseType::List(served)) => answers_as(promised, served),
            _ => false,
        }
}

/// Whether what fitted `promised` fits `served`: what was required may become optional.
fn takes(promised: &Type, served: &Type) -> bool {
    answers_as(served, promised)
}

#[test]
fn the_schema_keeps_the_contract() {
    let promised = types(include_str!("../../../docs/contract.graphql"));
    let served = types(&api::schema_sdl());
    let mut breaks = compare(&promised, &served).0;
    for (place, reason) in NOT_YET {
        assert!(
            breaks.remove(place).is_some(),
            "{place} is served: take it off the list ({reason})"
        );
    }
    assert!(breaks.is_empty(), "breaking changes: {breaks:#?}");
}

#[test]
fn every_kind_of_break_is_noticed() {
    let promised = "interface N { id: ID! } type A implements N { id: ID! a(x: Int = 1, y: Int): String! l: [Int!] } enum E { X Y } input I { a: Int b: Int }";
    let of = |served: &str| {
        compare(&types(promised), &types(served))
            .0
            .into_keys()
            .collect::<Vec<_>>()
    };
    assert_eq!(of(promised), Vec::<String>::new());
    for (from, to, place) in [
        ("type A implements N", "type A", "A"),
        ("a(x", "b(x", "A.a"),
        ("String!", "String", "A.a"),
        ("String!", "Int!", "A.a"),
        ("[Int!]", "[Int]", "A.l"),
        ("x: Int = 1", "x: Int = 2", "A.a.x"),
        ("x: Int = 1, ", "", "A.a.x"),
        ("y: Int)", "y: Int!)", "A.a.y"),
        ("y: Int)", "y: Int, z: Int!)", "A.a.z"),
        ("X Y", "X", "E.Y"),
        ("b: Int }", "b: Int! }", "I.b"),
        ("b: Int }", "b: Int c: Int! }", "I.c"),
        ("enum E { X Y }", "scalar E", "E"),
    ] {
        assert_eq!(of(&promised.replacen(from, to, 1)), [place], "{from} → {to}");
    }
}
