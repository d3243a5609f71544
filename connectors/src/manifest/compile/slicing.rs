//! Partition routers and cursors.

use std::sync::Arc;

use super::super::component::Component;
use super::super::components::{
    Clamping, DatetimeBasedCursor, IncrementalSync, IncrementingCountCursor, Integer, ListValues,
    MinMaxDatetime, ParentStream, PartitionRouter, Weekday,
};
use super::super::document::Kind;
use super::super::slot::Slot;
use super::requests::option;
use super::streams::stream;
use super::values::integer;

const ROUTERS: &[&str] = &[
    "SubstreamPartitionRouter",
    "ListPartitionRouter",
    "GroupingPartitionRouter",
    "UnionPartitionRouter",
];
/// Routers whose partitions have single values.
const SINGLE: &[&str] = &[
    "SubstreamPartitionRouter",
    "ListPartitionRouter",
    "UnionPartitionRouter",
];

/// One router, or a list of them.
pub(super) fn partition_routers(slot: &Slot<'_>) -> Option<Vec<PartitionRouter>> {
    if matches!(slot.node.kind, Kind::List(_)) {
        return slot.each(partition_router);
    }
    partition_router(slot).map(|router| vec![router])
}

fn partition_router(slot: &Slot<'_>) -> Option<PartitionRouter> {
    router(&slot.component(ROUTERS)?)
}

/// A router in another one, where values are taken from the slice and nothing is injected.
fn inner_router(slot: &Slot<'_>) -> Option<PartitionRouter> {
    let component = slot.component(SINGLE)?;
    let router = router(&component)?;
    let injects = match &router {
        PartitionRouter::List { request_option, .. } => request_option.is_some(),
        PartitionRouter::Substream { parents } => {
            parents.iter().any(|parent| parent.request_option.is_some())
        }
        _ => false,
    };
    if injects {
        component.fault(format!(
            "a router in another one injects nothing: leave request_option out of the {}, and read stream_partition \
             in the requester",
            component.kind
        ));
        return None;
    }
    Some(router)
}

fn grouping(component: &Component<'_>) -> Option<PartitionRouter> {
    let group_size = component.required("group_size").and_then(|slot| {
        let number = slot.whole_number()?;
        let size = usize::try_from(number)
            .ok()
            .filter(|size| (1..=10_000).contains(size));
        if size.is_none() {
            slot.fault(format!(
                "group_size is {number}; it has to be between 1 and 10000"
            ));
        }
        size
    });
    let router = component
        .required("underlying_partition_router")
        .and_then(|slot| inner_router(&slot));
    let deduplicate = component.or("deduplicate", true, Slot::boolean);
    Some(PartitionRouter::Grouped {
        router: Box::new(router?),
        group_size: group_size?,
        deduplicate: deduplicate?,
    })
}

fn union(component: &Component<'_>) -> Option<PartitionRouter> {
    let partition_field = component.required("partition_field").and_then(|slot| slot.text());
    let routers = component
        .required("partition_routers")
        .and_then(|slot| slot.each(inner_router));
    let routers = routers?;
    if routers.len() < 2 {
        component.fault("UnionPartitionRouter needs at least two routers in partition_routers");
        return None;
    }
    Some(PartitionRouter::United {
        routers,
        partition_field: partition_field?,
    })
}

fn router(component: &Component<'_>) -> Option<PartitionRouter> {
    component.check_fields();
    match &*component.kind {
        "GroupingPartitionRouter" => return grouping(component),
        "UnionPartitionRouter" => return union(component),
        _ => {}
    }
    if &*component.kind == "SubstreamPartitionRouter" {
        let parents = component.required("parent_stream_configs")?.each(parent)?;
        if parents.is_empty() {
            component.fault("SubstreamPartitionRouter needs at least one parent in parent_stream_configs");
            return None;
        }
        return Some(PartitionRouter::Substream { parents });
    }
    let values = component
        .required("values")
        .and_then(|slot| match slot.node.kind {
            Kind::Text(_) => slot.text().map(ListValues::Computed),
            _ => slot.literals().map(ListValues::Fixed),
        });
    let cursor_field = component.required("cursor_field").and_then(|slot| slot.text());
    let request_option = component.optional("request_option", option);
    Some(PartitionRouter::List {
        values: values?,
        cursor_field: cursor_field?,
        request_option: request_option?,
    })
}

