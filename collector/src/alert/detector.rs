//! Alerts as arithmetic: "fewer of those who arrive go on than should", said early and seldom in
//! vain. Time is an argument; memory is bounded.
//!
//! One [`Detector`] watches one step of one campaign. What it expects is delay-adjusted: an arrival
//! counts as it grows old enough to have gone on, so a rush of new visitors is no loss, nor is a
//! quiet night. Whether too few went on is judged by a Shiryaev–Roberts e-detector (J. Shin,
//! A. Ramdas, A. Rinaldo, "E-detectors", 2023): for a loss that may have begun in any past hour, and
//! may be a quarter, a half, three quarters or all, the likelihood ratio of what was seen since; the
//! evidence is their sum over the hours. If nothing is lost, its mean grows by one an hour, so the
//! mean time until it reaches E is at least E hours. How many should go on is itself uncertain: it
//! is a gamma distribution, begun with what the site's other campaigns did and sharpened by what the
//! campaign did itself, and each likelihood is averaged over it.

/// How finely time is cut, milliseconds: numbers change at most so often.
pub const TICK_MS: u64 = 10 * 60_000;
/// Ticks within which who goes on must; later ones are not waited for.
pub const AGES: usize = 144;
/// A loss may begin once in so many ticks: an hour.
const START_TICKS: u64 = 6;
/// Every start is remembered for so many ticks, two days…
const FINE_TICKS: u64 = 288;
/// …then every so many ticks, six hours…
const COARSE_TICKS: u64 = 36;
/// …and after so many ticks none: a loss not seen in a fortnight is the new normal.
const REMEMBERED_TICKS: u64 = 2_016;
/// Starts remembered at once.
pub const STARTS_MAX: usize =
    (FINE_TICKS / START_TICKS + REMEMBERED_TICKS / COARSE_TICKS) as usize + 2;
/// What may remain of those who went on.
const REMAINS: [f64; 4] = [0.75, 0.5, 0.25, 0.0];
/// Fewest that must have been expected since a start before it may speak.
pub const EXPECTED_MIN: f64 = 5.0;
/// The history of a campaign counts at most as so many who went on: what it did last month is not
/// what it will do today.
const CERTAINTY_MAX: f64 = 200.0;
/// What remains of a campaign's history after a day.
const DAY_REMAINS: f64 = 0.97;
const DAY_TICKS: u64 = 144;
/// After an alarm the detector is silent for so many ticks: what is broken is told once a day.
const SILENT_TICKS: u64 = 144;
/// The site's delays count as so many of the campaign's own.
const DELAYS_WEIGHT: f64 = 30.0;

/// How many of the arrivals go on: a gamma distribution, `seen` of `due`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Its shape: who went on.
    pub seen: f64,
    /// Its rate: arrivals that were old enough.
    pub due: f64,
}

impl Rate {
    /// The spread of the rate over the campaigns of a site, each with who went on and the arrivals
    /// that were old enough; by moments. None when there is nothing to learn from.
    pub fn of_site(campaigns: &[(f64, f64)]) -> Option<Self> {
        const CERTAINTY: std::ops::RangeInclusive<f64> = 2.0..=50.0;
        let (seen, due) = campaigns
            .iter()
            .fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
        if seen <= 0.0 || due <= 0.0 {
            return None;
        }
        let mean = seen / due;
        let squares: f64 = campaigns.iter().map(|(_, due)| due * due).sum();
        let apart = campaigns
            .iter()
            .filter(|(_, due)| *due > 0.0)
            .map(|(seen, due)| due * (seen / due - mean).powi(2));
        // What differs beyond chance.
        let beyond = apart.sum::<f64>() - (campaigns.len() as f64 - 1.0) * mean;
        let variance = (beyond / (due - squares / due).max(f64::MIN_POSITIVE)).max(0.0);
        let certainty = (mean * mean / variance).clamp(*CERTAINTY.start(), *CERTAINTY.end());
        Some(Self {
            seen: certainty,
            due: certainty / mean,
        })
    }
}

/// A moment a loss may have begun at, and what came since.
#[derive(Clone, Copy, Debug)]
struct Start {
    tick: u64,
    rate: Rate,
    due: f64,
    seen: f64,
}

impl Start {
    /// The logarithm of how much better a loss that leaves `remains` explains what came since.
    fn log_ratio(&self, remains: f64) -> f64 {
        if self.seen > 0.0 && remains == 0.0 {
            return f64::NEG_INFINITY;
        }
        let Rate { seen, due } = self.rate;
        let grown = ((due + self.due) / (due + remains * self.due)).ln();
        let thinned = if self.seen > 0.0 {
            self.seen * remains.ln()
        } else {
            0.0
        };
        thinned + (seen + self.seen) * grown
    }

    fn expected(&self) -> f64 {
        self.rate.seen / self.rate.due * self.due
    }
}

/// That too few go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm {
    /// When the loss most likely began, Unix milliseconds.
    pub since_ms: u64,
    /// Who should have gone on since.
    pub expected: f64,
    /// Who did.
    pub seen: f64,
    /// Hours one would wait for this on average if nothing was lost.
    pub evidence: f64,
}

/// How the expectation is made: the fault that a bench plants is to count every arrival at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expects {
    /// As arrivals grow old.
    ByAge,
    /// At once.
    AtOnce,
}

