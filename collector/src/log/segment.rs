//! Segments: what they are called, which there are, and how a new one comes to be.
//!
//! Knows nothing of groups.

use super::frame::{self, SEGMENT_HEADER_BYTES};
use super::storage::{Storage, StorageFile};
use super::{Ahead, LogError, Position, disk};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc};

/// The segments there are: base position to the position after the last durable group.
pub(super) type Segments = Arc<RwLock<BTreeMap<Position, Position>>>;

pub(super) fn read(segments: &Segments) -> RwLockReadGuard<'_, BTreeMap<Position, Position>> {
    segments.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write(segments: &Segments) -> RwLockWriteGuard<'_, BTreeMap<Position, Position>> {
    segments.write().unwrap_or_else(PoisonError::into_inner)
}

/// The name of the segment that begins at a position.
pub(super) fn name(base: Position) -> String {
    format!("{base:020}.log")
}

/// The position at which the segment of that name begins, if it is a segment's.
pub(super) fn base(name: &str) -> Option<Position> {
    name.strip_suffix(".log")?.parse().ok()
}

/// The position at which the segment begins that such a file was copied from, in part or not whole.
pub(super) fn base_of_copy(name: &str) -> Option<Position> {
    let (base, copy) = name.split_once(".log.")?;
    base.parse().ok().filter(|_| !copy.is_empty())
}

/// Makes an empty segment with room for so many bytes, durable in its folder before it is returned.
pub(super) fn make<S: Storage>(
    storage: &S,
    base: Position,
    room: u64,
) -> Result<S::File, LogError> {
    let name = name(base);
    // One without a group can be left by a crash at this very place. Should there be one with any,
    // it stays, and making another fails.
    let known = storage.list().map_err(disk("list"))?.contains(&name);
    if known && storage.len(&name).map_err(disk("stat a segment"))? <= SEGMENT_HEADER_BYTES {
        storage
            .remove(&name)
            .map_err(disk("remove an empty segment"))?;
    }
    let mut file = storage.create(&name).map_err(disk("create a segment"))?;
    if let Err(error) = begin(storage, &mut file, base, room) {
        // It stays behind when this fails too; the next attempt and the next start remove it.
        let _ = storage.remove(&name);
        return Err(error);
    }
    Ok(file)
}

fn begin<S: Storage>(
    storage: &S,
    file: &mut S::File,
    base: Position,
    room: u64,
) -> Result<(), LogError> {
    file.reserve(SEGMENT_HEADER_BYTES + room)
        .map_err(disk("reserve a segment"))?;
    append(file, &frame::segment_header(base)).map_err(disk("begin a segment"))?;
    file.sync().map_err(disk("fdatasync"))?;
    storage.sync_dir().map_err(disk("sync the folder"))
}

/// Writes all bytes at the end, in as many steps as the disk takes.
pub(super) fn append(file: &mut impl StorageFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The segment after the open one.
pub(super) enum Next<S: Storage> {
    /// Nobody has made it yet.
    None,
    /// It is being made.
    Coming(mpsc::Receiver<Result<S::File, LogError>>),
    /// It is there, empty and durable.
    Ready(S::File),
}

impl<S: Storage> Next<S> {
    /// Has it made in advance. A failure is met again by whoever needs it.
    pub(super) fn prepare(storage: &Arc<S>, base: Position, room: u64, ahead: Ahead) -> Self {
        if ahead == Ahead::Inline {
            return make(&**storage, base, room).map_or(Self::None, Self::Ready);
        }
        let (made, coming) = mpsc::sync_channel(1);
        let storage = storage.clone();
        let thread = std::thread::Builder::new().name("log-ahead".into());
        let spawned = thread.spawn(move || {
            // Nobody waits for it any more when the process is stopping.
            let _ = made.send(make(&*storage, base, room));
        });
        spawned.map_or(Self::None, |_| Self::Coming(coming))
    }

    /// Takes it, waiting for it if it is being made. None when it has to be made first.
    pub(super) fn take(&mut self) -> Option<S::File> {
        match std::mem::replace(self, Self::None) {
            Self::None => None,
            Self::Coming(coming) => coming.recv().ok()?.ok(),
            Self::Ready(file) => Some(file),
        }
    }
}
