//! Postmark, as its documentation has it:
//!
//! - tokens, statuses and error codes: <https://postmarkapp.com/developer/api/overview>
//! - messages: <https://postmarkapp.com/developer/api/messages-api>
//! - bounces: <https://postmarkapp.com/developer/api/bounce-api>
//! - message streams: <https://postmarkapp.com/developer/api/message-streams-api>
//! - suppressions: <https://postmarkapp.com/developer/api/suppressions-api>
//! - templates: <https://postmarkapp.com/developer/api/templates-api>
//! - servers: <https://postmarkapp.com/developer/api/server-api>, <https://postmarkapp.com/developer/api/servers-api>
//! - domains and senders: <https://postmarkapp.com/developer/api/domains-api>,
//!   <https://postmarkapp.com/developer/api/signatures-api>

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::America::New_York;
use serde_json::{Value, json};

use crate::fake::{Answer, Limit, Request, Vendor};

pub(super) const SERVER_TOKEN: &str = "00000000-1111-2222-3333-444444444444";
pub(super) const ACCOUNT_TOKEN: &str = "99999999-8888-7777-6666-555555555555";

/// The lists: path, the answer's field, and their filters besides count and offset.
const LISTS: [(&str, &str, &[&str]); 7] = [
    (
        "/messages/outbound",
        "Messages",
        &[
            "recipient",
            "fromemail",
            "tag",
            "status",
            "todate",
            "fromdate",
            "subject",
            "messagestream",
        ],
    ),
    (
        "/messages/inbound",
        "InboundMessages",
        &[
            "recipient",
            "fromemail",
            "tag",
            "subject",
            "mailboxhash",
            "status",
            "todate",
            "fromdate",
        ],
    ),
    (
        "/bounces",
        "Bounces",
        &[
            "type",
            "inactive",
            "emailFilter",
            "messageID",
            "tag",
            "todate",
            "fromdate",
            "messagestream",
        ],
    ),
    ("/templates", "Templates", &["TemplateType", "LayoutTemplate"]),
    ("/servers", "Servers", &["name"]),
    ("/domains", "Domains", &[]),
    ("/senders", "SenderSignatures", &[]),
];

/// Results of one search, over all of its pages.
const SEARCHABLE: usize = 10_000;

pub(super) struct Sent {
    id: i64,
    stream: &'static str,
    at: DateTime<Utc>,
}

/// A server. Clones are the same server.
#[derive(Clone, Default)]
pub(super) struct Postmark {
    sent: Arc<Mutex<Vec<Sent>>>,
    others: i64,
}

impl Postmark {
    /// A server with so many entries in every other list, and nothing sent.
    pub(super) fn with(others: i64) -> Self {
        Self {
            others,
            ..Self::default()
        }
    }

    /// Sends a message, which bounces.
    pub(super) fn send(&self, id: i64, stream: &'static str, at: DateTime<Utc>) {
        self.sent.lock().unwrap().push(Sent { id, stream, at });
    }

    /// One page of a search, and how many results there are on all of them.
    fn search(&self, request: &Request, page: Page) -> Result<(usize, Vec<Value>), Answer> {
        if page.offset + page.count > SEARCHABLE {
            return Err(refused(422, 602, "Count and offset together are at most 10000."));
        }
        let stream = request.get("messagestream").unwrap_or("outbound");
        let (from, to) = (eastern(request, "fromdate")?, eastern(request, "todate")?);
        let sent = self.sent.lock().unwrap();
        let mut found: Vec<&Sent> = sent
            .iter()
            .filter(|sent| {
                let after = from.is_none_or(|from| sent.at >= from);
                sent.stream == stream && after && to.is_none_or(|to| sent.at <= to)
            })
            .collect();
        found.sort_by_key(|sent| std::cmp::Reverse((sent.at, sent.id)));
        let show = if request.path == "/bounces" {
            bounce
        } else {
            message
        };
        Ok((found.len(), page.of(found.into_iter()).map(show).collect()))
    }

