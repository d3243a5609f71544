//! Extractors, and what takes records apart.

use std::sync::Arc;

use super::super::component::Component;
use super::super::components::{
    CombineMode, Extractor, PaginationStrategy, RecordExpander, StreamPlan, Text,
};
use super::super::slot::Slot;
use super::decoding::decoder;
use super::dynamic::lookup;

/// What a path that means one field cannot hold.
const GLOBS: [char; 3] = ['*', '?', '['];

pub(super) fn extractor(slot: &Slot<'_>) -> Option<Extractor> {
    let component = slot.component(&["DpathExtractor", "CombinedExtractor"])?;
    component.check_fields();
    if &*component.kind == "DpathExtractor" {
        let field_path = path(&component);
        let record_expander = component.optional("record_expander", expander);
        return Some(Extractor::Dpath {
            field_path: field_path?,
            record_expander: record_expander?.map(Box::new),
        });
    }
    let extractors = component
        .required("extractors")
        .and_then(|slot| slot.each(extractor));
    let mode = component.or("mode", CombineMode::Union, |slot| {
        slot.word(&[
            ("union", CombineMode::Union),
            ("first_match", CombineMode::FirstMatch),
        ])
    });
    let skip_empty_records = component.or("skip_empty_records", false, Slot::boolean);
    let extractors = extractors?;
    if extractors.is_empty() {
        component.fault("CombinedExtractor needs at least one extractor in extractors");
        return None;
    }
    Some(Extractor::Combined {
        extractors,
        mode: mode?,
        skip_empty_records: skip_empty_records?,
    })
}

/// An extractor of which only the path has an effect.
pub(super) fn field_path(slot: &Slot<'_>) -> Option<Vec<Text>> {
    let component = slot.component(&["DpathExtractor"])?;
    component.check_fields();
    if component.field("record_expander").is_some() {
        component.fault("record_expander takes records apart, and here are none; leave it out");
        return None;
    }
    path(&component)
}

fn path(component: &Component<'_>) -> Option<Vec<Text>> {
    let field_path = component.required("field_path").and_then(|slot| slot.texts());
    let decoded = component.optional("decoder", decoder);
    decoded?;
    field_path
}

fn expander(slot: &Slot<'_>) -> Option<RecordExpander> {
    let component = slot.component(&["RecordExpander"])?;
    component.check_fields();
    let expand_records_from_field = component
        .required("expand_records_from_field")
        .and_then(|slot| slot.texts());
    let remain_original_record = component.or("remain_original_record", false, Slot::boolean);
    let parent_fields = component.or("parent_fields", Vec::new(), |slot| slot.each(parent_field));
    let merge_parent = component.or("merge_parent", false, Slot::boolean);
    let emits_parent = component.or("on_no_records", false, |slot| {
        slot.word(&[("skip", false), ("emit_parent", true)])
    });
    let indicator = component.or("truncation_indicator_path", Vec::new(), single_path);
    let truncated_list = component.optional("truncated_list_retriever", complete_list);
    let (indicator, truncated_list) = (indicator?, truncated_list?);
    if truncated_list.is_some() {
        if indicator.is_empty() {
            component.fault(
                "truncated_list_retriever needs truncation_indicator_path, the field that is true where a list is not whole",
            );
            return None;
        }
        component
            .field("expand_records_from_field")
            .and_then(|slot| single_path(&slot))?;
    }
    Some(RecordExpander {
        expand_records_from_field: expand_records_from_field?,
        remain_original_record: remain_original_record?,
        parent_fields: parent_fields?,
        merge_parent: merge_parent?,
        emits_parent: emits_parent?,
        truncation_indicator_path: indicator,
        truncated_list,
    })
}

fn parent_field(slot: &Slot<'_>) -> Option<(Vec<Text>, Vec<Text>)> {
    let component = slot.component(&["ParentFieldPath"])?;
    component.check_fields();
    let path = |name: &str| {
        let slot = component.required(name)?;
        let path = single_path(&slot)?;
        if path.is_empty() {
            slot.fault(format!("{name} is empty; it has to name a field"));
            return None;
        }
        Some(path)
    };
    let (parent_path, record_path) = (path("parent_path"), path("record_path"));
    Some((parent_path?, record_path?))
}

/// A path that means one field.
fn single_path(slot: &Slot<'_>) -> Option<Vec<Text>> {
    let path = slot.texts()?;
    if path
        .iter()
        .any(|part| part.constant().is_some_and(|part| part.contains(GLOBS)))
    {
        slot.fault(format!(
            "{} has to mean one field: *, ? and [ are not possible here",
            slot.name()
        ));
        return None;
    }
    Some(path)
}

fn complete_list(slot: &Slot<'_>) -> Option<Arc<StreamPlan>> {
    let component = slot.component(&["SimpleRetriever"])?;
    for name in ["partition_router", "pagination_reset"] {
        if component.field(name).is_some() {
            component.fault(format!(
                "a truncated_list_retriever reads one list; leave {name} out"
            ));
            return None;
        }
    }
    lookup(slot, false)
}

/// Refuses to count an offset by records that are several lists'; `None`: it was refused.
pub(super) fn refuse_counting(
    component: &Component<'_>,
    strategy: &PaginationStrategy,
    extractor: &Extractor,
) -> Option<()> {
    if matches!(strategy, PaginationStrategy::OffsetIncrement { .. }) && adds_up(extractor) {
        component.fault(
            "OffsetIncrement counts the records of a page, and a CombinedExtractor with mode: union adds several lists \
             up, so that pages would be left out; use CursorPagination or PageIncrement, or mode: first_match",
        );
        return None;
    }
    Some(())
}

fn adds_up(extractor: &Extractor) -> bool {
    match extractor {
        Extractor::Dpath { .. } => false,
        Extractor::Combined { extractors, mode, .. } => {
            *mode == CombineMode::Union || extractors.iter().any(adds_up)
        }
    }
}
