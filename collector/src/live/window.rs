//! Which stretch of time a number covers, and whether memory holds it.
//!
//! Owns the arithmetic: memory keeps whole hours of the live range and whole minutes of the last
//! half hour. What it does not hold is answered by the SQL beside the number. Knows no clock.

use super::range::{HOUR_MS, Range};
use super::sql;

/// One minute, milliseconds.
pub(crate) const MINUTE_MS: u64 = 60_000;
/// Whole minutes before the begun one that are told apart: the longest window by minutes.
pub const RECENT_MINUTES: u64 = 30;
/// One day, milliseconds.
const DAY_MS: u64 = 24 * HOUR_MS;

/// Which stretch of time a number covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Window {
    /// The live range: 23 whole hours and the begun one.
    #[default]
    Day,
    /// So many whole minutes and the begun one, at most [`RECENT_MINUTES`].
    Minutes(u64),
    /// Since midnight, UTC.
    Today,
    /// Since a time, Unix milliseconds.
    Since(u64),
    /// From a time to before another, Unix milliseconds.
    Between(u64, u64),
}

impl Window {
    /// Its first moment at a time, Unix milliseconds.
    pub(crate) fn start_ms(self, now_ms: u64) -> u64 {
        match self {
            Self::Day => Range::at(now_ms).start_ms(),
            Self::Minutes(minutes) => (now_ms / MINUTE_MS).saturating_sub(minutes) * MINUTE_MS,
            Self::Today => now_ms / DAY_MS * DAY_MS,
            Self::Since(from_ms) | Self::Between(from_ms, _) => from_ms,
        }
    }

    /// The moment it ends before; none when it has no end.
    pub(crate) fn to_ms(self) -> Option<u64> {
        match self {
            Self::Between(_, to_ms) => Some(to_ms),
            _ => None,
        }
    }

    /// Whether memory can answer for it by the hour.
    pub(crate) fn is_in_hours(self, now_ms: u64) -> bool {
        let from_ms = self.start_ms(now_ms);
        self.to_ms().is_none()
            && from_ms.is_multiple_of(HOUR_MS)
            && from_ms >= Range::at(now_ms).start_ms()
    }

    /// Whether memory can answer for it by the hour or the minute.
    pub(crate) fn is_in_minutes(self, now_ms: u64) -> bool {
        let from_ms = self.start_ms(now_ms);
        let recent =
            from_ms.is_multiple_of(MINUTE_MS) && from_ms / MINUTE_MS >= first_recent_minute(now_ms);
        self.is_in_hours(now_ms) || (self.to_ms().is_none() && recent)
    }

    /// As a condition on the column `hour` of a roll-up of a site; none when it begins or ends within an
    /// hour, or depends on the present.
    pub(crate) fn whole_hours(self, site: &str) -> Option<String> {
        let (from_ms, to_ms) = match self {
            Self::Since(from_ms) => (from_ms, None),
            Self::Between(from_ms, to_ms) => (from_ms, Some(to_ms)),
            Self::Day | Self::Minutes(_) | Self::Today => return None,
        };
        let whole = |ms: u64| ms.is_multiple_of(HOUR_MS);
        if !whole(from_ms) || !to_ms.is_none_or(whole) {
            return None;
        }
        let mut rows = format!(
            "site = {} AND hour >= {}",
            sql::literal(site),
            sql::hour(from_ms)
        );
        if let Some(to_ms) = to_ms {
            rows.push_str(&format!(" AND hour < {}", sql::hour(to_ms)));
        }
        Some(rows)
    }

    /// In words, as the end of a sentence.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Day => "in the last 23 whole hours and the begun one".into(),
            Self::Minutes(minutes) => {
                format!("in the last {minutes} whole minutes and the begun one")
            }
            Self::Today => "since midnight UTC".into(),
            Self::Since(from_ms) => format!("since {from_ms} (Unix milliseconds)"),
            Self::Between(from_ms, to_ms) => {
                format!("from {from_ms} to before {to_ms} (Unix milliseconds)")
            }
        }
    }

    /// As a condition on the rows of a site.
    pub(crate) fn sql(self, site: &str, now_ms: u64) -> String {
        let mut rows = sql::in_range(site, self.start_ms(now_ms));
        if let Some(to_ms) = self.to_ms() {
            rows.push_str(&format!(" AND time < {}", sql::moment(to_ms)));
        }
        rows
    }
}

/// The first minute that is told apart, since 1970.
pub(crate) fn first_recent_minute(now_ms: u64) -> u64 {
    (now_ms / MINUTE_MS).saturating_sub(RECENT_MINUTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_holds_hours_of_the_range_and_minutes_of_the_last_half_hour() {
        let now_ms = 100 * DAY_MS + 10 * HOUR_MS + 45 * MINUTE_MS + 7;
        let check = |window: Window, from_ms: u64, hours: bool, minutes: bool| {
            assert_eq!(window.start_ms(now_ms), from_ms, "{window:?}");
            assert_eq!(window.is_in_hours(now_ms), hours, "{window:?}");
            assert_eq!(window.is_in_minutes(now_ms), minutes, "{window:?}");
        };
        let day = 100 * DAY_MS;
        check(Window::Day, day - 13 * HOUR_MS, true, true);
        check(Window::Today, day, true, true);
        let at = day + 10 * HOUR_MS;
        check(Window::Minutes(5), at + 40 * MINUTE_MS, false, true);
        check(Window::Minutes(30), at + 15 * MINUTE_MS, false, true);
        let odd = at + 14 * MINUTE_MS;
        check(Window::Since(odd), odd, false, false);
        check(Window::Since(at), at, true, true);
        check(
            Window::Since(day - 14 * HOUR_MS),
            day - 14 * HOUR_MS,
            false,
            false,
        );
        check(Window::Between(at, at + 1), at, false, false);
    }

    #[test]
    fn today_is_always_within_the_live_range() {
        for hour in 0..48 {
            let now_ms = 100 * DAY_MS + hour * HOUR_MS + 1;
            assert!(Window::Today.is_in_hours(now_ms), "hour {hour}");
        }
    }
}
