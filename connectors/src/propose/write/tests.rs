use serde_json::json;
use url::Url;

use super::super::{Sample, address, candidates};
use super::*;
use crate::Connector;

fn sample(url: &str, body: Value) -> Sample {
    Sample {
        url: Url::parse(url).unwrap(),
        headers: vec![(
            "link".to_owned(),
            "<https://e.com/?page=2>; rel=\"next\"".to_owned(),
        )],
        body,
    }
}

fn every_manifest(sample: &Sample, headers: &[(String, String)]) -> Vec<String> {
    let (address, _) = address(&sample.url, headers);
    let path = sample.records(&address.subject)[0].path.clone();
    let found = candidates(sample, &address, &path);
    let cursors: Vec<Option<CursorChoice>> = found.cursors.iter().cloned().map(Some).chain([None]).collect();
    let mut manifests = Vec::new();
    for candidate in &found.paging {
        for cursor in &cursors {
            let proposal = Proposal {
                name: "it's \"odd\"".to_owned(),
                stream: "a {{ b }}".to_owned(),
                address: address.clone(),
                records_path: path.clone(),
                primary_key: found.primary_key.clone(),
                paging: candidate.paging.clone(),
                cursor: cursor.clone(),
                schema: found.schema.clone(),
            };
            manifests.push(proposal.manifest());
        }
    }
    manifests
}

#[test]
fn every_choice_is_a_manifest_that_loads_without_a_warning() {
    let sample = sample(
        "https://e.com/v1/orders?limit=2&page=1&offset=0&updated_since=2026-01-01&q={{x}}",
        json!({
            "data": [
                {"id": 1, "updated_at": "2026-01-01T00:00:00Z", "created": 1_767_225_600, "it's": {"a}}b": [1]}},
                {"id": 2, "updated_at": "2026-01-01T00:00:00.5Z", "created": 1_767_225_601, "it's": {"a}}b": []}},
            ],
            "has_more": true, "total": 7, "next": {"cursor's": "t", "url": "https://e.com/?page=2"},
        }),
    );
    let basic = [
        ("Authorization".to_owned(), "Basic dTpw".to_owned()),
        ("X-{{Y}}".to_owned(), "{{ z }}".to_owned()),
    ];
    let manifests = every_manifest(&sample, &basic);
    assert!(manifests.len() > 10, "{}", manifests.len());
    for manifest in manifests {
        let connector =
            Connector::parse(&manifest).unwrap_or_else(|faults| panic!("{faults:#?}\n{manifest}"));
        assert!(
            connector.warnings().is_empty(),
            "{:?}\n{manifest}",
            connector.warnings()
        );
        assert_eq!(
            connector.streams()[0].json_schema["properties"]["id"],
            json!({"type": "integer"})
        );
        assert!(!manifest.contains("dTpw"), "a credential is in the manifest");
    }
}
