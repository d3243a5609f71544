//! Lists, substreams and their products.

use connectors::read::Checkpoint;
use serde_json::{Value, json};

use crate::upstream::{
    Seen, Upstream, connector, cut_everywhere, ids, items, manifest, ok, pages, read_all, records, request,
};

#[tokio::test]
async fn lists_multiply_and_the_last_one_runs_fastest() {
    let upstream = Upstream::start(|seen| ok(&json!({"data": [{"id": seen.number("num").unwrap()}]}))).await;
    let routers = r"partition_router:
  - type: ListPartitionRouter
    cursor_field: letter
    values: [a, b]
    request_option: {type: RequestOption, inject_into: request_parameter, field_name: letter}
  - type: ListPartitionRouter
    cursor_field: number
    values: ['1', '2']
    request_option: {type: RequestOption, inject_into: request_parameter, field_name: num}";
    let yaml = items(&upstream.base(), "/{{ stream_partition.letter }}", routers, "");
    read_all(&upstream, &yaml, json!({})).await;
    let expected = [
        "/a?letter=a&num=1",
        "/a?letter=a&num=2",
        "/b?letter=b&num=1",
        "/b?letter=b&num=2",
    ];
    assert_eq!(upstream.lines(), expected);
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

/// Seven posts in pages of three; each has (its id % 3) comments in pages of one.
fn forum(seen: &Seen) -> Value {
    let parts: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
    let page = seen.number("page").unwrap_or(1);
    match parts.as_slice() {
        ["posts"] => {
            let posts: Vec<Value> = (0..7)
                .skip((page - 1) * 3)
                .take(3)
                .map(|id| json!({"id": id, "author": {"name": format!("a{id}")}}))
                .collect();
            json!({"data": posts})
        }
        ["posts", post, "comments"] => {
            let post: usize = post.parse().unwrap();
            let comments: Vec<Value> = (0..post % 3)
                .skip(page - 1)
                .take(1)
                .map(|index| {
                    let day = post + index + 1;
                    json!({"id": post * 10 + index, "at": format!("2026-06-{day:02}T00:00:00Z")})
                })
                .collect();
            json!({"data": comments})
        }
        ["comments", comment, "likes"] => json!({"data": [{"id": comment.parse::<usize>().unwrap() * 10}]}),
        _ => json!({}),
    }
}

async fn upstream() -> Upstream {
    Upstream::start(|seen| ok(&forum(seen))).await
}

fn stream(name: &str, path: &str, size: usize, more_retriever: &str, more_stream: &str) -> String {
    format!(
        r"  {name}:
    type: DeclarativeStream
    name: {name}
    primary_key: id
{more_stream}
    retriever:
      type: SimpleRetriever
      requester:
        type: HttpRequester
        url_base: BASE
        path: {path}
        http_method: GET
      record_selector:
        type: RecordSelector
        extractor: {{type: DpathExtractor, field_path: [data]}}
      paginator:
        type: DefaultPaginator
        page_token_option: {{type: RequestOption, inject_into: request_parameter, field_name: page}}
        pagination_strategy: {{type: PageIncrement, page_size: {size}, start_from_page: 1}}
{more_retriever}
    schema_loader:
      type: InlineSchemaLoader
      schema: {{type: object, properties: {{}}}}
"
    )
}

fn router(parent: &str, field: &str, more: &str) -> String {
    format!(
        r##"      partition_router:
        type: SubstreamPartitionRouter
        parent_stream_configs:
          - type: ParentStreamConfig
            parent_key: id
            partition_field: {field}
            stream: {{"$ref": "#/definitions/{parent}"}}
{more}"##
    )
}

fn forum_manifest(base: &str, items: &str) -> String {
    let comments = stream(
        "comments",
        "/posts/{{ stream_partition.post }}/comments",
        1,
        &router("posts", "post", ""),
        "",
    );
    let definitions = stream("posts", "/posts", 3, "", "") + &comments + items;
    let yaml = manifest(base, r##"streams: [{"$ref": "#/definitions/items"}]"##, "items");
    yaml.replace("definitions:\n", &format!("definitions:\n{definitions}"))
        .replace("BASE", base)
}

const ALL_COMMENTS: [i64; 6] = [10, 20, 21, 40, 50, 51];

#[tokio::test]
async fn a_substream_reads_its_parent_page_by_page() {
    let upstream = upstream().await;
    let items = stream(
        "items",
        "/posts/{{ stream_partition.post }}/comments",
        1,
        &router("posts", "post", ""),
        "",
    );
    let yaml = forum_manifest(&upstream.base(), &items)
        + "concurrency_level: {type: ConcurrencyLevel, default_concurrency: 1}\n";
    let pages = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(ids(&pages), ALL_COMMENTS);
    let lines = upstream.lines();
    let second = lines.iter().position(|line| line == "/posts?page=2").unwrap();
    let third = lines.iter().position(|line| line == "/posts/3/comments").unwrap();
    assert!(
        lines[..second].contains(&"/posts/2/comments".to_owned()),
        "the parent waits for its children"
    );
    assert!(second < third);
    assert_eq!(
        pages.last().unwrap().checkpoint.state,
        Some(json!({"__ab_no_cursor_state_message": true}))
    );
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn substreams_nest_and_carry_what_the_manifest_names() {
    let upstream = upstream().await;
    let items = stream(
        "items",
        "/comments/{{ stream_partition.comment }}/likes",
        5,
        &router("comments", "comment", ""),
        r#"    transformations:
      - type: AddFields
        fields:
          - {type: AddedFieldDefinition, path: [post], value: "{{ stream_partition.parent_slice.post }}"}"#,
    );
    let yaml = forum_manifest(&upstream.base(), &items);
    let pages = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(ids(&pages), ALL_COMMENTS.map(|id| id * 10));
    let posts: Vec<i64> = records(&pages)
        .iter()
        .map(|record| record["post"].as_i64().unwrap())
        .collect();
    assert_eq!(posts, ALL_COMMENTS.map(|id| id / 10));
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn extra_fields_and_request_options_come_along() {
    let upstream = upstream().await;
    let more = "            extra_fields: [[author, name]]\n            request_option: {type: RequestOption, inject_into: request_parameter, field_name: p}";
    let items = stream(
        "items",
        "/posts/{{ stream_partition.post }}/comments",
        1,
        &router("posts", "post", more),
        r#"    transformations:
      - type: AddFields
        fields:
          - {type: AddedFieldDefinition, path: [by], value: "{{ stream_slice.extra_fields['author.name'] }}"}"#,
    );
    let yaml = forum_manifest(&upstream.base(), &items);
    let pages = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(records(&pages)[0]["by"], "a1");
    assert!(
        upstream.lines().contains(&"/posts/1/comments?p=1".to_owned()),
        "{:?}",
        upstream.lines()
    );
}

fn incremental(more: &str) -> String {
    format!(
        r#"    incremental_sync:
      type: DatetimeBasedCursor
      cursor_field: at
      datetime_format: "%Y-%m-%dT%H:%M:%SZ"
      start_datetime: "2026-06-01T00:00:00Z"
      end_datetime: "2026-06-20T00:00:00Z"
      start_time_option: {{type: RequestOption, inject_into: request_parameter, field_name: since}}
{more}"#
    )
}

#[tokio::test]
async fn each_partition_has_its_cursor() {
    let upstream = upstream().await;
    let items = stream(
        "items",
        "/posts/{{ stream_partition.post }}/comments",
        1,
        &router("posts", "post", ""),
        &incremental(""),
    );
    let yaml = forum_manifest(&upstream.base(), &items);
    let connector = connector(&yaml);
    let whole = pages(
        connector
            .read(&upstream.context(), request(json!({}), Checkpoint::default()))
            .unwrap(),
    )
    .await
    .unwrap();
    let state = whole.last().unwrap().checkpoint.state.clone().unwrap();
    assert_eq!(state["use_global_cursor"], false);
    assert_eq!(state["state"], json!({"at": "2026-06-07T00:00:00Z"}));
    assert_eq!(state["parent_state"], json!({}));
    let states = state["states"].as_array().unwrap();
    assert_eq!(states.len(), 7);
    assert_eq!(
        states[5],
        json!({"partition": {"parent_slice": {}, "post": 5}, "cursor": {"at": "2026-06-07T00:00:00Z"}})
    );
    assert_eq!(states[0]["cursor"], json!({"at": "2026-06-01T00:00:00Z"}));

    let again = Checkpoint {
        state: Some(state.clone()),
        resume: None,
    };
    pages(
        connector
            .read(&upstream.context(), request(json!({}), again))
            .unwrap(),
    )
    .await
    .unwrap();
    let lines = upstream.lines();
    assert!(
        lines.contains(&"/posts/5/comments?since=2026-06-07T00:00:00Z".to_owned()),
        "{lines:?}"
    );

    cut_everywhere(&upstream, &yaml, json!({}), None).await;
    cut_everywhere(&upstream, &yaml, json!({}), Some(state)).await;
}

#[tokio::test]
async fn a_global_cursor_serves_all_partitions() {
    let upstream = upstream().await;
    let items = stream(
        "items",
        "/posts/{{ stream_partition.post }}/comments",
        1,
        &router("posts", "post", ""),
        &incremental("      global_substream_cursor: true"),
    );
    let yaml = forum_manifest(&upstream.base(), &items);
    let whole = read_all(&upstream, &yaml, json!({})).await;
    let mut state = whole.last().unwrap().checkpoint.state.clone().unwrap();
    state.as_object_mut().unwrap().remove("lookback_window");
    assert_eq!(
        state,
        json!({"use_global_cursor": true, "state": {"at": "2026-06-07T00:00:00Z"}, "parent_state": {}})
    );
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn a_parent_that_is_read_incrementally_keeps_its_state_in_the_child_s() {
    let upstream = Upstream::start(|seen| {
        let parts: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            ["parents"] => {
                let since = seen.get("since").unwrap();
                let parents: Vec<Value> = (1..=4)
                    .map(|id| json!({"id": id, "at": format!("2026-06-{id:02}T00:00:00Z")}))
                    .filter(|parent| parent["at"].as_str().unwrap() >= since)
                    .collect();
                ok(&json!({"data": parents}))
            }
            _ => ok(&json!({"data": [{"id": 1, "at": "2026-06-09T00:00:00Z"}]})),
        }
    })
    .await;
    let parents = stream("parents", "/parents", 10, "", &incremental(""));
    let items = stream(
        "items",
        "/children/{{ stream_partition.parent }}",
        10,
        &router("parents", "parent", "            incremental_dependency: true"),
        &incremental(""),
    );
    let yaml = forum_manifest(&upstream.base(), &(parents + &items));
    let whole = read_all(&upstream, &yaml, json!({})).await;
    let state = whole.last().unwrap().checkpoint.state.clone().unwrap();
    assert_eq!(
        state["parent_state"],
        json!({"parents": {"at": "2026-06-04T00:00:00Z"}})
    );
    let before = upstream.lines().len();
    let again = Checkpoint {
        state: Some(state.clone()),
        resume: None,
    };
    pages(
        connector(&yaml)
            .read(&upstream.context(), request(json!({}), again))
            .unwrap(),
    )
    .await
    .unwrap();
    assert_eq!(upstream.lines()[before], "/parents?since=2026-06-04T00:00:00Z");
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
    cut_everywhere(&upstream, &yaml, json!({}), Some(state)).await;
}

const GROUPS: &str = r#"partition_router:
  type: GroupingPartitionRouter
  group_size: 2
  underlying_partition_router:
    type: UnionPartitionRouter
    partition_field: repo
    partition_routers:
      - {type: ListPartitionRouter, values: [a, b], cursor_field: repo}
      - type: SubstreamPartitionRouter
        parent_stream_configs:
          - type: ParentStreamConfig
            parent_key: name
            partition_field: repo
            extra_fields: [[size]]
            stream:
              type: DeclarativeStream
              name: repos
              retriever:
                type: SimpleRetriever
                requester: {type: HttpRequester, url_base: BASE, path: /repos}
                record_selector:
                  type: RecordSelector
                  extractor: {type: DpathExtractor, field_path: [data]}
                paginator:
                  type: DefaultPaginator
                  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
                  pagination_strategy: {type: PageIncrement, page_size: 2}"#;

async fn repositories() -> Upstream {
    Upstream::start(|seen| match (seen.path.as_str(), seen.number("page")) {
        ("/repos", None) => ok(&json!({"data": [{"name": "b", "size": 1}, {"name": "c", "size": 2}]})),
        ("/repos", Some(1)) => ok(&json!({"data": [{"name": "a", "size": 3}, {"name": "d", "size": 4}]})),
        ("/repos", Some(2)) => ok(&json!({"data": [{"name": "a", "size": 3}, {"name": "e", "size": 5}]})),
        ("/repos", _) => ok(&json!({"data": []})),
        (_, page) => ok(&json!({"data": [{"id": page.unwrap_or(0), "asked": seen.get("repos"), "sizes": seen.get("sizes")}]})),
    })
    .await
}

fn grouped(upstream: &Upstream, router: &str) -> String {
    let parameters = "http_method: GET\n        request_parameters: {repos: \"{{ stream_partition['repo'] | join('+') }}\", \
                      sizes: \"{{ stream_slice.extra_fields.get('size', []) | join('+') }}\"}\n      record_selector";
    items(
        &upstream.base(),
        "/items",
        &router.replace("BASE", &upstream.base()),
        "",
    )
    .replace("http_method: GET\n      record_selector", parameters)
}

#[tokio::test]
async fn partitions_of_several_routers_are_united_and_grouped() {
    let upstream = repositories().await;
    let yaml = grouped(&upstream, GROUPS);
    let pages = read_all(&upstream, &yaml, json!({})).await;
    let asked: Vec<_> = records(&pages)
        .iter()
        .map(|record| (record["asked"].clone(), record["sizes"].clone()))
        .collect();
    assert_eq!(
        asked,
        [
            (json!("a+b"), json!(null)),
            (json!("c+d"), json!("2+4")),
            (json!("e"), json!("5")),
        ]
    );
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn duplicates_stay_where_the_manifest_says_so() {
    let upstream = repositories().await;
    for (deduplicate, expected) in [("true", vec!["a+b"]), ("false", vec!["a+b", "a"])] {
        let router = format!(
            "partition_router:\n  type: GroupingPartitionRouter\n  group_size: 2\n  deduplicate: {deduplicate}\n  \
             underlying_partition_router: {{type: ListPartitionRouter, values: [a, b, a], cursor_field: repo}}"
        );
        let pages = read_all(&upstream, &grouped(&upstream, &router), json!({})).await;
        let asked: Vec<_> = records(&pages)
            .iter()
            .map(|record| record["asked"].clone())
            .collect();
        assert_eq!(asked, expected);
    }
}
