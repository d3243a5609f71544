//! Slack, as its documentation has it:
//!
//! - tokens: <https://docs.slack.dev/authentication/tokens>
//! - answers and errors: <https://docs.slack.dev/apis/web-api/#responses>
//! - pages: <https://docs.slack.dev/apis/web-api/pagination>
//! - limits: <https://docs.slack.dev/apis/web-api/rate-limits>
//! - the methods, with their arguments and errors: `https://docs.slack.dev/reference/methods/<method>`

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::fake::{Answer, Limit, Request, Vendor};
use crate::reading::days_ago;

pub(super) const TOKEN: &str = "xoxb-0000-1111-example";

/// The methods and their arguments.
const METHODS: [(&str, &[&str]); 5] = [
    (
        "conversations.list",
        &["cursor", "exclude_archived", "limit", "team_id", "types"],
    ),
    ("users.list", &["cursor", "include_locale", "limit", "team_id"]),
    (
        "usergroups.list",
        &["include_count", "include_disabled", "include_users", "team_id"],
    ),
    (
        "conversations.history",
        &[
            "channel",
            "cursor",
            "include_all_metadata",
            "inclusive",
            "latest",
            "limit",
            "oldest",
        ],
    ),
    (
        "conversations.replies",
        &[
            "channel",
            "ts",
            "cursor",
            "include_all_metadata",
            "inclusive",
            "latest",
            "limit",
            "oldest",
        ],
    ),
];

/// Slack may give fewer items than were asked for; this one never gives more.
const AT_ONCE: usize = 150;

pub(super) struct Message {
    pub(super) channel: &'static str,
    /// Microseconds of the epoch.
    pub(super) at: i64,
    /// The message that it answers.
    pub(super) thread: Option<i64>,
    pub(super) text: String,
}

/// A workspace with three channels. Clones are the same workspace.
#[derive(Clone, Default)]
pub(super) struct Slack {
    messages: Arc<Mutex<Vec<Message>>>,
    users: i64,
    /// Whether the app is sold outside of the Marketplace.
    outside: bool,
}

/// A moment so many minutes before the days before now; each differs in its digits behind the point, too.
pub(super) fn micros(days: i64, minutes: i64) -> i64 {
    (days_ago(days) - minutes * 60) * 1_000_000 + 200 + minutes
}

