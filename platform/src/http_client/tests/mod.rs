//! The client against servers that behave badly.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

mod bodies;
mod reach;

/// A server that gives one answer to each connection, and remembers what it was asked.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
enum Then {
    Close,
    Hang,
}

impl Server {
    async fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, log, then) = (Arc::clone(&answer), Arc::clone(&log), then.clone());
                tokio::spawn(async move {
                    let Some(request) = read_request(&mut stream).await else {
                        return;
                    };
                    let reply = answer(&request);
                    log.lock().unwrap().push(request);
                    // A client that has had enough closes while we write.
                    let _ = stream.write_all(&reply).await;
                    if matches!(then, Then::Hang) {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { address, asked }
    }

    fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).to_lowercase();
        if let Some(head) = text.find("\r\n\r\n") {
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if read.len() >= head + 4 + length.unwrap_or(0) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

fn ok(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into()
}

fn redirect(status: u16, to: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into()
}

fn client(allowed: &[&Server]) -> HttpClient {
    let allow_addresses = allowed.iter().map(|server| server.address).collect();
    let limits = HttpLimits {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        stall_timeout: Duration::from_millis(200),
        max_body_bytes: 1 << 20,
        max_redirects: 3,
    };
    HttpClient::new(
        NetworkPolicy {
            allow_networks: Vec::new(),
            allow_addresses,
        },
        limits,
    )
    .unwrap()
}

async fn get(client: &HttpClient, url: &Url) -> Result<Bytes, HttpError> {
    let request = client.request(Method::GET, url)?.build().unwrap();
    let response = client.execute(request).await?;
    client.read_body(response, usize::MAX).await
}
