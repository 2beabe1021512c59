//! What is left out when the log fills up, because ClickHouse takes no rows: first what says least
//! of a visit and takes most room. Pure.
//!
//! Views, presses, conversions, the site's own events and everything that says what went wrong are
//! never left out: when there is no room for them either, the whole batch is refused, and its
//! sender keeps it.

use crate::row::Kind;
use upriver_wire::batch::{Body, Visibility};

/// How full the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// There is room.
    #[default]
    None,
    /// Past the soft quota: ways of pointers, attention, impressions and thrash are left out.
    Soft,
    /// Half way from the soft quota to the hard one: scrolls, swipes, pinches, long presses,
    /// hesitations and visibility too.
    Hard,
    /// Past the hard quota, or the disk is full: nothing is taken.
    Full,
}

/// Sizes of the log at which less is taken, bytes.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Past it low-value kinds are left out.
    pub soft: u64,
    /// Past it nothing is taken.
    pub hard: u64,
}

impl Quota {
    /// How full a log of so many bytes is.
    pub fn pressure(self, bytes: u64) -> Pressure {
        let half_way = self.soft + self.hard.saturating_sub(self.soft) / 2;
        match bytes {
            _ if bytes > self.hard => Pressure::Full,
            _ if bytes > half_way => Pressure::Hard,
            _ if bytes > self.soft => Pressure::Soft,
            _ => Pressure::None,
        }
    }
}

impl Pressure {
    /// From its number in [`Pressure::number`].
    pub(super) fn from_number(number: u8) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Soft,
            2 => Self::Hard,
            _ => Self::Full,
        }
    }

    /// 0 to 3, the fuller the higher.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Whether an event of this kind is left out.
    pub fn sheds(self, kind: Kind) -> bool {
        self >= least(kind)
    }
}

/// The pressure from which on a kind is left out.
fn least(kind: Kind) -> Pressure {
    match kind {
        Kind::Path | Kind::Attention | Kind::Impression | Kind::Thrash => Pressure::Soft,
        Kind::Scroll
        | Kind::Swipe
        | Kind::LongPress
        | Kind::Pinch
        | Kind::Hesitation
        | Kind::Visibility => Pressure::Hard,
        Kind::PageView
        | Kind::Press
        | Kind::Custom
        | Kind::Conversion
        | Kind::Exposure
        | Kind::Form
        | Kind::Rage
        | Kind::Dead
        | Kind::ErrorPress
        | Kind::Fault
        | Kind::Consent
        | Kind::Identify => Pressure::Full,
    }
}

/// What stands in the log in place of an event that was left out, so that those after it keep
/// their number and time. It is never counted.
pub(super) const PLACE: Body = Body::Visibility(Visibility {
    visible: false,
    after_ms: 0,
});

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: u64, expected: Pressure) {
        let quota = Quota {
            soft: 100,
            hard: 200,
        };
        assert_eq!(quota.pressure(bytes), expected, "{bytes}");
    }

    #[test]
    fn the_fuller_the_log_the_less_is_taken() {
        check(100, Pressure::None);
        check(101, Pressure::Soft);
        check(150, Pressure::Soft);
        check(151, Pressure::Hard);
        check(200, Pressure::Hard);
        check(201, Pressure::Full);
        for pair in [Pressure::None, Pressure::Soft, Pressure::Hard].windows(2) {
            let shed = |pressure: Pressure| {
                let kinds = Kind::ALL.iter().filter(move |kind| pressure.sheds(**kind));
                kinds.count()
            };
            assert!(shed(pair[0]) < shed(pair[1]));
        }
    }

    #[test]
    fn what_a_site_lives_from_is_never_left_out() {
        for kind in [Kind::Press, Kind::Conversion, Kind::Custom, Kind::PageView] {
            assert!(!Pressure::Hard.sheds(kind));
        }
    }
}
