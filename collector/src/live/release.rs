//! Releases: what visitors did before and after each version of the site went out, over windows of
//! equal length.
//!
//! Owns which releases there are and when each went out. What happened by the minute is `minute`'s.

mod sql;

pub(crate) use sql::{definition, of_rows, query};

use super::campaign::wilson;
use super::limits::RELEASE_ROWS_MAX;
use super::minute::{self, Deed, Deeds};
use super::site::SiteState;
use super::window::MINUTE_MS;
use crate::config::Release;
use crate::row::EventRow;
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::ops::Range;
use upriver_wire::live::{Difference, Money, ReleaseRow, ReleaseSide, Releases, Share};

/// The releases of one site.
#[derive(Debug)]
pub(crate) struct ReleaseMarks {
    /// Those that were defined.
    defined: Vec<Release>,
    /// The first event of each that pages told, Unix milliseconds.
    seen: HashMap<Box<str>, u64>,
    max: usize,
    overflowed: u64,
    /// The one of the last event: neighbours mostly share it.
    last: (Box<str>, u64),
}

/// A release and the windows of it.
#[derive(Debug)]
struct Mark<'a> {
    name: &'a str,
    /// Of its definition; empty when pages told it.
    id: &'a str,
    at_ms: u64,
    /// Minutes of each window.
    span: u64,
}

impl Mark<'_> {
    /// The minute it went out in, which counts for neither side.
    fn minute(&self) -> u64 {
        self.at_ms / MINUTE_MS
    }

    fn before(&self) -> Range<u64> {
        self.minute() - self.span..self.minute()
    }

    fn after(&self) -> Range<u64> {
        self.minute() + 1..self.minute() + 1 + self.span
    }

    /// What is told of it.
    fn row(&self, before: Numbers, after: Numbers) -> ReleaseRow {
        let before = before.side(self.before());
        let after = after.side(self.after());
        ReleaseRow {
            name: self.name.into(),
            id: self.id.into(),
            at_ms: self.at_ms,
            span_ms: self.span * MINUTE_MS,
            converted: difference(&before.converted, &after.converted),
            raged: difference(&before.raged, &after.raged),
            dead: difference(&before.dead, &after.dead),
            error_pressed: difference(&before.error_pressed, &after.error_pressed),
            faulted: difference(&before.faulted, &after.faulted),
            before,
            after,
        }
    }
}

impl ReleaseMarks {
    pub(crate) fn new(defined: &[Release], max: usize) -> Self {
        Self {
            defined: defined.to_vec(),
            seen: HashMap::new(),
            max,
            overflowed: 0,
            last: (Box::default(), 0),
        }
    }

    /// The same definitions, and nothing seen.
    pub(crate) fn emptied(&self) -> Self {
        Self::new(&self.defined, self.max)
    }

    /// Defines a release anew, or without one removes it.
    pub(crate) fn define(&mut self, id: &str, release: Option<Release>) {
        self.defined.retain(|known| known.id != id);
        self.defined.extend(release);
    }

    /// Takes the release that an event is of. True when one went out earlier than was known.
    pub(crate) fn see(&mut self, row: &EventRow) -> bool {
        let Ok(time_ms) = u64::try_from(row.time) else {
            return false;
        };
        if row.release.is_empty() || (*self.last.0 == *row.release && self.last.1 <= time_ms) {
            return false;
        }
        self.see_named(&row.release, time_ms)
    }

    /// Takes the first moment known of a release, Unix milliseconds.
    pub(crate) fn see_named(&mut self, name: &str, time_ms: u64) -> bool {
        if let Some(first_ms) = self.seen.get_mut(name) {
            let earlier = time_ms < *first_ms;
            *first_ms = time_ms.min(*first_ms);
            self.last = (name.into(), *first_ms);
            return earlier;
        }
        if self.seen.len() >= self.max {
            self.overflowed += 1;
            return false;
        }
        self.seen.insert(name.into(), time_ms);
        self.last = (name.into(), time_ms);
        true
    }

