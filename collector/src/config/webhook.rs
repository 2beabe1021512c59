//! Where a site's webhooks go, as the sites file says it: address and secret, checked as far as text
//! can be. Whether an address may be sent to is asked when it is sent to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::collections::HashSet;
use std::ops::RangeInclusive;

/// Most webhooks of one site.
pub const WEBHOOKS_MAX: usize = 20;
/// Longest address.
const URL_BYTES_MAX: usize = 2_048;
/// What a secret opens with.
pub const SECRET_PREFIX: &str = "whsec_";
/// Bytes of a secret, once decoded.
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;

/// Another system that is told something.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Short name, by which alerts and rules name it: `chat`.
    pub id: String,
    /// Where to POST to: `https://hooks.example/upriver`.
    pub url: String,
    /// What messages are signed with: `whsec_` and 24 to 64 bytes in base64.
    pub secret: SecretString,
}

impl Webhook {
    /// The address.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn address(&self) -> Result<hyper::Uri, String> {
        let odd = || "url must look like https://hooks.example/path".to_owned();
        if self.url.len() > URL_BYTES_MAX {
            return Err(format!("url is longer than {URL_BYTES_MAX} bytes"));
        }
        let uri: hyper::Uri = self.url.parse().map_err(|_| odd())?;
        let web = matches!(uri.scheme_str(), Some("https" | "http"));
        let authority = uri.authority().ok_or_else(odd)?;
        if !web || authority.host().is_empty() {
            return Err(odd());
        }
        if authority.as_str().contains('@') {
            return Err("url must not hold a user or password".into());
        }
        Ok(uri)
    }

    /// The secret's bytes.
    ///
    /// # Errors
    /// What is wrong with it, for a person; never the secret itself.
    pub fn key(&self) -> Result<Vec<u8>, String> {
        let text = self.secret.expose_secret().strip_prefix(SECRET_PREFIX);
        let bytes = text.and_then(|text| STANDARD.decode(text).ok());
        bytes
            .filter(|bytes| SECRET_BYTES.contains(&bytes.len()))
            .ok_or_else(|| {
                format!(
                    "secret must be {SECRET_PREFIX} and {} to {} bytes in base64; make one with \
                     `echo {SECRET_PREFIX}$(head -c 32 /dev/urandom | base64)`",
                    SECRET_BYTES.start(),
                    SECRET_BYTES.end()
                )
            })
    }
}

/// Checks the webhooks of a site; `plain` says whether an id is one.
pub(super) fn check(webhooks: &[Webhook], plain: impl Fn(&str) -> bool) -> Result<(), String> {
    if webhooks.len() > WEBHOOKS_MAX {
        let count = webhooks.len();
        return Err(format!(
            "{count} webhooks; at most {WEBHOOKS_MAX} are possible"
        ));
    }
    let mut ids = HashSet::new();
    for webhook in webhooks {
        let id = &webhook.id;
        if !plain(id) || !ids.insert(id) {
            return Err(format!("webhook id {id:?} is empty, odd, or there twice"));
        }
        let checked = webhook.address().and_then(|_| webhook.key());
        checked.map_err(|reason| format!("webhook {id:?}: {reason}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(url: &str, secret: &str) -> Webhook {
        Webhook {
            id: "chat".into(),
            url: url.into(),
            secret: SecretString::from(secret),
        }
    }

    #[test]
    fn addresses_are_of_the_web_and_hold_no_password() {
        for (url, fine) in [
            ("https://hooks.example/a?b=c", true),
            ("http://127.0.0.1:9/", true),
            ("https://[::1]:8443/x", true),
            ("hooks.example/a", false),
            ("/a", false),
            ("ftp://hooks.example/", false),
            ("https://", false),
            ("https://me:secret@hooks.example/", false),
        ] {
            assert_eq!(webhook(url, "").address().is_ok(), fine, "{url}");
        }
    }

    #[test]
    fn secrets_are_long_enough_and_never_told() {
        let long = format!("{SECRET_PREFIX}{}", STANDARD.encode([7; 32]));
        assert_eq!(webhook("", &long).key(), Ok(vec![7; 32]));
        let short = format!("{SECRET_PREFIX}{}", STANDARD.encode([7; 23]));
        for secret in ["", "hunter2hunter2hunter2hunter2", "whsec_!", &short] {
            let error = webhook("", secret).key().unwrap_err();
            assert!(secret.is_empty() || !error.contains(secret), "{error}");
        }
    }
}
