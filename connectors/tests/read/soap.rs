//! SOAP: envelopes out, envelopes back, and faults.

use axum::body::Body;
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectors::read::{Checkpoint, ErrorKind, ReadError, ReadRequest};
use serde_json::{Value, json};

use crate::upstream::{Upstream, answer, cut_everywhere, ids, manifest, read_all, read_error, records};

/// A manifest of the stream `items`, with these lines in its requester and in its retriever.
fn users(base: &str, requester: &str, retriever: &str) -> String {
    let indent = |text: &str, by: usize| {
        text.lines()
            .map(|line| format!("{}{line}\n", " ".repeat(by)))
            .collect::<String>()
    };
    let streams = format!(
        r#"streams:
  - type: DeclarativeStream
    name: items
    primary_key: id
    schema_loader:
      type: InlineSchemaLoader
      schema: {{type: object, properties: {{id: {{type: integer}}}}}}
    retriever:
      type: SimpleRetriever
      requester:
        type: SoapRequester
        url: {base}/service
        action: urn:users/List
        namespaces: {{u: "urn:users"}}
        operation: u:ListUsers
        lists: [[Body, ListUsersResponse, Users, User, Role]]
{requester}
      record_selector:
        type: RecordSelector
        schema_normalization: Default
        extractor:
          type: DpathExtractor
          field_path: [Body, ListUsersResponse, Users, User]
{retriever}
"#,
        requester = indent(requester, 8),
        retriever = indent(retriever, 6),
    );
    manifest(base, &streams, "items")
}

fn envelope(body: &str) -> String {
    format!(
        "<?xml version='1.0' encoding='utf-8'?>\n<S:Envelope xmlns:S='http://schemas.xmlsoap.org/soap/envelope/' \
         xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>\n <S:Body>{body}</S:Body>\n</S:Envelope>\n"
    )
}

fn xml(status: u16, body: String) -> Response<Body> {
    let mut response = answer(status, body);
    response
        .headers_mut()
        .insert("content-type", "text/xml".parse().unwrap());
    response
}

fn listed(users: &str, next: &str) -> Response<Body> {
    xml(
        200,
        envelope(&format!(
            "<ns2:ListUsersResponse xmlns:ns2='urn:users'><ns2:Users>{users}</ns2:Users>{next}</ns2:ListUsersResponse>"
        )),
    )
}

const BODY: &str = r#"body:
  u:Filter:
    "@kind": "{{ config['kind'] }}"
    u:Status: [open, "{{ config['status'] }}"]
  u:Limit: 2
  u:Nothing: "{{ config.get('nothing') }}""#;

const PAGES: &str = r#"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: body_json, field_path: ["u:After"]}
  pagination_strategy:
    type: CursorPagination
    cursor_value: "{{ response['Body']['ListUsersResponse']['Next'] }}"
    stop_condition: "{{ not response['Body']['ListUsersResponse'].get('Next') }}""#;

#[tokio::test]
async fn an_operation_is_asked_in_pages_and_its_answers_become_records() {
    let upstream = Upstream::start(|seen| {
        if seen.body.contains("<u:After>p2</u:After>") {
            listed("<User id='3'><Name>C</Name></User>", "<Next xsi:nil='true'/>")
        } else {
            listed(
                "<User><id>1</id><Name>A &amp; B</Name><Role>x</Role><Born xsi:nil='1'/></User>\
                 <User><id>2</id><Name/><Role>x</Role><Role>y</Role></User>",
                "<Next>p2</Next>",
            )
        }
    })
    .await;
    let yaml = users(&upstream.base(), BODY, PAGES);
    let config = json!({"kind": "a\"<b", "status": "x < y & z"});
    let read = read_all(&upstream, &yaml, config.clone()).await;
    assert_eq!(
        records(&read),
        [
            json!({"id": 1, "Name": "A & B", "Role": ["x"], "Born": null}),
            json!({"id": 2, "Name": "", "Role": ["x", "y"]}),
            json!({"@id": "3", "Name": "C", "Role": []}),
        ]
    );
    let seen = upstream.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].method, "POST");
    assert_eq!(seen[0].header("content-type"), Some("text/xml; charset=utf-8"));
    assert_eq!(seen[0].header("soapaction"), Some("\"urn:users/List\""));
    assert_eq!(
        seen[0].body,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:u=\"urn:users\"><soapenv:Body><u:ListUsers>\
         <u:Filter kind=\"a&quot;&lt;b\"><u:Status>open</u:Status><u:Status>x &lt; y &amp; z</u:Status></u:Filter>\
         <u:Limit>2</u:Limit></u:ListUsers></soapenv:Body></soapenv:Envelope>"
    );
    cut_everywhere(&upstream, &yaml, config, None).await;
}

