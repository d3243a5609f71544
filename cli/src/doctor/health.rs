//! Asking a process that runs whether it is ready.
//!
//! An image that holds nothing but Syncline has no curl, so a container's health check is `syncline doctor --ready`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use platform::settings::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::console;
use crate::exit::{Exit, Outcome};

const PATIENCE: Duration = Duration::from_secs(3);
/// More than any health answer.
const LONGEST: u64 = 64 * 1024;

/// What a Syncline says of its health.
pub(super) struct Health {
    ready: bool,
    body: String,
}

/// Prints what the process at the configured address says; fails where it is not ready.
pub(super) async fn run(settings: &Settings) -> Outcome {
    let address = settings.server.listen;
    match ask(address).await {
        Some(health) => {
            console::print(&format!("{}\n", health.body.trim()))?;
            Ok(if health.ready {
                ExitCode::SUCCESS
            } else {
                Exit::Failed.into()
            })
        }
        None => {
            console::print(&format!("No Syncline answers at {address}.\n"))?;
            Ok(Exit::Failed.into())
        }
    }
}

/// None where nobody answers, or somebody else.
pub(super) async fn ask(address: SocketAddr) -> Option<Health> {
    tokio::time::timeout(PATIENCE, exchange(reachable(address)))
        .await
        .ok()?
}

async fn exchange(address: SocketAddr) -> Option<Health> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let ours = body.contains("\"dependencies\"") && body.contains("\"coordination\"");
    ours.then(|| Health {
        ready: head.starts_with("HTTP/1.1 200 "),
        body: body.to_owned(),
    })
}

/// Who listens on every address is asked on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
