//! Whether a page, or a site, is viewed as it should be at this hour of the week. Pure; hours of the
//! past go in, in order.
//!
//! What is expected is the mean of the same hour of earlier weeks, leaning on that of the same hour of
//! the day while there are few. Views of an hour are taken to spread about it as a negative binomial
//! distribution, whose width is learned too: days differ. Evidence is gathered as the step detector
//! does: a Shiryaev–Roberts sum over the hours of the likelihood ratio of "a tenth or none is left"
//! or of "five or twenty times as many". So far as hours spread independently like that, the
//! mean time to a false alarm is at least the evidence that is asked for, in hours. A quiet
//! day or a good one is neither explanation's; a public holiday that empties a site is told.

use std::ops::RangeInclusive;

/// One hour, milliseconds.
pub(super) const HOUR_MS: u64 = 3_600_000;
const WEEK_HOURS: usize = 168;
const DAY_HOURS: usize = 24;
/// Days of the same hour that must be known before anything is told.
pub(super) const DAYS_MIN: f64 = 7.0;
/// What remains of what is known after each new day, or week, of it.
const REMAINS: f64 = 0.9;
/// Explanations: what remains of the views, or how many times as many they are.
const VANISHED: [f64; 2] = [0.1, 0.0];
const SPIKED: [f64; 2] = [5.0, 20.0];
/// Views below which nothing is told: that should have been, or that were.
const VANISHED_EXPECTED_MIN: f64 = 5.0;
const SPIKED_SEEN_MIN: u64 = 50;
/// Relative variance of an hour beyond chance: to begin with, how many hours that counts as, bounds.
const SPREAD: (f64, f64) = (0.25, 24.0);
const SPREAD_BOUNDS: RangeInclusive<f64> = 0.02..=2.0;
/// One odd hour counts at most as so much.
const SPREAD_HOUR_MAX: f64 = 4.0;
const SPREAD_HOUR_REMAINS: f64 = 0.995;
/// Views that must have been expected before it is over, and the share of them that is as usual.
const OVER_EXPECTED: f64 = 5.0;
const AS_USUAL: RangeInclusive<f64> = 0.3..=3.0;
/// Hours after which what lasts is the new normal.
pub(super) const NORMAL_HOURS: u64 = 14 * 24;

/// A mean of which the past fades.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    weight: f64,
    /// How often something was added.
    times: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum = self.sum * REMAINS + value;
        self.weight = self.weight * REMAINS + 1.0;
        self.times += 1.0;
    }
}

/// Too few views, or too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusual {
    /// Hardly any.
    Vanished,
    /// Many times as many.
    Spiked,
}

/// Something unusual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Odd {
    /// What.
    pub(super) what: Unusual,
    /// First hour of it, since 1970.
    pub(super) since: u64,
    /// The hour at whose end it was told.
    pub(super) opened: u64,
    /// The hour at whose end it was over.
    pub(super) closed: Option<u64>,
    /// Views that should have been.
    pub(super) expected: f64,
    /// Views that were.
    pub(super) seen: u64,
    /// Hours one would wait for this on average.
    pub(super) evidence: f64,
}

/// Evidence for one explanation since it last had none.
#[derive(Clone, Copy, Debug, Default)]
struct Evidence {
    ratios: [f64; 2],
    since: u64,
    expected: f64,
    seen: u64,
}

/// Watches one page.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    week: [Mean; WEEK_HOURS],
    day: [Mean; DAY_HOURS],
    /// Sum and weight of relative variances.
    spread: (f64, f64),
    vanished: Evidence,
    spiked: Evidence,
    open: Option<Odd>,
    /// Expected and seen since the last look at whether it is over.
    check: (f64, u64),
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            week: [Mean::default(); WEEK_HOURS],
            day: [Mean::default(); DAY_HOURS],
            spread: (SPREAD.0 * SPREAD.1, SPREAD.1),
            vanished: Evidence::default(),
            spiked: Evidence::default(),
            open: None,
            check: (0.0, 0),
        }
    }
}

