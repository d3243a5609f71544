//! What only a configuration, a state or an answer tells: dynamic and conditional streams, schemas, delegation.

use connectors::Connector;
use connectors::read::{Checkpoint, ErrorKind, ReadRequest, Selection};
use serde_json::{Value, json};

use crate::upstream::{Upstream, answer, connector, ids, manifest, ok, pages, records};

const TEMPLATE: &str = r#"
    stream_template:
      type: DeclarativeStream
      name: ""
      primary_key: id
      $parameters: {entity: inner}
      retriever:
        type: SimpleRetriever
        requester:
          type: HttpRequester
          url_base: BASE
          path: "{{ parameters['entity'] }}"
        record_selector:
          type: RecordSelector
          extractor: {type: DpathExtractor, field_path: [data]}
"#;

const PLAIN: &str = r#"
      retriever:
        type: SimpleRetriever
        requester: {type: HttpRequester, url_base: BASE, path: PATH}
        record_selector:
          type: RecordSelector
          extractor: {type: DpathExtractor, field_path: [data]}
"#;

fn source(upstream: &Upstream, streams: &str) -> Connector {
    connector(&source_text(upstream, streams))
}

fn source_text(upstream: &Upstream, streams: &str) -> String {
    let streams = streams.replace("TEMPLATE", TEMPLATE.trim_start_matches('\n'));
    let yaml = manifest(&upstream.base(), &streams, "x").replace(r#"["x"]"#, "[]");
    yaml.replace("BASE", &upstream.base())
}

async fn read(
    connector: &Connector,
    upstream: &Upstream,
    stream: &str,
    config: Value,
    checkpoint: Checkpoint,
) -> Vec<connectors::read::Page> {
    let request = ReadRequest {
        stream: stream.to_owned(),
        config,
        checkpoint,
        full_refresh: false,
        selection: Selection::default(),
    };
    pages(connector.read(&upstream.context(), request).unwrap())
        .await
        .unwrap()
}

fn names(connector: &Connector) -> Vec<&str> {
    connector
        .streams()
        .iter()
        .map(|stream| stream.name.as_str())
        .collect()
}

async fn echo() -> Upstream {
    Upstream::start(|seen| match seen.path.as_str() {
        "/tables" => ok(&json!({"data": [
            {"key": "a", "path": "/first", "fields": ["x"]}, {"key": "b", "path": "null", "fields": []},
        ]})),
        path => ok(&json!({"data": [{"id": 1, "path": path}]})),
    })
    .await
}

#[tokio::test]
async fn each_record_of_the_resolver_makes_a_stream() {
    let upstream = echo().await;
    let connector = source(
        &upstream,
        r#"
dynamic_streams:
  - type: DynamicDeclarativeStream
TEMPLATE
    components_resolver:
      type: HttpComponentsResolver
      retriever:
        type: SimpleRetriever
        requester: {type: HttpRequester, url_base: BASE, path: tables}
        record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [data]}}
        partition_router: {type: ListPartitionRouter, values: [one, two], cursor_field: part}
      components_mapping:
        - {type: ComponentMappingDefinition, field_path: [name], value: "{{ stream_slice['part'] }}_{{ components_values['key'] }}"}
        - {type: ComponentMappingDefinition, field_path: ["**", path], value: "{{ components_values.path }}", value_type: string}
        - {type: ComponentMappingDefinition, field_path: [nowhere, at, all], value: "x"}
        - {type: ComponentMappingDefinition, field_path: [primary_key], value: "{{ [stream_template_config['primary_key'], 'path'] }}"}
"#,
    );
    assert!(names(&connector).is_empty() && connector.depends_on_configuration());
    let configured = connector
        .configured(&upstream.context(), &json!({}))
        .await
        .unwrap();
    assert_eq!(names(&configured), ["one_a", "one_b", "two_a", "two_b"]);
    assert_eq!(configured.streams()[0].primary_key, [["id"], ["path"]]);
    let paths = |pages: &[connectors::read::Page]| records(pages)[0]["path"].clone();
    let read = |name: &'static str| read(&configured, &upstream, name, json!({}), Checkpoint::default());
    assert_eq!(paths(&read("one_a").await), "/first");
    assert_eq!(
        paths(&read("two_b").await),
        "/null",
        "texts of an answer are not read as YAML"
    );
}

