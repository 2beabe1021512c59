//! Ingest on a disk that does everything a disk may do: what was acknowledged is in the log once,
//! and what was not can still be sent.

mod clock;
mod gap;

use super::*;
use crate::ingest::Verdict;
use crate::ingest::erased::Namer;
use crate::ingest::recovery::{Mark, Recovered, Remembered, recover};
use crate::log;
use crate::log::tests::disk::{Fault, Simulated};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::Semaphore;
use upriver_wire::batch::{Attention, Body, Custom, Event, Path, Press, Scroll};
use upriver_wire::{StreamId, VisitorId};

const LOG: log::Options = log::Options {
    segment_bytes: 600,
    trusted: 0,
    ahead: log::Ahead::Inline,
};
const NOW_MS: u64 = 1_800_000_000_000;

type EventId = (u128, u64);
type Sent = (
    Vec<EventId>,
    oneshot::Receiver<Result<Accepted, IngestError>>,
);

#[derive(Clone, Debug)]
enum Step {
    /// Batches that are made durable together: stream, first number, events.
    Group(Vec<(u8, u8, u8)>),
    /// The same, with the memory of streams asked for in the middle, and kept.
    Checkpoint(Vec<(u8, u8, u8)>),
    Plan(usize, Fault),
    Space(Option<usize>),
    Kill,
    PowerCut(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let batches = || prop::collection::vec((1..4_u8, 0..40_u8, 1..6_u8), 1..5);
    let fault = prop_oneof![
        Just(Fault::Error),
        Just(Fault::NoSpace),
        Just(Fault::NoSpace),
        Just(Fault::Short),
        Just(Fault::PowerCut),
    ];
    prop_oneof![
        5 => batches().prop_map(Step::Group),
        2 => batches().prop_map(Step::Checkpoint),
        2 => (0..6_usize, fault).prop_map(|(steps, fault)| Step::Plan(steps, fault)),
        1 => prop::option::of(0..1_500_usize).prop_map(Step::Space),
        1 => Just(Step::Kill),
        1 => any::<u64>().prop_map(Step::PowerCut),
    ]
}

/// A collector without its threads, and what its clients and its state file know.
struct World {
    disk: Simulated,
    sequencer: Sequencer<Simulated>,
    streams: BTreeMap<StreamKey, Stream>,
    mark: Mark,
    acked: BTreeSet<EventId>,
    sent: BTreeSet<EventId>,
    quota: Quota,
    now_ms: u64,
}

const WIDE: Quota = Quota {
    soft: 1 << 40,
    hard: 1 << 40,
};

impl World {
    fn new(random: u64, quota: Quota) -> Self {
        let disk = Simulated::new(random, None);
        let recovered = recover(disk.clone(), LOG, Remembered::default()).unwrap();
        Self {
            disk,
            sequencer: sequencer(recovered, quota),
            streams: BTreeMap::new(),
            mark: Mark::default(),
            acked: BTreeSet::new(),
            sent: BTreeSet::new(),
            quota,
            now_ms: NOW_MS,
        }
    }

    fn step(&mut self, step: Step) -> TestCaseResult {
        match step {
            Step::Group(batches) => self.group(&batches, None)?,
            Step::Checkpoint(batches) => self.group(&batches, Some(batches.len() / 2))?,
            Step::Plan(steps, fault) => self.disk.plan(steps, fault),
            Step::Space(more) => self.disk.space(more),
            Step::Kill => {
                self.disk = self.disk.killed();
                self.restart()?;
            }
            Step::PowerCut(random) => {
                self.disk = self.disk.power_cut(random);
                self.restart()?;
            }
        }
        Ok(())
    }

    /// Sends batches in one group; before the `checkpoint`th the memory of streams is asked for.
    fn group(&mut self, batches: &[(u8, u8, u8)], checkpoint: Option<usize>) -> TestCaseResult {
        // Longer than a full disk is left in peace.
        self.now_ms += 1_000;
        let (mut group, mut sent, mut asked) = (Group::default(), Vec::new(), None);
        for (number, &(stream, first, events)) in batches.iter().enumerate() {
            if checkpoint == Some(number) {
                let (reply, answer) = oneshot::channel();
                let job = Job::Streams(self.now_ms, reply);
                group = self.sequencer.begin(job, group);
                asked = Some(answer);
            }
            let (job, waits) = self.batch(stream, first, events);
            group = self.sequencer.begin(job, group);
            sent.push(waits);
        }
        // The state file may be faster than the log's disk.
        if let Some(Ok(changes)) = asked.map(|mut asked| asked.try_recv()) {
            self.keep(changes);
        }
        self.sequencer.commit(group);
        for (ids, mut answer) in sent {
            if let Ok(accepted) = answer.try_recv().expect("everybody is answered") {
                self.ack(&ids, &accepted)?;
            }
        }
        Ok(())
    }

