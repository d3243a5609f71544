//! Paginators.

use super::super::component::Component;
use super::super::components::{DefaultPaginator, Integer, PageTokenOption, PaginationStrategy};
use super::super::slot::Slot;
use super::decoding::decoder;
use super::requests::{option, option_of};
use super::values::{condition, integer};

pub(super) fn paginator(slot: &Slot<'_>) -> Option<Option<DefaultPaginator>> {
    let component = slot.component(&["DefaultPaginator", "NoPagination"])?;
    component.check_fields();
    if &*component.kind == "NoPagination" {
        return Some(None);
    }
    let strategy = component
        .required("pagination_strategy")
        .and_then(|slot| strategy(&slot));
    let page_size_option = component.optional("page_size_option", option);
    let page_token_option = component.optional("page_token_option", token_option);
    // Not in the schema any more, but manifests still have it, and only JSON can be paged.
    let decoded = component.optional("decoder", decoder);
    decoded?;
    let (strategy, page_size_option) = (strategy?, page_size_option?);
    if page_size_option.is_some() && strategy.page_size().is_none() {
        component.fault("page_size_option needs a page_size in the pagination_strategy");
        return None;
    }
    Some(Some(DefaultPaginator {
        strategy,
        page_size_option,
        page_token_option: page_token_option?,
    }))
}

fn token_option(slot: &Slot<'_>) -> Option<PageTokenOption> {
    let component = slot.component(&["RequestOption", "RequestPath"])?;
    if &*component.kind == "RequestPath" {
        component.check_fields();
        return Some(PageTokenOption::Path);
    }
    option_of(&component).map(PageTokenOption::Option)
}

fn strategy(slot: &Slot<'_>) -> Option<PaginationStrategy> {
    let component = slot.component(&[
        "PageIncrement",
        "OffsetIncrement",
        "CursorPagination",
        "RelayPagination",
    ])?;
    component.check_fields();
    let page_size = page_size(&component);
    let first = || component.or("inject_on_first_request", false, Slot::boolean);
    match &*component.kind {
        "PageIncrement" => {
            let start_from_page = component.or("start_from_page", 0, Slot::whole_number);
            let inject_on_first_request = first();
            Some(PaginationStrategy::PageIncrement {
                page_size: page_size?,
                start_from_page: start_from_page?,
                inject_on_first_request: inject_on_first_request?,
            })
        }
        "OffsetIncrement" => {
            let inject_on_first_request = first();
            Some(PaginationStrategy::OffsetIncrement {
                page_size: page_size?,
                inject_on_first_request: inject_on_first_request?,
            })
        }
        "RelayPagination" => {
            let connection_path = component.or("connection_path", Vec::new(), Slot::texts);
            Some(PaginationStrategy::Relay {
                page_size: page_size?,
                connection_path: connection_path?,
            })
        }
        _ => {
            let cursor_value = component.required("cursor_value").and_then(|slot| slot.text());
            let stop_condition = condition(&component, "stop_condition");
            let decoded = component.optional("decoder", decoder);
            decoded?;
            Some(PaginationStrategy::Cursor {
                cursor_value: cursor_value?,
                stop_condition: stop_condition?,
                page_size: page_size?,
            })
        }
    }
}

fn page_size(component: &Component<'_>) -> Option<Option<Integer>> {
    component.optional("page_size", |slot| {
        let size = integer(slot)?;
        if let Integer::Fixed(size) = size
            && size < 1
        {
            slot.fault(format!("page_size is {size}; it has to be at least 1"));
            return None;
        }
        Some(size)
    })
}