pub(super) fn stamp(micros: i64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

pub(super) const JOINED: &str = "C012AB3CD";
pub(super) const NOT_JOINED: &str = "C061EG9T2";
pub(super) const PRIVATE: &str = "G1QLZ8S3P";

impl Slack {
    /// So many messages in each channel, a minute apart, the last one a day ago.
    pub(super) fn with(messages: i64) -> Self {
        let slack = Self {
            users: messages,
            ..Self::default()
        };
        for channel in [JOINED, PRIVATE] {
            for age in 0..messages {
                slack.write(channel, micros(1, age), None, "hello");
            }
        }
        slack
    }

    /// The same, for an app that is sold outside of the Marketplace.
    pub(super) fn sold_outside(mut self) -> Self {
        self.outside = true;
        self
    }

    pub(super) fn write(&self, channel: &'static str, at: i64, thread: Option<i64>, text: &str) {
        self.messages.lock().unwrap().push(Message {
            channel,
            at,
            thread,
            text: text.to_owned(),
        });
    }

    /// A channel's messages as the method shows them, newest first; of threads the first messages.
    pub(super) fn history(&self, channel: &str) -> Vec<Value> {
        let messages = self.messages.lock().unwrap();
        let mut own: Vec<&Message> = messages
            .iter()
            .filter(|message| message.channel == channel && message.thread.is_none())
            .collect();
        own.sort_by_key(|message| std::cmp::Reverse(message.at));
        own.into_iter().map(|message| shown(message, &messages)).collect()
    }

    /// A thread, oldest first, with the message that it answers.
    pub(super) fn thread(&self, channel: &str, root: &str) -> Vec<Value> {
        let messages = self.messages.lock().unwrap();
        let mut own: Vec<&Message> = messages
            .iter()
            .filter(|message| {
                let of = stamp(message.thread.unwrap_or(message.at));
                message.channel == channel && of == root
            })
            .collect();
        own.sort_by_key(|message| message.at);
        own.into_iter().map(|message| shown(message, &messages)).collect()
    }

    fn users(&self) -> Vec<Value> {
        (1..=self.users).map(user).collect()
    }
}

fn shown(message: &Message, all: &[Message]) -> Value {
    let mut shown = json!({
        "type": "message", "user": "U012AB3CDE", "text": message.text, "ts": stamp(message.at), "team": "T012AB3C4",
        "reactions": [{ "name": "thumbsup", "count": 1, "users": ["U012AB3CDE"] }],
    });
    let replies = all
        .iter()
        .filter(|reply| reply.channel == message.channel && reply.thread == Some(message.at));
    let count = replies.count();
    if let Some(root) = message.thread.or((count > 0).then_some(message.at)) {
        shown["thread_ts"] = json!(stamp(root));
    }
    if count > 0 {
        shown["reply_count"] = json!(count);
    }
    shown
}

impl Vendor for Slack {
    fn answer(&self, request: &Request, _: &str) -> Result<Answer, Answer> {
        let method = request.path.strip_prefix("/api/").unwrap_or_default();
        let known = METHODS.iter().find(|(name, _)| *name == method);
        let (_, arguments) = known.ok_or_else(|| refused("unknown_method"))?;
        match request.header("authorization") {
            None => return Err(refused("not_authed")),
            Some(shown) if shown == format!("Bearer {TOKEN}") => {}
            Some(_) => return Err(refused("invalid_auth")),
        }
        if request.stranger(arguments).is_some() || request.method != "GET" {
            return Err(refused("invalid_arguments"));
        }
        let channel = request.get("channel").unwrap_or_default();
        let needs_channel = ["conversations.history", "conversations.replies"].contains(&method);
        if needs_channel && ![JOINED, NOT_JOINED, PRIVATE].contains(&channel) {
            return Err(refused("channel_not_found"));
        }
        if needs_channel && channel == NOT_JOINED {
            return Err(refused("not_in_channel"));
        }
        let (field, items) = match method {
            "conversations.list" => ("channels", channels(request)?),
            "users.list" => ("members", self.users()),
            "usergroups.list" => ("usergroups", vec![user_group(request)]),
            "conversations.history" => ("messages", within(request, self.history(channel))?),
            _ => {
                let thread = self.thread(channel, request.get("ts").unwrap_or_default());
                if thread.is_empty() {
                    return Err(refused("thread_not_found"));
                }
                ("messages", within(request, thread)?)
            }
        };
        page(request, field, items, arguments.contains(&"cursor"))
    }

    fn limits(&self, request: &Request) -> Vec<Limit> {
        let known = METHODS
            .iter()
            .find(|(name, _)| request.path == format!("/api/{name}"));
        let tier = |method: &str| match method {
            "conversations.history" | "conversations.replies" if self.outside => 1,
            "conversations.history" | "conversations.replies" => 50,
            _ => 20,
        };
        known
            .map(|(method, _)| Limit::new(method, tier(method), 60))
            .into_iter()
            .collect()
    }

    fn beyond(&self, _: &Limit, lasts: Duration) -> Answer {
        limited(lasts.as_secs())
    }
}

fn within(request: &Request, messages: Vec<Value>) -> Result<Vec<Value>, Answer> {
    let bound = |name: &'static str| -> Result<Option<i64>, Answer> {
        let Some(text) = request.get(name) else {
            return Ok(None);
        };
        let wrong = || refused(&format!("invalid_ts_{name}"));
        let (seconds, digits) = text.split_once('.').unwrap_or((text, "0"));
        let digits = format!("{digits:0<6}");
        let seconds: i64 = seconds.parse().map_err(|_| wrong())?;
        let micros: i64 = digits
            .parse()
            .ok()
            .filter(|micros| *micros < 1_000_000)
            .ok_or_else(wrong)?;
        Ok(Some(seconds * 1_000_000 + micros))
    };
    let (oldest, latest) = (bound("oldest")?, bound("latest")?);
    let inclusive = ["1", "true"].contains(&request.get("inclusive").unwrap_or_default());
    let kept = messages.into_iter().filter(|message| {
        let at: i64 = message["ts"].as_str().unwrap().replace('.', "").parse().unwrap();
        let after = oldest.is_none_or(|oldest| at > oldest || (inclusive && at == oldest));
        after && latest.is_none_or(|latest| at < latest || (inclusive && at == latest))
    });
    Ok(kept.collect())
}