#[tokio::test]
async fn version_two_has_its_own_labels_and_a_user_may_be_named() {
    let upstream = Upstream::start(|_| listed("<User><id>1</id></User>", "")).await;
    let requester = |kind: &str| {
        format!(
            "soap_version: \"1.2\"\nheader: {{\"u:Tenant\": \"{{{{ config['tenant'] }}}}\"}}\nsecurity: {{username: ann, \
             password: \"{{{{ config['api_key'] }}}}\", password_type: {kind}}}"
        )
    };
    let config = json!({"tenant": 7, "api_key": "s3<cret"});
    let yaml = users(&upstream.base(), &requester("text"), "");
    assert_eq!(ids(&read_all(&upstream, &yaml, config.clone()).await), [1]);
    let seen = &upstream.seen()[0];
    assert_eq!(
        seen.header("content-type"),
        Some("application/soap+xml; charset=utf-8; action=\"urn:users/List\"")
    );
    assert_eq!(seen.header("soapaction"), None);
    assert!(
        seen.body.contains("http://www.w3.org/2003/05/soap-envelope"),
        "{}",
        seen.body
    );
    assert!(
        seen.body.contains("#PasswordText\">s3&lt;cret</wsse:Password>"),
        "{}",
        seen.body
    );
    assert!(
        seen.body
            .contains("</wsse:Security><u:Tenant>7</u:Tenant></soapenv:Header>"),
        "{}",
        seen.body
    );

    let yaml = users(&upstream.base(), &requester("digest"), "");
    read_all(&upstream, &yaml, config).await;
    let body = &upstream.seen()[1].body;
    assert!(
        body.contains("#PasswordDigest") && body.contains("<wsu:Created>"),
        "{body}"
    );
    // Not "s3" alone: a nonce or a digest may have it.
    assert!(
        !body.contains("s3<cret") && !body.contains("s3&lt;cret"),
        "{body}"
    );
}

async fn failed(status: u16, body: String) -> ReadError {
    let upstream = Upstream::start(move |_| xml(status, body.clone())).await;
    read_error(&upstream, &users(&upstream.base(), "", "")).await
}

#[tokio::test]
async fn faults_and_what_is_no_envelope_have_their_kinds() {
    let fault = |code: &str| {
        envelope(&format!(
            "<S:Fault><faultcode>{code}</faultcode><faultstring xml:lang='en'>no\nway</faultstring></S:Fault>"
        ))
    };
    let newer = envelope(
        "<S:Fault><S:Code><S:Value>S:Sender</S:Value><S:Subcode><S:Value>wsse:FailedAuthentication</S:Value>\
         </S:Subcode></S:Code><S:Reason><S:Text xml:lang='en'>who?</S:Text></S:Reason></S:Fault>",
    );
    let cut = envelope("<a>1</a>").split("</a>").next().unwrap().to_owned();
    let bomb = "<!DOCTYPE lolz [<!ENTITY l 'ha'>]><Envelope><Body>&l;</Body></Envelope>".to_owned();
    for (status, body, kind, code, retryable) in [
        (500, fault("S:Client"), ErrorKind::Upstream, "SOAP_CLIENT", false),
        (500, fault("S:Server"), ErrorKind::Upstream, "SOAP_SERVER", true),
        (200, fault("S:Server"), ErrorKind::Upstream, "SOAP_SERVER", true),
        (
            500,
            fault("sf:REQUEST_LIMIT_EXCEEDED"),
            ErrorKind::RateLimited,
            "SOAP_RATE_LIMITED",
            true,
        ),
        (400, newer, ErrorKind::Auth, "SOAP_AUTH", false),
        (200, cut, ErrorKind::Malformed, "BODY_TRUNCATED", true),
        (
            200,
            "<html><p>hello</p></html>".to_owned(),
            ErrorKind::Malformed,
            "NOT_SOAP",
            true,
        ),
        (200, bomb, ErrorKind::Malformed, "NOT_SOAP", false),
        (
            503,
            "<html>busy</html>".to_owned(),
            ErrorKind::Upstream,
            "HTTP_503",
            true,
        ),
        (401, String::new(), ErrorKind::Auth, "HTTP_401", false),
    ] {
        let error = failed(status, body.clone()).await;
        assert_eq!(
            (error.kind, error.code.as_str(), error.retryable),
            (kind, code, retryable),
            "{body}: {error}"
        );
    }
    let error = failed(500, fault("S:Client")).await;
    assert_eq!(
        error.message,
        "The upstream answered with a SOAP fault (Client): no way"
    );
}

#[tokio::test]
async fn filters_see_the_fault_as_json() {
    let fault =
        envelope("<S:Fault><faultcode>S:Client</faultcode><faultstring>no users yet</faultstring></S:Fault>");
    let upstream = Upstream::start(move |_| xml(500, fault.clone())).await;
    let handler = "error_handler:\n  response_filters:\n    - {action: IGNORE, predicate: \"{{ 'no users' in \
                   response.get('Body', {}).get('Fault', {}).get('faultstring', '') }}\"}";
    let read = read_all(&upstream, &users(&upstream.base(), handler, ""), json!({})).await;
    assert_eq!(records(&read), [] as [Value; 0]);
}

