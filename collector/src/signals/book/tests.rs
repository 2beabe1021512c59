//! The book against cases made by hand, and against a recount that goes over all events anew.

use super::*;
use crate::config::Sites;
use crate::ingest::rows;
use crate::row;
use proptest::prelude::*;
use uuid::Uuid;

const START_MS: u64 = 1_790_000_000_000;

fn site(rules: &str) -> Vec<Site> {
    let head = "[[site]]\nid = \"shop\"\nwrite_key = \"wk_test_0001\"\n";
    let sites: Sites = toml::from_str(&format!("{head}{rules}")).unwrap();
    sites.check().unwrap();
    sites.sites
}

fn book(rules: &str) -> Book {
    let mut book = Book::new(&site(rules), b"secret".to_vec(), Bounds::default());
    assert!(book.begin(START_MS).is_empty());
    book
}

/// An event of a visitor, at a time since the start.
fn event(visitor: u128, kind: Kind, at_ms: u64, seq: u64) -> EventRow {
    EventRow {
        site: "shop".into(),
        kind,
        visitor: Uuid::from_u128(visitor),
        time: (START_MS + at_ms) as i64,
        ord: row::order(START_MS + at_ms, visitor, 0),
        seq,
        path: "/product/kettle".into(),
        utm_campaign: "spring".into(),
        ..EventRow::default()
    }
}

/// The moments of firings, since the start.
fn moments(firings: &[Firing]) -> Vec<u64> {
    firings
        .iter()
        .map(|firing| firing.at_ms - START_MS)
        .collect()
}

const TWICE: &str = "[[site.rule]]\nid = \"offer\"\nwindow = \"60s\"\nevery = \"2m\"\n\
    step = [{ kind = \"hesitation\", page = \"/product/*\", times = 2 }]\n\
    unless = [{ name = \"Buys\", kind = \"press\" }]\n";

#[test]
fn a_second_hesitation_within_the_window_fires_and_one_after_it_does_not() {
    for (second, fired) in [(60_000, vec![60_000]), (60_001, vec![])] {
        let mut book = book(TWICE);
        assert!(
            book.see(&[event(1, Kind::Hesitation, 0, 0)], START_MS)
                .is_empty()
        );
        let found = book.see(&[event(1, Kind::Hesitation, second, 1)], START_MS + second);
        assert_eq!(moments(&found), fired);
    }
}

#[test]
fn a_press_between_and_another_visitor_fire_nothing() {
    let mut book = book(TWICE);
    let rows = [
        event(1, Kind::Hesitation, 0, 0),
        event(1, Kind::Press, 10, 1),
        event(1, Kind::Hesitation, 20, 2),
        event(2, Kind::Hesitation, 30, 0),
    ];
    assert!(book.see(&rows, START_MS + 40).is_empty());
}

#[test]
fn a_visitor_is_told_once_in_its_time_and_again_after_it() {
    let mut book = book(TWICE);
    let mut fired = Vec::new();
    for (seq, at_ms) in (0..=30).map(|second| second * 10_000).enumerate() {
        let row = event(1, Kind::Hesitation, at_ms, seq as u64);
        fired.extend(moments(&book.see(&[row], START_MS + at_ms)));
    }
    assert_eq!(fired, [10_000, 130_000, 250_000]);
}

#[test]
fn what_does_not_follow_in_time_fires_and_what_is_on_its_way_still_counts() {
    let rules = "[[site.rule]]\nid = \"stuck\"\nafter = \"5m\"\n\
        step = [{ kind = \"page_view\" }, { kind = \"custom\", event = \"cart\" }]\n\
        unless = [{ name = \"Orders\", kind = \"conversion\" }]\n";
    let mut cart = event(1, Kind::Custom, 1_000, 1);
    cart.name = "cart".into();
    let begun = [event(1, Kind::PageView, 0, 0), cart];
    let due_ms = START_MS + 301_000;
    for ordered in [false, true] {
        let mut book = book(rules);
        assert!(book.see(&begun, START_MS + 1_000).is_empty());
        assert!(book.due(due_ms + GRACE_MS - 1).is_empty());
        if ordered {
            let order = event(1, Kind::Conversion, 301_000, 2);
            assert!(book.see(&[order], due_ms + GRACE_MS - 1).is_empty());
        }
        let found = moments(&book.due(due_ms + GRACE_MS));
        assert_eq!(found, if ordered { vec![] } else { vec![301_000] });
    }
}