impl Traffic {
    /// Views that are expected in an hour; none while too little is known.
    pub(super) fn expected(&self, hour: u64) -> Option<f64> {
        let day = self.day[(hour % DAY_HOURS as u64) as usize];
        let week = self.week[(hour % WEEK_HOURS as u64) as usize];
        let usual = day.sum / day.weight;
        let known = (week.sum + usual) / (week.weight + 1.0);
        (day.times >= DAYS_MIN).then_some(known)
    }

    /// An hour ended, with so many views. `enough` is the evidence, in hours, that is an alarm.
    /// Returns what began, went on or ended with it.
    pub(super) fn end_hour(&mut self, hour: u64, views: u64, enough: f64) -> Option<Odd> {
        // What was never viewed has not begun.
        if views == 0 && self.day.iter().all(|mean| mean.times == 0.0) {
            return None;
        }
        let expected = self.expected(hour);
        if let Some(expected) = expected
            && self.open.is_some()
        {
            return self.go_on(hour, views, expected);
        }
        let told = expected.and_then(|expected| self.judge(hour, views, expected, enough));
        self.learn(hour, views, expected);
        told
    }

    /// Whether something unusual lasts.
    pub(super) fn is_odd(&self) -> bool {
        self.open.is_some()
    }

    fn learn(&mut self, hour: u64, views: u64, expected: Option<f64>) {
        if let Some(expected) = expected.filter(|expected| *expected >= 1.0) {
            let apart = (views as f64 - expected).powi(2) - expected;
            let relative = (apart / expected.powi(2)).min(SPREAD_HOUR_MAX);
            self.spread.0 = self.spread.0 * SPREAD_HOUR_REMAINS + relative;
            self.spread.1 = self.spread.1 * SPREAD_HOUR_REMAINS + 1.0;
        }
        self.day[(hour % DAY_HOURS as u64) as usize].add(views as f64);
        self.week[(hour % WEEK_HOURS as u64) as usize].add(views as f64);
    }

    fn judge(&mut self, hour: u64, views: u64, expected: f64, enough: f64) -> Option<Odd> {
        let spread = self.spread.0 / self.spread.1;
        let shape = 1.0 / spread.clamp(*SPREAD_BOUNDS.start(), *SPREAD_BOUNDS.end());
        for (evidence, factors) in [(&mut self.vanished, VANISHED), (&mut self.spiked, SPIKED)] {
            for (ratio, factor) in evidence.ratios.iter_mut().zip(factors) {
                *ratio = (1.0 + *ratio) * likelihood_ratio(views, expected, shape, factor);
            }
            if evidence.mean() < 2.0 {
                (evidence.since, evidence.expected, evidence.seen) = (hour + 1, 0.0, 0);
            } else {
                evidence.since = evidence.since.min(hour);
                evidence.expected += expected;
                evidence.seen += views;
            }
        }
        let found = [
            (Unusual::Vanished, self.vanished),
            (Unusual::Spiked, self.spiked),
        ];
        let (what, evidence) = found.into_iter().find(|(what, it)| {
            let matters = match what {
                Unusual::Vanished => it.expected >= VANISHED_EXPECTED_MIN,
                Unusual::Spiked => it.seen >= SPIKED_SEEN_MIN,
            };
            matters && it.mean() >= enough
        })?;
        (self.vanished, self.spiked) = (Evidence::default(), Evidence::default());
        self.check = (0.0, 0);
        self.open = Some(Odd {
            what,
            since: evidence.since.min(hour),
            opened: hour,
            closed: None,
            expected: evidence.expected,
            seen: evidence.seen,
            evidence: evidence.mean(),
        });
        self.open
    }

