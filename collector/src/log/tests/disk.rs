//! A disk in memory that does everything a disk may do: forgets what was not synced or keeps any
//! part of it, loses names that were not synced in their folder, tears writes, calls bytes clean
//! after a failed sync, has no space, fails at any step.

use super::super::storage::{Storage, StorageFile};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

/// Bytes that the disk writes as one. Small, so that small files have many.
const SECTOR: usize = 16;

/// What goes wrong at a chosen step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `EIO`. A write or a sync may have been done in part.
    Error,
    /// `ENOSPC`. A write may have been done in part.
    NoSpace,
    /// A write takes fewer bytes than it was given; anything else is done as asked.
    Short,
    /// The power goes: this step is done in part, and nothing after it at all.
    PowerCut,
}

/// Something that the disk is told to do wrong in secret, to see that the tests notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// Files are said to be synced and are not.
    SkipSync,
    /// Folders are said to be synced and are not.
    SkipSyncDir,
    /// A short write is said to have been a whole one.
    IgnoreShort,
}

#[derive(Clone, Default)]
pub(crate) struct Simulated(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: BTreeMap<u64, Contents>,
    /// Names as they are, and as a power cut may leave them.
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    next_file: u64,
    random: u64,
    fault: Option<(usize, Fault)>,
    off: bool,
    /// Bytes all files together may have, reserved ones counted.
    capacity: Option<usize>,
    plant: Option<Plant>,
}

#[derive(Clone, Default)]
struct Contents {
    now: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    reserved: usize,
}

pub(crate) struct SimulatedFile(Simulated, u64);

fn failed(kind: io::ErrorKind) -> io::Error {
    kind.into()
}

fn no_space() -> io::Error {
    failed(io::ErrorKind::StorageFull)
}

fn broken() -> io::Error {
    io::Error::other("input/output error")
}

impl Simulated {
    pub(crate) fn new(random: u64, plant: Option<Plant>) -> Self {
        let disk = Self::default();
        disk.with(|state| (state.random, state.plant) = (random, plant));
        disk
    }

    /// The process is gone; the system and the disk are not, unless the power went first.
    pub(crate) fn killed(&self) -> Self {
        if self.with(|state| std::mem::take(&mut state.off)) {
            return self.power_cut(1);
        }
        self.with(|state| {
            (state.fault, state.off, state.capacity) = (None, false, None);
        });
        self.clone()
    }

    /// The power was cut: of everything that was not synced any part may be there.
    pub(crate) fn power_cut(&self, random: u64) -> Self {
        self.with(|state| {
            state.random ^= random;
            let names: BTreeSet<String> = state.names.keys().cloned().collect();
            let gone: BTreeSet<String> = state.durable_names.keys().cloned().collect();
            for name in names.union(&gone) {
                if state.coin() {
                    match state.names.get(name).copied() {
                        Some(file) => drop(state.durable_names.insert(name.clone(), file)),
                        None => drop(state.durable_names.remove(name)),
                    }
                }
            }
            state.names = state.durable_names.clone();
            for file in state.files.keys().copied().collect::<Vec<_>>() {
                state.persist_some(file);
                let contents = state.files.entry(file).or_default();
                contents.now = contents.durable.clone();
                contents.dirty.clear();
                contents.reserved = 0;
            }
        });
        self.killed()
    }

    /// At the so-manyth step from now something goes wrong.
    pub(crate) fn plan(&self, steps: usize, fault: Fault) {
        self.with(|state| state.fault = Some((steps, fault)));
    }

    /// Whether what was planned has not happened yet; it will not any more.
    pub(crate) fn unplan(&self) {
        self.with(|state| state.fault = None);
    }

    /// Leaves room for so many more bytes; `None` for as many as wanted.
    pub(crate) fn space(&self, more: Option<usize>) {
        self.with(|state| state.capacity = more.map(|more| state.used() + more));
    }

    /// Turns a bit of a durable byte.
    pub(crate) fn flip(&self, name: &str, offset: usize, bit: u8) {
        self.with(|state| {
            let file = state.names[name];
            let contents = state.files.get_mut(&file).unwrap();
            contents.now[offset] ^= 1 << bit;
            contents.durable[offset] ^= 1 << bit;
        });
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }

    /// One step of the disk; the fault to be acted out in it, if any.
    fn step(&self) -> io::Result<Option<Fault>> {
        self.with(|state| {
            if state.off {
                return Err(broken());
            }
            match &mut state.fault {
                Some((0, fault)) => {
                    let fault = *fault;
                    state.fault = None;
                    state.off = fault == Fault::PowerCut;
                    Ok(Some(fault))
                }
                Some((steps, _)) => {
                    *steps -= 1;
                    Ok(None)
                }
                None => Ok(None),
            }
        })
    }

    /// A step that is done whole or not at all.
    fn plain<T>(&self, f: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        match self.step()? {
            None | Some(Fault::Short) => self.with(f),
            Some(Fault::Error) => Err(broken()),
            Some(Fault::NoSpace) => Err(no_space()),
            Some(Fault::PowerCut) => {
                if self.with(State::coin) {
                    let _ = self.with(f);
                }
                Err(broken())
            }
        }
    }
}