#[test]
fn only_the_campaign_counts_and_no_robot() {
    let rules = "[[site.rule]]\nid = \"hello\"\ncampaign = \"spring*\"\n\
        step = [{ kind = \"page_view\" }]\n";
    let mut book = book(rules);
    let (mut other, mut robot) = (
        event(1, Kind::PageView, 0, 0),
        event(2, Kind::PageView, 0, 0),
    );
    other.utm_campaign = "summer".into();
    robot.bot_score = ROBOT_SCORE_MIN;
    assert!(book.see(&[other, robot], START_MS).is_empty());
    let found = book.see(&[event(3, Kind::PageView, 0, 0)], START_MS);
    assert_eq!(moments(&found), [0]);
    // What is recorded is an exposure of the visitor, where it was, on both sides the same again.
    let rows = rows::event_rows(&found[0].record(START_MS).unwrap());
    assert_eq!(
        (rows[0].kind, &*rows[0].name),
        (Kind::Exposure, "rule:hello")
    );
    assert_eq!(
        (&*rows[0].path, &*rows[0].utm_campaign),
        ("/product/kettle", "spring")
    );
    assert_eq!(rows[0].props, [("variant".to_owned(), "shown".to_owned())]);
    assert_eq!(rows[0].time as u64, START_MS);
}

#[test]
fn the_share_that_is_left_out_is_the_same_each_time_and_of_the_size_asked_for() {
    let out = |secret: &[u8], visitor| is_held_out(secret, ("shop", "offer", visitor), 0.2);
    let count = (0..20_000)
        .filter(|visitor| out(b"secret", *visitor))
        .count();
    // Five standard deviations around 4,000.
    assert!((3_717..=4_283).contains(&count), "{count} of 20,000");
    assert!((0..200).any(|visitor| out(b"secret", visitor) != out(b"other", visitor)));
    assert!(!is_held_out(b"secret", ("shop", "offer", 1), 0.0));
}

#[test]
fn past_its_bounds_nobody_new_is_told_and_it_is_counted() {
    let rules = "[[site.rule]]\nid = \"hello\"\nstep = [{ kind = \"page_view\" }]\n";
    for bounds in [
        Bounds {
            watches: 1,
            fired: 9,
        },
        Bounds {
            watches: 9,
            fired: 1,
        },
    ] {
        let mut book = Book::new(&site(rules), b"secret".to_vec(), bounds);
        book.begin(START_MS);
        let rows = [
            event(1, Kind::PageView, 0, 0),
            event(2, Kind::PageView, 0, 0),
        ];
        assert_eq!(book.see(&rows, START_MS).len(), 1, "{bounds:?}");
        assert_eq!(book.usage().2, 1, "{bounds:?}");
        // Room comes back when it is needed, and nothing is remembered for ever.
        let hour_ms = 3_600_000;
        book.due(START_MS + 25 * hour_ms);
        let kept = usize::from(bounds.fired > 1);
        assert_eq!(book.usage(), (0, kept, 1), "{bounds:?}");
        book.due(START_MS + 30 * 24 * hour_ms + LATE_MS + 1);
        assert_eq!(book.usage(), (0, 0, 1), "{bounds:?}");
    }
}

