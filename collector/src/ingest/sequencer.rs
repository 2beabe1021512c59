//! The one thread that decides: what is new, in which order, and when it is durable.
//!
//! Owns the log's appender and the memory of what was taken. Everything that reaches the log goes
//! through here one group at a time, so no lock is needed and log order is the only order there is.
//! Knows no HTTP, no ClickHouse and no clock: each job brings the time it was received.

use super::dedup::{Dedup, Stream, StreamKey};
use super::imported::{EventKey, Imported};
use super::record::{Agent, BatchRecord, DeadLetter, Record, Seal};
use super::{Accepted, IngestError, Status, Verdict, imported, rows};
use crate::log::storage::Storage;
use crate::log::{Appender, Position};
use metrics::{counter, gauge, histogram};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use upriver_wire::answer::Ack;
use upriver_wire::batch::{Batch, Descriptor};
use upriver_wire::limits::NEED_MAX;

/// Jobs made durable by one sync.
const GROUP_JOBS_MAX: usize = 1_024;
/// Bytes of records past which no further job joins a group.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Elements whose descriptors are remembered as known. Past it all are asked for again.
const ELEMENTS_MAX: usize = 1_000_000;
/// Event times older than this are not taken: a copy of them may have been forgotten.
pub const EXPIRY_MS: u64 = 48 * 3600 * 1000;

/// Something to be done in log order.
pub(super) enum Job {
    Batch(Box<BatchJob>),
    Import(Box<ImportJob>),
    DeadLetter(DeadLetter, Reply<()>),
    Seal(Seal, Reply<()>),
    /// Hands out what changed in the memory of streams; the time is for the horizon.
    Streams(u64, oneshot::Sender<StreamChanges>),
    /// Removes log that is no longer needed.
    ForgetLog(Position),
    /// Elements whose descriptors storage has already: site, element, hash of the descriptor.
    Described(Vec<(String, u64, u64)>),
}

impl Job {
    /// When it was received, for those that become rows.
    fn received_ms(&mut self) -> Option<&mut u64> {
        match self {
            Self::Batch(job) => Some(&mut job.received_ms),
            Self::Import(job) => Some(&mut job.received_ms),
            Self::DeadLetter(letter, _) => Some(&mut letter.received_ms),
            Self::Seal(..) | Self::Streams(..) | Self::ForgetLog(_) | Self::Described(_) => None,
        }
    }
}

const DAY_MS: u64 = 24 * 3600 * 1000;

pub(super) type Reply<T> = oneshot::Sender<Result<T, IngestError>>;

/// What changed in the memory of streams since the last time it was asked for.
#[derive(Debug, Default)]
pub struct StreamChanges {
    /// Streams to remember.
    pub changed: Vec<(StreamKey, Stream)>,
    /// Streams to forget.
    pub forgotten: Vec<StreamKey>,
    /// Imported events to remember.
    pub imported: Vec<EventKey>,
    /// Imported events of days before this one are to be forgotten.
    pub imported_from_day: u32,
}

pub(super) struct BatchJob {
    pub(super) site: Arc<str>,
    pub(super) received_ms: u64,
    /// Time of sending by the page's clock; 0 when it was not said.
    pub(super) sent_at_ms: u64,
    pub(super) batch: Batch,
    /// Positions of events that were refused already.
    pub(super) refused: Vec<usize>,
    /// What sent it.
    pub(super) agent: Agent,
    pub(super) reply: Reply<Accepted>,
    /// Gives back the bytes this job was allowed to hold.
    pub(super) _bytes: OwnedSemaphorePermit,
}

pub(super) struct ImportJob {
    pub(super) site: Arc<str>,
    pub(super) received_ms: u64,
    /// One event each.
    pub(super) events: Vec<BatchRecord>,
    /// What of the same request can never be taken.
    pub(super) letters: Vec<DeadLetter>,
    pub(super) reply: Reply<Accepted>,
    pub(super) _bytes: OwnedSemaphorePermit,
}

/// Records in log order, durable, for whoever counts them.
#[derive(Debug)]
pub struct Committed {
    /// Where the log ends after them.
    pub position: Position,
    /// The records.
    pub records: Vec<Arc<BatchRecord>>,
}

