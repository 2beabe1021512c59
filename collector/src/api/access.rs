//! Who is asking: write keys for pages, tokens, tickets and sessions for everybody else.
//!
//! Owns the secret, the login and every check of an origin. Knows nothing of what is asked for; what
//! somebody may do is in `rights`.

use super::error::ApiError;
use super::rights::{self, Grants, Rights, Who, not_logged_in};
use super::token::{ALL_SITES, Purpose, Signer, Token};
use crate::clock::now_ms;
use crate::config::{Scope, Scopes, Site, digest};
use crate::secret;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header;
use actix_web::{HttpRequest, web};
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a login link works.
pub const LOGIN_LINK_AGE: Duration = Duration::from_secs(15 * 60);
/// How long a login lasts.
const SESSION_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a command's login lasts.
const COMMAND_AGE: Duration = Duration::from_secs(60);
/// How long a ticket works.
pub const TICKET_AGE: Duration = Duration::from_secs(60);
/// Login links remembered as used; they expire long before so many could be made by a person.
const USED_LINKS_MAX: usize = 10_000;
/// File in the data folder that signs tokens.
pub const SECRET_FILE: &str = "secret";

/// The secret of a data folder, made at the first use.
///
/// # Errors
/// It can be neither read nor made.
pub fn secret(data: &Path) -> io::Result<Vec<u8>> {
    let path = data.join(SECRET_FILE);
    secret::make_file(&path)?;
    std::fs::read(path)
}

/// The signer of a data folder.
///
/// # Errors
/// Its secret can be neither read nor made.
pub fn signer(data: &Path) -> io::Result<Signer> {
    Ok(Signer::new(&secret(data)?))
}

/// A link that logs in once.
///
/// # Errors
/// The system has no randomness.
pub fn login_link(signer: &Signer, base_url: &str) -> io::Result<String> {
    let expires_ms = now_ms() + LOGIN_LINK_AGE.as_millis() as u64;
    let code = signer.issue(Purpose::Login, ALL_SITES, expires_ms, nonce()?);
    Ok(format!("{base_url}/login?code={code}"))
}

/// A `Cookie` header of somebody logged in, for a command that runs beside the collector and may
/// read its secret.
///
/// # Errors
/// The system has no randomness.
pub fn session_cookie(signer: &Signer) -> io::Result<String> {
    let expires_ms = now_ms() + COMMAND_AGE.as_millis() as u64;
    let session = signer.issue(Purpose::Session, ALL_SITES, expires_ms, nonce()?);
    Ok(format!("{}={session}", cookie_name(signer)))
}

fn cookie_name(signer: &Signer) -> String {
    format!("upriver_{}", signer.label())
}

fn nonce() -> io::Result<[u8; 16]> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(nonce)
}

/// The sites and who may do what with them.
pub struct Access {
    sites: Arc<[Arc<Site>]>,
    by_write_key: HashMap<String, Arc<Site>>,
    tokens: HashMap<[u8; 32], Known>,
    signer: Signer,
    cookie_name: String,
    used_links: Mutex<HashSet<String>>,
}

impl Access {
    /// For these sites.
    pub fn new(sites: &[Site], signer: Signer) -> Self {
        let sites: Arc<[Arc<Site>]> = sites.iter().cloned().map(Arc::new).collect();
        Self {
            by_write_key: sites
                .iter()
                .map(|s| (s.write_key.clone(), s.clone()))
                .collect(),
            tokens: tokens(&sites, &signer),
            sites,
            cookie_name: cookie_name(&signer),
            signer,
            used_links: Mutex::default(),
        }
    }

    /// All sites.
    pub fn sites(&self) -> &[Arc<Site>] {
        &self.sites
    }

    /// The site a page may write to with this key from this origin.
    ///
    /// # Errors
    /// No such key, or the origin is not one of the site's.
    pub fn writer(&self, key: Option<&str>, request: &HttpRequest) -> Result<Arc<Site>, ApiError> {
        let site = key
            .and_then(|key| self.by_write_key.get(key))
            .ok_or_else(|| {
                ApiError::Unauthorized(
                    "the write key is missing or unknown: …?key=WRITE_KEY".into(),
                )
            })?;
        match origin(request) {
            Some(origin)
                if !site.origins.is_empty() && !site.origins.iter().any(|o| o == origin) =>
            {
                Err(ApiError::Forbidden(format!(
                    "origin {} is not one of the site's origins",
                    origin.escape_debug()
                )))
            }
            _ => Ok(site.clone()),
        }
    }

