//! The one thread that decides: what is new, in which order, and when it is durable.
//!
//! Owns the log's appender and the memory of what was taken. Everything that reaches the log goes
//! through here one group at a time, so no lock is needed and log order is the only order there is.
//! Knows no HTTP, no ClickHouse and no clock: each job brings the time it was received.

use super::dedup::{Dedup, Stream, StreamKey};
use super::erased::{Erased, Name};
use super::group::Group;
use super::imported::{EventKey, Imported};
use super::record::{Agent, BatchRecord, DeadLetter, Record, Seal};
use super::relearn::Stored;
use super::shed::{Pressure, Quota};
use super::{Accepted, IngestError, Status, imported};
use crate::log::storage::Storage;
use crate::log::{Appender, LogError, Position};
use metrics::{counter, gauge, histogram};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use upriver_wire::batch::Batch;

/// Jobs made durable by one sync.
const GROUP_JOBS_MAX: usize = 1_024;
/// Bytes of records past which no further job joins a group.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Elements whose descriptors are remembered as known. Past it all are asked for again.
pub(super) const ELEMENTS_MAX: usize = 1_000_000;
/// Event times older than this are not taken: a copy of them may have been forgotten.
pub const EXPIRY_MS: u64 = 48 * 3600 * 1000;
/// Bytes of the log's last room that are kept for seals, without which nothing is let go of.
const SEAL_SPARE_BYTES: u64 = 4 * 1024;
/// How long nothing is tried after the disk was found full.
const NO_SPACE_PAUSE_MS: u64 = 250;
/// How far the clock may be behind the newest receipt before it is told. Jobs that wait for one
/// another are some milliseconds behind.
const BEHIND_MS_MIN: u64 = 1_000;

/// Something to be done in log order.
pub(super) enum Job {
    Batch(Box<BatchJob>),
    Import(Box<ImportJob>),
    DeadLetter(DeadLetter, Reply<()>),
    Seal(Seal, Reply<()>),
    /// Hands out what changed in the memory of streams; the time is for the horizon.
    Streams(u64, oneshot::Sender<StreamChanges>),
    /// Events that the tables have and the log may not tell any more.
    Learn(Vec<Stored>),
    /// All of them were told: how many no group of the log tells.
    Learned(u64),
    /// Removes log that is no longer needed.
    ForgetLog(Position),
    /// Takes nothing any more that a visitor did up to a time, Unix ms.
    Erase(Name, u64, oneshot::Sender<Position>),
    /// Closes the open segment and removes all log before a position, and what was set aside of it.
    ClearLog(Position, Reply<Position>),
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
            Self::Seal(..) | Self::Streams(..) | Self::ForgetLog(_) => None,
            Self::Learn(_) | Self::Learned(_) | Self::Described(_) => None,
            Self::Erase(..) | Self::ClearLog(..) => None,
        }
    }
}

const DAY_MS: u64 = 24 * 3600 * 1000;

pub(super) type Reply<T> = oneshot::Sender<Result<T, IngestError>>;

/// The memory of streams at one position of the log: what changed in it since the last time it was
/// asked for. All of it is durable in the log before that position.
#[derive(Debug, Default)]
pub struct StreamChanges {
    /// The position.
    pub position: Position,
    /// Events taken since the checkpoint that the process started from, up to the position.
    pub taken: u64,
    /// Time of receipt of the newest record before the position, Unix ms.
    pub received_ms: u64,
    /// Up to when streams were forgotten for want of room, Unix ms; 0 when none was.
    pub forgotten_until_ms: u64,
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
    pub(super) erased: Erased,
    pub(super) quota: Quota,
    pub(super) status: Arc<Status>,
    pub(super) durable: watch::Sender<Position>,
    pub(super) committed: mpsc::Sender<Committed>,
    /// Time of receipt of the newest record: receipt never goes back in the log.
    pub(super) received_ms: u64,
    /// What the clock said at the newest job, Unix ms: it may go back where receipt does not.
    pub(super) clock_ms: u64,
    /// Whether it has been told that the clock is behind the newest receipt.
    pub(super) behind: bool,
    /// When the disk was last found full, by the clock, Unix ms.
    pub(super) no_space_ms: Option<u64>,
    /// Whether it is not known in full what was taken.
    pub(super) gap: bool,
}

