//! Finding the end of the log after a stop of any kind.

use super::damage::Damages;
use super::frame::{self, Found, SEGMENT_HEADER_BYTES};
use super::storage::{Storage, StorageFile};
use super::{LogError, Position, disk, segment};
use std::collections::BTreeMap;

/// Ends the name of a segment's copy until it is whole.
const NEW_SUFFIX: &str = ".new";

pub(super) struct Recovered {
    pub(super) segments: BTreeMap<Position, Position>,
    pub(super) end: Position,
}

/// Finds every segment, and reads those through that do not end before `trusted`. Only the last one
/// that holds anything may have a torn tail: before a group goes into a segment, the groups in the
/// one before it are durable.
pub(super) fn recover<S: Storage>(
    storage: &S,
    trusted: Position,
    damages: &Damages,
) -> Result<Recovered, LogError> {
    let mut found = Vec::new();
    for name in storage.list().map_err(disk("list"))? {
        if let Some(base) = segment::base(&name) {
            found.push((base, storage.len(&name).map_err(disk("stat a segment"))?));
        }
    }
    found.sort_unstable();
    let last = found
        .iter()
        .rposition(|(_, length)| *length > SEGMENT_HEADER_BYTES);

    let mut recovered = Recovered {
        segments: BTreeMap::new(),
        // Should the log have been taken away, positions go on all the same.
        end: trusted,
    };
    for (place, &(base, length)) in found.iter().enumerate() {
        let is_last = Some(place) >= last;
        let whole = base + length.saturating_sub(SEGMENT_HEADER_BYTES);
        let end = if whole <= trusted && !is_last {
            whole
        } else {
            scan(storage, base, length, is_last, damages)?
        };
        if end > base {
            recovered.segments.insert(base, end);
            recovered.end = recovered.end.max(end);
        } else {
            // Made in advance and never used, or begun with a group that a crash tore.
            let action = "remove an empty segment";
            storage.remove(&segment::name(base)).map_err(disk(action))?;
        }
    }
    if let (true, Some((base, _))) = (recovered.segments.is_empty(), found.first()) {
        // Everything was let go of: what is appended next still stands behind it.
        recovered.end = recovered.end.max(*base);
    }
    storage.sync_dir().map_err(disk("sync the folder"))?;
    Ok(recovered)
}

/// Scans one segment; returns the position after its last whole frame.
fn scan<S: Storage>(
    storage: &S,
    base: Position,
    length: u64,
    last: bool,
    damages: &Damages,
) -> Result<Position, LogError> {
    let name = segment::name(base);
    let bytes = storage
        .read(&name, 0, length as usize)
        .map_err(disk("read a segment"))?;
    let header = SEGMENT_HEADER_BYTES as usize;
    let mut offset = header;
    if frame::segment_base(&bytes) != Some(base) {
        if last && frame::next_group(bytes.get(header..).unwrap_or(&[]), base).is_none() {
            // A crash while the segment was being begun: nothing was promised in it.
            return Ok(base);
        }
        // The header carries nothing the name does not say; frames are checked one by one below.
        damages.set_aside(storage, &name, 0, &bytes[..header.min(bytes.len())]);
    }
    loop {
        let position = base + (offset - header) as u64;
        let rest = bytes.get(offset..).unwrap_or(&[]);
        match frame::find_group(rest, position) {
            Found::Group { frame_bytes, .. } => offset += frame_bytes,
            Found::End => break,
            Found::Bad => match frame::next_group(rest, position) {
                Some(skip) => {
                    damages.set_aside(storage, &name, offset as u64, &rest[..skip]);
                    offset += skip;
                }
                None if last => break,
                None => {
                    damages.set_aside(storage, &name, offset as u64, rest);
                    break;
                }
            },
        }
    }
    if last && offset > header {
        settle(storage, &name, bytes.get(..offset).unwrap_or(&bytes))?;
    }
    Ok(base + (offset - header) as u64)
}

/// Makes durable what was read of the last segment, without its torn tail: from here on it counts
/// as taken. A process that was killed before its sync leaves groups in the system's memory only;
/// after a sync that failed they stay there, and the system calls them written. So the bytes are
/// written anew: a sync of the file they came from could promise what is not there.
fn settle<S: Storage>(storage: &S, name: &str, bytes: &[u8]) -> Result<(), LogError> {
    let new = format!("{name}{NEW_SUFFIX}");
    if storage.list().map_err(disk("list"))?.contains(&new) {
        storage.remove(&new).map_err(disk("remove a half copy"))?;
    }
    match write_anew(storage, name, &new, bytes) {
        Err(LogError::Full { .. }) => {
            // There is no room for a copy: the sync has to do.
            let _ = storage.remove(&new);
            let mut file = storage.open(name).map_err(disk("open a segment"))?;
            file.truncate(bytes.len() as u64)
                .map_err(disk("truncate a torn tail"))?;
            file.sync().map_err(disk("fdatasync"))
        }
        result => result,
    }
}

fn write_anew<S: Storage>(
    storage: &S,
    name: &str,
    new: &str,
    bytes: &[u8],
) -> Result<(), LogError> {
    let mut file = storage.create(new).map_err(disk("copy a segment"))?;
    segment::append(&mut file, bytes).map_err(disk("copy a segment"))?;
    file.sync().map_err(disk("fdatasync"))?;
    let action = "put a segment in its place";
    storage.rename(new, name).map_err(disk(action))?;
    storage.sync_dir().map_err(disk("sync the folder"))
}
