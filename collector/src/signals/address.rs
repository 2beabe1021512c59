//! Which addresses a webhook may be sent to: those of the public internet. Pure; resolves nothing.
//!
//! Whoever can name a webhook's address could otherwise make the collector speak to what only it can
//! reach: its own ports, the network it is in, the cloud's metadata.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A cloud's metadata that has a public address.
const METADATA: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Why an address is not one of the public internet; none when it is.
pub(crate) fn refused(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => refused_v4(address),
        IpAddr::V6(address) => refused_v6(address),
    }
}

fn refused_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    if address == METADATA {
        return Some("metadata");
    }
    match (a, b, c) {
        (0, ..) => Some("this host"),
        (127, ..) => Some("loopback"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Some("private"),
        (100, 64..=127, _) => Some("shared by a provider's customers"),
        (169, 254, _) => Some("link-local"),
        (192, 0, 0) => Some("of a protocol"),
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => Some("for documents"),
        (192, 88, 99) => Some("of a relay"),
        (198, 18..=19, _) => Some("for benchmarks"),
        (224..=239, ..) => Some("multicast"),
        (240..=255, ..) => Some("reserved"),
        _ => None,
    }
}

fn refused_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    let [a, b, c, d, e, f, g, h] = segments;
    let inner = |high: u16, low: u16| {
        let [one, two] = high.to_be_bytes();
        let [three, four] = low.to_be_bytes();
        refused_v4(Ipv4Addr::new(one, two, three, four))
    };
    match (a, b) {
        _ if address.is_loopback() => Some("loopback"),
        _ if address.is_unspecified() => Some("this host"),
        // An IPv4 address in other clothes is judged as what it is.
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0xffff) => inner(g, h),
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => inner(g, h),
        (0x2002, _) => inner(b, c),
        (0xfe80..=0xfebf, _) => Some("link-local"),
        (0xfc00..=0xfdff, _) => Some("private"),
        (0xff00..=0xffff, _) => Some("multicast"),
        (0x2001, 0x0db8) | (0x3fff, 0..=0x0fff) => Some("for documents"),
        (0x2001, 0..=0x01ff) => Some("of a protocol"),
        // All that is handed out to the public so far.
        (0x2000..=0x3fff, _) => None,
        _ => Some("reserved"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_sent_to() {
        for address in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "168.63.129.16",
            "100.64.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2001::1",
            "2001:db8::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fd00:ec2::254",
            "fc00::1",
            "ff02::1",
            "100::1",
        ] {
            assert!(refused(address.parse().unwrap()).is_some(), "{address}");
        }
        for address in [
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "169.253.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert_eq!(refused(address.parse().unwrap()), None, "{address}");
        }
    }
}
