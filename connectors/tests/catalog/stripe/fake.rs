//! Stripe, as its documentation has it:
//!
//! - authentication: <https://docs.stripe.com/api/authentication>, connected accounts
//!   <https://docs.stripe.com/api/connected-accounts>
//! - versions: <https://docs.stripe.com/api/versioning>
//! - pages: <https://docs.stripe.com/api/pagination>
//! - errors: <https://docs.stripe.com/api/errors>, <https://docs.stripe.com/error-codes>
//! - limits: <https://docs.stripe.com/rate-limits>, locks <https://docs.stripe.com/rate-limits#object-lock-timeouts>
//! - each list's parameters and objects: `https://docs.stripe.com/api/<collection>/list`

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::fake::{Answer, Limit, Request, Vendor};
use crate::reading::days_ago;

pub(super) const KEY: &str = "rk_test_51Hexample0000";
pub(super) const ACCOUNT: &str = "acct_1032D82eZvKYlo2C";

/// The versions that this fake has the objects of.
const VERSIONS: [&str; 1] = ["2025-12-15.clover"];

/// Filters of each list besides `limit`, `starting_after`, `ending_before` and `created`.
const LISTS: [(&str, &[&str]); 12] = [
    ("customers", &["email", "test_clock"]),
    ("products", &["active", "ids", "shippable", "url"]),
    (
        "prices",
        &[
            "active",
            "currency",
            "lookup_keys",
            "product",
            "recurring",
            "type",
        ],
    ),
    (
        "subscriptions",
        &["collection_method", "customer", "price", "status", "test_clock"],
    ),
    (
        "invoices",
        &[
            "collection_method",
            "customer",
            "due_date",
            "status",
            "subscription",
        ],
    ),
    ("charges", &["customer", "payment_intent", "transfer_group"]),
    ("payment_intents", &["customer"]),
    ("refunds", &["charge", "payment_intent"]),
    ("disputes", &["charge", "payment_intent"]),
    ("payouts", &["arrival_date", "destination", "status"]),
    ("balance_transactions", &["currency", "payout", "source", "type"]),
    ("events", &["delivery_success", "type", "types"]),
];

pub(super) fn collections() -> impl Iterator<Item = &'static str> {
    LISTS.iter().map(|(name, _)| *name)
}

/// An account. Clones are the same account.
#[derive(Clone, Default)]
pub(super) struct Stripe {
    objects: Arc<Mutex<HashMap<String, Vec<Value>>>>,
}

impl Stripe {
    /// An account with so many objects in every collection, one made every six hours, the last of them an hour ago.
    pub(super) fn with(count: i64) -> Self {
        let stripe = Self::default();
        for collection in collections() {
            for age in (0..count).rev() {
                let serial = count - age;
                stripe.make(collection, serial, days_ago(0) - 3_600 - age * 21_600);
            }
        }
        stripe
    }

    /// Makes an object.
    pub(super) fn make(&self, collection: &str, serial: i64, created: i64) {
        let mut object = example(collection, serial);
        object["created"] = json!(created);
        let mut objects = self.objects.lock().unwrap();
        objects
            .entry(collection.to_owned())
            .or_default()
            .insert(0, object);
    }

    /// What the account has, newest first, as lists come.
    pub(super) fn all(&self, collection: &str) -> Vec<Value> {
        self.objects.lock().unwrap()[collection].clone()
    }
}

impl Vendor for Stripe {
    fn answer(&self, request: &Request, _: &str) -> Result<Answer, Answer> {
        authenticate(request)?;
        if request.method != "GET" {
            return Err(unrecognized(request));
        }
        let collection = request.path.strip_prefix("/v1/").unwrap_or_default();
        let known = LISTS.iter().find(|(name, _)| *name == collection);
        let (_, filters) = known.ok_or_else(|| unrecognized(request))?;
        let mut parameters = vec!["limit", "starting_after", "ending_before"];
        parameters.extend(["created[gt]", "created[gte]", "created[lt]", "created[lte]"]);
        parameters.extend(*filters);
        if let Some(name) = request.stranger(&parameters) {
            let message = format!("Received unknown parameter: {name}");
            return Err(invalid(400, "parameter_unknown", &message, name));
        }
        let limit = match request.get("limit") {
            None => 10,
            Some(_) => request
                .number("limit")
                .filter(|limit| (1..=100).contains(limit))
                .ok_or_else(|| invalid(400, "parameter_invalid_integer", "Invalid limit", "limit"))?,
        };
        let bound = |name: &str| -> Result<Option<i64>, Answer> {
            match request.get(name) {
                None => Ok(None),
                Some(_) => request
                    .number(name)
                    .map(Some)
                    .ok_or_else(|| invalid(400, "parameter_invalid_integer", "Invalid timestamp", "created")),
            }
        };
        let (from, to) = (bound("created[gte]")?, bound("created[lte]")?);
        let mut objects = self.all(collection);
        // Without a status, subscriptions that were canceled are left out.
        if collection == "subscriptions" && request.get("status") != Some("all") {
            objects.retain(|object| object["status"] != "canceled");
        }
        objects.retain(|object| {
            let created = object["created"].as_i64().unwrap();
            from.is_none_or(|from| created >= from) && to.is_none_or(|to| created <= to)
        });
        if let Some(after) = request.get("starting_after") {
            let place = objects.iter().position(|object| object["id"] == after);
            let place = place.ok_or_else(|| {
                let message = format!("No such object: '{after}'");
                invalid(400, "resource_missing", &message, "starting_after")
            })?;
            objects.drain(..=place);
        }
        let limit = usize::try_from(limit).unwrap();
        let more = objects.len() > limit;
        objects.truncate(limit);
        Ok(Answer::new(
            200,
            json!({ "object": "list", "url": request.path, "has_more": more, "data": objects }),
        ))
    }

