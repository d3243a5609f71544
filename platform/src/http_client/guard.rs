//! What may be called: public addresses, and what the operator allowed.
//!
//! A manifest and a config come from people, and both hold URLs. Without a guard, "sync from
//! `http://169.254.169.254/`" reads the cloud's credentials out through the record API. A filter on names
//! alone is not one: an address written as a number (`2130706433`, `0x7f.1`) or inside another one
//! (`[::ffff:127.0.0.1]`, NAT64, 6to4) never reaches the resolver. So three doors have the same lock: the
//! parsed URL, the resolver's answers, and each redirect's target. The resolver's answer is what is then
//! connected to, so a name that changes its address between check and call changes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use url::{Host, Url};

use super::error::{Blocked, target_of};

/// Which addresses may be reached although they are not public.
#[derive(Debug, Clone, Default)]
pub struct NetworkPolicy {
    /// By the operator: these networks, on any port.
    pub allow_networks: Vec<IpNet>,
    /// In code only: exactly these, and only where the URL has the address itself. A name that resolves to
    /// one is refused, since a resolver is not told the port.
    pub allow_addresses: Vec<SocketAddr>,
}

impl NetworkPolicy {
    /// Whether this URL may be called as far as can be told without resolving its name.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &Url) -> Result<(), Blocked> {
        let refuse = |reason: String| {
            Err(Blocked {
                target: target_of(url),
                reason,
            })
        };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse(format!(
                "its scheme is {:?}, and only http and https are",
                url.scheme()
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse(
                "it has a user name or a password in it: they belong in the connector's authenticator"
                    .to_owned(),
            );
        }
        let address = match url.host() {
            None => return refuse("it names no host".to_owned()),
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
        };
        let port = url.port_or_known_default().unwrap_or(0);
        if self.allow_addresses.contains(&SocketAddr::new(address, port)) || self.allows(address) {
            return Ok(());
        }
        refuse(not_public(address))
    }

    /// Whether this address may be connected to.
    pub fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.in_allowed_network(address)
    }

    fn in_allowed_network(&self, address: IpAddr) -> bool {
        let within = |address: IpAddr| {
            self.allow_networks
                .iter()
                .any(|network| network.contains(&address))
        };
        within(address) || embedded_v4(address).is_some_and(|inner| within(IpAddr::V4(inner)))
    }
}

/// Why an address is refused, and what an operator can do.
pub(super) fn not_public(address: IpAddr) -> String {
    format!("{address} is not a public address; an operator can allow it with SYNCLINE_ALLOW_NETWORKS")
}

/// Whether an address is one of the internet's, as far as the registries say.
fn is_public(address: IpAddr) -> bool {
    match (address, embedded_v4(address)) {
        (IpAddr::V4(address), _) => is_public_v4(address),
        (IpAddr::V6(_), Some(inner)) => is_public_v4(inner),
        (IpAddr::V6(address), None) => is_public_v6(address),
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped, compatible, NAT64 or 6to4.
fn embedded_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] => Some(v4(g, h)),
        [0, 0, 0, 0, 0xffff, 0] => Some(v4(g, h)),
        [0x64, 0xff9b, 0, 0, 0, 0] => Some(v4(g, h)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        // `::` and `::1` are IPv6's own, and refused as such.
        [0, 0, 0, 0, 0, 0] if g != 0 => Some(v4(g, h)),
        _ => None,
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _) // this host, private, loopback, multicast and reserved
            | (100, 64..=127, _) // carriers' NAT
            | (169, 254, _) // link-local: the clouds' metadata services
            | (172, 16..=31, _) // private
            | (192, 0, 0 | 2) // protocol assignments, documentation
            | (192, 88, 99) // 6to4 relays
            | (192, 168, _) // private
            | (198, 18..=19, _) // benchmarks
            | (198, 51, 100) // documentation
            | (203, 0, 113) // documentation
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = (a & 0xe000) == 0x2000; // 2000::/3, all that is assigned
    let special = matches!(
        (a, b),
        (0x2001, ..0x200) // 2001::/23: Teredo, benchmarks, ORCHID
            | (0x2001, 0xdb8) // documentation
            | (0x3fff, ..0x1000) // documentation
    );
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &NetworkPolicy, url: &str) -> Result<(), Blocked> {
        policy.check(&url.parse().unwrap())
    }

    #[test]
    fn what_is_not_public_is_refused_however_it_is_written() {
        let policy = NetworkPolicy::default();
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://127.0.0.1./",
            "http://0.0.0.0/",
            "http://[::]/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:0:127.0.0.1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[64:ff9b:1::1]/",
            "http://[2002:7f00:1::]/",
            "http://[2002:a9fe:a9fe::1]/",
            "http://[2001:0:4136:e378::1]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://[ff02::1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.1.2.3/",
            "http://172.31.0.1/",
            "http://192.168.1.1/",
            "http://100.64.0.1/",
            "http://198.19.0.1/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://user@127.0.0.1/",
            "https://user:secret@example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://127.0.0.1:6379/",
        ] {
            let blocked = check(&policy, url).expect_err(url);
            assert!(!blocked.to_string().contains("secret"), "{blocked}");
        }
    }

    #[test]
    fn what_is_public_is_let_through() {
        let policy = NetworkPolicy::default();
        for url in [
            "https://api.example.com/v1?key=1",
            "http://8.8.8.8/",
            "http://172.32.0.1/",
            "http://[2606:4700::1111]/",
            "http://[64:ff9b::808:808]/",
            "http://[::ffff:8.8.8.8]/",
        ] {
            check(&policy, url).expect(url);
        }
    }

    #[test]
    fn the_operator_allows_networks_and_code_allows_exact_addresses() {
        let policy = NetworkPolicy {
            allow_networks: vec!["10.0.0.0/8".parse().unwrap()],
            allow_addresses: vec!["127.0.0.1:9001".parse().unwrap()],
        };
        check(&policy, "http://10.9.9.9:81/").unwrap();
        check(&policy, "http://[::ffff:10.9.9.9]/").unwrap();
        check(&policy, "http://127.0.0.1:9001/x").unwrap();
        check(&policy, "http://127.0.0.1:9002/x").unwrap_err();
        check(&policy, "https://127.0.0.1/x").unwrap_err();
        assert!(!policy.allows("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_refusal_says_what_an_operator_can_do_and_repeats_no_query() {
        let blocked = check(&NetworkPolicy::default(), "http://10.0.0.1/path?token=abc").unwrap_err();
        let text = blocked.to_string();
        assert!(
            text.contains("http://10.0.0.1") && text.contains("SYNCLINE_ALLOW_NETWORKS"),
            "{text}"
        );
        assert!(!text.contains("token"), "{text}");
    }
}