/// Watches one step of one campaign.
#[derive(Clone, Debug)]
pub struct Detector {
    tick: u64,
    expects: Expects,
    /// Arrivals by age in ticks, the newest first.
    arrived: [u32; AGES],
    /// Who went on in the begun tick.
    went_on: u32,
    /// Delays of those who went on, by age: the site's to begin with.
    delays: [f64; AGES],
    site: Rate,
    own: Rate,
    starts: Vec<Start>,
    silent_until: u64,
    last: (f64, f64),
}

impl Detector {
    /// Of a new campaign: `site` and `delays` (of any sum, one for each age) are what is known of
    /// the site's others.
    pub fn new(site: Rate, delays: &[f64; AGES], expects: Expects, now_ms: u64) -> Self {
        let all: f64 = delays.iter().sum();
        Self {
            tick: now_ms / TICK_MS,
            expects,
            arrived: [0; AGES],
            went_on: 0,
            delays: delays.map(|one| (one + 1e-3) / (all + 1e-3 * AGES as f64) * DELAYS_WEIGHT),
            site,
            own: Rate {
                seen: 0.0,
                due: 0.0,
            },
            starts: Vec::with_capacity(STARTS_MAX),
            silent_until: 0,
            last: (0.0, 0.0),
        }
    }

    /// Somebody arrived at the step, now.
    pub fn arrive(&mut self) {
        self.arrived[0] = self.arrived[0].saturating_add(1);
    }

    /// Arrivals that were due in the tick that ended last, and who went on in it.
    pub fn last(&self) -> (f64, f64) {
        self.last
    }

    /// How many are known to go on of how many that were due, by the campaign itself.
    pub fn own(&self) -> (f64, f64) {
        (self.own.seen, self.own.due)
    }

    /// Somebody went on, now, so long after they arrived. Who took longer than all ages is nobody.
    pub fn go_on(&mut self, after_ms: u64) {
        if let Some(delay) = self.delays.get_mut((after_ms / TICK_MS) as usize) {
            *delay += 1.0;
            self.went_on = self.went_on.saturating_add(1);
        }
    }

    /// Moments at which a loss may have begun that are kept, at most [`STARTS_MAX`].
    pub fn starts(&self) -> usize {
        self.starts.len()
    }

    /// Lets time pass. `enough` is the evidence, in hours, that is an alarm; after one all
    /// evidence is gathered anew, and for a day nothing is told.
    pub fn advance(&mut self, now_ms: u64, enough: f64) -> Option<Alarm> {
        let mut alarm = None;
        while self.tick < now_ms / TICK_MS {
            self.end_tick();
            alarm = alarm.or(self.judge(enough));
        }
        alarm
    }

    fn end_tick(&mut self) {
        let all: f64 = self.delays.iter().sum();
        let due: f64 = match self.expects {
            Expects::ByAge => self
                .arrived
                .iter()
                .zip(&self.delays)
                .map(|(arrived, delay)| f64::from(*arrived) * delay / all)
                .sum(),
            Expects::AtOnce => f64::from(self.arrived[0]),
        };
        let seen = f64::from(std::mem::take(&mut self.went_on));
        self.last = (due, seen);
        if self.tick.is_multiple_of(START_TICKS) {
            self.starts.push(Start {
                tick: self.tick,
                rate: self.rate(),
                due: 0.0,
                seen: 0.0,
            });
        }
        for start in &mut self.starts {
            start.due += due;
            start.seen += seen;
        }
        self.own.due += due;
        self.own.seen += seen;
        if self.tick.is_multiple_of(DAY_TICKS) {
            self.own.due *= DAY_REMAINS;
            self.own.seen *= DAY_REMAINS;
        }
        self.tick += 1;
        let tick = self.tick;
        self.starts.retain(|start| {
            let age = tick - start.tick;
            age <= FINE_TICKS
                || (age <= REMEMBERED_TICKS && start.tick.is_multiple_of(COARSE_TICKS))
        });
        self.arrived.rotate_right(1);
        self.arrived[0] = 0;
    }

    /// What is known of the rate now.
    pub fn rate(&self) -> Rate {
        let (seen, due) = (self.site.seen + self.own.seen, self.site.due + self.own.due);
        let scale = (CERTAINTY_MAX / seen).min(1.0);
        Rate {
            seen: seen * scale,
            due: due * scale,
        }
    }

    fn judge(&mut self, enough: f64) -> Option<Alarm> {
        if self.tick < self.silent_until {
            return None;
        }
        let mut evidence = 0.0;
        let mut best: Option<(f64, Start)> = None;
        for start in self
            .starts
            .iter()
            .filter(|start| start.expected() >= EXPECTED_MIN)
        {
            let ratios = REMAINS.map(|remains| start.log_ratio(remains).exp());
            let ratio = ratios.iter().sum::<f64>() / REMAINS.len() as f64;
            evidence += ratio;
            if best.is_none_or(|(known, _)| ratio > known) {
                best = Some((ratio, *start));
            }
        }
        let (_, start) = best.filter(|_| evidence >= enough)?;
        self.starts.clear();
        self.silent_until = self.tick + SILENT_TICKS;
        Some(Alarm {
            since_ms: start.tick * TICK_MS,
            expected: start.expected(),
            seen: start.seen,
            evidence,
        })
    }
}