impl State {
    fn next(&mut self) -> u64 {
        // splitmix64: short, and good enough to choose with.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn coin(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }

    fn used(&self) -> usize {
        let files = self.names.values().filter_map(|file| self.files.get(file));
        files.map(|file| file.now.len().max(file.reserved)).sum()
    }

    fn file(&self, name: &str) -> io::Result<u64> {
        let file = self.names.get(name).copied();
        file.ok_or_else(|| failed(io::ErrorKind::NotFound))
    }

    /// Of the dirty sectors of a file some reach the disk, and its length is any in between.
    fn persist_some(&mut self, file: u64) {
        let mut contents = self.files.get(&file).cloned().unwrap_or_default();
        let (short, long) = (
            contents.durable.len().min(contents.now.len()),
            contents.durable.len().max(contents.now.len()),
        );
        let length = short + (self.next() % (long - short + 1) as u64) as usize;
        // With the length in between, at random, or as it is now or was.
        let length = match self.next() % 3 {
            0 => contents.now.len(),
            1 => contents.durable.len(),
            _ => length,
        };
        contents.durable.resize(length, 0);
        for sector in contents.dirty.clone() {
            if self.coin() {
                contents.write_back(sector);
            }
        }
        self.files.insert(file, contents);
    }
}

impl Contents {
    fn write_back(&mut self, sector: usize) {
        let end = (sector + SECTOR)
            .min(self.now.len())
            .min(self.durable.len());
        if sector < end {
            self.durable[sector..end].copy_from_slice(&self.now[sector..end]);
        }
    }

    fn sync(&mut self) {
        self.durable.resize(self.now.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            self.write_back(sector);
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        let from = self.now.len() / SECTOR * SECTOR;
        self.now.extend_from_slice(bytes);
        self.dirty.extend((from..self.now.len()).step_by(SECTOR));
    }
}

impl Storage for Simulated {
    type File = SimulatedFile;

    fn list(&self) -> io::Result<Vec<String>> {
        self.plain(|state| Ok(state.names.keys().cloned().collect()))
    }

    fn create(&self, name: &str) -> io::Result<SimulatedFile> {
        let file = self.plain(|state| {
            if state.names.contains_key(name) {
                return Err(failed(io::ErrorKind::AlreadyExists));
            }
            state.next_file += 1;
            let file = state.next_file;
            state.files.insert(file, Contents::default());
            state.names.insert(name.into(), file);
            Ok(file)
        })?;
        Ok(SimulatedFile(self.clone(), file))
    }

    fn open(&self, name: &str) -> io::Result<SimulatedFile> {
        let file = self.plain(|state| state.file(name))?;
        Ok(SimulatedFile(self.clone(), file))
    }

    fn read(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.plain(|state| {
            let bytes = &state.files[&state.file(name)?].now;
            let from = bytes.len().min(offset as usize);
            Ok(bytes[from..bytes.len().min(from + len)].to_vec())
        })
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.plain(|state| Ok(state.files[&state.file(name)?].now.len() as u64))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.plain(|state| {
            let file = state.file(from)?;
            state.names.remove(from);
            state.names.insert(to.into(), file);
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.plain(|state| {
            state.file(name)?;
            state.names.remove(name);
            Ok(())
        })
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.plain(|state| {
            if state.plant != Some(Plant::SkipSyncDir) {
                state.durable_names = state.names.clone();
            }
            Ok(())
        })
    }
}

impl StorageFile for SimulatedFile {
    fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        self.0.plain(|state| {
            let more = (bytes as usize).saturating_sub(state.files[&self.1].now.len());
            if state
                .capacity
                .is_some_and(|most| state.used() + more > most)
            {
                return Err(no_space());
            }
            let contents = state.files.entry(self.1).or_default();
            contents.reserved = contents.reserved.max(bytes as usize);
            Ok(())
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fault = self.0.step()?;
        self.0.with(|state| {
            let part = (state.next() % (bytes.len() as u64 + 1)) as usize;
            let reserved = state.files[&self.1].reserved;
            let held = state.files[&self.1].now.len();
            let free = state.capacity.map_or(usize::MAX, |most| {
                most.saturating_sub(state.used()) + reserved.saturating_sub(held)
            });
            let contents = state.files.entry(self.1).or_default();
            match fault {
                None if bytes.len() <= free => {
                    contents.append(bytes);
                    Ok(bytes.len())
                }
                // What still fits is written; the next write says that nothing does.
                None if free > 0 => {
                    contents.append(&bytes[..free]);
                    Ok(free)
                }
                None => Err(no_space()),
                Some(Fault::Short) => {
                    let part = part.max(1).min(free).min(bytes.len());
                    contents.append(&bytes[..part]);
                    match state.plant {
                        Some(Plant::IgnoreShort) => Ok(bytes.len()),
                        _ if part == 0 => Err(no_space()),
                        _ => Ok(part),
                    }
                }
                Some(fault) => {
                    contents.append(&bytes[..part.min(free)]);
                    Err(if fault == Fault::NoSpace {
                        no_space()
                    } else {
                        broken()
                    })
                }
            }
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        let fault = self.0.step()?;
        self.0.with(|state| {
            if state.plant == Some(Plant::SkipSync) {
                return Ok(());
            }
            match fault {
                None | Some(Fault::Short) => {
                    state.files.entry(self.1).or_default().sync();
                    Ok(())
                }
                Some(fault) => {
                    // Part of it is on disk, and all of it is called clean: a second sync would
                    // find nothing to do.
                    state.persist_some(self.1);
                    if fault != Fault::PowerCut {
                        state.files.entry(self.1).or_default().dirty.clear();
                    }
                    Err(if fault == Fault::NoSpace {
                        no_space()
                    } else {
                        broken()
                    })
                }
            }
        })
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.plain(|state| {
            let contents = state.files.entry(self.1).or_default();
            contents.now.truncate(len as usize);
            contents.dirty.retain(|sector| *sector < len as usize);
            contents.reserved = 0;
            Ok(())
        })
    }
}
