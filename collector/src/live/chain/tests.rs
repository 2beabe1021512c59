//! The chain against a recount that tries every list of rows, in every order of arrival.

use super::*;
use proptest::prelude::*;

/// Level and entry by the words of the definition: every list of distinct rows is tried.
fn recount(rows: &[StepRow], shape: Shape) -> (usize, Option<StepRow>) {
    // (length, order at which it was complete, first row)
    let mut chains: Vec<(usize, u64, StepRow)> = Vec::new();
    for (at, first) in rows.iter().enumerate().filter(|(_, row)| row.matches(0)) {
        extend(rows, shape, &mut vec![at], *first, &mut chains);
    }
    let Some(level) = chains.iter().map(|chain| chain.0).max() else {
        return (0, None);
    };
    let longest = chains.iter().filter(|chain| chain.0 == level);
    let soonest = longest.clone().map(|chain| chain.1).min();
    let entry = longest
        .filter(|chain| Some(chain.1) == soonest)
        .map(|chain| chain.2)
        .max_by_key(|row| (row.ord, row.tie));
    (level, entry)
}

fn extend(
    rows: &[StepRow],
    shape: Shape,
    path: &mut Vec<usize>,
    first: StepRow,
    chains: &mut Vec<(usize, u64, StepRow)>,
) {
    let last = rows[path[path.len() - 1]];
    chains.push((path.len(), last.ord, first));
    if path.len() == shape.steps {
        return;
    }
    for at in 0..rows.len() {
        let row = rows[at];
        if row.matches(path.len())
            && !path.contains(&at)
            && row.ord >= last.ord
            && row.ms() - first.ms() <= shape.window_ms
        {
            path.push(at);
            extend(rows, shape, path, first, chains);
            path.pop();
        }
    }
}

/// Few times, few ties and few kinds, so that repeats, ties and several matches are the rule.
fn rows() -> impl Strategy<Value = (Vec<StepRow>, Shape)> {
    (
        2_usize..5,
        0_u64..8,
        prop::collection::vec((0_u64..10, 0_u64..3, 1_u16..16), 0..9),
    )
        .prop_map(|(steps, window_ms, drawn)| {
            let rows = drawn
                .into_iter()
                .enumerate()
                .map(|(at, (ms, tie, mask))| {
                    let ord = ((1_000 + ms) << 20) | (tie * 0x7_ffff);
                    let tie = (at as u32).wrapping_mul(0x9e37_79b9);
                    StepRow::new((ord, tie), at as u32, mask & ((1 << steps) - 1))
                })
                .filter(|row| row.steps() != 0)
                .collect();
            (rows, Shape { steps, window_ms })
        })
}

fn outcome(chain: &Chain) -> (usize, Option<StepRow>) {
    (chain.level(), chain.entry().copied())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_chain_is_the_recount_in_any_order_of_arrival(
        ((rows, shape), seed, settle_each) in (rows(), any::<u64>(), any::<bool>())
    ) {
        let mut arrival = rows.clone();
        // A shuffle drawn from the seed; sorted arrival, the fast path, is one of the cases.
        if seed % 4 == 0 {
            arrival.sort_by_key(|row| row.ord);
        } else {
            arrival.sort_by_key(|row| u64::from(row.entry()).wrapping_add(1).wrapping_mul(seed | 1));
        }
        let mut chain = Chain::default();
        for (done, row) in arrival.iter().enumerate() {
            prop_assert!(chain.insert(*row, shape, 100));
            if settle_each {
                chain.settle(shape);
                prop_assert_eq!(outcome(&chain), recount(&arrival[..=done], shape));
            }
        }
        chain.settle(shape);
        prop_assert_eq!(outcome(&chain), recount(&rows, shape));
    }

    #[test]
    fn forgetting_is_as_if_the_rows_had_never_come(
        ((rows, shape), from_ms) in (rows(), 1_000_u64..1_010)
    ) {
        let mut chain = Chain::default();
        for row in &rows {
            chain.insert(*row, shape, 100);
        }
        chain.settle(shape);
        chain.forget(from_ms, |_| ());
        chain.settle(shape);
        let left: Vec<StepRow> = rows.into_iter().filter(|row| row.ms() >= from_ms).collect();
        prop_assert_eq!(outcome(&chain), recount(&left, shape));
    }
}

#[test]
fn the_window_is_in_milliseconds_whatever_the_ties() {
    let shape = Shape {
        steps: 2,
        window_ms: 10,
    };
    let row = |ms: u64, tie: u64, steps| StepRow::new(((ms << 20) | tie, 0), 0, steps);
    let level = |first, second| {
        let mut chain = Chain::default();
        chain.insert(first, shape, 9);
        chain.insert(second, shape, 9);
        chain.settle(shape);
        chain.level()
    };
    assert_eq!(
        level(row(100, 0, 1), row(110, 0xf_ffff, 2)),
        2,
        "exactly the window"
    );
    assert_eq!(
        level(row(100, 0xf_ffff, 1), row(111, 0, 2)),
        1,
        "one millisecond past it"
    );
}

#[test]
fn a_full_chain_refuses_and_keeps_what_it_has() {
    let shape = Shape {
        steps: 2,
        window_ms: 10,
    };
    let mut chain = Chain::default();
    let row = |ms: u64, steps| StepRow::new((ms << 20, 0), 0, steps);
    assert!(chain.insert(row(1, 1), shape, 1));
    assert!(!chain.insert(row(2, 2), shape, 1));
    assert_eq!(chain.level(), 1);
}
