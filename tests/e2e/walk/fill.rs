//! What the walk writes: arguments about somebody's things, and selections of everything.
//!
//! Each argument is known by its name and type. One that is not fails the test: whoever adds an argument says here how a
//! stranger would abuse it.

use std::collections::{BTreeMap, BTreeSet};

use super::schema::{Field, Schema};

/// Somebody's things, by the names that they have in arguments.
#[derive(Clone, Debug, Default)]
pub(super) struct Things {
    /// Ids by their prefix.
    pub(super) ids: BTreeMap<String, Vec<String>>,
    /// The client's slug.
    pub(super) slug: String,
    /// A text that is in everything of theirs.
    pub(super) mark: String,
    /// `Type.field` of a list → a cursor in it.
    pub(super) cursors: BTreeMap<String, String>,
}

impl Things {
    pub(super) fn id(&self, prefix: &str) -> &str {
        let ids = self.ids.get(prefix).and_then(|ids| ids.first());
        ids.unwrap_or_else(|| panic!("{} has no {prefix}_…", self.slug))
    }

    /// One id of each kind.
    fn each(&self) -> Vec<&str> {
        self.ids
            .values()
            .filter_map(|ids| ids.first())
            .map(String::as_str)
            .collect()
    }
}

/// One way to write a field's arguments, and what is special about it.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    pub(super) arguments: String,
    /// The argument that this variant is about.
    pub(super) about: String,
}

pub(super) struct Writer<'a> {
    pub(super) schema: &'a Schema,
    pub(super) things: &'a Things,
    /// Whether an input that requires nothing names an id all the same. What changes something must: an empty filter means
    /// the caller's own things.
    pub(super) names_somebody: bool,
}

