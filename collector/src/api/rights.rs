//! What somebody may do, and where. A connection that lives long asks again each time something else is
//! to be read on it. Knows nothing of how they said who they are.

use super::error::ApiError;
use crate::clock::now_ms;
use crate::config::{Scope, Scopes, Site};
use std::sync::Arc;

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Somebody logged in to the dashboard.
    Login,
    /// A page with a ticket in its address.
    Ticket,
    /// A program with the token of this name.
    Token(Arc<str>),
}

/// Where somebody may do what.
#[derive(Clone, Debug)]
pub(super) enum Grants {
    /// Everything on every site.
    Everything,
    /// These scopes on these sites.
    On(Arc<[(Arc<Site>, Scopes)]>),
}

/// What somebody may do, and until when.
#[derive(Clone, Debug)]
pub(super) struct Rights {
    pub(super) who: Who,
    pub(super) grants: Grants,
    /// Unix milliseconds.
    pub(super) until_ms: u64,
    /// Every site there is.
    pub(super) sites: Arc<[Arc<Site>]>,
}

impl Rights {
    /// The site with the id that is asked for, or the only one where they may do one of these.
    ///
    /// # Errors
    /// They have expired, do not reach so far, or there is no such site.
    pub(super) fn site(
        &self,
        asked: Option<&str>,
        one_of: &[Scope],
    ) -> Result<Arc<Site>, ApiError> {
        self.check_expiry()?;
        let may = |scopes: Scopes| one_of.iter().any(|scope| scopes.has(*scope));
        match (&self.grants, asked) {
            (Grants::Everything, Some(id)) => {
                let site = self.sites.iter().find(|site| site.id == id);
                site.cloned().ok_or_else(|| no_site(id))
            }
            (Grants::Everything, None) => match &self.sites[..] {
                [site] => Ok(site.clone()),
                _ => Err(site_missing()),
            },
            (Grants::On(granted), Some(id)) => {
                match granted.iter().find(|(site, _)| site.id == id) {
                    None => Err(ApiError::Forbidden(format!(
                        "{} does not reach site {}; it reaches: {}",
                        self.name(),
                        id.escape_debug(),
                        self.reached()
                    ))),
                    Some((_, scopes)) if !may(*scopes) => Err(self.lacking(one_of, *scopes)),
                    Some((site, _)) => Ok(site.clone()),
                }
            }
            (Grants::On(granted), None) => {
                let mut found = granted.iter().filter(|(_, scopes)| may(*scopes));
                match (found.next(), found.next()) {
                    (Some((site, _)), None) => Ok(site.clone()),
                    (Some(_), Some(_)) => Err(site_missing()),
                    (None, _) => Err(self.lacking(one_of, self.anywhere())),
                }
            }
        }
    }

    /// That they may do this on every site there is.
    ///
    /// # Errors
    /// They have expired, lack the scope, or do not reach every site.
    pub(super) fn everywhere(&self, scope: Scope) -> Result<(), ApiError> {
        self.check_expiry()?;
        let Grants::On(granted) = &self.grants else {
            return Ok(());
        };
        if !self.anywhere().has(scope) {
            return Err(self.lacking(&[scope], self.anywhere()));
        }
        let may = |(_, scopes): &&(Arc<Site>, Scopes)| scopes.has(scope);
        if granted.iter().filter(may).count() == self.sites.len() {
            return Ok(());
        }
        Err(ApiError::Forbidden(format!(
            "this covers all sites, and {} reaches only: {}",
            self.name(),
            self.reached()
        )))
    }

    /// That they may do one of these somewhere.
    ///
    /// # Errors
    /// They have expired, or may not.
    pub(super) fn somewhere(&self, one_of: &[Scope]) -> Result<(), ApiError> {
        self.check_expiry()?;
        let has = self.anywhere();
        match one_of.iter().any(|scope| has.has(*scope)) {
            true => Ok(()),
            false => Err(self.lacking(one_of, has)),
        }
    }

    /// Whether they may do this on a site.
    pub(super) fn allow(&self, site: &str, scope: Scope) -> bool {
        match &self.grants {
            Grants::Everything => true,
            Grants::On(granted) => {
                let mut granted = granted.iter();
                granted.any(|(own, scopes)| own.id == site && scopes.has(scope))
            }
        }
    }

    /// The sites they reach, and what they may do there.
    pub(super) fn granted(&self) -> Vec<(Arc<Site>, Scopes)> {
        match &self.grants {
            Grants::Everything => {
                let sites = self.sites.iter();
                sites.map(|site| (site.clone(), Scopes::all())).collect()
            }
            Grants::On(granted) => granted.to_vec(),
        }
    }

    /// That they have not expired.
    ///
    /// # Errors
    /// They have.
    pub(super) fn check_expiry(&self) -> Result<(), ApiError> {
        match self.who {
            _ if self.until_ms > now_ms() => Ok(()),
            Who::Login => Err(not_logged_in()),
            Who::Ticket | Who::Token(_) => Err(stale_ticket()),
        }
    }

