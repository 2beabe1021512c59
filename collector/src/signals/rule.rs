//! One rule over the events of one visitor: which of them matter to it, and when it would fire.
//!
//! Pure, and a function of the set of events: in whatever order they came, the moments are the same.
//! Knows neither how often a visitor may be told nor what a firing does.

use crate::config::{self, STEPS_MAX};
use crate::live::{CompiledStep, glob_matches};
use crate::row::EventRow;
use std::sync::Arc;

/// Marks an event that must not happen. The bits below are steps.
const UNLESS: u16 = 1 << STEPS_MAX;

/// A rule, ready to be tested.
#[derive(Debug)]
pub struct CompiledRule {
    /// What the site said.
    pub said: config::Rule,
    /// The experiment that its firings are exposures of.
    pub experiment: Arc<str>,
    /// Every step as often as it must happen.
    steps: Vec<CompiledStep>,
    unless: Vec<CompiledStep>,
    window_ms: u64,
    pub(super) after_ms: u64,
    pub(super) every_ms: u64,
    since_ms: u64,
}

/// An event that matters to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub(super) ord: u64,
    /// Tells events of the same order apart.
    pub(super) seq: u64,
    /// Which steps it is, and whether it must not happen.
    bits: u16,
}

impl Seen {
    pub(super) fn time_ms(self) -> u64 {
        self.ord >> 20
    }
}

/// A moment at which a rule would fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// Order of the event that was the last step.
    pub(super) ord: u64,
    /// When it fires, Unix milliseconds.
    pub(super) due_ms: u64,
}

impl CompiledRule {
    /// From what was checked. What happened before `since_ms`, Unix milliseconds, does not matter to it.
    pub fn new(rule: &config::Rule, since_ms: u64) -> Self {
        let ms = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let repeat = |step: &config::Step| std::iter::repeat_n(CompiledStep::new(step), step.times);
        Self {
            said: rule.clone(),
            experiment: rule.experiment().into(),
            steps: rule.steps.iter().flat_map(repeat).collect(),
            unless: rule.unless.iter().map(CompiledStep::new).collect(),
            window_ms: ms(rule.window),
            after_ms: ms(rule.after),
            every_ms: ms(rule.every),
            since_ms,
        }
    }

    /// An event as far as it matters to this rule; none when it does not.
    pub(super) fn seen(&self, row: &EventRow) -> Option<Seen> {
        if row.ord >> 20 < self.since_ms {
            return None;
        }
        let campaign = self.said.campaign.as_ref();
        let counts = campaign.is_none_or(|wanted| glob_matches(wanted, &row.utm_campaign));
        let mut bits = 0;
        if counts {
            for (at, step) in self.steps.iter().enumerate() {
                bits |= u16::from(step.matches(row)) << at;
            }
        }
        if self.unless.iter().any(|step| step.matches(row)) {
            bits |= UNLESS;
        }
        let (ord, seq) = (row.ord, row.seq);
        (bits != 0).then_some(Seen { ord, seq, bits })
    }

    /// How long an event matters, milliseconds.
    pub(super) fn span_ms(&self) -> u64 {
        self.window_ms + self.after_ms
    }

    /// Every moment at which it would fire, given all events that matter, in order.
    pub(super) fn matches(&self, seen: &[Seen]) -> Vec<Match> {
        // Of each step the latest first event of a chain that ends there: the latest one is as good
        // as any other for all that follows.
        let mut starts: [Option<u64>; STEPS_MAX] = [None; STEPS_MAX];
        let mut found = Vec::new();
        for (at, event) in seen.iter().enumerate() {
            let time_ms = event.time_ms();
            if event.bits & UNLESS != 0 {
                starts = [None; STEPS_MAX];
            }
            let mut complete = false;
            // The last step first, so that an event is no two steps of a chain.
            for step in (0..self.steps.len()).rev() {
                if event.bits & 1 << step == 0 {
                    continue;
                }
                let start = match step.checked_sub(1) {
                    None => Some(time_ms),
                    Some(before) => {
                        starts[before].filter(|start| time_ms - start <= self.window_ms)
                    }
                };
                complete |= step + 1 == self.steps.len() && start.is_some();
                starts[step] = starts[step].max(start);
            }
            let due_ms = time_ms + self.after_ms;
            let mut later = seen[at + 1..].iter();
            let mut later = later.by_ref().take_while(|later| later.time_ms() <= due_ms);
            let cancelled = self.after_ms > 0 && later.any(|later| later.bits & UNLESS != 0);
            if complete && !cancelled {
                let ord = event.ord;
                found.push(Match { ord, due_ms });
            }
        }
        found
    }
}