impl Writer<'_> {
    /// Every way to call a field: what it requires, and each other argument by itself.
    pub(super) fn variants(&self, owner: &str, field: &Field) -> Vec<Variant> {
        let place = format!("{owner}.{}", field.name);
        let (required, optional): (Vec<_>, Vec<_>) = field
            .arguments
            .iter()
            .partition(|argument| argument.of.is_required);
        let bases = self.bases(&place, &required);
        let mut found = bases.clone();
        for argument in optional {
            for (value, about) in self.values(&place, argument) {
                let mut written = bases[0].0.clone();
                written.push(format!("{}: {value}", argument.name));
                found.push((written, about));
            }
        }
        let pages = field.arguments.iter().any(|argument| argument.name == "first");
        found
            .into_iter()
            .map(|(mut written, about)| {
                if pages
                    && !written
                        .iter()
                        .any(|text| text.starts_with("first:") || text.starts_with("last:"))
                {
                    written.push("first: 2".to_owned());
                }
                Variant {
                    arguments: in_parentheses(&written),
                    about,
                }
            })
            .collect()
    }

    /// What is required, written in every way: some have several values in turn (`node` any id, an input each of its fields).
    fn bases(&self, place: &str, required: &[&Field]) -> Vec<(Vec<String>, String)> {
        let mut bases = vec![(Vec::new(), String::new())];
        for field in required {
            let values = self.values(place, field);
            bases = bases
                .iter()
                .flat_map(|(written, _)| {
                    values.iter().map(move |(value, about)| {
                        let mut written: Vec<String> = written.clone();
                        written.push(format!("{}: {value}", field.name));
                        (written, about.clone())
                    })
                })
                .collect();
        }
        bases
    }

    /// The values of an argument, each with the name of what it is about.
    fn values(&self, place: &str, argument: &Field) -> Vec<(String, String)> {
        if argument.of.kind == "INPUT_OBJECT" {
            return self.inputs(&argument.of.name);
        }
        if argument.of.name == "ID" && matches!(place, "Query.node" | "Query.nodes") {
            let ids = self.things.each().into_iter().map(|id| format!("{id:?}"));
            return ids
                .map(|id| {
                    if argument.of.is_list {
                        format!("[{id}]")
                    } else {
                        id
                    }
                })
                .map(|id| (id, argument.name.clone()))
                .collect();
        }
        vec![(self.value(place, argument), argument.name.clone())]
    }

    fn inputs(&self, name: &str) -> Vec<(String, String)> {
        let fields = self.schema.inputs(name);
        let (required, optional): (Vec<_>, Vec<_>) = fields.iter().partition(|field| field.of.is_required);
        let bases = self.bases(name, &required);
        let is_named = required
            .iter()
            .any(|field| field.of.name == "ID" || field.of.kind == "INPUT_OBJECT");
        let somebody = optional
            .iter()
            .find(|field| field.of.name == "ID")
            .filter(|_| self.names_somebody && !is_named);
        let mut found = if somebody.is_some() {
            Vec::new()
        } else {
            bases.clone()
        };
        for field in &optional {
            for (value, about) in self.values(name, field) {
                let mut written = bases[0].0.clone();
                if let Some(id) = somebody.filter(|_| field.of.name != "ID") {
                    written.push(format!("{}: {}", id.name, self.value(name, id)));
                }
                written.push(format!("{}: {value}", field.name));
                found.push((written, about));
            }
        }
        found
            .into_iter()
            .map(|(written, about)| (format!("{{ {} }}", written.join(", ")), about))
            .collect()
    }

    /// A value of an argument.
    pub(super) fn value(&self, place: &str, argument: &Field) -> String {
        let text = |text: &str| format!("{text:?}");
        let value = match (argument.of.kind.as_str(), argument.of.name.as_str()) {
            ("ENUM", name) => self.schema.first_word(name),
            (_, "ID") => text(self.things.id(prefix(place, &argument.name))),
            (_, "Boolean") => "true".to_owned(),
            (_, "DateTime") => text("2099-01-01T00:00:00Z"),
            (_, "Float") => "1.5".to_owned(),
            (_, "Int") => match argument.name.as_str() {
                "first" | "last" | "maxAttempts" | "requestsPerMinute" => "2".to_owned(),
                "jitterSeconds" | "catchUpSeconds" | "overlapSeconds" => "1".to_owned(),
                name => panic!("the walk does not know the number {name} of {place}"),
            },
            (_, "JSON") => match argument.name.as_str() {
                "metadata" => "{ walked: true }".to_owned(),
                "config" => {
                    r#"{ base_url: "http://walked.example", path: "/items", token: "walked" }"#.to_owned()
                }
                name => panic!("the walk does not know the object {name} of {place}"),
            },
            (_, "String") => match argument.name.as_str() {
                "slug" if place.starts_with("Query.connector") => text("items"),
                "from" | "to" if place == "Query.connectorComparison" => text("1"),
                "slug" | "confirmSlug" => text(&self.things.slug),
                "search" => text(&self.things.mark),
                "after" | "before" | "changedAfter" => {
                    text(self.things.cursors.get(place).map_or("", String::as_str))
                }
                "stream" | "streams" => text("items"),
                "keys" => text("1"),
                "connector" => text("items"),
                "connectorVersion" => text("1"),
                "name" => text("walked"),
                "manifest" => text(&tests::manifest(10)),
                "cron" => text("0 0 1 1 *"),
                "timezone" => text("UTC"),
                "retryPolicy" => text("standard"),
                "idempotencyKey" => text(&self.things.mark),
                "scopes" => text("runs:read"),
                "types" => text("client.registered"),
                name => panic!("the walk does not know the text {name} of {place}"),
            },
            (kind, name) => panic!(
                "the walk does not know the {kind} {name} of {place}.{}",
                argument.name
            ),
        };
        if argument.of.is_list {
            format!("[{value}]")
        } else {
            value
        }
    }

    /// Everything that can be selected of a type, no type twice on the way there; notes each `Type.field`.
    pub(super) fn selection(&self, name: &str, seen: &mut BTreeSet<String>) -> String {
        self.selected(name, &mut Vec::new(), seen).unwrap_or_default()
    }

    fn selected(&self, name: &str, way: &mut Vec<String>, seen: &mut BTreeSet<String>) -> Option<String> {
        if way.iter().any(|on| on == name) {
            return None;
        }
        let possible = self.schema.possible(name);
        if !possible.is_empty() {
            let each = possible.iter().filter_map(|each| {
                let fields = self.selected(each, way, seen)?;
                Some(format!("... on {each} {fields}"))
            });
            let each: Vec<String> = each.collect();
            return Some(format!("{{ __typename id {} }}", each.join(" ")));
        }
        let fields = self.schema.fields(name);
        if fields.is_empty() {
            return Some(String::new());
        }
        way.push(name.to_owned());
        let mut written = vec!["__typename".to_owned()];
        for field in fields {
            let Some(inner) = self.selected(&field.of.name, way, seen) else {
                continue;
            };
            seen.insert(format!("{name}.{}", field.name));
            let required = field.arguments.iter().filter(|argument| argument.of.is_required);
            let mut arguments: Vec<String> = required
                .map(|argument| {
                    let value = self.value(&format!("{name}.{}", field.name), argument);
                    format!("{}: {value}", argument.name)
                })
                .collect();
            if field.arguments.iter().any(|argument| argument.name == "first") {
                arguments.push("first: 2".to_owned());
            }
            written.push(format!("{}{} {inner}", field.name, in_parentheses(&arguments)));
        }
        way.pop();
        Some(format!("{{ {} }}", written.join(" ")))
    }
}

fn in_parentheses(written: &[String]) -> String {
    if written.is_empty() {
        String::new()
    } else {
        format!("({})", written.join(", "))
    }
}

/// Of what an id is.
fn prefix(place: &str, argument: &str) -> &'static str {
    match (place, argument) {
        ("Query.client", "id") | (_, "clientId") => "cli",
        ("Query.integration", "id") | (_, "integrationId") => "int",
        ("Query.syncRun", "id") | (_, "runId") => "run",
        (_, "apiKeyId") => "key",
        ("DeadLetterFilter", "ids") => "dlq",
        ("EventFilter", "subject") => "cli",
        ("Subscription.eventPublished", "after") => "evt",
        _ => panic!("the walk does not know of what {place}.{argument} is the id"),
    }
}
