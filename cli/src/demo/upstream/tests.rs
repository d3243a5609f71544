use axum::body::{Body, to_bytes};
use axum::http::Request;
use platform::clock::ManualClock;
use tower::ServiceExt;

use super::*;

fn opened() -> DateTime<Utc> {
    "2026-06-15T12:00:00Z".parse().expect("a date")
}

struct Shop {
    clock: ManualClock,
    router: Router,
}

impl Shop {
    fn open() -> Self {
        let clock = ManualClock::at(opened());
        let upstream = Upstream::new(Arc::new(clock.clone()), opened(), 0);
        Self {
            clock,
            router: router(upstream),
        }
    }

    async fn get(&self, path: &str) -> (StatusCode, HeaderMap, Value) {
        let request = Request::get(path)
            .header("X-Api-Key", API_KEY)
            .body(Body::empty())
            .expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a body");
        (
            parts.status,
            parts.headers,
            serde_json::from_slice(&bytes).expect("JSON"),
        )
    }

    /// As a client that waits and tries once more.
    async fn get_patiently(&self, path: &str) -> Value {
        match self.get(path).await {
            (StatusCode::OK, _, body) => body,
            _ => self.get(path).await.2,
        }
    }

    async fn all_orders(&self, filter: &str) -> Vec<Value> {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self
                .get_patiently(&format!("/orders?limit=50&cursor={cursor}{filter}"))
                .await;
            found.extend(page["data"].as_array().expect("data").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => return found,
            }
        }
    }
}

fn ids(orders: &[Value]) -> Vec<i64> {
    let mut ids: Vec<i64> = orders
        .iter()
        .map(|order| order["id"].as_i64().expect("id"))
        .collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn pages_and_offsets_cover_everything_once() {
    let shop = Shop::open();
    let mut seen = Vec::new();
    for page in [1, 3, 4] {
        let (_, headers, body) = shop.get(&format!("/users?_page={page}&_limit=20")).await;
        assert_eq!(headers["x-total-count"], "60");
        seen.push(body.as_array().expect("an array").len());
    }
    assert_eq!(seen, [20, 20, 0]);
    let posts = shop.get("/posts?_start=35&_limit=10").await.2;
    assert_eq!(posts.as_array().expect("an array").len(), 5);
}

#[tokio::test]
async fn the_slow_page_waits_on_the_clock_that_was_passed_in() {
    let shop = Shop::open();
    let mut slow = std::pin::pin!(shop.get("/users?_page=2"));
    assert!(futures::poll!(slow.as_mut()).is_pending());
    shop.clock.advance(SLOWNESS);
    assert_eq!(slow.await.0, StatusCode::OK);
}

#[tokio::test]
async fn orders_need_the_key() {
    let shop = Shop::open();
    let request = Request::get("/orders").body(Body::empty()).expect("a request");
    let response = shop.router.clone().oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_cursor_walks_every_order_once_even_while_they_change() {
    let shop = Shop::open();
    let before = ids(&shop.all_orders("").await);
    assert_eq!(before, (1..=240).collect::<Vec<_>>());

    let first = shop.get_patiently("/orders?limit=100").await;
    shop.clock.advance(Duration::from_secs(600));
    let mut walked = first["data"].as_array().expect("data").clone();
    let mut next = first["next_cursor"].clone();
    while let Some(cursor) = next.as_str() {
        let page = shop
            .get_patiently(&format!("/orders?limit=100&cursor={cursor}"))
            .await;
        walked.extend(page["data"].as_array().expect("data").iter().cloned());
        next = page["next_cursor"].clone();
    }
    assert_eq!(ids(&walked), before, "as of the first page");
}

#[tokio::test]
async fn an_incremental_read_finds_exactly_what_changed() {
    let shop = Shop::open();
    let early = shop.all_orders("").await;
    shop.clock.advance(Duration::from_secs(300));
    let late = shop.all_orders("").await;
    let changed: Vec<Value> = late
        .iter()
        .filter(|order| !early.contains(order))
        .cloned()
        .collect();
    assert!(changed.len() >= 10, "ten were placed");
    let since = shop.all_orders("&updated_since=2026-06-15T12:00:01Z").await;
    assert_eq!(ids(&since), ids(&changed));
}

#[tokio::test]
async fn trouble_comes_by_counting_and_never_twice_in_a_row() {
    let statuses = |shop: Shop| async move {
        let mut statuses = Vec::new();
        for _ in 0..40 {
            let (status, headers, _) = shop.get("/orders?limit=1").await;
            if status == StatusCode::TOO_MANY_REQUESTS {
                assert_eq!(headers["retry-after"], "2");
            }
            statuses.push(status.as_u16());
        }
        statuses
    };
    let (one, two) = (statuses(Shop::open()).await, statuses(Shop::open()).await);
    assert_eq!(one, two);
    assert_eq!(one.iter().filter(|status| **status == 429).count(), 4);
    assert!(one.windows(2).all(|pair| pair != [429, 429]));
}

#[tokio::test]
async fn posts_are_revised_and_comments_come_and_go() {
    let shop = Shop::open();
    let first = shop.get("/posts/3/comments").await.2;
    let title = shop.get("/posts?_start=0").await.2[0]["revision"].clone();
    shop.clock.advance(Duration::from_secs(37 * 60));
    assert_eq!(
        shop.get("/posts/3/comments").await.2.as_array().map(Vec::len),
        Some(3)
    );
    assert_ne!(shop.get("/posts?_start=0").await.2[0]["revision"], title);
    shop.clock.advance(Duration::from_secs(60));
    assert_eq!(shop.get("/posts/3/comments").await.2, first);
}
