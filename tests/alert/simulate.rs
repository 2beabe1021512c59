//! Simulated campaigns: visitors put something into the cart, some go on to the checkout, some of
//! those order, each after a while of their own. Days and nights, weekends, good and bad days, and
//! rates that are a little different in the evening. Something may break for good.

use super::{AGES, Alarm, Detector, Expects, Hourly, Rate, TICK_MS};
use crate::oracle::Chance;
use std::collections::VecDeque;
use std::f64::consts::TAU;

const MINUTE_MS: u64 = 60_000;
const DAY_MINUTES: u64 = 1_440;
/// Steps that are watched: from the cart to the checkout, from there to the order.
const STEPS: usize = 2;
/// Mean rates of the site, and how much campaigns differ from them, as a share of the mean.
const RATES: [f64; STEPS] = [0.45, 0.6];
const RATES_DIFFER: f64 = 0.25;
/// Median and spread (of the logarithm) of the minutes people take.
const MINUTES: [(f64, f64); STEPS] = [(30.0, 1.5), (9.0, 1.1)];
/// One day in so many begins with a newsletter: so much of a day's traffic comes within minutes.
const RUSH_DAYS: u64 = 7;
const RUSH: f64 = 0.5;
const RUSH_MINUTES: std::ops::Range<u64> = 540..560;
/// Campaigns and days the site knows already.
const KNOWN: (u64, u64) = (20, 14);
/// Evidence that is an alarm: 30 days in hours, for each detector of the campaign.
const ENOUGH: f64 = 30.0 * 24.0 * STEPS as f64;

/// What kind of campaign.
#[derive(Clone, Copy, Debug)]
pub struct Sort {
    /// Checkouts a day, on average.
    pub checkouts: f64,
    /// Days it runs.
    pub days: u64,
    /// How the detector expects.
    pub expects: Expects,
}

/// That a step breaks: nobody gets past it from then on.
#[derive(Clone, Copy, Debug)]
pub struct Broken {
    /// Which.
    pub step: usize,
    /// When, minutes after the campaign began.
    pub minute: u64,
}

/// What came of watching one campaign.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// Hours after the beginning of each alarm of the detectors.
    pub alarms: Vec<f64>,
    /// The same of hourly rates below mean − 2σ.
    pub hourly: Vec<f64>,
    /// The first alarm of the detectors.
    pub first: Option<Alarm>,
    /// Arrivals at each step, and who went on.
    pub counts: [(u64, u64); STEPS],
    /// Ticks that each of those who went on took.
    pub delays: [Vec<usize>; STEPS],
}

/// What a site knows of its campaigns, by step.
#[derive(Clone, Debug)]
pub struct Known {
    rates: [Rate; STEPS],
    delays: [[f64; AGES]; STEPS],
}

impl Known {
    /// Watches a few campaigns for a fortnight, detectors off.
    pub fn learn(chance: &mut Chance) -> Self {
        let sort = Sort {
            checkouts: 50.0,
            days: KNOWN.1,
            expects: Expects::ByAge,
        };
        let campaigns: Vec<_> = (0..KNOWN.0)
            .map(|_| watch(sort, None, None, chance))
            .collect();
        let rates = std::array::from_fn(|step| {
            let counts = campaigns.iter().map(|one| one.counts[step]);
            let counts: Vec<_> = counts
                .map(|(due, seen)| (seen as f64, due as f64))
                .collect();
            Rate::of_site(&counts).unwrap_or(Rate {
                seen: 1.0,
                due: 1.0,
            })
        });
        let mut delays = [[0.0; AGES]; STEPS];
        for campaign in &campaigns {
            for (step, own) in campaign.delays.iter().enumerate() {
                for ticks in own.iter().filter(|ticks| **ticks < AGES) {
                    delays[step][*ticks] += 1.0;
                }
            }
        }
        Self { rates, delays }
    }
}

