//! Salesforce, as its documentation has it:
//!
//! - tokens: <https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm>,
//!   <https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_refresh_token_flow.htm>
//! - queries: <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_queryall.htm>
//! - SOQL: <https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql.htm>, with
//!   FIELDS(): `sforce_api_calls_soql_select_fields.htm` and dates: `sforce_api_calls_soql_select_dateformats.htm`
//! - errors: <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm>
//! - limits: <https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_api.htm>

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use serde_json::{Value, json};

use super::bulk::{self, Jobs};
use crate::fake::{Answer, Limit, Request, Vendor, find};
use crate::reading::days_ago;

pub(super) const CLIENT: &str = "3MVG9lKcPoNINVBIPJjdw1J9LLM82HnFVVX19KY1uA5mu0QqEWhqKpoW3svG3X";
pub(super) const CLIENT_SECRET: &str = "C1ient5ecret9876543210";
pub(super) const REFRESH_TOKEN: &str = "5Aep861example.refresh.token";

/// The stream, its object, the object's key prefix, and how many records this organisation gives at once: wide records
/// come in batches that are smaller than the 2,000 that are the maximum.
pub(super) const OBJECTS: [(&str, &str, &str, usize); 12] = [
    ("accounts", "Account", "001", 800),
    ("contacts", "Contact", "003", 2_000),
    ("leads", "Lead", "00Q", 2_000),
    ("opportunities", "Opportunity", "006", 2_000),
    ("opportunity_line_items", "OpportunityLineItem", "00k", 2_000),
    ("products", "Product2", "01t", 2_000),
    ("campaigns", "Campaign", "701", 2_000),
    ("campaign_members", "CampaignMember", "00v", 2_000),
    ("cases", "Case", "500", 2_000),
    ("tasks", "Task", "00T", 2_000),
    ("events", "Event", "00U", 2_000),
    ("users", "User", "005", 2_000),
];

#[derive(Clone)]
pub(super) struct Row {
    object: &'static str,
    pub(super) id: i64,
    /// Seconds of the epoch.
    pub(super) modified: i64,
    pub(super) deleted: bool,
}

/// An organisation. Clones are the same organisation.
#[derive(Clone, Default)]
pub(super) struct Salesforce {
    rows: Arc<Mutex<Vec<Row>>>,
    /// How many access tokens were given out; the last one is good.
    tokens: Arc<Mutex<usize>>,
    pub(super) jobs: Jobs,
    /// Requests of 24 hours, where the edition has others than 100,000.
    allowance: Option<usize>,
}

impl Salesforce {
    /// So many records of each object, changed a minute apart, the one with the first id last, a day ago.
    pub(super) fn with(count: i64) -> Self {
        let organisation = Self::default();
        for (_, object, _, _) in OBJECTS {
            for id in 1..=count {
                organisation.change(object, id, days_ago(1) - (id - 1) * 60, false);
            }
        }
        organisation
    }

    /// The same with so many requests in 24 hours.
    pub(super) fn with_allowance(mut self, requests: usize) -> Self {
        self.allowance = Some(requests);
        self
    }

    /// Makes, changes or deletes a record.
    pub(super) fn change(&self, object: &'static str, id: i64, modified: i64, deleted: bool) {
        let mut rows = self.rows.lock().unwrap();
        rows.retain(|row| row.object != object || row.id != id);
        rows.push(Row {
            object,
            id,
            modified,
            deleted,
        });
    }

    /// An object's records that are such.
    pub(super) fn rows(&self, object: &str, such: impl Fn(&Row) -> bool) -> Vec<Row> {
        let rows = self.rows.lock().unwrap();
        rows.iter()
            .filter(|row| row.object == object && such(row))
            .cloned()
            .collect()
    }

    /// Ends the session of the token that was given out last.
    pub(super) fn end_session(&self) {
        *self.tokens.lock().unwrap() += 1_000;
    }

