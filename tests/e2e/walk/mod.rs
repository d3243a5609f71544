//! The stranger's walk: a key that is bound to one client calls everything there is with the ids, cursors and words of
//! another, and learns nothing and changes nothing.
//!
//! What is called is made from the served schema, so a field, a mutation or a subscription cannot be forgotten: one that
//! is new is walked, and one whose arguments the walk cannot fill fails it ([`fill`]).

mod fill;
mod rights;
mod schema;
mod world;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{GraphQl, Subscription, TestDatabase, on_both_databases};

use self::fill::{Things, Variant, Writer};
use self::schema::Field;
use self::world::{Party, World, key};

/// One document, and what makes it worth sending.
#[derive(Clone, Debug)]
struct Asked {
    /// `Query.client`, `Integration.records`: what is called.
    place: String,
    /// The argument it is about.
    about: String,
    document: String,
}

/// Every query field in every way, with these things.
fn queries(world: &World, things: &Things, seen: &mut BTreeSet<String>) -> Vec<Asked> {
    let writer = Writer {
        schema: &world.schema,
        things,
        names_somebody: false,
    };
    let mut asked = Vec::new();
    for field in world.schema.root("queryType") {
        let inner = writer.selection(&field.of.name, seen);
        asked.extend(calls(&writer, "Query", &field, &inner, |call| {
            format!("{{ {call} }}")
        }));
    }
    asked
}

/// Every field with arguments that is not at the root, of the things of one party and with arguments about another's.
fn nested(world: &World, own: &Things, about: &Things) -> Vec<Asked> {
    let writer = Writer {
        schema: &world.schema,
        things: about,
        names_somebody: false,
    };
    let mut asked = Vec::new();
    for place in world.schema.selectable() {
        let (owner, name) = place.split_once('.').expect("Type.field");
        let field = world
            .schema
            .fields(owner)
            .into_iter()
            .find(|field| field.name == name);
        let field = field.expect("the field");
        if field.arguments.is_empty() {
            continue;
        }
        let prefix = match owner {
            "Client" => "cli",
            "Integration" => "int",
            "SyncRun" => "run",
            _ => panic!("the walk does not know how to come to a {owner}, which has fields with arguments"),
        };
        let inner = writer.selection(&field.of.name, &mut BTreeSet::new());
        let id = own.id(prefix);
        asked.extend(calls(&writer, owner, &field, &inner, |call| {
            format!("{{ node(id: {id:?}) {{ ... on {owner} {{ {call} }} }} }}")
        }));
    }
    asked
}

fn mutations(world: &World, things: &Things) -> Vec<Asked> {
    let writer = Writer {
        schema: &world.schema,
        things,
        names_somebody: true,
    };
    let mut asked = Vec::new();
    for field in world.schema.root("mutationType") {
        let inner = writer.selection(&field.of.name, &mut BTreeSet::new());
        asked.extend(calls(&writer, "Mutation", &field, &inner, |call| {
            format!("mutation {{ {call} }}")
        }));
    }
    asked
}

fn calls(
    writer: &Writer<'_>,
    owner: &str,
    field: &Field,
    inner: &str,
    document: impl Fn(String) -> String,
) -> Vec<Asked> {
    let call = |Variant { arguments, about }| Asked {
        place: format!("{owner}.{}", field.name),
        about,
        document: document(format!("{}{arguments} {inner}", field.name)),
    };
    writer.variants(owner, field).into_iter().map(call).collect()
}

/// Ids of the same kinds that nobody has.
fn ghost(of: &Things) -> Things {
    let mut ghost = of.clone();
    for ids in ghost.ids.values_mut() {
        for id in ids {
            let (prefix, _) = id.split_once('_').expect("an id");
            // Of a record the form is its own, and this one is of row 1 at another time.
            *id = format!("{prefix}_01h455vb4pex5vsknk084sn02q");
        }
    }
    ghost.slug = "nobody-s-slug".to_owned();
    ghost.mark = "nobodys-word".to_owned();
    ghost
}

fn assert_no_trace(asked: &Asked, answer: &str, of: &Party) {
    for trace in &of.traces {
        assert!(
            !answer.contains(trace.as_str()),
            "{trace} leaked from {asked:#?}\n{answer}"
        );
    }
}

/// The answer without what differs in any two.
fn comparable(answer: &str) -> Value {
    let mut answer: Value = serde_json::from_str(answer).expect("JSON");
    for error in answer["errors"].as_array_mut().into_iter().flatten() {
        error["extensions"]["correlationId"] = Value::Null;
        error["locations"] = Value::Null;
    }
    answer
}

/// Arguments whose value is a place in a list, and not somebody's: the same for a ghost.
fn is_cursor(asked: &Asked) -> bool {
    matches!(asked.about.as_str(), "before" | "changedAfter")
        || (asked.about == "after" && asked.place != "Subscription.eventPublished")
}

