//! The log against a simple model, on a disk that does everything a disk may do.

pub(crate) mod disk;

use super::frame::{GROUP_HEADER_BYTES, SEGMENT_HEADER_BYTES};
use super::storage::Disk;
use super::*;
use disk::{Fault, Plant, Simulated};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};
use std::cell::Cell;

const SEGMENT_BYTES: u64 = 200;

fn inline(trusted: Position) -> Options {
    Options {
        segment_bytes: SEGMENT_BYTES,
        trusted,
        ahead: Ahead::Inline,
    }
}

fn commit<S: Storage>(log: &mut Appender<S>, record: &[u8]) -> Result<Position, LogError> {
    log.commit(std::iter::once(record), 0)
}

fn all<S: Storage>(reader: &Reader<S>) -> Vec<(Position, Vec<u8>)> {
    let mut reader = reader.clone();
    let (mut position, mut records) = (0, Vec::new());
    while let Some(group) = reader.read(position).unwrap() {
        assert!(group.position >= position && group.next > group.position);
        position = group.next;
        records.extend(group.records.into_iter().map(|record| (position, record)));
    }
    records
}

fn bytes<S: Storage>(reader: &Reader<S>) -> Vec<Vec<u8>> {
    all(reader).into_iter().map(|(_, record)| record).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Vec<u8>>),
    /// Lets go of what stands before a record, by the share of all records.
    Forget(prop::sample::Index),
    /// Something goes wrong so many steps of the disk later.
    Plan(usize, Fault),
    /// The disk has room for so many more bytes only, or for any number again.
    Space(Option<usize>),
    /// The process is killed and started again, and meets a fault while it starts.
    Kill(Option<(usize, Fault)>),
    /// The power goes, and comes back; and a fault while it starts.
    PowerCut(u64, Option<(usize, Fault)>),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Error),
        Just(Fault::NoSpace),
        Just(Fault::Short),
        Just(Fault::PowerCut),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let record = prop::collection::vec(any::<u8>(), 0..60);
    let at_start = || prop::option::weighted(0.3, (0..12_usize, fault()));
    prop_oneof![
        8 => prop::collection::vec(record, 1..4).prop_map(Step::Commit),
        1 => any::<prop::sample::Index>().prop_map(Step::Forget),
        3 => (0..8_usize, fault()).prop_map(|(steps, fault)| Step::Plan(steps, fault)),
        1 => prop::option::of(0..600_usize).prop_map(Step::Space),
        1 => at_start().prop_map(Step::Kill),
        1 => (any::<u64>(), at_start()).prop_map(|(random, at)| Step::PowerCut(random, at)),
    ]
}

/// What must be in the log, and what may be.
struct Model {
    disk: Simulated,
    log: Appender<Simulated>,
    reader: Reader<Simulated>,
    /// Acknowledged and not let go of, each with the position after its group.
    acked: Vec<(Position, Vec<u8>)>,
    /// What stands before this may be gone. As in a collector, a start knows that it was there.
    let_go: Position,
    /// Sent with a group whose commit failed.
    doubtful: Vec<Vec<u8>>,
    random: Cell<u64>,
    sent: u32,
}

impl Model {
    fn new(random: u64, plant: Option<Plant>) -> Self {
        let disk = Simulated::new(random, plant);
        let (log, reader, _) = open(disk.clone(), inline(0)).unwrap();
        Self {
            disk,
            log,
            reader,
            acked: Vec::new(),
            let_go: 0,
            doubtful: Vec::new(),
            random: Cell::new(random),
            sent: 0,
        }
    }

