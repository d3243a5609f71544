//! The schema: the types, held together, with the library's limits set.

use async_graphql::SDLExportOptions;
use engine::Engine;
use engine::integrations::Integration;
use engine::runs::SyncRun;
use engine::watch::Watched;

use super::limits::{Limits, MAX_DIRECTIVES_OF_A_FIELD};
use super::mutation::Mutation;
use super::query::Query;
use super::subscription::{Subscription, Values};

pub(super) type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

type Builder = async_graphql::SchemaBuilder<Query, Mutation, Subscription>;

/// The schema, over an engine when it is to be executed and not only printed.
pub(super) fn build(engine: Option<Engine>, limits: &Limits) -> Schema {
    build_with(limits, |builder| match engine {
        Some(engine) => builder
            .data(engine)
            .data(Watched::default())
            .data(Values::<SyncRun>::default())
            .data(Values::<Integration>::default()),
        None => builder,
    })
}

/// The schema with something more.
pub(super) fn build_with(limits: &Limits, more: impl FnOnce(Builder) -> Builder) -> Schema {
    let mut builder = Schema::build(Query::default(), Mutation::default(), Subscription)
        .limit_complexity(limits.query_complexity)
        .limit_depth(usize::try_from(limits.query_depth).unwrap_or(usize::MAX))
        .limit_recursive_depth(limits.query_nesting)
        .limit_directives(MAX_DIRECTIVES_OF_A_FIELD);
    if !limits.suggestions {
        builder = builder.disable_suggestions();
    }
    if !limits.introspection {
        builder = builder.disable_introspection();
    }
    more(builder).finish()
}

/// The schema's definition, as `syncline schema` prints it and schema.graphql holds it.
#[must_use]
pub fn schema_sdl() -> String {
    let options = SDLExportOptions::new()
        .prefer_single_line_descriptions()
        .include_specified_by();
    let printed = build(None, &Limits::default()).sdl_with_options(options.use_space_ident().indent_width(2));
    without_builtin_directives(&printed)
}

/// The library prints the definitions of the directives that every GraphQL server has; linters and code
/// generators take that for an attempt to redefine them.
fn without_builtin_directives(printed: &str) -> String {
    const BUILT_IN: [&str; 5] = ["@include", "@skip", "@deprecated", "@specifiedBy", "@oneOf"];
    let mut kept: Vec<&str> = Vec::new();
    for line in printed.lines().map(str::trim_end) {
        let defines = line.strip_prefix("directive ").is_some_and(|rest| {
            BUILT_IN.iter().any(|name| {
                rest.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(['(', ' ']))
            })
        });
        if defines {
            drop_description(&mut kept);
        } else if !(line.is_empty() && kept.last().is_some_and(|last| last.is_empty())) {
            kept.push(line);
        }
    }
    let mut sdl = kept.join("\n");
    sdl.push('\n');
    sdl
}

/// Takes the description back off that stands before a definition: a line in quotes, or a block.
fn drop_description(kept: &mut Vec<&str>) {
    match kept.last() {
        Some(last) if *last == "\"\"\"" => {
            kept.pop();
            while kept.pop().is_some_and(|line| line != "\"\"\"") {}
        }
        Some(last) if last.starts_with('"') => {
            kept.pop();
        }
        _ => {}
    }
}
