//! A file of countries in MaxMind's format, as small as a test needs: networks of IPv4 and what country
//! each is in. Written from the format's description; shares no code with what reads it.

use std::net::Ipv4Addr;

/// Bytes between the tree and the data.
const SEPARATOR: usize = 16;
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";

#[derive(Clone, Copy)]
enum Record {
    Empty,
    Node(usize),
    Data(usize),
}

/// The file. Networks must not lie within one another.
pub fn mmdb(networks: &[(Ipv4Addr, u8, &str)]) -> Vec<u8> {
    let mut nodes = vec![[Record::Empty; 2]];
    let mut data = Vec::new();
    for (address, bits, country) in networks {
        let address = u32::from(*address);
        let bit = |depth: u8| (address >> (31 - depth) & 1) as usize;
        let mut node = 0;
        for depth in 0..bits - 1 {
            let next = match nodes[node][bit(depth)] {
                Record::Node(next) => next,
                _ => {
                    nodes.push([Record::Empty; 2]);
                    nodes.len() - 1
                }
            };
            nodes[node][bit(depth)] = Record::Node(next);
            node = next;
        }
        nodes[node][bit(bits - 1)] = Record::Data(data.len());
        map(&mut data, 1);
        text(&mut data, "country");
        map(&mut data, 1);
        text(&mut data, "iso_code");
        text(&mut data, country);
    }
    let mut file = Vec::new();
    for record in nodes.iter().flatten() {
        let value = match record {
            Record::Empty => nodes.len(),
            Record::Node(node) => *node,
            Record::Data(offset) => nodes.len() + SEPARATOR + offset,
        };
        file.extend(&(value as u32).to_be_bytes()[1..]);
    }
    file.extend([0; SEPARATOR]);
    file.extend(data);
    file.extend(MARKER);
    metadata(&mut file, nodes.len() as u32);
    file
}

fn metadata(file: &mut Vec<u8>, nodes: u32) {
    map(file, 9);
    text(file, "node_count");
    file.push(6 << 5 | 4);
    file.extend(nodes.to_be_bytes());
    for (name, number) in [
        ("record_size", 24),
        ("ip_version", 4),
        ("binary_format_major_version", 2),
        ("binary_format_minor_version", 0),
    ] {
        text(file, name);
        file.extend([5 << 5 | 1, number]);
    }
    text(file, "database_type");
    text(file, "Test-Country");
    text(file, "languages");
    // Of a type past 7: an array, and below a number of 64 bits.
    file.extend([1, 11 - 7]);
    text(file, "en");
    text(file, "description");
    map(file, 1);
    text(file, "en");
    text(file, "Countries of a test");
    text(file, "build_epoch");
    file.extend([4, 9 - 7]);
    file.extend(1_700_000_000_u32.to_be_bytes());
}

fn map(bytes: &mut Vec<u8>, pairs: u8) {
    bytes.push(7 << 5 | pairs);
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    assert!(text.len() < 29, "the length fits into the first byte");
    bytes.push(2 << 5 | text.len() as u8);
    bytes.extend(text.as_bytes());
}
