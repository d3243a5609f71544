//! A Redis of a test's own, to be stopped and started.

use std::net::TcpListener;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::eventually;

/// A running `redis-server`, killed when dropped.
pub struct Redis {
    port: u16,
    folder: TempDir,
    process: Option<Child>,
}

impl Redis {
    /// Starts one on a free port, and waits until it answers.
    ///
    /// # Panics
    /// When there is no `redis-server`: a missing one is a failure, never a skip.
    pub async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let mut this = Self {
            port,
            folder: TempDir::new().expect("a temporary folder"),
            process: None,
        };
        this.resume().await;
        this
    }

    /// What `REDIS_URL` is set to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `kill -9`; what it knew is gone.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn kill(&mut self) {
        let mut process = self.process.take().expect("redis-server runs");
        process.kill().await.expect("redis-server is killed");
    }

    /// Starts it again, empty, on the same port.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn resume(&mut self) {
        let process = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server starts: run `scripts/prepare redis`");
        self.process = Some(process);
        let port = self.port;
        eventually("Redis answers", || async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            stream.write_all(b"PING\r\n").await.ok()?;
            let mut answer = [0; 7];
            stream.read_exact(&mut answer).await.ok()?;
            (&answer == b"+PONG\r\n").then_some(())
        })
        .await;
    }
}
