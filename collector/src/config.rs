//! What an operator can set: the command line for how the process runs, one TOML file for what it
//! serves. Parsed once in `main`; each part is handed only its own piece.

mod alerts;
mod retention;
mod rule;
mod token;
mod webhook;

pub use alerts::{ALERTS_MAX, Alert, Alerts};
pub use retention::{RETENTION_DAYS_MAX, RETENTION_DAYS_MIN, Retention};
pub use rule::{
    HELD_OUT, RULE_EVERY_MAX, RULE_PREFIX, RULE_SPAN_MAX, RULES_MAX, Rule, SHOWN, rule_experiment,
};
pub(crate) use token::digest;
pub use token::{Scope, Scopes, TOKENS_MAX, Token};
pub use webhook::{SECRET_PREFIX, WEBHOOKS_MAX, Webhook};

use crate::row::Kind;
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;
use upriver_wire::limits::PROPS_MAX;

/// Most sites in one file.
pub const SITES_MAX: usize = 1_000;
/// Most funnels of one site.
pub const FUNNELS_MAX: usize = 50;
/// Most experiments of one site that are planned.
pub const EXPERIMENTS_MAX: usize = 200;
/// Most variants of one planned experiment.
pub const EXPERIMENT_VARIANTS_MAX: usize = 20;
/// Fewest and most steps of a funnel.
pub const STEPS_MIN: usize = 2;
/// See [`STEPS_MIN`].
pub const STEPS_MAX: usize = 12;
/// Longest window of a funnel.
pub const FUNNEL_WINDOW_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// The sites file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sites {
    /// The sites.
    #[serde(rename = "site")]
    pub sites: Vec<Site>,
    /// For how long rows are kept, of all of them.
    #[serde(default)]
    pub retention: Retention,
    /// Tokens that reach several sites. Once read they are among the tokens of each.
    #[serde(default, rename = "token")]
    pub tokens: Vec<Token>,
}

/// One site whose pages may send events.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Short name, used in every row: `shop`.
    pub id: String,
    /// Name for people; the id when absent.
    #[serde(default)]
    pub name: String,
    /// Public key its pages send with. It allows writing to this site and nothing else.
    pub write_key: String,
    /// Secret that programs read this site with, as `Authorization: Bearer …`.
    #[serde(default)]
    pub read_token: Option<SecretString>,
    /// Secret that programs send signals to its visitors' pages with. It reads nothing.
    #[serde(default)]
    pub signal_token: Option<SecretString>,
    /// Secret that the site's servers tell events with. It reads nothing.
    #[serde(default)]
    pub import_token: Option<SecretString>,
    /// Secret that programs define funnels, rules and releases with. It reads them too, and nothing
    /// else.
    #[serde(default)]
    pub admin_token: Option<SecretString>,
    /// Secret that programs export and erase single visitors with.
    #[serde(default)]
    pub privacy_token: Option<SecretString>,
    /// Secrets with scopes of their own.
    #[serde(default, rename = "token")]
    pub tokens: Vec<Token>,
    /// Origins its pages are served from: `https://shop.example`. Empty: any origin.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Where its pages live, for drawing heat maps over them: `https://shop.example`.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Its funnels.
    #[serde(default, rename = "funnel")]
    pub funnels: Vec<Funnel>,
    /// Its experiments, where the shares of their variants are not equal or the control is not the
    /// first by name.
    #[serde(default, rename = "experiment")]
    pub experiments: Vec<Experiment>,
    /// Its releases, of those that were defined through the API; the file has none.
    #[serde(skip)]
    pub releases: Vec<Release>,
    /// Whether it is watched, and who is told of everything.
    #[serde(default)]
    pub alerts: Alerts,
    /// Who is told of what.
    #[serde(default)]
    pub alert: Vec<Alert>,
    /// Other systems that are told of alerts.
    #[serde(default, rename = "webhook")]
    pub webhooks: Vec<Webhook>,
    /// When visitors are told something.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// A version of a site that went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Id of its definition.
    pub id: String,
    /// As events carry it.
    pub name: String,
    /// When it went out, Unix milliseconds.
    pub at_ms: u64,
}

/// An experiment as it is planned.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Its name in exposures: `buy-button`.
    pub id: String,
    /// Its variants, the control first.
    #[serde(rename = "variant")]
    pub variants: Vec<Variant>,
}

