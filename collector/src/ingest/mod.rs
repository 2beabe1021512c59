//! Taking batches in: checks, deduplication, the log, and the answer once they are on disk.
//!
//! Owns what is between a decoded batch and its acknowledgement. Knows no HTTP and no ClickHouse.

mod bot;
pub mod dedup;
pub mod erased;
mod group;
pub mod imported;
pub mod record;
pub mod recovery;
mod relearn;
pub mod rows;
mod sequencer;
mod shed;
mod taking;
pub mod validate;

pub use relearn::Stored;
pub use sequencer::{Committed, EXPIRY_MS, StreamChanges};
pub use shed::{Pressure, Quota};
pub use taking::look_hash;

use crate::log::storage::Storage;
use crate::log::{Damages, Position};
use erased::{Erased, Name};
use imported::{Imported, Known};
use metrics::gauge;
use record::{Agent, BatchRecord, DeadLetter, Seal};
use sequencer::{BatchJob, ImportJob, Job, Sequencer};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use upriver_wire::answer::Ack;
use upriver_wire::batch::Batch;

/// Jobs waiting for the log.
const JOBS_MAX: usize = 4_096;
/// Bytes of batches waiting for the log.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Groups waiting for the live engine.
const COMMITTED_GROUPS_MAX: usize = 256;

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// It makes no sense; sending it again will not help.
    #[error("{0}")]
    Invalid(String),
    /// Too much is waiting for the disk.
    #[error("too many batches are waiting for the disk; try again shortly")]
    Overloaded,
    /// The log has reached its quota, because ClickHouse does not take rows.
    #[error("the log is full because ClickHouse takes no rows; try again later")]
    LogFull,
    /// The log's disk has no space left.
    #[error("the log's disk has no space left; try again later")]
    NoSpace,
    /// A part of the log was spoilt, so that it is not known in full what was taken.
    #[error(
        "a part of the log was spoilt; nothing is taken until clickhouse has said what it holds"
    )]
    LogGap,
    /// The disk failed.
    #[error("the log's disk failed; the collector must be restarted")]
    LogFailed,
    /// What was imported before cannot be looked up.
    #[error("what was imported before cannot be looked up: {0}")]
    StateFailed(String),
    /// The process is stopping.
    #[error("the collector is stopping; try again shortly")]
    Stopping,
}

/// What became of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Taken now.
    Ok,
    /// Taken before.
    Duplicate,
    /// Too old to tell whether it was taken before.
    Expired,
    /// Malformed.
    Refused,
    /// Not now; to be sent again.
    Retry,
    /// Left out, because the log is filling up and its kind says least.
    Shed,
    /// It happened before its visitor was erased.
    Erased,
}

impl Verdict {
    /// Its name in answers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Duplicate => "duplicate",
            Self::Expired => "expired",
            Self::Refused => "rejected",
            Self::Retry => "retry",
            Self::Shed => "shed",
            Self::Erased => "erased",
        }
    }
}

/// How a batch came.
#[derive(Clone, Debug, Default)]
pub struct Arrival {
    /// Time of sending by the page's clock, Unix ms; 0 if unknown.
    pub sent_at_ms: u64,
    /// Time of receipt, Unix ms.
    pub received_ms: u64,
    /// Bytes it came in.
    pub size: usize,
    /// Positions of events that were malformed already.
    pub refused: Vec<usize>,
    /// What sent it.
    pub agent: Agent,
}

/// A batch that is on disk.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    /// What to tell the client.
    pub ack: Ack,
    /// What became of each event, in order.
    pub verdicts: Vec<Verdict>,
}

/// What others may know about ingest without asking it.
#[derive(Debug, Default)]
pub struct Status {
    log_failed: AtomicBool,
    no_space: AtomicBool,
    log_gap: AtomicBool,
    relearned: AtomicU64,
    pressure: AtomicU8,
    damages: Arc<Damages>,
    taken: Mutex<Taken>,
}

/// How many events were taken, up to a position of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The position: everything before it is durable.
    pub position: Position,
    /// Events between the checkpoint that the process started from and the position.
    pub events: u64,
}

impl Status {
    /// Whether the log failed, so that nothing is taken any more.
    pub fn log_failed(&self) -> bool {
        self.log_failed.load(Ordering::SeqCst)
    }

    /// Whether the log's disk had no space left when it was last written to.
    pub fn no_space(&self) -> bool {
        self.no_space.load(Ordering::SeqCst)
    }

    /// Whether nothing is taken because a part of the log was spoilt and the tables have not said yet
    /// what they hold of it.
    pub fn log_gap(&self) -> bool {
        self.log_gap.load(Ordering::SeqCst)
    }

    /// Events taken that no group of the log tells any more, but the tables do.
    pub fn relearned(&self) -> u64 {
        self.relearned.load(Ordering::SeqCst)
    }

    /// How full the log is.
    pub fn pressure(&self) -> Pressure {
        Pressure::from_number(self.pressure.load(Ordering::SeqCst))
    }