    fn token(&self, request: &Request, base: &str) -> Result<Answer, Answer> {
        let form = request.form();
        let grant = find(&form, "grant_type").unwrap_or_default();
        let fields = match grant {
            "client_credentials" => 3,
            "refresh_token" => 4,
            _ => return Err(no_grant("unsupported_grant_type", "grant type not supported")),
        };
        if request.method != "POST" || form.len() != fields || !request.query.is_empty() {
            return Err(no_grant("invalid_request", "unknown or missing parameter"));
        }
        if find(&form, "client_id") != Some(CLIENT) || find(&form, "client_secret") != Some(CLIENT_SECRET) {
            return Err(no_grant("invalid_client", "invalid client credentials"));
        }
        if grant == "refresh_token" && find(&form, "refresh_token") != Some(REFRESH_TOKEN) {
            return Err(no_grant("invalid_grant", "expired access/refresh token"));
        }
        let mut tokens = self.tokens.lock().unwrap();
        *tokens += 1;
        // There is no word on how long it is good for.
        Ok(Answer::new(
            200,
            json!({
                "access_token": format!("00Dxx0000001gPL!{tokens}"), "instance_url": base, "token_type": "Bearer",
                "id": format!("{base}/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS"), "issued_at": "1278448384422",
                "signature": "SSSbLO/gBhmmyNUvN18ODBDFYHzakxOMgqYtu+hDPsc=",
            }),
        ))
    }

    fn query(&self, soql: &str, all: bool) -> Result<Answer, Answer> {
        let query = Query::parse(soql)?;
        let (_, object, prefix, batch) = query.object;
        let rows = self.rows.lock().unwrap();
        let mut found: Vec<(&Row, String)> = rows
            .iter()
            .filter(|row| row.object == object && (all || !row.deleted))
            .filter(|row| row.modified >= query.from && row.modified <= query.to)
            .map(|row| (row, id(prefix, row.id)))
            .filter(|(_, id)| query.above.as_ref().is_none_or(|above| id > above))
            .collect();
        found.sort_by(|(_, one), (_, other)| one.cmp(other));
        found.truncate(query.limit);
        let total = found.len();
        let records = found.into_iter().take(batch);
        let records: Vec<Value> = records.map(|(row, id)| shown(row, &id, &query.custom)).collect();
        let done = records.len() == total;
        let mut body = json!({ "totalSize": total, "done": done, "records": records });
        if !done {
            body["nextRecordsUrl"] = json!("/services/data/v64.0/query/01gRO0000016PIAYA2-800");
        }
        Ok(Answer::new(200, body).with("sforce-limit-info", "api-usage=18/100000"))
    }
}

impl Vendor for Salesforce {
    fn answer(&self, request: &Request, base: &str) -> Result<Answer, Answer> {
        if request.path == "/services/oauth2/token" {
            return self.token(request, base);
        }
        let good = format!("Bearer 00Dxx0000001gPL!{}", self.tokens.lock().unwrap());
        if request.header("authorization") != Some(&good) {
            return Err(session_ended());
        }
        if let Some(rest) = request.path.strip_prefix("/services/data/v64.0/jobs/query") {
            return self.jobs.answer(self, request, rest);
        }
        if let Some(rest) = request.path.strip_prefix("/services/data/v64.0/sobjects") {
            return bulk::describe(request, rest);
        }
        let all = match request.path.as_str() {
            "/services/data/v64.0/query" => false,
            "/services/data/v64.0/queryAll" => true,
            _ => return Err(error(404, "NOT_FOUND", "The requested resource does not exist")),
        };
        if request.method != "GET" || request.stranger(&["q"]).is_some() {
            return Err(error(
                400,
                "MALFORMED_QUERY",
                "a query is GET with q, and nothing else",
            ));
        }
        self.query(request.get("q").unwrap_or_default(), all)
    }

    fn limits(&self, request: &Request) -> Vec<Limit> {
        if request.path == "/services/oauth2/token" {
            return Vec::new();
        }
        vec![Limit::new(
            "TotalRequests",
            self.allowance.unwrap_or(100_000),
            86_400,
        )]
    }

    fn beyond(&self, _: &Limit, _: Duration) -> Answer {
        used_up()
    }
}

