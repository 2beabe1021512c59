//! Putting ingest back to where it was: the remembered streams plus what the log holds.

use super::dedup::{Dedup, Stream, StreamKey};
use super::imported::EventKey;
use super::record::{BatchRecord, Record, Seal};
use super::rows;
use crate::log::storage::Storage;
use crate::log::{self, Appender, Damage, LogError, Position, Reader};
use std::collections::HashSet;

/// What was remembered beside the log at the last checkpoint.
#[derive(Debug, Default)]
pub struct Remembered {
    /// Streams.
    pub streams: Vec<(StreamKey, Stream)>,
    /// The newest batch that all tables had.
    pub seal: Seal,
}

/// Ingest as it was when the process stopped.
pub struct Recovered<S: Storage> {
    /// The log, ready to be appended to.
    pub log: Appender<S>,
    /// The log, to be read from.
    pub reader: Reader<S>,
    /// What was taken.
    pub dedup: Dedup,
    /// Events imported after the checkpoint.
    pub imported: HashSet<EventKey>,
    /// The newest batch that all tables had at the last checkpoint.
    pub checkpoint: Seal,
    /// Batches sealed after it, in order.
    pub seals: Vec<Seal>,
    /// Events in the log after the checkpoint.
    pub unstored_events: u64,
    /// Time of receipt of the newest record.
    pub received_ms: u64,
    /// Stretches of the log that could not be read.
    pub damage: Vec<Damage>,
    /// Records of a form this version does not know.
    pub unknown_records: u64,
}

/// Opens the log and reads all of it once.
///
/// # Errors
/// The disk cannot be read or written.
pub fn recover<S: Storage>(
    storage: S,
    segment_bytes: u64,
    remembered: Remembered,
) -> Result<Recovered<S>, LogError> {
    let (log, reader, damage) = log::open(storage, segment_bytes)?;
    let mut recovered = Recovered {
        log,
        reader,
        dedup: Dedup::default(),
        imported: HashSet::new(),
        checkpoint: remembered.seal,
        seals: Vec::new(),
        unstored_events: 0,
        received_ms: 0,
        damage,
        unknown_records: 0,
    };
    for (key, stream) in remembered.streams {
        recovered.dedup.restore(key, stream);
    }
    let mut reader = recovered.reader.clone();
    let mut position: Position = reader.start();
    while let Some(group) = reader.read(position)? {
        position = group.next;
        for bytes in &group.records {
            match Record::decode(bytes) {
                Ok(Record::Batch(record)) => {
                    recovered.received_ms = recovered.received_ms.max(record.received_ms);
                    if group.position >= recovered.checkpoint.to {
                        recovered.unstored_events += record.events();
                        recovered.imported.extend(EventKey::of(&record));
                    }
                    take(&mut recovered.dedup, &record);
                }
                Ok(Record::Seal(seal)) if seal.batch > recovered.checkpoint.batch => {
                    recovered.seals.push(seal);
                }
                Ok(Record::Seal(_) | Record::DeadLetter(_)) => {}
                Err(_) => recovered.unknown_records += 1,
            }
        }
    }
    Ok(recovered)
}

/// Remembers what a record of the log took, exactly as the sequencer did when it wrote it.
fn take(dedup: &mut Dedup, record: &BatchRecord) {
    if record.event_id.is_some() {
        // It is known by its id, not by a number in a stream.
        return;
    }
    let key = StreamKey::new(&record.site, record.batch.stream);
    let first = record.batch.first_seq;
    let stream = dedup.stream(key, record.received_ms);
    for &(start, end) in &record.accepted {
        stream.take(first + u64::from(start)..first + u64::from(end));
    }
    if stream.high() == first + record.batch.events.len() as u64
        && let Some((time, number, _)) = rows::times(record).last()
    {
        stream.ends_with(time, number);
    }
}
