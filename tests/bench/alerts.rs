//! Whether alerts come early and seldom in vain: healthy campaigns from their first day on, and
//! campaigns whose checkout or order page breaks, beside "hourly rate below mean − 2σ".

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use upriver_tests::alert::{Broken, Expects, Known, Sort, Watched, watch};
use upriver_tests::oracle::Chance;

/// Checkouts a day.
const CHECKOUTS: [f64; 2] = [10.0, 100.0];
const STEPS: [&str; 2] = ["cart → checkout", "checkout → order"];
/// Days of a healthy campaign.
const HEALTHY_DAYS: u64 = 60;
/// The day something breaks, and days it is watched after.
const BREAKS_DAY: u64 = 21;
const PATIENCE_DAYS: u64 = 14;
/// False alarms of a campaign in 30 days: at most so many…
const FALSE_MAX: f64 = 1.0;
/// …and more of the planted fault, or the campaigns would not show it.
const PLANTED_MIN: f64 = 1.0;
const SEED: u64 = 20_262;

/// One line of the table.
struct Line {
    what: String,
    false_alarms: f64,
    hourly_false: f64,
    found: [Found; 2],
}

/// Hours until a loss was told, by detector and by hourly rates; none if half of all were not.
struct Found {
    hours: Option<f64>,
    hourly: Option<f64>,
    told: usize,
}

/// Watches so many campaigns of each kind, and prints a table unless `quiet`.
///
/// # Errors
/// A promise is broken, or the planted fault is not seen; the table has been printed by then.
pub(crate) fn run(campaigns: u64, quiet: bool) -> Result<Value> {
    let mut chance = Chance::new(SEED);
    let known = Known::learn(&mut chance);
    let lines = CHECKOUTS.map(|checkouts| line(checkouts, campaigns, &known, &mut chance));
    let at_once = healthy(
        CHECKOUTS[1],
        campaigns,
        Expects::AtOnce,
        &known,
        &mut chance,
    )
    .0;
    if !quiet {
        println!("{campaigns} campaigns of each kind; in brackets: hourly rate below mean − 2σ\n");
        println!(
            "checkouts a day   false alarms in 30 days   hours until a total loss is told, median"
        );
        let hours =
            |hours: Option<f64>| hours.map_or("never".into(), |hours| format!("{hours:.1}"));
        for line in &lines {
            println!(
                "{:>15}   {:>13.3} ({:>6.2})",
                line.what, line.false_alarms, line.hourly_false
            );
            for (name, found) in STEPS.iter().zip(&line.found) {
                let (own, control) = (hours(found.hours), hours(found.hourly));
                println!(
                    "{:>47}{name:<18} {own:>6} ({control:>6})   told {}",
                    "", found.told
                );
            }
        }
        println!("\nplanted: every arrival expected to go on at once {at_once:>10.3} false alarms");
    }
    for line in &lines {
        let false_alarms = line.false_alarms;
        ensure!(
            false_alarms <= FALSE_MAX,
            "{false_alarms} false alarms per campaign in 30 days, with {} checkouts a day",
            line.what
        );
        ensure!(
            line.found.iter().all(|found| found.hours.is_some()),
            "half of the losses were not told, with {} checkouts a day",
            line.what
        );
    }
    ensure!(
        at_once > PLANTED_MIN,
        "the planted fault gave {at_once} false alarms only: this proves nothing"
    );
    let lines = lines.iter().map(|line| {
        let found = STEPS.iter().zip(&line.found).map(|(step, found)| {
            json!({
                "step": step,
                "hours_median": found.hours,
                "hours_median_of_hourly_rates": found.hourly,
                "told": found.told,
            })
        });
        json!({
            "checkouts_a_day": line.what,
            "false_alarms_30_days": line.false_alarms,
            "false_alarms_30_days_of_hourly_rates": line.hourly_false,
            "total_loss": found.collect::<Vec<_>>(),
        })
    });
    Ok(json!({
        "campaigns": campaigns,
        "kinds": lines.collect::<Vec<_>>(),
        "planted_at_once_false_alarms_30_days": at_once,
    }))
}

fn line(checkouts: f64, campaigns: u64, known: &Known, chance: &mut Chance) -> Line {
    let (false_alarms, hourly_false) = healthy(checkouts, campaigns, Expects::ByAge, known, chance);
    Line {
        what: format!("{checkouts:.0}"),
        false_alarms,
        hourly_false,
        found: [0, 1].map(|step| broken(checkouts, step, campaigns, known, chance)),
    }
}

/// False alarms of a campaign in 30 days, of detectors and of hourly rates.
fn healthy(
    checkouts: f64,
    campaigns: u64,
    expects: Expects,
    known: &Known,
    chance: &mut Chance,
) -> (f64, f64) {
    let sort = Sort {
        checkouts,
        days: HEALTHY_DAYS,
        expects,
    };
    let (mut own, mut hourly) = (0, 0);
    for _ in 0..campaigns {
        let Watched {
            alarms,
            hourly: rates,
            ..
        } = watch(sort, None, Some(known), chance);
        own += alarms.len();
        hourly += rates.len();
    }
    let months = campaigns as f64 * HEALTHY_DAYS as f64 / 30.0;
    (own as f64 / months, hourly as f64 / months)
}

/// How long it takes until a step that nobody gets past is told.
fn broken(
    checkouts: f64,
    step: usize,
    campaigns: u64,
    known: &Known,
    chance: &mut Chance,
) -> Found {
    let sort = Sort {
        checkouts,
        days: BREAKS_DAY + 1 + PATIENCE_DAYS,
        expects: Expects::ByAge,
    };
    let (mut own, mut hourly) = (Vec::new(), Vec::new());
    for _ in 0..campaigns {
        let minute = BREAKS_DAY * 1_440 + chance.below(1_440);
        let watched = watch(sort, Some(Broken { step, minute }), Some(known), chance);
        let broke = minute as f64 / 60.0;
        let after = |alarms: &[f64]| {
            alarms
                .iter()
                .find(|hour| **hour > broke)
                .map(|at| at - broke)
        };
        own.extend(after(&watched.alarms));
        hourly.extend(after(&watched.hourly));
    }
    let median = |mut hours: Vec<f64>| {
        hours.sort_by(f64::total_cmp);
        hours.get(campaigns as usize / 2).copied()
    };
    Found {
        told: own.len(),
        hours: median(own),
        hourly: median(hourly),
    }
}
