//! The whole of a rich manifest, as the plan the reader sees.

use super::super::components::{
    Authenticator, BackoffStrategy, Condition, ErrorHandler, IncrementalSync, Number, PageTokenOption,
    RequestBody, ResponseAction, Transformation,
};
use super::loaded;

const RICH: &str = r##"
version: 7.0.0
type: DeclarativeSource
metadata:
  name: rich
concurrency_level:
  type: ConcurrencyLevel
  default_concurrency: "{{ config['workers'] or 3 }}"
  max_concurrency: 8
check:
  type: CheckStream
  stream_names: [events]
streams:
  - type: DeclarativeStream
    name: events
    primary_key: [id, [meta, region]]
    transformations:
      - type: AddFields
        condition: "{{ record.id is defined }}"
        fields:
          - path: [source]
            value: "{{ parameters['unit'] }}"
            value_type: string
      - type: RemoveFields
        field_pointers: [[secret], [meta, "*"]]
    $parameters:
      unit: shop
    incremental_sync:
      type: DatetimeBasedCursor
      cursor_field: at
      datetime_format: "%s"
      cursor_datetime_formats: ["%Y-%m-%d", "%s"]
      start_datetime: "{{ config['start'] }}"
      end_datetime:
        type: MinMaxDatetime
        datetime: "{{ now_utc() }}"
        datetime_format: "%Y-%m-%dT%H:%M:%S.%f+00:00"
      step: P7D
      cursor_granularity: PT1S
      is_client_side_incremental: true
      start_time_option:
        inject_into: body_json
        field_path: [query, from]
    retriever:
      type: SimpleRetriever
      requester:
        type: HttpRequester
        url_base: https://api.example.com/
        path: events
        http_method: POST
        request_body_json:
          filter:
            kinds: ["{{ config['kind'] }}", fixed]
            limit: 5
        authenticator:
          type: SelectiveAuthenticator
          authenticator_selection_path: [credentials, kind]
          authenticators:
            token:
              type: BearerAuthenticator
              api_token: "{{ config['credentials']['token'] }}"
            login:
              type: SessionTokenAuthenticator
              login_requester:
                type: HttpRequester
                url_base: https://api.example.com/login
                http_method: POST
              session_token_path: [token]
              expiration_duration: PT1H
              request_authentication:
                type: ApiKey
                inject_into:
                  type: RequestOption
                  inject_into: header
                  field_name: X-Session
        error_handler:
          type: CompositeErrorHandler
          error_handlers:
            - response_filters:
                - http_codes: [404]
                  action: IGNORE
                - predicate: "{{ 'limit' in response }}"
                  action: RATE_LIMITED
                  error_message: slow down
            - type: DefaultErrorHandler
              max_retries: 2
              backoff_strategies:
                - type: WaitTimeFromHeader
                  header: Retry-After
                  regex: "[0-9]+"
                - type: ConstantBackoffStrategy
                  backoff_time_in_seconds: 1.5
      record_selector:
        type: RecordSelector
        extractor:
          type: DpathExtractor
          field_path: [data, "*"]
        record_filter:
          condition: "{{ record.ok }}"
        schema_normalization: Default
      paginator:
        type: DefaultPaginator
        page_token_option:
          type: RequestPath
        pagination_strategy:
          type: CursorPagination
          cursor_value: "{{ response.next }}"
          stop_condition: "{{ not response.next }}"
spec:
  type: Spec
  connection_specification:
    title: Rich Spec
    type: object
"##;

#[test]
fn every_part_arrives() {
    let plan = loaded(RICH);
    assert_eq!(
        (plan.name.as_deref(), plan.title.as_deref()),
        (Some("rich"), Some("Rich"))
    );
    let stream = plan.streams_named("events").next().expect("it is there");
    assert_eq!(
        stream.primary_key,
        [
            vec!["id".to_owned()],
            vec!["meta".to_owned(), "region".to_owned()]
        ]
    );
    let retriever = stream.retriever.records().unwrap();
    assert!(matches!(&retriever.requester.body, RequestBody::Json(_)));
    let Authenticator::Selective(selective) = &retriever.requester.authenticator else {
        panic!()
    };
    assert_eq!(
        selective.authenticators.keys().collect::<Vec<_>>(),
        ["token", "login"]
    );
    let selector = &retriever.record_selector;
    assert!(
        selector.transform_before_filtering,
        "a client-side cursor transforms first"
    );
    let [
        Transformation::AddFields { fields, condition },
        Transformation::RemoveFields { field_pointers, .. },
    ] = &*selector.transformations
    else {
        panic!("{:?}", selector.transformations)
    };
    assert!(matches!(condition, Some(Condition::Computed(_))));
    assert_eq!(*fields[0].value.parameters, serde_json::json!({ "unit": "shop" }));
    assert_eq!(field_pointers[1], ["meta", "*"]);
    assert!(matches!(
        retriever
            .paginator
            .as_ref()
            .and_then(|paginator| paginator.page_token_option.as_ref()),
        Some(PageTokenOption::Path)
    ));
    let Some(IncrementalSync::Datetime(cursor)) = &stream.incremental_sync else {
        panic!()
    };
    assert_eq!(cursor.partition_field_start.source(), "start_time");
    assert!(
        cursor
            .end_datetime
            .as_ref()
            .is_some_and(|end| end.datetime_format.is_some())
    );
}

#[test]
fn error_handlers_keep_their_order() {
    let plan = loaded(RICH);
    let ErrorHandler::Composite(handlers) = &plan.streams[0].retriever.requester().unwrap().error_handler
    else {
        panic!()
    };
    let [ErrorHandler::Default(first), ErrorHandler::Default(second)] = &**handlers else {
        panic!("{handlers:?}")
    };
    assert_eq!(first.response_filters[0].http_codes, [404]);
    assert_eq!(
        first.response_filters[1].action,
        Some(ResponseAction::RateLimited)
    );
    assert!(matches!(
        &*second.backoff_strategies,
        [
            BackoffStrategy::WaitTimeFromHeader { regex: Some(_), .. },
            BackoffStrategy::Constant {
                backoff_time_in_seconds: Number::Fixed(1.5),
                ..
            }
        ]
    ));
}
