//! Small state that outlives the process beside the log: streams and the checkpoint, in one file.

use crate::ingest::StreamChanges;
use crate::ingest::dedup::{Stream, StreamKey};
use crate::ingest::imported::EventKey;
use crate::ingest::record::Seal;
use crate::ingest::recovery::{Mark, Remembered};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const STREAMS: TableDefinition<'_, (u64, u128), &[u8]> = TableDefinition::new("streams");
/// Day, site and id of each imported event, sorted so that an old day is one range.
const IMPORTED: TableDefinition<'_, (u32, u64, u128), ()> = TableDefinition::new("imported");
const CHECKPOINT: TableDefinition<'_, &str, (u64, u64, u64)> = TableDefinition::new("checkpoint");
/// What was erased: id of the order, and the receipt as JSON.
const RECEIPTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("receipts");
const NEWEST: &str = "newest";
const MARK: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("mark");
/// Memory for pages of the file, bytes. It is read once and written every few seconds.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the state file failed: {0}")]
pub struct StateError(#[from] Box<redb::Error>);

fn failed(error: impl Into<redb::Error>) -> StateError {
    StateError(Box::new(error.into()))
}

/// The state file.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    /// Empty after it failed, until it is opened again: it writes nothing after a failed write.
    database: Mutex<Option<Arc<Database>>>,
}

impl State {
    /// Opens the file, making it if need be.
    ///
    /// # Errors
    /// It cannot be opened, or another process has it open.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        Ok(Self {
            path: path.to_owned(),
            database: Mutex::new(Some(Arc::new(open(path)?))),
        })
    }

    fn with<T>(
        &self,
        act: impl FnOnce(&Database) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        // Not held while it acts: readers do not wait for a writer's disk.
        let mut held = self.lock();
        let database = match &*held {
            Some(database) => database.clone(),
            None => Arc::new(open(&self.path)?),
        };
        *held = Some(database.clone());
        drop(held);
        let result = act(&database);
        if result.is_err() {
            self.lock().take();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Database>>> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was remembered at the last checkpoint.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn remembered(&self) -> Result<Remembered, StateError> {
        self.with(read)
    }

    /// Which of these imported events were remembered at the last checkpoint.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn imported(&self, keys: &[EventKey]) -> Result<Vec<bool>, StateError> {
        self.with(|database| {
            let read = database.begin_read().map_err(failed)?;
            let imported = read.open_table(IMPORTED).map_err(failed)?;
            let known = |key: &EventKey| {
                let found = imported.get((key.day, key.site, key.id)).map_err(failed)?;
                Ok(found.is_some())
            };
            keys.iter().map(known).collect()
        })
    }

    /// The receipts of all erasures, in no order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn receipts(&self) -> Result<Vec<Vec<u8>>, StateError> {
        self.with(|database| {
            let read = database.begin_read().map_err(failed)?;
            let receipts = read.open_table(RECEIPTS).map_err(failed)?;
            let receipts = receipts.iter().map_err(failed)?;
            let bytes = receipts.map(|entry| Ok(entry.map_err(failed)?.1.value().to_vec()));
            bytes.collect()
        })
    }

    /// One receipt, by the id of its order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn receipt(&self, id: &str) -> Result<Option<Vec<u8>>, StateError> {
        self.with(|database| {
            let read = database.begin_read().map_err(failed)?;
            let receipts = read.open_table(RECEIPTS).map_err(failed)?;
            let receipt = receipts.get(id).map_err(failed)?;
            Ok(receipt.map(|bytes| bytes.value().to_vec()))
        })
    }

    /// Keeps the receipt of an erasure. Durable when it returns.
    ///
    /// # Errors
    /// The file cannot be written; it may be tried again.
    pub fn keep_receipt(&self, id: &str, receipt: &[u8]) -> Result<(), StateError> {
        self.with(|database| {
            let mut write = database.begin_write().map_err(failed)?;
            write.set_quick_repair(true);
            write
                .open_table(RECEIPTS)
                .map_err(failed)?
                .insert(id, receipt)
                .map_err(failed)?;
            write.commit().map_err(failed)
        })
    }

    /// Remembers streams and the place in the log they stand for, and that all tables have
    /// everything up to and with `seal`. Durable when it returns.
    ///
    /// # Errors
    /// The file cannot be written; nothing was changed then, and it may be tried again.
    pub fn checkpoint(
        &self,
        seal: Seal,
        mark: &Mark,
        changes: &StreamChanges,
    ) -> Result<(), StateError> {
        self.with(|database| write(database, seal, mark, changes))
    }
}

fn open(path: &Path) -> Result<Database, StateError> {
    let mut builder = Database::builder();
    let database = builder.set_cache_size(CACHE_BYTES).create(path);
    let database = database.map_err(failed)?;
    let write = database.begin_write().map_err(failed)?;
    write.open_table(STREAMS).map_err(failed)?;
    write.open_table(CHECKPOINT).map_err(failed)?;
    write.open_table(MARK).map_err(failed)?;
    write.open_table(IMPORTED).map_err(failed)?;
    write.open_table(RECEIPTS).map_err(failed)?;
    write.commit().map_err(failed)?;
    Ok(database)
}