fn parent(slot: &Slot<'_>) -> Option<ParentStream> {
    let component = slot.component(&["ParentStreamConfig"])?;
    component.check_fields();
    let stream = component
        .required("stream")
        .and_then(|slot| stream(&slot))
        .map(Arc::new);
    let parent_key = component.required("parent_key").and_then(|slot| slot.text());
    let partition_field = component.required("partition_field").and_then(|slot| slot.text());
    let request_option = component.optional("request_option", option);
    let incremental_dependency = component.or("incremental_dependency", false, Slot::boolean);
    let extra_fields = component.or("extra_fields", Vec::new(), |slot| slot.each(Slot::texts));
    let lazy_read_pointer = component.or("lazy_read_pointer", Vec::new(), |slot| {
        let pointer = slot.texts()?;
        if pointer.iter().any(|part| part.source().contains('*')) {
            slot.fault("lazy_read_pointer has to mean one field: * is not possible here");
            return None;
        }
        Some(pointer)
    });
    Some(ParentStream {
        stream: stream?,
        parent_key: parent_key?,
        partition_field: partition_field?,
        request_option: request_option?,
        incremental_dependency: incremental_dependency?,
        extra_fields: extra_fields?,
        lazy_read_pointer: lazy_read_pointer?,
    })
}

pub(super) fn incremental_sync(slot: &Slot<'_>) -> Option<IncrementalSync> {
    let component = slot.component(&["DatetimeBasedCursor", "IncrementingCountCursor"])?;
    component.check_fields();
    if &*component.kind == "IncrementingCountCursor" {
        return counting(&component).map(|cursor| IncrementalSync::Count(Box::new(cursor)));
    }
    let allow_catalog_defined_cursor_field =
        component.or("allow_catalog_defined_cursor_field", false, Slot::boolean);
    let cursor_field = component.required("cursor_field").and_then(|slot| slot.text());
    let datetime_format = component
        .required("datetime_format")
        .and_then(|slot| slot.literal());
    let cursor_datetime_formats = component.or("cursor_datetime_formats", Vec::new(), Slot::literals);
    let start_datetime = component
        .required("start_datetime")
        .and_then(|slot| datetime(&slot));
    let end_datetime = component.optional("end_datetime", |slot| {
        if slot.node.as_text() == Some("") {
            Some(None)
        } else {
            datetime(slot).map(Some)
        }
    });
    let start_time_option = component.optional("start_time_option", option);
    let end_time_option = component.optional("end_time_option", option);
    let step = component.optional_text("step");
    let cursor_granularity = component.optional("cursor_granularity", duration);
    let lookback_window = component.optional_text("lookback_window");
    let partition_field_start = component.text_or("partition_field_start", "start_time");
    let partition_field_end = component.text_or("partition_field_end", "end_time");
    let is_data_feed = component.or("is_data_feed", false, Slot::boolean);
    let is_client_side_incremental = component.or("is_client_side_incremental", false, Slot::boolean);
    let is_compare_strictly = component.or("is_compare_strictly", false, Slot::boolean);
    let global_substream_cursor = component.or("global_substream_cursor", false, Slot::boolean);
    let clamping = component.optional("clamping", clamping);
    for name in ["step", "lookback_window"] {
        check_constant_duration(&component, name)?;
    }
    let (step, cursor_granularity) = (step?, cursor_granularity?.flatten());
    if step.is_some() != cursor_granularity.is_some() {
        let (there, missing) = if step.is_some() {
            ("step", "cursor_granularity")
        } else {
            ("cursor_granularity", "step")
        };
        component.fault(format!(
            "{there} needs {missing} beside it: slices are cut by both together"
        ));
        return None;
    }
    Some(IncrementalSync::Datetime(Box::new(DatetimeBasedCursor {
        cursor_field: cursor_field?,
        allow_catalog_defined_cursor_field: allow_catalog_defined_cursor_field?,
        datetime_format: datetime_format?,
        cursor_datetime_formats: cursor_datetime_formats?,
        start_datetime: start_datetime?,
        end_datetime: end_datetime?.flatten(),
        start_time_option: start_time_option?,
        end_time_option: end_time_option?,
        step,
        cursor_granularity,
        lookback_window: lookback_window?,
        partition_field_start: partition_field_start?,
        partition_field_end: partition_field_end?,
        is_data_feed: is_data_feed?,
        is_client_side_incremental: is_client_side_incremental?,
        is_compare_strictly: is_compare_strictly?,
        global_substream_cursor: global_substream_cursor?,
        clamping: clamping?,
    })))
}

