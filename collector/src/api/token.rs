//! Signed tokens: login links, sessions and tickets. Pure; the caller brings time and randomness.
//!
//! A token is `purpose.site.expiry_ms.nonce.mac`, all plain characters, so it fits into an address,
//! a cookie or a header. The key never leaves the data folder.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a token is good for. One is never accepted for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Logging in, once.
    Login,
    /// Being logged in.
    Session,
    /// Reading one site's live resources for a short while, from another origin.
    Ticket,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Session => "session",
            Self::Ticket => "ticket",
        }
    }
}

/// The site in a token that is good for all.
pub const ALL_SITES: &str = "*";

/// A token that was found genuine and not expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The site it is for, or [`ALL_SITES`].
    pub site: String,
    /// When it ends, Unix ms.
    pub expires_ms: u64,
    /// Makes it unique.
    pub nonce: String,
}

/// Signs and checks.
#[derive(Clone)]
pub struct Signer {
    key: Hmac<Sha256>,
}

impl Signer {
    /// From the secret in the data folder.
    pub fn new(secret: &[u8]) -> Self {
        // HMAC takes a key of any length.
        let key = Hmac::new_from_slice(secret).unwrap_or_else(|_| Hmac::new(&Default::default()));
        Self { key }
    }

    /// A new token.
    pub fn issue(&self, purpose: Purpose, site: &str, expires_ms: u64, nonce: [u8; 16]) -> String {
        let body = format!(
            "{}.{site}.{expires_ms}.{}",
            purpose.name(),
            hex::encode(nonce)
        );
        let mac = hex::encode(self.mac(&body).finalize().into_bytes());
        format!("{body}.{mac}")
    }

    /// Reads a token. None when it is forged, for something else, or expired.
    pub fn verify(&self, purpose: Purpose, token: &str, now_ms: u64) -> Option<Token> {
        let (body, mac) = token.rsplit_once('.')?;
        self.mac(body).verify_slice(&hex::decode(mac).ok()?).ok()?;
        let mut parts = body.split('.');
        let (name, site, expires, nonce) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let expires_ms: u64 = expires.parse().ok()?;
        let good = name == purpose.name() && parts.next().is_none() && expires_ms > now_ms;
        good.then(|| Token {
            site: site.into(),
            expires_ms,
            nonce: nonce.into(),
        })
    }

    /// Eight digits that tell collectors on one host apart, for the name of the cookie.
    pub fn label(&self) -> String {
        hex::encode(&self.mac("cookie").finalize().into_bytes()[..4])
    }

    /// A number for a hash. What the time of looking one up tells is about a number that nobody outside can
    /// compute.
    pub fn fingerprint(&self, hash: &[u8; 32]) -> [u8; 32] {
        let mut mac = self.mac("token.");
        mac.update(hash);
        mac.finalize().into_bytes().into()
    }

    fn mac(&self, body: &str) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        mac.update(body.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_purpose_until_it_expires_and_not_when_touched() {
        let signer = Signer::new(b"secret");
        let token = signer.issue(Purpose::Ticket, "shop", 1_000, [7; 16]);
        assert_eq!(
            signer.verify(Purpose::Ticket, &token, 999).unwrap().site,
            "shop"
        );
        assert_eq!(signer.verify(Purpose::Ticket, &token, 1_000), None);
        assert_eq!(signer.verify(Purpose::Session, &token, 999), None);
        assert_eq!(
            signer.verify(Purpose::Ticket, &token.replace("shop", "shed"), 999),
            None
        );
        assert_eq!(
            Signer::new(b"other").verify(Purpose::Ticket, &token, 999),
            None
        );
        assert_eq!(signer.verify(Purpose::Ticket, "", 0), None);
    }
}
