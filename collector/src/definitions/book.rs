//! The definitions on disk: every version of each, in one file beside the log.
//!
//! Owns versions, who wins when two change the same, and what ClickHouse has yet to be told. Knows
//! nothing of what a definition means. A change is durable when its call returns, whether ClickHouse is
//! there or not.

use super::kind::Kind;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Definitions of one kind of one site.
pub const OF_A_KIND_MAX: usize = 500;
/// Versions of one definition.
pub const VERSIONS_MAX: u64 = 10_000;
/// Memory for pages of the file, bytes.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

type Place<'a> = (&'a str, &'a str, &'a str, u64);
/// Site, kind, id and version to a [`Version`] as JSON.
const VERSIONS: TableDefinition<'_, Place<'_>, &[u8]> = TableDefinition::new("versions");
/// Those that ClickHouse has yet to be told.
const WAITING: TableDefinition<'_, Place<'_>, ()> = TableDefinition::new("waiting");

/// Which definition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The site's id.
    pub site: String,
    /// Of which kind.
    pub kind: Kind,
    /// Its name among those.
    pub id: String,
}

/// A definition as it was from one moment on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Counts from 1.
    pub version: u64,
    /// From when on, Unix milliseconds.
    pub at_ms: u64,
    /// What it says; none: it was removed.
    pub body: Option<Value>,
}

/// What must be there for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there.
    Any,
    /// This version.
    Version(u64),
    /// Nothing.
    Nothing,
}

/// Why a definition was not changed.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// Somebody else changed it meanwhile.
    #[error("{}", conflict(*.0))]
    Conflict(Option<u64>),
    /// There is none.
    #[error("there is no such definition")]
    Unknown,
    /// No more fit.
    #[error(
        "there are {OF_A_KIND_MAX} of this kind already, or {VERSIONS_MAX} versions of this one"
    )]
    Full,
    /// The file could not be read or written.
    #[error("the file of definitions failed: {0}")]
    File(#[from] Box<redb::Error>),
}

fn conflict(current: Option<u64>) -> String {
    match current {
        Some(version) => format!("it was changed meanwhile: version {version} is there now"),
        None => "it is not there, or was removed meanwhile".into(),
    }
}

fn failed(error: impl Into<redb::Error>) -> BookError {
    BookError::File(Box::new(error.into()))
}

/// The book.
#[derive(Debug)]
pub struct Book {
    file: Database,
    /// The newest version of each, removed ones too.
    newest: Mutex<BTreeMap<Key, Version>>,
    /// Grows with each change.
    changes: watch::Sender<u64>,
}

impl Book {
    /// Opens the file, making it if need be.
    ///
    /// # Errors
    /// It cannot be opened, or another process has it open.
    pub fn open(path: &Path) -> Result<Self, BookError> {
        let mut builder = Database::builder();
        let file = builder
            .set_cache_size(CACHE_BYTES)
            .create(path)
            .map_err(failed)?;
        let write = file.begin_write().map_err(failed)?;
        write.open_table(WAITING).map_err(failed)?;
        let mut newest = BTreeMap::new();
        {
            let versions = write.open_table(VERSIONS).map_err(failed)?;
            for entry in versions.iter().map_err(failed)? {
                let (place, bytes) = entry.map_err(failed)?;
                // Versions come in order: the last one of each stays. A later kind is not ours to show.
                if let Some((key, version)) = named(place.value(), bytes.value()) {
                    newest.insert(key, version);
                }
            }
        }
        write.commit().map_err(failed)?;
        Ok(Self {
            file,
            newest: Mutex::new(newest),
            changes: watch::Sender::new(0),
        })
    }

    /// What is defined of a site now, by kind and id.
    pub fn current(&self, site: &str) -> Vec<(Key, Version)> {
        let newest = self.lock();
        let there = newest.iter().filter(|(key, _)| key.site == site);
        there
            .filter(|(_, version)| version.body.is_some())
            .map(|(key, version)| (key.clone(), version.clone()))
            .collect()
    }

    /// The newest version of each of a kind, of all sites, removed ones too.
    pub fn ever(&self, kind: Kind) -> Vec<(Key, Version)> {
        let newest = self.lock();
        let alike = newest.iter().filter(|(key, _)| key.kind == kind);
        alike
            .map(|(key, version)| (key.clone(), version.clone()))
            .collect()
    }

