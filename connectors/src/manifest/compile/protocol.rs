//! The bodies of `GraphqlRequester`, and what follows from one for its stream.

use super::super::component::Component;
use super::super::components::{
    DefaultPaginator, GraphqlOperation, InjectInto, JsonTemplate, PageTokenOption, PaginationStrategy,
    PartialData, RequestBody, RequestField, RequestOption, Text,
};
use super::super::document::Kind;
use super::values::json_template;

/// The variable that GraphQL's connections take a page token in.
const AFTER: &str = "after";

pub(super) fn graphql(component: &Component<'_>) -> Option<RequestBody> {
    let query = component.required("query").and_then(|slot| slot.text());
    let operation_name = component.optional_text("operation_name");
    let variables = component.or("variables", JsonTemplate::Object(Vec::new()), |slot| {
        if !matches!(slot.node.kind, Kind::Map(_) | Kind::Text(_)) {
            slot.fault(format!(
                "variables has to be a mapping, or a template that gives one, not {}",
                slot.node.describe()
            ));
            return None;
        }
        json_template(slot)
    });
    let partial_data = component.or("partial_data", PartialData::Fail, |slot| {
        slot.word(&[("FAIL", PartialData::Fail), ("ACCEPT", PartialData::Accept)])
    });
    Some(RequestBody::Graphql(Box::new(GraphqlOperation {
        query: query?,
        operation_name: operation_name?,
        variables: variables?,
        partial_data: partial_data?,
    })))
}

/// The paginator of a GraphQL stream that names none: a query that takes `$after` pages as Relay does.
pub(super) fn relay_by_default(component: &Component<'_>, body: &RequestBody) -> Option<DefaultPaginator> {
    let RequestBody::Graphql(operation) = body else {
        return None;
    };
    if !takes(operation.query.source(), AFTER) {
        return None;
    }
    Some(DefaultPaginator {
        strategy: PaginationStrategy::Relay {
            page_size: None,
            connection_path: Vec::new(),
        },
        page_size_option: None,
        page_token_option: Some(variable(component, AFTER)?),
    })
}

/// Whether the document has this variable.
fn takes(query: &str, name: &str) -> bool {
    query.match_indices('$').any(|(at, _)| {
        query[at + 1..]
            .strip_prefix(name)
            .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_'))
    })
}

fn variable(component: &Component<'_>, name: &str) -> Option<PageTokenOption> {
    let path = ["variables", name].map(|part| component.text_or_default(part));
    Some(PageTokenOption::Option(RequestOption {
        inject_into: InjectInto::BodyJson,
        field: RequestField::Path(path.into_iter().collect::<Option<_>>()?),
    }))
}

/// Where a Relay paginator without a `connection_path` finds `pageInfo`: beside the first `nodes` or `edges` on the way
/// to the records.
pub(super) fn find_connection(
    component: &Component<'_>,
    paginator: &mut DefaultPaginator,
    field_path: &[Text],
) -> Option<()> {
    let PaginationStrategy::Relay { connection_path, .. } = &mut paginator.strategy else {
        return Some(());
    };
    if !connection_path.is_empty() {
        return Some(());
    }
    let list = |part: &Text| matches!(part.constant(), Some("nodes" | "edges"));
    let Some(at) = field_path.iter().position(list).filter(|at| *at > 0) else {
        component.fault(
            "the extractor's field_path has no nodes or edges, beside which pageInfo could be; write a paginator \
             with a RelayPagination and its connection_path, such as [data, orders], or NoPagination",
        );
        return None;
    };
    *connection_path = field_path[..at].to_vec();
    Some(())
}

#[cfg(test)]
mod tests {
    use super::takes;

    #[test]
    fn a_variable_is_told_from_one_whose_name_begins_alike() {
        assert!(takes("query ($first: Int, $after: String) { a }", "after"));
        assert!(takes("query ($after:String) { a }", "after"));
        assert!(!takes("query ($afterwards: String) { after }", "after"));
    }
}
