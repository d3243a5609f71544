//! `[server]`: who may call, and where.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::identity::IdentitySettings;
use super::limits::LimitSettings;
use super::network::read_networks;
use super::sources::{Fault, Sources, within};

/// An operator key shorter than this can be guessed.
const SHORTEST_KEY: usize = 16;
const STREAMS: RangeInclusive<usize> = 1..=65_536;

/// Who may call, and where.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Address and port; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// The operator's key. Without one, only loopback is served, and whoever calls there is trusted.
    pub operator_key: Option<SecretString>,
    /// Origins of web pages that may call, beside the server's own.
    pub allowed_origins: Vec<String>,
    /// Event streams (GraphQL over SSE) that are open at once.
    pub max_event_streams: usize,
    /// Whether loopback without an operator key is served to whoever shows no credential.
    pub anonymous_loopback: bool,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// A file or a folder of the operations that may run; any may where none is set.
    pub operations: Option<PathBuf>,
    /// `[identity]`: an issuer whose tokens are let in.
    pub identity: Option<IdentitySettings>,
    /// `[limits]`: how much a caller gets.
    pub limits: LimitSettings,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000),
            operator_key: None,
            allowed_origins: Vec::new(),
            max_event_streams: 4096,
            anonymous_loopback: true,
            trusted_proxies: Vec::new(),
            operations: None,
            identity: None,
            limits: LimitSettings::default(),
        }
    }
}

impl ServerSettings {
    pub(super) fn read(sources: &Sources<'_>) -> Result<Self, Fault> {
        let default = Self::default();
        let listen = sources.parse(
            "server.listen",
            "an address and a port, such as 127.0.0.1:8000 or [::1]:8000",
        )?;
        Ok(Self {
            listen: listen.unwrap_or(default.listen),
            operator_key: sources.text("server.operator_key")?.map(SecretString::from),
            allowed_origins: sources.list("server.allowed_origins").unwrap_or_default(),
            max_event_streams: sources
                .number("server.max_event_streams", STREAMS)?
                .unwrap_or(default.max_event_streams),
            anonymous_loopback: sources
                .parse("server.anonymous_loopback", "true or false")?
                .unwrap_or(default.anonymous_loopback),
            trusted_proxies: read_networks(sources, "server.trusted_proxies")?,
            operations: sources.text("server.operations")?.map(PathBuf::from),
            identity: IdentitySettings::read(sources)?,
            limits: LimitSettings::read(sources)?,
        })
    }

    /// Whether only this machine can call.
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }

    /// Whether this can be used.
    ///
    /// # Errors
    /// The key that cannot, and why.
    pub fn validate(&self) -> Result<(), Fault> {
        match &self.operator_key {
            Some(key) if key.expose_secret().len() < SHORTEST_KEY => {
                return Err(Fault::new(
                    "server.operator_key",
                    format!(
                        "is shorter than {SHORTEST_KEY} characters: make one with `openssl rand -hex 32`"
                    ),
                ));
            }
            None if !self.is_loopback() => {
                return Err(Fault::new(
                    "server.operator_key",
                    format!(
                        "is not set, and {} can be reached from other machines: set it, for example to the \
                         output of `openssl rand -hex 32`, or listen on 127.0.0.1",
                        self.listen
                    ),
                ));
            }
            _ => {}
        }
        if let Some(identity) = &self.identity {
            identity.validate()?;
        }
        within("server.max_event_streams", self.max_event_streams, &STREAMS)?;
        for origin in &self.allowed_origins {
            let is_origin = Url::parse(origin)
                .is_ok_and(|url| url.has_host() && url.origin().ascii_serialization() == origin.as_str());
            if !is_origin {
                return Err(Fault::new(
                    "server.allowed_origins",
                    format!(
                        "has {origin:?}, must be origins such as https://console.example.com, without a path"
                    ),
                ));
            }
        }
        Ok(())
    }
}
