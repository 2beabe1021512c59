//! Who else may do what: tokens with scopes, as the sites file says them. Knows what a scope is called and
//! how a secret is kept; refuses to know which request needs which.

use super::{Site, Sites};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

/// Most tokens of one site, and most of those that are for several.
pub const TOKENS_MAX: usize = 100;
/// Shortest secret of a token, bytes.
const SECRET_BYTES_MIN: usize = 16;
/// Longest secret of a token, bytes.
const SECRET_BYTES_MAX: usize = 512;
/// The `sites` of a token that reaches all of them.
const ALL_SITES: &str = "*";

/// One thing that a token may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub enum Scope {
    /// Live numbers and definitions.
    #[serde(rename = "live:read")]
    LiveRead,
    /// Ids of visitors in live answers.
    #[serde(rename = "visitors:read")]
    VisitorsRead,
    /// Defining funnels, releases, annotations, pages; reading these.
    #[serde(rename = "definitions:write")]
    DefinitionsWrite,
    /// Whether the tables hold what was acknowledged.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Telling events as a server.
    #[serde(rename = "events:write")]
    EventsWrite,
    /// Sending signals to visitors' pages.
    #[serde(rename = "signals:write")]
    SignalsWrite,
    /// Trying webhooks.
    #[serde(rename = "webhooks:test")]
    WebhooksTest,
    /// Everything that is kept of a visitor.
    #[serde(rename = "visitors:export")]
    VisitorsExport,
    /// Erasing a visitor, and how far that is.
    #[serde(rename = "visitors:erase")]
    VisitorsErase,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 9] = [
        Self::LiveRead,
        Self::VisitorsRead,
        Self::DefinitionsWrite,
        Self::AuditRead,
        Self::EventsWrite,
        Self::SignalsWrite,
        Self::WebhooksTest,
        Self::VisitorsExport,
        Self::VisitorsErase,
    ];

    /// As it is written: `live:read`.
    pub fn name(self) -> &'static str {
        match self {
            Self::LiveRead => "live:read",
            Self::VisitorsRead => "visitors:read",
            Self::DefinitionsWrite => "definitions:write",
            Self::AuditRead => "audit:read",
            Self::EventsWrite => "events:write",
            Self::SignalsWrite => "signals:write",
            Self::WebhooksTest => "webhooks:test",
            Self::VisitorsExport => "visitors:export",
            Self::VisitorsErase => "visitors:erase",
        }
    }
}

/// Several scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    /// These.
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |all, scope| all | 1 << *scope as u16))
    }

    /// Every scope.
    pub fn all() -> Self {
        Self::of(&Scope::ALL)
    }

    /// Whether one is among them.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & 1 << scope as u16 != 0
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Their names, in the order of [`Scope::ALL`].
    pub fn names(self) -> Vec<&'static str> {
        let own = Scope::ALL.iter().filter(|scope| self.has(**scope));
        own.map(|scope| scope.name()).collect()
    }
}

/// A secret that programs bring as `Authorization: Bearer …`, and what it allows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Short name, by which refusals call it: `reports`.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// The sites it reaches, or `*`. Only of a token that is said outside of sites.
    #[serde(default)]
    pub sites: Vec<String>,
    /// The secret itself…
    #[serde(default)]
    pub secret: Option<SecretString>,
    /// …or the environment variable that holds it…
    #[serde(default)]
    pub secret_env: Option<String>,
    /// …or its SHA-256, 64 hexadecimal digits.
    #[serde(default)]
    pub secret_sha256: Option<String>,
}

/// A token as a request is held against it: name, SHA-256 of the secret, scopes.
pub(crate) type Granted<'a> = (&'a str, [u8; 32], Scopes);

/// SHA-256 of a secret.
pub(crate) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

impl Token {
    /// SHA-256 of its secret; none when it was not found, or is no hash.
    fn digest(&self) -> Option<[u8; 32]> {
        match (&self.secret, &self.secret_sha256) {
            (Some(secret), _) => Some(digest(secret.expose_secret())),
            (None, Some(hash)) => hex::decode(hash).ok()?.try_into().ok(),
            (None, None) => None,
        }
    }

    /// Takes the secret out of the environment, where it is said to be there.
    fn look_up(&mut self, env: &impl Fn(&str) -> Option<String>) -> Result<(), String> {
        let Some(variable) = &self.secret_env else {
            return Ok(());
        };
        if self.secret.is_some() || self.secret_sha256.is_some() {
            return Err(self.wrong(ONE_SECRET));
        }
        let secret = env(variable).ok_or_else(|| {
            let text = format!("the environment variable {variable:?} is not set");
            self.wrong(&text)
        })?;
        self.secret = Some(SecretString::from(secret));
        Ok(())
    }

