//! Visitors who were erased, and up to when: what they did before then is never taken again.
//!
//! Nobody is named here. A visitor is known by a keyed hash, whose key is in the data folder: it
//! tells whether a given visitor was erased, and gives no visitor away. Knows no file and no clock.

use super::imported;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::HashMap;
use upriver_wire::VisitorId;

const DAY_MS: u64 = 24 * 3600 * 1000;
/// How long an erasure is remembered: as long as an event from before it could still be taken.
pub const REMEMBERED_MS: u64 = (imported::AGE_DAYS_MAX + 1) * DAY_MS;

/// A visitor of a site, as a keyed hash.
pub type Name = [u8; 16];

/// Makes names. Cheap to clone.
#[derive(Clone)]
pub struct Namer {
    key: Hmac<Sha256>,
}

impl Namer {
    /// With the secret of the data folder.
    pub fn new(secret: &[u8]) -> Self {
        // HMAC takes a key of any length.
        let key = Hmac::new_from_slice(secret).unwrap_or_else(|_| Hmac::new(&Default::default()));
        Self { key }
    }

    /// The name of a visitor of a site.
    pub fn name(&self, site: &str, visitor: VisitorId) -> Name {
        let mut mac = self.key.clone();
        mac.update(b"erased visitor\0");
        mac.update(&visitor.0.to_le_bytes());
        mac.update(site.as_bytes());
        let whole = mac.finalize().into_bytes();
        let mut name = [0; 16];
        name.copy_from_slice(&whole[..16]);
        name
    }
}

/// Who was erased.
pub struct Erased {
    namer: Namer,
    until_ms: HashMap<Name, u64>,
}

impl Erased {
    /// With the erasures there were: who, and up to when, Unix ms.
    pub fn new(namer: Namer, until_ms: impl IntoIterator<Item = (Name, u64)>) -> Self {
        let mut erased = Self {
            namer,
            until_ms: HashMap::new(),
        };
        for (name, until) in until_ms {
            erased.add(name, until);
        }
        erased
    }

    /// Remembers that a visitor is erased up to a time, Unix ms.
    pub fn add(&mut self, name: Name, until_ms: u64) {
        let known = self.until_ms.entry(name).or_default();
        *known = (*known).max(until_ms);
    }

    /// Up to when a visitor is erased, Unix ms; 0 when never.
    pub fn until_ms(&self, site: &str, visitor: VisitorId) -> u64 {
        if self.until_ms.is_empty() {
            return 0;
        }
        let name = self.namer.name(site, visitor);
        self.until_ms.get(&name).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_is_known_on_their_site_and_under_this_key_only() {
        let namer = Namer::new(b"secret");
        let name = namer.name("shop", VisitorId(7));
        let mut erased = Erased::new(namer, [(name, 100)]);
        assert_eq!(erased.until_ms("shop", VisitorId(7)), 100);
        assert_eq!(erased.until_ms("shop", VisitorId(8)), 0);
        assert_eq!(erased.until_ms("other", VisitorId(7)), 0);
        assert_ne!(Namer::new(b"other").name("shop", VisitorId(7)), name);
        erased.add(name, 50);
        assert_eq!(erased.until_ms("shop", VisitorId(7)), 100, "never shorter");
    }
}
