//! The write-ahead log: what is in it survives a power cut, and nothing else is promised to.
//!
//! Owns segments, group frames, durability and recovery. Knows nothing of what a record means, of
//! time, or of who waits for it. One thread appends ([`Appender`]); any number may read what is
//! durable ([`Reader`]).
//!
//! - A group is durable when [`Appender::commit`] returns: one write, one `fdatasync`.
//! - The segment after the open one is made in advance, with its room reserved, so that a commit
//!   neither waits for a new file nor finds the disk full halfway.
//! - A disk without space is no failure: the group is taken back and [`LogError::Full`] is said;
//!   the next commit tries again. Any other failed write or sync poisons the log: the state of the
//!   file is then unknown, so nothing is appended ever again by this process. Recovery at the next
//!   start finds what did survive.
//! - A torn tail (the last group, cut off by a crash) was never acknowledged and is truncated.
//!   Damage anywhere else is kept in a file of its own, reported, and skipped.

mod appender;
mod damage;
pub mod frame;
mod reader;
mod recovery;
mod segment;
pub mod storage;

pub use appender::Appender;
pub use damage::{Damage, Damages};
pub use reader::{Group, Reader};

use frame::GROUP_PAYLOAD_BYTES_MAX;
use segment::Segments;
use std::io;
use std::sync::{Arc, RwLock};
use storage::Storage;

/// A place in the log: bytes of log before it, those that were skipped at the end of a segment
/// counted too. Only grows.
pub type Position = u64;

/// Largest record.
pub const RECORD_BYTES_MAX: usize = GROUP_PAYLOAD_BYTES_MAX / 2;

/// Why the log could not do something.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk refused, or said something impossible.
    #[error("the log's disk failed at {action}: {source}")]
    Disk {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The disk has no space left. Nothing was appended; it may be tried again.
    #[error("the log's disk has no space left ({action}); free some")]
    Full {
        /// What was being done.
        action: &'static str,
    },
    /// An earlier failure left the file in an unknown state. Restart to recover.
    #[error("the log takes no more records after a failed write or sync; restart the collector")]
    Poisoned,
    /// More bytes than one group can hold.
    #[error("a group of {0} bytes is over the limit of {GROUP_PAYLOAD_BYTES_MAX}")]
    TooLarge(usize),
}

fn disk(action: &'static str) -> impl FnOnce(io::Error) -> LogError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => LogError::Full { action },
        _ => LogError::Disk { action, source },
    }
}

/// How a log is to be opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Size past which a new segment is begun, bytes.
    pub segment_bytes: u64,
    /// Segments that end at or before this position are not read through at the start: what is in
    /// them was synced, and is checked when it is read. 0 reads everything.
    pub trusted: Position,
    /// Whether the next segment is made by a thread of its own, or by whoever commits.
    pub ahead: Ahead,
}

impl Options {
    /// Segments of this size, everything read through at the start.
    pub fn new(segment_bytes: u64) -> Self {
        Self {
            segment_bytes,
            trusted: 0,
            ahead: Ahead::Thread,
        }
    }
}

/// Who makes the next segment in advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// A thread that lives as long as that takes: no commit waits for it.
    Thread,
    /// Whoever began the one before, at once: the same steps in the same order, every time.
    Inline,
}

/// An open log: its one appender, a reader, and what could not be read.
pub type Opened<S> = (Appender<S>, Reader<S>, Arc<Damages>);

/// Opens the log: finds its end, cuts a torn tail, sets damage aside.
///
/// # Errors
/// The disk cannot be read or written. A disk without space is no error here.
pub fn open<S: Storage>(storage: S, options: Options) -> Result<Opened<S>, LogError> {
    let storage = Arc::new(storage);
    let damages = Arc::new(Damages::default());
    let recovered = recovery::recover(&*storage, options.trusted, &damages)?;
    let segments: Segments = Arc::new(RwLock::new(recovered.segments));
    let mut appender = Appender::new(storage.clone(), segments.clone(), options, recovered.end);
    match appender.begin() {
        Ok(()) | Err(LogError::Full { .. }) => {}
        Err(error) => return Err(error),
    }
    let reader = Reader::new(storage, segments, damages.clone());
    Ok((appender, reader, damages))
}

#[cfg(test)]
pub(crate) mod tests;
