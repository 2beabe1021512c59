//! Who may speak: reads credentials from a request and compares them in constant time. Does not
//! decide what a role may do.

use actix_web::HttpRequest;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use subtle::ConstantTimeEq;

use super::failure::{Failure, code};
use crate::engine::Role;
use crate::folder::Secret;

/// The two users' passwords.
pub(crate) struct Access {
    pub(crate) owner: Secret,
    pub(crate) analyst: Option<Secret>,
}

const OWNER: &str = "default";
const ANALYST: &str = "analyst";

impl Access {
    /// The role of whoever sent the request. Credentials come as `X-ClickHouse-User/Key`, HTTP
    /// basic, or `user` and `password` in the URL, in this order; no user means `default`.
    pub(crate) fn role(
        &self,
        request: &HttpRequest,
        url: &[(String, String)],
    ) -> Result<Role, Failure> {
        let (user, password) = credentials(request, url);
        let user = if user.is_empty() { OWNER } else { &user };
        let (role, secret) = match user {
            ANALYST => (Role::Analyst, self.analyst.as_ref()),
            _ => (Role::Owner, Some(&self.owner)),
        };
        let known = user == OWNER || user == ANALYST;
        let matches = secret.is_some_and(|secret| {
            let secret = secret.expose().as_bytes();
            !secret.is_empty() && bool::from(secret.ct_eq(password.as_bytes()))
        });
        if known && matches {
            return Ok(role);
        }
        let shown: String = user.chars().filter(|c| !c.is_control()).take(64).collect();
        Err(Failure::new(
            code::AUTHENTICATION_FAILED,
            "AUTHENTICATION_FAILED",
            format_args!(
                "{shown}: Authentication failed: password is incorrect, or there is no user with such name"
            ),
        ))
    }
}

fn credentials(request: &HttpRequest, url: &[(String, String)]) -> (String, String) {
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let of_url = |name: &str| {
        url.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    if let (user, Some(key)) = (header("X-ClickHouse-User"), header("X-ClickHouse-Key")) {
        return (user.unwrap_or_default().to_owned(), key.to_owned());
    }
    let basic = header("Authorization")
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| BASE64_STANDARD.decode(encoded.trim()).ok())
        .and_then(|decoded| String::from_utf8(decoded).ok());
    if let Some((user, password)) = basic.as_deref().and_then(|pair| pair.split_once(':')) {
        return (user.to_owned(), password.to_owned());
    }
    let user = header("X-ClickHouse-User")
        .map(str::to_owned)
        .or_else(|| of_url("user"));
    (
        user.unwrap_or_default(),
        of_url("password").unwrap_or_default(),
    )
}