#[tokio::test]
async fn the_configuration_s_lists_are_combined() {
    let upstream = echo().await;
    let connector = source(
        &upstream,
        r#"
dynamic_streams:
  - type: DynamicDeclarativeStream
TEMPLATE
    components_resolver:
      type: ConfigComponentsResolver
      stream_config:
        - {type: StreamConfig, configs_pointer: [tables], default_values: [{table: extra}]}
        - {type: StreamConfig, configs_pointer: [regions]}
      components_mapping:
        - {type: ComponentMappingDefinition, field_path: [name], value: "{{ components_values['table'] }}_{{ components_values['source_config_1'][1] }}"}
        - {type: ComponentMappingDefinition, field_path: [primary_key], value: "[id, region]"}
        - type: ComponentMappingDefinition
          field_path: [retriever, requester, request_parameters]
          value: "{{ {'kept': 'yes'} }}"
          create_or_update: true
          condition: "{{ components_values['table'] == 'extra' }}"
        - {type: ComponentMappingDefinition, field_path: [not, made], value: "x"}
"#,
    );
    let config = json!({"tables": [{"table": "t"}], "regions": ["eu", "us"]});
    let configured = connector.configured(&upstream.context(), &config).await.unwrap();
    assert_eq!(names(&configured), ["t_eu", "t_us", "extra_eu", "extra_us"]);
    assert_eq!(
        configured.streams()[0].primary_key,
        [["id"], ["region"]],
        "texts are read as YAML"
    );
    for name in ["t_eu", "extra_us"] {
        read(
            &configured,
            &upstream,
            name,
            config.clone(),
            Checkpoint::default(),
        )
        .await;
    }
    assert_eq!(upstream.lines(), ["/inner", "/inner?kept=yes"]);
    let twice = json!({"tables": [{"table": "t"}], "regions": ["eu", "eu"]});
    let error = connector
        .configured(&upstream.context(), &twice)
        .await
        .unwrap_err();
    assert!(
        error
            .message
            .contains("two streams named t_eu; names have to differ in the configuration"),
        "{error}"
    );
    let nothing = connector
        .configured(&upstream.context(), &json!({}))
        .await
        .unwrap();
    assert!(names(&nothing).is_empty());
}

#[tokio::test]
async fn parameters_flow_through_the_template_again() {
    for (outer_wins, expected) in [("", "/outer"), ("\n    use_parent_parameters: false", "/inner")] {
        let upstream = echo().await;
        let template = TEMPLATE.replace(
            "url_base: BASE",
            "url_base: BASE\n          $parameters: {entity: inner}",
        );
        let connector = source(
            &upstream,
            &format!(
                r#"
dynamic_streams:
  - type: DynamicDeclarativeStream{outer_wins}
{template}
    components_resolver:
      type: ParametrizedComponentsResolver
      stream_parameters:
        type: StreamParametersDefinition
        list_of_parameters_for_stream: [{{name: one, entity: outer}}]
      components_mapping:
        - {{type: ComponentMappingDefinition, field_path: [name], value: "{{{{ components_values['name'] }}}}"}}
        - {{type: ComponentMappingDefinition, field_path: ["$parameters", entity], value: "{{{{ components_values['entity'] }}}}"}}
"#
            ),
        );
        let configured = connector
            .configured(&upstream.context(), &json!({}))
            .await
            .unwrap();
        read(&configured, &upstream, "one", json!({}), Checkpoint::default()).await;
        assert_eq!(upstream.lines(), [expected]);
    }
}

