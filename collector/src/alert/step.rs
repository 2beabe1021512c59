//! One step of a funnel, watched for all visitors and for each campaign. Pure; ticks go in, in order.
//!
//! A detector begins when it is known what to expect: of all visitors, when a day has passed and some
//! have gone on; of a campaign, by what other campaigns of the step did. While something is open
//! nothing more is told of it; it is over when about as many go on again.

use super::detector::{AGES, Alarm, Detector, Expects, Rate, TICK_MS};
use std::collections::{BTreeMap, VecDeque};

/// A campaign that nobody came from for so many ticks, a fortnight, is forgotten.
const IDLE_TICKS: u64 = 2_016;
/// Who must have gone on, and ticks that must have passed, before anything is expected.
const KNOWN_SEEN: f64 = 20.0;
const KNOWN_TICKS: u64 = AGES as u64;
/// Campaigns that must be known, each with so many arrivals, to tell how campaigns differ.
const SIBLINGS_MIN: usize = 3;
const SIBLING_ARRIVED: f64 = 20.0;
/// How certain the rate of all visitors is, as a number of those who went on…
const ALL_CERTAINTY: f64 = 20.0;
/// …and how certain it is for a campaign when campaigns cannot be compared yet.
const CAMPAIGN_CERTAINTY: f64 = 2.0;
/// Who must have been expected before it is asked whether it is over.
const OVER_EXPECTED: f64 = 20.0;

/// What came in one tick, of one campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// So many arrived at the step.
    Arrived(u64),
    /// So many went on, who had arrived so many ticks before.
    WentOn(u64, u64),
}

/// That too few go on, from its beginning to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lost {
    /// When it most likely began, ticks since 1970.
    pub(super) since: u64,
    /// The tick at whose end it was told.
    pub(super) opened: u64,
    /// The tick at whose end it was over.
    pub(super) closed: Option<u64>,
    /// Who arrived since, should have gone on, and did.
    pub(super) arrived: u64,
    /// See `arrived`.
    pub(super) expected: f64,
    /// See `arrived`.
    pub(super) seen: u64,
    /// Hours one would wait for this on average.
    pub(super) evidence: f64,
}

/// Visitors of one kind at the step.
#[derive(Debug)]
struct Group {
    first: u64,
    newest: u64,
    arrived: f64,
    seen: f64,
    delays: [f64; AGES],
    /// Arrivals by tick, as far back as a loss may have begun.
    recent: VecDeque<(u64, u64)>,
    detector: Option<Detector>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    lost: Lost,
    rate: Rate,
    /// Share of the expected that went on when it was told.
    left: f64,
    /// Expected and seen since the last look at whether it is over.
    check: (f64, f64),
}

/// Watches one step.
#[derive(Debug)]
pub(super) struct Step {
    /// Campaigns watched; others count among all visitors only.
    campaigns_max: usize,
    all: Option<Group>,
    campaigns: BTreeMap<String, Group>,
}

impl Step {
    /// One that watches so many campaigns.
    pub(super) fn new(campaigns_max: usize) -> Self {
        Self {
            campaigns_max,
            all: None,
            campaigns: BTreeMap::new(),
        }
    }

    /// A tick ended in which these came, each with its campaign. `enough` is the evidence, in
    /// hours, that is an alarm. Returns what began, went on or ended, by campaign; none: of all.
    pub(super) fn end_tick(
        &mut self,
        tick: u64,
        came: &[(String, Came)],
        enough: f64,
    ) -> Vec<(Option<String>, Lost)> {
        for (campaign, came) in came {
            self.all
                .get_or_insert_with(|| Group::new(tick))
                .take(tick, came);
            let room = self.campaigns.len() < self.campaigns_max;
            let known = !campaign.is_empty() && (room || self.campaigns.contains_key(campaign));
            if known {
                let group = self.campaigns.entry(campaign.clone());
                group.or_insert_with(|| Group::new(tick)).take(tick, came);
            }
        }
        let Some(all) = &mut self.all else {
            return Vec::new();
        };
        let mut told = Vec::new();
        told.extend(all.end_tick(tick, enough).map(|lost| (None, lost)));
        let broken = all.open.is_some();
        let known = all.seen >= KNOWN_SEEN && tick - all.first >= KNOWN_TICKS;
        if known && all.detector.is_none() {
            let rate = Rate {
                seen: ALL_CERTAINTY,
                due: ALL_CERTAINTY * all.arrived / all.seen,
            };
            all.begin(rate, &all.delays.clone(), tick);
        }
        for (name, group) in &mut self.campaigns {
            let lost = group.end_tick(tick, enough);
            // What is broken for everybody is told once, not for each campaign.
            match lost {
                Some(lost) if broken && lost.opened == tick => group.open = None,
                Some(lost) => told.push((Some(name.clone()), lost)),
                None => {}
            }
        }
        if known {
            self.begin_campaigns(tick);
        }
        self.campaigns
            .retain(|_, group| tick - group.newest <= IDLE_TICKS || group.open.is_some());
        told
    }

