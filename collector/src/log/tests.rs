//! The log against a simple model, on a disk that tears writes, loses what was not synced, and
//! refuses.

use super::storage::{Disk, Storage, StorageFile};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap as Map;
use std::sync::Mutex;

/// A disk in memory that forgets what was not synced, tears the rest, and fails when told to.
#[derive(Clone, Default)]
struct Simulated(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: Map<String, Bytes>,
    fail_sync: bool,
    write_at_most: Option<usize>,
}

#[derive(Clone, Default)]
struct Bytes {
    written: Vec<u8>,
    synced: usize,
}

struct SimulatedFile(Simulated, String);

impl Simulated {
    /// A power cut: of what was not synced, `keep` bytes survive in each file.
    fn crash(&self, keep: usize) -> Self {
        let state = self.0.lock().unwrap();
        let files = state
            .files
            .iter()
            .map(|(name, bytes)| {
                let kept = bytes.written.len().min(bytes.synced + keep);
                let written = bytes.written[..kept].to_vec();
                (
                    name.clone(),
                    Bytes {
                        synced: kept,
                        written,
                    },
                )
            })
            .collect();
        Self(Arc::new(Mutex::new(State {
            files,
            ..State::default()
        })))
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Storage for Simulated {
    type File = SimulatedFile;
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.with(|s| s.files.keys().cloned().collect()))
    }
    fn create(&self, name: &str) -> io::Result<SimulatedFile> {
        self.with(|s| s.files.insert(name.into(), Bytes::default()));
        self.open(name)
    }
    fn open(&self, name: &str) -> io::Result<SimulatedFile> {
        Ok(SimulatedFile(self.clone(), name.into()))
    }
    fn read(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.with(|s| {
            let bytes = &s.files.get(name).ok_or_else(missing)?.written;
            let from = bytes.len().min(offset as usize);
            Ok(bytes[from..bytes.len().min(from + len)].to_vec())
        })
    }
    fn len(&self, name: &str) -> io::Result<u64> {
        self.with(|s| Ok(s.files.get(name).ok_or_else(missing)?.written.len() as u64))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.with(|s| s.files.remove(name).map(|_| ()).ok_or_else(missing))
    }
    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }
}

impl StorageFile for SimulatedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.with(|s| {
            let room = s.write_at_most.unwrap_or(usize::MAX);
            let file = s.files.get_mut(&self.1).ok_or_else(missing)?;
            file.written
                .extend_from_slice(&bytes[..bytes.len().min(room)]);
            if bytes.len() > room {
                Err(io::ErrorKind::StorageFull.into())
            } else {
                Ok(())
            }
        })
    }
    fn sync(&mut self) -> io::Result<()> {
        self.0.with(|s| {
            if s.fail_sync {
                return Err(io::Error::other("input/output error"));
            }
            let file = s.files.get_mut(&self.1).ok_or_else(missing)?;
            file.synced = file.written.len();
            Ok(())
        })
    }
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.with(|s| {
            let file = s.files.get_mut(&self.1).ok_or_else(missing)?;
            file.written.truncate(len as usize);
            file.synced = file.synced.min(len as usize);
            Ok(())
        })
    }
}

fn commit<S: Storage>(log: &mut Appender<S>, record: &[u8]) -> Result<Position, LogError> {
    log.commit(std::iter::once(record))
}

