//! By the minute: what happened on a site, and in which minutes each visitor did what.
//!
//! Two bytes a visitor and minute, so that any stretch of the live range can be asked for. Knows
//! nothing of what is asked.

use super::money::Sums;
use super::names::Names;
use super::range::{Hour, HourSet, Hourly};
use crate::row::{EventRow, Kind};
use std::collections::BTreeMap;

/// One minute, milliseconds.
pub(crate) const MINUTE_MS: u64 = 60_000;
/// A visitor's minute is kept modulo this, above the bits of what they did in it.
const MODULO: u64 = 1 << (u16::BITS - DEEDS);
/// Bits of what was done.
const DEEDS: u32 = 5;

// The live range, and the hours ahead of it, must fit.
const _: () = assert!((super::range::WHOLE_HOURS + 3) * 60 <= MODULO);

/// What a visitor may have done in a minute, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Deed {
    Converted,
    Raged,
    Dead,
    ErrorPressed,
    Faulted,
}

impl Deed {
    /// Every one, in the order of their bits.
    pub(crate) const ALL: [Self; DEEDS as usize] = [
        Self::Converted,
        Self::Raged,
        Self::Dead,
        Self::ErrorPressed,
        Self::Faulted,
    ];

    fn of(kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::Conversion => Self::Converted,
            Kind::Rage => Self::Raged,
            Kind::Dead => Self::Dead,
            Kind::ErrorPress => Self::ErrorPressed,
            Kind::Fault => Self::Faulted,
            _ => return None,
        })
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Deeds, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deeds(u16);

impl Deeds {
    pub(crate) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(crate) fn holds(self, deed: Deed) -> bool {
        self.0 & deed.bit() != 0
    }
}

/// The minutes of one visitor, in any order, each once.
#[derive(Debug, Default)]
pub(crate) struct VisitorMinutes(Vec<u16>);

impl VisitorMinutes {
    /// Marks a minute. Answers whether it is a new one; none, and nothing is kept, where there is no
    /// room for a new one.
    fn mark(&mut self, minute: u64, deed: Option<Deed>, room: bool) -> Option<bool> {
        let bits = deed.map_or(0, Deed::bit);
        let own = (minute % MODULO) as u16;
        // Most events are of the minute that came last.
        let known = self
            .0
            .iter_mut()
            .rev()
            .find(|known| **known >> DEEDS == own);
        if let Some(known) = known {
            *known |= bits;
            return Some(false);
        }
        if !room {
            return None;
        }
        self.0.push(own << DEEDS | bits);
        Some(true)
    }

    /// The minutes since 1970 and what was done in each. `first` is the first of the live range.
    pub(crate) fn iter(&self, first: u64) -> impl Iterator<Item = (u64, Deeds)> {
        let deeds = (1 << DEEDS) - 1;
        self.0.iter().map(move |kept| {
            let ahead = (u64::from(kept >> DEEDS) + MODULO - first % MODULO) % MODULO;
            (first + ahead, Deeds(kept & deeds))
        })
    }
}

/// What happened in one minute.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Events by [`Deed`].
    pub(crate) events: [u64; DEEDS as usize],
    pub(crate) value: Sums,
}

/// The minutes of one site.
#[derive(Debug)]
pub(crate) struct Minutes {
    counts: BTreeMap<u64, Counts>,
    /// Minutes of visitors that are kept.
    kept: usize,
    max: usize,
    not_kept: Hourly<u64>,
    overflowed: u64,
}

