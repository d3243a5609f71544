//! From where somebody calls.
//!
//! Behind a proxy every connection comes from the proxy, which says for whom in `X-Forwarded-For`. Anybody can send that
//! header, so it is believed only as far as it was written by proxies that the settings name: read from its end, over
//! those, to the first address that is none of them.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;
use axum::http::header::HeaderName;
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of whoever calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Peer(IpAddr);

impl Peer {
    /// Who is at the other end of this connection, or sent these headers through proxies that are trusted.
    pub(crate) fn of(connected: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
        let mut peer = connected.to_canonical();
        if !is_trusted(peer) {
            return Self(peer);
        }
        let said: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        for text in said.iter().rev() {
            // What no proxy would have written ends what can be believed.
            let Some(address) = address(text.trim()) else {
                break;
            };
            peer = address;
            if !is_trusted(peer) {
                break;
            }
        }
        Self(peer)
    }

    /// The name of this caller's budgets. One caller has a whole /64 of IPv6.
    pub(super) fn payer(self) -> String {
        match self.0 {
            IpAddr::V4(address) => format!("address/{address}"),
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                format!("address/{}/64", Ipv6Addr::from(network))
            }
        }
    }
}

/// With or without a port: proxies write both.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .parse::<std::net::SocketAddr>()
        .map(|with_port| with_port.ip())
        .ok();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare.or_else(|| text.parse().ok())
        .or_else(bracketed)
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(connected: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        Peer::of(connected.parse().unwrap(), &headers, &trusted).payer()
    }

    #[test]
    fn a_proxy_is_believed_only_where_it_is_trusted() {
        assert_eq!(peer("203.0.113.9", &[]), "address/203.0.113.9");
        assert_eq!(
            peer("203.0.113.9", &["198.51.100.1"]),
            "address/203.0.113.9",
            "nobody in between was trusted"
        );
        assert_eq!(peer("10.0.0.1", &["198.51.100.1"]), "address/198.51.100.1");
        assert_eq!(
            peer("10.0.0.1", &["192.0.2.66, 198.51.100.1:4711, 10.2.3.4"]),
            "address/198.51.100.1",
            "what stands before it was the caller's own word"
        );
        assert_eq!(
            peer("::ffff:10.0.0.1", &["192.0.2.66", "198.51.100.1"]),
            "address/198.51.100.1"
        );
        assert_eq!(peer("10.0.0.1", &[]), "address/10.0.0.1");
        assert_eq!(peer("10.0.0.1", &["198.51.100.1, unknown"]), "address/10.0.0.1");
    }

    #[test]
    fn a_network_of_ipv6_is_one_caller() {
        let one = peer("fd00::1", &["2001:db8:1:2:3:4:5:6"]);
        assert_eq!(one, peer("fd00::1", &["[2001:db8:1:2::7]:443"]));
        assert_eq!(one, "address/2001:db8:1:2::/64");
    }
}