fn all<S: Storage>(reader: &Reader<S>) -> Vec<Vec<u8>> {
    let mut reader = reader.clone();
    let (mut position, mut records) = (0, Vec::new());
    while let Some(group) = reader.read(position).unwrap() {
        assert!(group.position >= position && group.next > group.position);
        position = group.next;
        records.extend(group.records);
    }
    assert_eq!(position.max(reader.start()), reader.end());
    records
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Vec<u8>>),
    ForgetBefore(prop::sample::Index),
    /// A power cut with this many unsynced bytes surviving in each file.
    Crash(usize),
    /// The next write stops after this many bytes, then the power goes.
    TornWrite(usize),
    /// The next sync fails, then the process is restarted with this many bytes surviving.
    FailedSync(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let record = prop::collection::vec(any::<u8>(), 0..60);
    prop_oneof![
        6 => prop::collection::vec(record, 1..4).prop_map(Step::Commit),
        1 => any::<prop::sample::Index>().prop_map(Step::ForgetBefore),
        1 => (0..80usize).prop_map(Step::Crash),
        1 => (0..80usize).prop_map(Step::TornWrite),
        1 => (0..80usize).prop_map(Step::FailedSync),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// Whatever happens: every committed record that was not forgotten is there, in order, once;
    /// a record whose commit failed is there whole or not at all.
    #[test]
    fn committed_records_survive_anything(steps in prop::collection::vec(step(), 1..40)) {
        let mut disk = Simulated::default();
        let (mut log, mut reader, _) = open(disk.clone(), 200).unwrap();
        // Each record with the position after its group; the model of what must be there.
        let mut expected: Vec<(Position, Vec<u8>)> = Vec::new();
        let mut doubtful: Vec<Vec<u8>> = Vec::new();
        let unique = std::cell::Cell::new(0u32);
        let tag = |mut record: Vec<u8>| {
            unique.set(unique.get() + 1);
            record.extend_from_slice(&unique.get().to_le_bytes());
            record
        };
        for step in steps {
            let mut survive = None;
            match step {
                Step::Commit(records) => {
                    let records: Vec<_> = records.into_iter().map(&tag).collect();
                    let next = log.commit(records.iter().map(Vec::as_slice)).unwrap();
                    expected.extend(records.into_iter().map(|r| (next, r)));
                }
                Step::ForgetBefore(at) => {
                    if !expected.is_empty() {
                        log.forget_before(expected[at.index(expected.len())].0).unwrap();
                        let start = reader.start();
                        expected.retain(|(next, _)| *next > start);
                    }
                }
                Step::Crash(keep) => survive = Some(keep),
                Step::TornWrite(bytes) => {
                    disk.with(|s| s.write_at_most = Some(bytes));
                    let record = tag(vec![7; 100]);
                    prop_assert!(commit(&mut log, &record).is_err());
                    prop_assert!(log.is_poisoned());
                    doubtful.push(record);
                    survive = Some(bytes);
                }
                Step::FailedSync(keep) => {
                    disk.with(|s| s.fail_sync = true);
                    let record = tag(vec![9; 10]);
                    prop_assert!(commit(&mut log, &record).is_err());
                    disk.with(|s| s.fail_sync = false);
                    prop_assert!(matches!(commit(&mut log, b"x"), Err(LogError::Poisoned)));
                    doubtful.push(record);
                    survive = Some(keep);
                }
            }
            if let Some(keep) = survive {
                disk = disk.crash(keep);
                let (new_log, new_reader, damage) = open(disk.clone(), 200).unwrap();
                prop_assert_eq!(damage, vec![]);
                (log, reader) = (new_log, new_reader);
            }
            let mut found = all(&reader);
            // What was doubtful and turned out to be there is there for good.
            found.retain(|r| expected.iter().any(|(_, e)| e == r) || !doubtful.contains(r));
            let wanted: Vec<_> = expected.iter().map(|(_, r)| r.clone()).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}

#[test]
fn damage_in_the_middle_is_set_aside_and_the_rest_is_read() {
    let disk = Simulated::default();
    let (mut log, _, _) = open(disk.clone(), 1 << 20).unwrap();
    commit(&mut log, b"before").unwrap();
    let from = log.position();
    commit(&mut log, b"damaged").unwrap();
    commit(&mut log, b"after").unwrap();
    let name = segment_name(0);
    disk.with(|s| {
        let bytes = &mut s.files.get_mut(&name).unwrap().written;
        bytes[(SEGMENT_HEADER_BYTES + from) as usize + GROUP_HEADER_BYTES + 5] ^= 0x40;
    });
    let (_, reader, damage) = open(disk.crash(0), 1 << 20).unwrap();
    assert_eq!(all(&reader), vec![b"before".to_vec(), b"after".to_vec()]);
    let [damage] = &damage[..] else {
        panic!("damage was not reported: {damage:?}")
    };
    assert_eq!(
        (damage.offset, damage.bytes),
        (SEGMENT_HEADER_BYTES + from, 20 + 4 + 7)
    );
}

#[test]
fn a_real_folder_keeps_records_over_a_reopen_and_keeps_a_second_process_out() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (mut log, _, _) = open(Disk::open(folder.path()).unwrap(), 64).unwrap();
        for number in 0..20u32 {
            commit(&mut log, &number.to_le_bytes()).unwrap();
        }
        let refused = Disk::open(folder.path()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    }
    let (_, reader, damage) = open(Disk::open(folder.path()).unwrap(), 64).unwrap();
    assert!(damage.is_empty());
    let wanted: Vec<_> = (0..20u32).map(|n| n.to_le_bytes().to_vec()).collect();
    assert_eq!(all(&reader), wanted);
}
