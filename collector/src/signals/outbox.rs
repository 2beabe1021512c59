//! Messages to webhooks that outlive the process: those not delivered yet, and which were told.
//!
//! One small file beside the log. Owns no queue and no network; every call blocks on the disk.

use super::message::Message;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Site, webhook, id of the message.
type Key<'a> = (&'a str, &'a str, &'a str);
const WAITING: TableDefinition<'_, Key<'_>, &[u8]> = TableDefinition::new("waiting");
/// Messages that are done with, and when, Unix milliseconds.
const DONE: TableDefinition<'_, Key<'_>, u64> = TableDefinition::new("done");
/// How long an id is remembered once it is done with.
pub const REMEMBERED_MS: u64 = 7 * 24 * 3_600_000;
/// Ids remembered; the oldest tenth goes when there are more.
pub const REMEMBERED_MAX: u64 = 50_000;
const CACHE_BYTES: usize = 1024 * 1024;
/// Ends the name of a file that is to take the place of this one.
const BEGUN: &str = "new";

/// A message on its way to a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Delivery {
    pub(super) site: String,
    pub(super) webhook: String,
    pub(super) message: Message,
    /// Attempts that failed.
    pub(super) attempts: u32,
}

impl Delivery {
    fn key(&self) -> Key<'_> {
        (&self.site, &self.webhook, self.message.id())
    }
}

/// What becomes of a delivery that was attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is done with.
    Done,
    /// It is attempted again.
    Again,
}

/// Why the file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the file of undelivered webhooks failed: {0}")]
pub struct OutboxError(#[from] Box<redb::Error>);

impl From<io::Error> for OutboxError {
    fn from(error: io::Error) -> Self {
        failed(error)
    }
}

fn failed(error: impl Into<redb::Error>) -> OutboxError {
    OutboxError(Box::new(error.into()))
}

/// The file.
#[derive(Debug)]
pub struct Outbox {
    database: RwLock<Database>,
    path: PathBuf,
}

impl Outbox {
    /// Opens it, making it if need be, and forgets what is too old at this time.
    ///
    /// # Errors
    /// It cannot be opened, or another process has it open.
    pub fn open(path: &Path, now_ms: u64) -> Result<Self, OutboxError> {
        // Half written when the process was killed; what it was made from is still there.
        remove(&path.with_extension(BEGUN))?;
        let database = create(path)?;
        let write = database.begin_write().map_err(failed)?;
        write.open_table(WAITING).map_err(failed)?;
        let from_ms = now_ms.saturating_sub(REMEMBERED_MS);
        let mut done = write.open_table(DONE).map_err(failed)?;
        done.retain(|_, at_ms| at_ms >= from_ms).map_err(failed)?;
        drop(done);
        write.commit().map_err(failed)?;
        Ok(Self {
            database: RwLock::new(database),
            path: path.to_owned(),
        })
    }

    /// What was not delivered yet.
    pub(super) fn waiting(&self) -> Result<Vec<Delivery>, OutboxError> {
        let database = self.database();
        let read = database.begin_read().map_err(failed)?;
        let table = read.open_table(WAITING).map_err(failed)?;
        let mut waiting = Vec::new();
        for entry in table.iter().map_err(failed)? {
            let (_, bytes) = entry.map_err(failed)?;
            match postcard::from_bytes(bytes.value()) {
                Ok(delivery) => waiting.push(delivery),
                Err(error) => tracing::error!(%error, "an undelivered webhook cannot be read"),
            }
        }
        Ok(waiting)
    }

    /// Keeps these and returns those that are new: neither waiting nor done with.
    pub(super) fn keep(&self, deliveries: Vec<Delivery>) -> Result<Vec<Delivery>, OutboxError> {
        let database = self.database();
        let mut write = database.begin_write().map_err(failed)?;
        write.set_quick_repair(true);
        let mut new = Vec::new();
        {
            let mut waiting = write.open_table(WAITING).map_err(failed)?;
            let done = write.open_table(DONE).map_err(failed)?;
            for delivery in deliveries {
                let key = delivery.key();
                let known = waiting.get(key).map_err(failed)?.is_some()
                    || done.get(key).map_err(failed)?.is_some();
                if known {
                    continue;
                }
                let bytes = postcard::to_stdvec(&delivery).unwrap_or_default();
                waiting.insert(key, bytes.as_slice()).map_err(failed)?;
                new.push(delivery);
            }
        }
        write.commit().map_err(failed)?;
        Ok(new)
    }

    /// Writes down what became of these, at this time.
    pub(super) fn settle(
        &self,
        settled: &[(Delivery, Fate)],
        now_ms: u64,
    ) -> Result<(), OutboxError> {
        let database = self.database();
        let mut write = database.begin_write().map_err(failed)?;
        write.set_quick_repair(true);
        {
            let mut waiting = write.open_table(WAITING).map_err(failed)?;
            let mut done = write.open_table(DONE).map_err(failed)?;
            for (delivery, fate) in settled {
                let key = delivery.key();
                if *fate == Fate::Done {
                    waiting.remove(key).map_err(failed)?;
                    done.insert(key, now_ms).map_err(failed)?;
                } else {
                    let bytes = postcard::to_stdvec(delivery).unwrap_or_default();
                    waiting.insert(key, bytes.as_slice()).map_err(failed)?;
                }
            }
            if done.len().map_err(failed)? > REMEMBERED_MAX {
                let mut times = Vec::new();
                for entry in done.iter().map_err(failed)? {
                    times.push(entry.map_err(failed)?.1.value());
                }
                times.sort_unstable();
                let from_ms = times.get(times.len() / 10).copied().unwrap_or_default();
                done.retain(|_, at_ms| at_ms > from_ms).map_err(failed)?;
            }
        }
        write.commit().map_err(failed)
    }

    /// Forgets messages, by site and id. What a file of a database forgets stays in it as bytes; so all
    /// the others are written into a new one.
    pub(super) fn forget(&self, theirs: impl Fn(&str, &str) -> bool) -> Result<(), OutboxError> {
        let begun = self.path.with_extension(BEGUN);
        remove(&begun)?;
        // Nobody else writes until the new one is in its place.
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let anew = create(&begun)?;
        let read = database.begin_read().map_err(failed)?;
        let write = anew.begin_write().map_err(failed)?;
        {
            let from = read.open_table(WAITING).map_err(failed)?;
            let mut to = write.open_table(WAITING).map_err(failed)?;
            for entry in from.iter().map_err(failed)? {
                let (key, bytes) = entry.map_err(failed)?;
                let (site, _, id) = key.value();
                if !theirs(site, id) {
                    to.insert(key.value(), bytes.value()).map_err(failed)?;
                }
            }
            let from = read.open_table(DONE).map_err(failed)?;
            let mut to = write.open_table(DONE).map_err(failed)?;
            for entry in from.iter().map_err(failed)? {
                let (key, at_ms) = entry.map_err(failed)?;
                let (site, _, id) = key.value();
                if !theirs(site, id) {
                    to.insert(key.value(), at_ms.value()).map_err(failed)?;
                }
            }
        }
        write.commit().map_err(failed)?;
        fs::rename(&begun, &self.path)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        drop(read);
        *database = anew;
        Ok(())
    }

    fn database(&self) -> RwLockReadGuard<'_, Database> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn create(path: &Path) -> Result<Database, OutboxError> {
    let mut builder = Database::builder();
    let database = builder.set_cache_size(CACHE_BYTES).create(path);
    database.map_err(failed)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
