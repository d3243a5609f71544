//! Health routes.

use serde_json::json;

use crate::fixture::Fixture;
use crate::wire::get;

#[tokio::test]
async fn live_and_ready() {
    let server = Fixture::start().await;
    let live = get(server.address, "/health/live", &[]).await;
    assert_eq!((live.status, live.json()), (200, json!({ "status": "live" })));
    for route in ["/health", "/health/ready"] {
        let ready = get(server.address, route, &[]).await;
        assert_eq!(ready.status, 200);
        let body = ready.json();
        assert_eq!(body["status"], "ready", "{body}");
        for dependency in ["database", "coordination"] {
            let dependency = &body["dependencies"][dependency];
            assert_eq!(
                (&dependency["status"], &dependency["error"]),
                (&json!("up"), &json!(null)),
                "{body}"
            );
            assert!(dependency["durationMs"].is_number(), "{body}");
        }
    }
}

#[tokio::test]
async fn without_a_database_it_is_not_ready_and_says_nothing_inside() {
    let server = Fixture::start().await;
    server.engine.db.clone().close().await.unwrap();
    let ready = get(server.address, "/health/ready", &[]).await;
    assert_eq!(ready.status, 503);
    let body = ready.json();
    assert_eq!(
        (&body["status"], &body["dependencies"]["database"]["status"]),
        (&json!("unavailable"), &json!("down"))
    );
    assert_eq!(get(server.address, "/health/live", &[]).await.status, 200);
    let answer = server
        .post(&json!({ "query": "{ clients { totalCount } }" }))
        .await;
    assert_eq!((answer.status, answer.code().as_str()), (200, "UNAVAILABLE"));
    assert!(
        !answer.text().to_ascii_lowercase().contains("sql"),
        "{}",
        answer.text()
    );
}
