//! Experiments against a recount from the definition, over random rows in random order; and the
//! arithmetic against values that are known.

use super::evidence::{ALPHA, Arm, compare, log_evidence, rate_interval};
use super::{DAY_MS, EXPERIMENT_DAYS, Experiments, query};
use crate::config::Sites;
use crate::live::limits::{Bounds, CONVERSIONS_PER_VISITOR_MAX};
use crate::live::names::Names;
use crate::row::{EventRow, Kind, order};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use upriver_wire::live::{ExperimentRow, Verdict};
use uuid::Uuid;

const NOW_MS: u64 = 20_000 * DAY_MS + DAY_MS / 2;

fn shown(visitor: u128, time_ms: u64, tie: u16, experiment: &str, variant: &str) -> EventRow {
    EventRow {
        kind: Kind::Exposure,
        name: experiment.into(),
        props: vec![("variant".into(), variant.into())],
        ..event(visitor, time_ms, tie)
    }
}

fn bought(visitor: u128, time_ms: u64, tie: u16, micros: i64) -> EventRow {
    EventRow {
        kind: Kind::Conversion,
        value: micros,
        currency: if micros > 2 { "EUR" } else { "" }.into(),
        ..event(visitor, time_ms, tie)
    }
}

fn event(visitor: u128, time_ms: u64, tie: u16) -> EventRow {
    EventRow {
        time: time_ms as i64,
        ord: order(time_ms, 0, tie),
        visitor: Uuid::from_u128(visitor),
        ..EventRow::default()
    }
}

/// The experiments of a site with these plans after these rows; and whether nothing was left out.
fn rows(plans: &str, bounds: &Bounds, events: &[EventRow]) -> (Vec<ExperimentRow>, bool) {
    let text = format!("[[site]]\nid = \"shop\"\nwrite_key = \"shop-write-key\"\n{plans}");
    let sites: Sites = toml::from_str(&text).expect("sites");
    sites.check().expect("sound");
    let mut currencies = Names::new("(other)".into(), 9);
    let mut experiments = Experiments::new(&sites.sites[0].experiments, bounds, NOW_MS);
    for event in events {
        experiments.count(event, &mut currencies);
    }
    (
        experiments.rows(&currencies).0,
        experiments.nothing_left_out(),
    )
}

/// Visitors, conflicting, converted, conversions and value of each experiment and variant.
type Numbers = BTreeMap<(String, String), [i128; 4]>;

fn numbers(rows: &[ExperimentRow]) -> (Numbers, BTreeMap<String, u64>) {
    let mut numbers = Numbers::new();
    for row in rows {
        for one in &row.variants {
            let value = one.value.iter().map(|sum| i128::from(sum.micros)).sum();
            let counts = [one.visitors, one.converted, one.conversions].map(i128::from);
            let [visitors, converted, conversions] = counts;
            numbers.insert(
                (row.experiment.clone(), one.variant.clone()),
                [visitors, converted, conversions, value],
            );
        }
    }
    let conflicting = rows.iter();
    let conflicting = conflicting.map(|row| (row.experiment.clone(), row.conflicting));
    (numbers, conflicting.collect())
}

/// The same from the words of the definition.
fn recount(events: &[EventRow], from_ms: u64) -> (Numbers, BTreeMap<String, u64>) {
    let events: Vec<_> = events
        .iter()
        .filter(|row| row.time as u64 >= from_ms)
        .collect();
    let exposures = || events.iter().filter(|row| row.kind == Kind::Exposure);
    let variant = |row: &EventRow| row.props[0].1.clone();
    let who: BTreeSet<_> = exposures()
        .map(|row| (row.name.clone(), row.visitor))
        .collect();
    let (mut numbers, mut conflicting) = (Numbers::new(), BTreeMap::new());
    for (experiment, visitor) in who {
        let own = || exposures().filter(|row| row.name == experiment && row.visitor == visitor);
        let (ord, first) = own().map(|row| (row.ord, variant(row))).min().expect("one");
        let conflicts = own().any(|row| variant(row) != first);
        *conflicting.entry(experiment.clone()).or_default() += u64::from(conflicts);
        let after: Vec<_> = events
            .iter()
            .filter(|row| row.kind == Kind::Conversion && row.visitor == visitor && row.ord > ord)
            .collect();
        let counts = numbers.entry((experiment, first)).or_default();
        let value: i128 = after.iter().map(|row| i128::from(row.value)).sum();
        let own = [1, i128::from(!after.is_empty()), after.len() as i128, value];
        *counts = std::array::from_fn(|at| counts[at] + own[at]);
    }
    (numbers, conflicting)
}

