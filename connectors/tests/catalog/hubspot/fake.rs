//! HubSpot, as its documentation has it:
//!
//! - private apps: <https://developers.hubspot.com/docs/guides/apps/private-apps/overview>
//! - OAuth: <https://developers.hubspot.com/docs/guides/api/app-management/oauth-tokens>
//! - search, its operators and its limits: <https://developers.hubspot.com/docs/guides/api/crm/search>
//! - owners: <https://developers.hubspot.com/docs/guides/api/crm/owners>
//! - pipelines: <https://developers.hubspot.com/docs/guides/api/crm/pipelines>
//! - errors: <https://developers.hubspot.com/docs/reference/api/other-resources/error-handling>
//! - limits: <https://developers.hubspot.com/docs/guides/apps/api-usage/usage-details>

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::DateTime;
use serde_json::{Map, Value, json};

use crate::fake::{Answer, Limit, Request, Vendor, find};
use crate::reading::days_ago;

pub(super) const TOKEN: &str = "pat-eu1-00000000-1111-2222-3333-444444444444";
pub(super) const CLIENT: &str = "7fff1e36-2d40-4ae1-bbb1-5266d59564fb";
pub(super) const CLIENT_SECRET: &str = "c1ient-5ecret-9876543210";
pub(super) const REFRESH_TOKEN: &str = "refresh-6f18f21e-a743-4509-b7fd";

/// The objects that can be searched, and what their time of change is called.
pub(super) const OBJECTS: [(&str, &str); 11] = [
    ("contacts", "lastmodifieddate"),
    ("companies", "hs_lastmodifieddate"),
    ("deals", "hs_lastmodifieddate"),
    ("tickets", "hs_lastmodifieddate"),
    ("products", "hs_lastmodifieddate"),
    ("line_items", "hs_lastmodifieddate"),
    ("calls", "hs_lastmodifieddate"),
    ("emails", "hs_lastmodifieddate"),
    ("meetings", "hs_lastmodifieddate"),
    ("notes", "hs_lastmodifieddate"),
    ("tasks", "hs_lastmodifieddate"),
];

/// Results of one search, over all of its pages.
const SEARCHABLE: usize = 10_000;

struct Object {
    id: i64,
    /// Milliseconds of the epoch.
    modified: i64,
}

/// An account. Clones are the same account.
#[derive(Clone, Default)]
pub(super) struct HubSpot {
    objects: Arc<Mutex<HashMap<String, Vec<Object>>>>,
    /// How many access tokens were given out; the last one is good.
    tokens: Arc<Mutex<usize>>,
}

impl HubSpot {
    /// So many objects of each kind, changed one after the other, a minute apart, the last one a day ago. The ones that
    /// were made first were changed last.
    pub(super) fn with(count: i64) -> Self {
        let account = Self::default();
        for (kind, _) in OBJECTS {
            for id in 1..=count {
                account.change(kind, id, (days_ago(1) - (id - 1) * 60) * 1000 + 678);
            }
        }
        account
    }

    /// Changes an object, or makes it.
    pub(super) fn change(&self, kind: &str, id: i64, modified: i64) {
        let mut objects = self.objects.lock().unwrap();
        let objects = objects.entry(kind.to_owned()).or_default();
        match objects.iter_mut().find(|object| object.id == id) {
            Some(object) => object.modified = modified,
            None => objects.push(Object { id, modified }),
        }
    }

    /// The access token that was given out is no longer good.
    pub(super) fn expire(&self) {
        *self.tokens.lock().unwrap() += 1000;
    }

    fn authenticate(&self, request: &Request) -> Result<(), Answer> {
        let shown = request.header("authorization").unwrap_or_default();
        let current = format!("Bearer access-{}", self.tokens.lock().unwrap());
        if shown == format!("Bearer {TOKEN}") || shown == current {
            return Ok(());
        }
        if shown.starts_with("Bearer access-") {
            let message = "The OAuth token used to make this call expired.";
            return Err(error(401, message, "EXPIRED_AUTHENTICATION"));
        }
        let message = format!("Authentication credentials not found: {shown}");
        Err(error(401, &message, "INVALID_AUTHENTICATION"))
    }

    fn token(&self, request: &Request) -> Result<Answer, Answer> {
        let form = request.form();
        let wanted = [
            ("grant_type", "refresh_token"),
            ("client_id", CLIENT),
            ("client_secret", CLIENT_SECRET),
            ("refresh_token", REFRESH_TOKEN),
        ];
        let right = wanted
            .iter()
            .all(|(name, value)| find(&form, name) == Some(*value));
        if request.method != "POST" || !right || form.len() != wanted.len() {
            let body =
                json!({ "status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token" });
            return Err(Answer::new(400, body));
        }
        let mut tokens = self.tokens.lock().unwrap();
        *tokens += 1;
        Ok(Answer::new(
            200,
            json!({
                "access_token": format!("access-{tokens}"), "refresh_token": REFRESH_TOKEN,
                "token_type": "bearer", "expires_in": 1800,
            }),
        ))
    }

