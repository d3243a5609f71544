//! A manifest's budget: which requests it counts, and how a read by hand keeps to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use connectors::read::{
    Allowed, Ask, CallRate, Checkpoint, Counted, Gate, HeldBack, Pacer, ReadContext, Seen, Told,
};
use platform::clock::{Clock, ManualClock};
use serde_json::json;

use crate::upstream::{Upstream, connector, ids, items, ok, pages, request};

const PAGES: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy: {type: PageIncrement, page_size: 2, start_from_page: 1}";

/// What the gate was asked and told.
#[derive(Default)]
struct Witness(Mutex<Vec<(Allowed, Option<Told>)>>);

#[async_trait]
impl Gate for Witness {
    async fn admit(&self, ask: &Ask<'_>) -> Result<(), HeldBack> {
        self.0.lock().unwrap().push((ask.allowed.clone(), None));
        Ok(())
    }

    async fn seen(&self, ask: &Ask<'_>, _seen: Seen, told: Told) {
        self.0.lock().unwrap().push((ask.allowed.clone(), Some(told)));
    }
}

async fn three_pages() -> Upstream {
    Upstream::start(|seen| {
        let page = seen.number("page").unwrap_or(1);
        let data = match page {
            1 | 2 => json!([{"id": page * 10}, {"id": page * 10 + 1}]),
            _ => json!([{"id": 30}]),
        };
        let mut answer = ok(&json!({"data": data}));
        answer.headers_mut().insert("x-left", "4".parse().unwrap());
        answer
            .headers_mut()
            .insert("x-anew", "1781524860".parse().unwrap());
        answer
    })
    .await
}

fn with_budget(upstream: &Upstream, budget: &str) -> String {
    let yaml = items(&upstream.base(), "/v1/items", PAGES, "");
    format!("{yaml}api_budget:\n  type: HTTPAPIBudget\n{budget}")
}

fn counted(class: usize, rates: &[(u32, u64)], in_windows: bool, weight: u32) -> Allowed {
    let rate = |&(limit, seconds): &(u32, u64)| CallRate {
        limit,
        per: Duration::from_secs(seconds),
    };
    Allowed::Counted(Counted {
        class,
        rates: rates.iter().map(rate).collect(),
        in_windows,
        weight,
    })
}

/// What each request was allowed, in order, and what its answer told.
async fn witnessed(budget: &str) -> Vec<(Allowed, Option<Told>)> {
    let upstream = three_pages().await;
    let witness = Arc::new(Witness::default());
    let context = ReadContext {
        gate: Some(Arc::clone(&witness) as Arc<dyn Gate>),
        ..upstream.context()
    };
    let config = json!({"per_minute": "40"});
    let yaml = with_budget(&upstream, &budget.replace("BASE", &upstream.base()));
    let read = connector(&yaml)
        .read(&context, request(config, Checkpoint::default()))
        .unwrap();
    pages(read).await.unwrap();
    witness.0.lock().unwrap().clone()
}

async fn allowed(budget: &str) -> Vec<Allowed> {
    let witnessed = witnessed(budget).await;
    witnessed
        .into_iter()
        .filter(|(_, told)| told.is_none())
        .map(|(allowed, _)| allowed)
        .collect()
}

#[tokio::test]
async fn the_first_policy_that_matches_counts_the_request() {
    let budget = r#"
  policies:
    - type: FixedWindowCallRatePolicy
      period: PT10S
      call_limit: 7
      matchers:
        - {method: post}
        - {url_base: "BASE/", url_path_pattern: "^/v1/it", params: {page: 2}, weight: 3}
    - type: UnlimitedCallRatePolicy
      matchers: [{url_path_pattern: "items$", params: {page: 3}}]
    - type: MovingWindowCallRatePolicy
      rates:
        - {limit: "{{ config['per_minute'] }}", interval: PT1M}
        - {limit: 500, interval: PT1H}
      matchers: []
"#;
    let moving = counted(2, &[(40, 60), (500, 3_600)], false, 1);
    assert_eq!(
        allowed(budget).await,
        [moving, counted(0, &[(7, 10)], true, 3), Allowed::Unlimited]
    );
}

#[tokio::test]
async fn what_no_policy_matches_is_not_said() {
    let budget = r#"
  policies:
    - type: FixedWindowCallRatePolicy
      period: PT10S
      call_limit: 7
      matchers: [{url_path_pattern: /other}, {headers: {X-None: there}}, {url_base: "http://api.example.com"}]
"#;
    assert_eq!(allowed(budget).await, vec![Allowed::Unsaid; 3]);
}

#[tokio::test]
async fn the_budget_s_headers_are_told() {
    let budget = r"
  ratelimit_remaining_header: X-Left
  ratelimit_reset_header: X-Anew
  policies:
    - {type: FixedWindowCallRatePolicy, period: PT10S, call_limit: 7, matchers: []}
";
    let told: Vec<Told> = witnessed(budget)
        .await
        .into_iter()
        .filter_map(|(_, told)| told)
        .collect();
    let expected = Told {
        remaining: Some(4),
        resets_at: chrono::DateTime::from_timestamp(1_781_524_860, 0),
    };
    assert_eq!(told, vec![expected; 3]);
}

#[tokio::test]
async fn a_read_by_hand_waits_for_the_budget() {
    let upstream = three_pages().await;
    let clock = ManualClock::at(chrono::DateTime::from_timestamp(1_781_524_800, 0).unwrap());
    let context = ReadContext {
        gate: Some(Arc::new(Pacer::new(clock.shared()))),
        ..upstream.context()
    };
    let budget = r"
  policies:
    - {type: MovingWindowCallRatePolicy, rates: [{limit: 2, interval: PT1M}], matchers: []}
";
    let read = connector(&with_budget(&upstream, budget))
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    let reading = tokio::spawn(pages(read));
    while clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(upstream.seen().len(), 2, "the third waits");
    clock.advance(Duration::from_secs(59));
    tokio::task::yield_now().await;
    assert_eq!(upstream.seen().len(), 2);
    clock.advance(Duration::from_secs(1));
    assert_eq!(ids(&reading.await.unwrap().unwrap()), [10, 11, 20, 21, 30]);
    assert_eq!(clock.monotonic(), Duration::from_secs(60));
}