#[tokio::test]
async fn what_xml_cannot_carry_is_not_sent() {
    let upstream = Upstream::start(|_| listed("", "")).await;
    for (body, said) in [
        (
            "body: {\"u:Name\": \"{{ config['name'] }}\"}",
            "a character that XML cannot carry",
        ),
        (
            "body: {\"{{ config['element'] }}\": x}",
            "is not an element's name",
        ),
    ] {
        let yaml = users(&upstream.base(), body, "");
        let config = json!({"name": "a\u{0}b", "element": "a><b"});
        let stream = crate::upstream::connector(&yaml).read(
            &upstream.context(),
            crate::upstream::request(config, Default::default()),
        );
        let error = crate::upstream::pages(stream.unwrap()).await.unwrap_err().1;
        assert_eq!(error.kind, ErrorKind::Config);
        assert!(error.message.contains(said), "{error}");
    }
    assert_eq!(upstream.seen().len(), 0);
}

/// The service that the shipped example is written for: it takes what its schema says and nothing else.
fn directory(seen: &crate::upstream::Seen) -> Response<Body> {
    let fault = |code: &str, text: &str| {
        xml(
            500,
            envelope(&format!(
                "<S:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring></S:Fault>"
            )),
        )
    };
    let between = |from: &str, to: &str| -> Option<String> {
        let rest = seen.body.split_once(from)?.1;
        Some(rest.split_once(to)?.0.to_owned())
    };
    let (Some(nonce), Some(created), Some(digest)) = (
        between("#Base64Binary\">", "<"),
        between("<wsu:Created>", "<"),
        between("#PasswordDigest\">", "<"),
    ) else {
        return fault("wsse:InvalidSecurity", "no token");
    };
    let mut expected = sha1::Sha1::default();
    sha1::Digest::update(&mut expected, STANDARD.decode(nonce).unwrap());
    sha1::Digest::update(&mut expected, created);
    sha1::Digest::update(&mut expected, "s3cret");
    if digest != STANDARD.encode(sha1::Digest::finalize(expected)) || !seen.body.contains(">ann<") {
        return fault("wsse:FailedAuthentication", "who are you?");
    }
    if seen.header("soapaction") != Some("\"http://directory.example/ListUsers\"")
        || !seen.body.contains("xmlns:dir=\"http://directory.example/\"")
        || !seen
            .body
            .contains("<soapenv:Body><dir:ListUsers><dir:PageSize>100</dir:PageSize>")
    {
        return fault("S:Client", "not an operation of this service");
    }
    let user = |id: u32, changed: &str| {
        format!(
            "<User><Id>{id}</Id><Name>U{id}</Name><Active>true</Active><Manager xsi:nil='true'/><Changed>{changed}</Changed></User>"
        )
    };
    match between("<dir:ChangedSince>", "<").as_deref() {
        Some("2026-01-01T00:00:00Z") if seen.body.contains("<dir:PageToken>two</dir:PageToken>") => {
            listed(&user(2, "2026-02-02T00:00:00Z"), "<NextPageToken/>")
        }
        Some("2026-01-01T00:00:00Z") => listed(
            &user(1, "2026-02-01T00:00:00Z"),
            "<NextPageToken>two</NextPageToken>",
        ),
        Some("2026-02-02T00:00:00Z") => listed("", ""),
        _ => fault("S:Client", "ChangedSince is missing or wrong"),
    }
}

#[tokio::test]
async fn the_shipped_example_reads_the_service_that_it_describes() {
    let upstream = Upstream::start(directory).await;
    let yaml = connectors::catalog::shipped()
        .iter()
        .find(|manifest| manifest.slug == "soap-example")
        .unwrap()
        .yaml;
    let connector = crate::upstream::connector(yaml);
    let mut config = json!({
        "url": format!("{}/service", upstream.base()), "username": "ann", "password": "s3cret",
        "start_date": "2026-01-01T00:00:00Z",
    });
    assert_eq!(connector.spec().validate(&config), []);
    connector.check(&upstream.context(), &config).await.unwrap();
    let read = |config: Value, checkpoint: Checkpoint| {
        let request = ReadRequest {
            stream: "users".to_owned(),
            ..crate::upstream::request(config, checkpoint)
        };
        crate::upstream::pages(connector.read(&upstream.context(), request).unwrap())
    };
    let first = read(config.clone(), Checkpoint::default()).await.unwrap();
    assert_eq!(
        records(&first),
        [
            json!({"Id": 1, "Name": "U1", "Active": true, "Manager": null, "Changed": "2026-02-01T00:00:00Z"}),
            json!({"Id": 2, "Name": "U2", "Active": true, "Manager": null, "Changed": "2026-02-02T00:00:00Z"}),
        ]
    );
    let state = first.last().unwrap().checkpoint.clone();
    assert_eq!(state.state, Some(json!({"Changed": "2026-02-02T00:00:00Z"})));
    assert_eq!(
        records(&read(config.clone(), state).await.unwrap()),
        [] as [Value; 0]
    );

    config["password"] = json!("another");
    let error = read(config, Checkpoint::default()).await.unwrap_err().1;
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Auth, "SOAP_AUTH"));
}
