//! By the minute: what happened on a site, and in which minutes each visitor did what.
//!
//! Two bytes a visitor and minute, so that any stretch of the live range can be asked for. Knows
//! nothing of what is asked.

use super::money::Sums;
use super::names::Names;
use super::range::{Hour, HourSet, Hourly};
use super::window::MINUTE_MS;
use crate::row::{EventRow, Kind};
use std::collections::BTreeMap;

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

/// Minutes of a visitor that lie with the visitor; who has more has them with the site.
const SHORT: usize = 3;
/// The length that says so. No list is so long.
const LONG: u16 = u16::MAX;

/// The minutes of one visitor, in any order, each once. Eight bytes, as most stay for minutes.
#[derive(Debug, Default)]
pub(crate) struct VisitorMinutes {
    len: u16,
    /// The minutes; or in the first two the number of a list of the site's.
    short: [u16; SHORT],
}

impl VisitorMinutes {
    /// The number of the site's list, of who has one.
    fn long(&self) -> Option<usize> {
        let [low, high, _] = self.short;
        (self.len == LONG).then_some(usize::from(low) | usize::from(high) << u16::BITS)
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
    /// The minutes of visitors who have many, and numbers of lists that nobody has now.
    long: Vec<Vec<u16>>,
    free: Vec<usize>,
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
            long: Vec::new(),
            free: Vec::new(),
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
        let bits = deed.map_or(0, Deed::bit);
        let own = (minute % MODULO) as u16;
        // Most events are of the minute that came last.
        let mut known = self.list_mut(visitor).iter_mut().rev();
        if let Some(known) = known.find(|known| **known >> DEEDS == own) {
            *known |= bits;
        } else if self.kept < self.max {
            self.push(visitor, own << DEEDS | bits);
        } else {
            *self.not_kept.at(hour) += 1;
            self.overflowed += 1;
        }
    }

    /// A visitor's minutes since 1970 and what was done in each. `first` is the first of the live
    /// range.
    pub(crate) fn of<'a>(
        &'a self,
        visitor: &'a VisitorMinutes,
        first: u64,
    ) -> impl Iterator<Item = (u64, Deeds)> + use<'a> {
        let deeds = (1 << DEEDS) - 1;
        let list = match visitor.long() {
            Some(long) => &self.long[long],
            None => &visitor.short[..usize::from(visitor.len)],
        };
        let list = list.iter();
        list.map(move |kept| (minute_of(*kept, first), Deeds(kept & deeds)))
    }

    fn list_mut<'a>(&'a mut self, visitor: &'a mut VisitorMinutes) -> &'a mut [u16] {
        match visitor.long() {
            Some(long) => &mut self.long[long],
            None => &mut visitor.short[..usize::from(visitor.len)],
        }
    }

    fn push(&mut self, visitor: &mut VisitorMinutes, kept: u16) {
        self.kept += 1;
        if let Some(long) = visitor.long() {
            self.long[long].push(kept);
        } else if let Some(place) = visitor.short.get_mut(usize::from(visitor.len)) {
            *place = kept;
            visitor.len += 1;
        } else {
            let mut list = visitor.short.to_vec();
            list.push(kept);
            let number = self.free.pop().unwrap_or(self.long.len());
            match self.long.get_mut(number) {
                Some(free) => *free = list,
                None => self.long.push(list),
            }
            // Fewer than 2^32: each has minutes of its own, of which fewer are kept.
            visitor.short = [number as u16, (number >> u16::BITS) as u16, 0];
            visitor.len = LONG;
        }
    }

    /// Forgets a visitor's minutes before a moment, Unix milliseconds. Call it before time moves on
    /// past what [`Minutes::of`] can tell apart; `first` is the first minute that was kept.
    pub(crate) fn forget_visitor(
        &mut self,
        visitor: &mut VisitorMinutes,
        first: u64,
        from_ms: u64,
    ) {
        let stays = |kept: &u16| minute_of(*kept, first) * MINUTE_MS >= from_ms;
        let gone = if let Some(long) = visitor.long() {
            let list = &mut self.long[long];
            let before = list.len();
            list.retain(stays);
            let gone = before - list.len();
            if list.is_empty() {
                *list = Vec::new();
                self.free.push(long);
                *visitor = VisitorMinutes::default();
            }
            gone
        } else {
            let before = std::mem::take(visitor);
            let list = &before.short[..usize::from(before.len)];
            for kept in list.iter().copied().filter(stays) {
                visitor.short[usize::from(visitor.len)] = kept;
                visitor.len += 1;
            }
            usize::from(before.len - visitor.len)
        };
        self.kept -= gone;
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

/// The minute since 1970 of what is kept of it; `first` is the first of the live range.
fn minute_of(kept: u16, first: u64) -> u64 {
    let ahead = (u64::from(kept >> DEEDS) + MODULO - first % MODULO) % MODULO;
    first + ahead
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
        let mut all: Vec<_> = minutes.of(&visitor, first).collect();
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
        assert!(
            minutes
                .of(&visitor, first)
                .all(|(minute, _)| minute >= first + 600)
        );
        minutes.forget_visitor(&mut visitor, first, (first + 1_500) * MINUTE_MS);
        assert_eq!((minutes.usage().0, minutes.free.len()), (0, 1));
        assert_eq!(minutes.of(&visitor, first).count(), 0);
    }
}