impl Minutes {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            counts: BTreeMap::new(),
            kept: 0,
            max,
            not_kept: Hourly::default(),
            overflowed: 0,
        }
    }

    /// Counts an event, and marks its minute with its visitor. `currency` is the number of the
    /// value's currency, of a conversion with a value.
    pub(crate) fn count(
        &mut self,
        row: &EventRow,
        hour: Hour,
        visitor: Option<&mut VisitorMinutes>,
        currency: Option<u32>,
    ) {
        let minute = row.time as u64 / MINUTE_MS;
        let deed = Deed::of(row.kind);
        if let Some(deed) = deed {
            let counts = self.counts.entry(minute).or_default();
            counts.events[deed as usize] += 1;
            if let Some(currency) = currency {
                counts.value.add(currency, row.value);
            }
        }
        let Some(visitor) = visitor else { return };
        match visitor.mark(minute, deed, self.kept < self.max) {
            Some(new) => self.kept += usize::from(new),
            None => {
                *self.not_kept.at(hour) += 1;
                self.overflowed += 1;
            }
        }
    }

    /// Forgets a visitor's minutes before a moment, Unix milliseconds. Call it before time moves on
    /// past what [`VisitorMinutes::iter`] can tell apart; `first` is the first minute that was kept.
    pub(crate) fn forget_visitor(
        &mut self,
        visitor: &mut VisitorMinutes,
        first: u64,
        from_ms: u64,
    ) {
        let before = visitor.0.len();
        let stays: Vec<bool> = visitor
            .iter(first)
            .map(|(minute, _)| minute * MINUTE_MS >= from_ms)
            .collect();
        let mut stays = stays.into_iter();
        visitor.0.retain(|_| stays.next().unwrap_or(false));
        self.kept -= before - visitor.0.len();
    }

    /// Forgets what was before a moment, Unix milliseconds, and the hours that are gone. Currencies
    /// are given back by who counts the same values by the hour.
    pub(crate) fn forget(&mut self, gone: HourSet, from_ms: u64) {
        self.counts = self.counts.split_off(&from_ms.div_ceil(MINUTE_MS));
        self.not_kept.forget(gone, |_| ());
    }

    /// The counts of minutes.
    pub(crate) fn range(&self, minutes: std::ops::Range<u64>) -> impl Iterator<Item = &Counts> {
        self.counts.range(minutes).map(|(_, counts)| counts)
    }

    /// Whether every minute of the range is kept.
    pub(crate) fn every_one_kept(&self) -> bool {
        self.not_kept.values().next().is_none()
    }

    /// Minutes of visitors kept, and events of those that were not.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.kept, self.overflowed)
    }
}

/// The sum of values in some minutes, by currency, and how many sums are too large to tell.
pub(crate) fn value<'a>(
    counts: impl Iterator<Item = &'a Counts>,
    currencies: &Names<Box<str>>,
) -> (Vec<upriver_wire::live::Money>, usize) {
    super::money::total(counts.map(|counts| &counts.value), currencies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::range::{HOUR_MS, Range};

    fn row(minute: u64, kind: Kind) -> EventRow {
        EventRow {
            time: (minute * MINUTE_MS) as i64 + 7,
            kind,
            ..EventRow::default()
        }
    }

    #[test]
    fn minutes_are_told_apart_over_the_whole_range_and_the_bound_holds() {
        let range = Range::at(1_000 * HOUR_MS);
        let first = range.start_ms() / MINUTE_MS;
        let (mut minutes, mut visitor) = (Minutes::new(1_500), VisitorMinutes::default());
        for minute in (first..first + 1_500).rev() {
            let kind = if minute % 2 == 0 {
                Kind::Rage
            } else {
                Kind::Press
            };
            let row = row(minute, kind);
            let hour = range.hour_of(row.time).expect("within");
            minutes.count(&row, hour, Some(&mut visitor), None);
            minutes.count(&row, hour, Some(&mut visitor), None);
        }
        assert_eq!(minutes.usage(), (1_500, 0));
        let mut all: Vec<_> = visitor.iter(first).collect();
        all.sort_by_key(|(minute, _)| *minute);
        for (at, (minute, deeds)) in (0..).zip(&all) {
            assert_eq!(*minute, first + at);
            assert_eq!(deeds.holds(Deed::Raged), minute % 2 == 0);
            assert!(!deeds.holds(Deed::Converted));
        }
        let late = row(first + 1_501, Kind::Press);
        let hour = range.hour_of(late.time).expect("within");
        minutes.count(&late, hour, Some(&mut visitor), None);
        assert_eq!(
            (minutes.usage(), minutes.every_one_kept()),
            ((1_500, 1), false)
        );
        minutes.forget_visitor(&mut visitor, first, (first + 600) * MINUTE_MS);
        assert_eq!(minutes.usage().0, 900);
        assert!(visitor.iter(first).all(|(minute, _)| minute >= first + 600));
    }
}