/// Watches a campaign with detectors of what the site knows; with none, only counts.
pub fn watch(
    sort: Sort,
    broken: Option<Broken>,
    known: Option<&Known>,
    chance: &mut Chance,
) -> Watched {
    let mut watched = Watched::default();
    let rates = RATES.map(|rate| rate * (1.0 + RATES_DIFFER * normal(chance)).clamp(0.3, 1.6));
    let mut detectors: Vec<Detector> = known.map_or(Vec::new(), |known| {
        let of = |step| Detector::new(known.rates[step], &known.delays[step], sort.expects, 0);
        (0..STEPS).map(of).collect()
    });
    let mut hourly = vec![Hourly::default(); STEPS];
    let mut hours = [(0, 0); STEPS];
    // Who goes on in which minute, and since when they have been there.
    let longest = (AGES as u64 * TICK_MS / MINUTE_MS) as usize;
    let mut going: [VecDeque<Vec<u64>>; STEPS] =
        std::array::from_fn(|_| vec![Vec::new(); longest].into());
    let (mut day_factor, mut rushes) = (1.0, false);
    for minute in 0..sort.days * DAY_MINUTES {
        if minute.is_multiple_of(DAY_MINUTES) {
            day_factor = (0.15 * normal(chance)).exp();
            rushes = chance.below(RUSH_DAYS) == 0;
        }
        let per_day = sort.checkouts / rates[0] * day_factor;
        let rush = if rushes && RUSH_MINUTES.contains(&(minute % DAY_MINUTES)) {
            RUSH * DAY_MINUTES as f64 / RUSH_MINUTES.count() as f64
        } else {
            0.0
        };
        let per_minute = per_day / DAY_MINUTES as f64;
        let mut arrivals = poisson(per_minute * (rhythm(minute) + rush), chance);
        for step in 0..STEPS {
            let is_broken = broken.is_some_and(|it| it.step == step && minute >= it.minute);
            for _ in 0..arrivals {
                watched.counts[step].0 += 1;
                hours[step].0 += 1;
                detectors
                    .get_mut(step)
                    .into_iter()
                    .for_each(Detector::arrive);
                let (median, spread) = MINUTES[step];
                let takes = (median * (spread * normal(chance)).exp()) as usize;
                if takes < longest && happens(rates[step] * evening(minute), chance) {
                    going[step][takes].push(minute);
                }
            }
            arrivals = 0;
            let gone = going[step].pop_front().unwrap_or_default();
            going[step].push_back(Vec::new());
            for since in gone.into_iter().filter(|_| !is_broken) {
                arrivals += 1;
                watched.counts[step].1 += 1;
                hours[step].1 += 1;
                let after_ms = (minute - since) * MINUTE_MS;
                watched.delays[step].push((after_ms / TICK_MS) as usize);
                detectors
                    .get_mut(step)
                    .into_iter()
                    .for_each(|one| one.go_on(after_ms));
            }
        }
        let now_ms = (minute + 1) * MINUTE_MS;
        let hour = (minute + 1) as f64 / 60.0;
        for detector in &mut detectors {
            if let Some(alarm) = detector.advance(now_ms, ENOUGH) {
                watched.alarms.push(hour);
                watched.first = watched.first.or(Some(alarm));
            }
        }
        if (minute + 1).is_multiple_of(60) {
            for (hourly, counts) in hourly.iter_mut().zip(&mut hours) {
                let (arrived, went_on) = std::mem::take(counts);
                watched
                    .hourly
                    .extend(hourly.end_hour(arrived, went_on).then_some(hour));
            }
        }
    }
    watched
}

/// How much of the mean traffic a minute has: nights are quiet, weekends quieter.
fn rhythm(minute: u64) -> f64 {
    let day = minute as f64 / DAY_MINUTES as f64;
    let weekend = if (minute / DAY_MINUTES) % 7 >= 5 {
        0.6
    } else {
        1.16
    };
    weekend * (1.0 - 0.85 * (TAU * (day - 0.125)).cos())
}

/// How much of the mean rate people of this minute have.
fn evening(minute: u64) -> f64 {
    1.0 + 0.1 * (TAU * (minute as f64 / DAY_MINUTES as f64 - 0.6)).sin()
}

fn uniform(chance: &mut Chance) -> f64 {
    const FINE: u64 = 1 << 52;
    (chance.below(FINE) as f64 + 0.5) / FINE as f64
}

fn happens(probability: f64, chance: &mut Chance) -> bool {
    uniform(chance) < probability
}

/// Box and Muller's.
fn normal(chance: &mut Chance) -> f64 {
    (-2.0 * uniform(chance).ln()).sqrt() * (TAU * uniform(chance)).cos()
}

/// Knuth’s: the means here are small.
fn poisson(mean: f64, chance: &mut Chance) -> u64 {
    let (end, mut product, mut count) = ((-mean).exp(), uniform(chance), 0);
    while product > end {
        product *= uniform(chance);
        count += 1;
    }
    count
}
