//! The second look: how large the document is once every fragment is written out, computed without writing
//! any out. Each fragment is weighed once; a spread adds its fragment's weight.

use std::collections::HashMap;

use async_graphql::parser::Positioned;
use async_graphql::parser::types::{Directive, ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Pos};

use super::{Limits, Refusal};

/// Operations in one document, of which one runs and all are validated.
const MAX_OPERATIONS: usize = 50;
/// Introspection's lists (`fields`, `interfaces` …) inside one another: a type system is a graph, and every
/// further level multiplies the answer.
const MAX_INTROSPECTION_LISTS: u64 = 2;

/// Lets the document pass.
pub(super) fn check(
    document: &ExecutableDocument,
    limits: &Limits,
    looked_at: &mut usize,
) -> Result<(), Refusal> {
    if document.operations.iter().count() > MAX_OPERATIONS {
        return Err(Refusal::too_complex(format!(
            "The document has more than {MAX_OPERATIONS} operations"
        )));
    }
    let mut scale = Scale {
        document,
        weights: HashMap::new(),
        directives: 0,
        introspection: 0,
        looked_at,
    };
    let mut total = Weight::default();
    for (_, operation) in document.operations.iter() {
        scale.count(&operation.node.directives);
        let weight = scale.set(&operation.node.selection_set.node)?;
        total = total.beside(weight);
    }
    // Fragments nobody spreads cost validation too. Each is weighed by itself: together they may repeat one another.
    for name in document.fragments.keys() {
        let alone = scale.fragment(name, Pos::default())?;
        total = total.larger(alone);
    }
    let refuse = |what: &str, limit: u64| {
        Err(Refusal::too_complex(format!(
            "The query has more than {limit} {what} when fragments are expanded"
        )))
    };
    if total.fields > limits.query_fields {
        return refuse("fields", limits.query_fields);
    }
    if total.aliases > limits.query_aliases {
        return refuse("aliases", limits.query_aliases);
    }
    if total.depth > limits.query_depth {
        return refuse("levels", limits.query_depth);
    }
    if scale.directives > limits.query_directives {
        return refuse("directives", limits.query_directives);
    }
    if scale.introspection > MAX_INTROSPECTION_LISTS {
        return Err(Refusal::too_complex("The introspection goes in circles"));
    }
    Ok(())
}

#[derive(Debug, Default, Clone, Copy)]
struct Weight {
    fields: u64,
    aliases: u64,
    depth: u64,
    /// Introspection lists inside one another.
    lists: u64,
}

impl Weight {
    fn beside(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            aliases: self.aliases.saturating_add(other.aliases),
            depth: self.depth.max(other.depth),
            lists: self.lists.max(other.lists),
        }
    }

    fn larger(self, other: Self) -> Self {
        Self {
            fields: self.fields.max(other.fields),
            aliases: self.aliases.max(other.aliases),
            depth: self.depth.max(other.depth),
            lists: self.lists.max(other.lists),
        }
    }
}

struct Scale<'a, 'n> {
    document: &'a ExecutableDocument,
    /// `None` while a fragment is being weighed: meeting it again then is a cycle.
    weights: HashMap<&'a Name, Option<Weight>>,
    directives: u64,
    introspection: u64,
    looked_at: &'n mut usize,
}

impl<'a> Scale<'a, '_> {
    fn count(&mut self, directives: &[Positioned<Directive>]) {
        self.directives += directives.len() as u64;
    }

    fn set(&mut self, set: &'a SelectionSet) -> Result<Weight, Refusal> {
        let mut total = Weight::default();
        for selection in &set.items {
            *self.looked_at += 1;
            self.count(selection.node.directives());
            let weight = match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    let inner = self.set(&field.node.selection_set.node)?;
                    if matches!(name, "__schema" | "__type") {
                        self.introspection = self.introspection.max(inner.lists);
                    }
                    let list = matches!(name, "fields" | "interfaces" | "possibleTypes" | "inputFields");
                    Weight {
                        fields: inner.fields.saturating_add(1),
                        aliases: inner
                            .aliases
                            .saturating_add(u64::from(field.node.alias.is_some())),
                        depth: inner.depth.saturating_add(1),
                        lists: inner.lists.saturating_add(u64::from(list)),
                    }
                }
                Selection::InlineFragment(inline) => self.set(&inline.node.selection_set.node)?,
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node, spread.pos)?
                }
            };
            total = total.beside(weight);
        }
        Ok(total)
    }

    fn fragment(&mut self, name: &Name, at: Pos) -> Result<Weight, Refusal> {
        match self.weights.get(name) {
            Some(Some(weight)) => return Ok(*weight),
            Some(None) => {
                return Err(Refusal::invalid(
                    format!("Fragment \"{name}\" contains itself"),
                    Some(at),
                ));
            }
            None => {}
        }
        // Unknown fragments weigh nothing: validation names them.
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Ok(Weight::default());
        };
        self.weights.insert(name, None);
        self.count(&fragment.node.directives);
        let weight = self.set(&fragment.node.selection_set.node)?;
        self.weights.insert(name, Some(weight));
        Ok(weight)
    }
}
