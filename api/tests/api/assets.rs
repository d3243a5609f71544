//! The pages.

use crate::fixture::Fixture;
use crate::wire::get;

#[tokio::test]
async fn ways_lead_to_graphiql() {
    let server = Fixture::start().await;
    for route in ["/", "/docs"] {
        let answer = get(server.address, route, &[]).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (307, Some("/graphiql")),
            "{route}"
        );
    }
}

#[tokio::test]
async fn graphiql_is_served_under_a_strict_policy() {
    let server = Fixture::start().await;
    let answer = get(server.address, "/graphiql", &[]).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    let policy = answer.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(policy.contains(&format!("ws://{}", server.address)), "{policy}");
    assert!(
        !policy.contains("unsafe-eval") && !policy.contains("script-src 'unsafe-inline'"),
        "{policy}"
    );
    let page = answer.text();
    assert!(page.contains("GraphiQL") || page.contains("npm ci"), "{page}");
    assert!(
        !page.contains("//unpkg") && !page.contains("//cdn") && !page.contains("https://"),
        "{page}"
    );
    let etag = answer.header("etag").unwrap().to_owned();
    let again = get(server.address, "/graphiql", &[("if-none-match", &etag)]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[tokio::test]
async fn page_parts_are_compressed_and_kept() {
    let server = Fixture::start().await;
    let page = get(server.address, "/graphiql", &[]).await;
    let Some(script) = page
        .text()
        .split('"')
        .find(|part| part.starts_with("/assets/") && part.ends_with(".js"))
    else {
        // Not built here: there are no parts.
        return;
    };
    let plain = get(server.address, script, &[]).await;
    assert_eq!((plain.status, plain.header("content-encoding")), (200, None));
    assert_eq!(
        plain.header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    for (accept, encoding) in [("gzip", "gzip"), ("gzip, deflate, br", "br")] {
        let packed = get(server.address, script, &[("accept-encoding", accept)]).await;
        assert_eq!(
            (packed.status, packed.header("content-encoding")),
            (200, Some(encoding))
        );
        assert!(packed.body.len() < plain.body.len());
        assert_ne!(packed.header("etag"), plain.header("etag"));
    }
}
