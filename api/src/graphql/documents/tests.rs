use std::path::Path;

use engine::Actor;
use sha2::{Digest, Sha256};

use super::kept::{Kept, MOST, MOST_BYTES};
use super::listed::Listed;
use super::{Code, Documents, Limits};

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[test]
fn what_is_kept_is_bounded_and_what_is_used_stays() {
    let kept = Kept::default();
    kept.put("used", "{ a }");
    for number in 0..2 * MOST {
        kept.put(&number.to_string(), "{ b }");
        assert!(kept.get("used").is_some());
    }
    assert!(kept.get("0").is_none());
    assert!(kept.get(&(2 * MOST - 1).to_string()).is_some());
    let large = "x".repeat(MOST_BYTES / 4);
    for number in 0..8 {
        kept.put(&format!("large {number}"), &large);
    }
    let there = (0..8).filter(|number| kept.get(&format!("large {number}")).is_some());
    assert!(there.count() <= 4);
}

#[test]
fn a_document_is_found_by_its_hash_once_it_was_sent() {
    let (documents, actor) = (Documents::default(), Actor::AnonymousLoopback);
    let text = "{ viewer { name } }".to_owned();
    let unknown = documents
        .find(String::new(), Some(hash(&text)), &actor)
        .unwrap_err();
    assert_eq!(
        (unknown.code, unknown.message.as_str()),
        (Code::PersistedQueryNotFound, "PersistedQueryNotFound")
    );
    let wrong = documents
        .find(text.clone(), Some(hash("another")), &actor)
        .unwrap_err();
    assert_eq!(wrong.code, Code::BadUserInput);
    let found = documents.find(text.clone(), Some(hash(&text)), &actor).unwrap();
    assert!(
        documents.find(String::new(), Some(hash(&text)), &actor).is_err(),
        "not before it was admitted"
    );
    documents.admit(&found, &actor).unwrap();
    assert_eq!(
        documents
            .find(String::new(), Some(hash(&text)), &actor)
            .unwrap()
            .text,
        text
    );
}

async fn listed(files: &[(&str, &str)]) -> Result<Listed, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let read = Listed::read(folder.path(), &Limits::default()).await;
    read.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_list_is_read_whole_or_not_at_all() {
    let good = listed(&[
        ("a.graphql", "query A {\n  viewer { name } # who\n}"),
        ("codegen.json", r#"{"0f": "query B { viewer { kind } }"}"#),
        ("apollo.json", r#"{"format":"apollo-persisted-query-manifest","version":1,"operations":[{"id":"x","name":"C","type":"query","body":"query C { viewer { scopes } }"}]}"#),
        ("README.md", "not a document"),
    ])
    .await
    .unwrap();
    assert!(good.has("query A { viewer { name } }"));
    assert_eq!(good.by_hash("0f").as_deref(), Some("query B { viewer { kind } }"));
    assert_eq!(
        good.by_hash("x"),
        good.by_hash(&hash("query C { viewer { scopes } }"))
    );
    for (files, says) in [
        (&[("a.graphql", "query {")][..], "cannot run"),
        (&[("a.json", "[]")][..], "must be an object"),
        (
            &[("a.json", r#"{"operations":[{"id":"x"}]}"#)][..],
            "must be an object",
        ),
        (&[("a.json", "{")][..], "is not JSON"),
        (&[("a.txt", "query { viewer { name } }")][..], "has no operations"),
    ] {
        let problem = listed(files).await.unwrap_err();
        assert!(problem.contains(says), "{problem}");
    }
    let missing = Listed::read(Path::new("/nowhere/at/all"), &Limits::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(missing.starts_with("/nowhere/at/all cannot be read"), "{missing}");
}

/// What the schema refuses whatever the variables are; and nothing that runs with some of them.
#[tokio::test]
async fn a_list_is_held_against_the_schema() {
    for good in [
        "query ($ids: [ID!]!, $first: Int!) { nodes(ids: $ids) { id } clients(first: $first) { totalCount } }",
        "query ($id: ID!, $size: Int = 5) { client(id: $id) { integrations(first: $size) { edges { node { name } } } } }",
        "mutation ($input: RegisterClientInput!) { registerClient(input: $input) { client { id } userErrors { code } } }",
        "subscription ($id: ID!) { syncRunUpdated(runId: $id) { status } }",
        "query One { viewer { name } } query Other { viewer { kind } }",
        "query ($filter: SyncRunFilter) { syncRuns(filter: $filter, last: 2) { ...Runs } } fragment Runs on SyncRunConnection { edges { node { id } } }",
    ] {
        let found = listed(&[("good.graphql", good)]).await;
        assert!(found.is_ok(), "{good}: {:?}", found.err());
    }
    for (bad, says) in [
        (
            "query Q {\n  viewer { nickname }\n}",
            "Unknown field \"nickname\" on type \"Viewer\"",
        ),
        ("query Q {\n  viewer { nickname }\n}", "(line 2, column 12)"),
        ("{ clients(size: 1) { totalCount } }", "Unknown argument \"size\""),
        (
            "query ($id: Text) { client(id: $id) { id } }",
            "Unknown type \"Text\"",
        ),
        ("{ node { id } }", "argument \"id\""),
        ("{ viewer }", "must have a selection"),
        (
            "{ clients(first: 100) { edges { node { integrations(first: 100) { edges { node { syncRuns(first: 100) { totalCount } } } } } } } }",
            "too complex",
        ),
    ] {
        let file = [("good.graphql", "{ viewer { name } }"), ("wrong.graphql", bad)];
        let problem = listed(&file).await.unwrap_err();
        assert!(
            problem.contains("wrong.graphql has a document that cannot run"),
            "{problem}"
        );
        assert!(problem.contains(says), "{bad}: {problem}");
    }
}