    fn list(&self, request: &Request, field: &str, filters: &[&str]) -> Result<Answer, Answer> {
        let list = request.path.as_str();
        let (count_name, offset_name) = match list {
            "/templates" => ("Count", "Offset"),
            _ => ("count", "offset"),
        };
        let mut parameters = vec![count_name, offset_name];
        parameters.extend(filters);
        if let Some(name) = request.stranger(&parameters) {
            return Err(refused(422, 700, &format!("{name} is not a parameter of {list}")));
        }
        let (Some(count), Some(offset)) = (request.number(count_name), request.number(offset_name)) else {
            return Err(refused(422, 600, "Count and offset are required."));
        };
        if !(1..=500).contains(&count) || offset < 0 {
            return Err(refused(422, 601, "Count is at most 500."));
        }
        let page = Page {
            count: usize::try_from(count).unwrap(),
            offset: usize::try_from(offset).unwrap(),
        };
        let (total, page) = match list {
            "/messages/outbound" | "/bounces" => self.search(request, page)?,
            _ => {
                let ids = 1..=self.others;
                let total = usize::try_from(self.others).unwrap();
                (total, page.of(ids).map(|id| other(list, id)).collect())
            }
        };
        Ok(Answer::new(200, json!({ "TotalCount": total, field: page })))
    }
}

#[derive(Clone, Copy)]
struct Page {
    count: usize,
    offset: usize,
}

impl Page {
    fn of<T>(self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        all.skip(self.offset).take(self.count)
    }
}

/// A time of a search: a day, or a day and a time, without an offset, in Eastern Time.
fn eastern(request: &Request, name: &str) -> Result<Option<DateTime<Utc>>, Answer> {
    let Some(text) = request.get(name) else {
        return Ok(None);
    };
    let wrong = || refused(422, 603, &format!("{name} is no date"));
    let text = if text.len() == 10 {
        format!("{text}T00:00:00")
    } else {
        text.to_owned()
    };
    let local = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S").map_err(|_| wrong())?;
    let moment = New_York
        .from_local_datetime(&local)
        .earliest()
        .ok_or_else(wrong)?;
    Ok(Some(moment.to_utc()))
}

/// A time of an answer: in Eastern Time, with seven digits and the offset.
fn stamped(at: DateTime<Utc>) -> String {
    at.with_timezone(&New_York)
        .format("%Y-%m-%dT%H:%M:%S.1234567%:z")
        .to_string()
}

impl Vendor for Postmark {
    fn answer(&self, request: &Request, _: &str) -> Result<Answer, Answer> {
        if request.header("accept") != Some("application/json") || request.method != "GET" {
            return Err(refused(415, 0, "Accept: application/json is required."));
        }
        let of_account = ["/servers", "/domains", "/senders"].contains(&request.path.as_str());
        let (header, token, kind) = if of_account {
            ("x-postmark-account-token", ACCOUNT_TOKEN, "Account")
        } else {
            ("x-postmark-server-token", SERVER_TOKEN, "Server")
        };
        if request.header(header) != Some(token) {
            let shown = request.header(header).unwrap_or("none");
            return Err(refused(
                401,
                10,
                &format!("Bad or missing {kind} API token: {shown}."),
            ));
        }
        if let Some((_, field, filters)) = LISTS.iter().find(|(path, _, _)| *path == request.path) {
            return self.list(request, field, filters);
        }
        match request.path.as_str() {
            "/server" if request.query.is_empty() => Ok(Answer::new(200, other("/servers", 1))),
            "/message-streams" => message_streams(request),
            path => {
                let stream = path
                    .strip_prefix("/message-streams/")
                    .and_then(|path| path.strip_suffix("/suppressions/dump"))
                    .filter(|_| request.query.is_empty());
                match stream {
                    Some("outbound" | "newsletter") => {
                        Ok(Answer::new(200, json!({ "Suppressions": [suppression()] })))
                    }
                    _ => Err(refused(
                        404,
                        1226,
                        "There is no such message stream, or no such address.",
                    )),
                }
            }
        }
    }

    /// None is published.
    fn limits(&self, _: &Request) -> Vec<Limit> {
        Vec::new()
    }

    fn beyond(&self, _: &Limit, _: Duration) -> Answer {
        limited()
    }
}

fn message_streams(request: &Request) -> Result<Answer, Answer> {
    if request
        .stranger(&["MessageStreamType", "IncludeArchivedStreams"])
        .is_some()
    {
        return Err(refused(422, 700, "unknown parameter"));
    }
    let archived = request.get("IncludeArchivedStreams") == Some("true");
    let kind = request.get("MessageStreamType").unwrap_or("All");
    let streams: Vec<Value> = streams()
        .into_iter()
        .filter(|stream| archived || stream["ArchivedAt"].is_null())
        .filter(|stream| kind == "All" || stream["MessageStreamType"] == kind)
        .collect();
    Ok(Answer::new(
        200,
        json!({ "TotalCount": streams.len(), "MessageStreams": streams }),
    ))
}