    fn search(&self, request: &Request, kind: &str) -> Result<Answer, Answer> {
        let known = OBJECTS.iter().find(|(name, _)| *name == kind);
        let (_, modified_name) = known.ok_or_else(|| not_found(request))?;
        let search = Search::read(request, modified_name)?;
        let objects = self.objects.lock().unwrap();
        let mut found: Vec<&Object> = objects[kind]
            .iter()
            .filter(|object| search.matches(object))
            .collect();
        found.sort_by_key(|object| object.id);
        let page: Vec<Value> = found
            .iter()
            .skip(search.after)
            .take(search.limit)
            .map(|object| shown(kind, modified_name, object, &search.properties))
            .collect();
        let mut body = json!({ "total": found.len(), "results": page });
        let next = search.after + search.limit;
        if next < found.len() {
            body["paging"] = json!({ "next": { "after": next.to_string() } });
        }
        Ok(Answer::new(200, body))
    }

    fn owners(request: &Request) -> Result<Answer, Answer> {
        if let Some(name) = request.stranger(&["email", "after", "limit", "archived"]) {
            return Err(invalid(&format!("unknown parameter {name}")));
        }
        let limit = request.number("limit").unwrap_or(100);
        if !(1..=500).contains(&limit) {
            return Err(invalid("limit must be between 1 and 500"));
        }
        let after = request.number("after").unwrap_or(0);
        let all = OWNERS;
        let page: Vec<Value> = (after + 1..=(after + limit).min(all)).map(owner).collect();
        let mut body = json!({ "results": page });
        if after + limit < all {
            body["paging"] = json!({ "next": { "after": (after + limit).to_string() } });
        }
        Ok(Answer::new(200, body))
    }
}

pub(super) const OWNERS: i64 = 250;

impl Vendor for HubSpot {
    fn answer(&self, request: &Request, _: &str) -> Result<Answer, Answer> {
        if request.path == "/oauth/v1/token" {
            return self.token(request);
        }
        self.authenticate(request)?;
        let segments: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        let answer = match (request.method.as_str(), segments.as_slice()) {
            ("POST", ["crm", "v3", "objects", kind, "search"]) => self.search(request, kind)?,
            ("GET", ["crm", "v3", "owners"]) => Self::owners(request)?,
            ("GET", ["crm", "v3", "pipelines", "deals" | "tickets"]) if request.query.is_empty() => {
                Answer::new(200, json!({ "results": [pipeline()] }))
            }
            _ => return Err(not_found(request)),
        };
        // Searches do not say how many requests are left.
        if request.method == "POST" {
            return Ok(answer);
        }
        Ok(answer
            .with("x-hubspot-ratelimit-interval-milliseconds", 10_000)
            .with("x-hubspot-ratelimit-max", 190)
            .with("x-hubspot-ratelimit-remaining", 189))
    }

    fn limits(&self, request: &Request) -> Vec<Limit> {
        if request.path == "/oauth/v1/token" {
            return Vec::new();
        }
        // Searches count by themselves.
        if request.method == "POST" {
            return vec![Limit::new("SECONDLY", 5, 1)];
        }
        let public = request
            .header("authorization")
            .is_some_and(|shown| shown != format!("Bearer {TOKEN}"));
        vec![Limit::new(
            "TEN_SECONDLY_ROLLING",
            if public { 110 } else { 100 },
            10,
        )]
    }

    fn beyond(&self, limit: &Limit, _: Duration) -> Answer {
        limited(limit.of)
    }
}

/// A search that is as documented.
struct Search {
    filters: Vec<(String, String, i64, i64)>,
    properties: Vec<String>,
    limit: usize,
    after: usize,
}

impl Search {
    fn read(request: &Request, modified: &str) -> Result<Self, Answer> {
        if request.header("content-type") != Some("application/json") || !request.query.is_empty() {
            return Err(invalid("a search is a JSON body"));
        }
        if request.body.len() > 3_000 {
            return Err(invalid("the body exceeds 3,000 characters"));
        }
        let body: Map<String, Value> = serde_json::from_str(&request.body).map_err(|_| invalid("no JSON"))?;
        let fields = ["filterGroups", "sorts", "query", "properties", "limit", "after"];
        if let Some(name) = body.keys().find(|name| !fields.contains(&name.as_str())) {
            return Err(invalid(&format!("Unrecognized field {name}")));
        }
        let limit = body.get("limit").map_or(Some(10), Value::as_u64);
        let limit = limit.filter(|limit| (1..=200).contains(limit));
        let limit = limit.ok_or_else(|| invalid("limit must be between 1 and 200"))?;
        let after = body.get("after").and_then(Value::as_str).unwrap_or("0");
        let after: usize = after.parse().map_err(|_| invalid("after is no cursor"))?;
        let limit = usize::try_from(limit).unwrap();
        if after + limit > SEARCHABLE {
            return Err(invalid("a search has at most 10,000 results"));
        }
        let sorted = json!([{ "propertyName": "hs_object_id", "direction": "ASCENDING" }]);
        if body.get("sorts") != Some(&sorted) {
            return Err(invalid("this fake sorts by id only"));
        }
        let groups = body.get("filterGroups").and_then(Value::as_array);
        let groups = groups.ok_or_else(|| invalid("filterGroups is no list"))?;
        let [group] = groups.as_slice() else {
            return Err(invalid("this fake knows searches with one group of filters"));
        };
        let filters = group["filters"].as_array().filter(|filters| filters.len() <= 6);
        let filters = filters.ok_or_else(|| invalid("a group has at most 6 filters"))?;
        let filters = filters.iter().map(|filter| read_filter(filter, modified));
        let properties = body.get("properties").and_then(Value::as_array);
        let properties = properties.ok_or_else(|| invalid("properties is no list"))?;
        Ok(Self {
            filters: filters.collect::<Result<_, _>>()?,
            properties: properties
                .iter()
                .filter_map(|name| Some(name.as_str()?.to_owned()))
                .collect(),
            limit,
            after,
        })
    }