    /// What of the log could not be read.
    pub fn damages(&self) -> &Damages {
        &self.damages
    }

    /// Notes that the log failed. True the first time.
    fn fail(&self) -> bool {
        !self.log_failed.swap(true, Ordering::SeqCst)
    }

    fn set_log_gap(&self, gap: bool) {
        self.log_gap.store(gap, Ordering::SeqCst);
        gauge!("upriver_log_gap").set(f64::from(u8::from(gap)));
    }

    fn relearn(&self, events: u64) {
        self.relearned.store(events, Ordering::SeqCst);
        let mut taken = self.taken.lock().unwrap_or_else(|error| error.into_inner());
        taken.events += events;
    }

    fn set_pressure(&self, pressure: Pressure, no_space: bool) {
        self.pressure.store(pressure.number(), Ordering::SeqCst);
        self.no_space.store(no_space, Ordering::SeqCst);
    }

    /// How many events were taken so far.
    pub fn taken(&self) -> Taken {
        *self.taken.lock().unwrap_or_else(|error| error.into_inner())
    }

    fn take(&self, position: Position, events: u64) {
        let mut taken = self.taken.lock().unwrap_or_else(|error| error.into_inner());
        taken.position = position;
        taken.events += events;
    }
}

/// A handle to ingest. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    jobs: mpsc::Sender<Job>,
    bytes: Arc<Semaphore>,
    status: Arc<Status>,
    durable: watch::Receiver<Position>,
}

/// Starts the thread that sequences everything. Returns the handle, the feed for the live engine
/// in log order, and the thread. `known` tells which events were imported up to the checkpoint,
/// `erased` which visitors are not to come back.
///
/// # Errors
/// The thread cannot be started.
pub fn start<S: Storage>(
    recovered: recovery::Recovered<S>,
    quota: Quota,
    known: Known,
    erased: Erased,
) -> std::io::Result<(
    Ingest,
    mpsc::Receiver<Committed>,
    std::thread::JoinHandle<()>,
)> {
    let (jobs, job_queue) = mpsc::channel(JOBS_MAX);
    let (committed, feed) = mpsc::channel(COMMITTED_GROUPS_MAX);
    let (durable, durable_watch) = watch::channel(recovered.log.position());
    let status = Arc::new(Status {
        damages: recovered.damages.clone(),
        ..Status::default()
    });
    status.take(recovered.log.position(), recovered.unstored_events);
    status.set_log_gap(recovered.gap);
    let sequencer = Sequencer {
        log: recovered.log,
        dedup: recovered.dedup,
        imported: Imported::new(known, recovered.imported),
        elements: HashMap::new(),
        erased,
        quota,
        status: status.clone(),
        durable,
        committed,
        received_ms: recovered.received_ms,
        clock_ms: recovered.received_ms,
        behind: false,
        no_space_ms: None,
        gap: recovered.gap,
    };
    let thread = std::thread::Builder::new()
        .name("sequencer".into())
        .spawn(move || sequencer.run(job_queue))?;
    let bytes = Arc::new(Semaphore::new(WAITING_BYTES_MAX));
    Ok((
        Ingest {
            jobs,
            bytes,
            status,
            durable: durable_watch,
        },
        feed,
        thread,
    ))
}

impl Ingest {
    /// Checks a batch, makes it durable and says what became of it.
    ///
    /// What is known of it beside its bytes comes in `arrival`.
    ///
    /// # Errors
    /// [`IngestError`]; only [`IngestError::Invalid`] is for ever.
    pub async fn accept(
        &self,
        site: &Arc<str>,
        batch: Batch,
        arrival: Arrival,
    ) -> Result<Accepted, IngestError> {
        let Arrival {
            sent_at_ms,
            received_ms,
            size,
            refused,
            agent,
        } = arrival;
        validate::batch(&batch).map_err(IngestError::Invalid)?;
        if sent_at_ms > validate::TIME_MS_MAX {
            return Err(IngestError::Invalid(
                "sent_at lies after the year 2100".into(),
            ));
        }
        for (index, event) in batch.events.iter().enumerate() {
            if refused.contains(&index) {
                continue;
            }
            validate::event(&batch, &event.body)
                .and_then(|()| validate::of_page(&event.body))
                .map_err(|reason| IngestError::Invalid(format!("event {index}: {reason}")))?;
        }
        let bytes = self.reserve(size)?;
        let (reply, answer) = oneshot::channel();
        let job = BatchJob {
            site: site.clone(),
            received_ms,
            sent_at_ms,
            batch,
            refused,
            agent,
            reply,
            _bytes: bytes,
        };
        self.send(Job::Batch(Box::new(job)))?;
        answer.await.map_err(|_| IngestError::Stopping)?
    }

