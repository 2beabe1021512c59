//! Experiments watched all the time, in short: `cargo xtask bench experiments` is the long form.

use anyhow::{Result, ensure};
use upriver_tests::experiments::{
    Reading, Shape, rates_missed, with_difference, without_difference,
};

/// Every run draws the same, so a test passes always or never.
const SEED: u64 = 7;

#[test]
fn what_does_not_differ_is_not_called_different_however_often_it_is_looked_at() -> Result<()> {
    let mut shapes = vec![Shape::steady(0.1), Shape::steady(0.4)];
    match Shape::recorded()? {
        Some(recorded) => shapes.extend(recorded),
        None => eprintln!("skipped: the recorded experiments are not there; steady ones only"),
    }
    let play = |reading| without_difference(&shapes, 200, 1_000, reading, SEED);
    let shown = play(Reading::Anytime);
    ensure!(
        shown.differs <= 10 && shown.unsound <= 10,
        "5 % of 200 may be misread: {shown:?}"
    );
    // The fault planted: an interval of a fixed size in its place must break the promise.
    let control = play(Reading::FixedSize);
    ensure!(
        control.differs > 40,
        "a z-test that is watched must fail here: {control:?}"
    );
    Ok(())
}

#[test]
fn a_difference_is_found_about_as_soon_as_by_a_test_of_fixed_size() -> Result<()> {
    let found = with_difference(0.1, 0.5, 60, SEED);
    let median = found.median();
    ensure!(
        median.is_some_and(|visitors| visitors <= 2 * found.fixed),
        "found at {median:?}, by a fixed size at {}",
        found.fixed
    );
    ensure!(found.missed <= 3, "5 % of 60 may miss the truth: {found:?}");
    Ok(())
}

#[test]
fn a_rate_stays_within_its_interval() -> Result<()> {
    let missed = rates_missed(0.1, 60, 500, SEED);
    ensure!(missed <= 3, "5 % of 60 may miss the rate: {missed}");
    Ok(())
}