    fn step(&mut self, step: Step) -> TestCaseResult {
        match step {
            Step::Commit(records) => self.commit(records)?,
            Step::Forget(at) if !self.acked.is_empty() => {
                let before = self.acked[at.index(self.acked.len())].0;
                // When it fails, what was to be let go of may be there or not.
                let _ = self.log.forget_before(before);
                self.let_go = self.let_go.max(before);
                let start = self.reader.start();
                self.acked.retain(|(next, _)| *next > start);
            }
            Step::Forget(_) => {}
            Step::Plan(steps, fault) => self.disk.plan(steps, fault),
            Step::Space(more) => self.disk.space(more),
            Step::Kill(at_start) => {
                self.disk = self.disk.killed();
                self.restart(at_start)?;
            }
            Step::PowerCut(random, at_start) => {
                self.disk = self.disk.power_cut(random);
                self.restart(at_start)?;
            }
        }
        Ok(())
    }

    fn commit(&mut self, records: Vec<Vec<u8>>) -> TestCaseResult {
        let tagged = |(record, sent): (Vec<u8>, u32)| [&record[..], &sent.to_le_bytes()].concat();
        let records: Vec<Vec<u8>> = records.into_iter().zip(self.sent..).map(tagged).collect();
        self.sent += records.len() as u32;
        let before = self.log.position();
        match self.log.commit(records.iter().map(Vec::as_slice), 0) {
            Ok(next) => {
                prop_assert!(next > before);
                self.acked.extend(records.into_iter().map(|r| (next, r)));
            }
            Err(LogError::Full { .. }) => {
                prop_assert!(!self.log.is_poisoned());
                self.doubtful.extend(records);
            }
            Err(_) => {
                prop_assert!(self.log.is_poisoned());
                self.doubtful.extend(records);
            }
        }
        Ok(())
    }

    /// Starts again, after a fault in the middle of starting once more, and looks.
    fn restart(&mut self, at_start: Option<(usize, Fault)>) -> TestCaseResult {
        if let Some((steps, fault)) = at_start {
            self.disk.plan(steps, fault);
            // It may have failed or not, and was stopped at that.
            drop(open(self.disk.clone(), inline(self.let_go)));
            self.random.set(self.random.get().rotate_left(7) ^ 0x55);
            self.disk = match fault {
                Fault::PowerCut => self.disk.power_cut(self.random.get()),
                _ => self.disk.killed(),
            };
        }
        let (log, reader, damages) = open(self.disk.clone(), inline(self.let_go)).unwrap();
        prop_assert_eq!(damages.list(), vec![]);
        let last = self.acked.last().map_or(0, |(next, _)| *next);
        prop_assert!(log.position() >= last);
        (self.log, self.reader) = (log, reader);
        // What was let go of may come back until the folder was synced; what was not may not go.
        let first = self.acked.first().map_or(last, |(next, _)| *next);
        let found = all(&self.reader);
        let mut found: Vec<_> = found.into_iter().filter(|f| f.0 >= first).collect();
        // From here on what is found counts as taken: it must stay, wherever it came from.
        let new = |r: &(Position, Vec<u8>)| self.acked.contains(r) || self.doubtful.contains(&r.1);
        if !self.acked.is_empty() {
            let strange: Vec<_> = found.iter().filter(|f| !new(f)).collect();
            prop_assert_eq!(strange, Vec::<&(Position, Vec<u8>)>::new());
            let lost = |a: &&(Position, Vec<u8>)| a.0 > self.let_go && !found.contains(a);
            let lost: Vec<_> = self.acked.iter().filter(lost).collect();
            prop_assert_eq!(lost, Vec::<&(Position, Vec<u8>)>::new());
        }
        found.retain(new);
        self.doubtful.retain(|d| !found.iter().any(|f| f.1 == *d));
        let mut seen: Vec<_> = found.iter().map(|f| &f.1).collect();
        seen.sort_unstable();
        let all_seen = seen.len();
        seen.dedup();
        prop_assert_eq!(seen.len(), all_seen, "something is there twice");
        self.acked = found;
        Ok(())
    }