fn counting(component: &Component<'_>) -> Option<IncrementingCountCursor> {
    let cursor_field = component.required("cursor_field").and_then(|slot| slot.text());
    let allow_catalog_defined_cursor_field =
        component.or("allow_catalog_defined_cursor_field", false, Slot::boolean);
    let start_value = component.or("start_value", Integer::Fixed(0), integer);
    let start_value_option = component.optional("start_value_option", option);
    Some(IncrementingCountCursor {
        cursor_field: cursor_field?,
        allow_catalog_defined_cursor_field: allow_catalog_defined_cursor_field?,
        start_value: start_value?,
        start_value_option: start_value_option?,
    })
}

/// An ISO 8601 duration; empty is none.
fn duration(slot: &Slot<'_>) -> Option<Option<String>> {
    let text = slot.literal()?;
    if text.is_empty() {
        return Some(None);
    }
    if is_duration(&text) {
        return Some(Some(text));
    }
    slot.fault(format!(
        "{} is {text:?}; it has to be an ISO 8601 duration such as P1D or PT1S",
        slot.name()
    ));
    None
}

pub(super) fn check_constant_duration(component: &Component<'_>, name: &str) -> Option<()> {
    let Some(slot) = component.field(name) else {
        return Some(());
    };
    let text = slot.literal()?;
    if text.is_empty() || text.contains('{') || is_duration(&text) {
        return Some(());
    }
    slot.fault(format!(
        "{name} is {text:?}; it has to be an ISO 8601 duration such as P1D or PT1S"
    ));
    None
}

fn is_duration(text: &str) -> bool {
    crate::datetime::duration::parse(text).is_ok()
}

/// A text, or a `MinMaxDatetime`.
fn datetime(slot: &Slot<'_>) -> Option<MinMaxDatetime> {
    if matches!(slot.node.kind, Kind::Text(_)) {
        let datetime = slot.text()?;
        return Some(MinMaxDatetime {
            datetime,
            datetime_format: None,
            min_datetime: None,
            max_datetime: None,
        });
    }
    let component = slot.component(&["MinMaxDatetime"])?;
    component.check_fields();
    let datetime = component.required("datetime").and_then(|slot| slot.text());
    let datetime_format = component.optional("datetime_format", Slot::literal);
    let min_datetime = component.optional_text("min_datetime");
    let max_datetime = component.optional_text("max_datetime");
    Some(MinMaxDatetime {
        datetime: datetime?,
        datetime_format: datetime_format?.filter(|format| !format.is_empty()),
        min_datetime: min_datetime?,
        max_datetime: max_datetime?,
    })
}

/// A mapping without a type of its own.
fn clamping(slot: &Slot<'_>) -> Option<Clamping> {
    let mut target = None;
    let mut weekday = None;
    for (key, _, value) in slot.entries()? {
        match &*key {
            "target" => target = Some(value.text()?),
            "target_details" => {
                let details = value.entries()?;
                if let Some((_, _, day)) = details.iter().find(|(key, _, _)| &**key == "weekday") {
                    weekday = Some(day.word(&[
                        ("MONDAY", Weekday::Mon),
                        ("TUESDAY", Weekday::Tue),
                        ("WEDNESDAY", Weekday::Wed),
                        ("THURSDAY", Weekday::Thu),
                        ("FRIDAY", Weekday::Fri),
                        ("SATURDAY", Weekday::Sat),
                        ("SUNDAY", Weekday::Sun),
                    ])?);
                }
            }
            other => value.strange_field(other, &["target", "target_details"]),
        }
    }
    let Some(target) = target else {
        slot.fault("clamping needs the field target: DAY, WEEK or MONTH");
        return None;
    };
    match target.constant() {
        None | Some("DAY" | "MONTH") => {}
        Some("WEEK") if weekday.is_some() => {}
        Some("WEEK") => {
            slot.fault("clamping to a WEEK needs target_details with a weekday: MONDAY to SUNDAY");
            return None;
        }
        Some(other) => {
            slot.fault(format!(
                "clamping target is {other:?}; it has to be DAY, WEEK or MONTH"
            ));
            return None;
        }
    }
    Some(Clamping { target, weekday })
}