    /// Groups of which enough is known to expect something.
    pub(super) fn watched(&self) -> usize {
        let groups = self.all.iter().chain(self.campaigns.values());
        groups.filter(|group| group.detector.is_some()).count()
    }

    fn begin_campaigns(&mut self, tick: u64) {
        let Some(all) = &self.all else { return };
        if self
            .campaigns
            .values()
            .all(|group| group.detector.is_some())
        {
            return;
        }
        let siblings: Vec<_> = self
            .campaigns
            .values()
            .filter(|group| group.arrived >= SIBLING_ARRIVED)
            .map(|group| (group.seen, group.arrived))
            .collect();
        let of_site = Some(siblings).filter(|siblings| siblings.len() >= SIBLINGS_MIN);
        let rate = of_site.and_then(|siblings| Rate::of_site(&siblings));
        let rate = rate.unwrap_or(Rate {
            seen: CAMPAIGN_CERTAINTY,
            due: CAMPAIGN_CERTAINTY * all.arrived / all.seen,
        });
        for group in self.campaigns.values_mut() {
            if group.detector.is_none() {
                group.begin(rate, &all.delays, tick);
            }
        }
    }
}

impl Group {
    fn new(tick: u64) -> Self {
        Self {
            first: tick,
            newest: tick,
            arrived: 0.0,
            seen: 0.0,
            delays: [0.0; AGES],
            recent: VecDeque::new(),
            detector: None,
            open: None,
        }
    }

    fn begin(&mut self, rate: Rate, delays: &[f64; AGES], tick: u64) {
        let now_ms = (tick + 1) * TICK_MS;
        self.detector = Some(Detector::new(rate, delays, Expects::ByAge, now_ms));
    }

    fn take(&mut self, tick: u64, came: &Came) {
        match came {
            Came::Arrived(count) => {
                self.newest = tick;
                self.arrived += *count as f64;
                match self.recent.back_mut() {
                    Some((last, arrived)) if *last == tick => *arrived += count,
                    _ => self.recent.push_back((tick, *count)),
                }
                for _ in 0..*count {
                    self.detector.iter_mut().for_each(Detector::arrive);
                }
            }
            Came::WentOn(after, count) => {
                self.seen += *count as f64;
                if let Some(delay) = self.delays.get_mut(*after as usize) {
                    *delay += *count as f64;
                }
                for _ in 0..*count {
                    let detector = self.detector.iter_mut();
                    detector.for_each(|detector| detector.go_on(after * TICK_MS));
                }
            }
        }
    }

    fn end_tick(&mut self, tick: u64, enough: f64) -> Option<Lost> {
        while self
            .recent
            .front()
            .is_some_and(|(at, _)| tick - at > IDLE_TICKS)
        {
            self.recent.pop_front();
        }
        let detector = self.detector.as_mut()?;
        let rate = detector.rate();
        let alarm = detector.advance((tick + 1) * TICK_MS, enough);
        let (due, seen) = detector.last();
        if self.open.is_some() {
            return self.go_on(tick, due, seen);
        }
        let lost = self.lost(tick, &alarm?);
        self.open = Some(Open {
            lost,
            rate,
            left: lost.seen as f64 / lost.expected,
            check: (0.0, 0.0),
        });
        Some(lost)
    }

    fn lost(&self, tick: u64, alarm: &Alarm) -> Lost {
        let since = alarm.since_ms / TICK_MS;
        let arrived = self.recent.iter().filter(|(at, _)| *at >= since);
        Lost {
            since,
            opened: tick,
            closed: None,
            arrived: arrived.map(|(_, count)| count).sum(),
            expected: alarm.expected,
            seen: alarm.seen as u64,
            evidence: alarm.evidence,
        }
    }

    /// Another tick of a loss that was told.
    fn go_on(&mut self, tick: u64, due: f64, seen: f64) -> Option<Lost> {
        let open = self.open.as_mut()?;
        let expected = due * open.rate.seen / open.rate.due;
        open.lost.expected += expected;
        open.lost.seen += seen as u64;
        let newest = self.recent.back().filter(|(at, _)| *at == tick);
        open.lost.arrived += newest.map_or(0, |(_, count)| *count);
        open.check = (open.check.0 + expected, open.check.1 + seen);
        let (due, seen) = open.check;
        let mut over = false;
        if due >= OVER_EXPECTED {
            // Half way back from what was left to what should be.
            over = seen >= due * f64::midpoint(1.0, open.left);
            open.check = (0.0, 0.0);
        }
        let is_normal = tick - open.lost.opened >= IDLE_TICKS;
        let (mut lost, rate) = (open.lost, open.rate);
        if over || is_normal {
            lost.closed = Some(tick);
            self.open = None;
            if !is_normal {
                // What was seen while it was broken is not what is expected from now on.
                let scale = (ALL_CERTAINTY / rate.seen).min(1.0);
                let rate = Rate {
                    seen: rate.seen * scale,
                    due: rate.due * scale,
                };
                let delays = self.delays;
                self.begin(rate, &delays, tick);
            }
        }
        Some(lost)
    }
}

#[cfg(test)]
mod tests;
