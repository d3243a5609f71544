//! Slices side by side: how many, in which order their pages come, and what a cut or a fault among them leaves.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::http::Response;
use connectors::read::{Checkpoint, ErrorKind};
use futures::StreamExt;
use serde_json::json;
use tokio::sync::watch;

use crate::upstream::{
    Seen, Upstream, answer, connector, cut_everywhere, ids, items, kept, ok, pages, read_all, request,
};

/// Partitions 1 to `count`, so many at a time.
fn manifest(base: &str, count: usize, at_once: Option<usize>, paginator: &str) -> String {
    let values: Vec<String> = (1..=count).map(|number| format!("\"{number}\"")).collect();
    let router = format!(
        "partition_router: {{type: ListPartitionRouter, cursor_field: shelf, values: [{}]}}\n{paginator}",
        values.join(", ")
    );
    let yaml = items(base, "/{{ stream_partition.shelf }}/items", &router, "");
    match at_once {
        Some(level) => {
            format!("{yaml}concurrency_level: {{type: ConcurrencyLevel, default_concurrency: {level}}}\n")
        }
        None => yaml,
    }
}

const PAGES: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy: {type: PageIncrement, page_size: 1, start_from_page: 1}";

fn shelf(seen: &Seen) -> usize {
    seen.path
        .split('/')
        .nth(1)
        .and_then(|part| part.parse().ok())
        .unwrap()
}

/// An answer with one record, which comes when the future ends.
fn when(ready: impl Future<Output = ()> + Send + 'static, id: usize) -> Response<Body> {
    let body = async move {
        ready.await;
        Ok::<_, Infallible>(Bytes::from(json!({"data": [{"id": id}]}).to_string()))
    };
    answer(200, Body::from_stream(futures::stream::once(body)))
}

/// The most requests that were on the wire at once while nobody was answered before `together` were.
async fn most_at_once(count: usize, at_once: Option<usize>, together: usize) -> usize {
    let (arrived, running, most) = (
        watch::Sender::new(0),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let highest = Arc::clone(&most);
    let upstream = Upstream::start(move |seen| {
        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(now, Ordering::SeqCst);
        arrived.send_modify(|arrived| *arrived += 1);
        let (mut arrived, running) = (arrived.subscribe(), Arc::clone(&running));
        let ready = async move {
            arrived.wait_for(|arrived| *arrived >= together).await.unwrap();
            running.fetch_sub(1, Ordering::SeqCst);
        };
        when(ready, shelf(seen))
    })
    .await;
    let all = read_all(
        &upstream,
        &manifest(&upstream.base(), count, at_once, ""),
        json!({}),
    )
    .await;
    assert_eq!(ids(&all), (1..=count as i64).collect::<Vec<_>>());
    highest.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_as_the_manifest_says_and_no_more() {
    assert_eq!(most_at_once(12, Some(5), 5).await, 5);
    assert_eq!(most_at_once(12, Some(1), 1).await, 1);
    assert_eq!(
        most_at_once(12, None, 4).await,
        4,
        "four, where the manifest does not say"
    );
    assert_eq!(most_at_once(3, Some(50), 3).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_come_in_the_order_of_their_slices_whoever_answers_first() {
    let answered = watch::Sender::new(0);
    let upstream = Upstream::start(move |seen| {
        let shelf = shelf(seen);
        let mut others = answered.subscribe();
        let answered = answered.clone();
        // The later a shelf, the sooner it answers.
        let ready = async move {
            others.wait_for(|others| *others >= 4 - shelf).await.unwrap();
            answered.send_modify(|answered| *answered += 1);
        };
        when(ready, shelf)
    })
    .await;
    let all = read_all(&upstream, &manifest(&upstream.base(), 4, Some(4), ""), json!({})).await;
    assert_eq!(ids(&all), [1, 2, 3, 4]);
    assert!(all[..3].iter().all(|page| !page.last) && all[3].last);
}

#[tokio::test]
async fn cut_after_any_page_the_rest_is_read_once() {
    let page = |seen: &Seen| {
        let (shelf, page) = (shelf(seen), seen.number("page").unwrap_or(1));
        if page > shelf % 4 {
            return ok(&json!({"data": []}));
        }
        ok(&json!({"data": [{"id": shelf * 10 + page}]}))
    };
    let upstream = Upstream::start(page).await;
    for at_once in [Some(1), None, Some(9)] {
        let yaml = manifest(&upstream.base(), 7, at_once, PAGES);
        cut_everywhere(&upstream, &yaml, json!({}), None).await;
    }
}

#[tokio::test]
async fn a_fault_comes_in_its_turn_and_nothing_before_it_is_asked_for_again() {
    let healed = Arc::new(AtomicUsize::new(0));
    let state = Arc::clone(&healed);
    let upstream = Upstream::start(move |seen| {
        if shelf(seen) == 3 && state.load(Ordering::SeqCst) == 0 {
            return answer(500, "{}");
        }
        ok(&json!({"data": [{"id": shelf(seen)}]}))
    })
    .await;
    let yaml = manifest(&upstream.base(), 6, Some(6), "");
    let connector = connector(&yaml);
    let stream = connector
        .read(&upstream.context(), request(json!({}), Checkpoint::default()))
        .unwrap();
    let (before, error) = pages(stream).await.unwrap_err();
    assert_eq!((error.kind, ids(&before)), (ErrorKind::Upstream, vec![1, 2]));

    healed.store(1, Ordering::SeqCst);
    let asked = upstream.seen().len();
    let checkpoint = kept(&before.last().unwrap().checkpoint);
    let rest = connector
        .read(&upstream.context(), request(json!({}), checkpoint))
        .unwrap();
    assert_eq!(ids(&pages(rest).await.unwrap()), [3, 4, 5, 6]);
    let again: Vec<usize> = upstream.seen()[asked..].iter().map(shelf).collect();
    assert!(again.iter().all(|shelf| *shelf >= 3), "{again:?}");
}

#[tokio::test]
async fn what_waits_for_its_turn_is_bounded_in_bytes() {
    let asked = watch::Sender::new(0);
    let mut requests = asked.subscribe();
    // Two megabytes a page, three pages a shelf.
    let upstream = Upstream::start(move |seen| {
        asked.send_modify(|asked| *asked += 1);
        let page = seen.number("page").unwrap_or(1);
        if page > 3 {
            return ok(&json!({"data": []}));
        }
        let id = shelf(seen) * 10 + page;
        ok(&json!({"data": [{"id": id, "text": "x".repeat(2 << 20)}]}))
    })
    .await;
    let yaml = manifest(&upstream.base(), 8, Some(8), PAGES);
    let mut stream = connector(&yaml)
        .read(&upstream.context(), request(json!({}), Checkpoint::default()))
        .unwrap();
    let first = stream.next().await.unwrap().unwrap();
    // Of the first shelf three pages; of each other one the first; and of one of them, which fills the room, another.
    let bound = 3 + 7 + 1;
    let most = *requests.wait_for(|asked| *asked >= bound).await.unwrap();
    assert_eq!(most, bound);
    let rest = pages(stream).await.unwrap();
    let ids: Vec<i64> = ids(&[first]).into_iter().chain(ids(&rest)).collect();
    let all: Vec<i64> = (1..=8)
        .flat_map(|shelf| (1..=3).map(move |page| shelf * 10 + page))
        .collect();
    assert_eq!(ids, all);
}
