//! Putting ingest back to where it was: the remembered streams plus what the log holds.

use super::dedup::{Dedup, Stream, StreamKey};
use super::imported::EventKey;
use super::record::{BatchRecord, Record, Seal};
use super::{rows, shed};
use crate::log::storage::Storage;
use crate::log::{self, Appender, Damages, LogError, Reader};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

/// What was remembered beside the log at the last checkpoint. What the log holds before
/// [`Mark::position`] is in it already, so a start only reads what comes after.
#[derive(Debug, Default)]
pub struct Remembered {
    /// Streams.
    pub streams: Vec<(StreamKey, Stream)>,
    /// The newest batch that all tables had.
    pub seal: Seal,
    /// Where the log was then.
    pub mark: Mark,
}

/// A place in the log, and what had come before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The place: streams are remembered as they were here.
    pub position: log::Position,
    /// Events before it that not all tables had.
    pub unstored: u64,
    /// Time of receipt of the newest record before it, Unix ms.
    pub received_ms: u64,
    /// Up to when streams had been forgotten for want of room, Unix ms; 0 when none had.
    pub forgotten_until_ms: u64,
    /// Batches sealed and not in all tables, in order.
    pub sealed: Vec<Seal>,
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
    /// Where the log was when the streams were remembered.
    pub marked: log::Position,
    /// Whether what was taken since then is not known in full, because a part of the log that tells it
    /// cannot be read. Nothing may be taken until the tables have said what they hold.
    pub gap: bool,
    /// Stretches of the log that could not be read.
    pub damages: Arc<Damages>,
    /// Records of a form this version does not know.
    pub unknown_records: u64,
}

/// Opens the log and reads what of it is not remembered.
///
/// # Errors
/// The disk cannot be read or written.
pub fn recover<S: Storage>(
    storage: S,
    options: log::Options,
    remembered: Remembered,
) -> Result<Recovered<S>, LogError> {
    let Remembered {
        streams,
        seal,
        mark,
    } = remembered;
    let options = log::Options {
        trusted: mark.position.max(seal.to),
        ..options
    };
    let (log, reader, damages) = log::open(storage, options)?;
    let mut recovered = Recovered {
        log,
        reader,
        dedup: Dedup::default(),
        imported: HashSet::new(),
        checkpoint: seal,
        seals: mark.sealed,
        unstored_events: mark.unstored,
        received_ms: mark.received_ms,
        marked: mark.position,
        gap: false,
        damages,
        unknown_records: 0,
    };
    recovered.seals.retain(|sealed| sealed.batch > seal.batch);
    for (key, stream) in streams {
        recovered.dedup.restore(key, Some(stream));
    }
    recovered.dedup.restore_forgotten(mark.forgotten_until_ms);
    let mut reader = recovered.reader.clone();
    let mut position = mark.position;
    while let Some(group) = reader.read(position)? {
        position = group.next;
        for bytes in &group.records {
            recovered.read(group.position, bytes);
        }
    }
    recovered.gap = recovered.damages.touch(mark.position, log::Position::MAX);
    recovered.dedup.make_room();
    Ok(recovered)
}

impl<S: Storage> Recovered<S> {
    fn read(&mut self, position: log::Position, bytes: &[u8]) {
        match Record::decode(bytes) {
            Ok(Record::Batch(record)) => {
                self.received_ms = self.received_ms.max(record.received_ms);
                if position >= self.checkpoint.to {
                    self.unstored_events += record.events();
                }
                self.imported.extend(EventKey::of(&record));
                take(&mut self.dedup, &record);
            }
            Ok(Record::Seal(seal)) => {
                let newest = self.seals.last().map_or(self.checkpoint.batch, |s| s.batch);
                if seal.batch > newest {
                    self.seals.push(seal);
                }
            }
            Ok(Record::DeadLetter(letter)) => {
                self.received_ms = self.received_ms.max(letter.received_ms);
            }
            Err(_) => self.unknown_records += 1,
        }
    }
}

/// Remembers what a record of the log took, exactly as the sequencer did when it wrote it.
fn take(dedup: &mut Dedup, record: &BatchRecord) {
    if record.event_id.is_some() {
        // It is known by its id, not by a number in a stream.
        return;
    }
    let key = StreamKey::new(&record.site, record.batch.stream);
    let first = record.batch.first_seq;
    let received_ms = record.received_ms;
    for &(start, end) in &record.accepted {
        let numbers = first + u64::from(start)..first + u64::from(end);
        dedup.take(key, received_ms, numbers);
    }
    for (number, event) in (first..).zip(&record.batch.events) {
        if event.body == shed::PLACE {
            dedup.take(key, received_ms, number..number + 1);
        }
    }
    let stream = dedup.stream(key, received_ms);
    if !record.accepted.is_empty()
        && stream.high() == first + record.batch.events.len() as u64
        && let Some((time, number, _)) = rows::times(record).last()
    {
        stream.ends_with(time, number);
    }
}