fn read(database: &Database) -> Result<Remembered, StateError> {
    let read = database.begin_read().map_err(failed)?;
    let checkpoint = read.open_table(CHECKPOINT).map_err(failed)?;
    let seal = checkpoint
        .get(NEWEST)
        .map_err(failed)?
        .map_or_else(Seal::default, |entry| {
            let (batch, from, to) = entry.value();
            Seal { batch, from, to }
        });
    let mark = read.open_table(MARK).map_err(failed)?;
    let mark = mark.get(NEWEST).map_err(failed)?;
    let mut mark: Mark = mark
        .and_then(|bytes| postcard::from_bytes(bytes.value()).ok())
        .unwrap_or_default();
    let mut streams = Vec::new();
    let table = read.open_table(STREAMS).map_err(failed)?;
    for entry in table.iter().map_err(failed)? {
        let (key, value) = entry.map_err(failed)?;
        let (site, stream) = key.value();
        match postcard::from_bytes::<Stream>(value.value()) {
            Ok(remembered) => streams.push((StreamKey { site, stream }, remembered)),
            // An older form: all of the log is read again then, which knows what is not stored.
            Err(_) => mark = Mark::default(),
        }
    }
    Ok(Remembered {
        streams,
        seal,
        mark,
    })
}

fn write(
    database: &Database,
    seal: Seal,
    mark: &Mark,
    changes: &StreamChanges,
) -> Result<(), StateError> {
    let mut write = database.begin_write().map_err(failed)?;
    // A start after a crash then need not walk through all of the file first.
    write.set_quick_repair(true);
    {
        let mut streams = write.open_table(STREAMS).map_err(failed)?;
        for key in &changes.forgotten {
            streams.remove((key.site, key.stream)).map_err(failed)?;
        }
        for (key, stream) in &changes.changed {
            let bytes = postcard::to_stdvec(stream).unwrap_or_default();
            streams
                .insert((key.site, key.stream), bytes.as_slice())
                .map_err(failed)?;
        }
        let mut imported = write.open_table(IMPORTED).map_err(failed)?;
        let old = ..(changes.imported_from_day, 0, 0);
        imported.retain_in(old, |_, ()| false).map_err(failed)?;
        let mut new = changes.imported.clone();
        new.sort_unstable();
        for EventKey { day, site, id } in new {
            imported.insert((day, site, id), ()).map_err(failed)?;
        }
        let mut checkpoint = write.open_table(CHECKPOINT).map_err(failed)?;
        checkpoint
            .insert(NEWEST, (seal.batch, seal.from, seal.to))
            .map_err(failed)?;
        let bytes = postcard::to_stdvec(mark).unwrap_or_default();
        let mut marks = write.open_table(MARK).map_err(failed)?;
        marks.insert(NEWEST, bytes.as_slice()).map_err(failed)?;
    }
    write.commit().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_checkpointed_is_remembered_after_a_reopen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        let (one, two) = (
            StreamKey { site: 1, stream: 5 },
            StreamKey {
                site: 1,
                stream: u128::MAX,
            },
        );
        let key = |day, id| EventKey { day, site: 1, id };
        let mut stream = Stream::default();
        stream.take(0..7);
        stream.last = Some((1_700_000_000_000, 3));
        let seal = Seal {
            batch: 9,
            from: 100,
            to: 250,
        };
        let mark = Mark {
            position: 400,
            unstored: 3,
            received_ms: 7,
            forgotten_until_ms: 2,
            sealed: vec![seal],
        };
        {
            let state = State::open(&path).unwrap();
            let changed = vec![(one, stream.clone()), (two, Stream::default())];
            state
                .checkpoint(
                    Seal::default(),
                    &Mark::default(),
                    &StreamChanges {
                        changed,
                        imported: vec![key(1, 7), key(2, 7)],
                        ..StreamChanges::default()
                    },
                )
                .unwrap();
            state
                .checkpoint(
                    seal,
                    &mark,
                    &StreamChanges {
                        forgotten: vec![two],
                        imported: vec![key(2, 8)],
                        imported_from_day: 2,
                        ..StreamChanges::default()
                    },
                )
                .unwrap();
        }
        let state = State::open(&path).unwrap();
        let asked = [key(1, 7), key(2, 7), key(2, 8), key(3, 8)];
        assert_eq!(state.imported(&asked).unwrap(), [false, true, true, false]);
        let remembered = state.remembered().unwrap();
        assert_eq!((remembered.seal, remembered.mark), (seal, mark));
        assert_eq!(remembered.streams, vec![(one, stream)]);
    }
}
