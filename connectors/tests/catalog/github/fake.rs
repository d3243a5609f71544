//! GitHub, as its documentation has it:
//!
//! - tokens: <https://docs.github.com/rest/authentication/authenticating-to-the-rest-api>
//! - versions and the User-Agent: <https://docs.github.com/rest/about-the-rest-api/api-versions>,
//!   <https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api>
//! - pages: <https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api>
//! - limits: <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>
//! - conditional requests, which cost nothing where nothing has changed:
//!   <https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate>
//! - errors: <https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api>
//! - the lists: <https://docs.github.com/rest/issues>, <https://docs.github.com/rest/pulls>,
//!   <https://docs.github.com/rest/commits>, <https://docs.github.com/rest/releases>,
//!   <https://docs.github.com/rest/branches>, <https://docs.github.com/rest/repos/repos>

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::fake::{Answer, Limit, Request, Vendor};
use crate::reading::{date_ago, now};

pub(super) const TOKEN: &str = "github_pat_11ABCDEFG0example";

/// A repository, and one that has neither commits nor issues.
pub(super) const REPOSITORIES: [&str; 2] = ["octocat/hello-world", "octocat/spoon-knife"];
pub(super) const EMPTY: &str = "octocat/empty";

/// Each list's parameters besides `per_page` and `page`.
const LISTS: [(&str, &[&str]); 10] = [
    (
        "/issues",
        &[
            "milestone",
            "state",
            "assignee",
            "type",
            "creator",
            "mentioned",
            "labels",
            "sort",
            "direction",
            "since",
        ],
    ),
    ("/issues/comments", &["sort", "direction", "since"]),
    ("/pulls", &["state", "head", "base", "sort", "direction"]),
    ("/pulls/comments", &["sort", "direction", "since"]),
    (
        "/commits",
        &["sha", "path", "author", "committer", "since", "until"],
    ),
    ("/releases", &[]),
    ("/branches", &["protected"]),
    ("/tags", &[]),
    ("/labels", &[]),
    ("/milestones", &["state", "sort", "direction"]),
];

/// The streams, and the lists that they are.
pub(super) const STREAMS: [(&str, &str); 10] = [
    ("issues", "/issues"),
    ("issue_comments", "/issues/comments"),
    ("pull_requests", "/pulls"),
    ("review_comments", "/pulls/comments"),
    ("commits", "/commits"),
    ("releases", "/releases"),
    ("branches", "/branches"),
    ("tags", "/tags"),
    ("labels", "/labels"),
    ("milestones", "/milestones"),
];

/// By repository and list.
type Items = HashMap<(String, String), Vec<Value>>;

/// All repositories. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct GitHub {
    /// Oldest first.
    items: Arc<Mutex<Items>>,
    /// Requests of an hour, where they are others than usual: of a GitHub App, or of an Enterprise Server.
    hour: Option<usize>,
}

impl GitHub {
    /// Repositories with so many items in every list, one made a day, the last one yesterday, and every tenth of them
    /// changed an hour after it was made.
    pub(super) fn with(count: i64) -> Self {
        let github = Self::default();
        for repository in REPOSITORIES {
            for (list, _) in LISTS {
                for serial in 1..=count {
                    github.make(repository, list, serial, count - serial + 1);
                }
            }
        }
        github
    }

    /// The same with so many requests an hour.
    pub(super) fn with_hour(mut self, requests: usize) -> Self {
        self.hour = Some(requests);
        self
    }

    /// Makes an item of so many days ago.
    pub(super) fn make(&self, repository: &str, list: &str, serial: i64, days: i64) {
        let place = REPOSITORIES.iter().position(|name| *name == repository).unwrap();
        let id = i64::try_from(place).unwrap() * 100_000 + serial;
        let item = example(repository, list, id, serial, &date_ago(days));
        let mut items = self.items.lock().unwrap();
        items
            .entry((repository.to_owned(), list.to_owned()))
            .or_default()
            .push(item);
    }

