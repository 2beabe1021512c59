//! The write-ahead log: what is in it survives a power cut, and nothing else is promised to.
//!
//! Owns segments, group frames, durability and recovery. Knows nothing of what a record means, of
//! time, or of who waits for it. One thread appends ([`Appender`]); any number may read what is
//! durable ([`Reader`]).
//!
//! - A group is durable when [`Appender::commit`] returns: one write, one `fdatasync`.
//! - A failed write or sync poisons the log: the state of the file is then unknown, so nothing is
//!   appended ever again by this process. Recovery at the next start finds what did survive.
//! - A torn tail (the last group, cut off by a crash) was never acknowledged and is truncated.
//!   Damage anywhere else is kept in a file of its own, reported, and skipped.

pub mod frame;
mod reader;
mod recovery;
pub mod storage;

pub use reader::Reader;
pub use recovery::Damage;

use frame::{GROUP_HEADER_BYTES, GROUP_PAYLOAD_BYTES_MAX, SEGMENT_HEADER_BYTES};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, RwLock};
use storage::{Storage, StorageFile};

/// A place in the log: bytes of log before it. Only grows.
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
    /// An earlier failure left the file in an unknown state. Restart to recover.
    #[error("the log takes no more records after a failed write or sync; restart the collector")]
    Poisoned,
    /// More bytes than one group can hold.
    #[error("a group of {0} bytes is over the limit of {GROUP_PAYLOAD_BYTES_MAX}")]
    TooLarge(usize),
}

fn disk(action: &'static str) -> impl FnOnce(io::Error) -> LogError {
    move |source| LogError::Disk { action, source }
}

/// The segments there are: base position to the position after the last whole frame.
type Segments = Arc<RwLock<BTreeMap<Position, Position>>>;

/// An open log: its one appender, a reader, and what could not be read.
pub type Opened<S> = (Appender<S>, Reader<S>, Vec<Damage>);

/// Opens the log: finds its end, cuts a torn tail, sets damage aside.
///
/// `segment_bytes` is the size past which a new segment is begun.
///
/// # Errors
/// The disk cannot be read or written.
pub fn open<S: Storage>(storage: S, segment_bytes: u64) -> Result<Opened<S>, LogError> {
    let storage = Arc::new(storage);
    let recovered = recovery::recover(&*storage)?;
    let segments: Segments = Arc::new(RwLock::new(recovered.segments));
    let mut appender = Appender {
        storage: storage.clone(),
        segments: segments.clone(),
        segment_bytes,
        open: None,
        next: recovered.end,
        frame: Vec::new(),
        poisoned: false,
    };
    appender.begin_segment()?;
    Ok((appender, Reader::new(storage, segments), recovered.damage))
}

fn segment_name(base: Position) -> String {
    format!("{base:020}.log")
}

/// The one place that appends.
pub struct Appender<S: Storage> {
    storage: Arc<S>,
    segments: Segments,
    segment_bytes: u64,
    open: Option<(Position, S::File)>,
    next: Position,
    frame: Vec<u8>,
    poisoned: bool,
}

impl<S: Storage> Appender<S> {
    /// Position of the next group.
    pub fn position(&self) -> Position {
        self.next
    }

    /// Whether a failure has ended this log for this process.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Bytes of log kept, all segments together.
    pub fn bytes(&self) -> u64 {
        let segments = self
            .segments
            .read()
            .unwrap_or_else(|error| error.into_inner());
        segments.iter().map(|(base, end)| end - base).sum()
    }

    /// Appends records as one group and makes it durable. Returns the position after it.
    ///
    /// # Errors
    /// After [`LogError::Disk`] the log is poisoned: none of the records may be acknowledged,
    /// though some may turn out to be there after a restart.
    pub fn commit<'a>(
        &mut self,
        records: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Position, LogError> {
        if self.poisoned {
            return Err(LogError::Poisoned);
        }
        let mut payload = Vec::new();
        for record in records {
            frame::push_record(&mut payload, record);
        }
        if payload.is_empty() {
            return Ok(self.next);
        }
        if payload.len() > GROUP_PAYLOAD_BYTES_MAX {
            return Err(LogError::TooLarge(payload.len()));
        }
        self.frame.clear();
        frame::push_group(&mut self.frame, self.next, &payload);
        self.write_frame().inspect_err(|_| self.poisoned = true)?;
        Ok(self.next)
    }

    fn write_frame(&mut self) -> Result<(), LogError> {
        let full = self
            .open
            .as_ref()
            .is_none_or(|(base, _)| self.next - base >= self.segment_bytes);
        if full {
            self.begin_segment()?;
        }
        let Some((base, file)) = self.open.as_mut() else {
            return Err(LogError::Poisoned);
        };
        file.append(&self.frame).map_err(disk("append"))?;
        file.sync().map_err(disk("fdatasync"))?;
        self.next += self.frame.len() as u64;
        let mut segments = self
            .segments
            .write()
            .unwrap_or_else(|error| error.into_inner());
        segments.insert(*base, self.next);
        Ok(())
    }

    /// Begins a new segment, durable in its folder before anything is promised in it.
    fn begin_segment(&mut self) -> Result<(), LogError> {
        let base = self.next;
        let name = segment_name(base);
        // A segment without a frame can be left by a crash at this very place.
        if self.storage.list().map_err(disk("list"))?.contains(&name) {
            self.storage
                .remove(&name)
                .map_err(disk("remove an empty segment"))?;
        }
        let mut file = self
            .storage
            .create(&name)
            .map_err(disk("create a segment"))?;
        file.append(&frame::segment_header(base))
            .map_err(disk("begin a segment"))?;
        file.sync().map_err(disk("fdatasync"))?;
        self.storage.sync_dir().map_err(disk("sync the folder"))?;
        self.open = Some((base, file));
        let mut segments = self
            .segments
            .write()
            .unwrap_or_else(|error| error.into_inner());
        segments.insert(base, base);
        Ok(())
    }

    /// Removes every segment that ends at or before `position`, except the open one.
    ///
    /// # Errors
    /// The disk refused; the log stays usable, and the next call tries again.
    pub fn forget_before(&mut self, position: Position) -> Result<(), LogError> {
        let open = self.open.as_ref().map(|(base, _)| *base);
        let done: Vec<Position> = {
            let segments = self
                .segments
                .read()
                .unwrap_or_else(|error| error.into_inner());
            let done = |(base, end): &(&u64, &u64)| **end <= position && Some(**base) != open;
            segments
                .iter()
                .filter(done)
                .map(|(base, _)| *base)
                .collect()
        };
        for base in &done {
            self.storage
                .remove(&segment_name(*base))
                .map_err(disk("remove a segment"))?;
            let mut segments = self
                .segments
                .write()
                .unwrap_or_else(|error| error.into_inner());
            segments.remove(base);
        }
        if !done.is_empty() {
            self.storage.sync_dir().map_err(disk("sync the folder"))?;
        }
        Ok(())
    }
}

/// Bytes of a frame around a payload.
const FRAME_OVERHEAD: u64 = GROUP_HEADER_BYTES as u64;
const _: () = assert!(SEGMENT_HEADER_BYTES < FRAME_OVERHEAD);

#[cfg(test)]
mod tests;