    /// Releases kept, and events of those that were not.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.seen.len() + self.defined.len(), self.overflowed)
    }

    /// Those that were defined.
    pub(crate) fn defined(&self) -> &[Release] {
        &self.defined
    }

    fn is_defined(&self, name: &str) -> bool {
        self.defined.iter().any(|release| release.name == name)
    }

    /// Those whose windows lie in the live range, the newest first, and how many are left out.
    fn shown(&self, asked: u64, start_ms: u64, now_ms: u64) -> (Vec<Mark<'_>>, u64) {
        let defined = self.defined.iter();
        let defined = defined.map(|known| (known.name.as_str(), known.id.as_str(), known.at_ms));
        let seen = self.seen.iter().map(|(name, ms)| (&**name, "", *ms));
        let seen = seen.filter(|(name, ..)| !self.is_defined(name));
        let marks = defined.chain(seen).filter(|(.., at_ms)| *at_ms <= now_ms);
        let marks = marks.map(|(name, id, at_ms)| {
            let passed = (now_ms / MINUTE_MS).saturating_sub(at_ms / MINUTE_MS + 1);
            let span = asked.min(passed);
            Mark {
                name,
                id,
                at_ms,
                span,
            }
        });
        let within = |mark: &Mark<'_>| mark.minute() >= start_ms / MINUTE_MS + mark.span;
        let mut marks: Vec<_> = marks.filter(within).collect();
        marks.sort_by_key(|mark| (Reverse(mark.at_ms), mark.name, mark.id));
        let left_out = marks.len().saturating_sub(RELEASE_ROWS_MAX);
        marks.truncate(RELEASE_ROWS_MAX);
        (marks, left_out as u64)
    }
}

/// Distinct visitors of one side.
#[derive(Clone, Copy, Debug, Default)]
struct Visitors {
    all: u64,
    /// By [`Deed`].
    did: [u64; Deed::ALL.len()],
}

impl Visitors {
    /// Counts a visitor who was there.
    fn add(&mut self, deeds: Option<Deeds>) {
        let Some(deeds) = deeds else { return };
        self.all += 1;
        for deed in Deed::ALL {
            self.did[deed as usize] += u64::from(deeds.holds(deed));
        }
    }

    fn share(&self, deed: Deed) -> Share {
        let visitors = self.did[deed as usize];
        let (rate, rate_low, rate_high) = wilson(visitors, self.all);
        Share {
            visitors,
            rate,
            rate_low,
            rate_high,
        }
    }
}

/// The numbers now, with windows of at most so many minutes. The second value counts sums too large
/// to tell.
pub(crate) fn data(site: &SiteState, asked: u16) -> (Releases, usize) {
    let start_ms = site.range.start_ms();
    let marks = site.releases.shown(u64::from(asked), start_ms, site.now_ms);
    let (marks, left_out) = marks;
    let mut sides = vec![[Visitors::default(); 2]; marks.len()];
    for visitor in site.visitors.iter() {
        for (mark, [before, after]) in marks.iter().zip(&mut sides) {
            let (mut was, mut is): (Option<Deeds>, Option<Deeds>) = (None, None);
            for (minute, deeds) in site.minutes.of(&visitor.minutes, start_ms / MINUTE_MS) {
                if mark.before().contains(&minute) {
                    was.get_or_insert_default().add(deeds);
                } else if mark.after().contains(&minute) {
                    is.get_or_insert_default().add(deeds);
                }
            }
            before.add(was);
            after.add(is);
        }
    }
    let mut too_large = 0;
    let rows = marks.iter().zip(&sides).map(|(mark, [before, after])| {
        let (before, not_told) = numbers(site, mark.before(), *before);
        too_large += not_told;
        let (after, not_told) = numbers(site, mark.after(), *after);
        too_large += not_told;
        mark.row(before, after)
    });
    let releases = Releases {
        basis: None,
        window_ms: u64::from(asked) * MINUTE_MS,
        rows: rows.collect(),
        left_out,
    };
    (releases, too_large)
}

/// What was counted of one side.
#[derive(Debug, Default)]
struct Numbers {
    visitors: Visitors,
    /// By [`Deed`].
    events: [u64; Deed::ALL.len()],
    value: Vec<Money>,
}