    fn ack(&mut self, ids: &[EventId], accepted: &Accepted) -> TestCaseResult {
        for (id, verdict) in ids.iter().zip(&accepted.verdicts) {
            match verdict {
                Verdict::Ok => prop_assert!(self.acked.insert(*id), "{id:?} was taken twice"),
                // Taken before: by a commit of which nobody heard that it went well, too.
                Verdict::Duplicate => drop(self.acked.insert(*id)),
                verdict => prop_assert!(false, "{verdict:?}"),
            }
        }
        Ok(())
    }

    fn batch(&mut self, stream: u8, first: u8, events: u8) -> (Job, Sent) {
        let first_seq = u64::from(first);
        let ids: Vec<EventId> = (first_seq..first_seq + u64::from(events))
            .map(|number| (u128::from(stream), number))
            .collect();
        self.sent.extend(&ids);
        let custom = |_| {
            Body::Custom(Custom {
                name: "x".into(),
                props: Vec::new(),
            })
        };
        let bodies: Vec<Body> = ids.iter().map(custom).collect();
        let (job, answer) = job(stream, first_seq, bodies, self.now_ms);
        (job, (ids, answer))
    }

    fn keep(&mut self, changes: StreamChanges) {
        for key in changes.forgotten {
            self.streams.remove(&key);
        }
        self.streams.extend(changes.changed);
        self.mark = Mark {
            position: changes.position,
            unstored: changes.taken,
            received_ms: changes.received_ms,
            ..Mark::default()
        };
    }