impl<S: Storage> Sequencer<S> {
    /// Works until every sender is gone.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        self.tell_pressure();
        while let Some(job) = jobs.blocking_recv() {
            let mut group = self.begin(job, Group::default());
            let mut taken = 1;
            while taken < GROUP_JOBS_MAX && group.bytes < GROUP_BYTES_MAX {
                let Ok(job) = jobs.try_recv() else { break };
                group = self.begin(job, group);
                taken += 1;
            }
            self.commit(group);
        }
    }

    /// Takes a job into the group, or into a new one when it was received on another day: rows of
    /// one group must fit into one partition of the tables.
    fn begin(&mut self, mut job: Job, mut group: Group) -> Group {
        if let Some(received_ms) = job.received_ms() {
            let before = self.received_ms;
            self.clock_ms = *received_ms;
            self.received_ms = before.max(*received_ms);
            *received_ms = self.received_ms;
            if before / DAY_MS != self.received_ms / DAY_MS {
                self.commit(std::mem::take(&mut group));
            }
        }
        if matches!(job, Job::Erase(..) | Job::ClearLog(..)) {
            // What stands before them must have its place in the log.
            self.commit(std::mem::take(&mut group));
        }
        if matches!(job, Job::Streams(..)) {
            // What is handed out must be durable: a stream that were remembered to hold events
            // which a power cut then takes would refuse them as duplicates when they come again.
            self.commit(std::mem::take(&mut group));
        }
        self.take(job, &mut group);
        group
    }

    fn take(&mut self, job: Job, group: &mut Group) {
        match job {
            Job::Batch(job) => self.take_batch(*job, group),
            Job::Import(job) => self.take_import(*job, group),
            Job::DeadLetter(letter, reply) => {
                if let Err(error) = self.room() {
                    let _ = reply.send(Err(error));
                    return;
                }
                group.push_letter(letter);
                group.letters.push(reply);
            }
            Job::Seal(seal, reply) => group.push_seal(&Record::Seal(seal), reply),
            Job::Streams(now_ms, reply) => self.hand_out_streams(now_ms, reply),
            Job::Learn(stored) => self.learn(stored),
            Job::Learned(events) => self.learned(events),
            Job::ForgetLog(position) => {
                if let Err(error) = self.log.forget_before(position) {
                    tracing::error!(%error, position, "old log could not be removed");
                }
                // Room may have been made: it is tried at once.
                self.no_space_ms = None;
                self.tell_pressure();
            }
            Job::Erase(name, until_ms, reply) => {
                self.erased.add(name, until_ms);
                let position = self.status.taken().position;
                let records = Vec::new();
                // So that the feed comes to this position, whatever stands before it.
                let _ = self
                    .committed
                    .blocking_send(Committed { position, records });
                // Whoever asked is gone only when the process stops.
                let _ = reply.send(position);
            }
            Job::ClearLog(position, reply) => {
                let cleared = self.clear_log(position);
                let _ = reply.send(cleared);
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

    fn hand_out_streams(&mut self, now_ms: u64, reply: oneshot::Sender<StreamChanges>) {
        if self.log.is_poisoned() || self.gap {
            // What is remembered may not be in the log, or may not be all: a checkpoint after a gap
            // would hide it from the next start. Whoever asks sees the sender dropped.
            return;
        }
        // By what is in the log, not by a clock that may jump to and fro: whatever comes later is
        // judged by the same time, so what is forgotten is then too old to be taken.
        let now_ms = now_ms.min(self.received_ms);
        let silent = self.dedup.forget_silent(now_ms);
        counter!("upriver_streams_forgotten_total", "why" => "silent").increment(silent as u64);
        let (changed, forgotten) = self.dedup.drain_changed();
        gauge!("upriver_streams").set(self.dedup.len() as f64);
        gauge!("upriver_stream_ranges").set(self.dedup.ranges() as f64);
        self.tell_clock();
        // Whoever asked is gone only when the process stops; then nothing is forgotten.
        let _ = reply.send(StreamChanges {
            position: self.log.position(),
            taken: self.status.taken().events,
            received_ms: self.received_ms,
            forgotten_until_ms: self.dedup.forgotten_until_ms(),
            changed,
            forgotten,
            imported: self.imported.hand_over(),
            imported_from_day: imported::oldest_day(now_ms),
        });
    }

    fn clear_log(&mut self, position: Position) -> Result<Position, IngestError> {
        self.elements.clear();
        let cleared = self.log.close_segment();
        let cleared = cleared.and_then(|()| self.log.forget_before(position));
        let cleared = cleared.and_then(|()| self.log.forget_copies(position));
        cleared.map_err(|error| {
            tracing::error!(%error, position, "old log could not be removed");
            match error {
                LogError::Full { .. } => IngestError::NoSpace,
                _ => IngestError::LogFailed,
            }
        })?;
        self.tell_pressure();
        Ok(self.status.taken().position)
    }

    /// How much is left out now.
    pub(super) fn pressure(&self) -> Pressure {
        self.quota.pressure(self.log.bytes())
    }

    /// Tells how far the clock is behind the newest receipt: times stand still until it has caught up.
    fn tell_clock(&mut self) {
        let behind_ms = self.received_ms.saturating_sub(self.clock_ms);
        let behind_ms = if behind_ms < BEHIND_MS_MIN {
            0
        } else {
            behind_ms
        };
        gauge!("upriver_clock_behind_seconds").set(behind_ms as f64 / 1_000.0);
        if behind_ms > 0 && !self.behind {
            tracing::warn!(
                behind_ms,
                "the clock is behind the newest receipt; times stand still until it has caught up"
            );
        }
        self.behind = behind_ms > 0;
    }

    /// Whether there is room for anything.
    pub(super) fn room(&self) -> Result<(), IngestError> {
        let (why, error) = if self.gap {
            ("log_gap", IngestError::LogGap)
        } else if self.pressure() == Pressure::Full {
            ("log_full", IngestError::LogFull)
        } else if self
            .no_space_ms
            .is_some_and(|since| (since..since + NO_SPACE_PAUSE_MS).contains(&self.clock_ms))
        {
            ("no_space", IngestError::NoSpace)
        } else {
            return Ok(());
        };
        counter!("upriver_refused_total", "why" => why).increment(1);
        Err(error)
    }

    fn tell_pressure(&self) {
        let pressure = self.pressure();
        self.status
            .set_pressure(pressure, self.no_space_ms.is_some());
        gauge!("upriver_log_bytes").set(self.log.bytes() as f64);
        gauge!("upriver_log_pressure").set(f64::from(pressure.number()));
    }

    fn commit(&mut self, group: Group) {
        #[cfg(feature = "planted-faults")]
        let group = group.acknowledged_too_early();
        let begun = Instant::now();
        let spare = if group.is_urgent() {
            0
        } else {
            SEAL_SPARE_BYTES
        };
        let records = group.records.iter().map(Vec::as_slice);
        let position = match self.log.commit(records, spare) {
            Ok(position) => position,
            Err(LogError::Full { action }) => return self.no_space(group, action),
            Err(error) => return self.fail(group, &error),
        };
        if !group.records.is_empty() {
            histogram!("upriver_log_commit_seconds").record(begun.elapsed().as_secs_f64());
            if !group.is_urgent() {
                self.no_space_ms = None;
            }
            self.tell_pressure();
            // Before the position is told, so that whoever reads up to it finds it counted.
            let events = group.committed.iter().map(|record| record.events()).sum();
            self.status.take(position, events);
            self.durable.send_replace(position);
        }
        // Counting first, answering second: whoever was acknowledged finds it counted, as soon as
        // the engine has worked through what stands before it.
        let mut group = group;
        let records = std::mem::take(&mut group.committed);
        if !records.is_empty() {
            let committed = Committed { position, records };
            if self.committed.blocking_send(committed).is_err() {
                tracing::debug!("the live engine has stopped; the log goes on");
            }
        }
        group.succeed();
    }

    /// The disk has no space: nothing of the group is in the log, so nothing of it was taken. Only
    /// seals are tried once more by themselves.
    fn no_space(&mut self, group: Group, action: &'static str) {
        if group.is_urgent() {
            return group.fail(|| IngestError::NoSpace);
        }
        if self.no_space_ms.is_none() {
            tracing::error!(
                action,
                "the log's disk has no space left; nothing is taken until it has"
            );
        }
        counter!("upriver_log_no_space_total").increment(1);
        let seals = group.take_back(&mut self.dedup, &mut self.imported, &mut self.elements);
        self.no_space_ms = Some(self.clock_ms);
        self.tell_pressure();
        if !seals.seals.is_empty() {
            self.commit(seals);
        }
    }

    fn fail(&self, group: Group, error: &LogError) {
        if self.status.fail() {
            tracing::error!(%error, "the log failed; nothing is taken until a restart");
        }
        gauge!("upriver_log_failed").set(1.0);
        group.fail(|| IngestError::LogFailed);
    }
}

#[cfg(test)]
mod tests;
