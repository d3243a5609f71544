//! The Bulk API 2.0 of the fake, and what it needs of the objects' descriptions, as the documentation has them:
//!
//! - query jobs: <https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_create_job.htm>,
//!   `query_get_one_job.htm`, `query_get_job_results.htm`
//! - what a query may be, compound fields: `queries.htm`, `datafiles_date_format.htm` and
//!   <https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/compound_fields.htm>
//! - descriptions: <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm>,
//!   `resources_describeGlobal.htm`

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, NaiveDateTime};
use serde_json::{Value, json};

use super::fake::{Row, Salesforce, error, id};
use crate::fake::{Answer, Request};

/// An object's name, its key prefix, and its fields with their types.
type Object = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// The objects that jobs are of here.
const OBJECTS: [Object; 2] = [
    (
        "Account",
        "001",
        &[
            ("Id", "id"),
            ("IsDeleted", "boolean"),
            ("Name", "string"),
            ("BillingAddress", "address"),
            ("BillingCity", "string"),
            ("AnnualRevenue", "currency"),
            ("NumberOfEmployees", "int"),
            ("OwnerId", "reference"),
            ("SystemModstamp", "datetime"),
        ],
    ),
    (
        "Invoice__c",
        "a01",
        &[
            ("Id", "id"),
            ("IsDeleted", "boolean"),
            ("Scan__c", "base64"),
            ("Due__c", "date"),
            ("SystemModstamp", "datetime"),
        ],
    ),
];

/// Where jobs are, in the order that they go through it.
const STATES: [&str; 3] = ["UploadComplete", "InProgress", "JobComplete"];

/// The jobs of an organisation. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Jobs {
    made: Arc<Mutex<Vec<Job>>>,
    /// How the next ones end.
    ends: Arc<Mutex<VecDeque<&'static str>>>,
}

struct Job {
    object: usize,
    columns: Vec<&'static str>,
    window: (i64, i64),
    deleted_too: bool,
    polls: usize,
    failed: Option<String>,
}

impl Jobs {
    /// How many were made.
    pub(super) fn count(&self) -> usize {
        self.made.lock().unwrap().len()
    }

    /// Jobs end well again.
    pub(super) fn forget_ends(&self) {
        self.ends.lock().unwrap().clear();
    }

    /// The next job ends like this.
    pub(super) fn end_next(&self, state: &'static str) {
        self.ends.lock().unwrap().push_back(state);
    }

