use serde_json::json;
use url::Url;

use super::*;

fn first(url: &str, headers: &[(&str, &str)], body: Value, count: usize) -> Paging {
    let sample = Sample {
        url: Url::parse(url).unwrap(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body,
    };
    let found = candidates(&sample, count, &["id".to_owned()], false);
    assert_eq!(found.last().unwrap().paging, Paging::None);
    found[0].paging.clone()
}

#[test]
fn what_the_answer_gives_comes_first() {
    let url = "https://api.example.com/orders?limit=2";
    let link = [("link", "<https://api.example.com/orders?page=2>; rel=\"next\"")];
    assert_eq!(first(url, &link, json!([]), 2), Paging::LinkHeader);
    let path = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        first(
            url,
            &[],
            json!({"links": {"prev": null, "next": "https://api.example.com/?x=2"}}),
            2
        ),
        Paging::NextUrl {
            path: path("links.next")
        }
    );
    assert_eq!(
        first(
            url,
            &[],
            json!({"paging": {"next": {"after": "t", "link": "x"}}}),
            2
        ),
        Paging::Token {
            path: path("paging.next.after"),
            parameter: "after".to_owned(),
            more: None
        }
    );
    assert_eq!(
        first(url, &[], json!({"nextPageToken": "t"}), 2),
        Paging::Token {
            path: path("nextPageToken"),
            parameter: "pageToken".to_owned(),
            more: None
        }
    );
    assert_eq!(
        first(url, &[], json!({"next_cursor": "t", "has_more": true}), 2),
        Paging::Token {
            path: path("next_cursor"),
            parameter: "cursor".to_owned(),
            more: Some(path("has_more"))
        }
    );
    assert_eq!(
        first(url, &[], json!({"has_more": true}), 2),
        Paging::LastRecord {
            field: "id".to_owned(),
            parameter: "starting_after".to_owned(),
            more: path("has_more")
        }
    );
}

#[test]
fn numbers_are_taken_from_the_address_or_from_what_is_missing() {
    let size = |parameter: Option<&str>, records| PageSize {
        parameter: parameter.map(str::to_owned),
        records,
    };
    assert_eq!(
        first("https://e.com/x?offset=0&limit=2", &[], json!([]), 2),
        Paging::Offset {
            parameter: "offset".to_owned(),
            size: size(Some("limit"), 2)
        }
    );
    assert_eq!(
        first("https://e.com/x?page=1&per_page=5", &[], json!([]), 5),
        Paging::Page {
            parameter: "page".to_owned(),
            start: 1,
            size: size(Some("per_page"), 5)
        }
    );
    let total = [("x-total-count", "50")];
    assert_eq!(
        first("https://e.com/x", &total, json!([]), 20),
        Paging::Page {
            parameter: "page".to_owned(),
            start: 1,
            size: size(None, 20)
        }
    );
    assert_eq!(
        first("https://e.com/x", &[("x-total-count", "3")], json!([]), 3),
        Paging::None
    );
    assert_eq!(first("https://e.com/x", &[], json!([]), 7), Paging::None);
}