#[test]
fn whom_a_former_rule_told_is_known_when_one_with_its_id_is_defined() {
    let day_ms = 24 * 3_600_000;
    let rule = |every: &str| {
        let text = TWICE.replace("every = \"2m\"", &format!("every = \"{every}\""));
        site(&text)[0].rules[0].clone()
    };
    let row = |visitor, at_ms, seq| event(visitor, Kind::Hesitation, at_ms, seq);
    let told = |visitor| {
        let mut before = book(TWICE);
        let rows = [row(visitor, 0, 0), row(visitor, 1_000, 1)];
        let fired = before.see(&rows, START_MS + 1_000);
        rows::event_rows(&fired[0].record(START_MS + 1_000).unwrap())
    };
    // The site has no rule at all now, and its history says whom one has told.
    let bounds = Bounds {
        fired: 4,
        ..Bounds::default()
    };
    let mut book = Book::new(&site(""), b"secret".to_vec(), bounds);
    for visitor in [1, 2, 3] {
        assert!(book.see(&told(visitor), START_MS).is_empty());
    }
    // What is not there takes half of the room at most.
    assert_eq!(book.usage(), (0, 2, 1));
    book.begin(START_MS + 20 * day_ms);
    book.due(START_MS + 20 * day_ms);
    let since_ms = 20 * day_ms;
    let twice = |at_ms: u64| {
        let rows = [1, 4].map(|who| [row(who, at_ms, 9), row(who, at_ms + 1_000, 10)]);
        rows.concat()
    };
    book.define("shop", CompiledRule::new(&rule("30d"), START_MS + since_ms));
    let found = book.see(&twice(since_ms + 1_000), START_MS + since_ms + 2_000);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].visitor, VisitorId(4));
    // It tells more often, then less often: what it has told meanwhile holds.
    book.define("shop", CompiledRule::new(&rule("2m"), START_MS + since_ms));
    book.erase("shop", VisitorId(1), START_MS);
    book.erased("shop", VisitorId(1));
    book.due(START_MS + since_ms + day_ms);
    book.define("shop", CompiledRule::new(&rule("30d"), START_MS + since_ms));
    let at_ms = since_ms + day_ms;
    let found = book.see(&twice(at_ms), START_MS + at_ms + 1_000);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].visitor, VisitorId(1));
}

/// The rules of the recount below: at once, with steps, and after a wait.
const RECOUNTED: &str = "[[site.rule]]\nid = \"a\"\nwindow = \"20s\"\nevery = \"1m\"\n\
    step = [{ kind = \"hesitation\", times = 2 }]\nunless = [{ name = \"\", kind = \"press\" }]\n\
    [[site.rule]]\nid = \"b\"\nwindow = \"40s\"\nevery = \"90s\"\n\
    step = [{ kind = \"page_view\" }, { kind = \"hesitation\" }, { kind = \"page_view\" }]\n\
    [[site.rule]]\nid = \"c\"\nwindow = \"15s\"\nafter = \"30s\"\nevery = \"1m\"\n\
    step = [{ kind = \"page_view\" }, { kind = \"hesitation\" }]\n\
    unless = [{ name = \"\", kind = \"press\" }]\n";