fn page(request: &Request, field: &str, items: Vec<Value>, paged: bool) -> Result<Answer, Answer> {
    if !paged {
        return Ok(Answer::new(200, json!({ "ok": true, field: items })));
    }
    let limit = match request.get("limit") {
        None => 100,
        Some(_) => request
            .number("limit")
            .filter(|limit| (1..1_000).contains(limit))
            .ok_or_else(|| refused("invalid_limit"))?,
    };
    let limit = usize::try_from(limit).unwrap().min(AT_ONCE);
    let start = match request.get("cursor") {
        None => 0,
        Some(cursor) => cursor
            .strip_prefix("bmV4dDo")
            .and_then(|cursor| cursor.strip_suffix('='))
            .and_then(|start| start.parse().ok())
            .ok_or_else(|| refused("invalid_cursor"))?,
    };
    let more = items.len() > start + limit;
    // At the end the cursor is there, and empty.
    let next = if more {
        format!("bmV4dDo{}=", start + limit)
    } else {
        String::new()
    };
    let items: Vec<Value> = items.into_iter().skip(start).take(limit).collect();
    let mut body = json!({ "ok": true, field: items, "response_metadata": { "next_cursor": next } });
    if field == "messages" {
        body["has_more"] = json!(more);
    }
    Ok(Answer::new(200, body))
}

fn refused(error: &str) -> Answer {
    Answer::new(200, json!({ "ok": false, "error": error }))
}

/// An error as the methods document them.
pub(super) fn error(error: &str) -> Answer {
    refused(error)
}

pub(super) fn missing_scope() -> Answer {
    let body = json!({ "ok": false, "error": "missing_scope", "needed": "usergroups:read", "provided": "users:read" });
    Answer::new(200, body)
}

pub(super) fn limited(seconds: u64) -> Answer {
    Answer::new(429, json!({ "ok": false, "error": "ratelimited" })).with("retry-after", seconds)
}

pub(super) fn channel(id: &str, name: &str) -> Value {
    json!({
        "id": id, "name": name, "name_normalized": name, "is_channel": id != PRIVATE, "is_group": id == PRIVATE,
        "is_im": false, "is_mpim": false, "is_private": id == PRIVATE, "is_archived": false,
        "is_member": id != NOT_JOINED, "created": 1_449_252_889, "updated": 1_449_252_889_123_i64,
        "creator": "U012A3CDE", "num_members": 4, "previous_names": [], "unlinked": 0,
        "topic": { "value": "For everybody", "creator": "", "last_set": 0 },
        "purpose": { "value": "", "creator": "", "last_set": 0 },
    })
}

fn channels(request: &Request) -> Result<Vec<Value>, Answer> {
    let mut channels = Vec::new();
    for kind in request.get("types").unwrap_or("public_channel").split(',') {
        match kind {
            "public_channel" => {
                channels.push(channel(JOINED, "general"));
                channels.push(channel(NOT_JOINED, "random"));
            }
            "private_channel" => channels.push(channel(PRIVATE, "secret-project")),
            "im" | "mpim" => {}
            _ => return Err(refused("invalid_types")),
        }
    }
    Ok(channels)
}

pub(super) fn user(serial: i64) -> Value {
    json!({
        "id": format!("U{serial:08}"), "team_id": "T012AB3C4", "name": format!("user{serial}"), "deleted": false,
        "real_name": "Glinda Southgood", "tz": "America/Los_Angeles", "tz_offset": -25_200, "is_admin": true,
        "is_bot": false, "updated": 1_502_138_686, "has_2fa": false,
        "profile": { "real_name": "Glinda Southgood", "email": format!("user{serial}@example.com"), "title": "" },
    })
}

fn user_group(request: &Request) -> Value {
    let mut group = json!({
        "id": "S0614TZR7", "team_id": "T060RNRCH", "name": "Team Admins", "handle": "admins", "is_usergroup": true,
        "is_external": false, "date_create": 1_446_598_059, "date_update": 1_446_670_362, "date_delete": 0,
        "auto_type": "admin", "created_by": "USLACKBOT", "prefs": { "channels": [], "groups": [] },
    });
    if request.get("include_users") == Some("true") {
        group["users"] = json!(["U060RNRCZ"]);
    }
    if request.get("include_count") == Some("true") {
        group["user_count"] = json!(1);
    }
    group
}