    fn matches(&self, object: &Object) -> bool {
        self.filters.iter().all(|(property, operator, value, high)| {
            let own = if property == "hs_object_id" {
                object.id
            } else {
                object.modified
            };
            match operator.as_str() {
                "GT" => own > *value,
                _ => own >= *value && own <= *high,
            }
        })
    }
}

fn read_filter(filter: &Value, modified: &str) -> Result<(String, String, i64, i64), Answer> {
    let text = |name: &str| {
        filter[name]
            .as_str()
            .ok_or_else(|| invalid(&format!("{name} must be a string")))
    };
    let (property, operator) = (text("propertyName")?, text("operator")?);
    if property != modified && property != "hs_object_id" {
        return Err(invalid(&format!(
            "There was a problem with the request: no property {property}"
        )));
    }
    let number = |name: &str| {
        text(name)?
            .parse::<i64>()
            .map_err(|_| invalid(&format!("{name} is no number")))
    };
    let high = match operator {
        "GT" => 0,
        "BETWEEN" => number("highValue")?,
        _ => {
            return Err(invalid(&format!(
                "{operator} is not an operator that this fake knows"
            )));
        }
    };
    Ok((property.to_owned(), operator.to_owned(), number("value")?, high))
}

fn shown(kind: &str, modified_name: &str, object: &Object, wanted: &[String]) -> Value {
    let time = DateTime::from_timestamp_millis(object.modified).unwrap();
    let time = time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let mut properties = Map::new();
    for name in wanted {
        properties.insert(name.clone(), json!(format!("{name} of {kind} {}", object.id)));
    }
    properties.insert("hs_object_id".to_owned(), json!(object.id.to_string()));
    properties.insert(modified_name.to_owned(), json!(time));
    json!({
        "id": object.id.to_string(), "properties": properties, "createdAt": "2020-01-01T00:00:00.000Z",
        "updatedAt": time, "archived": false,
    })
}

pub(super) fn owner(id: i64) -> Value {
    json!({
        "id": id.to_string(), "email": format!("owner{id}@example.com"), "firstName": "Jay", "lastName": "Doe",
        "type": "PERSON", "userId": id + 1000, "userIdIncludingInactive": id + 1000, "archived": false,
        "createdAt": "2020-01-01T00:00:00.000Z", "updatedAt": "2020-01-02T00:00:00.000Z",
        "teams": [{ "id": "1", "name": "Sales", "primary": true }],
    })
}

pub(super) fn pipeline() -> Value {
    json!({
        "id": "default", "label": "Pipeline", "displayOrder": 0, "archived": false,
        "createdAt": "2020-01-01T00:00:00Z", "updatedAt": "2020-01-01T00:00:00Z",
        "stages": [{
            "id": "closedwon", "label": "Closed won", "displayOrder": 5, "archived": false,
            "metadata": { "isClosed": "true", "probability": "1.0" }, "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
            "createdAt": "2020-01-01T00:00:00Z", "updatedAt": "2020-01-01T00:00:00Z",
        }],
    })
}

fn error(status: u16, message: &str, category: &str) -> Answer {
    let correlation = "aeb5f871-7f07-4993-9211-075dc63e7cbf";
    Answer::new(
        status,
        json!({ "status": "error", "message": message, "correlationId": correlation, "category": category }),
    )
}

fn invalid(message: &str) -> Answer {
    error(400, message, "VALIDATION_ERROR")
}

fn not_found(request: &Request) -> Answer {
    error(
        404,
        &format!("No resource at {} {}", request.method, request.path),
        "OBJECT_NOT_FOUND",
    )
}

/// A limit that was reached.
pub(super) fn limited(policy: &str) -> Answer {
    Answer::new(
        429,
        json!({
            "status": "error", "message": "You have reached your limit.", "errorType": "RATE_LIMIT",
            "policyName": policy, "correlationId": "c033cdaa-2c40-4a64-ae48-b4cec88dad24",
        }),
    )
}

/// The account is being moved to another data centre.
pub(super) fn migrating() -> Answer {
    error(477, "Migration in progress", "MIGRATION").with("retry-after", 3600)
}

/// The app lacks a scope.
pub(super) fn forbidden() -> Answer {
    error(
        403,
        "This app hasn't been granted all required scopes to make this call.",
        "MISSING_SCOPES",
    )
}