on_both_databases! {
    async fn nobody_sees_what_is_somebody_else_s(database) {
        let world = World::new(&database).await;
        let (one, other) = (&world.one, &world.other);
        // Their own key shows them everything, or else nothing below means anything.
        let mut selected: BTreeSet<String> =
            world.schema.root("queryType").iter().map(|field| format!("Query.{}", field.name)).collect();
        let mut shows = BTreeSet::new();
        for asked in queries(&world, &one.things, &mut selected) {
            let answer = one.api.raw(&asked.document).await;
            assert!(!answer.contains("TOO_COMPLEX") && !answer.contains("INTERNAL"), "{asked:#?}\n{answer}");
            assert_no_trace(&asked, &answer, other);
            if one.traces.iter().any(|trace| answer.contains(trace.as_str())) {
                shows.insert(asked.place);
            }
        }
        let missing: Vec<_> = world.schema.selectable().difference(&selected).cloned().collect();
        assert_eq!(missing, Vec::<String>::new(), "fields that the walk does not come to");
        // And erasures, which are the operator's alone.
        let everybodys = [
            "Query.erasures", "Query.connector", "Query.connectorComparison", "Query.connectorVersions", "Query.connectors", "Query.overview",
        ];
        for field in world.schema.root("queryType") {
            let place = format!("Query.{}", field.name);
            assert!(shows.contains(&place) || everybodys.contains(&place.as_str()), "{place} shows its owner nothing");
        }

        let before = world.rows(&database).await;
        let nobodys = ghost(&one.things);
        let theirs = queries(&world, &one.things, &mut BTreeSet::new());
        let ghosts = queries(&world, &nobodys, &mut BTreeSet::new());
        walk(&world, theirs, ghosts).await;
        walk(&world, nested(&world, &other.things, &one.things), nested(&world, &other.things, &nobodys)).await;
        walk(&world, mutations(&world, &one.things), mutations(&world, &nobodys)).await;
        assert_eq!(world.rows(&database).await, before, "something was changed");
    }

    async fn who_may_only_read_changes_nothing(database) {
        let world = World::new(&database).await;
        let client = world.one.things.id("cli");
        let (secret, _) = key(&world.operator, Some(client), "reader", &["*:read"]).await;
        let reader = world.operator.clone().with_key(&secret);
        let before = world.rows(&database).await;
        for asked in mutations(&world, &world.one.things) {
            let answer: Value = serde_json::from_str(&reader.raw(&asked.document).await).expect("JSON");
            let (_, name) = asked.place.split_once('.').expect("Mutation.field");
            let errors = &answer["data"][name]["userErrors"];
            assert_eq!(errors[0]["code"], "FORBIDDEN", "{asked:#?}\n{answer:#}");
        }
        assert_eq!(world.rows(&database).await, before, "something was changed");
        // What it may do, it can.
        let mut selected = BTreeSet::new();
        for asked in queries(&world, &world.one.things, &mut selected) {
            let answer = reader.raw(&asked.document).await;
            assert!(!answer.contains("FORBIDDEN"), "{asked:#?}\n{answer}");
        }
    }

    async fn who_has_no_right_is_refused_everything_but_who_they_are(database) {
        let world = World::new(&database).await;
        let client = world.one.things.id("cli");
        // Of all rights the one that shows least.
        let (secret, _) = key(&world.operator, Some(client), "narrow", &["overview:read"]).await;
        let narrow = world.operator.clone().with_key(&secret);
        let mut selected = BTreeSet::new();
        for asked in queries(&world, &world.one.things, &mut selected) {
            let answer = narrow.raw(&asked.document).await;
            if asked.place == "Query.overview" {
                assert!(!answer.contains("FORBIDDEN"), "{answer}");
                continue;
            }
            // Some ways of asking are no way to ask, whoever asks.
            let is_refused = answer.contains("FORBIDDEN") || answer.contains("BAD_USER_INPUT");
            assert!(is_refused, "{asked:#?}\n{answer}");
            for trace in &world.one.traces {
                let own_name = format!("{} name", world.one.things.mark);
                assert!(!answer.contains(trace.as_str()) && !answer.contains(&own_name), "{trace}: {asked:#?}\n{answer}");
            }
        }
    }

    async fn subscriptions_tell_nobody_of_somebody_else(database) {
        let world = World::new(&database).await;
        let (one, other) = (&world.one, &world.other);
        let nobodys = ghost(&one.things);
        let open = async |things: &Things| {
            let writer = Writer { schema: &world.schema, things, names_somebody: false };
            let mut open = Vec::new();
            for field in world.schema.root("subscriptionType") {
                let inner = writer.selection(&field.of.name, &mut BTreeSet::new());
                for asked in calls(&writer, "Subscription", &field, &inner, |call| format!("subscription {{ {call} }}")) {
                    let address = world.server.address();
                    let feed = Subscription::open_with(address, Some(&other.key), &asked.document, json!({})).await;
                    open.push((asked, feed));
                }
            }
            open
        };
        let (theirs, ghosts) = (open(&one.things).await, open(&nobodys).await);
        // Both clients have something happen, the owner of the ids first.
        assert_eq!(world.operator.sync(&one.integration).await["status"], "SUCCEEDED");
        let own = world.operator.trigger(&other.integration).await;
        world.operator.finished(&own).await;
        let pause = json!({ "integrationId": other.integration });
        world.operator.accepted("pauseIntegration", "PauseIntegrationInput", pause, "__typename").await;
        for ((asked, mut feed), (_, mut of_a_ghost)) in theirs.into_iter().zip(ghosts) {
            let about_an_id = asked.about.ends_with("Id") || asked.about == "after";
            if about_an_id {
                let said = feed.receive().await.expect("an answer");
                assert_no_trace(&asked, &said.to_string(), one);
                assert!(matches!(said["type"].as_str(), Some("complete" | "error" | "next")), "{said}");
                assert!(said["payload"]["data"].is_null(), "{asked:#?}: {said}");
                let to_a_ghost = of_a_ghost.receive().await.expect("an answer");
                assert_eq!(plain(said), plain(to_a_ghost), "{asked:#?}");
                continue;
            }
            if asked.about == "types" {
                continue;
            }
            // Until the news of its own: had there been any of somebody else, they would have come before.
            loop {
                let said = feed.receive().await.expect("the subscription stays open").to_string();
                assert_no_trace(&asked, &said, one);
                let is_last = match asked.place.as_str() {
                    "Subscription.syncRunUpdated" => said.contains(&own) && said.contains("SUCCEEDED"),
                    "Subscription.integrationUpdated" => said.contains(&other.integration) && said.contains("\"PAUSED\""),
                    "Subscription.eventPublished" => said.contains("integration.paused"),
                    place => panic!("the walk does not know the last news of {place}"),
                };
                if is_last {
                    break;
                }
            }
        }
    }
}