fn drawn() -> impl Strategy<Value = Vec<EventRow>> {
    // Few values of everything, so that ties, repeats and the edge of the days are the rule.
    let day = prop_oneof![Just(0_u64), 0_u64..3, 28_u64..34];
    let row = (0_u128..4, day, 0_u64..2, 0_u16..3, 0_usize..8, -1_i64..6);
    let row = row.prop_map(|(visitor, days_ago, ms, tie, what, micros)| {
        let time_ms = NOW_MS - days_ago * DAY_MS + ms;
        match what {
            0 => shown(visitor, time_ms, tie, "buy", "a"),
            1 | 2 => shown(visitor, time_ms, tie, "buy", "b"),
            3 => shown(visitor, time_ms, tie, "size", "b"),
            _ => bought(visitor, time_ms, tie, micros),
        }
    });
    prop::collection::vec(row, 0..40)
}

proptest! {
    #[test]
    fn the_counts_are_those_of_the_definition_in_any_order(
        (events, mixed) in drawn().prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        days_later in 0_u64..4,
    ) {
        let from_ms = NOW_MS / DAY_MS * DAY_MS - EXPERIMENT_DAYS * DAY_MS;
        let counted = numbers(&rows("", &Bounds::default(), &events).0);
        prop_assert_eq!(&counted, &recount(&events, from_ms));
        prop_assert_eq!(&counted, &numbers(&rows("", &Bounds::default(), &mixed).0));
        // And after days have been forgotten, with every name given back.
        let mut currencies = Names::new("(other)".into(), 9);
        let mut experiments = Experiments::new(&[], &Bounds::default(), NOW_MS);
        for event in &mixed {
            experiments.count(event, &mut currencies);
        }
        experiments.advance(NOW_MS + days_later * DAY_MS, &mut currencies);
        let later = numbers(&experiments.rows(&currencies).0);
        prop_assert_eq!(later, recount(&events, from_ms + days_later * DAY_MS));
        experiments.advance(NOW_MS + 99 * DAY_MS, &mut currencies);
        prop_assert_eq!((experiments.usage().0, currencies.len()), (0, 1));
        prop_assert_eq!(experiments.keys.len(), 1);
    }
}

#[test]
fn a_plan_says_who_is_the_control_and_which_shares_are_right() {
    let plan = r#"
        [[site.experiment]]
        id = "buy"
        variant = [{ name = "old", share = 3 }, { name = "new", share = 1 }]
    "#;
    let mut events = Vec::new();
    for visitor in 0..400 {
        let variant = if visitor % 4 == 0 { "new" } else { "old" };
        events.push(shown(visitor, NOW_MS, 0, "buy", variant));
        if visitor % 2 == 0 {
            events.push(bought(visitor, NOW_MS + 1, 0, 0));
        }
    }
    events.push(shown(999, NOW_MS, 0, "buy", "else"));
    let told = |plan| rows(plan, &Bounds::default(), &events).0.remove(0);
    let row = told(plan);
    let shares: Vec<_> = row
        .variants
        .iter()
        .map(|one| (one.variant.as_str(), one.share))
        .collect();
    assert_eq!(shares, [("old", 0.75), ("new", 0.25), ("else", 0.0)]);
    assert!(row.shares_sound && row.whole, "{row:?}");
    // 100 of 100 against 100 of 300: three times as many.
    let found = row.variants[1].comparison.clone().expect("compared");
    assert_eq!(found.verdict, Verdict::Better);
    assert!(found.lift_low > 0.3 && found.lift_low < 2.0, "{found:?}");
    assert!(
        found.difference_low > 0.1 && found.difference_high > 0.6,
        "{found:?}"
    );
    assert_eq!(
        (&row.variants[0].comparison, &row.variants[2].comparison),
        (&None, &None)
    );
    // Without the plan all were to be equal: then nothing is proven.
    let row = told("");
    assert!(!row.shares_sound, "{row:?}");
    let verdicts = row.variants[1..]
        .iter()
        .map(|one| one.comparison.as_ref().map(|one| one.verdict));
    assert!(
        verdicts
            .into_iter()
            .all(|verdict| verdict == Some(Verdict::Unsound)),
        "{row:?}"
    );
}

#[test]
fn an_experiment_that_may_have_begun_before_the_counted_days_proves_nothing() {
    let mut events = Vec::new();
    for visitor in 0..400 {
        let variant = if visitor % 2 == 0 { "a" } else { "b" };
        events.push(shown(visitor, NOW_MS, 0, "buy", variant));
        if visitor % 2 == 0 {
            events.push(bought(visitor, NOW_MS + 1, 0, 0));
        }
    }
    let verdict = |events: &[EventRow]| {
        let row = rows("", &Bounds::default(), events).0.remove(0);
        (
            row.whole,
            row.variants[1]
                .comparison
                .clone()
                .expect("compared")
                .verdict,
        )
    };
    assert_eq!(verdict(&events), (true, Verdict::Worse));
    events.push(shown(999, NOW_MS - EXPERIMENT_DAYS * DAY_MS, 0, "buy", "a"));
    assert_eq!(verdict(&events), (false, Verdict::TooOld));
}