pub(super) fn streams() -> Vec<Value> {
    let stream = |id: &str, kind: &str, archived: Value| {
        json!({
            "ID": id, "ServerID": 123_457, "Name": id, "Description": null, "MessageStreamType": kind,
            "CreatedAt": "2020-07-01T00:00:00-04:00", "UpdatedAt": null, "ArchivedAt": archived,
            "ExpectedPurgeDate": null, "SubscriptionManagementConfiguration": { "UnsubscribeHandlingType": "none" },
        })
    };
    vec![
        stream("outbound", "Transactional", Value::Null),
        stream("inbound", "Inbound", Value::Null),
        stream("newsletter", "Broadcasts", json!("2026-06-10T00:00:00-04:00")),
    ]
}

fn message(sent: &Sent) -> Value {
    json!({
        "MessageID": format!("07311c54-0687-4ab9-b034-{:012}", sent.id), "MessageStream": sent.stream,
        "To": [{ "Email": "john@example.com", "Name": null }], "Cc": [], "Bcc": [],
        "Recipients": ["john@example.com"], "ReceivedAt": stamped(sent.at), "From": "\"Joe\" <joe@domain.com>",
        "Subject": "staging", "Attachments": [], "Status": "Sent", "TrackOpens": true, "TrackLinks": "None",
        "Metadata": { "color": "blue" }, "Sandboxed": false, "Tag": null,
    })
}

fn bounce(sent: &Sent) -> Value {
    json!({
        "RecordType": "Bounce", "ID": 692_560_000 + sent.id, "Type": "HardBounce", "TypeCode": 1,
        "Name": "Hard bounce", "Tag": "Invitation", "MessageID": format!("07311c54-0687-4ab9-b034-{:012}", sent.id),
        "ServerID": 23, "MessageStream": sent.stream, "Description": "The server was unable to deliver your message.",
        "Details": "action: failed", "Email": "john@example.com", "From": "joe@domain.com",
        "BouncedAt": stamped(sent.at), "DumpAvailable": true, "Inactive": false, "CanActivate": true,
        "Subject": "staging",
    })
}

pub(super) fn suppression() -> Value {
    json!({
        "EmailAddress": "address@wildbit.com", "SuppressionReason": "ManualSuppression", "Origin": "Recipient",
        "CreatedAt": "2019-12-10T08:58:33-05:00",
    })
}

pub(super) fn other(list: &str, id: i64) -> Value {
    match list {
        "/messages/inbound" => json!({
            "MessageID": format!("cc5727a0-ea30-4e79-baea-{id:012}"), "From": "jane@example.com", "FromName": "Jane",
            "FromFull": { "Email": "jane@example.com", "Name": "Jane", "MailboxHash": "" }, "To": "a@inbound.com",
            "ToFull": [{ "Email": "a@inbound.com", "Name": "", "MailboxHash": "" }], "CcFull": [], "Cc": "",
            "ReplyTo": "", "OriginalRecipient": "a@inbound.com", "Subject": "Hi", "MailboxHash": "", "Tag": "",
            "Date": "Fri, 14 Feb 2014 11:12:54 -0500", "Attachments": [], "Status": "Processed",
        }),
        "/templates" => json!({
            "TemplateId": id, "Active": true, "Name": "Welcome", "Alias": null, "TemplateType": "Standard",
            "LayoutTemplate": null,
        }),
        "/servers" => json!({
            "ID": id, "Name": "Staging", "ApiTokens": [SERVER_TOKEN], "Color": "red", "DeliveryType": "Live",
            "ServerLink": "https://postmarkapp.com/servers/1/streams", "SmtpApiActivated": true, "TrackOpens": false,
            "InboundHookUrl": "", "InboundSpamThreshold": 5, "InboundHash": "yourhash",
        }),
        "/domains" => json!({
            "ID": id, "Name": format!("{id}.example.com"), "SPFVerified": true, "DKIMVerified": true,
            "WeakDKIM": false, "ReturnPathDomainVerified": false,
        }),
        "/senders" => json!({
            "ID": id, "Domain": "wildbit.com", "EmailAddress": "jp@wildbit.com", "Name": "JP", "Confirmed": true,
            "ReplyToEmailAddress": "info@wildbit.com",
        }),
        list => panic!("no example of {list}"),
    }
}

fn refused(status: u16, code: u32, message: &str) -> Answer {
    Answer::new(status, json!({ "ErrorCode": code, "Message": message }))
}

pub(super) fn limited() -> Answer {
    refused(429, 429, "Rate limit exceeded.")
}