    /// Changes an item.
    pub(super) fn touch(&self, repository: &str, list: &str, serial: usize, at: &str) {
        let mut items = self.items.lock().unwrap();
        let items = items.get_mut(&(repository.to_owned(), list.to_owned())).unwrap();
        items[serial - 1]["updated_at"] = json!(at);
    }

    pub(super) fn all(&self, repository: &str, list: &str) -> Vec<Value> {
        self.items.lock().unwrap()[&(repository.to_owned(), list.to_owned())].clone()
    }

    fn list(&self, request: &Request, repository: &str, list: &str, base: &str) -> Result<Answer, Answer> {
        let known = LISTS.iter().find(|(path, _)| *path == list);
        let (_, filters) = known.ok_or_else(not_found)?;
        let mut parameters = vec!["per_page", "page"];
        parameters.extend(*filters);
        if let Some(name) = request.stranger(&parameters) {
            return Err(invalid(&format!(
                "{name} is not a parameter of {list}, or is there twice"
            )));
        }
        if repository == EMPTY {
            return Err(match list {
                "/commits" => refused(409, "Git Repository is empty."),
                "/issues" => refused(410, "Issues are disabled for this repo"),
                _ => return Ok(Answer::new(200, json!([]))),
            });
        }
        let mut items = self.all(repository, list);
        let state = request.get("state").unwrap_or("open");
        if filters.contains(&"state") && state != "all" {
            items.retain(|item| item["state"] == state);
        }
        let changed = |item: &Value| -> String {
            let commit = item.pointer("/commit/committer/date");
            commit
                .unwrap_or(&item["updated_at"])
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        for (bound, later) in [("since", true), ("until", false)] {
            if let Some(bound) = request.get(bound) {
                let moment = chrono::NaiveDateTime::parse_from_str(bound, "%Y-%m-%dT%H:%M:%SZ");
                moment.map_err(|_| invalid("not a time such as 2026-01-01T00:00:00Z"))?;
                items.retain(|item| {
                    let own = changed(item);
                    if later {
                        own.as_str() >= bound
                    } else {
                        own.as_str() <= bound
                    }
                });
            }
        }
        match (request.get("sort"), request.get("direction")) {
            (None, None) => items.reverse(),
            (Some("created"), Some("asc")) => {}
            (Some("due_on"), Some("asc")) if list == "/milestones" => {}
            (Some("updated"), Some("desc")) => {
                items.sort_by_key(|item| std::cmp::Reverse(changed(item)));
            }
            other => return Err(invalid(&format!("this fake does not sort by {other:?}"))),
        }
        // Links name a repository by its number, so they are not what was asked with another page.
        page(
            request,
            items,
            &format!("{base}/repositories/{}{list}", number(repository)),
        )
    }
}

/// A page, with a link to the next one at this address.
fn page(request: &Request, items: Vec<Value>, address: &str) -> Result<Answer, Answer> {
    let number = |name: &str, default: i64| -> Result<usize, Answer> {
        let number = request.get(name).map_or(Ok(default), str::parse);
        let number = number.ok().filter(|number| *number >= 1);
        Ok(usize::try_from(number.ok_or_else(|| invalid(&format!("{name} is no number")))?).unwrap())
    };
    let (size, page) = (number("per_page", 30)?, number("page", 1)?);
    if size > 100 {
        return Err(invalid("per_page is at most 100"));
    }
    let more = items.len() > size * page;
    let items: Vec<Value> = items.into_iter().skip(size * (page - 1)).take(size).collect();
    let mut answer = Answer::new(200, Value::Array(items));
    if more {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(request.query.iter().filter(|(name, _)| name != "page"));
        query.append_pair("page", &(page + 1).to_string());
        let next = format!("{address}?{}", query.finish());
        answer = answer.with("link", format!("<{next}>; rel=\"next\", <{next}>; rel=\"last\""));
    }
    Ok(limits(answer, 4_999, 1_500))
}

/// The answer with its entity tag, or that it is the one that is known. It is a weak tag, as GitHub's are.
fn validated(request: &Request, answer: Answer) -> Answer {
    let mut hasher = DefaultHasher::new();
    answer.body().to_string().hash(&mut hasher);
    let tag = format!("W/\"{:064x}\"", hasher.finish());
    if request.header("if-none-match") == Some(&tag) {
        return limits(Answer::new(304, Value::Null), 4_999, 1_500).with("etag", tag);
    }
    answer.with("etag", tag)
}

fn limits(answer: Answer, remaining: u32, seconds: u32) -> Answer {
    answer
        .with("x-ratelimit-limit", 5_000)
        .with("x-ratelimit-remaining", remaining)
        .with("x-ratelimit-reset", now().timestamp() + i64::from(seconds))
        .with("x-ratelimit-resource", "core")
}

impl Vendor for GitHub {
    fn answer(&self, request: &Request, base: &str) -> Result<Answer, Answer> {
        if request.header("user-agent").is_none_or(str::is_empty) {
            return Err(refused(
                403,
                "Request forbidden by administrative rules: no User-Agent header.",
            ));
        }
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return Err(refused(401, "Bad credentials"));
        }
        if request
            .header("x-github-api-version")
            .is_some_and(|version| version != "2022-11-28")
        {
            return Err(refused(400, "The API version is not supported"));
        }
        if request.header("accept") != Some("application/vnd.github+json") || request.method != "GET" {
            return Err(invalid("GET, with the recommended media type"));
        }
        let found = REPOSITORIES.into_iter().chain([EMPTY]).find_map(|name| {
            let prefixes = [
                format!("/repos/{name}"),
                format!("/repositories/{}", number(name)),
            ];
            let rest = prefixes
                .iter()
                .find_map(|prefix| request.path.strip_prefix(prefix))?;
            (rest.is_empty() || rest.starts_with('/')).then(|| (name, rest.to_owned()))
        });
        let (repository, list) = found.ok_or_else(not_found)?;
        if list.is_empty() {
            if let Some(name) = request.stranger(&[]) {
                return Err(invalid(&format!("{name} is not a parameter of a repository")));
            }
            let answer = limits(Answer::new(200, self::repository(repository)), 4_999, 1_500);
            return Ok(validated(request, answer));
        }
        let answer = self.list(request, repository, &list, base)?;
        Ok(validated(request, answer))
    }

