//! Visitors by the moment at which something may be over for them; the earliest comes first.
//!
//! Owns how a moment and a place share eight bytes, as there is an entry for most visitors. Knows
//! neither clock nor what is over.

use super::limits::VISITORS_MAX;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Low bits of an entry that are the visitor's place; the others are Unix milliseconds.
const PLACE_BITS: u32 = 20;
/// The last moment that an entry can name: in the year 2527. Later ones are taken for it.
const MS_MAX: u64 = (1 << (u64::BITS - PLACE_BITS)) - 1;

const _: () = assert!(VISITORS_MAX <= 1 << PLACE_BITS);

#[derive(Debug, Default)]
pub(crate) struct Due(BinaryHeap<Reverse<u64>>);

impl Due {
    /// Puts in a visitor's place, who may be in it more than once.
    pub(crate) fn push(&mut self, ms: u64, place: u32) {
        self.0
            .push(Reverse(ms.min(MS_MAX) << PLACE_BITS | u64::from(place)));
    }

    /// Takes out the first place whose moment is before another.
    pub(crate) fn before(&mut self, ms: u64) -> Option<u32> {
        let Reverse(first) = *self.0.peek()?;
        if first >> PLACE_BITS >= ms {
            return None;
        }
        self.0.pop();
        Some((first & ((1 << PLACE_BITS) - 1)) as u32)
    }

    /// Takes out all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_none_before_its_moment() {
        let mut due = Due::default();
        let last = VISITORS_MAX as u32 - 1;
        for (ms, place) in [(30, 1), (10, last), (20, 0), (10, 0), (u64::MAX, 7)] {
            due.push(ms, place);
        }
        assert_eq!(due.before(10), None);
        assert_eq!(due.before(11), Some(0));
        assert_eq!(due.before(11), Some(last));
        assert_eq!(due.before(20), None);
        assert_eq!(due.before(31), Some(0));
        assert_eq!(due.before(31), Some(1));
        assert_eq!(due.before(MS_MAX), None);
        assert_eq!(due.before(u64::MAX), Some(7));
        assert_eq!(due.before(u64::MAX), None);
    }
}
