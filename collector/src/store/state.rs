//! Small state that outlives the process beside the log: streams and the checkpoint, in one file.

use crate::ingest::StreamChanges;
use crate::ingest::dedup::{Stream, StreamKey};
use crate::ingest::imported::EventKey;
use crate::ingest::record::Seal;
use crate::ingest::recovery::Remembered;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::path::Path;

const STREAMS: TableDefinition<'_, (u64, u128), &[u8]> = TableDefinition::new("streams");
/// Day, site and id of each imported event, sorted so that an old day is one range.
const IMPORTED: TableDefinition<'_, (u32, u64, u128), ()> = TableDefinition::new("imported");
const CHECKPOINT: TableDefinition<'_, &str, (u64, u64, u64)> = TableDefinition::new("checkpoint");
const NEWEST: &str = "newest";

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
    database: Database,
}

impl State {
    /// Opens the file, making it if need be.
    ///
    /// # Errors
    /// It cannot be opened, or another process has it open.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let database = Database::create(path).map_err(failed)?;
        let write = database.begin_write().map_err(failed)?;
        write.open_table(STREAMS).map_err(failed)?;
        write.open_table(CHECKPOINT).map_err(failed)?;
        write.open_table(IMPORTED).map_err(failed)?;
        write.commit().map_err(failed)?;
        Ok(Self { database })
    }

    /// What was remembered at the last checkpoint.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn remembered(&self) -> Result<Remembered, StateError> {
        let read = self.database.begin_read().map_err(failed)?;
        let checkpoint = read.open_table(CHECKPOINT).map_err(failed)?;
        let seal = checkpoint
            .get(NEWEST)
            .map_err(failed)?
            .map_or_else(Seal::default, |entry| {
                let (batch, from, to) = entry.value();
                Seal { batch, from, to }
            });
        let mut streams = Vec::new();
        for entry in read
            .open_table(STREAMS)
            .map_err(failed)?
            .iter()
            .map_err(failed)?
        {
            let (key, value) = entry.map_err(failed)?;
            let (site, stream) = key.value();
            // An entry of an older form is forgotten: at worst a very late copy is counted again.
            if let Ok(remembered) = postcard::from_bytes::<Stream>(value.value()) {
                streams.push((StreamKey { site, stream }, remembered));
            }
        }
        Ok(Remembered { streams, seal })
    }

    /// Which of these imported events were remembered at the last checkpoint.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn imported(&self, keys: &[EventKey]) -> Result<Vec<bool>, StateError> {
        let read = self.database.begin_read().map_err(failed)?;
        let imported = read.open_table(IMPORTED).map_err(failed)?;
        let known = |key: &EventKey| {
            let found = imported.get((key.day, key.site, key.id)).map_err(failed)?;
            Ok(found.is_some())
        };
        keys.iter().map(known).collect()
    }

    /// Remembers streams, and that all tables have everything up to and with `seal`. Durable when
    /// it returns.
    ///
    /// # Errors
    /// The file cannot be written; nothing was changed then.
    pub fn checkpoint(&self, seal: Seal, changes: &StreamChanges) -> Result<(), StateError> {
        let write = self.database.begin_write().map_err(failed)?;
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
        }
        write.commit().map_err(failed)
    }
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
        {
            let state = State::open(&path).unwrap();
            let changed = vec![(one, stream.clone()), (two, Stream::default())];
            state
                .checkpoint(
                    Seal::default(),
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
        assert_eq!(remembered.seal, seal);
        assert_eq!(remembered.streams, vec![(one, stream)]);
    }
}
