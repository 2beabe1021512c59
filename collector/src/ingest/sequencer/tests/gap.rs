//! A part of the log was spoilt: nothing is taken, and nothing kept, before the tables have said what
//! they hold; and what they hold does not count again.

use super::*;
use crate::ingest::{Stored, imported, rows};
use crate::row;

fn tell(world: &mut World, job: Job) {
    let group = world.sequencer.begin(job, Group::default());
    world.sequencer.commit(group);
}

fn checkpoint(world: &mut World) -> Option<StreamChanges> {
    let (reply, mut answer) = oneshot::channel();
    let now_ms = world.now_ms;
    tell(world, Job::Streams(now_ms, reply));
    answer.try_recv().ok()
}

fn stored(stream: u128, seq: u64, time_ms: u64) -> Stored {
    Stored {
        site: "shop".into(),
        stream: uuid::Uuid::from_u128(stream),
        seq,
        time: time_ms as i64,
        ord: row::order(time_ms, stream, 3),
        received_at: NOW_MS as i64,
        imported: false,
    }
}

#[test]
fn nothing_is_taken_before_the_tables_said_what_they_hold_and_that_counts_once() {
    let mut world = World::new(1, WIDE);
    world.sequencer.gap = true;
    world.sequencer.status.set_log_gap(true);
    let refused = send(&mut world, 1, 0, mixed()).unwrap_err();
    assert!(matches!(refused, IngestError::LogGap), "{refused}");
    assert!(
        checkpoint(&mut world).is_none(),
        "it would hide the gap from the next start"
    );

    let rows = (1..4).map(|seq| stored(1, seq, NOW_MS + seq)).collect();
    tell(&mut world, Job::Learn(rows));
    assert!(send(&mut world, 1, 0, mixed()).is_err(), "not all was told");
    tell(&mut world, Job::Learned(3));
    assert!(!world.sequencer.status.log_gap());
    assert_eq!(world.sequencer.status.taken().events, 3);

    let key = StreamKey::new("shop", StreamId(1));
    let last = world.sequencer.dedup.get(key).unwrap().last;
    assert_eq!(last, Some((NOW_MS + 3, 3)), "order goes on behind it");
    use Verdict::{Duplicate, Ok as Taken};
    let verdicts = send(&mut world, 1, 0, mixed()).unwrap();
    assert_eq!(verdicts, [Taken, Duplicate, Duplicate, Duplicate, Taken]);
    assert!(checkpoint(&mut world).is_some());
}

#[test]
fn what_a_server_told_is_known_again_by_its_row() {
    let mut world = World::new(1, WIDE);
    let batch = Batch {
        visitor: VisitorId(7),
        first_ms: NOW_MS,
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
    let row = rows::event_rows(&record).remove(0);
    let again = Stored {
        site: row.site,
        stream: row.stream,
        seq: row.seq,
        time: row.time,
        ord: row.ord,
        received_at: row.received_at,
        imported: row.imported,
    };
    let key = EventKey::of(&record).unwrap();
    assert_eq!(world.sequencer.imported.taken(&[key]), Ok(vec![false]));
    tell(&mut world, Job::Learn(vec![again]));
    assert_eq!(world.sequencer.imported.taken(&[key]), Ok(vec![true]));
}
