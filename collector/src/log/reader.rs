//! Reading what is durable, from any position, while the log grows.

use super::damage::Damages;
use super::frame::{
    self, Found, GROUP_HEADER_BYTES, GROUP_PAYLOAD_BYTES_MAX, SEGMENT_HEADER_BYTES,
};
use super::segment::{self, Segments};
use super::storage::Storage;
use super::{LogError, Position, disk};
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
    damages: Arc<Damages>,
    ahead: Vec<u8>,
    ahead_at: Position,
}

impl<S: Storage> Clone for Reader<S> {
    fn clone(&self) -> Self {
        Self::new(
            self.storage.clone(),
            self.segments.clone(),
            self.damages.clone(),
        )
    }
}

impl<S: Storage> Reader<S> {
    pub(super) fn new(storage: Arc<S>, segments: Segments, damages: Arc<Damages>) -> Self {
        Self {
            storage,
            segments,
            damages,
            ahead: Vec::new(),
            ahead_at: 0,
        }
    }

    /// What of the log could not be read so far.
    pub fn damages(&self) -> &Damages {
        &self.damages
    }

    /// Position of the oldest group kept.
    pub fn start(&self) -> Position {
        let segments = segment::read(&self.segments);
        segments.first_key_value().map_or(0, |(base, _)| *base)
    }

    /// Position after the newest durable group.
    pub fn end(&self) -> Position {
        let segments = segment::read(&self.segments);
        segments.last_key_value().map_or(0, |(_, end)| *end)
    }

    /// The first group at or after `position`; none when there is none yet.
    ///
    /// Damage, found at recovery or since, is set aside, told, and passed over.
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
                Found::End => {
                    // The file is shorter than what was made durable in it.
                    let offset = SEGMENT_HEADER_BYTES + (position - base);
                    let name = segment::name(base);
                    self.damages.missing(&name, offset, end - position);
                    position = end;
                }
                Found::Bad => {
                    // Rare: look through the rest of the segment for the next whole frame.
                    let rest = self.bytes_at(base, end, position, (end - position) as usize)?;
                    let skip = frame::next_group(rest, position).unwrap_or(rest.len());
                    let bad = rest[..skip].to_vec();
                    let offset = SEGMENT_HEADER_BYTES + (position - base);
                    let name = segment::name(base);
                    self.damages.set_aside(&*self.storage, &name, offset, &bad);
                    position += (skip as u64).max(1);
                }
            }
        }
    }

    /// The segments there are.
    #[cfg(test)]
    pub(super) fn segments(&self) -> std::collections::BTreeMap<Position, Position> {
        segment::read(&self.segments).clone()
    }

    /// The segment that holds `position`, or the first one after it that holds anything.
    fn segment_of(&self, position: Position) -> Option<(Position, Position)> {
        let segments = segment::read(&self.segments);
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
                    .read(&segment::name(base), offset, length)
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
