//! Simulated experiments that are looked at after every event: how often a difference is seen that
//! is not there, and how soon one that is. The arithmetic looked at is the collector's own; beside
//! it, in the same run, a two-proportion z-test is watched as if it allowed that.
//!
//! Owns the streams and the tally. Knows no engine: the counts are the stream's.

use crate::oracle::Chance;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;
use upriver_collector::live::evidence::{
    ALPHA, ALPHA_SHARES, Arm, compare, log_evidence, rate_interval,
};

/// Real experiments, beside the repository; a run without them says so.
const RECORDED: &str = "../../shared/data/experiments/asos_digital_experiments_dataset.csv";
/// The metric of that file that is a yes or no of each visitor.
const YES_OR_NO: &str = "1";
/// Conversions of each variant before anyone would read a z-test.
const Z_CONVERSIONS_MIN: u64 = 5;
/// Two-sided 5 %.
const Z: f64 = 1.959_963_984_540_054;

/// When visitors come and when they convert: stretches of time, each with its share of all
/// visitors, and conversions as a share of all visitors too.
#[derive(Clone, Debug)]
pub struct Shape(Vec<(f64, f64)>);

impl Shape {
    /// One rate all along.
    pub fn steady(rate: f64) -> Self {
        const STRETCHES: usize = 100;
        let share = 1.0 / STRETCHES as f64;
        Self(vec![(share, share * rate); STRETCHES])
    }

    /// The shapes of recorded experiments; none where the file is not there.
    ///
    /// # Errors
    /// The file is there and is not what it should be.
    pub fn recorded() -> Result<Option<Vec<Self>>> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDED);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path)?;
        let mut series: BTreeMap<(String, String), Vec<(f64, f64)>> = BTreeMap::new();
        for line in text.lines().skip(1) {
            let fields: Vec<_> = line.split(',').collect();
            let [
                experiment,
                variant,
                metric,
                _,
                count_c,
                count_t,
                mean_c,
                mean_t,
                ..,
            ] = fields[..]
            else {
                anyhow::bail!("{}: {line:?} has too few fields", path.display());
            };
            if metric != YES_OR_NO {
                continue;
            }
            let number = |text: &str| text.parse::<f64>().with_context(|| format!("in {line:?}"));
            let visitors = (number(count_c)?, number(count_t)?);
            let converted = visitors.0 * number(mean_c)? + visitors.1 * number(mean_t)?;
            let so_far = (visitors.0 + visitors.1, converted);
            let key = (experiment.to_owned(), variant.to_owned());
            series.entry(key).or_default().push(so_far);
        }
        let shapes = series.into_values().map(|so_far| {
            let all = so_far.last().map_or(1.0, |last| last.0);
            let mut before = (0.0, 0.0);
            let stretches = so_far.into_iter().map(|now| {
                let grown = ((now.0 - before.0) / all, (now.1 - before.1) / all);
                before = now;
                grown
            });
            Self(stretches.collect())
        });
        Ok(Some(shapes.collect()))
    }

    /// Plays an experiment of two variants that do not differ, half of the visitors each. `look` is
    /// told after every event how things stand, and whether it was a conversion: one of any visitor
    /// who came before and has not converted.
    fn play(&self, visitors: u64, chance: &mut Chance, mut look: impl FnMut(&[Arm; 2], bool)) {
        let mut arms = [NOBODY; 2];
        let (mut due, mut done) = ((0.0, 0.0), (0_u64, 0_u64));
        for (come, convert) in &self.0 {
            due.0 += come * visitors as f64;
            due.1 += convert * visitors as f64;
            loop {
                let come = (due.0 as u64).saturating_sub(done.0);
                let convert = (due.1 as u64).saturating_sub(done.1);
                if come + convert == 0 {
                    break;
                }
                if chance.below(come + convert) < come {
                    done.0 += 1;
                    arms[usize::from(chance.percent(50))].visitors += 1;
                    look(&arms, false);
                    continue;
                }
                done.1 += 1;
                let left = arms.map(|arm| arm.visitors - arm.converted);
                // Everybody who came may have converted already.
                if left != [0, 0] {
                    let side = usize::from(chance.below(left[0] + left[1]) >= left[0]);
                    arms[side].converted += 1;
                    look(&arms, true);
                }
            }
        }
    }
}

/// A variant that nobody has seen, of two.
const NOBODY: Arm = Arm {
    share: 0.5,
    visitors: 0,
    converted: 0,
};

/// Plays an experiment whose control converts at `rate` and whose variant so much better, some
/// visitors after they came. `look` is as in [`Shape::play`], and ends it by returning true.
fn play_planted(
    rate: f64,
    lift: f64,
    visitors: u64,
    chance: &mut Chance,
    mut look: impl FnMut(&[Arm; 2], bool) -> bool,
) {
    /// Visitors who will convert and have not yet.
    const DECIDING: usize = 20;
    let mut arms = [NOBODY; 2];
    let mut deciding = Vec::with_capacity(DECIDING);
    for _ in 0..visitors {
        let side = usize::from(chance.percent(50));
        arms[side].visitors += 1;
        if happens(rate * [1.0, 1.0 + lift][side], chance) {
            deciding.push(side);
        }
        if look(&arms, false) {
            return;
        }
        if deciding.len() == DECIDING {
            let next = chance.below(DECIDING as u64) as usize;
            arms[deciding.swap_remove(next)].converted += 1;
            if look(&arms, true) {
                return;
            }
        }
    }
}