fn plain(mut said: Value) -> Value {
    for errors in [&mut said["payload"]["errors"]] {
        for error in errors.as_array_mut().into_iter().flatten() {
            error["extensions"]["correlationId"] = Value::Null;
        }
    }
    said
}

/// Sends what is about one party as the other, and the same about nobody: no trace, and no difference.
async fn walk(world: &World, theirs: Vec<Asked>, ghosts: Vec<Asked>) {
    assert_eq!(theirs.len(), ghosts.len());
    assert!(!theirs.is_empty());
    for (asked, of_a_ghost) in theirs.into_iter().zip(ghosts) {
        let answer = world.other.api.raw(&asked.document).await;
        assert_no_trace(&asked, &answer, &world.one);
        if is_cursor(&asked) {
            continue;
        }
        let to_a_ghost = world.other.api.raw(&of_a_ghost.document).await;
        assert_eq!(comparable(&answer), comparable(&to_a_ghost), "{asked:#?}");
    }
}

/// Somebody else's and nobody's take the same time, as far as a caller can measure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_tells_nothing_either() {
    const TIMES: usize = 150;
    let database = TestDatabase::sqlite();
    let world = World::new(&database).await;
    let nobodys = ghost(&world.one.things);
    let timed = async |api: &GraphQl, document: &str| {
        let start = Instant::now();
        api.raw(document).await;
        start.elapsed()
    };
    for (place, document) in [
        ("cli", "{ client(id: ID) { name } }"),
        ("int", "{ integration(id: ID) { name } }"),
        ("run", "{ syncRun(id: ID) { status } }"),
        ("dlq", "{ node(id: ID) { id } }"),
        (
            "int",
            "mutation { pauseIntegration(input: { integrationId: ID }) { userErrors { code } } }",
        ),
    ] {
        let about = |things: &Things| document.replace("ID", &format!("{:?}", things.id(place)));
        let (theirs, ghosts) = (about(&world.one.things), about(&nobodys));
        let (mut not_yours, mut not_there) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            not_yours.push(timed(&world.other.api, &theirs).await);
            not_there.push(timed(&world.other.api, &ghosts).await);
        }
        let median = |mut times: Vec<Duration>| {
            times.sort();
            times[TIMES / 2].as_secs_f64()
        };
        let (not_yours, not_there) = (median(not_yours), median(not_there));
        let apart = (not_yours - not_there).abs();
        assert!(
            apart < 0.000_3 + 0.25 * not_yours.max(not_there),
            "{document}: not yours takes {not_yours} s, not there {not_there} s"
        );
    }
}
