//! Finding the end of the log after a stop of any kind.

use super::frame::{self, Found, SEGMENT_HEADER_BYTES};
use super::storage::{Storage, StorageFile};
use super::{LogError, Position, disk, segment_name};
use std::collections::BTreeMap;

/// A stretch of the log that could not be read and was not a torn tail. Somebody must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Segment file.
    pub segment: String,
    /// First bad byte in that file.
    pub offset: u64,
    /// Bytes that were skipped.
    pub bytes: u64,
    /// Where they were copied to, in the log's folder.
    pub kept_as: String,
}

pub(super) struct Recovered {
    pub(super) segments: BTreeMap<Position, Position>,
    pub(super) end: Position,
    pub(super) damage: Vec<Damage>,
}

/// Reads every segment once. Only the last one may have a torn tail.
pub(super) fn recover<S: Storage>(storage: &S) -> Result<Recovered, LogError> {
    let mut bases: Vec<Position> = storage
        .list()
        .map_err(disk("list"))?
        .iter()
        .filter_map(|name| name.strip_suffix(".log")?.parse().ok())
        .collect();
    bases.sort_unstable();

    let mut recovered = Recovered {
        segments: BTreeMap::new(),
        end: 0,
        damage: Vec::new(),
    };
    for (place, &base) in bases.iter().enumerate() {
        let last = place + 1 == bases.len();
        let end = scan(storage, base, last, &mut recovered.damage)?;
        if end > base {
            recovered.segments.insert(base, end);
        } else {
            storage
                .remove(&segment_name(base))
                .map_err(disk("remove an empty segment"))?;
        }
        recovered.end = recovered.end.max(end).max(base);
    }
    storage.sync_dir().map_err(disk("sync the folder"))?;
    Ok(recovered)
}

/// Scans one segment; returns the position after its last whole frame.
fn scan<S: Storage>(
    storage: &S,
    base: Position,
    last: bool,
    damage: &mut Vec<Damage>,
) -> Result<Position, LogError> {
    let name = segment_name(base);
    let length = storage.len(&name).map_err(disk("stat a segment"))?;
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
        damage.push(set_aside(
            storage,
            &name,
            0,
            &bytes[..header.min(bytes.len())],
        )?);
    }
    loop {
        let position = base + (offset - header) as u64;
        let rest = bytes.get(offset..).unwrap_or(&[]);
        match frame::find_group(rest, position) {
            Found::Group { frame_bytes, .. } => offset += frame_bytes,
            Found::End => return Ok(position),
            Found::Bad => match frame::next_group(rest, position) {
                Some(skip) => {
                    damage.push(set_aside(storage, &name, offset as u64, &rest[..skip])?);
                    offset += skip;
                }
                None if last => {
                    let mut file = storage.open(&name).map_err(disk("open a segment"))?;
                    file.truncate(offset as u64)
                        .map_err(disk("truncate a torn tail"))?;
                    file.sync().map_err(disk("fdatasync"))?;
                    return Ok(position);
                }
                None => {
                    damage.push(set_aside(storage, &name, offset as u64, rest)?);
                    return Ok(position);
                }
            },
        }
    }
}

fn set_aside<S: Storage>(
    storage: &S,
    segment: &str,
    offset: u64,
    bytes: &[u8],
) -> Result<Damage, LogError> {
    let kept_as = format!("{segment}.{offset}.damaged");
    let known = storage.list().map_err(disk("list"))?.contains(&kept_as);
    if !known {
        let mut file = storage.create(&kept_as).map_err(disk("set damage aside"))?;
        file.append(bytes).map_err(disk("set damage aside"))?;
        file.sync().map_err(disk("fdatasync"))?;
    }
    Ok(Damage {
        segment: segment.into(),
        offset,
        bytes: bytes.len() as u64,
        kept_as,
    })
}