    fn limits(&self, request: &Request) -> Vec<Limit> {
        let of = LISTS
            .iter()
            .find(|(name, _)| request.path == format!("/v1/{name}"));
        // A sandbox has as many of all together as one endpoint has anywhere.
        let mut limits = vec![Limit::new("global-rate", 25, 1)];
        limits.extend(of.map(|(name, _)| Limit::new(name, 25, 1)));
        limits
    }

    fn beyond(&self, limit: &Limit, _: Duration) -> Answer {
        too_fast(if limit.of == "global-rate" {
            limit.of
        } else {
            "endpoint-rate"
        })
    }
}

fn authenticate(request: &Request) -> Result<(), Answer> {
    let error = |message: String| {
        let error = json!({ "type": "invalid_request_error", "message": message });
        Answer::new(401, json!({ "error": error }))
    };
    let Some(shown) = request.header("authorization") else {
        return Err(error("You did not provide an API key.".to_owned()));
    };
    if shown != format!("Bearer {KEY}") {
        let key = shown.trim_start_matches("Bearer ");
        return Err(error(format!("Invalid API Key provided: {key}")));
    }
    let version = request.header("stripe-version");
    if !version.is_some_and(|version| VERSIONS.contains(&version)) {
        let message = format!("Invalid Stripe API version: {version:?}");
        return Err(invalid(400, "invalid_version", &message, "Stripe-Version"));
    }
    if request
        .header("stripe-account")
        .is_some_and(|account| account != ACCOUNT)
    {
        let error = json!({
            "type": "invalid_request_error", "code": "account_invalid",
            "message": "The provided key does not have access to this account.",
        });
        return Err(Answer::new(403, json!({ "error": error })));
    }
    Ok(())
}

fn invalid(status: u16, code: &str, message: &str, parameter: &str) -> Answer {
    let error = json!({
        "type": "invalid_request_error", "code": code, "message": message, "param": parameter,
    });
    Answer::new(status, json!({ "error": error }))
}

fn unrecognized(request: &Request) -> Answer {
    let message = format!("Unrecognized request URL ({}: {}).", request.method, request.path);
    invalid(404, "url_invalid", &message, "")
}

/// Too many requests a second.
pub(super) fn too_fast(reason: &str) -> Answer {
    let error =
        json!({ "type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests." });
    Answer::new(429, json!({ "error": error })).with("stripe-rate-limited-reason", reason)
}

/// Somebody else is changing the object.
pub(super) fn locked() -> Answer {
    let message = "This object cannot be accessed right now because another request is accessing it.";
    let error = json!({ "type": "invalid_request_error", "code": "lock_timeout", "message": message });
    Answer::new(429, json!({ "error": error }))
}

/// A restricted key without the permission.
pub(super) fn forbidden() -> Answer {
    let message = "The provided key does not have the required permissions for this endpoint.";
    Answer::new(
        403,
        json!({ "error": { "type": "invalid_request_error", "message": message } }),
    )
}

