//! Posts and their comments.
//!
//! They have no change date, as so many APIs have none, so they can only be read in full; and they do change: a post is
//! revised now and then, and a comment under moderation disappears for a minute. Thus a full refresh has something to
//! update, to delete and to bring back, in shares that never look suspicious.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::directory;

const POSTS: u32 = 40;
const COMMENTS: u32 = 4;
/// How many minutes pass until it is the same post's turn again.
const ROUND: i64 = POSTS as i64;

const OPENERS: [&str; 8] = [
    "Notes on",
    "What nobody tells you about",
    "A field guide to",
    "In praise of",
    "Ten years of",
    "The trouble with",
    "Learning from",
    "A second look at",
];
const SUBJECTS: [&str; 7] = [
    "tidal clocks",
    "bread ovens",
    "night trains",
    "small libraries",
    "paper maps",
    "harbour cranes",
    "kitchen gardens",
];
const REMARKS: [&str; 6] = [
    "I tried this at home and it worked on the second day.",
    "My grandmother would have disagreed, loudly.",
    "Could you say more about the third point?",
    "Saved for the next long weekend.",
    "The photographs make it look easier than it is.",
    "We used to do it the other way round in Brno.",
];

pub(super) fn posts(opened_at: DateTime<Utc>, now: DateTime<Utc>) -> Vec<Value> {
    let minute = minutes_open(opened_at, now);
    (1..=POSTS).map(|id| post(id, minute)).collect()
}

fn post(id: u32, minute: i64) -> Value {
    let n = id as usize;
    let revision = 1 + (minute + ROUND - i64::from(id)) / ROUND;
    json!({
        "userId": 1 + (id - 1) % directory::COUNT as u32,
        "id": id,
        "title": format!("{} {}", OPENERS[n % OPENERS.len()], SUBJECTS[n % SUBJECTS.len()]),
        "body": format!("{} {} Revision {revision}.", REMARKS[n % REMARKS.len()], REMARKS[(n / 2 + 3) % REMARKS.len()]),
        "revision": revision,
    })
}

/// `None`: there is no such post.
pub(super) fn comments(post: u32, opened_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<Vec<Value>> {
    if !(1..=POSTS).contains(&post) {
        return None;
    }
    let minute = minutes_open(opened_at, now);
    let moderated = minute > 0 && (minute + i64::from(post)) % ROUND == 0;
    let visible = if moderated { COMMENTS - 1 } else { COMMENTS };
    Some(
        (1..=visible)
            .map(|n| {
                let id = (post - 1) * COMMENTS + n;
                let author = 1 + (7 * id) % directory::COUNT as u32;
                json!({
                    "postId": post,
                    "id": id,
                    "email": format!("user{author}@directory.example"),
                    "body": REMARKS[id as usize % REMARKS.len()],
                })
            })
            .collect(),
    )
}

fn minutes_open(opened_at: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    (now - opened_at).num_minutes().max(0)
}