/// Whether something of this probability happens.
fn happens(probability: f64, chance: &mut Chance) -> bool {
    const FINE: u64 = 1 << 40;
    (chance.below(FINE) as f64) < probability * FINE as f64
}

/// What is read after every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The collector's: valid at every moment.
    Anytime,
    /// A two-proportion z-test at 5 %, which is valid once.
    FixedSize,
}

impl Reading {
    fn proves(self, arms: &[Arm; 2]) -> bool {
        match self {
            Self::Anytime => compare(arms[0], arms[1], ALPHA).proven,
            Self::FixedSize => z(arms).is_some_and(|z| z.abs() > Z),
        }
    }
}

fn z(arms: &[Arm; 2]) -> Option<f64> {
    if arms.iter().any(|arm| arm.converted < Z_CONVERSIONS_MIN) {
        return None;
    }
    let rate = |arm: &Arm| arm.converted as f64 / arm.visitors as f64;
    let n = arms.map(|arm| arm.visitors as f64);
    let pooled = (arms[0].converted + arms[1].converted) as f64 / (n[0] + n[1]);
    let error = (pooled * (1.0 - pooled) * (1.0 / n[0] + 1.0 / n[1])).sqrt();
    Some((rate(&arms[1]) - rate(&arms[0])) / error)
}

/// Of experiments in which nothing differs, how many were ever misread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Misread {
    /// Experiments.
    pub experiments: u64,
    /// Events after which all of them were looked at.
    pub looks: u64,
    /// A difference was seen.
    pub differs: u64,
    /// The assignment was called unsound.
    pub unsound: u64,
}

/// Plays experiments without a difference, of so many visitors each, over these shapes in turn.
pub fn without_difference(
    shapes: &[Shape],
    experiments: u64,
    visitors: u64,
    reading: Reading,
    seed: u64,
) -> Misread {
    let mut misread = Misread::default();
    let mut chance = Chance::new(seed);
    for shape in shapes.iter().cycle().take(experiments as usize) {
        let (mut differs, mut unsound) = (false, false);
        shape.play(visitors, &mut chance, |arms, converted| {
            misread.looks += 1;
            // A conversion changes no share, and only it changes what `Anytime` reads.
            if converted || reading == Reading::FixedSize {
                differs |= reading.proves(arms);
            }
            if !converted {
                unsound |=
                    log_evidence(&arms.map(|arm| arm.visitors), &[0.5, 0.5]) >= -ALPHA_SHARES.ln();
            }
        });
        misread.experiments += 1;
        misread.differs += u64::from(differs);
        misread.unsound += u64::from(unsound);
    }
    misread
}

/// How soon a planted difference was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Visitors of the test that is looked at once and finds 80 of 100.
    pub fixed: u64,
    /// Visitors until it was found, in each experiment that found it; ascending.
    pub visitors: Vec<u64>,
    /// Experiments.
    pub experiments: u64,
    /// Experiments whose interval of the lift ever left out the planted one.
    pub missed: u64,
    /// Experiments in which the test looked at once, with `fixed` visitors, found it.
    pub by_fixed: u64,
}

impl Found {
    /// Visitors until half of all experiments had found it; none if fewer did.
    pub fn median(&self) -> Option<u64> {
        self.visitors.get(self.experiments as usize / 2).copied()
    }
}

/// Plays experiments with a planted lift of a rate, each until it is found or six times as many
/// visitors came as the test looked at once needs.
pub fn with_difference(rate: f64, lift: f64, experiments: u64, seed: u64) -> Found {
    const POWER_80: f64 = 0.841_621_233_572_914;
    const PATIENCE: u64 = 6;
    let other = rate * (1.0 + lift);
    let spread = rate * (1.0 - rate) + other * (1.0 - other);
    let fixed = 2.0 * (Z + POWER_80).powi(2) * spread / (other - rate).powi(2);
    let mut found = Found {
        fixed: fixed.ceil() as u64,
        experiments,
        ..Found::default()
    };
    let mut chance = Chance::new(seed);
    for _ in 0..experiments {
        let (mut at, mut missed) = (None, false);
        play_planted(
            rate,
            lift,
            PATIENCE * found.fixed,
            &mut chance,
            |arms, converted| {
                let visitors = arms[0].visitors + arms[1].visitors;
                if !converted {
                    let once = visitors == found.fixed && Reading::FixedSize.proves(arms);
                    found.by_fixed += u64::from(once);
                    return false;
                }
                let read = compare(arms[0], arms[1], ALPHA);
                missed |= lift < read.lift_low || lift > read.lift_high;
                if read.proven && at.is_none() {
                    at = Some(visitors);
                }
                at.is_some() && visitors > found.fixed
            },
        );
        found.visitors.extend(at);
        found.missed += u64::from(missed);
    }
    found.visitors.sort_unstable();
    found
}

/// Experiments whose interval of a rate ever left out the true one, looked at after every visitor.
pub fn rates_missed(rate: f64, experiments: u64, visitors: u64, seed: u64) -> u64 {
    let mut chance = Chance::new(seed);
    let mut missed = 0;
    for _ in 0..experiments {
        let (mut part, mut out) = (0, false);
        for number in 1..=visitors {
            part += u64::from(happens(rate, &mut chance));
            let (low, high) = rate_interval(part, number - part, ALPHA);
            out |= rate < low || rate > high;
        }
        missed += u64::from(out);
    }
    missed
}
