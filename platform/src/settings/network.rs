//! `[network]`: what upstream calls may reach, and how much of our patience and memory they get.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::sources::{Fault, Sources};
use crate::http_client::{HttpLimits, NetworkPolicy};

const SECONDS: RangeInclusive<u64> = 1..=3600;
const MEBIBYTES: RangeInclusive<usize> = 1..=4096;
const REDIRECTS: RangeInclusive<usize> = 0..=20;
const PAGES: RangeInclusive<u64> = 1..=100_000_000;
const DEFAULT_PAGES: u64 = 100_000;

/// What upstream calls may reach, and how much they get.
#[derive(Debug, Clone)]
pub struct NetworkSettings {
    /// Networks that may be reached although they are not public.
    pub allow_networks: Vec<IpNet>,
    /// Folders of this machine below which connectors may read files.
    pub allow_folders: Vec<PathBuf>,
    /// Exact addresses that may be reached although they are not public. No key sets this: it is for code
    /// that starts an upstream itself, and knows the port it got.
    pub allow_addresses: Vec<SocketAddr>,
    /// Bounds on each call.
    pub limits: HttpLimits,
    /// Pages of one list that are followed before it counts as endless.
    pub max_pages: u64,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            allow_networks: Vec::new(),
            allow_folders: Vec::new(),
            allow_addresses: Vec::new(),
            limits: HttpLimits::default(),
            max_pages: DEFAULT_PAGES,
        }
    }
}

impl NetworkSettings {
    pub(super) fn read(sources: &Sources<'_>) -> Result<Self, Fault> {
        let default = HttpLimits::default();
        let seconds = |key, default| -> Result<Duration, Fault> {
            Ok(sources.number(key, SECONDS)?.map_or(default, Duration::from_secs))
        };
        let mebibytes = sources.number("network.max_body_mebibytes", MEBIBYTES)?;
        Ok(Self {
            allow_networks: read_networks(sources, "network.allow_networks")?,
            allow_folders: read_folders(sources)?,
            allow_addresses: Vec::new(),
            limits: HttpLimits {
                connect_timeout: seconds("network.connect_timeout_seconds", default.connect_timeout)?,
                request_timeout: seconds("network.request_timeout_seconds", default.request_timeout)?,
                stall_timeout: seconds("network.stall_timeout_seconds", default.stall_timeout)?,
                max_body_bytes: mebibytes.map_or(default.max_body_bytes, |number| number << 20),
                max_redirects: sources
                    .number("network.max_redirects", REDIRECTS)?
                    .unwrap_or(default.max_redirects),
            },
            max_pages: sources
                .number("network.max_pages", PAGES)?
                .unwrap_or(DEFAULT_PAGES),
        })
    }

    /// What may be reached, as the HTTP client takes it.
    pub fn policy(&self) -> NetworkPolicy {
        NetworkPolicy {
            allow_networks: self.allow_networks.clone(),
            allow_addresses: self.allow_addresses.clone(),
        }
    }

    /// Whether this can be used.
    ///
    /// # Errors
    /// The key that cannot, and why.
    pub fn validate(&self) -> Result<(), Fault> {
        if self.limits.connect_timeout > self.limits.request_timeout {
            return Err(Fault::new(
                "network.connect_timeout_seconds",
                "is longer than network.request_timeout_seconds, must be at most that",
            ));
        }
        Ok(())
    }
}

pub(super) fn read_networks(sources: &Sources<'_>, key: &'static str) -> Result<Vec<IpNet>, Fault> {
    let texts = sources.list(key).unwrap_or_default();
    texts
        .iter()
        .map(|text| {
            // A bare address means itself.
            let network = text
                .parse()
                .or_else(|_| text.parse().map(|address: std::net::IpAddr| address.into()));
            network.map_err(|_| {
                let problem = format!(
                    "has {text:?}, must be networks such as 10.0.0.0/8 or fd00::/8, separated by commas"
                );
                Fault::new(key, problem)
            })
        })
        .collect()
}

fn read_folders(sources: &Sources<'_>) -> Result<Vec<PathBuf>, Fault> {
    let key = "network.allow_folders";
    let texts = sources.list(key).unwrap_or_default();
    texts
        .iter()
        .map(|text| {
            let folder = PathBuf::from(text);
            if folder.is_absolute() {
                return Ok(folder);
            }
            // What it is relative to would depend on how the process was started.
            let problem =
                format!("has {text:?}, must be absolute paths such as /srv/exports, separated by commas");
            Err(Fault::new(key, problem))
        })
        .collect()
}
