//! What a retriever does where an upstream refuses a request as it is, and the actions that ask for it.
//!
//! An action without its component, or on a requester whose answers are not pages, would be a plain failure in the middle of
//! a read. So both are refused here.

use super::super::component::Component;
use super::super::components::{
    Condition, DefaultPaginator, HttpRequester, IncrementalSync, Integer, PageSizeReduction, PageTokenOption,
    PaginationReset, PaginationStrategy, RequestWindowSplitting, ResponseAction, SimpleRetriever,
};
use super::super::slot::Slot;
use crate::datetime::duration::{self, Duration};

const ACTIONS: [(ResponseAction, &str, &str); 3] = [
    (
        ResponseAction::ResetPagination,
        "RESET_PAGINATION",
        "pagination_reset",
    ),
    (
        ResponseAction::ReducePageSize,
        "REDUCE_PAGE_SIZE",
        "page_size_reduction",
    ),
    (
        ResponseAction::SplitRequestWindow,
        "SPLIT_REQUEST_WINDOW",
        "request_window_splitting",
    ),
];

/// A retriever's three components.
pub(super) type Recoveries = (
    Option<PaginationReset>,
    Option<PageSizeReduction>,
    Option<RequestWindowSplitting>,
);

pub(super) fn recoveries(component: &Component<'_>) -> Option<Recoveries> {
    let reset = component.optional("pagination_reset", reset);
    let reduction = component.optional("page_size_reduction", reduction);
    let splitting = component.optional("request_window_splitting", splitting);
    Some((reset?, reduction?, splitting?))
}

fn reset(slot: &Slot<'_>) -> Option<PaginationReset> {
    let component = slot.component(&["PaginationReset"])?;
    component.check_fields();
    let splits_using_cursor = component
        .required("action")
        .and_then(|slot| slot.word(&[("RESET", false), ("SPLIT_USING_CURSOR", true)]));
    let limit = component.optional("limits", |slot| {
        let component = slot.component(&["PaginationResetLimits"])?;
        component.check_fields();
        component.optional("number_of_records", |slot| {
            let number = slot.whole_number()?;
            let limit = u64::try_from(number).ok().filter(|limit| *limit > 0);
            if limit.is_none() {
                slot.fault(format!("number_of_records is {number}; it has to be at least 1"));
            }
            limit
        })
    });
    Some(PaginationReset {
        splits_using_cursor: splits_using_cursor?,
        number_of_records: limit?.flatten(),
    })
}

fn reduction(slot: &Slot<'_>) -> Option<PageSizeReduction> {
    let component = slot.component(&["PageSizeReduction"])?;
    component.check_fields();
    let reduction_factor = component.or("reduction_factor", 2.0, |slot| {
        let factor = slot.number()?;
        if factor <= 1.0 {
            slot.fault(format!("reduction_factor is {factor}; it has to be more than 1"));
            return None;
        }
        Some(factor)
    });
    let minimum_page_size = component.or("minimum_page_size", 1, |slot| at_least(slot, 1));
    let max_attempts = component.or("max_attempts", 5, |slot| at_least(slot, 1));
    let backoff_seconds = component.or("backoff_seconds", 0.5, |slot| {
        let seconds = slot.number()?;
        if seconds < 0.0 {
            slot.fault(format!("backoff_seconds is {seconds}; it cannot be negative"));
            return None;
        }
        Some(seconds)
    });
    let retries = component.or("retries_at_minimum_page_size", 0, |slot| at_least(slot, 0));
    let failure_message = component.optional("failure_message", Slot::literal);
    let resets_after_page = component.or("reset_policy", false, |slot| {
        slot.word(&[("NEVER", false), ("AFTER_SUCCESSFUL_PAGE", true)])
    });
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    Some(PageSizeReduction {
        reduction_factor: reduction_factor?,
        minimum_page_size: minimum_page_size?,
        max_attempts: count(max_attempts?),
        backoff_seconds: backoff_seconds?,
        retries_at_minimum_page_size: count(retries?),
        failure_message: failure_message?,
        resets_after_page: resets_after_page?,
    })
}