    /// Trades a login code for a session cookie.
    ///
    /// # Errors
    /// The code is forged, expired or used.
    pub fn log_in(&self, code: &str, request: &HttpRequest) -> Result<Cookie<'static>, ApiError> {
        let now_ms = now_ms();
        let token = self
            .signer
            .verify(Purpose::Login, code, now_ms)
            .ok_or_else(stale_link)?;
        let mut used = self
            .used_links
            .lock()
            .unwrap_or_else(|error| error.into_inner());
        if used.len() >= USED_LINKS_MAX || !used.insert(token.nonce) {
            return Err(stale_link());
        }
        let expires_ms = now_ms + SESSION_AGE.as_millis() as u64;
        let nonce = nonce().map_err(|error| ApiError::Unavailable(error.to_string(), 1))?;
        let session = self
            .signer
            .issue(Purpose::Session, ALL_SITES, expires_ms, nonce);
        Ok(Cookie::build(self.cookie_name.clone(), session)
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(request.connection_info().scheme() == "https")
            .max_age(actix_web::cookie::time::Duration::seconds(
                SESSION_AGE.as_secs() as i64,
            ))
            .finish())
    }

    /// The login of a request, on our own pages.
    fn session(&self, request: &HttpRequest) -> Result<Token, ApiError> {
        let cookie = request
            .cookie(&self.cookie_name)
            .ok_or_else(not_logged_in)?;
        let session = self
            .signer
            .verify(Purpose::Session, cookie.value(), now_ms())
            .ok_or_else(not_logged_in)?;
        let connection = request.connection_info();
        let own = format!("{}://{}", connection.scheme(), connection.host());
        match origin(request) {
            Some(origin) if origin != own => Err(ApiError::Forbidden(
                "only the dashboard's own pages may use a login".into(),
            )),
            _ => Ok(session),
        }
    }

    /// A ticket for one site's live resources.
    ///
    /// # Errors
    /// No such site.
    pub fn ticket(&self, site: &str) -> Result<String, ApiError> {
        let site = self.site(site)?;
        let expires_ms = now_ms() + TICKET_AGE.as_millis() as u64;
        let nonce = nonce().map_err(|error| ApiError::Unavailable(error.to_string(), 1))?;
        Ok(self
            .signer
            .issue(Purpose::Ticket, &site.id, expires_ms, nonce))
    }

    /// The site with this id.
    ///
    /// # Errors
    /// There is none.
    pub fn site(&self, id: &str) -> Result<&Arc<Site>, ApiError> {
        let site = self.sites.iter().find(|site| site.id == id);
        site.ok_or_else(|| rights::no_site(id))
    }

    /// The site that is asked for, if a request may do one of these there.
    pub(super) fn allowed(
        &self,
        request: &HttpRequest,
        asked: Option<&str>,
        one_of: &[Scope],
    ) -> Result<Arc<Site>, ApiError> {
        self.rights(request)?.site(asked, one_of)
    }

    /// What a request may do: by `Authorization: Bearer`, by `?ticket=`, or by login.
    ///
    /// # Errors
    /// Nobody is named, or they are not believed.
    pub(super) fn rights(&self, request: &HttpRequest) -> Result<Rights, ApiError> {
        let rights = |who, grants, until_ms| Rights {
            who,
            grants,
            until_ms,
            sites: self.sites.clone(),
        };
        if let Some(secret) = bearer(request) {
            let fingerprint = self.signer.fingerprint(&digest(secret));
            let known = self.tokens.get(&fingerprint);
            let known =
                known.ok_or_else(|| ApiError::Unauthorized("the token is unknown".into()))?;
            let grants = Grants::On(known.granted.clone());
            return Ok(rights(Who::Token(known.name.clone()), grants, u64::MAX));
        }
        if let Some(ticket) = parameter(request.query_string(), "ticket") {
            let token = self
                .signer
                .verify(Purpose::Ticket, &ticket, now_ms())
                .ok_or_else(rights::stale_ticket)?;
            let site = self.site(&token.site)?;
            check_page_origin(site, request)?;
            // It lies in an address, where others may read it: it names no visitors.
            let granted = (site.clone(), Scopes::of(&[Scope::LiveRead]));
            let grants = Grants::On([granted].into());
            return Ok(rights(Who::Ticket, grants, token.expires_ms));
        }
        let session = self.session(request)?;
        Ok(rights(Who::Login, Grants::Everything, session.expires_ms))
    }
}

/// A token of the sites file.
struct Known {
    name: Arc<str>,
    granted: Arc<[(Arc<Site>, Scopes)]>,
}

/// Every token by the fingerprint of its secret. One that is said of several sites is one.
fn tokens(sites: &[Arc<Site>], signer: &Signer) -> HashMap<[u8; 32], Known> {
    type Granted = Vec<(Arc<Site>, Scopes)>;
    let mut found: HashMap<[u8; 32], (Arc<str>, Granted)> = HashMap::new();
    for site in sites {
        for (name, digest, scopes) in site.granted() {
            let fingerprint = signer.fingerprint(&digest);
            let (_, granted) = found
                .entry(fingerprint)
                .or_insert_with(|| (name.into(), Vec::new()));
            match granted.iter_mut().find(|(own, _)| own.id == site.id) {
                Some((_, own)) => *own = own.and(scopes),
                None => granted.push((site.clone(), scopes)),
            }
        }
    }
    let known = |(name, granted): (Arc<str>, Granted)| Known {
        name,
        granted: granted.into(),
    };
    found
        .into_iter()
        .map(|(fingerprint, token)| (fingerprint, known(token)))
        .collect()
}

/// A parameter of a query string; the last one, where there are several.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let query = web::Query::<HashMap<String, String>>::from_query(query);
    query.ok()?.into_inner().remove(name)
}

/// The `Origin` header.
pub fn origin(request: &HttpRequest) -> Option<&str> {
    request.headers().get(header::ORIGIN)?.to_str().ok()
}

fn check_page_origin(site: &Site, request: &HttpRequest) -> Result<(), ApiError> {
    let Some(origin) = origin(request) else {
        return Ok(());
    };
    let connection = request.connection_info();
    let own = format!("{}://{}", connection.scheme(), connection.host());
    let known = origin == own
        || site.origins.is_empty()
        || site.origins.iter().any(|allowed| allowed == origin)
        || site
            .base_url
            .as_deref()
            .is_some_and(|base| base.trim_end_matches('/') == origin);
    if known {
        return Ok(());
    }
    Err(ApiError::Forbidden(
        "a ticket works on the site's own pages only".into(),
    ))
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

fn stale_link() -> ApiError {
    ApiError::Forbidden(
        "this login link was used already or has expired; `upriver login-link` prints a new one"
            .into(),
    )
}
