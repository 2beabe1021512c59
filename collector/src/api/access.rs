//! Who may do what: write keys for pages, tokens, tickets and sessions for readers.
//!
//! Owns the secret, the login and every check of an origin. Knows nothing of what is read.

use super::error::ApiError;
use super::token::{ALL_SITES, Scope, Signer, Token};
use crate::clock::now_ms;
use crate::config::Site;
use crate::secret;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header;
use actix_web::{HttpRequest, web};
use secrecy::{ExposeSecret, SecretString};
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

/// The signer of a data folder, its secret made at the first use.
///
/// # Errors
/// The secret can be neither read nor made.
pub fn signer(data: &Path) -> io::Result<Signer> {
    let path = data.join(SECRET_FILE);
    secret::make_file(&path)?;
    Ok(Signer::new(&std::fs::read(path)?))
}

/// A link that logs in once.
///
/// # Errors
/// The system has no randomness.
pub fn login_link(signer: &Signer, base_url: &str) -> io::Result<String> {
    let expires_ms = now_ms() + LOGIN_LINK_AGE.as_millis() as u64;
    let code = signer.issue(Scope::Login, ALL_SITES, expires_ms, nonce()?);
    Ok(format!("{base_url}/login?code={code}"))
}

/// A `Cookie` header of somebody logged in, for a command that runs beside the collector and may
/// read its secret.
///
/// # Errors
/// The system has no randomness.
pub fn session_cookie(signer: &Signer) -> io::Result<String> {
    let expires_ms = now_ms() + COMMAND_AGE.as_millis() as u64;
    let session = signer.issue(Scope::Session, ALL_SITES, expires_ms, nonce()?);
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
    sites: Vec<Arc<Site>>,
    by_write_key: HashMap<String, Arc<Site>>,
    signer: Signer,
    cookie_name: String,
    used_links: Mutex<HashSet<String>>,
}