    /// Everything acknowledged is there, once and in order, while the process runs.
    fn look(&self) -> TestCaseResult {
        self.disk.unplan();
        let mut reader = self.reader.clone();
        let (mut position, mut found) = (reader.start(), Vec::new());
        // A disk whose power is cut answers nothing.
        while let Ok(Some(group)) = reader.read(position) {
            position = group.next;
            found.extend(group.records.into_iter().map(|record| (position, record)));
        }
        if position >= self.reader.end() {
            let wanted = &self.acked[..];
            let from = found.len().saturating_sub(wanted.len());
            prop_assert_eq!(&found[from..], wanted);
        }
        Ok(())
    }
}

fn scenario(random: u64, steps: Vec<Step>, plant: Option<Plant>) -> TestCaseResult {
    let mut model = Model::new(random, plant);
    for (number, step) in steps.into_iter().enumerate() {
        model.step(step)?;
        if number % 4 == 3 {
            model.look()?;
        }
    }
    model.disk = model.disk.power_cut(random);
    model.restart(None)
}

proptest! {
    #![proptest_config(Config::with_cases(1_000))]
    /// Whatever happens, at whatever step: every committed record that was not forgotten is there,
    /// in order, once; a record whose commit failed is there whole or not at all, and once it was
    /// found it stays; nothing else is there.
    #[test]
    fn committed_records_survive_anything(
        random in any::<u64>(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        scenario(random, steps, None)?;
    }
}

/// A disk that lies is noticed: otherwise the test above would prove nothing.
#[test]
fn each_fault_that_is_planted_in_the_disk_is_noticed() {
    for plant in [Plant::SkipSync, Plant::SkipSyncDir, Plant::IgnoreShort] {
        let mut runner = TestRunner::new(Config {
            cases: 2_000,
            failure_persistence: None,
            max_shrink_iters: 0,
            ..Config::default()
        });
        let steps = (any::<u64>(), prop::collection::vec(step(), 1..40));
        let noticed = runner.run(&steps, |(random, steps)| {
            scenario(random, steps, Some(plant))
        });
        assert!(noticed.is_err(), "{plant:?} went unnoticed");
    }
}

proptest! {
    #![proptest_config(Config::with_cases(300))]
    /// A bit turned anywhere but in the tail costs the group it is in and nothing else. Its bytes
    /// are kept, whether the damage is met at the start or while reading.
    #[test]
    fn damage_is_set_aside_and_the_rest_is_read(
        groups in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..80), 3..20),
        at in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        bit in 0..8_u8,
        running in any::<bool>(),
    ) {
        let disk = Simulated::new(1, None);
        let (mut log, mut reader, mut damages) = open(disk.clone(), inline(0)).unwrap();
        for group in &groups {
            commit(&mut log, group).unwrap();
        }
        // Not the last: damage there is a torn tail at the next start.
        let bad = at.index(groups.len() - 1);
        let next = all(&reader)[bad].0;
        let length = GROUP_HEADER_BYTES + 4 + groups[bad].len();
        let (name, offset) = place(&reader, next - length as u64);
        disk.flip(&name, offset + byte.index(length), bit);
        if !running {
            drop(log);
            (_, reader, damages) = open(disk.clone(), inline(0)).unwrap();
        }
        let mut wanted = groups.clone();
        let lost = wanted.remove(bad);
        prop_assert_eq!(bytes(&reader), wanted);
        // Read again by somebody else: told once.
        prop_assert_eq!(bytes(&reader).len(), groups.len() - 1);
        let found = damages.list();
        prop_assert_eq!(found.len(), 1);
        let kept = disk.read(found[0].kept_as.as_ref().unwrap(), 0, 1_000).unwrap();
        prop_assert_eq!(kept.len(), length);
        let differing: u32 = kept[24..].iter().zip(&lost).map(|(a, b)| (a ^ b).count_ones()).sum();
        prop_assert!(differing <= 1);
    }
}

/// Segment file and offset in it of a position.
fn place(reader: &Reader<Simulated>, position: Position) -> (String, usize) {
    let segments = reader.segments();
    let (base, _) = segments.range(..=position).next_back().unwrap();
    let offset = SEGMENT_HEADER_BYTES + (position - base);
    (segment::name(*base), offset as usize)
}