pub(super) struct Sequencer<S: Storage> {
    pub(super) log: Appender<S>,
    pub(super) dedup: Dedup,
    pub(super) imported: Imported,
    pub(super) elements: HashMap<(u64, u64), u64>,
    pub(super) log_bytes_max: u64,
    pub(super) status: Arc<Status>,
    pub(super) durable: watch::Sender<Position>,
    pub(super) committed: mpsc::Sender<Committed>,
    /// Time of receipt of the newest record: receipt never goes back in the log.
    pub(super) received_ms: u64,
}

/// What waits for the group to be durable.
#[derive(Default)]
struct Waiting {
    records: Vec<Vec<u8>>,
    bytes: usize,
    batches: Vec<(Reply<Accepted>, Accepted)>,
    plain: Vec<Reply<()>>,
    committed: Vec<Arc<BatchRecord>>,
}

impl<S: Storage> Sequencer<S> {
    /// Works until every sender is gone.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.blocking_recv() {
            let mut waiting = self.begin(job, Waiting::default());
            let mut taken = 1;
            while taken < GROUP_JOBS_MAX && waiting.bytes < GROUP_BYTES_MAX {
                let Ok(job) = jobs.try_recv() else { break };
                waiting = self.begin(job, waiting);
                taken += 1;
            }
            self.commit(waiting);
        }
    }

    /// Takes a job into the group, or into a new one when it was received on another day: rows of
    /// one group must fit into one partition of the tables.
    fn begin(&mut self, mut job: Job, mut waiting: Waiting) -> Waiting {
        if let Some(received_ms) = job.received_ms() {
            let before = self.received_ms;
            self.received_ms = before.max(*received_ms);
            *received_ms = self.received_ms;
            if before / DAY_MS != self.received_ms / DAY_MS {
                self.commit(std::mem::take(&mut waiting));
            }
        }
        self.take(job, &mut waiting);
        waiting
    }

    fn take(&mut self, job: Job, waiting: &mut Waiting) {
        match job {
            Job::Batch(job) => self.take_batch(*job, waiting),
            Job::Import(job) => self.take_import(*job, waiting),
            Job::DeadLetter(letter, reply) => {
                waiting.push_letter(letter);
                waiting.plain.push(reply);
            }
            Job::Seal(seal, reply) => {
                waiting.push(&Record::Seal(seal));
                waiting.plain.push(reply);
            }
            Job::Streams(now_ms, reply) => {
                let forgotten = self.dedup.forget(now_ms);
                let changed = self.dedup.drain_changed();
                gauge!("upriver_streams").set(self.dedup.len() as f64);
                // Whoever asked is gone only when the process stops; then nothing is forgotten.
                let _ = reply.send(StreamChanges {
                    changed,
                    forgotten,
                    imported: self.imported.hand_over(),
                    imported_from_day: imported::oldest_day(now_ms),
                });
            }
            Job::ForgetLog(position) => {
                if let Err(error) = self.log.forget_before(position) {
                    tracing::error!(%error, position, "old log could not be removed");
                }
                gauge!("upriver_log_bytes").set(self.log.bytes() as f64);
            }
            Job::Described(elements) => {
                for (site, element, hash) in elements {
                    self.elements.insert(
                        (StreamKey::new(&site, Default::default()).site, element),
                        hash,
                    );
                }
            }
        }
    }

    fn take_batch(&mut self, job: BatchJob, waiting: &mut Waiting) {
        if self.log.bytes() > self.log_bytes_max {
            counter!("upriver_refused_total", "why" => "log_full").increment(1);
            let _ = job.reply.send(Err(IngestError::LogFull));
            return;
        }
        let BatchJob {
            site,
            received_ms,
            sent_at_ms,
            batch,
            refused,
            agent,
            reply,
            ..
        } = job;
        let key = StreamKey::new(&site, batch.stream);
        let skew_ms = match sent_at_ms {
            0 => 0,
            sent => received_ms as i64 - sent as i64,
        };
        let numbers = batch.first_seq..batch.first_seq + batch.events.len() as u64;
        let stream = self.dedup.stream(key, received_ms);
        // Only what continues a stream is held to its clock; what comes late keeps its own time.
        let floor = stream.last.filter(|_| numbers.start >= stream.high());
        let missing = stream.missing(numbers.clone());
        #[cfg(feature = "planted-faults")]
        let missing = match crate::planted::has(crate::planted::Fault::NoDedup) {
            true => vec![numbers.clone()],
            false => missing,
        };
        let mut record = BatchRecord {
            site: site.to_string(),
            received_ms,
            skew_ms,
            floor,
            accepted: Vec::new(),
            described: Vec::new(),
            agent,
            event_id: None,
            batch,
        };
        let mut accepted = Accepted {
            ack: Ack::default(),
            verdicts: vec![Verdict::Duplicate; record.batch.events.len()],
        };
        for &index in &refused {
            accepted.verdicts[index] = Verdict::Refused;
        }
        let oldest = received_ms.saturating_sub(EXPIRY_MS);
        let times: Vec<_> = rows::times(&record).collect();
        for number in missing.into_iter().flatten() {
            let index = (number - numbers.start) as usize;
            if refused.contains(&index) {
                continue;
            }
            if times[index].0 < oldest {
                accepted.verdicts[index] = Verdict::Expired;
                continue;
            }
            accepted.verdicts[index] = Verdict::Ok;
            match record.accepted.last_mut() {
                Some((_, end)) if usize::from(*end) == index => *end += 1,
                _ => record.accepted.push((index as u16, index as u16 + 1)),
            }
        }
        for &(start, end) in &record.accepted {
            let (start, end) = (u64::from(start), u64::from(end));
            let closed = stream.take(numbers.start + start..numbers.start + end);
            counter!("upriver_gaps_closed_total").increment(closed);
        }
        if stream.high() == numbers.end
            && let Some((time, number, _)) = times.last()
        {
            stream.ends_with(*time, *number);
        }
        self.take_elements(&mut record, &mut accepted, key.site);
        accepted.ack.stream = record.batch.stream;
        accepted.ack.first_seq = numbers.start;
        accepted.ack.next_seq = numbers.end;
        count(&accepted, &site);
        if !record.accepted.is_empty() || !record.described.is_empty() {
            waiting.push_batch(record);
        }
        waiting.batches.push((reply, accepted));
    }

    /// Takes the events of a server that were not taken before.
    fn take_import(&mut self, job: ImportJob, waiting: &mut Waiting) {
        if self.log.bytes() > self.log_bytes_max {
            counter!("upriver_refused_total", "why" => "log_full").increment(1);
            let _ = job.reply.send(Err(IngestError::LogFull));
            return;
        }
        let keys: Vec<EventKey> = job.events.iter().filter_map(EventKey::of).collect();
        let taken = match self.imported.taken(&keys) {
            Ok(taken) => taken,
            Err(error) => {
                let _ = job.reply.send(Err(IngestError::StateFailed(error)));
                return;
            }
        };
        let mut accepted = Accepted::default();
        for ((mut record, key), taken) in job.events.into_iter().zip(keys).zip(taken) {
            let verdict = if taken {
                Verdict::Duplicate
            } else if self.imported.is_full() {
                Verdict::Retry
            } else if self.imported.take(key) {
                Verdict::Ok
            } else {
                Verdict::Duplicate
            };
            if verdict == Verdict::Ok {
                record.received_ms = job.received_ms;
                self.take_elements(&mut record, &mut accepted, key.site);
                waiting.push_batch(record);
            }
            accepted.verdicts.push(verdict);
        }
        for mut letter in job.letters {
            letter.received_ms = job.received_ms;
            waiting.push_letter(letter);
        }
        count(&accepted, &job.site);
        waiting.batches.push((job.reply, accepted));
    }

    /// Keeps descriptors that are new, and asks for those that are missing.
    fn take_elements(&mut self, record: &mut BatchRecord, accepted: &mut Accepted, site: u64) {
        if self.elements.len() > ELEMENTS_MAX {
            self.elements.clear();
        }
        for (index, element) in record.batch.elements.iter().enumerate() {
            match &element.descriptor {
                Some(descriptor) => {
                    let Descriptor {
                        selector,
                        label,
                        role,
                        background,
                        ..
                    } = descriptor;
                    let hash = look_hash(selector, label, role, *background);
                    if self.elements.insert((site, element.id.0), hash) != Some(hash) {
                        record.described.push(index as u16);
                    }
                }
                None if self.elements.contains_key(&(site, element.id.0)) => {}
                None if accepted.ack.need.len() < NEED_MAX => accepted.ack.need.push(element.id),
                None => {}
            }
        }
    }

    fn commit(&mut self, waiting: Waiting) {
        #[cfg(feature = "planted-faults")]
        let waiting = waiting.acknowledged_too_early();
        let begun = Instant::now();
        let result = self.log.commit(waiting.records.iter().map(Vec::as_slice));
        let position = match result {
            Ok(position) => position,
            Err(error) => return self.fail(waiting, &error),
        };
        if !waiting.records.is_empty() {
            histogram!("upriver_log_commit_seconds").record(begun.elapsed().as_secs_f64());
            gauge!("upriver_log_bytes").set(self.log.bytes() as f64);
            // Before the position is told, so that whoever reads up to it finds it counted.
            let events = waiting.committed.iter().map(|record| record.events()).sum();
            self.status.take(position, events);
            self.durable.send_replace(position);
        }
        // Counting first, answering second: whoever was acknowledged finds it counted, as soon as
        // the engine has worked through what stands before it.
        if !waiting.committed.is_empty() {
            let committed = Committed {
                position,
                records: waiting.committed,
            };
            if self.committed.blocking_send(committed).is_err() {
                tracing::debug!("the live engine has stopped; the log goes on");
            }
        }
        for (reply, accepted) in waiting.batches {
            // A client that is gone sends again; its events are then duplicates.
            let _ = reply.send(Ok(accepted));
        }
        for reply in waiting.plain {
            let _ = reply.send(Ok(()));
        }
    }

    fn fail(&self, waiting: Waiting, error: &crate::log::LogError) {
        if !self.status.log_failed.swap(true, Ordering::SeqCst) {
            tracing::error!(%error, "the log failed; nothing is taken until a restart");
        }
        for (reply, _) in waiting.batches {
            let _ = reply.send(Err(IngestError::LogFailed));
        }
        for reply in waiting.plain {
            let _ = reply.send(Err(IngestError::LogFailed));
        }
    }
}