    /// What is answered below `jobs/query`.
    pub(super) fn answer(
        &self,
        organisation: &Salesforce,
        request: &Request,
        rest: &str,
    ) -> Result<Answer, Answer> {
        let segments: Vec<&str> = rest.split('/').skip(1).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("POST", []) if request.query.is_empty() => self.create(request),
            ("GET", [job]) if request.query.is_empty() => self.state(job),
            ("GET", [job, "results"]) => self.results(organisation, request, job),
            _ => Err(error(404, "NOT_FOUND", "The requested resource does not exist")),
        }
    }

    fn create(&self, request: &Request) -> Result<Answer, Answer> {
        if request.header("content-type") != Some("application/json") {
            return Err(error(415, "UNSUPPORTED_MEDIA_TYPE", "The job is JSON"));
        }
        let body: Value = serde_json::from_str(&request.body)
            .map_err(|_| error(400, "JSON_PARSER_ERROR", "Unexpected character"))?;
        let fields = body
            .as_object()
            .ok_or_else(|| error(400, "JSON_PARSER_ERROR", "no object"))?;
        for (name, value) in fields {
            let known: &[&str] = match name.as_str() {
                "operation" => &["query", "queryAll"],
                "contentType" => &["CSV"],
                "columnDelimiter" => &["BACKQUOTE", "CARET", "COMMA", "PIPE", "SEMICOLON", "TAB"],
                "lineEnding" => &["LF", "CRLF"],
                "query" => continue,
                _ => {
                    return Err(error(
                        400,
                        "JSON_PARSER_ERROR",
                        &format!("Unrecognized field \"{name}\""),
                    ));
                }
            };
            if !value.as_str().is_some_and(|value| known.contains(&value)) {
                return Err(error(400, "INVALIDJOB", &format!("{name} is not valid: {value}")));
            }
        }
        let mut job = parsed(fields.get("query").and_then(Value::as_str).unwrap_or_default())?;
        job.deleted_too = fields["operation"] == "queryAll";
        let end = self.ends.lock().unwrap().pop_front();
        job.failed = job.failed.or(end.map(ToOwned::to_owned));
        let mut jobs = self.made.lock().unwrap();
        jobs.push(job);
        Ok(Answer::new(
            200,
            shown(jobs.len(), &jobs[jobs.len() - 1], "UploadComplete"),
        ))
    }

    fn state(&self, id: &str) -> Result<Answer, Answer> {
        let mut jobs = self.made.lock().unwrap();
        let number = number(id).filter(|number| *number <= jobs.len());
        let number =
            number.ok_or_else(|| error(404, "NOT_FOUND", "The requested resource does not exist"))?;
        let job = &mut jobs[number - 1];
        job.polls += 1;
        let state = job.state();
        let mut body = shown(number, job, state);
        if state == "Failed" {
            body["errorMessage"] = json!(job.failed);
        }
        Ok(Answer::new(200, body))
    }

    fn results(&self, organisation: &Salesforce, request: &Request, id: &str) -> Result<Answer, Answer> {
        if request.stranger(&["locator", "maxRecords"]).is_some()
            || request.header("accept") != Some("text/csv")
        {
            return Err(error(
                400,
                "INVALID_REQUEST",
                "locator and maxRecords, as text/csv",
            ));
        }
        let jobs = self.made.lock().unwrap();
        let number = number(id).filter(|number| *number <= jobs.len());
        let number =
            number.ok_or_else(|| error(404, "NOT_FOUND", "The requested resource does not exist"))?;
        let job = &jobs[number - 1];
        if job.state() != "JobComplete" {
            return Err(error(400, "INVALIDJOBSTATE", "the job has no results"));
        }
        let start = match request.get("locator") {
            None => 0,
            Some(locator) => locator
                .strip_prefix("MTAw")
                .and_then(|start| start.parse().ok())
                .ok_or_else(|| error(400, "INVALIDLOCATOR", "Invalid locator"))?,
        };
        let most = request.number("maxRecords").filter(|most| *most > 0);
        let most = usize::try_from(most.ok_or_else(|| error(400, "INVALID_REQUEST", "maxRecords"))?).unwrap();
        let (object, prefix, _) = OBJECTS[job.object];
        let mut rows = organisation.rows(object, |row| {
            (job.deleted_too || !row.deleted) && (job.window.0..=job.window.1).contains(&row.modified)
        });
        rows.sort_by_key(|row| row.id);
        let part: Vec<&Row> = rows.iter().skip(start).take(most).collect();
        let mut csv = line(job.columns.iter().map(|name| (*name).to_owned()));
        for row in &part {
            csv += &line(job.columns.iter().map(|name| value(row, prefix, name)));
        }
        let next = start + part.len();
        let locator = if next < rows.len() {
            format!("MTAw{next}")
        } else {
            "null".to_owned()
        };
        Ok(Answer::csv(csv)
            .with("sforce-locator", locator)
            .with("sforce-numberofrecords", part.len()))
    }
}

impl Job {
    fn state(&self) -> &'static str {
        let state = STATES[self.polls.min(STATES.len() - 1)];
        match (state, &self.failed) {
            ("JobComplete", Some(why)) if why == "Aborted" => "Aborted",
            ("JobComplete", Some(_)) => "Failed",
            _ => state,
        }
    }
}

fn number(id: &str) -> Option<usize> {
    id.strip_prefix("750R000000")?
        .parse()
        .ok()
        .filter(|number| *number > 0)
}

fn shown(number: usize, job: &Job, state: &str) -> Value {
    json!({
        "id": format!("750R000000{number:08}"), "operation": if job.deleted_too { "queryAll" } else { "query" },
        "object": OBJECTS[job.object].0, "createdById": "005R0000000GiwjIAC",
        "createdDate": "2026-06-15T12:00:00.000+0000", "systemModstamp": "2026-06-15T12:00:00.000+0000",
        "state": state, "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": 64.0, "lineEnding": "LF",
        "columnDelimiter": "COMMA",
    })
}