impl Numbers {
    /// What is told of these minutes.
    fn side(self, minutes: Range<u64>) -> ReleaseSide {
        let Self {
            visitors, events, ..
        } = self;
        let events = |deed: Deed| events[deed as usize];
        ReleaseSide {
            from_ms: minutes.start * MINUTE_MS,
            to_ms: minutes.end * MINUTE_MS,
            visitors: visitors.all,
            conversions: events(Deed::Converted),
            value: self.value,
            rages: events(Deed::Raged),
            dead_presses: events(Deed::Dead),
            error_presses: events(Deed::ErrorPressed),
            faults: events(Deed::Faulted),
            converted: visitors.share(Deed::Converted),
            raged: visitors.share(Deed::Raged),
            dead: visitors.share(Deed::Dead),
            error_pressed: visitors.share(Deed::ErrorPressed),
            faulted: visitors.share(Deed::Faulted),
        }
    }
}

/// The numbers of these minutes, whose visitors were counted. The second value counts sums too large
/// to tell.
fn numbers(site: &SiteState, minutes: Range<u64>, visitors: Visitors) -> (Numbers, usize) {
    let counts = site.minutes.range(minutes.clone());
    let (value, too_large) = minute::value(counts, &site.currencies);
    let mut events = [0; Deed::ALL.len()];
    for counts in site.minutes.range(minutes) {
        for (sum, of_minute) in events.iter_mut().zip(counts.events) {
            *sum += of_minute;
        }
    }
    let numbers = Numbers {
        visitors,
        events,
        value,
    };
    (numbers, too_large)
}

/// How much a share rose, with Newcombe's 95 % interval: the two Wilson intervals put together. Of
/// nobody on one side nothing is known.
fn difference(before: &Share, after: &Share) -> Option<Difference> {
    let nobody = |share: &Share| share.rate_high == 0.0;
    if nobody(before) || nobody(after) {
        return None;
    }
    let by = after.rate - before.rate;
    let down = (after.rate - after.rate_low).hypot(before.rate_high - before.rate);
    let up = (after.rate_high - after.rate).hypot(before.rate - before.rate_low);
    Some(Difference {
        by,
        low: by - down,
        high: by + up,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(visitors: u64, of: u64) -> Share {
        let (rate, rate_low, rate_high) = wilson(visitors, of);
        Share {
            visitors,
            rate,
            rate_low,
            rate_high,
        }
    }

    #[test]
    fn the_interval_of_a_difference_is_newcombes() {
        // Newcombe (1998), method 10: 56/70 − 48/80 lies in 0.0524 to 0.3339.
        let found = difference(&share(48, 80), &share(56, 70)).expect("there are visitors");
        assert!((found.by - 0.2).abs() < 1e-12);
        assert!(
            (found.low - 0.0524).abs() < 1e-4 && (found.high - 0.3339).abs() < 1e-4,
            "{found:?}"
        );
        assert_eq!(difference(&share(0, 0), &share(1, 2)), None);
    }

    #[test]
    fn a_release_goes_out_with_its_first_event_and_a_definition_goes_before() {
        let minute = MINUTE_MS;
        let mut marks = ReleaseMarks::new(&[], 2);
        let row = |release: &str, at_ms: u64| EventRow {
            release: release.into(),
            time: at_ms as i64,
            ..EventRow::default()
        };
        assert!(marks.see(&row("r2", 100 * minute)));
        assert!(!marks.see(&row("r2", 101 * minute)));
        assert!(marks.see(&row("r2", 99 * minute)), "late, and earlier");
        assert!(marks.see(&row("r1", minute)));
        assert!(!marks.see(&row("r3", 100 * minute)), "past the bound");
        assert_eq!(marks.usage(), (2, 1));
        let shown = |marks: &ReleaseMarks, now: u64| {
            let (shown, _) = marks.shown(60, 50 * minute, now * minute);
            let told = shown
                .iter()
                .map(|mark| (mark.name.to_owned(), mark.minute(), mark.span));
            told.collect::<Vec<_>>()
        };
        assert_eq!(shown(&marks, 99), [("r2".to_owned(), 99, 0)]);
        assert_eq!(shown(&marks, 140), [("r2".to_owned(), 99, 40)]);
        // Its window of an hour would begin before the range.
        assert_eq!(shown(&marks, 160), []);
        marks.define(
            "a",
            Some(Release {
                id: "a".into(),
                name: "r2".into(),
                at_ms: 130 * minute,
            }),
        );
        assert_eq!(shown(&marks, 140), [("r2".to_owned(), 130, 9)]);
        assert_eq!(shown(&marks, 129), []);
    }
}
