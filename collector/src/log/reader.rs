//! Reading what is durable, from any position, while the log grows.

use super::frame::{
    self, Found, GROUP_HEADER_BYTES, GROUP_PAYLOAD_BYTES_MAX, SEGMENT_HEADER_BYTES,
};
use super::storage::Storage;
use super::{LogError, Position, Segments, disk, segment_name};
use std::sync::Arc;

/// Bytes read ahead at once.
const READ_AHEAD_BYTES: usize = 1024 * 1024;

/// One group read back.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    /// Where it begins.
    pub position: Position,
    /// Where the next one begins.
    pub next: Position,
    /// Its records.
    pub records: Vec<Vec<u8>>,
}

/// Reads groups. Cheap to clone; each clone keeps its own read-ahead.
pub struct Reader<S: Storage> {
    storage: Arc<S>,
    segments: Segments,
    ahead: Vec<u8>,
    ahead_at: Position,
}

impl<S: Storage> Clone for Reader<S> {
    fn clone(&self) -> Self {
        Self::new(self.storage.clone(), self.segments.clone())
    }
}

impl<S: Storage> Reader<S> {
    pub(super) fn new(storage: Arc<S>, segments: Segments) -> Self {
        Self {
            storage,
            segments,
            ahead: Vec::new(),
            ahead_at: 0,
        }
    }

    /// Position of the oldest group kept.
    pub fn start(&self) -> Position {
        let segments = self
            .segments
            .read()
            .unwrap_or_else(|error| error.into_inner());
        segments.first_key_value().map_or(0, |(base, _)| *base)
    }

    /// Position after the newest durable group.
    pub fn end(&self) -> Position {
        let segments = self
            .segments
            .read()
            .unwrap_or_else(|error| error.into_inner());
        segments.last_key_value().map_or(0, |(_, end)| *end)
    }

    /// The first group at or after `position`; none when there is none yet.
    ///
    /// Stretches set aside as damaged at recovery are passed over, as recovery did.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn read(&mut self, mut position: Position) -> Result<Option<Group>, LogError> {
        loop {
            let Some((base, end)) = self.segment_of(position) else {
                return Ok(None);
            };
            position = position.max(base);
            let bytes = self.bytes_at(base, end, position, GROUP_HEADER_BYTES)?;
            let wanted = GROUP_HEADER_BYTES
                + bytes
                    .get(4..8)
                    .map_or(0, |l| u32::from_le_bytes([l[0], l[1], l[2], l[3]]) as usize);
            let wanted = wanted.min(GROUP_HEADER_BYTES + GROUP_PAYLOAD_BYTES_MAX);
            let bytes = self.bytes_at(base, end, position, wanted)?;
            match frame::find_group(bytes, position) {
                Found::Group {
                    payload,
                    frame_bytes,
                } => {
                    return Ok(Some(Group {
                        position,
                        next: position + frame_bytes as u64,
                        records: frame::records(payload).map(<[u8]>::to_vec).collect(),
                    }));
                }
                Found::End => position = end.max(position + 1),
                Found::Bad => {
                    // Rare: look through the rest of the segment for the next whole frame.
                    let rest = self.bytes_at(base, end, position, (end - position) as usize)?;
                    position = match frame::next_group(rest, position) {
                        Some(skip) => position + skip as u64,
                        None => end.max(position + 1),
                    };
                }
            }
        }
    }

    /// The segment that holds `position`, or the first one after it that holds anything.
    fn segment_of(&self, position: Position) -> Option<(Position, Position)> {
        let segments = self
            .segments
            .read()
            .unwrap_or_else(|error| error.into_inner());
        segments
            .iter()
            .find(|(_, end)| **end > position)
            .map(|(base, end)| (*base, *end))
    }

    fn bytes_at(
        &mut self,
        base: Position,
        end: Position,
        position: Position,
        wanted: usize,
    ) -> Result<&[u8], LogError> {
        let wanted = wanted.min((end - position) as usize);
        let held = position
            .checked_sub(self.ahead_at)
            .map(|skip| skip as usize)
            .filter(|skip| skip + wanted <= self.ahead.len());
        let skip = match held {
            Some(skip) => skip,
            None => {
                let length = wanted.max(READ_AHEAD_BYTES).min((end - position) as usize);
                let offset = SEGMENT_HEADER_BYTES + (position - base);
                self.ahead = self
                    .storage
                    .read(&segment_name(base), offset, length)
                    .map_err(disk("read a segment"))?;
                self.ahead_at = position;
                0
            }
        };
        Ok(self
            .ahead
            .get(skip..)
            .map_or(&[], |held| &held[..held.len().min(wanted)]))
    }
}
