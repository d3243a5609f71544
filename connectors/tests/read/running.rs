//! Reading ahead, stopping, and trying out.

use std::time::Duration;

use connectors::read::{Checkpoint, ErrorKind};
use futures::StreamExt;
use serde_json::json;

use crate::upstream::{Upstream, answer, connector, items, ok, pages, request};

const PAGES: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy: {type: PageIncrement, page_size: 1, start_from_page: 1}";

async fn many() -> Upstream {
    Upstream::start(|seen| ok(&json!({"data": [{"id": seen.number("page").unwrap_or(1)}]}))).await
}

#[tokio::test]
async fn the_read_runs_ahead_of_its_consumer_and_not_far() {
    let upstream = many().await;
    let yaml = items(&upstream.base(), "/items", PAGES, "");
    let mut stream = connector(&yaml)
        .read(&upstream.context(), request(json!({}), Checkpoint::default()))
        .unwrap();
    stream.next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ahead = upstream.seen().len();
    assert!((3..=5).contains(&ahead), "{ahead} requests for one page consumed");
    drop(stream);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let after = upstream.seen().len();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(upstream.seen().len(), after, "dropping the stream stops the work");
}

#[tokio::test]
async fn cancelling_takes_effect_inside_a_call_within_a_second() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let yaml = items(&format!("http://{address}"), "/items", "", "");
    let context = crate::upstream::context(vec![address]);
    let stream = connector(&yaml)
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    let cancel = context.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        cancel.cancel();
    });
    let error = pages(stream).await.unwrap_err().1;
    assert_eq!(error.kind, ErrorKind::Cancelled);
}

#[tokio::test]
async fn cancelling_takes_effect_between_pages() {
    let upstream = many().await;
    let yaml = items(&upstream.base(), "/items", PAGES, "");
    let context = upstream.context();
    let mut stream = connector(&yaml)
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    stream.next().await.unwrap().unwrap();
    context.cancel.cancel();
    let rest: Vec<_> = stream.collect().await;
    assert!(rest.len() <= 3);
    assert_eq!(
        rest.last().unwrap().as_ref().unwrap_err().kind,
        ErrorKind::Cancelled
    );
}

#[tokio::test]
async fn a_check_reads_one_page_of_each_named_stream() {
    let upstream = many().await;
    let connector = connector(&items(&upstream.base(), "/items", PAGES, ""));
    connector.check(&upstream.context(), &json!({})).await.unwrap();
    assert_eq!(upstream.seen().len(), 1);

    let upstream = Upstream::start(|_| answer(401, "{}")).await;
    let connector = crate::upstream::connector(&items(&upstream.base(), "/items", PAGES, ""));
    let error = connector
        .check(&upstream.context(), &json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Auth);
}

#[tokio::test]
async fn an_unknown_stream_is_said() {
    let upstream = many().await;
    let mut wanted = request(json!({}), Checkpoint::default());
    wanted.stream = "nothing".to_owned();
    let error = connector(&items(&upstream.base(), "/items", PAGES, ""))
        .read(&upstream.context(), wanted)
        .err()
        .expect("there is no such stream");
    assert_eq!(error.code, "CONFIG_INVALID");
}
