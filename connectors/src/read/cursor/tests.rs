use serde_json::json;

use super::*;

fn moment(text: &str) -> Moment {
    Moment::parse_from_rfc3339(text).unwrap()
}

const DAY: i64 = 86_400_000_000;

fn settings(step: Option<Duration>, granularity: Option<Duration>) -> CursorSettings {
    CursorSettings {
        field: "updated_at".to_owned(),
        formats: vec!["%Y-%m-%dT%H:%M:%SZ".to_owned(), "%Y-%m-%d".to_owned()],
        start: moment("2026-06-10T00:00:00Z"),
        end: moment("2026-06-15T00:00:00Z"),
        step,
        granularity,
        lookback: None,
        start_field: "start_time".to_owned(),
        end_field: "end_time".to_owned(),
        compare_strictly: false,
        clamping: None,
    }
}

fn days(count: i64) -> Option<Duration> {
    Some(Duration {
        micros: count * DAY,
        ..Duration::default()
    })
}

fn windows(settings: &CursorSettings, state: Option<&Value>) -> Vec<(String, String)> {
    let progress = Progress::from_state(settings, state).unwrap();
    let mut windows = Windows::plan(settings, &progress);
    std::iter::from_fn(|| windows.next(settings))
        .map(|window| (window.start, window.end))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(start, end)| ((*start).to_owned(), (*end).to_owned()))
        .collect()
}

#[test]
fn without_a_step_there_is_one_window() {
    assert_eq!(
        windows(&settings(None, None), None),
        pairs(&[("2026-06-10", "2026-06-15")])
    );
}

#[test]
fn a_window_ends_one_unit_before_the_next_and_the_last_at_the_end() {
    let settings = settings(days(2), days(1));
    let expected = pairs(&[
        ("2026-06-10", "2026-06-11"),
        ("2026-06-12", "2026-06-13"),
        ("2026-06-14", "2026-06-15"),
    ]);
    assert_eq!(windows(&settings, None), expected);
}

#[test]
fn a_state_moves_the_start_and_the_lookback_moves_it_back_but_not_before_the_start() {
    let mut settings = settings(None, None);
    let state = json!({"updated_at": "2026-06-13"});
    assert_eq!(
        windows(&settings, Some(&state)),
        pairs(&[("2026-06-13", "2026-06-15")])
    );
    settings.lookback = days(1);
    assert_eq!(
        windows(&settings, Some(&state)),
        pairs(&[("2026-06-12", "2026-06-15")])
    );
    settings.lookback = days(30);
    assert_eq!(
        windows(&settings, Some(&state)),
        pairs(&[("2026-06-10", "2026-06-15")])
    );
    let old = json!({"updated_at": "2020-01-01"});
    assert_eq!(
        windows(&settings, Some(&old)),
        pairs(&[("2026-06-10", "2026-06-15")])
    );
}

#[test]
fn at_the_end_a_granularity_makes_one_more_window_unless_compared_strictly() {
    let state = json!({"updated_at": "2026-06-15"});
    assert_eq!(windows(&settings(None, None), Some(&state)), []);
    let mut inclusive = settings(days(1), days(1));
    assert_eq!(
        windows(&inclusive, Some(&state)),
        pairs(&[("2026-06-15", "2026-06-15")])
    );
    inclusive.compare_strictly = true;
    assert_eq!(windows(&inclusive, Some(&state)), []);
}

#[test]
fn the_state_is_the_largest_value_seen_and_moves_when_the_window_closes() {
    let settings = settings(days(2), days(1));
    let mut progress = Progress::from_state(&settings, None).unwrap();
    let mut plan = Windows::plan(&settings, &progress);
    let first = plan.next(&settings).unwrap();
    progress.observe(moment("2026-06-11T09:00:00Z"));
    progress.observe(moment("2026-06-10T09:00:00Z"));
    assert_eq!(progress.state(&settings), json!({"updated_at": "2026-06-10"}));
    progress.close(&settings, &first).unwrap();
    assert_eq!(progress.state(&settings), json!({"updated_at": "2026-06-11"}));
    let empty = plan.next(&settings).unwrap();
    progress.close(&settings, &empty).unwrap();
    assert_eq!(progress.state(&settings), json!({"updated_at": "2026-06-11"}));
}

#[test]
fn a_cut_anywhere_leaves_the_same_windows_to_read() {
    let settings = settings(days(1), days(1));
    let whole = windows(&settings, None);
    for cut in 0..whole.len() {
        let progress = Progress::from_state(&settings, None).unwrap();
        let mut plan = Windows::plan(&settings, &progress);
        let mut seen: Vec<_> = (0..cut).filter_map(|_| plan.next(&settings)).collect();
        let position = WindowsPosition::from_json(&plan.position().to_json());
        let mut resumed = Windows::plan(&settings, &progress);
        resumed.seek(&position).unwrap();
        seen.extend(std::iter::from_fn(|| resumed.next(&settings)));
        let seen: Vec<_> = seen
            .into_iter()
            .map(|window| (window.start, window.end))
            .collect();
        assert_eq!(seen, whole, "cut after {cut}");
    }
}

#[test]
fn progress_survives_a_cut() {
    let settings = settings(days(2), days(1));
    let mut progress = Progress::from_state(&settings, Some(&json!({"other": 1}))).unwrap();
    let mut plan = Windows::plan(&settings, &progress);
    progress.close(&settings, &plan.next(&settings).unwrap()).unwrap();
    progress.observe(moment("2026-06-13T00:00:00Z"));
    let mut restored = Progress::from_state(&settings, Some(&json!({"other": 1}))).unwrap();
    restored.restore(&progress.to_json()).unwrap();
    let second = plan.next(&settings).unwrap();
    restored.close(&settings, &second).unwrap();
    assert_eq!(
        restored.state(&settings),
        json!({"other": 1, "updated_at": "2026-06-13"})
    );
}

#[test]
fn an_unreadable_state_is_a_clear_error() {
    let error =
        Progress::from_state(&settings(None, None), Some(&json!({"updated_at": "yesterday"}))).unwrap_err();
    assert_eq!(error.code, "CONFIG_INVALID");
    assert!(!error.message.contains("yesterday"));
}

#[test]
fn months_are_clamped_to_their_boundaries() {
    let mut settings = settings(
        Some(Duration {
            months: 1,
            ..Duration::default()
        }),
        days(1),
    );
    settings.clamping = Some(Clamping::Month);
    settings.start = moment("2026-01-15T00:00:00Z");
    settings.end = Clamping::Month.floor(moment("2026-04-20T00:00:00Z"));
    let expected = pairs(&[("2026-02-01", "2026-02-28"), ("2026-03-01", "2026-04-01")]);
    let got = windows(&settings, None);
    assert_eq!(got.first(), expected.first());
}
