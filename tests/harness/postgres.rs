//! A PostgreSQL of a test's own, to be stopped and started.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::eventually;

/// A running cluster with all durability on, killed when dropped.
pub struct Postgres {
    port: u16,
    folder: TempDir,
    process: Option<Child>,
}

impl Postgres {
    /// Makes a cluster, starts it on a free port, and waits until it answers.
    ///
    /// # Panics
    /// When there is no PostgreSQL: a missing one is a failure, never a skip.
    pub async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let folder = TempDir::new().expect("a temporary folder");
        if is_root() {
            let status = std::process::Command::new("chown")
                .arg("postgres")
                .arg(folder.path())
                .status()
                .expect("chown runs");
            assert!(status.success(), "chown postgres");
        }
        let made = as_owner("initdb", folder.path())
            .args([
                "-D",
                "cluster",
                "-U",
                "syncline",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-sync",
            ])
            .stdout(Stdio::null())
            .status()
            .await
            .expect("initdb runs: run `scripts/prepare postgresql`");
        assert!(made.success(), "initdb");
        let mut this = Self {
            port,
            folder,
            process: None,
        };
        this.resume().await;
        this
    }

    /// An address with the right to make databases.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://syncline@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends it at once, as a crash would: every connection is cut, and the next start recovers from the log.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn crash(&mut self) {
        let mut process = self.process.take().expect("PostgreSQL runs");
        let pid = process.id().expect("it has not ended").to_string();
        let sent = std::process::Command::new("kill").args(["-QUIT", &pid]).status();
        assert!(sent.expect("kill(1) runs").success(), "kill -QUIT {pid}");
        process.wait().await.expect("PostgreSQL ends");
    }

    /// Starts it again, on the same port and with what it had committed.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn resume(&mut self) {
        let port = self.port.to_string();
        let process = as_owner("postgres", self.folder.path())
            .args(["-D", "cluster", "-p", &port, "-c", "listen_addresses=127.0.0.1"])
            .args([
                "-c",
                "unix_socket_directories=",
                "-c",
                "max_connections=200",
                "-c",
                "jit=off",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("postgres starts");
        self.process = Some(process);
        let url = self.url();
        eventually("PostgreSQL answers", || async {
            sea_orm::Database::connect(&url).await.ok()?.close().await.ok()
        })
        .await;
    }
}

/// PostgreSQL refuses to run as root.
fn as_owner(program: &str, folder: &Path) -> Command {
    let program = binaries().join(program);
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
            .arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// The newest version's programs, which Debian does not put on the path.
fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed: run `scripts/prepare postgresql`");
    versions
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("postgres").exists())
        .max()
        .expect("PostgreSQL's programs")
}
