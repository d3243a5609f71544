//! Reading ahead, stopping, and trying out.

use axum::body::Body;
use connectors::read::{Checkpoint, ErrorKind};
use futures::StreamExt;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

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
    let (asked, mut requests) = watch::channel(0);
    let upstream = Upstream::start(move |seen| {
        asked.send_modify(|requests| *requests += 1);
        ok(&json!({"data": [{"id": seen.number("page").unwrap_or(1)}]}))
    })
    .await;
    let yaml = items(&upstream.base(), "/items", PAGES, "");
    let mut stream = connector(&yaml)
        .read(&upstream.context(), request(json!({}), Checkpoint::default()))
        .unwrap();
    for consumed in 1..=20 {
        stream.next().await.unwrap().unwrap();
        // One page waits, one is on the wire or in the reader's hands.
        let ahead = consumed + 2;
        let most = *requests.wait_for(|requests| *requests >= ahead).await.unwrap();
        assert_eq!(most, ahead, "requests for {consumed} pages consumed");
    }
}

#[tokio::test]
async fn dropping_the_stream_ends_the_request_on_the_wire() {
    let (asked, hung_up) = (CancellationToken::new(), CancellationToken::new());
    let (asking, answering) = (asked.clone(), hung_up.clone());
    let upstream = Upstream::start(move |seen| {
        if seen.number("page") != Some(2) {
            return ok(&json!({"data": [{"id": 1}]}));
        }
        asking.cancel();
        let guard = answering.clone().drop_guard();
        let never = async move {
            let _until_the_reader_hangs_up = guard;
            std::future::pending::<Result<Vec<u8>, std::io::Error>>().await
        };
        answer(200, Body::from_stream(futures::stream::once(never)))
    })
    .await;
    let yaml = items(&upstream.base(), "/items", PAGES, "");
    let mut stream = connector(&yaml)
        .read(&upstream.context(), request(json!({}), Checkpoint::default()))
        .unwrap();
    stream.next().await.unwrap().unwrap();
    asked.cancelled().await;
    assert!(!hung_up.is_cancelled());
    drop(stream);
    hung_up.cancelled().await;
}

#[tokio::test]
async fn cancelling_takes_effect_inside_a_call() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let yaml = items(&format!("http://{address}"), "/items", "", "");
    let context = crate::upstream::context(vec![address]);
    let stream = connector(&yaml)
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    let cancel = context.cancel.clone();
    let calling = tokio::spawn(async move {
        let connection = listener.accept().await.unwrap();
        cancel.cancel();
        connection
    });
    let error = pages(stream).await.unwrap_err().1;
    assert_eq!(error.kind, ErrorKind::Cancelled);
    drop(calling.await.unwrap());
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
