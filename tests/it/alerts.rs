//! Alerts on simulated campaigns, in short: `cargo xtask bench alerts` is the long form.

use anyhow::{Context, Result, ensure};
use upriver_tests::alert::{
    AGES, Broken, Detector, EXPECTED_MIN, Expects, Known, Rate, STARTS_MAX, Sort, TICK_MS, watch,
};
use upriver_tests::oracle::Chance;

/// Every run draws the same, so a test passes always or never.
const SEED: u64 = 11;
const DAY_MS: u64 = 24 * 3_600_000;

fn sort(days: u64, expects: Expects) -> Sort {
    Sort {
        checkouts: 100.0,
        days,
        expects,
    }
}

#[test]
fn a_broken_step_is_told_within_hours_and_a_healthy_one_hardly_ever() -> Result<()> {
    let mut chance = Chance::new(SEED);
    let known = Known::learn(&mut chance);
    let mut alarms = [Expects::ByAge, Expects::AtOnce].map(|expects| {
        let healthy = (0..4).map(|_| watch(sort(20, expects), None, Some(&known), &mut chance));
        healthy.map(|watched| watched.alarms.len()).sum::<usize>()
    });
    ensure!(
        alarms[0] <= 2,
        "{} false alarms of 4 campaigns in 20 days",
        alarms[0]
    );
    // The fault planted: whoever arrives is expected to go on at once.
    ensure!(alarms[1] > 2, "{} only: the fault must show", alarms[1]);
    alarms = [0, 1].map(|step| {
        let minute = 10 * 1_440 + 600;
        let broken = Some(Broken { step, minute });
        let watched = watch(sort(12, Expects::ByAge), broken, Some(&known), &mut chance);
        let broke = minute as f64 / 60.0;
        let soon = |hour: &&f64| (broke..broke + 12.0).contains(*hour);
        watched.alarms.iter().filter(soon).count()
    });
    ensure!(
        alarms == [1, 1],
        "told once each within 12 hours: {alarms:?}"
    );
    Ok(())
}

#[test]
fn a_new_campaign_is_quiet_until_enough_was_expected() -> Result<()> {
    let site = Rate {
        seen: 50.0,
        due: 100.0,
    };
    let mut delays = [0.0; AGES];
    delays[0] = 1.0;
    let mut detector = Detector::new(site, &delays, Expects::ByAge, 0);
    // Half of those who come should go on within ten minutes; nobody ever does.
    let mut alarm = None;
    let mut came = 0;
    for tick in 1..600 {
        detector.arrive();
        came += 1;
        alarm = detector.advance(tick * TICK_MS, 720.0);
        if alarm.is_some() {
            break;
        }
    }
    let alarm = alarm.context("never told")?;
    ensure!(
        alarm.seen == 0.0 && alarm.expected >= EXPECTED_MIN,
        "{alarm:?}"
    );
    ensure!(
        (15..60).contains(&came),
        "told after {came} had come: {alarm:?}"
    );
    // However long nobody comes, nothing is expected and nothing told.
    let mut quiet = Detector::new(site, &delays, Expects::ByAge, 0);
    ensure!(quiet.advance(90 * DAY_MS, 1.0).is_none(), "told of nobody");
    ensure!(
        quiet.starts() <= STARTS_MAX,
        "{} starts kept",
        quiet.starts()
    );
    Ok(())
}

#[test]
fn what_campaigns_share_is_learned_from_how_they_differ() -> Result<()> {
    let rate = |campaigns: &[(f64, f64)]| Rate::of_site(campaigns).context("nothing learned");
    // Alike beyond chance: as certain as it gets. Far apart: hardly certain at all.
    let alike = rate(&[(50.0, 100.0), (51.0, 100.0), (49.0, 100.0)])?;
    let apart = rate(&[(5.0, 100.0), (50.0, 100.0), (95.0, 100.0)])?;
    ensure!(
        alike.seen == 50.0 && apart.seen < 4.0,
        "{alike:?} {apart:?}"
    );
    ensure!((alike.seen / alike.due - 0.5).abs() < 1e-9, "{alike:?}");
    ensure!(Rate::of_site(&[]).is_none() && Rate::of_site(&[(0.0, 9.0)]).is_none());
    Ok(())
}
