//! Which operation runs, and what it needs: the rules that the library leaves out or checks too late.

use std::collections::HashMap;

use async_graphql::parser::Positioned;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection,
    SelectionSet,
};
use async_graphql::{Name, Value, Variables};

use super::Refusal;

/// The operation that the request names, or the only one.
pub(super) fn choose<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a Positioned<OperationDefinition>, Refusal> {
    let unknown = |name: &str| Refusal::invalid(format!("There is no operation named \"{name}\""), None);
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(operation),
        (DocumentOperations::Single(_), Some(name)) => Err(unknown(name)),
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get(name).ok_or_else(|| unknown(name))
        }
        (DocumentOperations::Multiple(operations), None) => {
            let mut all = operations.values();
            match (all.next(), all.next()) {
                (Some(only), None) => Ok(only),
                _ => Err(Refusal::invalid(
                    "The document has several operations: name one",
                    None,
                )),
            }
        }
    }
}

/// The field's name, where the operation asks for one field and nothing else.
pub(super) fn only_field(operation: &OperationDefinition) -> Option<Name> {
    match operation.selection_set.node.items.as_slice() {
        [
            Positioned {
                node: Selection::Field(field),
                ..
            },
        ] => Some(field.node.name.node.clone()),
        _ => None,
    }
}

/// A missing required variable must stop everything: the library would notice it in the resolver that uses
/// it, when a mutation's earlier fields have already run.
pub(super) fn require_variables(
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), Refusal> {
    for definition in &operation.variable_definitions {
        let (name, wanted) = (&definition.node.name.node, &definition.node.var_type.node);
        if wanted.nullable {
            continue;
        }
        let fault = match variables.get(name) {
            None if definition.node.default_value.is_some() => continue,
            None => "was not given",
            Some(Value::Null) => "must not be null",
            Some(_) => continue,
        };
        let message = format!("Variable \"${name}\" of type \"{wanted}\" {fault}");
        return Err(Refusal::invalid(message, Some(definition.pos)));
    }
    Ok(())
}

/// A subscription has one root field, also when it stands in a fragment; the library would open a stream for
/// each field, and none for a fragment's. Where fragments stand at the root, the document is reduced to
/// the one operation with its field written out, and the fragments that it still reaches.
pub(super) fn single_root(document: &mut ExecutableDocument, name: Option<&str>) -> Result<(), Refusal> {
    let operation = choose(document, name)?;
    let mut fields = Vec::new();
    collect(
        &operation.node.selection_set.node,
        &document.fragments,
        &mut fields,
    );
    let [field] = fields[..] else {
        return Err(Refusal::invalid(
            "A subscription selects exactly one field at its root",
            Some(operation.pos),
        ));
    };
    if field.node.name.node.starts_with("__") {
        return Err(Refusal::invalid(
            "A subscription cannot select introspection at its root",
            Some(field.pos),
        ));
    }
    if operation.node.selection_set.node.items.len() == 1
        && matches!(
            operation.node.selection_set.node.items[0].node,
            Selection::Field(_)
        )
    {
        return Ok(());
    }
    let mut operation = operation.clone();
    operation.node.selection_set.node.items =
        vec![Positioned::new(Selection::Field(field.clone()), field.pos)];
    let mut reached = HashMap::new();
    reach(
        &operation.node.selection_set.node,
        &document.fragments,
        &mut reached,
    );
    document.fragments = reached;
    document.operations = match name {
        Some(name) => DocumentOperations::Multiple(HashMap::from([(Name::new(name), operation)])),
        None => DocumentOperations::Single(operation),
    };
    Ok(())
}

type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

fn collect<'a>(set: &'a SelectionSet, fragments: &'a Fragments, into: &mut Vec<&'a Positioned<Field>>) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => into.push(field),
            Selection::InlineFragment(inline) => collect(&inline.node.selection_set.node, fragments, into),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                    collect(&fragment.node.selection_set.node, fragments, into);
                }
            }
        }
    }
}

fn reach(set: &SelectionSet, fragments: &Fragments, reached: &mut Fragments) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => reach(&field.node.selection_set.node, fragments, reached),
            Selection::InlineFragment(inline) => reach(&inline.node.selection_set.node, fragments, reached),
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                if let Some(fragment) = fragments.get(name)
                    && !reached.contains_key(name)
                {
                    reached.insert(name.clone(), fragment.clone());
                    reach(&fragment.node.selection_set.node, fragments, reached);
                }
            }
        }
    }
}