impl Access {
    /// For these sites.
    pub fn new(sites: &[Site], signer: Signer) -> Self {
        let sites: Vec<Arc<Site>> = sites.iter().cloned().map(Arc::new).collect();
        Self {
            by_write_key: sites
                .iter()
                .map(|s| (s.write_key.clone(), s.clone()))
                .collect(),
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
            .verify(Scope::Login, code, now_ms)
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
            .issue(Scope::Session, ALL_SITES, expires_ms, nonce);
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

    /// Whether the request comes from somebody logged in, on our own pages.
    ///
    /// # Errors
    /// Not logged in, or sent by a page of another origin.
    pub fn logged_in(&self, request: &HttpRequest) -> Result<(), ApiError> {
        self.session(request).map(|_| ())
    }

    fn session(&self, request: &HttpRequest) -> Result<Token, ApiError> {
        let cookie = request
            .cookie(&self.cookie_name)
            .ok_or_else(not_logged_in)?;
        let session = self
            .signer
            .verify(Scope::Session, cookie.value(), now_ms())
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
            .issue(Scope::Ticket, &site.id, expires_ms, nonce))
    }

    /// The site with this id.
    ///
    /// # Errors
    /// There is none.
    pub fn site(&self, id: &str) -> Result<&Arc<Site>, ApiError> {
        self.sites
            .iter()
            .find(|site| site.id == id)
            .ok_or_else(|| ApiError::NotFound(format!("there is no site {}", id.escape_debug())))
    }

    /// The site a request asks for, if it may read it.
    pub(super) fn reader(&self, request: &HttpRequest) -> Result<Arc<Site>, ApiError> {
        let rights = self.rights(request)?;
        self.readable(
            &rights,
            parameter(request.query_string(), "site").as_deref(),
        )
    }

    /// What a request may read: by `Authorization: Bearer`, by `?ticket=`, or by login.
    pub(super) fn rights(&self, request: &HttpRequest) -> Result<Rights, ApiError> {
        if let Some(token) = bearer(request) {
            let site = self.sites.iter().find(|site| {
                site.read_token
                    .as_ref()
                    .is_some_and(|own| same(own.expose_secret(), token))
            });
            let site =
                site.ok_or_else(|| ApiError::Unauthorized("the read token is unknown".into()))?;
            return Ok(Rights {
                site: Some(site.clone()),
                until_ms: u64::MAX,
            });
        }
        if let Some(ticket) = parameter(request.query_string(), "ticket") {
            let token = self
                .signer
                .verify(Scope::Ticket, &ticket, now_ms())
                .ok_or_else(stale_ticket)?;
            let site = self.site(&token.site)?;
            check_page_origin(site, request)?;
            return Ok(Rights {
                site: Some(site.clone()),
                until_ms: token.expires_ms,
            });
        }
        Ok(Rights {
            site: None,
            until_ms: self.session(request)?.expires_ms,
        })
    }

    /// The site with the id that is asked for, or the only one there is.
    ///
    /// # Errors
    /// The rights have expired or do not reach so far, or there is no such site.
    pub(super) fn readable(
        &self,
        rights: &Rights,
        asked: Option<&str>,
    ) -> Result<Arc<Site>, ApiError> {
        let expired = rights.until_ms <= now_ms();
        match (&rights.site, asked, &self.sites[..]) {
            (Some(_), ..) if expired => Err(stale_ticket()),
            (None, ..) if expired => Err(not_logged_in()),
            (Some(site), Some(id), _) if id != site.id => Err(ApiError::Forbidden(format!(
                "this token does not read site {}",
                id.escape_debug()
            ))),
            (Some(site), ..) => Ok(site.clone()),
            (None, Some(id), _) => self.site(id).cloned(),
            (None, None, [site]) => Ok(site.clone()),
            (None, None, _) => Err(site_missing()),
        }
    }

    /// The site a request may send signals to: by `Authorization: Bearer`, or by login.
    pub(super) fn signaller(&self, id: &str, request: &HttpRequest) -> Result<Arc<Site>, ApiError> {
        self.permitted(Some(id), request, "signal_token", |site| {
            site.signal_token.as_ref()
        })
    }

    /// The site a server may tell events of: by `Authorization: Bearer`, or by login. A token says
    /// by itself which site; a login must say it where there are several.
    pub(super) fn importer(
        &self,
        id: Option<&str>,
        request: &HttpRequest,
    ) -> Result<Arc<Site>, ApiError> {
        self.permitted(id, request, "import_token", |site| {
            site.import_token.as_ref()
        })
    }

    /// The site a request may define something of: by `Authorization: Bearer`, or by login.
    pub(super) fn editor(&self, id: &str, request: &HttpRequest) -> Result<Arc<Site>, ApiError> {
        self.permitted(Some(id), request, "admin_token", |site| {
            site.admin_token.as_ref()
        })
    }

    /// The site whose token of a kind a request brings, or that somebody logged in asks for.
    fn permitted(
        &self,
        id: Option<&str>,
        request: &HttpRequest,
        kind: &str,
        own: impl Fn(&Site) -> Option<&SecretString>,
    ) -> Result<Arc<Site>, ApiError> {
        let Some(token) = bearer(request) else {
            self.logged_in(request)?;
            return match (id, &self.sites[..]) {
                (Some(id), _) => self.site(id).cloned(),
                (None, [site]) => Ok(site.clone()),
                (None, _) => Err(site_missing()),
            };
        };
        let site = self
            .sites
            .iter()
            .find(|site| own(site).is_some_and(|own| same(own.expose_secret(), token)));
        match (site, id) {
            (Some(site), Some(id)) if site.id != id => Err(ApiError::Forbidden(format!(
                "this token is not that of site {}",
                id.escape_debug()
            ))),
            (Some(site), _) => Ok(site.clone()),
            (None, _) => Err(ApiError::Unauthorized(format!(
                "this token may not do that; the site's {kind} may"
            ))),
        }
    }
}

/// What somebody may read, and until when. A connection that lives long asks again each time
/// something else is to be read on it.
#[derive(Clone, Debug)]
pub(super) struct Rights {
    /// None: every site.
    pub(super) site: Option<Arc<Site>>,
    /// Unix milliseconds.
    pub(super) until_ms: u64,
}

impl Rights {
    /// Whether they are those of a ticket: of one site, and for a while.
    pub(super) fn is_by_ticket(&self) -> bool {
        self.site.is_some() && self.until_ms != u64::MAX
    }
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

/// Compares secrets without telling by the time taken where they differ.
fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    one.len() == other.len() && one.iter().zip(other).fold(0, |acc, (a, b)| acc | (a ^ b)) == 0
}

fn stale_link() -> ApiError {
    ApiError::Forbidden(
        "this login link was used already or has expired; `upriver login-link` prints a new one"
            .into(),
    )
}

fn stale_ticket() -> ApiError {
    ApiError::Unauthorized("the ticket is not valid or has expired; get a new one".into())
}

fn site_missing() -> ApiError {
    ApiError::BadRequest("site_missing", "say which site: ?site=ID".into())
}

fn not_logged_in() -> ApiError {
    ApiError::Unauthorized(
        "not logged in: open the login link the collector printed, or send a read token as \
         `Authorization: Bearer …`"
            .into(),
    )
}
