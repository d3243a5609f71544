//! The schema itself: printed, described, and what schema.graphql holds.

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{InputValueDefinition, ServiceDocument, TypeKind, TypeSystemDefinition};

pub(crate) fn parsed(sdl: &str) -> ServiceDocument {
    parse_schema(sdl).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_file_in_the_repository_is_what_the_code_serves() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schema.graphql");
    let held = std::fs::read_to_string(path).expect("schema.graphql is in the repository");
    assert!(
        held == api::schema_sdl(),
        "schema.graphql is stale: cargo run -p cli -- schema > schema.graphql"
    );
}

#[test]
fn built_in_directives_are_not_defined_again() {
    let sdl = api::schema_sdl();
    assert!(!sdl.contains("directive @"), "{sdl}");
}

#[test]
fn everything_has_a_description() {
    let mut bare = Vec::new();
    let mut look = |described: bool, place: String| {
        if !described {
            bare.push(place);
        }
    };
    for definition in parsed(&api::schema_sdl()).definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let (definition, name) = (&definition.node, definition.node.name.node.as_str());
        look(definition.description.is_some(), name.to_owned());
        let fields = match &definition.kind {
            TypeKind::Object(object) => &object.fields,
            TypeKind::Interface(interface) => &interface.fields,
            TypeKind::InputObject(input) => {
                for field in &input.fields {
                    look(field.node.description.is_some(), place(name, &field.node));
                }
                continue;
            }
            TypeKind::Enum(words) => {
                for word in &words.values {
                    look(
                        word.node.description.is_some(),
                        format!("{name}.{}", word.node.value.node),
                    );
                }
                continue;
            }
            TypeKind::Scalar | TypeKind::Union(_) => continue,
        };
        for field in fields {
            let field = &field.node;
            look(field.description.is_some(), format!("{name}.{}", field.name.node));
            for argument in &field.arguments {
                look(
                    argument.node.description.is_some(),
                    place(&format!("{name}.{}", field.name.node), &argument.node),
                );
            }
        }
    }
    assert!(bare.is_empty(), "without a description: {bare:#?}");
}

fn place(owner: &str, value: &InputValueDefinition) -> String {
    format!("{owner}.{}", value.name.node)
}