/// An object of the collection, with the main fields that are documented for it.
fn example(collection: &str, serial: i64) -> Value {
    let own = match collection {
        "customers" => json!({
            "id": format!("cus_{serial:08}"), "object": "customer", "email": format!("jenny{serial}@example.com"),
            "name": "Jenny Rosen", "phone": null, "description": null, "currency": null, "balance": -250,
            "delinquent": false, "preferred_locales": ["en"], "tax_exempt": "none", "shipping": null,
            "address": { "city": "Oslo", "country": "NO", "line1": "Storgata 1", "line2": null,
                         "postal_code": "0155", "state": null },
            "invoice_settings": { "default_payment_method": null, "footer": null },
        }),
        "products" => json!({
            "id": format!("prod_{serial:08}"), "object": "product", "active": true, "name": "Gold plan",
            "type": "service", "images": [], "marketing_features": [{ "name": "Support" }],
            "package_dimensions": null, "updated": days_ago(1), "default_price": null,
        }),
        "prices" => json!({
            "id": format!("price_{serial:08}"), "object": "price", "active": true, "product": "prod_00000001",
            "currency": "usd", "unit_amount": 1000, "unit_amount_decimal": "1000", "type": "recurring",
            "billing_scheme": "per_unit", "tax_behavior": "unspecified",
            "recurring": { "interval": "month", "interval_count": 1, "usage_type": "licensed", "meter": null,
                           "trial_period_days": null },
        }),
        "subscriptions" => json!({
            "id": format!("sub_{serial:08}"), "object": "subscription", "customer": "cus_00000001",
            "status": if serial % 5 == 0 { "canceled" } else { "active" }, "cancel_at_period_end": false,
            "items": { "object": "list", "data": [{ "id": "si_1", "price": { "id": "price_00000001" } }] },
            "latest_invoice": "in_00000001", "discounts": [], "ended_at": null,
        }),
        "invoices" => json!({
            "id": format!("in_{serial:08}"), "object": "invoice", "customer": "cus_00000001", "number": "A-1",
            "status": "paid", "currency": "usd", "amount_due": 1000, "amount_paid": 1000, "amount_remaining": 0,
            "subtotal": 1000, "total": 1000, "due_date": null, "lines": { "object": "list", "data": [] },
            "parent": { "type": "subscription_details" }, "status_transitions": { "paid_at": days_ago(1) },
        }),
        "charges" => json!({
            "id": format!("ch_{serial:08}"), "object": "charge", "amount": 1099, "amount_captured": 1099,
            "amount_refunded": 0, "currency": "usd", "status": "succeeded", "captured": true, "paid": true,
            "refunded": false, "disputed": false, "payment_intent": "pi_00000001", "failure_code": null,
            "outcome": { "network_status": "approved_by_network", "risk_level": "normal" },
            "billing_details": { "email": null }, "balance_transaction": "txn_00000001",
        }),
        "payment_intents" => json!({
            "id": format!("pi_{serial:08}"), "object": "payment_intent", "amount": 1099, "amount_received": 1099,
            "currency": "usd", "status": "succeeded", "latest_charge": "ch_00000001",
            "client_secret": format!("pi_{serial:08}_secret_YrKJUKribcBjcG8HVhfZluoGH"),
            "payment_method_types": ["card"], "capture_method": "automatic", "next_action": null,
        }),
        "refunds" => json!({
            "id": format!("re_{serial:08}"), "object": "refund", "amount": 100, "currency": "usd",
            "status": "succeeded", "reason": null, "charge": "ch_00000001",
            "destination_details": { "type": "card" },
        }),
        "disputes" => json!({
            "id": format!("du_{serial:08}"), "object": "dispute", "amount": 1099, "currency": "usd",
            "status": "needs_response", "reason": "fraudulent", "charge": "ch_00000001",
            "balance_transactions": [], "evidence": { "customer_name": null },
            "evidence_details": { "due_by": days_ago(0), "has_evidence": false }, "is_charge_refundable": false,
        }),
        "payouts" => json!({
            "id": format!("po_{serial:08}"), "object": "payout", "amount": 100_000, "currency": "usd",
            "status": "paid", "type": "bank_account", "method": "standard", "arrival_date": days_ago(0),
            "automatic": true, "destination": "ba_1", "reconciliation_status": "completed",
        }),
        "balance_transactions" => json!({
            "id": format!("txn_{serial:08}"), "object": "balance_transaction", "amount": 1099, "currency": "usd",
            "fee": 62, "fee_details": [{ "amount": 62, "type": "stripe_fee" }], "net": 1037, "type": "charge",
            "reporting_category": "charge", "source": "ch_00000001", "status": "available",
            "available_on": days_ago(0), "exchange_rate": null,
        }),
        "events" => json!({
            "id": format!("evt_{serial:08}"), "object": "event", "type": "charge.succeeded",
            "api_version": "2025-12-15.clover", "pending_webhooks": 0,
            "data": { "object": { "id": "ch_00000001", "object": "charge" } },
            "request": { "id": null, "idempotency_key": null },
        }),
        other => panic!("no example of {other}"),
    };
    let mut object = own;
    let without = ["refunds", "balance_transactions"];
    if !without.contains(&collection) {
        object["livemode"] = json!(false);
    }
    object
}
