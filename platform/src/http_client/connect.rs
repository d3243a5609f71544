//! Connections that carry something else than HTTP, such as a database's protocol.
//!
//! A host in a manifest is as much somebody's wish as a URL is, so it passes the same guard: an address that is
//! written out is checked as it stands, a name is resolved here and only what may be reached is connected to. What
//! was checked is what is called; the name is not asked again.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;

use super::error::{Blocked, HttpError};
use super::guard::{NetworkPolicy, not_public};

pub(super) async fn connect(
    policy: &NetworkPolicy,
    host: &str,
    port: u16,
    patience: Duration,
) -> Result<TcpStream, HttpError> {
    let target = format!("{host}:{port}");
    let attempt = async {
        let addresses = addresses(policy, host, port, &target).await?;
        let mut last = None;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(match last {
            Some(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => HttpError::Refused {
                target: target.clone(),
            },
            Some(error) => HttpError::Connect {
                target: target.clone(),
                detail: error.to_string(),
            },
            None => HttpError::Dns {
                target: target.clone(),
            },
        })
    };
    match tokio::time::timeout(patience, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(HttpError::Timeout {
            target,
            after: patience,
        }),
    }
}

async fn addresses(
    policy: &NetworkPolicy,
    host: &str,
    port: u16,
    target: &str,
) -> Result<Vec<SocketAddr>, HttpError> {
    let blocked = |reason: String| {
        HttpError::Blocked(Blocked {
            target: target.to_owned(),
            reason,
        })
    };
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = literal.parse::<IpAddr>() {
        let address = SocketAddr::new(address, port);
        if policy.allow_addresses.contains(&address) || policy.allows(address.ip()) {
            return Ok(vec![address]);
        }
        return Err(blocked(not_public(address.ip())));
    }
    let found: Vec<SocketAddr> = match tokio::net::lookup_host((host, port)).await {
        Ok(found) => found.collect(),
        Err(_) => {
            return Err(HttpError::Dns {
                target: target.to_owned(),
            });
        }
    };
    let (allowed, refused): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| policy.allows(found.ip()));
    match (allowed.is_empty(), refused.first()) {
        (true, Some(refused)) => Err(blocked(format!(
            "of what its name resolves to, {}",
            not_public(refused.ip())
        ))),
        _ => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    async fn tried(policy: &NetworkPolicy, host: &str, port: u16) -> Result<(), HttpError> {
        connect(policy, host, port, PATIENCE).await.map(drop)
    }

    #[tokio::test]
    async fn what_is_not_public_is_refused_however_it_is_written() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let policy = NetworkPolicy::default();
        for host in [
            "127.0.0.1",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "localhost",
            "2130706433",
            "0x7f.1",
        ] {
            let error = tried(&policy, host, port).await.unwrap_err();
            // Odd spellings are an address to some resolvers and no name to others; no one connects.
            assert!(
                matches!(error, HttpError::Blocked(_) | HttpError::Dns { .. }),
                "{host}: {error}"
            );
        }
        let error = tried(&policy, "localhost", port).await.unwrap_err();
        assert!(error.to_string().contains("SYNCLINE_ALLOW_NETWORKS"), "{error}");
    }

    #[tokio::test]
    async fn what_is_allowed_is_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let exactly = NetworkPolicy {
            allow_addresses: vec![address],
            ..NetworkPolicy::default()
        };
        tried(&exactly, "127.0.0.1", address.port()).await.unwrap();
        // A name that resolves to it is refused: it is allowed where it is written out.
        tried(&exactly, "localhost", address.port()).await.unwrap_err();
        let network = NetworkPolicy {
            allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
            ..NetworkPolicy::default()
        };
        tried(&network, "localhost", address.port()).await.unwrap();
        drop(listener);
        let error = tried(&network, "127.0.0.1", address.port()).await.unwrap_err();
        assert!(matches!(error, HttpError::Refused { .. }), "{error}");
    }
}
