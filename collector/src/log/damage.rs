//! Damage: stretches of the log that cannot be read and are no torn tail. Somebody must know.
//!
//! Owns the list of them, the copies of their bytes, and the alarm. Knows nothing of groups.

use super::frame::SEGMENT_HEADER_BYTES;
use super::storage::{Storage, StorageFile};
use super::{Position, segment};
use metrics::{counter, gauge};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

/// Stretches remembered one by one; the rest are only counted.
const TOLD_MAX: usize = 1_000;
/// Ends the name of a file that keeps damaged bytes.
const SUFFIX: &str = "damaged";

/// A stretch of a segment that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Segment file.
    pub segment: String,
    /// First bad byte in that file.
    pub offset: u64,
    /// Bytes that were skipped.
    pub bytes: u64,
    /// Where they were copied to, in the log's folder; none when that failed.
    pub kept_as: Option<String>,
}

impl Damage {
    /// From where to where in the log it goes; none when its segment has no segment's name.
    fn stretch(&self) -> Option<(Position, Position)> {
        let base = segment::base(&self.segment)?;
        let at = |offset: u64| base + offset.saturating_sub(SEGMENT_HEADER_BYTES);
        Some((at(self.offset), at(self.offset + self.bytes)))
    }
}

/// What was found damaged since the process started. Anybody may look.
#[derive(Debug, Default)]
pub struct Damages {
    found: Mutex<BTreeMap<(String, u64), Damage>>,
}

impl Damages {
    /// The stretches, at most the first thousand.
    pub fn list(&self) -> Vec<Damage> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.values().cloned().collect()
    }

    /// Stretches and bytes found so far.
    pub fn total(&self) -> (usize, u64) {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        (found.len(), found.values().map(|damage| damage.bytes).sum())
    }

    /// Whether groups may be missing between two positions.
    pub fn touch(&self, from: Position, to: Position) -> bool {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let within = |damage: &Damage| {
            let stretch = damage.stretch();
            stretch.is_none_or(|(start, end)| start < to && end > from)
        };
        // Of those that are only counted nobody knows where they lie.
        found.len() >= TOLD_MAX || found.values().any(within)
    }

    /// Keeps the bytes of a stretch in a file of their own and raises the alarm, once a stretch
    /// however often it is met.
    pub(super) fn set_aside<S: Storage>(
        &self,
        storage: &S,
        segment: &str,
        offset: u64,
        bytes: &[u8],
    ) {
        if bytes.is_empty() {
            return;
        }
        self.tell(segment, offset, bytes.len() as u64, || {
            let name = format!("{segment}.{offset}.{SUFFIX}");
            let kept = keep(storage, &name, bytes);
            if let Err(error) = &kept {
                tracing::error!(%error, name, "damaged bytes of the log could not be kept");
            }
            kept.is_ok().then_some(name)
        });
    }

    /// Raises the alarm for bytes that are not there at all.
    pub(super) fn missing(&self, segment: &str, offset: u64, bytes: u64) {
        self.tell(segment, offset, bytes, || None);
    }

    fn tell(&self, segment: &str, offset: u64, bytes: u64, keep: impl FnOnce() -> Option<String>) {
        let key = (segment.to_owned(), offset);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.contains_key(&key) {
            return;
        }
        let damage = Damage {
            segment: segment.to_owned(),
            offset,
            bytes,
            kept_as: keep(),
        };
        tracing::error!(
            ?damage,
            "part of the log cannot be read: it is set aside and the rest is read on"
        );
        counter!("upriver_log_damaged_total").increment(1);
        counter!("upriver_log_damaged_bytes_total").increment(damage.bytes);
        if found.len() < TOLD_MAX {
            found.insert(key, damage);
        }
        gauge!("upriver_log_damage").set(found.len() as f64);
    }
}

/// Keeps bytes under a name. What is kept already stays as it is.
fn keep<S: Storage>(storage: &S, name: &str, bytes: &[u8]) -> io::Result<()> {
    let whole = |length: io::Result<u64>| length.is_ok_and(|length| length == bytes.len() as u64);
    if storage.list()?.iter().any(|known| known == name) {
        if whole(storage.len(name)) {
            return Ok(());
        }
        // Cut off by a crash while it was being copied; the original is still there.
        storage.remove(name)?;
    }
    let mut file = storage.create(name)?;
    segment::append(&mut file, bytes)?;
    file.sync()?;
    storage.sync_dir()
}
