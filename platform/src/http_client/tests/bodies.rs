//! Bodies that are too large, too short, too slow or not what they say.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::clock::ManualClock;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn gzipped(body: &[u8]) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

#[tokio::test]
async fn a_bomb_is_stopped_at_the_bound_and_an_honest_body_is_not() {
    let bomb = gzip(&vec![0; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    let server = Server::answering(move |_| gzipped(&bomb), Then::Close).await;
    let error = get(&client(&[&server]), &server.url("/")).await.unwrap_err();
    assert_eq!(error, HttpError::TooLarge { limit: 1 << 20 });

    let plain = "0123456789".repeat(100_000);
    let body = gzip(plain.as_bytes());
    let server = Server::answering(move |_| gzipped(&body), Then::Close).await;
    assert_eq!(get(&client(&[&server]), &server.url("/")).await.unwrap(), plain);
}

#[tokio::test]
async fn a_length_beyond_the_bound_is_refused_before_it_is_read() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n";
    let server = Server::answering(|_| answer.into(), Then::Hang).await;
    assert_eq!(
        get(&client(&[&server]), &server.url("/"))
            .await
            .unwrap_err()
            .code(),
        "BODY_TOO_LARGE"
    );
}

#[tokio::test]
async fn an_endless_body_without_a_length_is_stopped() {
    let mut answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    answer.resize(2 << 20, b'x');
    let server = Server::answering(move |_| answer.clone(), Then::Hang).await;
    assert_eq!(
        get(&client(&[&server]), &server.url("/"))
            .await
            .unwrap_err()
            .code(),
        "BODY_TOO_LARGE"
    );
}

#[tokio::test]
async fn half_a_body_is_an_error_and_so_is_half_a_compressed_one() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let server = Server::answering(|_| half.into(), Then::Close).await;
    assert_eq!(
        get(&client(&[&server]), &server.url("/")).await.unwrap_err(),
        HttpError::Truncated
    );

    let mut answer = gzipped(&gzip("0123456789".repeat(1000).as_bytes()));
    answer.truncate(answer.len() - 20);
    let server = Server::answering(move |_| answer.clone(), Then::Close).await;
    assert_eq!(
        get(&client(&[&server]), &server.url("/")).await.unwrap_err(),
        HttpError::Truncated
    );

    let mut body = gzip("0123456789".repeat(1000).as_bytes());
    body.truncate(body.len() - 12);
    let server = Server::answering(move |_| gzipped(&body), Then::Close).await;
    assert_eq!(
        get(&client(&[&server]), &server.url("/")).await.unwrap_err(),
        HttpError::Truncated
    );

    let server = Server::answering(
        |_| gzipped(b"this is no gzip at all, not even nearly"),
        Then::Close,
    )
    .await;
    assert_eq!(
        get(&client(&[&server]), &server.url("/"))
            .await
            .unwrap_err()
            .code(),
        "BODY_UNDECODABLE"
    );
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let start = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstart";
    let server = Server::answering(|_| start.into(), Then::Hang).await;
    assert_eq!(
        get(&client(&[&server]), &server.url("/"))
            .await
            .unwrap_err()
            .code(),
        "STALLED"
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let server = Server::answering(|_| Vec::new(), Then::Hang).await;
    let client = client(&[&server]);
    let request = client.request(Method::GET, &server.url("/?token=abc")).unwrap();
    let error = client
        .execute(request.timeout(Duration::from_millis(100)).build().unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "TIMEOUT");
    assert!(
        error.to_string().contains("100ms") && !error.to_string().contains("abc"),
        "{error}"
    );
}

async fn streamed(client: &HttpClient, url: &Url, timeout: Duration) -> Result<Bytes, HttpError> {
    let request = client.request(Method::GET, url)?.build().unwrap();
    let response = client.open(request).await?;
    let mut body = client.stream_body(response, usize::MAX, timeout, SystemClock::shared());
    let mut whole = Vec::new();
    while let Some(piece) = body.next().await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}

#[tokio::test]
async fn a_body_that_is_read_piece_by_piece_has_the_same_bounds() {
    let patience = Duration::from_secs(5);
    let plain = "0123456789".repeat(50_000);
    let body = gzip(plain.as_bytes());
    let server = Server::answering(move |_| gzipped(&body), Then::Close).await;
    let read = streamed(&client(&[&server]), &server.url("/"), patience).await;
    assert_eq!(read.unwrap(), plain);

    let bomb = gzip(&vec![0; 64 << 20]);
    let server = Server::answering(move |_| gzipped(&bomb), Then::Close).await;
    let error = streamed(&client(&[&server]), &server.url("/"), patience).await;
    assert_eq!(error.unwrap_err(), HttpError::TooLarge { limit: 1 << 20 });

    let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    let server = Server::answering(|_| half.into(), Then::Close).await;
    let error = streamed(&client(&[&server]), &server.url("/"), patience).await;
    assert_eq!(error.unwrap_err(), HttpError::Truncated);

    let server = Server::answering(|_| half.into(), Then::Hang).await;
    let error = streamed(&client(&[&server]), &server.url("/"), patience).await;
    assert_eq!(error.unwrap_err().code(), "STALLED");
    let error = streamed(&client(&[&server]), &server.url("/"), Duration::from_millis(50)).await;
    assert_eq!(error.unwrap_err().code(), "TIMEOUT");
}

#[tokio::test]
async fn a_head_that_does_not_come_is_late_also_where_the_body_would_flow() {
    let server = Server::answering(|_| Vec::new(), Then::Hang).await;
    let client = client(&[&server]);
    let mut request = client
        .request(Method::GET, &server.url("/"))
        .unwrap()
        .build()
        .unwrap();
    *request.timeout_mut() = Some(Duration::from_millis(50));
    assert_eq!(client.open(request).await.unwrap_err().code(), "TIMEOUT");
}

#[tokio::test]
async fn a_slow_reader_is_not_a_slow_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let clock = ManualClock::default();
    let (given, seen) = (Arc::new(AtomicUsize::new(0)), clock.clone());
    let taken = Arc::clone(&given);
    // Each piece is sent only when the reader waits for it by this clock.
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 1_024];
        assert!(socket.read(&mut request).await.unwrap() > 0);
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
        socket.write_all(head).await.unwrap();
        for (before, piece) in [b"a", b"b", b"c", b"d"].into_iter().enumerate() {
            while taken.load(Ordering::SeqCst) < before || seen.sleepers() == 0 {
                tokio::task::yield_now().await;
            }
            socket.write_all(piece).await.unwrap();
        }
    });
    let policy = NetworkPolicy {
        allow_networks: Vec::new(),
        allow_addresses: vec![address],
    };
    let limits = HttpLimits {
        stall_timeout: Duration::from_secs(3_600),
        ..HttpLimits::default()
    };
    let client = HttpClient::new(policy, limits).unwrap();
    let url = format!("http://{address}/").parse().unwrap();
    let request = client.request(Method::GET, &url).unwrap().build().unwrap();
    let response = client.open(request).await.unwrap();
    let patience = Duration::from_secs(10);
    let mut body = client.stream_body(response, usize::MAX, patience, clock.shared());
    for piece in ["a", "b", "c", "d"] {
        assert_eq!(body.next().await.unwrap().unwrap(), piece);
        given.fetch_add(1, Ordering::SeqCst);
        clock.advance(2 * patience);
    }
    assert_eq!(body.next().await.unwrap(), None);
    server.await.unwrap();
}
