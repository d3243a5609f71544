//! The datetime cursor: what is asked for, and the state that comes of it.

use connectors::read::Checkpoint;
use serde_json::{Value, json};

use crate::upstream::{Upstream, connector, cut_everywhere, ids, items, ok, pages, records, request};

/// Ten records, one a day from the 1st, on request by window and page.
fn by_day(from: &str, to: &str, page: usize) -> Vec<Value> {
    let day = |text: &str| text[8..10].parse::<usize>().unwrap();
    (day(from)..day(to).min(10) + 1)
        .skip((page - 1) * 2)
        .take(2)
        // Newest first inside a page: the state must not depend on the order.
        .rev()
        .map(|day| json!({"id": day, "updated_at": format!("2026-06-{day:02}T00:00:00Z")}))
        .collect()
}

async fn upstream() -> Upstream {
    Upstream::start(|seen| {
        let (Some(from), Some(to)) = (seen.get("from"), seen.get("to")) else {
            return ok(&json!({"data": []}));
        };
        ok(&json!({"data": by_day(from, to, seen.number("page").unwrap_or(1))}))
    })
    .await
}

const PAGES: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy: {type: PageIncrement, page_size: 2, start_from_page: 1}";

fn cursor(more: &str) -> String {
    format!(
        r#"incremental_sync:
  type: DatetimeBasedCursor
  cursor_field: updated_at
  datetime_format: "%Y-%m-%d"
  cursor_datetime_formats: ["%Y-%m-%dT%H:%M:%SZ"]
  start_datetime: {{type: MinMaxDatetime, datetime: "{{{{ config['start'] }}}}", datetime_format: "%Y-%m-%d"}}
  end_datetime: {{type: MinMaxDatetime, datetime: "2026-06-08", datetime_format: "%Y-%m-%d"}}
  start_time_option: {{type: RequestOption, inject_into: request_parameter, field_name: from}}
  end_time_option: {{type: RequestOption, inject_into: request_parameter, field_name: to}}
{more}"#
    )
}

const STEPS: &str = "  step: P3D\n  cursor_granularity: P1D";

fn config() -> Value {
    json!({"start": "2026-06-01"})
}

#[tokio::test]
async fn windows_touch_and_do_not_overlap() {
    let upstream = upstream().await;
    let yaml = items(&upstream.base(), "/items", PAGES, &cursor(STEPS));
    let all = crate::upstream::read_all(&upstream, &yaml, config()).await;
    let mut seen = ids(&all);
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 8]);
    let mut lines = upstream.lines();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "/items?from=2026-06-01&to=2026-06-03",
            "/items?from=2026-06-04&to=2026-06-06",
            "/items?from=2026-06-07&to=2026-06-08",
            "/items?page=2&from=2026-06-01&to=2026-06-03",
            "/items?page=2&from=2026-06-04&to=2026-06-06",
            "/items?page=2&from=2026-06-07&to=2026-06-08",
        ]
    );
    assert_eq!(
        all.last().unwrap().checkpoint.state,
        Some(json!({"updated_at": "2026-06-08"}))
    );
}