    /// A start with what the state file has, held against one that reads all of the log.
    fn restart(&mut self) -> TestCaseResult {
        let remembered = || Remembered {
            streams: self.streams.clone().into_iter().collect(),
            mark: self.mark.clone(),
            ..Remembered::default()
        };
        let whole = recover(self.disk.clone(), LOG, Remembered::default()).unwrap();
        let known = recover(self.disk.clone(), LOG, remembered()).unwrap();
        // Of what was taken already nothing is left in the log, but when it came.
        prop_assert!(known.received_ms >= whole.received_ms);
        prop_assert_eq!(known.unstored_events, whole.unstored_events);
        prop_assert_eq!(known.damages.total(), (0, 0));
        for stream in 1..4 {
            let key = StreamKey::new("shop", StreamId(stream));
            let missing = |recovered: &Recovered<Simulated>| {
                let stream = recovered.dedup.get(key).cloned().unwrap_or_default();
                (stream.missing(0..60), stream.last)
            };
            prop_assert_eq!(missing(&known), missing(&whole), "stream {}", stream);
        }
        let found = in_log(&known);
        let all = found.len();
        let found: BTreeSet<EventId> = found.into_iter().collect();
        prop_assert_eq!(found.len(), all, "an event is in the log twice");
        prop_assert!(found.is_superset(&self.acked), "lost");
        self.sequencer = sequencer(known, self.quota);
        Ok(())
    }
}

fn sequencer(recovered: Recovered<Simulated>, quota: Quota) -> Sequencer<Simulated> {
    let status = Arc::new(Status::default());
    status.take(recovered.log.position(), recovered.unstored_events);
    Sequencer {
        erased: Erased::new(Namer::new(b"test"), []),
        durable: watch::channel(recovered.log.position()).0,
        log: recovered.log,
        dedup: recovered.dedup,
        imported: Imported::new(
            Box::new(|keys| Ok(vec![false; keys.len()])),
            recovered.imported,
        ),
        elements: HashMap::new(),
        quota,
        status,
        // Nobody counts here.
        committed: mpsc::channel(1).0,
        received_ms: recovered.received_ms,
        clock_ms: recovered.received_ms,
        behind: false,
        no_space_ms: None,
        gap: recovered.gap,
    }
}

fn job(
    stream: u8,
    first_seq: u64,
    bodies: Vec<Body>,
    now_ms: u64,
) -> (Job, oneshot::Receiver<Result<Accepted, IngestError>>) {
    let (reply, answer) = oneshot::channel();
    let permits = Arc::new(Semaphore::new(1));
    let batch = Batch {
        stream: StreamId(u128::from(stream)),
        visitor: VisitorId(7),
        first_seq,
        first_ms: NOW_MS - 1_000_000 + first_seq * 1_000,
        events: bodies
            .into_iter()
            .map(|body| Event { delta_ms: 1, body })
            .collect(),
        ..Batch::default()
    };
    let job = BatchJob {
        site: "shop".into(),
        received_ms: now_ms,
        sent_at_ms: now_ms,
        batch,
        refused: Vec::new(),
        agent: Agent::default(),
        reply,
        _bytes: permits.try_acquire_owned().unwrap(),
    };
    (Job::Batch(Box::new(job)), answer)
}

/// Every event that counts in the log.
fn in_log(recovered: &Recovered<Simulated>) -> Vec<EventId> {
    let mut reader = recovered.reader.clone();
    let (mut position, mut events) = (0, Vec::new());
    while let Some(group) = reader.read(position).unwrap() {
        position = group.next;
        for bytes in &group.records {
            if let Ok(Record::Batch(record)) = Record::decode(bytes) {
                let first = record.batch.first_seq;
                for (start, end) in record.accepted {
                    let numbers = first + u64::from(start)..first + u64::from(end);
                    events.extend(numbers.map(|number| (record.batch.stream.0, number)));
                }
            }
        }
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// Whatever the disk does: no acknowledged event is lost or there twice, a start from a
    /// checkpoint knows what one from the whole log knows, and what was refused is taken when it
    /// comes again.
    #[test]
    fn acknowledged_events_are_there_once_and_refused_ones_may_come_again(
        random in any::<u64>(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut world = World::new(random, WIDE);
        for step in steps {
            world.step(step)?;
        }
        world.disk = world.disk.power_cut(random);
        world.restart()?;
        for (stream, number) in world.sent.clone() {
            world.group(&[(stream as u8, number as u8, 1)], None)?;
        }
        prop_assert_eq!(&world.acked, &world.sent);
        world.disk = world.disk.power_cut(!random);
        world.restart()?;
    }
}

/// Sends one batch by itself.
fn send(
    world: &mut World,
    stream: u8,
    first: u64,
    bodies: Vec<Body>,
) -> Result<Vec<Verdict>, IngestError> {
    world.now_ms += 1_000;
    let (job, mut answer) = job(stream, first, bodies, world.now_ms);
    let group = world.sequencer.begin(job, Group::default());
    world.sequencer.commit(group);
    let accepted = answer.try_recv().expect("it is answered")?;
    Ok(accepted.verdicts)
}

fn mixed() -> Vec<Body> {
    vec![
        Body::Press(Press::default()),
        Body::Path(Path::default()),
        Body::Scroll(Scroll::default()),
        Body::Attention(Attention::default()),
        Body::Press(Press::default()),
    ]
}

#[test]
fn the_fuller_the_log_the_less_is_taken_and_a_press_to_the_last() {
    use Verdict::{Duplicate, Ok as Taken, Shed};
    let quota = Quota {
        soft: 0,
        hard: 3_000,
    };
    let mut world = World::new(1, quota);
    let first = send(&mut world, 1, 0, mixed()).unwrap();
    assert_eq!(first, vec![Taken; 5], "there is room");
    let soft = send(&mut world, 2, 0, mixed()).unwrap();
    assert_eq!(soft, [Taken, Shed, Taken, Shed, Taken]);
    // What was left out does not come again.
    let again = send(&mut world, 2, 0, mixed()).unwrap();
    assert_eq!(again, vec![Duplicate; 5]);
    let mut number = 5;
    let mut hard = Vec::new();
    let refused = loop {
        match send(&mut world, 2, number, mixed()) {
            Ok(verdicts) => hard = verdicts,
            Err(error) => break error,
        }
        number += 5;
    };
    assert_eq!(hard, [Taken, Shed, Shed, Shed, Taken]);
    assert!(matches!(refused, IngestError::LogFull), "{refused}");
    assert_eq!(world.sequencer.status.pressure(), Pressure::Full);
    // A seal gets in; log that is let go of makes room again.
    let (reply, mut answer) = oneshot::channel();
    let group = world
        .sequencer
        .begin(Job::Seal(Seal::default(), reply), Group::default());
    world.sequencer.commit(group);
    answer.try_recv().unwrap().unwrap();
    let before = Job::ForgetLog(world.sequencer.log.position());
    let group = world.sequencer.begin(before, Group::default());
    world.sequencer.commit(group);
    assert!(send(&mut world, 2, number, mixed()).is_ok());
    // After a restart too, what was left out in the begun segment is known.
    world.disk = world.disk.power_cut(1);
    world.restart().unwrap();
    let again = send(&mut world, 2, number, mixed()).unwrap();
    assert_eq!(again, vec![Duplicate; 5]);
}

#[test]
fn a_full_disk_takes_seals_heals_by_itself_and_forgets_nothing() {
    let mut world = World::new(1, WIDE);
    world.disk.space(Some(0));
    let mut number = 0;
    let refused = loop {
        match send(&mut world, 1, number, mixed()) {
            Ok(_) => number += 5,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, IngestError::NoSpace), "{refused}");
    assert!(world.sequencer.status.no_space() && !world.sequencer.log.is_poisoned());
    world.disk.space(None);
    assert_eq!(
        send(&mut world, 1, number, mixed()).unwrap(),
        vec![Verdict::Ok; 5]
    );
    assert!(!world.sequencer.status.no_space());
}