#[test]
fn a_disk_without_space_takes_nothing_keeps_everything_and_heals() {
    let disk = Simulated::new(1, None);
    let (mut log, reader, _) = open(disk.clone(), inline(0)).unwrap();
    disk.space(Some(0));
    let mut taken = Vec::new();
    // What was reserved in advance still takes something.
    let full = loop {
        let record = vec![taken.len() as u8; 30];
        match commit(&mut log, &record) {
            Ok(_) => taken.push(record),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, LogError::Full { .. }), "{full}");
    assert!(taken.len() >= 6, "two segments were reserved");
    assert!(commit(&mut log, &[9; 30]).is_err());
    assert_eq!(bytes(&reader), taken);
    log.forget_before(all(&reader)[3].0).unwrap();
    disk.space(Some(300));
    taken.push(vec![7; 30]);
    commit(&mut log, &[7; 30]).unwrap();
    let left = bytes(&reader);
    assert_eq!(left, taken[taken.len() - left.len()..]);
}

#[test]
fn the_spare_room_is_for_those_who_may_use_it() {
    let disk = Simulated::new(1, None);
    let (mut log, _, _) = open(disk.clone(), inline(0)).unwrap();
    disk.space(Some(0));
    let batch = |log: &mut Appender<Simulated>| log.commit(std::iter::once(&[1; 20][..]), 60);
    while batch(&mut log).is_ok() {}
    assert!(matches!(batch(&mut log), Err(LogError::Full { .. })));
    commit(&mut log, &[2; 20]).unwrap();
}

#[test]
fn trusted_segments_are_not_read_at_the_start_and_checked_when_they_are() {
    let disk = Simulated::new(1, None);
    let (mut log, reader, _) = open(disk.clone(), inline(0)).unwrap();
    for number in 0..20_u8 {
        commit(&mut log, &[number; 40]).unwrap();
    }
    let (trusted, wanted) = (log.position(), bytes(&reader));
    disk.flip(&segment::name(0), 50, 3);
    let (_, reader, damages) = open(disk.killed(), inline(trusted)).unwrap();
    assert_eq!(damages.total(), (0, 0));
    assert_eq!(bytes(&reader), wanted[1..]);
    assert_eq!(damages.total(), (1, 64));
}

#[test]
fn positions_go_on_when_the_log_was_taken_away() {
    let (log, reader, _) = open(Simulated::new(1, None), inline(5_000)).unwrap();
    assert_eq!((log.position(), reader.end()), (5_000, 5_000));
}

#[test]
fn a_group_larger_than_a_segment_gets_one_of_its_own() {
    let (mut log, reader, _) = open(Simulated::new(1, None), inline(0)).unwrap();
    let large = vec![5; 3 * SEGMENT_BYTES as usize];
    for record in [&[1; 10][..], &large, &[2; 10]] {
        commit(&mut log, record).unwrap();
    }
    assert_eq!(bytes(&reader), vec![vec![1; 10], large, vec![2; 10]]);
}

#[test]
fn a_real_folder_keeps_records_over_a_reopen_and_keeps_a_second_process_out() {
    let folder = tempfile::tempdir().unwrap();
    {
        let disk = Disk::open(folder.path()).unwrap();
        let (mut log, _, _) = open(disk, Options::new(64)).unwrap();
        for number in 0..20u32 {
            commit(&mut log, &number.to_le_bytes()).unwrap();
        }
        let refused = Disk::open(folder.path()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    }
    // Whoever makes the last segment in advance holds the lock until it is made.
    let disk = loop {
        match Disk::open(folder.path()) {
            Ok(disk) => break disk,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        std::thread::yield_now();
    };
    let (_, reader, damages) = open(disk, Options::new(64)).unwrap();
    assert_eq!(damages.total(), (0, 0));
    let wanted: Vec<_> = (0..20u32).map(|n| n.to_le_bytes().to_vec()).collect();
    assert_eq!(bytes(&reader), wanted);
}