#[test]
fn what_does_not_fit_is_said() {
    let complete = |bounds: Bounds, events: &[EventRow]| rows("", &bounds, events).1;
    let two = [
        shown(1, NOW_MS, 0, "buy", "a"),
        shown(2, NOW_MS, 0, "buy", "b"),
    ];
    assert!(complete(Bounds::default(), &two));
    let visitors = Bounds {
        experiment_visitors: 1,
        ..Bounds::default()
    };
    assert!(!complete(visitors, &two));
    let variants = Bounds {
        variants: 1,
        ..Bounds::default()
    };
    assert!(!complete(variants, &two));
    let often = |times| {
        (0..times)
            .map(|_| bought(1, NOW_MS, 0, 1))
            .collect::<Vec<_>>()
    };
    assert!(complete(
        Bounds::default(),
        &often(CONVERSIONS_PER_VISITOR_MAX)
    ));
    assert!(!complete(
        Bounds::default(),
        &often(CONVERSIONS_PER_VISITOR_MAX + 1)
    ));
}

#[test]
fn the_query_cannot_be_broken_out_of() {
    assert!(query("it's", NOW_MS).contains(r"site = 'it\'s' AND time >= "));
}

#[test]
fn evidence_is_the_mixture_it_says() {
    // By hand, one concentration k at a time: Dirichlet-multinomial of (3, 1) under (½, ½) is
    // (k/2)(k/2+1)(k/2+2)(k/2) / (k(k+1)(k+2)(k+3)), over ½⁴; then the mean of both.
    let one = |k: f64| {
        let half = k / 2.0;
        half * (half + 1.0) * (half + 2.0) * half / (k * (k + 1.0) * (k + 2.0) * (k + 3.0)) * 16.0
    };
    let expected = f64::midpoint(one(100.0), one(1_000.0));
    let found = log_evidence(&[3, 1], &[0.5, 0.5]).exp();
    assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    assert_eq!(log_evidence(&[0, 0], &[0.5, 0.5]), 0.0);
}

#[test]
fn evidence_is_a_martingale() {
    // Of fixed shares: the mean of the evidence after one more draw is the evidence before it.
    let shares = [0.7, 0.3];
    for counts in [[0, 0], [5, 1], [400, 200], [70_000, 30_000]] {
        let [first, second] = counts;
        let after = shares[0] * log_evidence(&[first + 1, second], &shares).exp()
            + shares[1] * log_evidence(&[first, second + 1], &shares).exp();
        let before = log_evidence(&counts, &shares).exp();
        assert!(
            (after / before - 1.0).abs() < 1e-9,
            "{counts:?} {before} {after}"
        );
    }
}

#[test]
fn intervals_end_where_the_evidence_does() {
    assert_eq!(rate_interval(0, 0, ALPHA), (0.0, 1.0));
    let (low, high) = rate_interval(10, 90, ALPHA);
    // Jeffreys' mixture of 10 of 100, solved apart: wider than Wilson's 0.055 to 0.174.
    assert!(
        (low - 0.029_06).abs() < 1e-4 && (high - 0.227_51).abs() < 1e-4,
        "{low} {high}"
    );
    let (low, high) = rate_interval(0, 5, ALPHA);
    assert!(low == 0.0 && high < 1.0, "{low} {high}");
    assert_eq!(rate_interval(5, 0, ALPHA).1, 1.0);
    // A lift of nothing is outside of its interval exactly when a difference is proven.
    for converted in 100..200 {
        let arm = |converted| Arm {
            share: 0.5,
            visitors: 1_000,
            converted,
        };
        let found = compare(arm(100), arm(converted), ALPHA);
        assert_eq!(
            found.proven,
            found.lift_low > 0.0 || found.lift_high < 0.0,
            "{found:?}"
        );
        assert_eq!(found.proven, found.difference_low > 0.0, "{found:?}");
    }
    let none = Arm {
        share: 0.5,
        visitors: 0,
        converted: 0,
    };
    let found = compare(none, none, ALPHA);
    assert_eq!((found.lift_low, found.lift_high), (-1.0, f64::INFINITY));
    assert!(!found.proven && found.difference_low == -1.0 && found.difference_high == 1.0);
}
