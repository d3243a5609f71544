//! `RateLimitedMultipleTokenAuthenticator`.

use super::super::component::Component;
use super::super::components::{
    HttpMethod, QuotaStatus, RotatingTokens, RotatingTokensAuthenticator, TextMap, TokenQuota,
};
use super::super::document::Kind;
use super::super::slot::Slot;
use super::auth::statuses;
use super::budget::matcher;
use super::values::text_map;

pub(super) fn rotating(component: &Component<'_>) -> Option<RotatingTokensAuthenticator> {
    let delimiter = component.or("token_delimiter", ",".to_owned(), Slot::literal);
    let tokens = component
        .required("tokens")
        .and_then(|slot| match slot.node.kind {
            Kind::List(_) => slot.texts().map(RotatingTokens::Listed),
            _ => Some(RotatingTokens::Joined {
                text: slot.text()?,
                delimiter: delimiter
                    .clone()
                    .filter(|delimiter| !delimiter.is_empty())
                    .unwrap_or_else(|| ",".to_owned()),
            }),
        });
    let auth_method = component.or("auth_method", "Bearer".to_owned(), Slot::literal);
    let header = component.or("header", "Authorization".to_owned(), Slot::literal);
    let status = component
        .required("quota_status_source")
        .and_then(|slot| status(&slot));
    let quotas = component.required("quotas").and_then(|slot| slot.each(quota));
    let max_wait_time = component.text_or("max_wait_time", "PT2H");
    let budget_reserve_fraction = component.or("budget_reserve_fraction", 0.1, Slot::number);
    let budget_min_reserve = component.or("budget_min_reserve", 50, Slot::whole_number);
    let quotas = quotas?;
    if quotas.is_empty() {
        component.fault("RateLimitedMultipleTokenAuthenticator needs at least one quota in quotas");
        return None;
    }
    delimiter?;
    Some(RotatingTokensAuthenticator {
        tokens: tokens?,
        auth_method: auth_method?,
        header: header?,
        status: status?,
        quotas,
        max_wait_time: max_wait_time?,
        budget_reserve_fraction: budget_reserve_fraction?,
        budget_min_reserve: budget_min_reserve?,
    })
}

fn status(slot: &Slot<'_>) -> Option<QuotaStatus> {
    let component = slot.component(&["QuotaStatusSource"])?;
    component.check_fields();
    let url = component.required("url").and_then(|slot| slot.text());
    let http_method = component.or("http_method", HttpMethod::Get, |slot| {
        slot.word(&[("GET", HttpMethod::Get), ("POST", HttpMethod::Post)])
    });
    let request_headers = component.or("request_headers", TextMap::default(), text_map);
    let unavailable_status_codes = component.or("unavailable_status_codes", Vec::new(), statuses);
    Some(QuotaStatus {
        url: url?,
        http_method: http_method?,
        request_headers: request_headers?,
        unavailable_status_codes: unavailable_status_codes?,
    })
}

fn quota(slot: &Slot<'_>) -> Option<TokenQuota> {
    let component = slot.component(&["TokenQuota"])?;
    component.check_fields();
    let name = component.required("name").and_then(|slot| slot.literal());
    let remaining_path = component
        .required("remaining_path")
        .and_then(|slot| slot.literals());
    let reset_path = component.required("reset_path").and_then(|slot| slot.literals());
    let limit_path = component.optional("limit_path", Slot::literals);
    let matchers = component.or("matchers", Vec::new(), |slot| slot.each(matcher));
    let remaining_header = component.optional("remaining_header", Slot::literal);
    let reset_header = component.optional("reset_header", Slot::literal);
    let limit_header = component.optional("limit_header", Slot::literal);
    let exhaustion_status_codes = component.or("exhaustion_status_codes", Vec::new(), statuses);
    Some(TokenQuota {
        name: name?,
        remaining_path: remaining_path?,
        reset_path: reset_path?,
        limit_path: limit_path?,
        matchers: matchers?,
        remaining_header: remaining_header?,
        reset_header: reset_header?,
        limit_header: limit_header?,
        exhaustion_status_codes: exhaustion_status_codes?,
    })
}
