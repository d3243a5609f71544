//! Error handlers, response filters and back-off strategies.

use super::super::component::Component;
use super::super::components::{
    BackoffStrategy, DefaultErrorHandler, ErrorHandler, FailureType, HttpResponseFilter, Number, Pattern,
    ResponseAction, Text,
};
use super::super::nearest::nearest;
use super::super::slot::Slot;
use super::auth::statuses;
use super::values::{condition, integer, number};

pub(super) fn handler(slot: &Slot<'_>) -> Option<ErrorHandler> {
    let component = slot.component(&["DefaultErrorHandler", "CompositeErrorHandler"])?;
    component.check_fields();
    if &*component.kind == "CompositeErrorHandler" {
        let handlers = component.required("error_handlers")?.each(handler)?;
        if handlers.is_empty() {
            component.fault("CompositeErrorHandler needs at least one handler in error_handlers");
            return None;
        }
        return Some(ErrorHandler::Composite(handlers));
    }
    let response_filters = component.or("response_filters", Vec::new(), |slot| slot.each(filter));
    let max_retries = component.optional("max_retries", integer);
    let backoff_strategies = component.or("backoff_strategies", Vec::new(), |slot| slot.each(backoff));
    Some(ErrorHandler::Default(DefaultErrorHandler {
        response_filters: response_filters?,
        max_retries: max_retries?,
        backoff_strategies: backoff_strategies?,
    }))
}

fn filter(slot: &Slot<'_>) -> Option<HttpResponseFilter> {
    let component = slot.component(&["HttpResponseFilter"])?;
    component.check_fields();
    let action = component.optional("action", action);
    let failure_type = component.optional("failure_type", |slot| {
        slot.word(&[
            ("system_error", FailureType::SystemError),
            ("config_error", FailureType::ConfigError),
            ("transient_error", FailureType::TransientError),
        ])
    });
    let error_message = component.optional_text("error_message");
    let error_message_contains = component.optional_text("error_message_contains");
    let http_codes = component.or("http_codes", Vec::new(), statuses);
    let predicate = condition(&component, "predicate");
    Some(HttpResponseFilter {
        action: action?,
        failure_type: failure_type?,
        error_message: error_message?,
        error_message_contains: error_message_contains?,
        http_codes: http_codes?,
        predicate: predicate?,
    })
}

fn action(slot: &Slot<'_>) -> Option<ResponseAction> {
    slot.word(&[
        ("SUCCESS", ResponseAction::Success),
        ("FAIL", ResponseAction::Fail),
        ("RETRY", ResponseAction::Retry),
        ("IGNORE", ResponseAction::Ignore),
        ("RATE_LIMITED", ResponseAction::RateLimited),
        ("REFRESH_TOKEN_THEN_RETRY", ResponseAction::RefreshTokenThenRetry),
        ("RESET_PAGINATION", ResponseAction::ResetPagination),
        ("REDUCE_PAGE_SIZE", ResponseAction::ReducePageSize),
        ("SPLIT_REQUEST_WINDOW", ResponseAction::SplitRequestWindow),
    ])
}

fn backoff(slot: &Slot<'_>) -> Option<BackoffStrategy> {
    let component = slot.component(&[
        "ConstantBackoffStrategy",
        "ExponentialBackoffStrategy",
        "WaitTimeFromHeader",
        "WaitTimeFromResponse",
        "WaitUntilTimeFromHeader",
    ])?;
    component.check_fields();
    let jitter = || component.optional("jitter_range_in_seconds", Slot::number);
    match &*component.kind {
        "ConstantBackoffStrategy" => {
            let seconds = component
                .required("backoff_time_in_seconds")
                .and_then(|slot| number(&slot));
            let jitter = jitter();
            Some(BackoffStrategy::Constant {
                backoff_time_in_seconds: seconds?,
                jitter_range_in_seconds: jitter?,
            })
        }
        "ExponentialBackoffStrategy" => {
            let factor = component.or("factor", Number::Fixed(5.0), number);
            let jitter = jitter();
            Some(BackoffStrategy::Exponential {
                factor: factor?,
                jitter_range_in_seconds: jitter?,
            })
        }
        "WaitTimeFromResponse" => {
            let wait_time_in_seconds = component
                .required("wait_time_in_seconds")
                .and_then(|slot| wait_time(&slot));
            let max_waiting_time_in_seconds = component.optional("max_waiting_time_in_seconds", number);
            Some(BackoffStrategy::WaitTimeFromResponse {
                wait_time_in_seconds: wait_time_in_seconds?,
                max_waiting_time_in_seconds: max_waiting_time_in_seconds?,
            })
        }
        kind => {
            let header = component.required("header").and_then(|slot| slot.text());
            let regex = pattern(&component);
            let max_waiting_time_in_seconds = component.optional("max_waiting_time_in_seconds", number);
            if kind == "WaitTimeFromHeader" {
                return Some(BackoffStrategy::WaitTimeFromHeader {
                    header: header?,
                    regex: regex?,
                    max_waiting_time_in_seconds: max_waiting_time_in_seconds?,
                });
            }
            let min_wait = component.optional("min_wait", number);
            Some(BackoffStrategy::WaitUntilTimeFromHeader {
                header: header?,
                min_wait: min_wait?,
                regex: regex?,
                max_waiting_time_in_seconds: max_waiting_time_in_seconds?,
            })
        }
    }
}

/// A template that reads the answer. Another name in it is a slip, after which it would never give a time.
fn wait_time(slot: &Slot<'_>) -> Option<Text> {
    let text = slot.text()?;
    let known = ["config", "headers", "parameters", "response"];
    let strange = text
        .template
        .free()
        .iter()
        .find(|name| !known.contains(&name.as_str()));
    if let Some(name) = strange {
        let hint = nearest(name, known)
            .map(|meant| format!("; did you mean {meant}?"))
            .unwrap_or_default();
        slot.fault(format!(
            "{} reads {name}, which is not there; there are config, headers, parameters and response{hint}",
            slot.name()
        ));
        return None;
    }
    Some(text)
}

fn pattern(component: &Component<'_>) -> Option<Option<Pattern>> {
    component.optional("regex", compiled).map(Option::flatten)
}

/// A pattern; an empty one is none.
pub(super) fn compiled(slot: &Slot<'_>) -> Option<Option<Pattern>> {
    let source = slot.literal()?;
    if source.is_empty() {
        return Some(None);
    }
    match regex::RegexBuilder::new(&source).size_limit(1 << 20).build() {
        Ok(pattern) => Some(Some(pattern)),
        Err(error) => {
            // The crate draws a picture over several lines; its last line says what is wrong.
            let text = error.to_string();
            let reason = text
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned();
            slot.fault(format!(
                "{} is not a pattern that can be used here: {reason}",
                slot.name()
            ));
            None
        }
    }
}