impl Waiting {
    #[cfg(feature = "planted-faults")]
    fn acknowledged_too_early(mut self) -> Self {
        if crate::planted::has(crate::planted::Fault::AckBeforeWrite) {
            for (reply, accepted) in self.batches.drain(..) {
                let _ = reply.send(Ok(accepted));
            }
            std::thread::sleep(crate::planted::ACK_LEAD);
        }
        self
    }

    fn push(&mut self, record: &Record) {
        let bytes = record.encode();
        self.bytes += bytes.len();
        self.records.push(bytes);
    }

    fn push_batch(&mut self, record: BatchRecord) {
        let record = Record::Batch(record);
        self.push(&record);
        if let Record::Batch(record) = record {
            self.committed.push(Arc::new(record));
        }
    }

    fn push_letter(&mut self, letter: DeadLetter) {
        counter!("upriver_dead_letters_total", "code" => letter.code.clone()).increment(1);
        self.push(&Record::DeadLetter(letter));
    }
}

/// Tells two descriptors of an element apart. Place and size wander with the window, so only what
/// a person would call a change counts.
pub fn look_hash(selector: &str, label: &str, role: &str, background: u32) -> u64 {
    let text = [
        selector,
        "\0",
        label,
        "\0",
        role,
        "\0",
        &background.to_string(),
    ]
    .concat();
    upriver_wire::ElementId::of(&text).0
}

/// Counts what became of each event.
fn count(accepted: &Accepted, site: &str) {
    for verdict in [Verdict::Ok, Verdict::Duplicate, Verdict::Expired] {
        let events = accepted.verdicts.iter().filter(|v| **v == verdict).count() as u64;
        if events > 0 {
            let labels = [
                ("site", site.to_owned()),
                ("verdict", verdict.name().to_owned()),
            ];
            counter!("upriver_events_total", &labels).increment(events);
        }
    }
}
