//! How much a batch looks like a program sent it: a score with its reasons. Nothing is ever dropped
//! for it. Pure: the same record gives the same score.

use super::record::BatchRecord;
use upriver_wire::batch::{Body, Point, Pointer};

/// A reason, and how much it adds to the score.
const ROBOT: (&str, u8) = ("robot", 90);
/// No `User-Agent` at all: every browser sends one, many devices do not.
const UNNAMED: (&str, u8) = ("unnamed", 30);
/// One mouse in two places at once.
const LEAP: (&str, u8) = ("leap", 60);

/// Within so long…
const LEAP_MS_MAX: u64 = 20;
/// …nobody presses so far away with one mouse: that would be five metres a second.
const LEAP_PX_MIN: u32 = 300;

/// The score, 0 to 100, and why.
pub(super) fn score(record: &BatchRecord) -> (u8, Vec<String>) {
    let agent = &record.agent;
    let found = [
        (ROBOT, agent.robot),
        (UNNAMED, !agent.named),
        (LEAP, leaps(record)),
    ];
    let mut score = 0_u8;
    let mut reasons = Vec::new();
    for ((reason, weight), _) in found.into_iter().filter(|(_, found)| *found) {
        score = score.saturating_add(weight).min(100);
        reasons.push(reason.to_owned());
    }
    (score, reasons)
}

/// Whether two presses of a mouse are nearer in time than in place.
fn leaps(record: &BatchRecord) -> bool {
    let mut ms = 0_u64;
    let mut last: Option<(u64, Point)> = None;
    for event in &record.batch.events {
        ms = ms.saturating_add(u64::from(event.delta_ms));
        let Body::Press(press) = &event.body else {
            continue;
        };
        if press.how.pointer != Pointer::Mouse {
            continue;
        }
        let far = |from: Point| {
            from.x.abs_diff(press.client.x) + from.y.abs_diff(press.client.y) >= LEAP_PX_MIN
        };
        if last.is_some_and(|(when, from)| ms - when <= LEAP_MS_MAX && far(from)) {
            return true;
        }
        last = Some((ms, press.client));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::record::Agent;
    use upriver_wire::batch::{Batch, Event, How, Press};

    /// A record of presses: pause before it, place.
    fn presses(pointer: Pointer, presses: &[(u32, u32)]) -> BatchRecord {
        let event = |&(delta_ms, x): &(u32, u32)| Event {
            delta_ms,
            body: Body::Press(Press {
                client: Point { x, y: 5 },
                how: How {
                    pointer,
                    ..How::default()
                },
                ..Press::default()
            }),
        };
        BatchRecord {
            agent: Agent {
                named: true,
                ..Agent::default()
            },
            batch: Batch {
                events: presses.iter().map(event).collect(),
                ..Batch::default()
            },
            ..BatchRecord::default()
        }
    }

    fn check(record: &BatchRecord, expected: u8, reasons: &[&str]) {
        let (score, found) = score(record);
        assert_eq!(
            (score, found.as_slice()),
            (
                expected,
                &reasons.iter().map(ToString::to_string).collect::<Vec<_>>()[..]
            )
        );
    }

    #[test]
    fn one_mouse_is_not_in_two_places_at_once() {
        check(
            &presses(Pointer::Mouse, &[(0, 10), (20, 310)]),
            60,
            &["leap"],
        );
        check(&presses(Pointer::Mouse, &[(0, 10), (21, 310)]), 0, &[]);
        // Pressed in anger, in one place; with ten fingers; from the keyboard.
        check(&presses(Pointer::Mouse, &[(0, 10), (5, 309)]), 0, &[]);
        check(&presses(Pointer::Touch, &[(0, 10), (5, 900)]), 0, &[]);
        check(&presses(Pointer::Keyboard, &[(0, 10), (0, 900)]), 0, &[]);
    }

    #[test]
    fn reasons_add_up_to_a_hundred_at_most() {
        let mut record = presses(Pointer::Mouse, &[(0, 10), (0, 900)]);
        record.agent = Agent {
            robot: true,
            ..Agent::default()
        };
        check(&record, 100, &["robot", "unnamed", "leap"]);
        record.batch.events.clear();
        record.agent.named = true;
        check(&record, 90, &["robot"]);
    }
}