    fn limits(&self, _: &Request) -> Vec<Limit> {
        let hour = self.hour.unwrap_or(5_000);
        // A point for a GET.
        vec![
            Limit::new("primary", hour, 3_600),
            Limit::new("secondary", 900, 60),
        ]
    }

    fn beyond(&self, limit: &Limit, lasts: Duration) -> Answer {
        let seconds = u32::try_from(lasts.as_secs()).unwrap();
        match limit.of {
            "primary" => limits(refused(403, PRIMARY), 0, seconds),
            _ => too_fast(403, Some(seconds)),
        }
    }
}

fn number(repository: &str) -> usize {
    let place = REPOSITORIES.iter().position(|name| *name == repository);
    1_300_192 + place.unwrap_or(REPOSITORIES.len())
}

pub(super) fn repository(name: &str) -> Value {
    json!({
        "id": number(name), "node_id": "R_1", "name": name.split('/').nth(1), "full_name": name, "private": false,
        "owner": { "login": "octocat", "id": 583_231, "type": "User" }, "fork": false, "topics": ["api"],
        "url": format!("https://api.github.com/repos/{name}"), "html_url": format!("https://github.com/{name}"),
        "default_branch": "main", "archived": false, "stargazers_count": 80, "license": null,
        "created_at": "2011-01-26T19:01:12Z", "updated_at": "2011-01-26T19:14:43Z", "pushed_at": null,
    })
}

