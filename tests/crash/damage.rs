//! Spoiling the log of a collector that does not run: bytes after its end that a write torn off by a
//! power cut leaves, or one byte anywhere that is another one. Says which events lay in what was spoilt.

use super::journal::Identity;
use crate::oracle::Chance;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use upriver_collector::ingest::record::Record;
use upriver_collector::log::frame::{self, Found, SEGMENT_HEADER_BYTES};

/// What one spoilt byte touched.
#[derive(Clone, Debug, Default)]
pub(super) struct Spoilt {
    /// The events of its group.
    pub events: BTreeSet<Identity>,
    /// Whether it lay in the last group of all, which nothing tells from one torn off.
    pub last: bool,
}

/// Segments of a log that hold something, oldest first; one made in advance does not.
fn segments(log: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(log)? {
        let entry = entry?;
        let path = entry.path();
        let is_segment = path.extension().is_some_and(|extension| extension == "log");
        if is_segment && entry.metadata()?.len() > SEGMENT_HEADER_BYTES {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Appends the beginning of a group whose rest never reached the disk.
///
/// # Errors
/// There is no log, or it cannot be written.
pub(super) fn tear(log: &Path, chance: &mut Chance) -> Result<()> {
    let last = segments(log)?.pop().context("no log")?;
    let (base, bytes) = read(&last)?;
    let position = base + (bytes.len() as u64).saturating_sub(SEGMENT_HEADER_BYTES);
    let mut payload = Vec::new();
    let noise: Vec<u8> = (0..20 + chance.below(400))
        .map(|_| chance.below(256) as u8)
        .collect();
    frame::push_record(&mut payload, &noise);
    let mut group = Vec::new();
    frame::push_group(&mut group, position, &payload);
    group.truncate(1 + chance.below(group.len() as u64 - 1) as usize);
    OpenOptions::new()
        .append(true)
        .open(&last)?
        .write_all(&group)?;
    Ok(())
}

/// Changes one byte somewhere in the log.
///
/// # Errors
/// There is no log, or it cannot be written.
pub(super) fn flip(log: &Path, chance: &mut Chance) -> Result<Spoilt> {
    let with_groups = segments(log)?;
    let at = chance.below(with_groups.len().max(1) as u64) as usize;
    let segment = with_groups.get(at).context("no log with a group")?;
    let (base, mut bytes) = read(segment)?;
    let place = chance.below(bytes.len() as u64) as usize;
    let mut spoilt = Spoilt::default();
    let mut offset = SEGMENT_HEADER_BYTES as usize;
    loop {
        let position = base + (offset as u64 - SEGMENT_HEADER_BYTES);
        match frame::find_group(&bytes[offset..], position) {
            Found::Group {
                payload,
                frame_bytes,
            } => {
                if (offset..offset + frame_bytes).contains(&place) {
                    let records = frame::records(payload);
                    spoilt.events = records.filter_map(events).flatten().collect();
                    let ends = offset + frame_bytes == bytes.len();
                    spoilt.last = ends && at + 1 == with_groups.len();
                }
                offset += frame_bytes;
            }
            // Spoilt before.
            Found::Bad => match frame::next_group(&bytes[offset..], position) {
                Some(skip) => offset += skip,
                None => break,
            },
            Found::End => break,
        }
    }
    bytes[place] ^= 1 << chance.below(8);
    File::create(segment)?.write_all(&bytes)?;
    Ok(spoilt)
}

/// Whether the collector set something aside.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn set_aside(log: &Path) -> Result<bool> {
    for entry in std::fs::read_dir(log)? {
        if entry?
            .path()
            .extension()
            .is_some_and(|extension| extension == "damaged")
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read(segment: &Path) -> Result<(u64, Vec<u8>)> {
    let bytes = std::fs::read(segment)?;
    let name = segment
        .file_stem()
        .and_then(|name| name.to_str())
        .context("no name")?;
    Ok((name.parse()?, bytes))
}

/// The events that a record took.
fn events(record: &[u8]) -> Option<Vec<Identity>> {
    let Ok(Record::Batch(record)) = Record::decode(record) else {
        return None;
    };
    let (stream, first) = (record.batch.stream.0, record.batch.first_seq);
    let ranges = record.accepted.iter();
    let numbers = ranges.flat_map(|(start, end)| u64::from(*start)..u64::from(*end));
    Some(numbers.map(|number| (stream, first + number)).collect())
}