fn at_least(slot: &Slot<'_>, least: i64) -> Option<i64> {
    let number = slot.whole_number()?;
    if number < least {
        slot.fault(format!(
            "{} is {number}; it has to be at least {least}",
            slot.name()
        ));
        return None;
    }
    Some(number)
}

fn splitting(slot: &Slot<'_>) -> Option<RequestWindowSplitting> {
    let component = slot.component(&["RequestWindowSplitting"])?;
    component.check_fields();
    let failure_message = component.optional("failure_message", Slot::literal);
    let least = component.optional("min_split_window", |slot| {
        let text = slot.literal()?;
        let micros = duration::parse(&text).ok().and_then(|length| exact(&length));
        if micros.is_none() {
            slot.fault(format!(
                "min_split_window is {text:?}; it has to be an ISO 8601 duration of days, hours, minutes or seconds, such as PT1H"
            ));
        }
        micros
    });
    Some(RequestWindowSplitting {
        failure_message: failure_message?,
        min_split_window_micros: least?,
    })
}

/// The length of a duration that no calendar is needed for.
fn exact(length: &Duration) -> Option<i64> {
    (length.years == 0 && length.months == 0 && length.micros > 0).then_some(length.micros)
}

/// Refuses actions that nobody can do: on requesters whose answers are not a stream's pages. `None`: one was refused.
pub(super) fn refuse_actions(component: &Component<'_>, requester: &HttpRequester) -> Option<()> {
    for (action, word, _) in ACTIONS {
        if requester.error_handler.uses(action) {
            component.fault(format!(
                "the action {word} is for the requester of a SimpleRetriever, whose pages can be asked for in another way"
            ));
            return None;
        }
    }
    Some(())
}

/// Refuses what cannot work together in a retriever; `None`: something was refused.
pub(super) fn check(component: &Component<'_>, simple: &SimpleRetriever) -> Option<()> {
    let handler = &simple.requester.error_handler;
    let has = |field: &str| component.field(field).is_some();
    for (action, word, field) in ACTIONS {
        // Pages can be begun anew without more being said.
        if handler.uses(action) && !has(field) && action != ResponseAction::ResetPagination {
            component.fault(format!(
                "the action {word} needs {field} in the retriever, which says how"
            ));
            return None;
        }
        if has(field) && !handler.uses(action) && action != ResponseAction::ResetPagination {
            let slot = component.field(field)?;
            slot.warn(format!(
                "{field} has no effect: no response filter of the requester has the action {word}"
            ));
        }
    }
    let limits = simple
        .pagination_reset
        .as_ref()
        .is_some_and(|reset| reset.number_of_records.is_some());
    if limits && simple.record_selector.record_filter.is_some() {
        component.fault("the limits of a pagination_reset count records, and a record_filter hides some of them; use one of both");
        return None;
    }
    if simple.query_properties.is_some() && (has("page_size_reduction") || has("request_window_splitting")) {
        component.fault(
            "page_size_reduction and request_window_splitting ask for a page again, and query properties ask for it in \
             several requests already; use one of both",
        );
        return None;
    }
    match &simple.page_size_reduction {
        Some(reduction) => check_reduction(component, simple.paginator.as_ref(), reduction),
        None => Some(()),
    }
}