    /// Another hour of something unusual: nothing is learned from it.
    fn go_on(&mut self, hour: u64, views: u64, expected: f64) -> Option<Odd> {
        self.check = (self.check.0 + expected, self.check.1 + views);
        let mut odd = self.open?;
        odd.expected += expected;
        odd.seen += views;
        let lasts = hour - odd.opened >= NORMAL_HOURS;
        let (due, seen) = self.check;
        if due >= OVER_EXPECTED {
            self.check = (0.0, 0);
        }
        if lasts || (due >= OVER_EXPECTED && AS_USUAL.contains(&(seen as f64 / due))) {
            odd.closed = Some(hour);
        }
        self.open = Some(odd).filter(|odd| odd.closed.is_none());
        if lasts {
            *self = Self::default();
        }
        Some(odd)
    }
}

impl Evidence {
    fn mean(&self) -> f64 {
        self.ratios.iter().sum::<f64>() / self.ratios.len() as f64
    }
}

/// How much better so many views are explained by `factor` times what is expected.
fn likelihood_ratio(views: u64, expected: f64, shape: f64, factor: f64) -> f64 {
    if factor == 0.0 && views > 0 {
        return 0.0;
    }
    let (usual, other) = (expected + shape, factor * expected + shape);
    let drawn = if views > 0 {
        views as f64 * (factor * usual / other).ln()
    } else {
        0.0
    };
    (drawn + shape * (usual / other).ln()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOUGH: f64 = 720.0 * 4.0;

    /// Views of an hour: a day's and a week's rhythm, and days that differ by up to 40 %.
    fn views(hour: u64, chance: &mut u64) -> u64 {
        let mut draw = || {
            *chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (*chance >> 33) as f64 / (1_u64 << 31) as f64
        };
        let day = (hour / 24).wrapping_mul(2_654_435_761) % 100;
        let daily = 0.6 + 0.8 * day as f64 / 100.0;
        let rhythm = 1.0 - 0.8 * ((hour % 24) as f64 / 24.0 * std::f64::consts::TAU).cos();
        let weekend = if hour / 24 % 7 >= 5 { 0.5 } else { 1.0 };
        (60.0 * rhythm * daily * weekend * (0.8 + 0.4 * draw())).round() as u64
    }

    fn alarms(days: std::ops::Range<u64>, change: impl Fn(u64, u64) -> u64) -> Vec<Odd> {
        let (mut traffic, mut chance, mut told) = (Traffic::default(), 7, Vec::new());
        for hour in days.start * 24..days.end * 24 {
            let views = change(hour, views(hour, &mut chance));
            let odd = traffic.end_hour(hour, views, ENOUGH);
            told.extend(odd.filter(|odd| odd.opened == hour || odd.closed.is_some()));
        }
        told
    }

    #[test]
    fn ordinary_weeks_are_quiet_and_a_silence_is_told_and_over() {
        assert_eq!(alarms(0..365, |_, views| views), []);
        let noon = 30 * 24 + 12;
        let told = alarms(0..60, |hour, views| match hour {
            _ if (noon..noon + 10).contains(&hour) => 0,
            _ => views,
        });
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0].what, Unusual::Vanished);
        assert!(
            told[0].opened - noon <= 2 && told[0].since == noon,
            "{told:?}"
        );
        assert!(told[1].closed.unwrap() - (noon + 10) <= 6, "{told:?}");
    }

    #[test]
    fn a_rush_of_ten_times_as_many_is_told_and_what_lasts_is_normal() {
        let from = 30 * 24 + 9;
        let told = alarms(0..80, |hour, views| {
            views * if hour >= from { 10 } else { 1 }
        });
        assert_eq!(told[0].what, Unusual::Spiked);
        assert!(told[0].opened - from <= 3, "{told:?}");
        let closed = told[1].closed.unwrap();
        assert_eq!((told.len(), closed), (2, told[0].opened + NORMAL_HOURS));
    }

    #[test]
    fn nothing_is_told_before_a_week_is_known() {
        let told = alarms(0..7, |hour, views| if hour > 48 { 0 } else { views });
        assert_eq!(told, []);
    }
}