/// The recount's own reading of a rule: steps, unless, window, after, every (ms).
type Plain = (&'static [Kind], Option<Kind>, u64, u64, u64);
const PLAIN: [Plain; 3] = [
    (
        &[Kind::Hesitation, Kind::Hesitation],
        Some(Kind::Press),
        20_000,
        0,
        60_000,
    ),
    (
        &[Kind::PageView, Kind::Hesitation, Kind::PageView],
        None,
        40_000,
        0,
        90_000,
    ),
    (
        &[Kind::PageView, Kind::Hesitation],
        Some(Kind::Press),
        15_000,
        30_000,
        60_000,
    ),
];

/// Whether steps can be found among events, each later than the one before, up to the last of them.
fn chain(events: &[&EventRow], steps: &[Kind], first_ms: Option<i64>, plain: Plain) -> bool {
    let (_, unless, window_ms, ..) = plain;
    let Some((step, rest)) = steps.split_first() else {
        return events.is_empty();
    };
    (0..events.len()).any(|at| {
        let row = events[at];
        let first = first_ms.unwrap_or(row.time);
        let between = &events[..at];
        let clean = first_ms.is_none()
            || !between
                .iter()
                .chain([&row])
                .any(|row| Some(row.kind) == unless);
        row.kind == *step
            && clean
            && (row.time - first) as u64 <= window_ms
            && chain(&events[at + 1..], rest, Some(first), plain)
    })
}

/// Everything that has fired by a time, found by going over all events anew.
fn recount(arrived: &[EventRow], fired: &mut Vec<(usize, u128, u64)>, now_ms: u64) {
    for (rule, plain) in PLAIN.iter().enumerate() {
        let (steps, unless, _, after_ms, every_ms) = *plain;
        for visitor in 1..4 {
            let of = |row: &&EventRow| row.visitor.as_u128() == visitor;
            let mut events: Vec<_> = arrived.iter().filter(of).collect();
            events.sort_by_key(|row| (row.ord, row.seq));
            for at in 0..events.len() {
                let due_ms = events[at].time as u64 + after_ms;
                let ready_ms = due_ms + if after_ms > 0 { GRACE_MS } else { 0 };
                let later = || {
                    events[at + 1..]
                        .iter()
                        .filter(|row| row.time as u64 <= due_ms)
                };
                let cancelled = after_ms > 0 && later().any(|row| Some(row.kind) == unless);
                let capped = |(fired_rule, who, when): &(usize, u128, u64)| {
                    (*fired_rule, *who) == (rule, visitor) && due_ms < when + every_ms
                };
                if chain(&events[..=at], steps, None, *plain)
                    && !cancelled
                    && ready_ms <= now_ms
                    && due_ms + LATE_MS >= now_ms
                    && !fired.iter().any(capped)
                {
                    fired.push((rule, visitor, due_ms));
                }
            }
        }
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => Just(Kind::Hesitation),
        3 => Just(Kind::PageView),
        1 => Just(Kind::Press),
        1 => Just(Kind::Scroll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Late, out of order, in any batches, with a restart anywhere: what fires is what going over
    /// everything anew finds, each firing once.
    #[test]
    fn firings_are_those_of_a_recount(
        events in prop::collection::vec((1..4_u128, kind(), 0..12_000_u64, 0..80_000_u64, prop::bool::weighted(0.2)), 1..40),
        batches in prop::collection::vec((1..5_usize, 0..25_000_u64), 40),
        restart in 0..40_usize,
    ) {
        let mut now_ms = START_MS + 200_000;
        let mut happened_ms = now_ms;
        let mut rows = events.iter().enumerate().map(|(seq, (visitor, kind, pause, late, is_late))| {
            happened_ms += pause;
            let at_ms = happened_ms - START_MS - if *is_late { *late } else { 0 };
            event(*visitor, *kind, at_ms, seq as u64)
        }).peekable();
        let mut book = book(RECOUNTED);
        let (mut arrived, mut told): (Vec<EventRow>, Vec<EventRow>) = (vec![], vec![]);
        let (mut found, mut expected) = (vec![], vec![]);
        for (step, (size, pause)) in batches.iter().enumerate() {
            now_ms += pause;
            let batch: Vec<_> = rows.by_ref().take(*size).collect();
            let latest = batch.iter().map(|row| row.time as u64).max();
            now_ms = now_ms.max(latest.unwrap_or(0));
            arrived.extend(batch.iter().rev().cloned());
            let mut firings = Vec::new();
            if step == restart {
                // All of it anew, the newest first, and what was told among it.
                book = Book::new(&site(RECOUNTED), b"secret".to_vec(), Bounds::default());
                for row in arrived.iter().rev().chain(&told) {
                    prop_assert!(book.see(std::slice::from_ref(row), now_ms).is_empty());
                }
                firings.extend(book.begin(now_ms));
            } else {
                firings.extend(book.see(&batch, now_ms));
            }
            firings.extend(book.due(now_ms));
            for firing in firings {
                let rule = ["a", "b", "c"].iter().position(|id| *id == firing.rule.said.id);
                found.push((rule.unwrap(), firing.visitor.0, firing.at_ms));
                told.extend(rows::event_rows(&firing.record(now_ms).unwrap()));
                prop_assert!(book.see(&told[told.len() - 1..], now_ms).is_empty());
            }
            recount(&arrived, &mut expected, now_ms);
            found.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(&found, &expected, "at step {}", step);
        }
    }
}

#[test]
fn an_erased_visitor_is_forgotten_and_what_they_do_later_counts() {
    let mut book = book(TWICE);
    let none: [u64; 0] = [];
    let row = |visitor, at_ms, seq| event(visitor, Kind::Hesitation, at_ms, seq);
    let late = |mut row: EventRow, received_ms| {
        row.received_at = (START_MS + received_ms) as i64;
        row
    };
    let see = |book: &mut Book, row: EventRow, now_ms| {
        let row = late(row, now_ms);
        moments(&book.see(&[row], START_MS + now_ms))
    };
    for visitor in [1, 2] {
        assert_eq!(see(&mut book, row(visitor, 0, 0), 10), none);
    }
    let until_ms = START_MS + 1_000;
    book.erase("shop", VisitorId(1), until_ms);
    // From before, however late it comes; then from after.
    assert_eq!(see(&mut book, row(1, 900, 1), 1_500), none);
    assert_eq!(see(&mut book, row(1, 2_000, 2), 2_000), none);
    assert_eq!(see(&mut book, row(2, 2_000, 1), 2_000), [2_000]);
    assert_eq!(see(&mut book, row(1, 3_000, 3), 3_000), [3_000]);
    // Nor how often they were told.
    let second = START_MS + 3_500;
    book.erase("shop", VisitorId(1), second);
    book.erased("shop", VisitorId(1));
    assert_eq!(book.usage().1, 1);
    assert_eq!(see(&mut book, row(1, 4_000, 4), 4_000), none);
    assert_eq!(see(&mut book, row(1, 5_000, 5), 5_000), [5_000]);
    let id = "rule:offer:1f:0000000000000000000000000000abcd";
    assert!(is_firing_for(id, VisitorId(0xabcd)) && !is_firing_for(id, VisitorId(0xbcd)));
}

#[test]
fn a_rule_that_is_changed_begins_anew_and_remembers_whom_it_told() {
    let rule = |every: &str| {
        let text = TWICE.replace("every = \"2m\"", &format!("every = \"{every}\""));
        site(&text)[0].rules[0].clone()
    };
    let row = |visitor, at_ms, seq| event(visitor, Kind::Hesitation, at_ms, seq);
    let mut book = Book::new(&site(""), b"secret".to_vec(), Bounds::default());
    book.begin(START_MS);
    // Defined while it runs it counts from then on, however late the rest comes.
    book.define("shop", CompiledRule::new(&rule("2m"), START_MS + 1_000));
    book.define("blog", CompiledRule::new(&rule("2m"), START_MS));
    let rows = [row(1, 900, 0), row(1, 1_500, 1), row(2, 1_500, 0)];
    assert!(book.see(&rows, START_MS + 2_000).is_empty());
    let found = book.see(&[row(1, 2_000, 2)], START_MS + 2_000);
    assert_eq!(moments(&found), [2_000]);
    // Visitor 2 was half way through the other.
    book.define("shop", CompiledRule::new(&rule("1m"), START_MS + 3_000));
    assert_eq!(book.usage(), (0, 1, 0));
    assert!(book.see(&[row(2, 4_000, 1)], START_MS + 4_000).is_empty());
    let found = book.see(&[row(2, 5_000, 2)], START_MS + 5_000);
    assert_eq!(moments(&found), [5_000]);
    // Visitor 1 was told by the other, by the time of this one.
    let again = [row(1, 50_000, 3), row(1, 60_000, 4)];
    assert!(book.see(&again, START_MS + 60_000).is_empty());
    let found = book.see(&[row(1, 62_000, 5)], START_MS + 62_000);
    assert_eq!(moments(&found), [62_000]);
    // Removed it tells nobody, and when it is back it knows whom it had told.
    book.remove("shop", "rule:offer");
    let rows = [row(3, 70_000, 0), row(3, 71_000, 1)];
    assert!(book.see(&rows, START_MS + 71_000).is_empty());
    assert!(book.due(START_MS + 80_000).is_empty());
    book.define("shop", CompiledRule::new(&rule("1m"), START_MS + 90_000));
    let rows = [1, 3].map(|who| [row(who, 91_000, 6), row(who, 92_000, 7)]);
    let found = book.see(&rows.concat(), START_MS + 92_000);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].visitor, VisitorId(3));
}

#[test]
fn what_a_removed_rule_waited_for_does_not_fire() {
    let rules =
        "[[site.rule]]\nid = \"left\"\nafter = \"10s\"\nstep = [{ kind = \"page_view\" }]\n";
    for removed in [false, true] {
        let mut book = book(rules);
        let view = event(1, Kind::PageView, 0, 0);
        assert!(book.see(&[view], START_MS).is_empty());
        if removed {
            book.remove("shop", "rule:left");
        }
        let fired = book.due(START_MS + 10_000 + GRACE_MS).len();
        assert_eq!(fired, usize::from(!removed));
    }
}