fn check_reduction(
    component: &Component<'_>,
    paginator: Option<&DefaultPaginator>,
    reduction: &PageSizeReduction,
) -> Option<()> {
    let Some(paginator) = paginator.filter(|paginator| paginator.page_size_option.is_some()) else {
        component.fault("page_size_reduction needs a DefaultPaginator with a page_size_option, which tells the upstream the size");
        return None;
    };
    if matches!(paginator.page_token_option, Some(PageTokenOption::Path)) {
        component.fault(
            "page_size_reduction needs a page token of its own: with RequestPath the upstream's address holds the page size \
             that it refused",
        );
        return None;
    }
    let stop_condition = match &paginator.strategy {
        PaginationStrategy::PageIncrement { .. } => {
            component.fault(
                "page_size_reduction cannot be used with PageIncrement: with smaller pages their numbers mean other records; \
                 use OffsetIncrement or CursorPagination",
            );
            return None;
        }
        PaginationStrategy::Cursor { stop_condition, .. } => stop_condition.as_ref(),
        PaginationStrategy::OffsetIncrement { .. } | PaginationStrategy::Relay { .. } => None,
    };
    if let Some(Integer::Fixed(size)) = paginator.strategy.page_size()
        && *size <= reduction.minimum_page_size
    {
        component.fault(format!(
            "the page_size is {size} and the minimum_page_size {}, so it can never be reduced",
            reduction.minimum_page_size
        ));
        return None;
    }
    if let Some(Condition::Computed(text)) = stop_condition
        && text.template.mentions("last_page_size")
        && !text.template.mentions("page_size")
        && compares(text.source())
    {
        component.fault(format!(
            "the stop_condition {:?} takes a page that was made smaller for the last one; compare last_page_size with page_size, \
             which is what was asked for",
            text.source()
        ));
        return None;
    }
    Some(())
}

/// Whether it looks at more than whether there are any records.
fn compares(condition: &str) -> bool {
    let condition: String = condition.chars().filter(|char| !char.is_whitespace()).collect();
    let harmless = [
        "last_page_size==0",
        "0==last_page_size",
        "notlast_page_size",
        "last_page_size<1",
    ];
    !harmless.iter().any(|harmless| condition.contains(harmless))
        || condition.matches("last_page_size").count() > 1
}

/// Refuses to cut windows that cannot be cut; `None`: it was refused.
pub(super) fn check_cursor(
    component: &Component<'_>,
    simple: &SimpleRetriever,
    incremental: Option<&IncrementalSync>,
) -> Option<()> {
    if simple.request_window_splitting.is_none() {
        return Some(());
    }
    let Some(IncrementalSync::Datetime(cursor)) = incremental else {
        component.fault(
            "request_window_splitting needs a DatetimeBasedCursor with a step and a cursor_granularity",
        );
        return None;
    };
    let granularity = cursor
        .cursor_granularity
        .as_deref()
        .and_then(|text| duration::parse(text).ok())
        .and_then(|length| exact(&length));
    let Some(granularity) = granularity else {
        component.fault(
            "request_window_splitting needs a cursor_granularity of a fixed length above zero: the smallest window, and what \
             keeps two halves apart",
        );
        return None;
    };
    if cursor.is_client_side_incremental {
        component.fault(
            "request_window_splitting cannot be used with is_client_side_incremental, where the upstream is not told the window",
        );
        return None;
    }
    if finest(&cursor.datetime_format).is_some_and(|finest| granularity < finest) {
        component.fault(format!(
            "the datetime_format {:?} cannot tell moments apart that are a cursor_granularity of {} apart",
            cursor.datetime_format,
            cursor.cursor_granularity.as_deref().unwrap_or_default()
        ));
        return None;
    }
    Some(())
}

/// The shortest time that a format can tell, in microseconds.
fn finest(format: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 12] = [
        ("%epoch_microseconds", 1),
        ("%s_as_float", 1),
        ("%_ms", 1_000),
        ("%ms", 1_000),
        ("%f", 1),
        ("%s", 1_000_000),
        ("%S", 1_000_000),
        ("%M", 60_000_000),
        ("%H", 3_600_000_000),
        ("%I", 3_600_000_000),
        ("%d", 86_400_000_000),
        ("%j", 86_400_000_000),
    ];
    let found = UNITS.iter().filter(|(directive, _)| format.contains(directive));
    found.map(|(_, micros)| *micros).min()
}
