//! What can be reached, and what is told to whom on the way.

use super::*;

#[tokio::test]
async fn an_allowed_address_answers_and_its_neighbour_is_refused() {
    let server = Server::answering(|_| ok("hello"), Then::Close).await;
    assert_eq!(get(&client(&[&server]), &server.url("/")).await.unwrap(), "hello");
    let error = get(&client(&[]), &server.url("/")).await.unwrap_err();
    assert_eq!(error.code(), "BLOCKED_ADDRESS");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_request_that_was_built_elsewhere_is_checked_as_well() {
    let request = Request::new(Method::GET, "http://[::ffff:127.0.0.1]:1/".parse().unwrap());
    let error = client(&[]).execute(request).await.unwrap_err();
    assert_eq!(error.code(), "BLOCKED_ADDRESS");
}

#[tokio::test]
async fn a_name_that_resolves_inside_is_refused_unless_its_network_is_allowed() {
    let server = Server::answering(|_| ok("hello"), Then::Close).await;
    let url = format!("http://localhost:{}/?token=abc", server.address.port())
        .parse()
        .unwrap();

    let error = get(&client(&[&server]), &url).await.unwrap_err();
    assert_eq!(error.code(), "BLOCKED_ADDRESS");
    assert!(
        error.to_string().contains("localhost") && !error.to_string().contains("abc"),
        "{error}"
    );

    let allow_networks = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    let policy = NetworkPolicy {
        allow_networks,
        allow_addresses: Vec::new(),
    };
    let client = HttpClient::new(policy, HttpLimits::default()).unwrap();
    assert_eq!(get(&client, &url).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_redirect_inside_is_refused() {
    for to in [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://2130706433/",
        "file:///etc/passwd",
    ] {
        let server = Server::answering(move |_| redirect(302, to), Then::Close).await;
        let error = get(&client(&[&server]), &server.url("/")).await.unwrap_err();
        assert_eq!(error.code(), "BLOCKED_ADDRESS", "{to}: {error}");
    }
}

#[tokio::test]
async fn credentials_stay_with_the_origin_they_were_for() {
    let other = Server::answering(|_| ok("there"), Then::Close).await;
    let elsewhere = other.url("/elsewhere").to_string();
    let first = Server::answering(
        move |asked| {
            if asked.starts_with("get /a ") {
                redirect(302, "/b")
            } else {
                redirect(302, &elsewhere)
            }
        },
        Then::Close,
    )
    .await;
    let client = client(&[&first, &other]);
    let request = client
        .request(Method::GET, &first.url("/a"))
        .unwrap()
        .header("X-Api-Key", "key")
        .header("Authorization", "Bearer token")
        .header("Accept", "application/json");
    let response = client.execute(request.build().unwrap()).await.unwrap();
    assert_eq!(response.url().path(), "/elsewhere");

    let within = &first.asked()[1];
    assert!(
        within.contains("x-api-key: key") && within.contains("authorization: bearer token"),
        "{within}"
    );
    let beyond = &other.asked()[0];
    assert!(
        !beyond.contains("x-api-key") && !beyond.contains("authorization"),
        "{beyond}"
    );
    assert!(!beyond.contains("referer"), "{beyond}");
    assert!(
        beyond.contains("accept: application/json") && beyond.contains("user-agent: syncline/"),
        "{beyond}"
    );
}

#[tokio::test]
async fn a_body_is_sent_again_only_to_its_origin() {
    let other = Server::answering(|_| ok("no"), Then::Close).await;
    let elsewhere = other.url("/").to_string();
    let first = Server::answering(
        move |asked| match asked.split(' ').nth(1) {
            Some("/same") => redirect(307, "/end"),
            Some("/other") => redirect(307, &elsewhere),
            Some("/get") => redirect(302, "/end"),
            _ => ok("end"),
        },
        Then::Close,
    )
    .await;
    let client = client(&[&first, &other]);
    let post = async |path: &str| {
        let request = client
            .request(Method::POST, &first.url(path))
            .unwrap()
            .body("secret=1")
            .build()
            .unwrap();
        client.execute(request).await
    };
    post("/same").await.unwrap();
    assert!(first.asked()[1].starts_with("post /end ") && first.asked()[1].ends_with("secret=1"));
    assert_eq!(post("/other").await.unwrap_err().code(), "REDIRECT");
    assert!(other.asked().is_empty());
    post("/get").await.unwrap();
    let last = first.asked().pop().unwrap();
    assert!(
        last.starts_with("get /end ") && !last.contains("secret") && !last.contains("content-"),
        "{last}"
    );
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let server = Server::answering(|_| redirect(302, "/again"), Then::Close).await;
    assert_eq!(
        get(&client(&[&server]), &server.url("/"))
            .await
            .unwrap_err()
            .code(),
        "REDIRECT"
    );
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn connections_fail_in_the_way_they_fail() {
    let server = Server::answering(|_| b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec(), Then::Close).await;
    let client = client(&[&server]);
    let error = get(&client, &server.url("/?token=abc")).await.unwrap_err();
    assert_eq!(error.code(), "HTTP_FAILURE", "{error}");
    assert!(!error.to_string().contains("abc"), "{error}");

    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        stream.read_buf(&mut Vec::new()).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 This is not TLS\r\n\r\n")
            .await
            .unwrap();
        std::future::pending::<()>().await;
    });
    let policy = NetworkPolicy {
        allow_networks: Vec::new(),
        allow_addresses: vec![address],
    };
    let client = HttpClient::new(policy, HttpLimits::default()).unwrap();
    let error = get(&client, &format!("https://{address}/").parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "TLS", "{error}");

    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let policy = NetworkPolicy {
        allow_networks: Vec::new(),
        allow_addresses: vec![gone],
    };
    let client = HttpClient::new(policy, HttpLimits::default()).unwrap();
    let error = get(&client, &format!("http://{gone}/").parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "CONNECTION_REFUSED", "{error}");

    let error = get(&client, &"http://no-such-name.invalid/".parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "DNS", "{error}");
}

#[test]
fn a_url_is_shown_without_what_may_be_secret() {
    let url = "https://user:pass@api.example.com:8443/v1/users?key=abc#top"
        .parse()
        .unwrap();
    assert_eq!(redacted(&url), "https://api.example.com:8443/v1/users");
}