#[tokio::test]
async fn the_state_moves_only_when_a_window_ends() {
    let upstream = upstream().await;
    let yaml = items(&upstream.base(), "/items", PAGES, &cursor(STEPS));
    let all = crate::upstream::read_all(&upstream, &yaml, config()).await;
    let states: Vec<String> = all
        .iter()
        .map(|page| {
            page.checkpoint.state.as_ref().unwrap()["updated_at"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        states,
        [
            "2026-06-01",
            "2026-06-03",
            "2026-06-03",
            "2026-06-06",
            "2026-06-06",
            "2026-06-08"
        ]
    );
}

#[tokio::test]
async fn a_cut_after_any_page_loses_and_repeats_nothing() {
    let upstream = upstream().await;
    for more in [
        STEPS,
        "",
        "  step: P1D\n  cursor_granularity: P1D\n  lookback_window: P2D",
    ] {
        let yaml = items(&upstream.base(), "/items", PAGES, &cursor(more));
        cut_everywhere(&upstream, &yaml, config(), None).await;
        cut_everywhere(
            &upstream,
            &yaml,
            config(),
            Some(json!({"updated_at": "2026-06-05"})),
        )
        .await;
    }
}

#[tokio::test]
async fn an_incremental_read_begins_at_the_state_and_a_full_refresh_does_not() {
    let upstream = upstream().await;
    let yaml = items(&upstream.base(), "/items", PAGES, &cursor(""));
    let state = Checkpoint {
        state: Some(json!({"updated_at": "2026-06-07"})),
        resume: None,
    };
    let mut wanted = request(config(), state);
    pages(
        connector(&yaml)
            .read(&upstream.context(), wanted.clone())
            .unwrap(),
    )
    .await
    .unwrap();
    assert_eq!(upstream.lines()[0], "/items?from=2026-06-07&to=2026-06-08");
    wanted.full_refresh = true;
    let all = pages(connector(&yaml).read(&upstream.context(), wanted).unwrap())
        .await
        .unwrap();
    assert_eq!(ids(&all).len(), 8);
}

#[tokio::test]
async fn a_full_refresh_that_was_cut_goes_on_where_it_was() {
    let upstream = upstream().await;
    let yaml = items(&upstream.base(), "/items", PAGES, &cursor(STEPS));
    let connector = connector(&yaml);
    let mut wanted = request(
        config(),
        Checkpoint {
            state: Some(json!({"updated_at": "2026-06-07"})),
            resume: None,
        },
    );
    wanted.full_refresh = true;
    let whole = pages(connector.read(&upstream.context(), wanted.clone()).unwrap())
        .await
        .unwrap();
    wanted.checkpoint = whole[2].checkpoint.clone();
    let rest = pages(connector.read(&upstream.context(), wanted).unwrap())
        .await
        .unwrap();
    let mut got = records(&whole[..=2]);
    got.extend(records(&rest));
    assert_eq!(got, records(&whole));
}

#[tokio::test]
async fn a_data_feed_stops_at_the_first_old_record_and_leaves_old_ones_out() {
    // Newest first, no filter upstream.
    let upstream = Upstream::start(|seen| {
        let page = seen.number("page").unwrap_or(1);
        let data: Vec<Value> = (1..11_usize)
            .rev()
            .skip((page - 1) * 2)
            .take(2)
            .map(|day| json!({"id": day, "updated_at": format!("2026-06-{day:02}T00:00:00Z")}))
            .collect();
        ok(&json!({"data": data}))
    })
    .await;
    let feed = cursor("  is_data_feed: true")
        .replace("2026-06-08", "2026-06-10")
        .lines()
        .filter(|line| !line.contains("_time_option"))
        .collect::<Vec<_>>()
        .join("\n");
    let yaml = items(&upstream.base(), "/items", PAGES, &feed);
    let state = Some(json!({"updated_at": "2026-06-06"}));
    let begin = Checkpoint {
        state: state.clone(),
        resume: None,
    };
    let all = pages(
        connector(&yaml)
            .read(&upstream.context(), request(config(), begin))
            .unwrap(),
    )
    .await
    .unwrap();
    assert_eq!(ids(&all), [10, 9, 8, 7, 6]);
    assert_eq!(upstream.seen().len(), 3);
    assert_eq!(
        all.last().unwrap().checkpoint.state,
        Some(json!({"updated_at": "2026-06-10"}))
    );
    cut_everywhere(&upstream, &yaml, config(), state).await;
}

#[tokio::test]
async fn a_client_side_cursor_leaves_out_what_is_old() {
    let upstream = Upstream::start(|_| {
        let day = |day: usize| json!({"id": day, "updated_at": format!("2026-06-{day:02}T00:00:00Z")});
        ok(&json!({"data": (1..11).map(day).collect::<Vec<_>>()}))
    })
    .await;
    let yaml = items(
        &upstream.base(),
        "/items",
        "",
        &cursor("  is_client_side_incremental: true"),
    );
    let begin = Checkpoint {
        state: Some(json!({"updated_at": "2026-06-06"})),
        resume: None,
    };
    let all = pages(
        connector(&yaml)
            .read(&upstream.context(), request(config(), begin))
            .unwrap(),
    )
    .await
    .unwrap();
    assert_eq!(ids(&all), [6, 7, 8]);
}

#[tokio::test]
async fn what_is_not_our_position_is_ignored_with_a_note() {
    let upstream = upstream().await;
    let yaml = items(&upstream.base(), "/items", PAGES, &cursor(STEPS));
    let begin = Checkpoint {
        state: None,
        resume: Some(json!({"v": 99})),
    };
    let all = pages(
        connector(&yaml)
            .read(&upstream.context(), request(config(), begin))
            .unwrap(),
    )
    .await
    .unwrap();
    assert_eq!(ids(&all).len(), 8);
    assert_eq!(all.iter().flat_map(|page| &page.notes).count(), 1);
}
