//! The live range: which hours are counted, and small containers that forget an hour as a whole.
//!
//! Owns the arithmetic of hours. Knows no clock (time is an argument) and nothing of what is
//! counted.

/// One hour, milliseconds.
pub const HOUR_MS: u64 = 3_600_000;
/// Whole hours before the begun one that are counted: the live range is 23 to 24 hours long.
pub const WHOLE_HOURS: u64 = 23;
/// Hours after the begun one that are still counted. Ingest pulls times back to at most five
/// minutes ahead, so only the next hour is ever used; the rest is for collectors whose clocks differ.
const AHEAD_HOURS_MAX: u64 = 2;

// A set of hours is a word of 32 bits, one for each hour modulo 32, so the range must fit.
const _: () = assert!(WHOLE_HOURS + 1 + AHEAD_HOURS_MAX <= 32);

/// An hour within the live range: hours since 1970, modulo 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Hour(u8);

/// A set of hours within the live range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HourSet(u32);

impl HourSet {
    /// Adds an hour.
    pub(crate) fn insert(&mut self, hour: Hour) {
        self.0 |= 1 << hour.0;
    }

    /// Removes every hour that `gone` holds.
    pub(crate) fn remove(&mut self, gone: Self) {
        self.0 &= !gone.0;
    }

    /// Whether it holds an hour.
    pub(crate) fn contains(self, hour: Hour) -> bool {
        self.0 & (1 << hour.0) != 0
    }

    /// Whether both hold an hour.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether it holds none.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The hours counted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    first_hour: u64,
}

impl Range {
    /// The range at a time, Unix milliseconds.
    pub(crate) fn at(now_ms: u64) -> Self {
        Self {
            first_hour: (now_ms / HOUR_MS).saturating_sub(WHOLE_HOURS),
        }
    }

    /// Events from this time on are counted, Unix milliseconds.
    pub(crate) fn start_ms(self) -> u64 {
        self.first_hour * HOUR_MS
    }

    /// The hour of a time; none when it is not within the range.
    pub(crate) fn hour_of(self, time_ms: i64) -> Option<Hour> {
        let hour = u64::try_from(time_ms).ok()? / HOUR_MS;
        let within =
            hour >= self.first_hour && hour <= self.first_hour + WHOLE_HOURS + AHEAD_HOURS_MAX;
        within.then_some(Hour((hour % 32) as u8))
    }

    /// The hours of the range that begin at a time or later.
    pub(crate) fn since(self, from_ms: u64) -> HourSet {
        let mut hours = HourSet::default();
        let all = self.first_hour..=self.first_hour + WHOLE_HOURS + AHEAD_HOURS_MAX;
        for hour in all.filter(|hour| hour * HOUR_MS >= from_ms) {
            hours.insert(Hour((hour % 32) as u8));
        }
        hours
    }

    /// Moves to a later time. Answers the hours that are no longer counted; none when nothing
    /// changed. Never moves back: what was forgotten cannot be counted again.
    pub(crate) fn advance(&mut self, now_ms: u64) -> Option<HourSet> {
        let next = Self::at(now_ms);
        if next.first_hour <= self.first_hour {
            return None;
        }
        let span = WHOLE_HOURS + 1 + AHEAD_HOURS_MAX;
        let gone = self.first_hour..next.first_hour.min(self.first_hour + span);
        let mut hours = HourSet::default();
        gone.for_each(|hour| hours.insert(Hour((hour % 32) as u8)));
        *self = next;
        Some(hours)
    }
}

/// One value an hour. Few hours are in use at a time, so a sorted list beats a table of 26.
#[derive(Clone, Debug)]
pub(crate) struct Hourly<T>(Vec<(Hour, T)>);

impl<T> Default for Hourly<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> Hourly<T> {
    /// The value of an hour.
    pub(crate) fn at(&mut self, hour: Hour) -> &mut T {
        let place = match self.0.binary_search_by_key(&hour, |(hour, _)| *hour) {
            Ok(place) => place,
            Err(place) => {
                self.0.insert(place, (hour, T::default()));
                place
            }
        };
        &mut self.0[place].1
    }

    /// The values of all hours.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }

    /// Forgets hours, handing each value to `forgotten` first.
    pub(crate) fn forget(&mut self, gone: HourSet, mut forgotten: impl FnMut(&T)) {
        self.0.retain(|(hour, value)| {
            let stays = !gone.contains(*hour);
            if !stays {
                forgotten(value);
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_begins_at_a_whole_hour_and_holds_23_to_24_hours() {
        let mut range = Range::at(100 * HOUR_MS + 1);
        assert_eq!(range.start_ms(), 77 * HOUR_MS);
        assert!(range.hour_of(77 * HOUR_MS as i64).is_some());
        assert!(range.hour_of(77 * HOUR_MS as i64 - 1).is_none());
        assert!(range.hour_of(103 * HOUR_MS as i64 - 1).is_some());
        assert!(range.hour_of(103 * HOUR_MS as i64).is_none());
        assert!(range.hour_of(-1).is_none());
        assert!(range.advance(101 * HOUR_MS - 1).is_none(), "the same hour");
        assert!(range.advance(99 * HOUR_MS).is_none(), "never back");
        let gone = range.advance(101 * HOUR_MS).expect("an hour passed");
        assert!(gone.contains(Hour(77 % 32)) && !gone.contains(Hour(78 % 32)));
    }

    #[test]
    fn a_jump_of_any_length_forgets_exactly_the_hours_that_left() {
        for jump in 1..80 {
            let mut range = Range::at(1_000 * HOUR_MS);
            let before: Vec<u64> = (977..=1_002).collect();
            let mut seen = HourSet::default();
            for hour in &before {
                seen.insert(range.hour_of((hour * HOUR_MS) as i64).expect("within"));
            }
            let gone = range.advance((1_000 + jump) * HOUR_MS).expect("moved");
            seen.remove(gone);
            for hour in before {
                let kept = range.hour_of((hour * HOUR_MS) as i64);
                assert_eq!(
                    kept.is_some(),
                    hour >= 977 + jump,
                    "hour {hour} after {jump}"
                );
                assert!(kept.is_none_or(|hour| seen.contains(hour)));
            }
            assert_eq!(seen.is_empty(), jump > 25);
        }
    }
}