    /// A definition as it is now; none where there is none.
    pub fn get(&self, key: &Key) -> Option<Version> {
        self.lock()
            .get(key)
            .filter(|version| version.body.is_some())
            .cloned()
    }

    /// Every version of a definition, oldest first.
    ///
    /// # Errors
    /// The file could not be read.
    pub fn versions(&self, key: &Key) -> Result<Vec<Version>, BookError> {
        let read = self.file.begin_read().map_err(failed)?;
        let versions = read.open_table(VERSIONS).map_err(failed)?;
        let (site, kind, id) = (key.site.as_str(), key.kind.name(), key.id.as_str());
        let range = versions.range((site, kind, id, 0)..=(site, kind, id, u64::MAX));
        let mut found = Vec::new();
        for entry in range.map_err(failed)? {
            let (place, bytes) = entry.map_err(failed)?;
            found.extend(named(place.value(), bytes.value()).map(|(_, version)| version));
        }
        Ok(found)
    }

    /// Makes a new version; without a body the definition is removed. Durable when it returns.
    ///
    /// # Errors
    /// Something else is there than was expected, no more fit, or the file could not be written.
    pub fn change(
        &self,
        key: &Key,
        body: Option<Value>,
        expected: Expected,
        now_ms: u64,
    ) -> Result<Version, BookError> {
        // Held while the disk is written: changes are few, and of two only one may win.
        let mut newest = self.lock();
        let last = newest.get(key);
        let current = last
            .filter(|version| version.body.is_some())
            .map(|version| version.version);
        let as_expected = match expected {
            Expected::Any => true,
            Expected::Version(version) => current == Some(version),
            Expected::Nothing => current.is_none(),
        };
        if !as_expected {
            return Err(BookError::Conflict(current));
        }
        if body.is_none() && current.is_none() {
            return Err(BookError::Unknown);
        }
        let alike = newest
            .keys()
            .filter(|other| other.site == key.site && other.kind == key.kind);
        let version = Version {
            version: last.map_or(0, |last| last.version) + 1,
            // Time never goes back in a history.
            at_ms: now_ms.max(last.map_or(0, |last| last.at_ms)),
            body,
        };
        if version.version > VERSIONS_MAX || (last.is_none() && alike.count() >= OF_A_KIND_MAX) {
            return Err(BookError::Full);
        }
        self.write(&[(key.clone(), version.clone())], true)?;
        newest.insert(key.clone(), version.clone());
        drop(newest);
        self.changes.send_modify(|changes| *changes += 1);
        Ok(version)
    }

    /// Takes versions that ClickHouse has and the file lacks, as after its loss. Returns the definitions
    /// whose newest version is another one now.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn learn(&self, stored: Vec<(Key, Version)>) -> Result<Vec<(Key, Version)>, BookError> {
        let mut newest = self.lock();
        let mut missing = Vec::new();
        for (key, version) in stored {
            let known = self.versions(&key)?;
            if !known.iter().any(|known| known.version == version.version) {
                missing.push((key, version));
            }
        }
        self.write(&missing, false)?;
        let mut changed = BTreeMap::new();
        for (key, version) in missing {
            if newest
                .get(&key)
                .is_none_or(|last| last.version < version.version)
            {
                newest.insert(key.clone(), version.clone());
                changed.insert(key, version);
            }
        }
        Ok(changed.into_iter().collect())
    }

    /// Versions that ClickHouse has yet to be told, `max` at most.
    ///
    /// # Errors
    /// The file could not be read.
    pub fn waiting(&self, max: usize) -> Result<Vec<(Key, Version)>, BookError> {
        let read = self.file.begin_read().map_err(failed)?;
        let versions = read.open_table(VERSIONS).map_err(failed)?;
        let waiting = read.open_table(WAITING).map_err(failed)?;
        let mut found = Vec::new();
        for entry in waiting.iter().map_err(failed)?.take(max) {
            let (place, ()) = entry
                .map(|(place, none)| (place, none.value()))
                .map_err(failed)?;
            if let Some(bytes) = versions.get(place.value()).map_err(failed)? {
                found.extend(named(place.value(), bytes.value()));
            }
        }
        Ok(found)
    }

    /// ClickHouse has these.
    ///
    /// # Errors
    /// The file could not be written; it may be said again.
    pub fn stored(&self, versions: &[(Key, Version)]) -> Result<(), BookError> {
        let write = self.file.begin_write().map_err(failed)?;
        {
            let mut waiting = write.open_table(WAITING).map_err(failed)?;
            for (key, version) in versions {
                waiting.remove(place(key, version)).map_err(failed)?;
            }
        }
        write.commit().map_err(failed)
    }

    /// Tells when something has changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn write(&self, versions: &[(Key, Version)], waits: bool) -> Result<(), BookError> {
        let write = self.file.begin_write().map_err(failed)?;
        {
            let mut table = write.open_table(VERSIONS).map_err(failed)?;
            let mut waiting = write.open_table(WAITING).map_err(failed)?;
            for (key, version) in versions {
                let bytes = serde_json::to_vec(version).unwrap_or_default();
                table
                    .insert(place(key, version), bytes.as_slice())
                    .map_err(failed)?;
                if waits {
                    waiting.insert(place(key, version), ()).map_err(failed)?;
                }
            }
        }
        write.commit().map_err(failed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Version>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place<'a>(key: &'a Key, version: &Version) -> Place<'a> {
    (&key.site, key.kind.name(), &key.id, version.version)
}