    fn check(&self, plain: impl Fn(&str) -> bool) -> Result<(), String> {
        if !plain(&self.name) {
            return Err(self.wrong("its name must be 1 to 64 letters, digits, - or _"));
        }
        if self.scopes.is_empty() {
            let names = Scopes::all().names().join(", ");
            return Err(self.wrong(&format!("it has no scopes; possible: {names}")));
        }
        match (&self.secret, &self.secret_sha256) {
            (Some(secret), None) => {
                let bytes = secret.expose_secret().len();
                if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes) {
                    let text = format!(
                        "its secret must be {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes; make one \
                         with `head -c 32 /dev/urandom | base64`"
                    );
                    return Err(self.wrong(&text));
                }
            }
            (None, Some(_)) if self.digest().is_none() => {
                return Err(self.wrong("secret_sha256 must be 64 hexadecimal digits"));
            }
            (None, Some(_)) => (),
            _ => return Err(self.wrong(ONE_SECRET)),
        }
        Ok(())
    }

    fn wrong(&self, reason: &str) -> String {
        format!("token {:?}: {reason}", self.name)
    }
}

const ONE_SECRET: &str = "say one of secret, secret_env and secret_sha256";

impl Site {
    /// Every token that reaches it: those with scopes, and those of one purpose each.
    pub(crate) fn granted(&self) -> impl Iterator<Item = Granted<'_>> {
        let scoped = self.tokens.iter().filter_map(|token| {
            let scopes = Scopes::of(&token.scopes);
            Some((token.name.as_str(), token.digest()?, scopes))
        });
        let old = self.of_one_purpose().into_iter();
        scoped.chain(old.filter_map(|(name, secret, scopes)| {
            let digest = digest(secret?.expose_secret());
            Some((name, digest, Scopes::of(scopes)))
        }))
    }

    /// The tokens with a purpose instead of scopes, and the scopes that come to.
    fn of_one_purpose(&self) -> [(&'static str, Option<&SecretString>, &'static [Scope]); 5] {
        let reading = &[Scope::LiveRead, Scope::VisitorsRead, Scope::AuditRead];
        [
            ("read_token", self.read_token.as_ref(), reading),
            (
                "signal_token",
                self.signal_token.as_ref(),
                &[Scope::SignalsWrite],
            ),
            (
                "import_token",
                self.import_token.as_ref(),
                &[Scope::EventsWrite],
            ),
            (
                "admin_token",
                self.admin_token.as_ref(),
                &[Scope::DefinitionsWrite],
            ),
            (
                "privacy_token",
                self.privacy_token.as_ref(),
                &[Scope::VisitorsExport, Scope::VisitorsErase],
            ),
        ]
    }
}

/// Reads the secrets that lie in the environment.
pub(super) fn look_up(
    sites: &mut Sites,
    env: impl Fn(&str) -> Option<String>,
) -> Result<(), String> {
    let of_sites = sites.sites.iter_mut().flat_map(|site| &mut site.tokens);
    for token in of_sites.chain(&mut sites.tokens) {
        token.look_up(&env)?;
    }
    Ok(())
}

/// Gives the tokens that are said outside of sites to the sites they reach.
pub(super) fn spread(sites: &mut Sites) {
    for token in std::mem::take(&mut sites.tokens) {
        let reached = |site: &&mut Site| {
            let mut names = token.sites.iter();
            names.any(|name| name == ALL_SITES || *name == site.id)
        };
        for site in sites.sites.iter_mut().filter(reached) {
            site.tokens.push(token.clone());
        }
    }
}

/// Checks what is said of tokens; `plain` says whether a name is one.
pub(super) fn check(sites: &Sites, plain: impl Fn(&str) -> bool) -> Result<(), String> {
    // Whose secret it is. Two with one secret would be one with the rights of both.
    let mut owners: HashMap<[u8; 32], String> = HashMap::new();
    for site in &sites.sites {
        for (name, secret, _) in site.of_one_purpose() {
            let Some(secret) = secret else { continue };
            if secret.expose_secret().is_empty() {
                return Err(format!("site {:?}: its {name} is empty", site.id));
            }
            owners.insert(
                digest(secret.expose_secret()),
                format!("the {name} of site {:?}", site.id),
            );
        }
    }
    for site in &sites.sites {
        let own = &site.tokens;
        let inside = |reason| format!("site {:?}: {reason}", site.id);
        check_list(own, &plain, &mut owners).map_err(inside)?;
        if let Some(token) = own.iter().find(|token| !token.sites.is_empty()) {
            let reason = "it is of this site; say sites only where it is outside of sites";
            return Err(inside(token.wrong(reason)));
        }
    }
    check_list(&sites.tokens, &plain, &mut owners)?;
    let ids: HashSet<&str> = sites.sites.iter().map(|site| site.id.as_str()).collect();
    for token in &sites.tokens {
        if token.sites.is_empty() {
            return Err(token.wrong("say which sites it reaches, or sites = [\"*\"] for all"));
        }
        let known = |id: &String| id == ALL_SITES || ids.contains(id.as_str());
        if let Some(id) = token.sites.iter().find(|id| !known(id)) {
            return Err(token.wrong(&format!("there is no site {id:?}")));
        }
    }
    Ok(())
}