    /// Makes events durable that a server told, and says what became of each, in order. `letters` are
    /// those of its events that can never be taken, to be kept for somebody to look at.
    ///
    /// # Errors
    /// [`IngestError`], never [`IngestError::Invalid`]: all of it may be sent again.
    pub async fn import(
        &self,
        site: &Arc<str>,
        events: Vec<BatchRecord>,
        letters: Vec<DeadLetter>,
        (received_ms, size): (u64, usize),
    ) -> Result<Vec<Verdict>, IngestError> {
        let bytes = self.reserve(size)?;
        let (reply, answer) = oneshot::channel();
        let job = ImportJob {
            site: site.clone(),
            received_ms,
            events,
            letters,
            reply,
            _bytes: bytes,
        };
        self.send(Job::Import(Box::new(job)))?;
        let accepted = answer.await.map_err(|_| IngestError::Stopping)??;
        Ok(accepted.verdicts)
    }

    /// Keeps refused input for somebody to look at.
    ///
    /// # Errors
    /// It could not be made durable.
    pub async fn dead_letter(&self, letter: DeadLetter) -> Result<(), IngestError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::DeadLetter(letter, reply))?;
        answer.await.map_err(|_| IngestError::Stopping)?
    }

    /// Makes a seal durable.
    ///
    /// # Errors
    /// It could not be made durable.
    pub async fn seal(&self, seal: Seal) -> Result<(), IngestError> {
        let (reply, answer) = oneshot::channel();
        self.jobs
            .send(Job::Seal(seal, reply))
            .await
            .map_err(|_| IngestError::Stopping)?;
        answer.await.map_err(|_| IngestError::Stopping)?
    }

    /// What changed in the memory of streams since the last call, to be kept on disk.
    ///
    /// # Errors
    /// The process is stopping.
    pub async fn stream_changes(&self, now_ms: u64) -> Result<StreamChanges, IngestError> {
        let (reply, answer) = oneshot::channel();
        self.jobs
            .send(Job::Streams(now_ms, reply))
            .await
            .map_err(|_| IngestError::Stopping)?;
        answer.await.map_err(|_| IngestError::Stopping)
    }

    /// Tells events that the tables have and that may be in no group of the log any more.
    ///
    /// # Errors
    /// The process is stopping.
    pub async fn learn(&self, stored: Vec<Stored>) -> Result<(), IngestError> {
        let learn = self.jobs.send(Job::Learn(stored)).await;
        learn.map_err(|_| IngestError::Stopping)
    }

    /// All that the tables have was told: so many of these events are in no group of the log any
    /// more. From here on batches are taken again.
    ///
    /// # Errors
    /// The process is stopping.
    pub async fn learned(&self, events: u64) -> Result<(), IngestError> {
        let learned = self.jobs.send(Job::Learned(events)).await;
        learned.map_err(|_| IngestError::Stopping)
    }

    /// Lets go of log that storage no longer needs.
    pub async fn forget_log(&self, before: Position) {
        // Nobody left to forget it: the next start does.
        let _ = self.jobs.send(Job::ForgetLog(before)).await;
    }

    /// Takes nothing any more that a visitor did up to a time, Unix ms. Returns the position of the log
    /// before which everything lies that was taken of them.
    ///
    /// # Errors
    /// The log failed, or the process is stopping.
    pub async fn erase(&self, name: Name, until_ms: u64) -> Result<Position, IngestError> {
        let (reply, answer) = oneshot::channel();
        self.jobs
            .send(Job::Erase(name, until_ms, reply))
            .await
            .map_err(|_| IngestError::Stopping)?;
        answer.await.map_err(|_| IngestError::Stopping)
    }

    /// Closes the open segment and removes the segments that end before a position, which storage and
    /// the checkpoint must have, and whatever spoilt bytes were set aside of them. Every element is asked for again when it is met. Returns the position
    /// that the closed segments end at.
    ///
    /// # Errors
    /// The log failed, or the process is stopping.
    pub async fn clear_log(&self, before: Position) -> Result<Position, IngestError> {
        let (reply, answer) = oneshot::channel();
        self.jobs
            .send(Job::ClearLog(before, reply))
            .await
            .map_err(|_| IngestError::Stopping)?;
        answer.await.map_err(|_| IngestError::Stopping)?
    }

    /// Tells which elements storage has descriptors of: site, element, hash of the descriptor.
    pub async fn described(&self, elements: Vec<(String, u64, u64)>) {
        // Not told means asked for again, which is harmless.
        let _ = self.jobs.send(Job::Described(elements)).await;
    }

    /// How far the log is durable; changes with every group.
    pub fn durable(&self) -> watch::Receiver<Position> {
        self.durable.clone()
    }

    /// What others may know.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Room for the bytes of what waits for the log.
    fn reserve(&self, size: usize) -> Result<OwnedSemaphorePermit, IngestError> {
        let size = u32::try_from(size.clamp(1, WAITING_BYTES_MAX)).unwrap_or(u32::MAX);
        let bytes = self.bytes.clone().try_acquire_many_owned(size);
        bytes.map_err(|_| IngestError::Overloaded)
    }

    fn send(&self, job: Job) -> Result<(), IngestError> {
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => IngestError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => IngestError::Stopping,
        })
    }
}
