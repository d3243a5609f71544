//! `QueryProperties`, in any of the three places where a requester may have them.

use super::super::component::Component;
use super::super::components::{PropertyChunking, PropertyLimit, PropertyList, QueryProperties, TextMap};
use super::super::document::Kind;
use super::super::slot::Slot;
use super::dynamic::lookup;
use super::records::transformation;
use super::values::{TextPairs, text_map, text_pairs};

/// A requester's query parameters, and what among them stands for fields to ask for.
pub(super) fn request_parameters(slot: &Slot<'_>) -> Option<(TextMap, Option<QueryProperties>)> {
    let Kind::Map(fields) = &slot.node.kind else {
        return text_map(slot).map(|map| (map, None));
    };
    let is_list = |slot: &Slot<'_>| slot.type_name() == Some("QueryProperties");
    if !fields
        .iter()
        .any(|(_, field)| field.value.get("type").and_then(|kind| kind.as_text()) == Some("QueryProperties"))
    {
        return text_map(slot).map(|map| (map, None));
    }
    let (lists, others): (Vec<_>, Vec<_>) = slot
        .entries()?
        .into_iter()
        .partition(|(_, _, value)| is_list(value));
    let pairs: Option<TextPairs> = text_pairs(&others);
    if lists.len() > 1 {
        slot.fault("only one parameter can be a QueryProperties; it may hold all fields");
        return None;
    }
    let mut found = None;
    for (name, _, value) in &lists {
        found = Some(QueryProperties {
            parameter: Some(name.to_string()),
            ..query_properties(value)?
        });
    }
    Some((TextMap::Entries(pairs?), found))
}

/// The fields that a requester asks for, wherever that stands.
pub(super) fn of_requester(
    component: &Component<'_>,
    in_parameters: Option<QueryProperties>,
) -> Option<Option<QueryProperties>> {
    let own = component.optional("query_properties", query_properties);
    let older = component.optional("fetch_properties_from_endpoint", |slot| {
        Some(QueryProperties {
            list: endpoint(slot)?,
            always: Vec::new(),
            chunking: None,
            selector: None,
            parameter: None,
        })
    });
    let given: Vec<_> = [in_parameters, older?, own?].into_iter().flatten().collect();
    if given.len() > 1 {
        component.fault(
            "a requester asks for one list of fields: write QueryProperties in request_parameters, query_properties or \
             fetch_properties_from_endpoint",
        );
        return None;
    }
    Some(given.into_iter().next())
}

fn query_properties(slot: &Slot<'_>) -> Option<QueryProperties> {
    let component = slot.component(&["QueryProperties"])?;
    component.check_fields();
    let list = component
        .required("property_list")
        .and_then(|slot| match slot.node.kind {
            Kind::List(_) => slot.literals().map(PropertyList::Fixed),
            _ => endpoint(&slot),
        });
    let always = component.or("always_include_properties", Vec::new(), Slot::literals);
    let chunking = component.optional("property_chunking", chunking);
    let selector = component.optional("property_selector", |slot| {
        let component = slot.component(&["JsonSchemaPropertySelector"])?;
        component.check_fields();
        component.or("transformations", Vec::new(), |slot| slot.each(transformation))
    });
    Some(QueryProperties {
        list: list?,
        always: always?,
        chunking: chunking?,
        selector: selector?,
        parameter: None,
    })
}

fn endpoint(slot: &Slot<'_>) -> Option<PropertyList> {
    let component = slot.component(&["PropertiesFromEndpoint"])?;
    component.check_fields();
    let field_path = component
        .required("property_field_path")
        .and_then(|slot| slot.texts());
    let plan = component.required("retriever").and_then(|slot| {
        slot.component(&["SimpleRetriever"])?;
        lookup(&slot, false)
    });
    Some(PropertyList::Endpoint {
        plan: plan?,
        field_path: field_path?,
    })
}

fn chunking(slot: &Slot<'_>) -> Option<PropertyChunking> {
    let component = slot.component(&["PropertyChunking"])?;
    component.check_fields();
    let measured_by = component.required("property_limit_type").and_then(|slot| {
        slot.word(&[
            ("characters", PropertyLimit::Characters),
            ("property_count", PropertyLimit::Count),
        ])
    });
    let limit = component.optional("property_limit", |slot| {
        let number = slot.whole_number()?;
        let limit = usize::try_from(number).ok();
        if limit.is_none() {
            slot.fault(format!("property_limit is {number}; it has to be at least 1"));
        }
        limit
    });
    let key = component.or("record_merge_strategy", vec!["id".to_owned()], |slot| {
        let component = slot.component(&["GroupByKeyMergeStrategy"])?;
        component.check_fields();
        let key = component.required("key")?;
        match key.node.kind {
            Kind::List(_) => key.literals(),
            _ => key.literal().map(|name| vec![name]),
        }
    });
    Some(PropertyChunking {
        measured_by: measured_by?,
        limit: limit?,
        key: key?,
    })
}