fn check_list(
    tokens: &[Token],
    plain: impl Fn(&str) -> bool,
    owners: &mut HashMap<[u8; 32], String>,
) -> Result<(), String> {
    if tokens.len() > TOKENS_MAX {
        let count = tokens.len();
        return Err(format!("{count} tokens; at most {TOKENS_MAX} are possible"));
    }
    let mut names = HashSet::new();
    for token in tokens {
        token.check(&plain)?;
        if !names.insert(&token.name) {
            return Err(token.wrong("it is there twice"));
        }
        let owner = format!("token {:?}", token.name);
        if let Some(other) = token
            .digest()
            .and_then(|digest| owners.insert(digest, owner))
        {
            return Err(token.wrong(&format!("it has the secret of {other}; give each its own")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const SECRET: &str = "secret = \"0123456789abcdef\"\n";

    /// Reads a sites file of two sites with this after the second.
    fn read(more: &str) -> Result<Sites, String> {
        let text = format!(
            "[[site]]\nid = \"shop\"\nwrite_key = \"shop-write-key\"\n\
             [[site]]\nid = \"blog\"\nwrite_key = \"blog-write-key\"\nread_token = \"0123456789old-one\"\n{more}"
        );
        let env = |name: &str| (name == "REPORTS").then(|| "fedcba9876543210".to_owned());
        Sites::parse(&text, &PathBuf::from("sites.toml"), env).map_err(|error| error.to_string())
    }

    fn check(more: &str, says: &str) {
        let error = read(more).expect_err(more);
        assert!(error.contains(says), "{error}");
        assert!(
            !error.contains("0123456789"),
            "it tells the secret: {error}"
        );
    }

    #[test]
    fn a_secret_is_said_in_one_of_three_ways() {
        let hash = hex::encode(digest("fedcba9876543210"));
        for said in [
            "secret = \"fedcba9876543210\"".to_owned(),
            "secret_env = \"REPORTS\"".to_owned(),
            format!("secret_sha256 = {hash:?}"),
        ] {
            let token =
                format!("[[site.token]]\nname = \"reports\"\nscopes = [\"live:read\"]\n{said}");
            let sites = read(&token).expect("it is right").sites;
            let granted: Vec<_> = sites[1].granted().collect();
            let wanted = digest("fedcba9876543210");
            assert_eq!(
                granted[0],
                ("reports", wanted, Scopes::of(&[Scope::LiveRead]))
            );
            assert_eq!(sites[0].granted().count(), 0);
        }
    }

    #[test]
    fn a_token_outside_of_sites_reaches_those_it_names() {
        for (said, reached) in [("\"shop\"", [1, 1]), ("\"*\"", [1, 2])] {
            let token = format!(
                "[[token]]\nname = \"a\"\nscopes = [\"audit:read\"]\nsites = [{said}]\n{SECRET}"
            );
            let sites = read(&token).expect("it is right").sites;
            assert_eq!(
                [sites[0].granted().count(), sites[1].granted().count()],
                reached
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        let own = |more: &str| format!("[[site.token]]\nname = \"a\"\n{more}");
        let all = |more: &str| format!("[[token]]\nname = \"a\"\n{more}");
        let scopes = "scopes = [\"live:read\"]\n";
        check(
            &own(&format!("scopes = []\n{SECRET}")),
            "possible: live:read, visitors:read",
        );
        check(&own(&format!("scopes = [\"all\"]\n{SECRET}")), "live:read");
        check(&own(scopes), "one of secret, secret_env");
        check(
            &own(&format!("{scopes}secret = \"short\"")),
            "16 to 512 bytes",
        );
        check(
            &own(&format!("{scopes}secret_sha256 = \"ab\"")),
            "64 hexadecimal",
        );
        check(
            &own(&format!("{scopes}secret_env = \"NONE\"")),
            "\"NONE\" is not set",
        );
        check(
            &own(&format!("{scopes}secret_env = \"REPORTS\"\n{SECRET}")),
            "one of secret",
        );
        check(
            &own(&format!("{scopes}sites = [\"blog\"]\n{SECRET}")),
            "outside of sites",
        );
        check(&all(&format!("{scopes}{SECRET}")), "which sites");
        check(
            &all(&format!("{scopes}sites = [\"shed\"]\n{SECRET}")),
            "no site \"shed\"",
        );
        check(
            &own(&format!("{scopes}secret = \"0123456789old-one\"")),
            "the secret of the read_token of site \"blog\"",
        );
        let twice = own(&format!("{scopes}{SECRET}"));
        check(&format!("{twice}\n{twice}"), "there twice");
        let other = format!("{scopes}sites = [\"*\"]\n{SECRET}");
        check(
            &format!("{twice}\n[[token]]\nname = \"b\"\n{other}"),
            "the secret of token \"a\"",
        );
    }
}