fn refused(status: u16, message: &str) -> Answer {
    let body = json!({ "message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string() });
    Answer::new(status, body)
}

fn not_found() -> Answer {
    refused(404, "Not Found")
}

fn invalid(message: &str) -> Answer {
    refused(422, &format!("Validation Failed: {message}"))
}

const PRIMARY: &str = "API rate limit exceeded for user ID 583231.";

/// The hour's requests are used up.
pub(super) fn used_up() -> Answer {
    limits(refused(403, PRIMARY), 0, 1_500)
}

/// Too much in a minute, with and without a word on how long that lasts.
pub(super) fn too_fast(status: u16, seconds: Option<u32>) -> Answer {
    let answer = limits(
        refused(status, "You have exceeded a secondary rate limit."),
        4_000,
        1_500,
    );
    match seconds {
        Some(seconds) => answer.with("retry-after", seconds),
        None => answer,
    }
}

/// The hour's last request, which is answered.
pub(super) fn last_of_the_hour() -> Answer {
    limits(Answer::new(200, json!([])), 0, 1_500)
}

pub(super) fn forbidden() -> Answer {
    limits(
        refused(403, "Resource not accessible by personal access token"),
        4_999,
        1_500,
    )
}

fn example(repository: &str, list: &str, id: i64, serial: i64, made: &str) -> Value {
    let user = json!({ "login": "octocat", "id": 1, "type": "User" });
    let address = format!("https://api.github.com/repos/{repository}{list}/{serial}");
    let state = if serial % 3 == 0 { "open" } else { "closed" };
    match list {
        "/issues" => json!({
            "id": id, "node_id": "I_1", "number": serial, "title": "Found a bug", "state": state, "body": null,
            "user": user, "labels": [{ "id": 1, "name": "bug", "color": "f29513" }], "assignees": [],
            "milestone": null, "locked": false, "comments": 0, "url": address, "created_at": made,
            "updated_at": made, "closed_at": null, "author_association": "OWNER", "state_reason": null,
        }),
        "/issues/comments" | "/pulls/comments" => {
            let mut comment = json!({
                "id": id, "node_id": "C_1", "url": address, "body": "Me too", "user": user, "created_at": made,
                "updated_at": made, "author_association": "NONE",
            });
            if list == "/pulls/comments" {
                comment["path"] = json!("README.md");
                comment["line"] = json!(serial);
            }
            comment
        }
        "/pulls" => json!({
            "id": id, "node_id": "PR_1", "number": serial, "title": "Fix it", "state": state, "user": user,
            "draft": false, "head": { "label": "octocat:fix", "ref": "fix", "sha": "6dcb09b5" },
            "base": { "label": "octocat:main", "ref": "main", "sha": "6dcb09b5" }, "url": address,
            "created_at": made, "updated_at": made, "merged_at": null, "labels": [],
        }),
        "/commits" => json!({
            "sha": format!("{id:040x}"), "node_id": "C_1", "url": address, "parents": [{ "sha": "6dcb09b5" }],
            "commit": {
                "message": "Fix all the bugs",
                "author": { "name": "Monalisa Octocat", "email": "mona@github.com", "date": "2011-04-14T16:00:49Z" },
                "committer": { "name": "Monalisa Octocat", "email": "mona@github.com", "date": made },
                "tree": { "sha": "6dcb09b5" }, "comment_count": 0,
            },
            "author": user, "committer": null,
        }),
        "/releases" => json!({
            "id": id, "node_id": "RE_1", "tag_name": format!("v{serial}"), "name": null, "draft": false,
            "prerelease": false, "author": user, "created_at": made, "published_at": made, "url": address,
            "assets": [{ "id": 1, "name": "example.zip", "content_type": "application/zip", "size": 1024,
                         "download_count": 42, "browser_download_url": "https://github.com/example.zip" }],
        }),
        "/branches" => json!({
            "name": format!("branch-{serial}"), "commit": { "sha": "6dcb09b5", "url": address }, "protected": false,
        }),
        "/tags" => json!({
            "name": format!("v{serial}"), "node_id": "T_1", "commit": { "sha": "6dcb09b5", "url": address },
            "zipball_url": address, "tarball_url": address,
        }),
        "/labels" => json!({
            "id": id, "node_id": "L_1", "url": address, "name": format!("label-{serial}"), "color": "f29513",
            "description": null, "default": serial == 1,
        }),
        "/milestones" => json!({
            "id": id, "node_id": "M_1", "number": serial, "title": format!("v{serial}"), "state": state,
            "creator": user, "open_issues": 4, "closed_issues": 8, "url": address, "created_at": made,
            "updated_at": made, "due_on": null,
        }),
        other => panic!("no example of {other}"),
    }
}