/// A query of the kind that this fake understands; everything else is refused when the job is made.
fn parsed(soql: &str) -> Result<Job, Answer> {
    let refused = |what: &str| error(400, "API_ERROR", &format!("unexpected token: {what}"));
    let soql = soql.split_whitespace().collect::<Vec<_>>().join(" ");
    let rest = soql.strip_prefix("SELECT ").ok_or_else(|| refused("SELECT"))?;
    let (columns, rest) = rest.split_once(" FROM ").ok_or_else(|| refused("FROM"))?;
    let (object, rest) = rest.split_once(" WHERE ").ok_or_else(|| refused("WHERE"))?;
    let place = OBJECTS.iter().position(|(name, _, _)| *name == object);
    let message = format!("sObject type '{object}' is not supported.");
    let place = place.ok_or_else(|| error(400, "API_ERROR", &message))?;
    let (mut names, mut failed) = (Vec::new(), None);
    for column in columns.split(", ") {
        let known = OBJECTS[place].2.iter().find(|(name, _)| *name == column);
        let message = format!("No such column '{column}' on entity '{object}'.");
        let (name, kind) = known.ok_or_else(|| error(400, "API_ERROR", &message))?;
        if ["address", "location", "base64"].contains(kind) {
            failed = Some(format!(
                "FeatureNotEnabled : Cannot serialize value for '{name}' in CSV format"
            ));
        }
        names.push(*name);
    }
    let time = |condition: Option<&str>, operator: &str| {
        let text = condition.and_then(|text| text.strip_prefix("SystemModstamp ")?.strip_prefix(operator));
        let parsed = NaiveDateTime::parse_from_str(text.unwrap_or_default(), "%Y-%m-%dT%H:%M:%SZ");
        parsed
            .map(|time| time.and_utc().timestamp())
            .map_err(|_| refused(rest))
    };
    let mut conditions = rest.split(" AND ");
    let window = (time(conditions.next(), ">= ")?, time(conditions.next(), "<= ")?);
    if let Some(more) = conditions.next() {
        return Err(refused(more));
    }
    Ok(Job {
        object: place,
        columns: names,
        window,
        deleted_too: false,
        polls: 0,
        failed,
    })
}

fn line(values: impl Iterator<Item = String>) -> String {
    let quoted: Vec<String> = values
        .map(|value| format!("\"{}\"", value.replace('"', "\"\"")))
        .collect();
    quoted.join(",") + "\n"
}

fn value(row: &Row, prefix: &str, name: &str) -> String {
    match name {
        "Id" => id(prefix, row.id),
        "IsDeleted" => row.deleted.to_string(),
        // With what a careless reader of CSV stumbles over.
        "Name" => format!("Acme \"{}\", Ltd.\nOslo", row.id),
        "AnnualRevenue" => "350000000.5".to_owned(),
        "NumberOfEmployees" => {
            if row.id % 2 == 0 {
                String::new()
            } else {
                row.id.to_string()
            }
        }
        "OwnerId" => "005R0000000GiwjIAC".to_owned(),
        "Due__c" => "2026-07-01".to_owned(),
        "SystemModstamp" => {
            let stamp = DateTime::from_timestamp(row.modified, 0).unwrap();
            stamp.format("%Y-%m-%dT%H:%M:%S.000Z").to_string()
        }
        // Nobody lives in a city here.
        _ => String::new(),
    }
}

/// What is answered below `sobjects`.
pub(super) fn describe(request: &Request, rest: &str) -> Result<Answer, Answer> {
    let not_found = || error(404, "NOT_FOUND", "The requested resource does not exist");
    if request.method != "GET" || !request.query.is_empty() {
        return Err(not_found());
    }
    let described = |(name, prefix, _): &(&str, &str, _)| {
        json!({
            "name": name, "label": name, "labelPlural": name, "keyPrefix": prefix, "custom": name.ends_with("__c"),
            "customSetting": false, "queryable": true, "replicateable": true, "retrieveable": true,
        })
    };
    if rest.is_empty() {
        let mut all: Vec<Value> = OBJECTS
            .iter()
            .map(|object| described(&(object.0, object.1, ())))
            .collect();
        all.push(json!({ "name": "AcceptedEventRelation", "queryable": false }));
        return Ok(Answer::new(
            200,
            json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": all }),
        ));
    }
    let name = rest
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix("/describe"));
    let found = OBJECTS.iter().find(|(own, _, _)| Some(*own) == name);
    let (name, prefix, fields) = found.ok_or_else(not_found)?;
    let fields: Vec<Value> = fields
        .iter()
        .map(|(name, kind)| json!({ "name": name, "type": kind, "label": name, "nillable": true }))
        .collect();
    let mut body = described(&(*name, *prefix, ()));
    body["fields"] = json!(fields);
    body["childRelationships"] = json!([{ "childSObject": "Contact", "field": "AccountId" }]);
    Ok(Answer::new(200, body))
}