fn named((site, kind, id, _): Place<'_>, bytes: &[u8]) -> Option<(Key, Version)> {
    let key = Key {
        site: site.into(),
        kind: Kind::by_name(kind)?,
        id: id.into(),
    };
    Some((key, serde_json::from_slice(bytes).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(id: &str) -> Key {
        Key {
            site: "shop".into(),
            kind: Kind::Page,
            id: id.into(),
        }
    }

    #[test]
    fn a_version_is_kept_for_ever_and_of_two_changes_one_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("definitions.redb");
        let (one, two) = (json!({"name": "1"}), json!({"name": "2"}));
        {
            let book = Book::open(&path).unwrap();
            let first = book
                .change(&key("a"), Some(one.clone()), Expected::Nothing, 10)
                .unwrap();
            assert_eq!((first.version, first.at_ms), (1, 10));
            let again = book.change(&key("a"), Some(two.clone()), Expected::Nothing, 11);
            assert!(matches!(again, Err(BookError::Conflict(Some(1)))));
            let second = book
                .change(&key("a"), Some(two.clone()), Expected::Version(1), 9)
                .unwrap();
            assert_eq!((second.version, second.at_ms), (2, 10));
            let late = book.change(&key("a"), Some(one.clone()), Expected::Version(1), 12);
            assert!(matches!(late, Err(BookError::Conflict(Some(2)))));
            assert_eq!(book.waiting(9).unwrap().len(), 2);
            book.stored(&[(key("a"), first)]).unwrap();
        }
        let book = Book::open(&path).unwrap();
        assert_eq!(book.get(&key("a")).unwrap().body, Some(two));
        assert_eq!(book.waiting(9).unwrap()[0].1.version, 2);
        book.change(&key("a"), None, Expected::Any, 13).unwrap();
        assert_eq!(book.get(&key("a")), None);
        assert!(book.current("shop").is_empty());
        assert!(matches!(
            book.change(&key("a"), None, Expected::Any, 14),
            Err(BookError::Unknown)
        ));
        let versions = book.versions(&key("a")).unwrap();
        assert_eq!(
            versions
                .iter()
                .map(|version| version.version)
                .collect::<Vec<_>>(),
            [1, 2, 3]
        );
        // A removed one may come back, and counts on.
        assert_eq!(
            book.change(&key("a"), Some(one), Expected::Nothing, 15)
                .unwrap()
                .version,
            4
        );
    }

    #[test]
    fn what_clickhouse_has_and_the_file_lost_is_learnt() {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::open(&folder.path().join("definitions.redb")).unwrap();
        let stored = |version| Version {
            version,
            at_ms: version * 10,
            body: Some(json!({ "name": version })),
        };
        book.change(&key("b"), Some(json!({"name": "own"})), Expected::Any, 5)
            .unwrap();
        let told = vec![
            (key("a"), stored(1)),
            (key("a"), stored(2)),
            (key("b"), stored(1)),
        ];
        let changed = book.learn(told.clone()).unwrap();
        assert_eq!(changed, [(key("a"), stored(2))]);
        assert_eq!(
            book.get(&key("b")).unwrap().body,
            Some(json!({"name": "own"}))
        );
        assert_eq!(book.versions(&key("a")).unwrap().len(), 2);
        assert!(book.learn(told).unwrap().is_empty());
        // Only what was made here waits for ClickHouse.
        assert_eq!(book.waiting(9).unwrap().len(), 1);
    }
}
