//! Every bounded map, when its bound is hit and when everything it held has left.

use super::{Drawn, HOUR_MS, NOW_MS, event, sites};
use crate::live::Engine;
use crate::live::limits::Bounds;
use crate::live::usage::Usage;
use crate::row::{ElementRow, EventRow, Kind};
use std::collections::BTreeSet;

/// Cells and keys of heat maps that stand for `(other)` may go past their bounds; there are few.
const OTHERS: usize = 2_000;

/// Everything as small as it can be. A bound that is new must be named here.
fn smallest() -> Bounds {
    Bounds {
        visitors: 1,
        pages: 1,
        campaigns: 1,
        names: 1,
        origins: 1,
        entries: 1,
        currencies: 1,
        heat_keys: 1,
        heat_cells: 1,
        marks: 1,
        subjects: 1,
        styles: 1,
        elements: 1,
        visitor_minutes: 1,
        activity_kept: 1,
        fault_groups: 1,
        faults: 1,
        sources: 1,
        visit_hours: 1,
        releases: 1,
        funnel_rows: 4,
        funnel_rows_of_site: 8,
        recount_events: 1,
        variants: 1,
        experiment_visitors: 1,
        experiment_days: 30,
    }
}

/// Rows of all kinds that have nothing in common but, some of them, the visitor.
fn rows() -> Vec<EventRow> {
    let row = |number: usize| {
        let drawn = Drawn {
            kind: number % Kind::ALL.len(),
            minutes_ago: number as u64 * 7 % 1_300,
            visitor: 1 + (number % 3 / 2) as u128,
            element: number as u64 % 5,
            value: number as i64 % 9,
            ..Drawn::default()
        };
        let own = format!("{number}");
        EventRow {
            session: number as u64,
            path: format!("/product/{own}"),
            utm_source: format!("s{own}"),
            utm_campaign: format!("c{own}"),
            variants: vec![(format!("e{own}"), "a".into())],
            release: format!("r{own}"),
            referrer: format!("{own}.example/"),
            message: format!("m{own}"),
            name: format!("n{own}"),
            currency: format!("C{own}"),
            look_background: number as u32,
            props: vec![("variant".into(), own)],
            ..event(number, &drawn)
        }
    };
    (0..Kind::ALL.len() * 30).map(row).collect()
}

fn usage(engine: &Engine) -> Vec<Usage> {
    engine.site("shop").expect("there").usage()
}

/// Maps that hold something of these rows, and of which it was said that something did not fit.
fn hit(bounds: Bounds) -> BTreeSet<&'static str> {
    let mut engine = Engine::new(&sites(), bounds, NOW_MS);
    engine.history_complete();
    for element in 1..5 {
        let described = ElementRow {
            site: "shop".into(),
            element,
            ..ElementRow::default()
        };
        engine.describe(&[described]);
    }
    // A funnel that is being given its past, so that its events are remembered too.
    let funnel = sites()[0].funnels[1].clone();
    engine.define("shop", "views", Some(&funnel), 7);
    rows().chunks(50).for_each(|rows| engine.apply(rows));
    let all = usage(&engine);
    for usage in &all {
        let others = match usage.map.starts_with("heat_") {
            true => OTHERS,
            false => 0,
        };
        assert!(usage.used <= usage.limit + others, "{usage:?}");
    }
    let hit = all.iter().filter(|usage| usage.used > 0 && usage.past > 0);
    hit.map(|usage| usage.map).collect()
}

#[test]
fn every_bound_holds_and_says_that_it_was_hit() {
    // What one bound keeps out never comes to those behind it, so those are looked at with room before.
    let roomy = Bounds {
        visitors: 2,
        pages: 10_000,
        names: 10_000,
        marks: 10_000,
        subjects: 10_000,
        visit_hours: 10_000,
        ..smallest()
    };
    let mut found = hit(smallest());
    found.extend(hit(roomy));
    let engine = Engine::new(&sites(), Bounds::default(), NOW_MS);
    let all: BTreeSet<_> = usage(&engine).iter().map(|usage| usage.map).collect();
    assert_eq!(found, all);
}

#[test]
fn what_has_left_the_range_is_kept_nowhere() {
    let mut engine = Engine::new(&sites(), Bounds::default(), NOW_MS);
    engine.history_complete();
    engine.apply(&rows());
    let before = usage(&engine);
    engine.advance(NOW_MS + 32 * 24 * HOUR_MS);
    for (before, after) in before.iter().zip(usage(&engine)) {
        // Releases are known for ever; the origin of the last event is remembered, with its names.
        let stays = match after.map {
            "releases" => before.used,
            "origins" | "campaign_names" | "variant_names" => 1,
            _ => 0,
        };
        let was = matches!(before.map, "elements" | "recount_events") || before.used > 1;
        assert!(was, "{before:?}: nothing came to it");
        assert_eq!(after.used, stays, "{after:?}");
    }
}