/// A variant as it is planned.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name in exposures: `green`.
    pub name: String,
    /// Its part of the visitors, beside those of the other variants: 50, 1, 0.5.
    pub share: f64,
}

/// A funnel.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Funnel {
    /// Short name: `checkout`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Time within which all steps must follow the first: `30m`.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
    /// Its steps, in order.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
    /// Events that must not happen from the first step to the last one reached.
    #[serde(default, rename = "exclude", skip_serializing_if = "Vec::is_empty")]
    pub excludes: Vec<Step>,
}

/// One step of a funnel or rule, or what must not happen: every condition that is given must hold.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Name for people; those of a funnel have one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What kind of event: `page_view`, `press`, `hesitation`, `custom`, `conversion`, …
    #[serde(deserialize_with = "kind_by_name", serialize_with = "kind_as_name")]
    pub kind: Kind,
    /// Path of the page; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Element id, 16 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<String>,
    /// Name of a custom event or conversion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Properties it must have, each with this text as its value; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub props: BTreeMap<String, String>,
    /// How often, as a step of a rule; else once.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: usize,
}

fn once() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_once(times: &usize) -> bool {
    *times == once()
}

impl Step {
    /// Checks what the types cannot say.
    fn check(&self) -> Result<(), String> {
        if self.props.len() > PROPS_MAX {
            return Err(format!("at most {PROPS_MAX} props are possible"));
        }
        let hex = |id: &String| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit());
        if !self.element.as_ref().is_none_or(hex) {
            return Err("element must be 16 hexadecimal digits".into());
        }
        Ok(())
    }
}

impl Funnel {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// The reason, for a person.
    pub fn check(&self) -> Result<(), String> {
        if !(STEPS_MIN..=STEPS_MAX).contains(&self.steps.len()) {
            return Err(format!(
                "funnel {:?} has {} steps; {STEPS_MIN} to {STEPS_MAX} are possible",
                self.id,
                self.steps.len()
            ));
        }
        if self.window.is_zero() || self.window > FUNNEL_WINDOW_MAX {
            return Err(format!(
                "funnel {:?}: window must be between 1ms and 30d",
                self.id
            ));
        }
        if self.excludes.len() > STEPS_MAX {
            return Err(format!(
                "funnel {:?} has {} exclusions; at most {STEPS_MAX} are possible",
                self.id,
                self.excludes.len()
            ));
        }
        for step in self.steps.iter().chain(&self.excludes) {
            let wrong = |reason| format!("funnel {:?}, step {:?}: {reason}", self.id, step.name);
            step.check().map_err(wrong)?;
            if step.name.is_empty() {
                return Err(wrong("a step has a name".into()));
            }
            if step.times != 1 {
                return Err(wrong("times is for rules".into()));
            }
        }
        Ok(())
    }
}

fn kind_as_name<S: Serializer>(kind: &Kind, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(kind.name())
}

/// Reads a kind by the name it has in the column `kind`.
fn kind_by_name<'de, D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
    let name = String::deserialize(from)?;
    let found = Kind::ALL.iter().find(|kind| kind.name() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        let names = names.join(", ");
        D::Error::custom(format!("there is no kind {name:?}; allowed: {names}"))
    })
}

/// Why the sites file was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It could not be read.
    #[error("cannot read the sites file {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML of the right shape.
    #[error("the sites file {path} is not valid: {source}")]
    Parse {
        /// The file.
        path: String,
        /// What and where.
        source: Box<toml::de::Error>,
    },
    /// It says something that cannot be.
    #[error("the sites file {path} is not valid: {reason}")]
    Invalid {
        /// The file.
        path: String,
        /// What.
        reason: String,
    },
}

