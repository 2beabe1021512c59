//! Each check on facts that are as they should be, and on facts with one fault planted.

use super::*;
use crate::ingest::record::Seal;

fn healthy() -> Facts {
    let entry = |batch, events, dead_letters| Entry {
        seal: Seal {
            batch,
            ..Seal::default()
        },
        events,
        dead_letters,
        received_ms: 1,
        refused: false,
        quarantined: 0,
    };
    let full = |batch, rows| Places {
        batch,
        rows,
        places: rows,
        last: rows as u32 - 1,
    };
    let told = |batch, events, dead_letters| Told {
        batch,
        rows: 1,
        events,
        dead_letters,
    };
    Facts {
        batch: 9,
        ledger: vec![entry(7, 3, 0), entry(8, 0, 2), entry(9, 4, 0)],
        // Batch 6 is older than the process: it is there, and the ledger says nothing of it.
        events: vec![full(6, 5), full(7, 3), full(9, 4)],
        dead_letters: vec![full(8, 2)],
        gone: vec![],
        told: vec![told(7, 3, 0), told(8, 0, 2), told(9, 4, 0)],
        doubled: 0,
        sums: vec![Sum {
            table: "heatmap",
            what: "presses",
            day: 20_000,
            rows: 6,
            rolled_up: 6,
        }],
        accounts: Ok(Accounts {
            taken: 12,
            written: 7,
            in_log: 5,
            quarantined: 0,
        }),
        live: Ok(vec![Compared::default()]),
    }
}

/// The checks that are wrong, with their differences.
fn wrong(facts: &Facts) -> Vec<(&'static str, u64)> {
    let checks = check(facts).into_iter();
    checks
        .filter(|check| check.verdict == Verdict::Wrong)
        .map(|check| (check.name, check.difference))
        .collect()
}

#[test]
fn nothing_is_wrong_when_all_is_well() {
    assert_eq!(wrong(&healthy()), []);
    assert!(check(&healthy()).iter().all(|c| c.verdict == Verdict::Ok));
}

#[test]
fn a_row_inserted_twice_is_found_thrice() {
    let mut facts = healthy();
    facts.doubled = 1;
    facts.events[2].rows += 1;
    let all = [
        ("duplicates", 1),
        ("places", 1),
        ("batches", 1),
        ("accounts", 1),
    ];
    assert_eq!(wrong(&facts), all);
}

#[test]
fn a_lost_row_is_found_in_the_middle_and_at_the_end() {
    let mut facts = healthy();
    (facts.events[1].rows, facts.events[1].places) = (2, 2);
    let middle = [("places", 1), ("batches", 1), ("accounts", 1)];
    assert_eq!(wrong(&facts), middle);
    facts.events[1].last = 1;
    assert_eq!(wrong(&facts), [("batches", 1), ("accounts", 1)]);
}

#[test]
fn what_was_erased_is_not_missed_and_what_else_is_gone_still_is() {
    let gone = |batch, events, dead_letters| Gone {
        batch,
        events,
        dead_letters,
    };
    let mut facts = healthy();
    // The middle row of batch 7, the last two of batch 9, all of batch 8.
    (facts.events[1].rows, facts.events[1].places) = (2, 2);
    facts.events[2] = Places {
        batch: 9,
        rows: 2,
        places: 2,
        last: 1,
    };
    facts.dead_letters.clear();
    facts.gone = vec![gone(7, 1, 0), gone(8, 0, 2), gone(9, 2, 0)];
    assert_eq!(wrong(&facts), []);
    facts.events[2].rows = 1;
    facts.events[2].places = 1;
    facts.events[2].last = 0;
    assert_eq!(wrong(&facts), [("batches", 1), ("accounts", 1)]);
    // Said to be erased, and still there.
    let mut facts = healthy();
    facts.gone = vec![gone(7, 1, 0)];
    assert_eq!(wrong(&facts), [("batches", 1), ("accounts", 1)]);
}

#[test]
fn a_lost_batch_is_found_and_so_is_a_hole_in_an_older_one() {
    let mut facts = healthy();
    facts.dead_letters.clear();
    assert_eq!(wrong(&facts), [("batches", 2)]);
    let mut facts = healthy();
    facts.ledger.remove(1);
    assert_eq!(wrong(&facts), [("batches", 1)]);
    let mut facts = healthy();
    (facts.events[0].rows, facts.events[0].places) = (4, 4);
    assert_eq!(wrong(&facts), [("places", 1)]);
}

#[test]
fn a_batch_that_is_told_wrongly_twice_or_not_at_all_is_found() {
    let faults: [fn(&mut Facts); 4] = [
        |facts| facts.told[0].events = 4,
        |facts| facts.told[1].dead_letters = 1,
        |facts| facts.told[2].rows = 2,
        |facts| facts.told.truncate(2),
    ];
    for plant in faults {
        let mut facts = healthy();
        plant(&mut facts);
        assert_eq!(wrong(&facts), [("batches", 1)]);
    }
}

#[test]
fn a_roll_up_that_differs_and_an_event_that_is_nowhere_are_found() {
    let mut facts = healthy();
    facts.sums[0].rolled_up = 8;
    assert_eq!(wrong(&facts), [("roll_up", 2)]);
    facts.sums[0].rolled_up = i128::MIN;
    assert_eq!(wrong(&facts), [("roll_up", u64::MAX)]);
    let mut facts = healthy();
    facts.accounts = Ok(Accounts {
        taken: 13,
        written: 7,
        in_log: 5,
        quarantined: 0,
    });
    assert_eq!(wrong(&facts), [("accounts", 1)]);
    facts.accounts = Err("the log moved on".into());
    assert_eq!(wrong(&facts), []);
    assert_eq!(check(&facts)[4].verdict, Verdict::NotChecked);
}

#[test]
fn a_live_number_that_drifts_is_found() {
    let mut facts = healthy();
    let mut drifted = Compared::default();
    (drifted.live.visitors, drifted.sql.kinds[1]) = (2, 3);
    facts.live = Ok(vec![drifted]);
    assert_eq!(wrong(&facts), [("live", 5)]);
}
