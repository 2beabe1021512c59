//! Whom a request comes from: the client's address, past proxies that are trusted, and the country of
//! the network it is in.
//!
//! Owns the file of countries, read once. An address is never kept: it counts against its limits, and
//! gives a country that goes into the log with what was sent.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use ipnet::IpNet;
use maxminddb::{MaxMindDbError, PathElement, Reader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// Largest file of countries, bytes. It is held in memory.
pub const GEOIP_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Proxies one behind the other that are looked past.
const HOPS_MAX: usize = 16;
/// What proxies tell of whom they pass on.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Where a country's code is in what a file says of a network, best first: where it is, else where it
/// is registered.
const PLACES: [[PathElement<'static>; 2]; 2] = [
    [PathElement::Key("country"), PathElement::Key("iso_code")],
    [
        PathElement::Key("registered_country"),
        PathElement::Key("iso_code"),
    ],
];

/// Why a file of countries cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GeoipError {
    /// It could not be read.
    #[error("cannot read the file of countries {0}: {1}")]
    Read(String, std::io::Error),
    /// It is larger than anything that only tells countries or cities.
    #[error(
        "the file of countries {0} is over {GEOIP_BYTES_MAX} bytes; take one of countries only"
    )]
    TooLarge(String),
    /// It is not whole, or something else.
    #[error("the file of countries {0} is no MaxMind DB, or spoilt: {1}; get it again")]
    Spoilt(String, MaxMindDbError),
}

/// Tells clients by their requests.
#[derive(Default)]
pub struct Clients {
    proxies: Vec<IpNet>,
    countries: Option<Reader<Vec<u8>>>,
}

impl Clients {
    /// Behind these proxies, with the countries of this file, when there is one.
    ///
    /// # Errors
    /// The file cannot be read, or is not what it should be.
    pub fn new(proxies: Vec<IpNet>, geoip: Option<&Path>) -> Result<Self, GeoipError> {
        let countries = geoip.map(open).transpose()?;
        Ok(Self { proxies, countries })
    }

    /// The address of whoever sent a request: its peer's, and behind a trusted proxy the last one in
    /// `X-Forwarded-For` that is no trusted proxy. What stands before that anybody could have written.
    pub fn address(&self, request: &HttpRequest) -> IpAddr {
        let peer = request.peer_addr().map(|peer| peer.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        self.behind(peer.to_canonical(), request.headers())
    }

    fn behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let told: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        let mut address = peer;
        for told in told.into_iter().rev().take(HOPS_MAX) {
            if !self.trusts(address) {
                break;
            }
            let Some(before) = parse(told) else { break };
            address = before;
        }
        address
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|proxy| proxy.contains(&address))
    }

    /// The country of an address, two capital letters; empty where it is not known.
    pub fn country(&self, address: IpAddr) -> String {
        let Some(countries) = &self.countries else {
            return String::new();
        };
        // An IPv6 address in a file of IPv4 is an error too, and as unknown as any other.
        let Ok(found) = countries.lookup(address) else {
            return String::new();
        };
        let codes = PLACES.iter();
        let mut codes = codes.filter_map(|place| found.decode_path::<&str>(place).ok().flatten());
        let is_code = |code: &&str| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
        codes.find(is_code).unwrap_or_default().to_owned()
    }
}

fn open(path: &Path) -> Result<Reader<Vec<u8>>, GeoipError> {
    let name = path.display().to_string();
    let read = |error| GeoipError::Read(name.clone(), error);
    if std::fs::metadata(path).map_err(read)?.len() > GEOIP_BYTES_MAX {
        return Err(GeoipError::TooLarge(name));
    }
    let bytes = std::fs::read(path).map_err(read)?;
    let spoilt = |error| GeoipError::Spoilt(name.clone(), error);
    let reader = Reader::from_source(bytes).map_err(spoilt)?;
    reader.verify().map_err(spoilt)?;
    let metadata = reader.metadata();
    tracing::info!(
        kind = metadata.database_type,
        built_at_s = metadata.build_epoch,
        "countries are told from addresses"
    );
    Ok(reader)
}

/// An address as proxies write it: bare, or with a port.
fn parse(told: &str) -> Option<IpAddr> {
    let told = told.trim();
    let bare = told.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(told.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn check(peer: &str, told: &[&str], wanted: &str) {
        let proxies = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
        let clients = Clients::new(proxies.to_vec(), None).unwrap();
        let mut headers = HeaderMap::new();
        for told in told {
            let name = HeaderName::from_static(FORWARDED_FOR);
            headers.append(name, HeaderValue::from_str(told).unwrap());
        }
        let found = clients.behind(peer.parse().unwrap(), &headers);
        assert_eq!(found, wanted.parse::<IpAddr>().unwrap(), "{peer} {told:?}");
        assert_eq!(clients.country(found), "");
    }

    #[test]
    fn only_what_a_trusted_proxy_says_is_believed() {
        check("203.0.113.7", &["198.51.100.1"], "203.0.113.7");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["192.0.2.9, 198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["198.51.100.1, 10.2.2.2"], "198.51.100.1");
        check("10.0.0.1", &["192.0.2.9", "198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1");
        check("fd00::1", &["[2001:db8::1]:443"], "2001:db8::1");
        check("fd00::1", &["::ffff:198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1");
        let many = ["10.0.0.2"; 40].join(", ");
        check("10.0.0.1", &["198.51.100.1", &many], "10.0.0.2");
    }
}