impl Sites {
    /// Reads and checks a sites file.
    ///
    /// # Errors
    /// Unreadable, not TOML, unknown fields, or a rule of [`Sites::check`] broken.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.display().to_string(),
            source,
        })?;
        Self::parse(&text, path, |variable| std::env::var(variable).ok())
    }

    fn parse(
        text: &str,
        path: &Path,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let path = path.display().to_string();
        let mut sites: Self = toml::from_str(text).map_err(|source| ConfigError::Parse {
            path: path.clone(),
            source: Box::new(source),
        })?;
        let checked = token::look_up(&mut sites, env).and_then(|()| sites.check());
        checked.map_err(|reason| ConfigError::Invalid { path, reason })?;
        token::spread(&mut sites);
        Ok(sites)
    }

    /// Checks what the types cannot say; the error names the offending entry.
    ///
    /// # Errors
    /// The reason, for a person.
    pub fn check(&self) -> Result<(), String> {
        if self.sites.is_empty() || self.sites.len() > SITES_MAX {
            return Err(format!(
                "{} sites: between 1 and {SITES_MAX} are possible",
                self.sites.len()
            ));
        }
        self.retention.check()?;
        let (mut ids, mut keys) = (HashSet::new(), HashSet::new());
        for site in &self.sites {
            site.check()
                .map_err(|reason| format!("site {:?}: {reason}", site.id))?;
            if !ids.insert(&site.id) {
                return Err(format!("site {:?} is there twice", site.id));
            }
            if !keys.insert(&site.write_key) {
                return Err(format!(
                    "site {:?} has the write key of another site",
                    site.id
                ));
            }
        }
        token::check(self, plain)
    }
}

/// Whether a text may name something: 1 to 64 letters, digits, `-` and `_`.
fn plain(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

impl Site {
    fn check(&self) -> Result<(), String> {
        if !plain(&self.id) {
            return Err("its id must be 1 to 64 letters, digits, - or _".into());
        }
        if !plain(&self.write_key) || self.write_key.len() < 8 {
            return Err("its write_key must be 8 to 64 letters, digits, - or _".into());
        }
        for origin in &self.origins {
            let rest = origin
                .strip_prefix("https://")
                .or_else(|| origin.strip_prefix("http://"));
            if !rest.is_some_and(|host| !host.is_empty() && !host.contains('/')) {
                return Err(format!(
                    "origin {origin:?} must look like https://shop.example"
                ));
            }
        }
        if self.funnels.len() > FUNNELS_MAX {
            return Err(format!(
                "{} funnels; at most {FUNNELS_MAX} are possible",
                self.funnels.len()
            ));
        }
        let mut ids = HashSet::new();
        for funnel in &self.funnels {
            if !plain(&funnel.id) || !ids.insert(&funnel.id) {
                return Err(format!(
                    "funnel id {:?} is empty, odd, or there twice",
                    funnel.id
                ));
            }
            funnel.check()?;
        }
        webhook::check(&self.webhooks, plain)?;
        alerts::check(self)?;
        rule::check(self)?;
        self.check_experiments()
    }

    fn check_experiments(&self) -> Result<(), String> {
        if self.experiments.len() > EXPERIMENTS_MAX {
            return Err(format!(
                "{} experiments; at most {EXPERIMENTS_MAX} can be planned",
                self.experiments.len()
            ));
        }
        let mut ids = HashSet::new();
        for experiment in &self.experiments {
            let (id, variants) = (&experiment.id, &experiment.variants);
            if id.is_empty() || !ids.insert(id) {
                return Err(format!("experiment id {id:?} is empty or there twice"));
            }
            if !(2..=EXPERIMENT_VARIANTS_MAX).contains(&variants.len()) {
                return Err(format!(
                    "experiment {id:?} has {} variants; 2 to {EXPERIMENT_VARIANTS_MAX} are possible",
                    variants.len()
                ));
            }
            let mut names = HashSet::new();
            for variant in variants {
                if !names.insert(&variant.name) {
                    return Err(format!(
                        "experiment {id:?}: variant {:?} is there twice",
                        variant.name
                    ));
                }
                if !(variant.share.is_finite() && variant.share > 0.0) {
                    return Err(format!(
                        "experiment {id:?}, variant {:?}: share must be above 0",
                        variant.name
                    ));
                }
            }
        }
        Ok(())
    }

    /// Its experiments, and those that its rules with a holdout are.
    pub fn planned(&self) -> Vec<Experiment> {
        let rules = self.rules.iter().filter_map(Rule::plan);
        self.experiments.iter().cloned().chain(rules).collect()
    }

    /// The name for people.
    pub fn display_name(&self) -> &str {
        if self.name.is_empty() {
            &self.id
        } else {
            &self.name
        }
    }
}
