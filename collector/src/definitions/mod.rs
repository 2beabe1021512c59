//! Definitions that are made and changed while the collector runs: funnels, releases, annotations,
//! pages of interest.
//!
//! Owns the way of a change: onto the disk, into the live engine, and in its own time into ClickHouse.
//! [`book`] keeps versions, [`kind`] knows what each must say, [`told`] speaks with ClickHouse. Knows no
//! HTTP. Those in the sites file are not here: they are changed there.

pub mod book;
pub mod kind;
mod told;

use crate::clock::now_ms;
use crate::config::{FUNNELS_MAX, Site};
use crate::live::{Live, LiveError};
use book::{Book, BookError, Expected, Key, Version};
use kind::Kind;
use serde_json::Value;
use std::collections::HashSet;
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
    /// The site has as many funnels as are possible.
    #[error("the site has {FUNNELS_MAX} funnels already")]
    TooManyFunnels,
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
    /// Site and id of the funnels in the sites file.
    in_file: Arc<HashSet<(String, String)>>,
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

impl Definitions {
    /// Of a book, beside the funnels that the sites file has by itself. The [`Teller`] must run for
    /// funnels to get their past.
    pub fn new(book: Arc<Book>, in_file: &[Site], live: Live) -> (Self, Teller) {
        let (recounts, asked) = mpsc::channel(RECOUNTS_MAX);
        let funnels = in_file.iter().flat_map(|site| {
            site.funnels
                .iter()
                .map(|funnel| (site.id.clone(), funnel.id.clone()))
        });
        let definitions = Self {
            book,
            live,
            in_file: Arc::new(funnels.collect()),
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
        let place = (key.site.clone(), key.id.clone());
        key.kind == Kind::Funnel && self.in_file.contains(&place)
    }

    /// Defines something anew, or without a body removes it. It is on disk when this returns, and the live
    /// engine counts by it; a funnel's numbers are incomplete until its past has been read.
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
            return Err(DefineError::InFile(format!("funnel {:?}", key.id)));
        }
        let body = match body {
            Some(body) => Some(
                key.kind
                    .check(&key.id, &body, now_ms)
                    .map_err(DefineError::Invalid)?,
            ),
            None => None,
        };
        let _order = self.order.lock().await;
        if key.kind == Kind::Funnel && body.is_some() && self.book.get(&key).is_none() {
            let index = self.live.index(&key.site);
            if index.is_some_and(|index| index.funnels.len() >= FUNNELS_MAX) {
                return Err(DefineError::TooManyFunnels);
            }
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

    /// Tells the live engine of a new version.
    async fn apply(&self, key: &Key, version: &Version) -> Result<(), LiveError> {
        let body = version.body.as_ref();
        if key.kind == Kind::Release {
            let release = body.and_then(|body| kind::release(&key.id, body));
            let site = key.site.as_str().into();
            return self.live.define_release(site, &key.id, release).await;
        }
        if key.kind != Kind::Funnel || self.is_in_file(key) {
            return Ok(());
        }
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