#[tokio::test]
async fn a_check_tries_the_streams_that_were_made() {
    let streams = r#"
dynamic_streams:
  - type: DynamicDeclarativeStream
    name: tables
TEMPLATE
    components_resolver:
      type: ConfigComponentsResolver
      stream_config: {type: StreamConfig, configs_pointer: [tables]}
      components_mapping:
        - {type: ComponentMappingDefinition, field_path: [name], value: "{{ components_values['t'] }}"}
        - {type: ComponentMappingDefinition, field_path: ["$parameters", entity], value: "{{ components_values['t'] }}"}
"#;
    let config = json!({"tables": [{"t": "good"}, {"t": "bad"}]});
    for (check, passes) in [
        ("type: CheckDynamicStream\n  stream_count: 1", true),
        ("type: CheckDynamicStream\n  stream_count: 5", false),
        (
            "type: CheckDynamicStream\n  stream_count: 5\n  use_check_availability: false",
            true,
        ),
        (
            "type: CheckStream\n  dynamic_streams_check_configs: [{type: DynamicStreamCheckConfig, dynamic_stream_name: tables, stream_count: 1}]",
            true,
        ),
        (
            "type: CheckStream\n  dynamic_streams_check_configs: [{type: DynamicStreamCheckConfig, dynamic_stream_name: tables}]",
            false,
        ),
        ("type: CheckStream\n  stream_names: [bad]", false),
    ] {
        let upstream = Upstream::start(|seen| match seen.path.as_str() {
            "/good" => ok(&json!({"data": [{"id": 1}]})),
            _ => answer(403, "{}"),
        })
        .await;
        let yaml = source_text(&upstream, streams).replace("type: CheckStream\n  stream_names: []", check);
        let checked = connector(&yaml).check(&upstream.context(), &config).await;
        assert_eq!(checked.is_ok(), passes, "{check}: {checked:?}");
    }
    let upstream = echo().await;
    let yaml = source_text(&upstream, streams).replace(
        "type: CheckStream\n  stream_names: []",
        "type: CheckDynamicStream\n  stream_count: 1",
    );
    let error = connector(&yaml)
        .check(&upstream.context(), &json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Config);
}

#[tokio::test]
async fn conditions_choose_streams() {
    let upstream = echo().await;
    let streams = format!(
        r#"streams:
  - type: ConditionalStreams
    condition: "{{{{ config['sandbox'] }}}}"
    streams:
    - type: DeclarativeStream
      name: items
{}
    - type: DeclarativeStream
      name: extra
{}
  - type: ConditionalStreams
    condition: "{{{{ not config['sandbox'] }}}}"
    streams:
    - type: DeclarativeStream
      name: items
{}
"#,
        PLAIN.replace("PATH", "test"),
        PLAIN.replace("PATH", "extra"),
        PLAIN.replace("PATH", "real"),
    );
    let connector = source(&upstream, &streams);
    assert_eq!(names(&connector), ["items", "extra"]);
    for (sandbox, found) in [(true, vec!["items", "extra"]), (false, vec!["items"])] {
        let config = json!({ "sandbox": sandbox });
        let configured = connector.configured(&upstream.context(), &config).await.unwrap();
        assert_eq!(names(&configured), found);
        read(&connector, &upstream, "items", config, Checkpoint::default()).await;
    }
    assert_eq!(upstream.lines(), ["/test", "/real"]);
    let request = ReadRequest {
        stream: "extra".to_owned(),
        config: json!({"sandbox": false}),
        checkpoint: Checkpoint::default(),
        full_refresh: false,
        selection: Selection::default(),
    };
    let error = connector
        .read(&upstream.context(), request)
        .map(|_| ())
        .unwrap_err();
    assert!(
        error
            .message
            .contains("extra is not there under this configuration"),
        "{error}"
    );
}

fn delegating(retention: &str) -> String {
    let cursor = r#"
      incremental_sync:
        type: DatetimeBasedCursor
        cursor_field: at
        datetime_format: "%Y-%m-%d"
        start_datetime: "2020-01-01"
        start_time_option: {type: RequestOption, inject_into: request_parameter, field_name: since}
"#;
    let paged = PLAIN.trim_end().to_owned()
        + r#"
        paginator:
          type: DefaultPaginator
          page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
          pagination_strategy: {type: PageIncrement, page_size: 1}
"#;
    format!(
        "streams:\n  - type: StateDelegatingStream\n    name: items\n    {retention}\n    full_refresh_stream:\n      \
         type: DeclarativeStream\n      name: items\n{full}{cursor}\n    incremental_stream:\n      \
         type: DeclarativeStream\n      name: items\n{changes}{cursor}\n",
        full = paged.replace("PATH", "all"),
        changes = PLAIN.replace("PATH", "changes"),
    )
}