    /// What they may do on any site.
    fn anywhere(&self) -> Scopes {
        let all = |all: Scopes, (_, scopes): &(Arc<Site>, Scopes)| all.and(*scopes);
        match &self.grants {
            Grants::Everything => Scopes::all(),
            Grants::On(granted) => granted.iter().fold(Scopes::default(), all),
        }
    }

    fn lacking(&self, one_of: &[Scope], has: Scopes) -> ApiError {
        let names: Vec<_> = one_of.iter().map(|scope| scope.name()).collect();
        let message = format!(
            "{} lacks the scope {}; it has: {}",
            self.name(),
            names.join(" or "),
            has.names().join(", ")
        );
        let scope = names.first().copied().unwrap_or_default();
        ApiError::InsufficientScope { scope, message }
    }

    fn name(&self) -> String {
        match &self.who {
            Who::Login => "a login".into(),
            Who::Ticket => "a ticket".into(),
            Who::Token(name) => format!("the token {name:?}"),
        }
    }

    fn reached(&self) -> String {
        let ids = self.granted();
        let ids: Vec<_> = ids.iter().map(|(site, _)| site.id.as_str()).collect();
        ids.join(", ")
    }
}

pub(super) fn no_site(id: &str) -> ApiError {
    ApiError::NotFound(format!("there is no site {}", id.escape_debug()))
}

fn site_missing() -> ApiError {
    ApiError::BadRequest("site_missing", "say which site: ?site=ID".into())
}

pub(super) fn stale_ticket() -> ApiError {
    ApiError::Unauthorized("the ticket is not valid or has expired; get a new one".into())
}

pub(super) fn not_logged_in() -> ApiError {
    ApiError::Unauthorized(
        "not logged in: open the login link the collector printed, or send a token as \
         `Authorization: Bearer …`"
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use Scope::{AuditRead, LiveRead, SignalsWrite};

    fn site(id: &str) -> Arc<Site> {
        let text = format!("id = {id:?}\nwrite_key = \"write-key-of-{id}\"");
        Arc::new(toml::from_str(&text).expect("a site"))
    }

    fn rights(granted: &[(&str, &[Scope])], until_ms: u64) -> Rights {
        let granted = granted
            .iter()
            .map(|(id, scopes)| (site(id), Scopes::of(scopes)));
        Rights {
            who: Who::Token("a".into()),
            grants: Grants::On(granted.collect()),
            until_ms,
            sites: [site("shop"), site("blog")].into(),
        }
    }

    fn check(rights: &Rights, asked: Option<&str>, scope: Scope, expected: &str) {
        let found = match rights.site(asked, &[scope]) {
            Ok(site) => site.id.clone(),
            Err(error) => error.code().into(),
        };
        assert_eq!(found, expected, "{asked:?} {scope:?}");
    }

    #[test]
    fn a_scope_is_good_on_its_sites_only() {
        let one = rights(
            &[("shop", &[LiveRead]), ("blog", &[SignalsWrite])],
            u64::MAX,
        );
        check(&one, None, LiveRead, "shop");
        check(&one, None, SignalsWrite, "blog");
        check(&one, None, AuditRead, "insufficient_scope");
        check(&one, Some("blog"), LiveRead, "insufficient_scope");
        check(&one, Some("shed"), LiveRead, "forbidden");
        let both = rights(&[("shop", &[LiveRead]), ("blog", &[LiveRead])], u64::MAX);
        check(&both, None, LiveRead, "site_missing");
        check(&both, Some("blog"), LiveRead, "blog");
        assert!(both.allow("blog", LiveRead) && !both.allow("blog", AuditRead));
    }

    #[test]
    fn what_covers_all_sites_needs_all_of_them() {
        let code = |rights: Rights| rights.everywhere(AuditRead).map_err(|error| error.code());
        let both = [("shop", &[AuditRead][..]), ("blog", &[AuditRead])];
        assert_eq!(code(rights(&both, u64::MAX)), Ok(()));
        assert_eq!(code(rights(&both[..1], u64::MAX)), Err("forbidden"));
        let other = [("shop", &[LiveRead][..])];
        assert_eq!(code(rights(&other, u64::MAX)), Err("insufficient_scope"));
    }

    #[test]
    fn rights_that_have_expired_open_nothing_more() {
        let granted: [(&str, &[Scope]); 1] = [("shop", &[LiveRead])];
        check(&rights(&granted, 1), Some("shop"), LiveRead, "unauthorized");
        let everything = Rights {
            who: Who::Login,
            grants: Grants::Everything,
            ..rights(&granted, 1)
        };
        check(&everything, Some("shop"), LiveRead, "unauthorized");
        let until = Rights {
            until_ms: u64::MAX,
            ..everything
        };
        check(&until, Some("shop"), LiveRead, "shop");
        check(&until, Some("shed"), LiveRead, "not_found");
    }
}