/// A query of the kind that this fake understands; everything else is malformed.
struct Query {
    object: (&'static str, &'static str, &'static str, usize),
    custom: Vec<String>,
    from: i64,
    to: i64,
    above: Option<String>,
    limit: usize,
}

impl Query {
    fn parse(soql: &str) -> Result<Self, Answer> {
        let malformed = |what: &str| error(400, "MALFORMED_QUERY", &format!("unexpected token: {what}"));
        let soql = soql.split_whitespace().collect::<Vec<_>>().join(" ");
        let rest = soql
            .strip_prefix("SELECT FIELDS(STANDARD)")
            .ok_or_else(|| malformed(&soql))?;
        let (custom, rest) = rest.split_once(" FROM ").ok_or_else(|| malformed("FROM"))?;
        let custom: Vec<String> = custom
            .split(',')
            .map(|field| field.trim().to_owned())
            .skip(1)
            .collect();
        if let Some(field) = custom.iter().find(|field| *field != "Region__c") {
            let message = format!("No such column '{field}' on entity");
            return Err(error(400, "INVALID_FIELD", &message));
        }
        let (object, rest) = rest.split_once(" WHERE ").ok_or_else(|| malformed("WHERE"))?;
        let known = OBJECTS.into_iter().find(|(_, name, _, _)| *name == object);
        let message = format!("sObject type '{object}' is not supported.");
        let object = known.ok_or_else(|| error(400, "INVALID_TYPE", &message))?;
        let (conditions, rest) = rest
            .split_once(" ORDER BY Id ASC LIMIT ")
            .ok_or_else(|| malformed("ORDER BY"))?;
        let limit = rest.parse().map_err(|_| malformed("LIMIT"))?;
        let mut query = Self {
            object,
            custom,
            from: i64::MIN,
            to: i64::MAX,
            above: None,
            limit,
        };
        for condition in conditions.split(" AND ") {
            let time = |text: &str| {
                let parsed = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%SZ");
                parsed
                    .map(|time| time.and_utc().timestamp())
                    .map_err(|_| malformed(text))
            };
            match condition.split(' ').collect::<Vec<_>>().as_slice() {
                ["SystemModstamp", ">=", text] => query.from = time(text)?,
                ["SystemModstamp", "<=", text] => query.to = time(text)?,
                ["Id", ">", text] => {
                    let text = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
                    let text = text
                        .filter(|text| text.len() == 18)
                        .ok_or_else(|| malformed("Id"))?;
                    query.above = Some(text.to_owned());
                }
                _ => return Err(malformed(condition)),
            }
        }
        Ok(query)
    }
}

pub(super) fn id(prefix: &str, serial: i64) -> String {
    format!("{prefix}xx{serial:010}AAA")
}

fn shown(row: &Row, id: &str, custom: &[String]) -> Value {
    let stamp = DateTime::from_timestamp(row.modified, 0).unwrap();
    let stamp = stamp.format("%Y-%m-%dT%H:%M:%S.000+0000").to_string();
    let mut record = json!({
        "attributes": { "type": row.object, "url": format!("/services/data/v64.0/sobjects/{}/{id}", row.object) },
        "Id": id, "CreatedDate": "2020-01-01T00:00:00.000+0000", "LastModifiedDate": stamp, "SystemModstamp": stamp,
    });
    if row.object != "User" {
        record["IsDeleted"] = json!(row.deleted);
    }
    match row.object {
        "Account" => {
            record["Name"] = json!("Acme");
            record["AnnualRevenue"] = json!(350_000_000.0);
            record["BillingAddress"] = json!({ "city": "Oslo", "country": "Norway" });
        }
        "Opportunity" => {
            record["Amount"] = json!(15_000.5);
            record["CloseDate"] = json!("2026-07-01");
            record["IsWon"] = json!(false);
        }
        "Task" => record["Subject"] = json!("Call"),
        _ => {}
    }
    for field in custom {
        record[field] = json!("North");
    }
    record
}

pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::new(status, json!([{ "message": message, "errorCode": code }]))
}

fn no_grant(code: &str, description: &str) -> Answer {
    Answer::new(400, json!({ "error": code, "error_description": description }))
}

pub(super) fn session_ended() -> Answer {
    error(401, "INVALID_SESSION_ID", "Session expired or invalid")
}

/// The organisation's requests of 24 hours are used up.
pub(super) fn used_up() -> Answer {
    error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
}

/// Too many long requests at the same time.
pub(super) fn too_many_at_once() -> Answer {
    error(
        403,
        "REQUEST_LIMIT_EXCEEDED",
        "ConcurrentRequests Limit exceeded.",
    )
}

/// Maintenance.
pub(super) fn unavailable() -> Answer {
    error(503, "SERVER_UNAVAILABLE", "Server is too busy")
}

pub(super) fn forbidden() -> Answer {
    error(
        403,
        "API_DISABLED_FOR_ORG",
        "API is not enabled for this Organization or Partner",
    )
}
