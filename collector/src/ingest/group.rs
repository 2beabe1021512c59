//! What waits for one sync: records, answers, and how to take everything back when the disk has no
//! room for it.

use super::dedup::{Dedup, Stream, StreamKey};
use super::imported::{EventKey, Imported};
use super::record::{BatchRecord, DeadLetter, Record};
use super::sequencer::Reply;
use super::{Accepted, IngestError};
use metrics::counter;
use std::collections::HashMap;
use std::sync::Arc;

/// A group of jobs that is made durable by one sync.
#[derive(Default)]
pub(super) struct Group {
    pub(super) records: Vec<Vec<u8>>,
    pub(super) bytes: usize,
    pub(super) batches: Vec<(Reply<Accepted>, Accepted)>,
    pub(super) letters: Vec<Reply<()>>,
    /// Seals: each with its bytes, because they may have to go in without the rest.
    pub(super) seals: Vec<(Reply<()>, Vec<u8>)>,
    pub(super) committed: Vec<Arc<BatchRecord>>,
    /// Streams as they were before this group.
    streams: HashMap<StreamKey, Option<Stream>>,
    /// Imported events of this group.
    imported: Vec<EventKey>,
    /// Elements that this group described.
    elements: Vec<(u64, u64)>,
}

impl Group {
    #[cfg(feature = "planted-faults")]
    pub(super) fn acknowledged_too_early(mut self) -> Self {
        if crate::planted::has(crate::planted::Fault::AckBeforeWrite) {
            for (reply, accepted) in self.batches.drain(..) {
                let _ = reply.send(Ok(accepted));
            }
            std::thread::sleep(crate::planted::ACK_LEAD);
        }
        self
    }

    pub(super) fn push(&mut self, record: &Record) {
        let bytes = record.encode();
        self.bytes += bytes.len();
        self.records.push(bytes);
    }

    pub(super) fn push_batch(&mut self, record: BatchRecord) {
        let record = Record::Batch(record);
        self.push(&record);
        if let Record::Batch(record) = record {
            self.committed.push(Arc::new(record));
        }
    }

    pub(super) fn push_letter(&mut self, letter: DeadLetter) {
        counter!("upriver_dead_letters_total", "code" => letter.code.clone()).increment(1);
        self.push(&Record::DeadLetter(letter));
    }

    pub(super) fn push_seal(&mut self, record: &Record, reply: Reply<()>) {
        self.push(record);
        if let Some(bytes) = self.records.last() {
            self.seals.push((reply, bytes.clone()));
        }
    }

    /// Whether it holds nothing but seals, which may use the log's last room: they are what lets go
    /// of log again.
    pub(super) fn is_urgent(&self) -> bool {
        self.batches.is_empty() && self.letters.is_empty()
    }

    /// Notes how a stream was before this group touched it.
    pub(super) fn touches(&mut self, key: StreamKey, dedup: &Dedup) {
        let before = || dedup.get(key).cloned();
        self.streams.entry(key).or_insert_with(before);
    }

    /// Notes that this group imports an event.
    pub(super) fn imports(&mut self, key: EventKey) {
        self.imported.push(key);
    }

    /// Notes that this group describes an element.
    pub(super) fn describes(&mut self, element: (u64, u64)) {
        self.elements.push(element);
    }

    /// Takes everything back that is not a seal: none of it is in the log. Returns the seals.
    pub(super) fn take_back(
        self,
        dedup: &mut Dedup,
        imported: &mut Imported,
        elements: &mut HashMap<(u64, u64), u64>,
    ) -> Self {
        for (key, stream) in self.streams {
            dedup.restore(key, stream);
        }
        for key in self.imported {
            imported.take_back(key);
        }
        for element in self.elements {
            elements.remove(&element);
        }
        for (reply, _) in self.batches {
            // A client that is gone sends again.
            let _ = reply.send(Err(IngestError::NoSpace));
        }
        for reply in self.letters {
            let _ = reply.send(Err(IngestError::NoSpace));
        }
        let records = self.seals.iter().map(|(_, bytes)| bytes.clone()).collect();
        Self {
            records,
            seals: self.seals,
            ..Self::default()
        }
    }

    /// Answers everybody that it failed.
    pub(super) fn fail(self, error: impl Fn() -> IngestError) {
        for (reply, _) in self.batches {
            let _ = reply.send(Err(error()));
        }
        for reply in self.letters {
            let _ = reply.send(Err(error()));
        }
        for (reply, _) in self.seals {
            let _ = reply.send(Err(error()));
        }
    }

    /// Answers everybody that it is durable.
    pub(super) fn succeed(self) {
        for (reply, accepted) in self.batches {
            // A client that is gone sends again; its events are then duplicates.
            let _ = reply.send(Ok(accepted));
        }
        for reply in self.letters {
            let _ = reply.send(Ok(()));
        }
        for (reply, _) in self.seals {
            let _ = reply.send(Ok(()));
        }
    }
}
