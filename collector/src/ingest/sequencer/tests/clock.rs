//! The clock jumps, to and fro: nothing counts twice, and nothing waits for a time that has been.

use super::*;
use crate::ingest::imported;

const HOUR_MS: u64 = 3_600_000;

#[test]
fn what_a_clock_that_was_ahead_has_forgotten_is_not_taken_again() {
    let mut world = World::new(1, WIDE);
    send(&mut world, 1, 0, mixed()).unwrap();
    // Days ahead for a moment in which nothing comes but the time to remember.
    let (reply, mut answer) = oneshot::channel();
    let job = Job::Streams(world.now_ms + 100 * HOUR_MS, reply);
    let group = world.sequencer.begin(job, Group::default());
    world.sequencer.commit(group);
    let changes = answer.try_recv().unwrap();
    assert_eq!((changes.changed.len(), changes.forgotten.len()), (1, 0));
    let again = send(&mut world, 1, 0, mixed()).unwrap();
    assert_eq!(again, vec![Verdict::Duplicate; 5]);
}

#[test]
fn a_full_disk_is_tried_again_though_the_clock_went_back() {
    let mut world = World::new(1, WIDE);
    world.disk.space(Some(0));
    let mut number = 0;
    while send(&mut world, 1, number, mixed()).is_ok() {
        number += 5;
    }
    world.disk.space(None);
    world.now_ms -= HOUR_MS;
    let taken = send(&mut world, 1, number, mixed()).unwrap();
    assert_eq!(taken, vec![Verdict::Ok; 5]);
    // Receipt did not go back.
    assert!(world.sequencer.received_ms > world.now_ms);
}

/// Events that servers tell are known for 366 days, by the clock at their receipt.
#[test]
fn an_import_is_judged_by_the_newest_receipt() {
    let mut world = World::new(1, WIDE);
    let mut import = |now_ms: u64| {
        let batch = Batch {
            visitor: VisitorId(7),
            first_ms: NOW_MS - imported::AGE_DAYS_MAX * DAY_MS,
            events: vec![Event {
                delta_ms: 0,
                body: Body::Custom(Custom {
                    name: "paid".into(),
                    props: Vec::new(),
                }),
            }],
            ..Batch::default()
        };
        let record = imported::record("shop", "order-7", batch, NOW_MS).unwrap();
        let permits = Arc::new(Semaphore::new(1));
        let (reply, mut answer) = oneshot::channel();
        let job = ImportJob {
            site: "shop".into(),
            received_ms: now_ms,
            events: vec![record],
            letters: Vec::new(),
            reply,
            _bytes: permits.try_acquire_owned().unwrap(),
        };
        let group = world
            .sequencer
            .begin(Job::Import(Box::new(job)), Group::default());
        world.sequencer.commit(group);
        answer.try_recv().unwrap().unwrap().verdicts[0]
    };
    // By then it may have been forgotten, and the clock stands right again afterwards.
    assert_eq!(import(NOW_MS + 10 * DAY_MS), Verdict::Expired);
    assert_eq!(import(NOW_MS), Verdict::Expired);
}
