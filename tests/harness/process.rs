//! The real binary, in a process of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{GraphQl, TestDatabase, eventually};

/// The `syncline` that this build made.
///
/// # Panics
/// When it was not built: `cargo test` alone builds no binary of another package.
#[must_use]
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let path = test
        .parent()
        .and_then(|deps| deps.parent())
        .expect("target/debug")
        .join("syncline");
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace` first",
        path.display()
    );
    path
}

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Further environment variables.
    pub environment: BTreeMap<String, String>,
    /// The command and its flags; `serve` when empty.
    pub arguments: Vec<String>,
    /// The content of its `syncline.toml`.
    pub file: String,
}

impl ServerOptions {
    /// One process of several, which must all seal with the same key: no split role makes one of its own.
    #[must_use]
    pub fn role(name: &str) -> Self {
        Self::default()
            .command(&[name])
            .with("SYNCLINE_MASTER_KEY", "07".repeat(32))
    }

    /// With one more environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.insert(name.to_owned(), value.to_string());
        self
    }

    /// With a `syncline.toml`.
    #[must_use]
    pub fn file(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.file);
        self
    }

    /// With a clock that is so many seconds ahead: the process's wall clock alone, by libfaketime.
    ///
    /// # Panics
    /// When there is no libfaketime: a missing one is a failure, never a skip.
    #[must_use]
    pub fn ahead(self, seconds: i64) -> Self {
        let libraries = std::fs::read_dir("/usr/lib").expect("/usr/lib");
        let library = libraries
            .filter_map(|entry| Some(entry.ok()?.path().join("faketime/libfaketime.so.1")))
            .find(|path| path.exists())
            .expect("libfaketime is installed: run `scripts/prepare faketime`");
        self.with("LD_PRELOAD", library.display())
            .with("FAKETIME", format!("{seconds:+}s"))
            .with("DONT_FAKE_MONOTONIC", 1)
            .with("FAKETIME_DONT_FAKE_MONOTONIC", 1)
    }

    /// With a command other than `serve`.
    #[must_use]
    pub fn command(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(ToString::to_string).collect();
        self
    }
}

/// A running `syncline`, killed when dropped.
pub struct Server {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    address: SocketAddr,
}

/// A command that ran to its end.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

fn command(environment: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(binary());
    // A developer's own settings must not change what a test sees.
    for (name, _) in std::env::vars() {
        if name.starts_with("SYNCLINE_")
            || name == "DATABASE_URL"
            || name == "REDIS_URL"
            || name == "RUST_LOG"
        {
            command.env_remove(name);
        }
    }
    command.envs(environment).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs `syncline` with these arguments to its end.
pub async fn run_command(arguments: &[&str]) -> Finished {
    run_command_with(arguments, &ServerOptions::default()).await
}

/// Runs `syncline` with these arguments and this environment to its end, in a folder of its own.
///
/// # Panics
/// When the binary cannot be started.
pub async fn run_command_with(arguments: &[&str], options: &ServerOptions) -> Finished {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let output = command(&options.environment)
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .await
        .expect("syncline starts");
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Server {
    /// Starts `syncline serve` on this database, allowed to reach upstreams on 127.0.0.1, and waits until it is ready.
    pub async fn start(database: &TestDatabase) -> Self {
        Self::start_with(database, ServerOptions::default()).await
    }

    /// Starts `syncline` and waits until it is ready.
    ///
    /// # Panics
    /// When it ends before it listens; the message holds its log.
    pub async fn start_with(database: &TestDatabase, options: ServerOptions) -> Self {
        let mut environment = BTreeMap::from([
            (
                "SYNCLINE_DATA_DIR".to_owned(),
                database.folder().display().to_string(),
            ),
            ("SYNCLINE_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("SYNCLINE_LOG_FORMAT".to_owned(), "json".to_owned()),
            ("SYNCLINE_ALLOW_NETWORKS".to_owned(), "127.0.0.1/32".to_owned()),
            // Nobody's upstream is here: most tests read more of it than one would ask of a stranger's.
            ("SYNCLINE_REQUESTS_PER_MINUTE".to_owned(), "1000000".to_owned()),
            ("SYNCLINE_RUNS_PER_CLIENT".to_owned(), "1000".to_owned()),
        ]);
        environment.extend(database.environment());
        environment.extend(options.environment);
        std::fs::write(database.folder().join("syncline.toml"), &options.file).expect("a settings file");
        let arguments = if options.arguments.is_empty() {
            vec!["serve".to_owned()]
        } else {
            options.arguments
        };
        let mut child = command(&environment)
            .args(&arguments)
            .current_dir(database.folder())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("syncline starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = child.stderr.take().expect("its standard error is ours");
        tokio::spawn(collect(stderr, Arc::clone(&log)));
        let mut server = Self {
            child,
            log,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        server.address = eventually("the server listens", || {
            let found = server
                .log_lines()
                .into_iter()
                .find(|line| {
                    line["message"]
                        .as_str()
                        .is_some_and(|said| said.starts_with("serving "))
                })
                .and_then(|line| line["address"].as_str()?.parse().ok());
            let ended = server.child.try_wait().expect("its state").is_some();
            assert!(
                found.is_some() || !ended,
                "syncline ended before it listened:\n{}",
                server.log_text()
            );
            async move { found }
        })
        .await;
        eventually("the server is ready", || async {
            let ready = server.graphql().get("/health/ready").await.ok()?;
            ready.status().is_success().then_some(())
        })
        .await;
        server
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client of its API.
    #[must_use]
    pub fn graphql(&self) -> GraphQl {
        GraphQl::new(self.address)
    }

    /// The process's number.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the server runs")
    }

    /// The first log line with this message.
    #[must_use]
    pub fn logged(&self, message: &str) -> Option<Value> {
        self.log_lines()
            .into_iter()
            .find(|line| line["message"] == message)
    }

    /// Every log line, parsed.
    #[must_use]
    pub fn log_lines(&self) -> Vec<Value> {
        self.log
            .lock()
            .expect("the log")
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Everything it wrote to standard error.
    #[must_use]
    pub fn log_text(&self) -> String {
        self.log.lock().expect("the log").join("\n")
    }

    /// What it writes to standard error, also after it has ended.
    #[must_use]
    pub fn log(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.log)
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal by name: `KILL`, `STOP`, `CONT`, `TERM`.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn signal(&self, name: &str) {
        let status = std::process::Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status()
            .expect("kill(1) runs");
        assert!(status.success(), "kill -{name} {}", self.pid());
    }

    /// `kill -9`, and waits until the process is gone.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("the server is killed");
    }

    /// SIGTERM, and waits for the exit code.
    ///
    /// # Panics
    /// When the process does not end.
    pub async fn terminate(mut self) -> Option<i32> {
        self.signal("TERM");
        tokio::time::timeout(crate::PATIENCE, self.child.wait())
            .await
            .expect("it ends after SIGTERM")
            .expect("its status")
            .code()
    }
}

async fn collect(stderr: tokio::process::ChildStderr, log: Arc<Mutex<Vec<String>>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        log.lock().expect("the log").push(line);
    }
}
