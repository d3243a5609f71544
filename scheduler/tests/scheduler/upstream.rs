//! An upstream over HTTP: seven users in pages of three.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform::clock::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    first: Arc<Mutex<Option<Duration>>>,
    asked: Arc<Mutex<Vec<String>>>,
    down: Arc<AtomicBool>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            first: Arc::default(),
            asked: Arc::default(),
            down: Arc::default(),
        };
        let serving = upstream.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(connection).await });
            }
        });
        upstream
    }

    async fn serve(&self, mut connection: TcpStream) {
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            match connection.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => request.extend_from_slice(&buffer[..read]),
            }
        }
        self.first.lock().unwrap().get_or_insert(SystemClock.monotonic());
        let line = String::from_utf8_lossy(&request);
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let page: i64 = target
            .split("page=")
            .nth(1)
            .and_then(|page| page.parse().ok())
            .unwrap_or(1);
        self.asked.lock().unwrap().push(target.clone());
        if target.starts_with("/hang") {
            SystemClock.sleep(Duration::from_secs(3600)).await;
        }
        if target.starts_with("/slow") {
            SystemClock.sleep(Duration::from_millis(300)).await;
        }
        let (head, body) = if self.down.load(Ordering::SeqCst) {
            ("503 Service Unavailable", "{}".to_owned())
        } else if target.starts_with("/limited") {
            ("429 Too Many Requests\r\nRetry-After: 30", "{}".to_owned())
        } else {
            let users: Vec<_> = ((page - 1) * 3 + 1..=page * 3).filter(|id| *id <= 7).collect();
            let users: Vec<_> = users
                .iter()
                .map(|id| format!(r#"{{"id":{id},"name":"user {id}"}}"#))
                .collect();
            ("200 OK", format!("[{}]", users.join(",")))
        };
        let answer = format!(
            "HTTP/1.1 {head}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = connection.write_all(answer.as_bytes()).await;
        let _ = connection.shutdown().await;
    }

    /// Whether it answers that it is down.
    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// How often something that begins so was asked for.
    pub(crate) fn asked(&self, target: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.starts_with(target)).count()
    }

    pub(crate) fn forget(&self) {
        self.first.lock().unwrap().take();
    }

    /// When the first request came.
    pub(crate) async fn first_request(&self) -> Duration {
        for _ in 0..10_000 {
            if let Some(at) = *self.first.lock().unwrap() {
                return at;
            }
            SystemClock.sleep(Duration::from_millis(1)).await;
        }
        panic!("nothing was asked");
    }
}