#[tokio::test]
async fn the_state_decides_which_stream_is_read() {
    let two = |seen: &crate::upstream::Seen| match seen.number("page") {
        Some(2) => ok(&json!({"data": []})),
        page => ok(&json!({"data": [{"id": page.unwrap_or(0), "at": "2026-01-01"}]})),
    };
    let upstream = Upstream::start(two).await;
    let plain = source(&upstream, &delegating(""));
    let first = read(&plain, &upstream, "items", json!({}), Checkpoint::default()).await;
    assert_eq!(ids(&first), [0, 1]);
    assert!(
        upstream.lines().iter().all(|line| line.starts_with("/all?")),
        "{:?}",
        upstream.lines()
    );

    // Cut off in the middle it goes on where it was, although there is a state by then.
    let resumed = read(&plain, &upstream, "items", json!({}), first[0].checkpoint.clone()).await;
    assert_eq!(ids(&resumed), [1]);
    assert!(upstream.lines().last().unwrap().starts_with("/all?"));

    let state = first.last().unwrap().checkpoint.clone();
    assert_eq!(state.state, Some(json!({"at": "2026-01-01"})));
    read(&plain, &upstream, "items", json!({}), state.clone()).await;
    assert_eq!(upstream.lines().last().unwrap(), "/changes?since=2026-01-01");

    for (retention, path) in [("P1D", "/all?"), ("P99Y", "/changes?")] {
        let connector = source(
            &upstream,
            &delegating(&format!("api_retention_period: {retention}")),
        );
        read(&connector, &upstream, "items", json!({}), state.clone()).await;
        let last = upstream.lines().pop().unwrap();
        assert!(last.starts_with(path), "{retention}: {last}");
    }
}

#[tokio::test]
async fn a_schema_is_what_the_upstream_describes() {
    let upstream = Upstream::start(|seen| match seen.path.as_str() {
        "/fields" => ok(&json!({"fields": [
            {"name": "id", "kind": {"type": "int"}}, {"name": "Tags", "kind": {"type": "multi"}},
            {"name": "when", "kind": {"type": "date"}}, {"name": "free"}, {"name": "hidden", "kind": {"type": "int"}},
            {"name": "either", "kind": {"type": ["a", "b"]}},
        ]})),
        _ => ok(&json!({"data": [{"id": "7", "free": 5}]})),
    })
    .await;
    let retriever = PLAIN.replace("PATH", "items").replace(
        "record_selector:\n          type: RecordSelector",
        "record_selector:\n          type: RecordSelector\n          schema_normalization: Default",
    );
    let connector = source(
        &upstream,
        &format!(
            r#"streams:
    - type: DeclarativeStream
      name: items
{retriever}
      schema_loader:
        - type: InlineSchemaLoader
          schema: {{type: object, properties: {{when: {{type: string}}}}}}
        - type: DynamicSchemaLoader
          retriever:
            type: SimpleRetriever
            requester: {{type: HttpRequester, url_base: BASE, path: fields}}
            record_selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: []}}}}
          schema_filter: {{type: RecordFilter, condition: "{{{{ 'hidden' not in record }}}}"}}
          schema_transformations: [{{type: KeysToLower}}]
          schema_type_identifier:
            type: SchemaTypeIdentifier
            schema_pointer: [fields]
            key_pointer: [name]
            type_pointer: [kind, type]
            types_mapping:
              - {{current_type: int, target_type: string, condition: "{{{{ raw_schema.name == 'no' }}}}"}}
              - {{current_type: int, target_type: integer}}
              - {{current_type: multi, target_type: {{field_type: array, items: {{field_type: array, items: string}}}}}}
              - {{current_type: [a, b], target_type: [string, number]}}
"#
        ),
    );
    let found = connector.discover(&upstream.context(), &json!({})).await.unwrap();
    let text = json!({"type": ["null", "string"]});
    assert_eq!(
        found[0].json_schema["properties"],
        json!({
            "when": {"type": "string"},
            "id": {"type": ["null", "integer"]},
            "tags": {"type": ["null", "array"], "items": {"type": ["null", "array"], "items": text}},
            "free": text,
            "either": {"oneOf": [text, {"type": ["null", "number"]}]},
        })
    );
    let pages = read(&connector, &upstream, "items", json!({}), Checkpoint::default()).await;
    assert_eq!(
        records(&pages),
        [json!({"id": 7, "free": "5"})],
        "cast by what was told"
    );
    assert_eq!(upstream.lines(), ["/fields", "/fields", "/items"]);
}
