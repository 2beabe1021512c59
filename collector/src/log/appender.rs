//! Appending: one group, one write, one `fdatasync`.

use super::frame::{self, GROUP_HEADER_BYTES, GROUP_PAYLOAD_BYTES_MAX, SEGMENT_HEADER_BYTES};
use super::segment::{self, Next, Segments};
use super::storage::{Storage, StorageFile};
use super::{LogError, Options, Position, disk};
use std::sync::Arc;

/// The one place that appends.
pub struct Appender<S: Storage> {
    storage: Arc<S>,
    segments: Segments,
    options: Options,
    open: Option<Open<S>>,
    ahead: Next<S>,
    next: Position,
    frame: Vec<u8>,
    poisoned: bool,
}

struct Open<S: Storage> {
    base: Position,
    /// Where the next segment begins: nothing here goes past it.
    limit: Position,
    file: S::File,
}

impl<S: Storage> Appender<S> {
    pub(super) fn new(
        storage: Arc<S>,
        segments: Segments,
        options: Options,
        next: Position,
    ) -> Self {
        Self {
            storage,
            segments,
            options,
            open: None,
            ahead: Next::None,
            next,
            frame: Vec::new(),
            poisoned: false,
        }
    }

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
        let segments = segment::read(&self.segments);
        segments.iter().map(|(base, end)| end - base).sum()
    }

    /// Appends records as one group and makes it durable. Returns the position after it.
    ///
    /// So many bytes of the open segment are left `spare` as long as the next one cannot be made:
    /// what comes with 0 still gets in when the disk has no space for anything else.
    ///
    /// # Errors
    /// After [`LogError::Full`] nothing was appended, and it may be tried again. After
    /// [`LogError::Disk`] the log is poisoned: none of the records may be acknowledged, though some
    /// may turn out to be there after a restart.
    pub fn commit<'a>(
        &mut self,
        records: impl Iterator<Item = &'a [u8]>,
        spare: u64,
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
        let result = self.write(&payload, spare);
        if !matches!(result, Ok(()) | Err(LogError::Full { .. })) {
            self.poisoned = true;
        }
        result?;
        Ok(self.next)
    }

    fn write(&mut self, payload: &[u8], spare: u64) -> Result<(), LogError> {
        let bytes = (GROUP_HEADER_BYTES + payload.len()) as u64;
        self.make_room(bytes, spare)?;
        let Some(open) = self.open.as_mut() else {
            return Err(LogError::Poisoned);
        };
        self.frame.clear();
        frame::push_group(&mut self.frame, self.next, payload);
        let before = SEGMENT_HEADER_BYTES + (self.next - open.base);
        if let Err(error) = segment::append(&mut open.file, &self.frame) {
            // Of a group that did not fit nothing may stay, or the next one would stand behind it.
            open.file.truncate(before).map_err(|source| {
                let action = "take back what did not fit";
                LogError::Disk { action, source }
            })?;
            return Err(disk("append")(error));
        }
        if let Err(source) = open.file.sync() {
            // Never a second sync: the kernel may have dropped the bytes and call the file clean.
            // They would still be read back until a power cut, and be taken for durable by a
            // process started before that; so they go. Nobody was told that they were there.
            let _ = open.file.truncate(before);
            let action = "fdatasync";
            return Err(LogError::Disk { action, source });
        }
        self.next += bytes;
        segment::write(&self.segments).insert(open.base, self.next);
        Ok(())
    }

    /// Sees to it that the open segment takes a frame, beginning the next one when it is full.
    fn make_room(&mut self, bytes: u64, spare: u64) -> Result<(), LogError> {
        let next = self.next;
        let fits = |room: u64| {
            let open = self.open.as_ref();
            open.is_some_and(|open| next + bytes + room <= open.limit)
        };
        if fits(spare) {
            return Ok(());
        }
        if !fits(0) {
            return self.begin_with(bytes);
        }
        let Some(limit) = self.open.as_ref().map(|open| open.limit) else {
            return self.begin_with(bytes);
        };
        // What is spare may be used as soon as there is somewhere to go on.
        let file = match self.ahead.take() {
            Some(file) => file,
            None => segment::make(&*self.storage, limit, self.options.segment_bytes)?,
        };
        self.ahead = Next::Ready(file);
        Ok(())
    }

    /// Begins the first segment of this process.
    pub(super) fn begin(&mut self) -> Result<(), LogError> {
        self.begin_with(0)
    }

    /// Begins a segment in which at least a frame of so many bytes fits, durable in its folder
    /// before anything is promised in it.
    fn begin_with(&mut self, bytes: u64) -> Result<(), LogError> {
        let base = self.open.as_ref().map_or(self.next, |open| open.limit);
        let room = self.options.segment_bytes.max(bytes);
        let file = match self.ahead.take() {
            Some(file) => file,
            None => segment::make(&*self.storage, base, room)?,
        };
        let limit = base + room;
        self.next = base;
        self.open = Some(Open { base, limit, file });
        segment::write(&self.segments).insert(base, base);
        let (room, ahead) = (self.options.segment_bytes, self.options.ahead);
        self.ahead = Next::prepare(&self.storage, limit, room, ahead);
        Ok(())
    }

    /// Goes on in another segment, so that the one that was open can be removed. Does nothing while
    /// that is empty.
    ///
    /// # Errors
    /// The disk refused, and the log stays as it was; or the log is poisoned.
    pub fn close_segment(&mut self) -> Result<(), LogError> {
        match &self.open {
            _ if self.poisoned => Err(LogError::Poisoned),
            Some(open) if open.base == self.next => Ok(()),
            _ => self.begin_with(0),
        }
    }

    /// Removes what was copied from segments that begin before `position`: spoilt bytes that were set
    /// aside, and copies that a crash cut off.
    ///
    /// # Errors
    /// The disk refused; it may be tried again.
    pub fn forget_copies(&mut self, position: Position) -> Result<(), LogError> {
        for name in self.storage.list().map_err(disk("list"))? {
            if segment::base_of_copy(&name).is_some_and(|base| base < position) {
                let action = "remove a copy of a segment";
                self.storage.remove(&name).map_err(disk(action))?;
            }
        }
        self.storage.sync_dir().map_err(disk("sync the folder"))
    }

    /// Removes every segment that ends at or before `position`, except the open one.
    ///
    /// # Errors
    /// The disk refused; the log stays usable, and the next call tries again.
    pub fn forget_before(&mut self, position: Position) -> Result<(), LogError> {
        let open = self.open.as_ref().map(|open| open.base);
        let done: Vec<Position> = {
            let segments = segment::read(&self.segments);
            let done = |(base, end): &(&u64, &u64)| **end <= position && Some(**base) != open;
            segments
                .iter()
                .filter(done)
                .map(|(base, _)| *base)
                .collect()
        };
        for base in &done {
            self.storage
                .remove(&segment::name(*base))
                .map_err(disk("remove a segment"))?;
            segment::write(&self.segments).remove(base);
        }
        if !done.is_empty() {
            self.storage.sync_dir().map_err(disk("sync the folder"))?;
        }
        Ok(())
    }
}
