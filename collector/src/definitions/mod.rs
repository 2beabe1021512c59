//! Definitions that are made and changed while the collector runs: funnels, rules, alerts,
//! releases, annotations, pages of interest.
//!
//! Owns the way of a change: onto the disk, to whoever counts or fires by it, and in its own time into ClickHouse.
//! [`book`] keeps versions, [`kind`] knows what each must say, [`told`] speaks with ClickHouse. Knows no
//! HTTP. Those in the sites file are changed there; [`in_file`] tells them.

pub mod book;
pub mod in_file;
pub mod kind;
mod told;

use crate::clock::now_ms;
use crate::config::{ALERTS_MAX, Alert, FUNNELS_MAX, RULES_MAX, Rule, Site};
use crate::live::{Live, LiveError};
use crate::signals::firing::{Rules, Worker};
use book::{Book, BookError, Expected, Key, Version};
use kind::Kind;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Mutex, mpsc};

pub use told::{Surroundings, Teller};

/// File in the data folder.
const FILE: &str = "definitions.redb";
/// Funnels whose past waits to be read.
const RECOUNTS_MAX: usize = 1_000;

/// Why a definition was not changed.
#[derive(Debug, thiserror::Error)]
pub enum DefineError {
    /// It does not say what its kind must.
    #[error("{0}")]
    Invalid(String),
    /// It stands in the sites file.
    #[error("{0} stands in the sites file; change it there")]
    InFile(String),
    /// The site has as many of this kind as are possible.
    #[error("the site has {1} {0}s already")]
    TooMany(&'static str, usize),
    /// The sites file has no such site.
    #[error("there is no such site")]
    UnknownSite,
    /// See [`BookError`].
    #[error(transparent)]
    Book(#[from] BookError),
    /// The live engine has ended.
    #[error(transparent)]
    Live(#[from] LiveError),
}

/// A funnel whose past is to be read.
#[derive(Clone, Debug)]
struct Recount {
    site: Arc<str>,
    id: String,
    generation: u64,
    /// Names of the kinds of events that its steps are made of.
    kinds: Vec<&'static str>,
}

/// The definitions of all sites. Cheap to clone.
#[derive(Clone)]
pub struct Definitions {
    book: Arc<Book>,
    live: Live,
    rules: Rules,
    /// What the sites file says.
    in_file: Arc<Vec<Site>>,
    /// One change at a time: disk and live engine must agree on which came last.
    order: Arc<Mutex<()>>,
    generations: Arc<AtomicU64>,
    recounts: mpsc::Sender<Recount>,
}

/// Opens the file of definitions in a data folder, and puts the funnels it holds beside those of the
/// sites file. One that cannot be counted any more is left out, and said.
///
/// # Errors
/// The file cannot be opened.
pub fn open(data: &Path, sites: &[Site]) -> Result<(Arc<Book>, Vec<Site>), BookError> {
    let book = Book::open(&data.join(FILE))?;
    let sites = with_defined(&book, sites);
    Ok((Arc::new(book), sites))
}

/// These sites with the funnels and releases that are defined now beside those they have by themselves.
pub(crate) fn with_defined(book: &Book, sites: &[Site]) -> Vec<Site> {
    let mut sites = sites.to_vec();
    for site in &mut sites {
        for (key, version) in book.current(&site.id) {
            let Some(body) = version.body else {
                continue;
            };
            if key.kind == Kind::Release {
                site.releases.extend(kind::release(&key.id, &body));
            }
            if key.kind != Kind::Funnel {
                continue;
            }
            let taken = site.funnels.iter().any(|funnel| funnel.id == key.id);
            match kind::funnel(&key.id, &body) {
                Ok(funnel) if !taken && site.funnels.len() < FUNNELS_MAX => {
                    site.funnels.push(funnel)
                }
                Ok(_) => tracing::warn!(
                    site = site.id,
                    funnel = key.id,
                    "a funnel of the sites file is in its place"
                ),
                Err(error) => tracing::error!(
                    site = site.id,
                    funnel = key.id,
                    error,
                    "a funnel that was defined cannot be counted"
                ),
            }
        }
    }
    sites
}

/// Has the rules that a book defines, beside those of the sites file, from the beginning: each as it is now,
/// and of the removed ones whom they have told. One that cannot be at work is left out, and said.
///
/// # Errors
/// The file cannot be read, or the live engine has ended.
pub async fn restore_rules(
    book: &Book,
    in_file: &[Site],
    live: &Live,
    worker: &mut Worker,
) -> Result<(), DefineError> {
    for (key, newest) in book.ever(Kind::Rule) {
        let Some(site) = in_file.iter().find(|site| site.id == key.site) else {
            continue;
        };
        if in_file_rule(site, &key.id) {
            tracing::warn!(
                site = key.site,
                rule = key.id,
                "a rule of the sites file is in its place"
            );
            continue;
        }
        let removed = newest.body.is_none();
        let last = match newest.body {
            Some(body) => Some(body),
            None => (book.versions(&key)?.into_iter().rev()).find_map(|version| version.body),
        };
        let Some(body) = last else { continue };
        let rule = match kind::rule(&key.id, &body) {
            Ok(rule) => rule,
            Err(error) => {
                tracing::error!(
                    site = key.site,
                    rule = key.id,
                    error,
                    "a rule that was defined is not at work"
                );
                continue;
            }
        };
        if let Err(error) = rule.check(site) {
            tracing::warn!(
                site = key.site,
                rule = key.id,
                error,
                "a rule that was defined no longer fits the sites file"
            );
        }
        plan(live, &key.site, &rule).await?;
        worker.defined(&key.site, &rule, newest.at_ms, removed);
    }
    Ok(())
}

/// Who is told of what is wrong with a site now: as the sites file says it, and as is defined.
pub(crate) fn alerts(book: &Book, site: &Site) -> Vec<Alert> {
    let mut alerts = site.alert.clone();
    for (key, version) in book.current(&site.id) {
        if key.kind != Kind::Alert || site.alert.iter().any(|alert| alert.id == key.id) {
            continue;
        }
        match kind::alert(&key.id, &version.body.unwrap_or_default()) {
            Ok(alert) => alerts.push(alert),
            Err(error) => tracing::error!(
                site = site.id,
                alert = key.id,
                error,
                "an alert that was defined tells nobody"
            ),
        }
    }
    alerts
}

fn in_file_rule(site: &Site, id: &str) -> bool {
    site.rules.iter().any(|rule| rule.id == id)
}

/// What a rule leaves out is an experiment with planned shares.
async fn plan(live: &Live, site: &str, rule: &Rule) -> Result<(), LiveError> {
    live.plan(site.into(), rule.experiment(), rule.plan()).await
}

impl Definitions {
    /// Of a book, beside what the sites file has by itself. The [`Teller`] must run for funnels to get
    /// their past.
    pub fn new(book: Arc<Book>, in_file: &[Site], live: Live, rules: Rules) -> (Self, Teller) {
        let (recounts, asked) = mpsc::channel(RECOUNTS_MAX);
        let definitions = Self {
            book,
            live,
            rules,
            in_file: Arc::new(in_file.to_vec()),
            order: Arc::default(),
            generations: Arc::new(AtomicU64::new(1)),
            recounts,
        };
        let teller = Teller::new(definitions.clone(), asked);
        (definitions, teller)
    }

    /// The book, to read in.
    pub fn book(&self) -> &Arc<Book> {
        &self.book
    }

    /// Whether a definition stands in the sites file.
    pub fn is_in_file(&self, key: &Key) -> bool {
        self.site(&key.site).is_some_and(|site| match key.kind {
            Kind::Funnel => site.funnels.iter().any(|funnel| funnel.id == key.id),
            Kind::Rule => in_file_rule(site, &key.id),
            Kind::Alert => site.alert.iter().any(|alert| alert.id == key.id),
            Kind::Release | Kind::Annotation | Kind::Page => false,
        })
    }

    fn site(&self, id: &str) -> Option<&Site> {
        self.in_file.iter().find(|site| site.id == id)
    }

    /// Whether one more of a kind fits beside those there are.
    fn has_room(&self, key: &Key) -> Result<(), DefineError> {
        let (max, there) = match key.kind {
            Kind::Funnel => {
                let index = self.live.index(&key.site);
                (FUNNELS_MAX, index.map_or(0, |index| index.funnels.len()))
            }
            Kind::Rule => (RULES_MAX, self.count(key, |site| site.rules.len())),
            Kind::Alert => (ALERTS_MAX, self.count(key, |site| site.alert.len())),
            Kind::Release | Kind::Annotation | Kind::Page => return Ok(()),
        };
        if there >= max {
            return Err(DefineError::TooMany(key.kind.name(), max));
        }
        Ok(())
    }

    /// How many of the kind of a key its site has, with those of the sites file.
    fn count(&self, key: &Key, in_file: impl Fn(&Site) -> usize) -> usize {
        let defined = self.book.current(&key.site).into_iter();
        let defined =
            defined.filter(|(other, _)| other.kind == key.kind && !self.is_in_file(other));
        self.site(&key.site).map_or(0, in_file) + defined.count()
    }

    /// Whether what an alert names is there: funnels come and go, so only who defines one is told.
    fn check_alert(&self, site: &Site, alert: &Alert) -> Result<(), DefineError> {
        if !site.alerts.enabled {
            return Err(DefineError::InFile("alerts: enabled = false".into()));
        }
        let index = self.live.index(&site.id);
        let funnels = index.into_iter().flat_map(|index| index.funnels);
        let known: Vec<String> = funnels.map(|(id, _)| id).collect();
        match &alert.funnel {
            Some(funnel) if !known.contains(funnel) => Err(DefineError::Invalid(format!(
                "funnel: the site has no funnel {funnel:?}"
            ))),
            _ => Ok(()),
        }
    }

    /// Defines something anew, or without a body removes it. It is on disk when this returns, and at work: the
    /// live engine counts by it, events from now on are held against it; a funnel's numbers are incomplete until its past has been read.
    ///
    /// # Errors
    /// See [`DefineError`]; nothing was changed then.
    pub async fn change(
        &self,
        key: Key,
        body: Option<Value>,
        expected: Expected,
    ) -> Result<Version, DefineError> {
        let now_ms = now_ms();
        if self.is_in_file(&key) {
            let kind = key.kind.name();
            return Err(DefineError::InFile(format!("{kind} {:?}", key.id)));
        }
        let site = self.site(&key.site).ok_or(DefineError::UnknownSite)?;
        let body = match body {
            Some(body) => Some(
                key.kind
                    .check(&key.id, &body, (site, now_ms))
                    .map_err(DefineError::Invalid)?,
            ),
            None => None,
        };
        if let (Kind::Alert, Some(body)) = (key.kind, &body) {
            let alert = kind::alert(&key.id, body).map_err(DefineError::Invalid)?;
            self.check_alert(site, &alert)?;
        }
        let _order = self.order.lock().await;
        if body.is_some() && self.book.get(&key).is_none() {
            self.has_room(&key)?;
        }
        let (book, kept) = (self.book.clone(), key.clone());
        let write = move || book.change(&kept, body, expected, now_ms);
        // A write to the disk holds up nobody else.
        let version = tokio::task::spawn_blocking(write)
            .await
            .map_err(|_| LiveError::Stopped)??;
        self.apply(&key, &version).await?;
        Ok(version)
    }

    /// Tells whoever works by it of a new version.
    async fn apply(&self, key: &Key, version: &Version) -> Result<(), LiveError> {
        if self.is_in_file(key) {
            return Ok(());
        }
        let body = version.body.as_ref();
        match key.kind {
            Kind::Funnel => self.apply_funnel(key, body).await,
            Kind::Rule => self.apply_rule(key, version).await,
            Kind::Release => {
                let release = body.and_then(|body| kind::release(&key.id, body));
                let site = key.site.as_str().into();
                self.live.define_release(site, &key.id, release).await
            }
            // Whoever tells of alerts reads them from the book each time.
            Kind::Alert | Kind::Annotation | Kind::Page => Ok(()),
        }
    }

    async fn apply_rule(&self, key: &Key, version: &Version) -> Result<(), LiveError> {
        let body = version.body.as_ref();
        let Some(rule) = body.and_then(|body| kind::rule(&key.id, body).ok()) else {
            // Its plan stays: who was told, and who was not, is compared as long as that is counted.
            self.rules.remove(&key.site, &key.id).await;
            return Ok(());
        };
        // Before anybody can be told: shares are known when they are looked at.
        plan(&self.live, &key.site, &rule).await?;
        self.rules.define(&key.site, &rule, version.at_ms).await;
        Ok(())
    }

    async fn apply_funnel(&self, key: &Key, body: Option<&Value>) -> Result<(), LiveError> {
        let funnel = body.and_then(|body| kind::funnel(&key.id, body).ok());
        let generation = self.generations.fetch_add(1, Ordering::Relaxed);
        let site: Arc<str> = key.site.as_str().into();
        let kinds = funnel.as_ref().map(|funnel| {
            let steps = funnel.steps.iter().chain(&funnel.excludes);
            steps.map(|step| step.kind.name()).collect()
        });
        self.live
            .define(site.clone(), &key.id, funnel, generation)
            .await?;
        if let Some(kinds) = kinds {
            let id = key.id.clone();
            // It cannot be full: a site has few funnels, and those waited for are read one by one.
            let recount = Recount {
                site,
                id,
                generation,
                kinds,
            };
            if self.recounts.try_send(recount).is_err() {
                tracing::error!(
                    site = key.site,
                    funnel = key.id,
                    "its past will be read at the next start only"
                );
            }
        }
        Ok(())
    }
}
