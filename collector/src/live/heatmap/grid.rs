//! The cells of one key of a heat map: by minute while recent, by hour after that.
//!
//! Owns how they are kept: eight bytes a cell, sorted, so that the newest are at the end and a
//! count is a short search. Knows nothing of what is counted.

use crate::live::range::HOUR_MS;
use crate::live::window::MINUTE_MS;

/// Minutes of one hour.
const HOUR_MINUTES: u64 = HOUR_MS / MINUTE_MS;

/// What was counted in one cell in one hour or minute.
#[derive(Clone, Copy, Debug)]
struct Cell {
    /// Hours or minutes since 1970, the low 16 bits: both tiers are far shorter than that.
    stamp: u16,
    slot: u16,
    /// When it is full, another of the same stamp and slot follows before it.
    amount: u32,
}

/// The cells of one key.
#[derive(Debug, Default)]
pub(super) struct Grid {
    minutes: Vec<Cell>,
    hours: Vec<Cell>,
}

/// The first moment that counts, in whole units.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since {
    /// The first hour of the range that is kept: stamps are read from there on.
    pub(super) first_hour: u64,
    /// The first minute that is kept by minutes.
    pub(super) first_minute: u64,
    /// Counted from this time on, Unix milliseconds.
    pub(super) from_ms: u64,
}

impl Grid {
    /// Adds to a cell of a minute, kept by the minute when it is recent. Answers whether a cell was
    /// made. With `may_grow` false, none is made, and false is answered when one would have been.
    pub(super) fn add(
        &mut self,
        minute: u64,
        first_minute: u64,
        (slot, amount): (u16, u32),
        may_grow: bool,
    ) -> Added {
        if minute >= first_minute {
            add(&mut self.minutes, minute as u16, slot, amount, may_grow)
        } else {
            let hour = (minute / HOUR_MINUTES) as u16;
            add(&mut self.hours, hour, slot, amount, may_grow)
        }
    }

    /// Moves minutes before the first recent one into their hours. Answers how many cells fewer
    /// there are now; there are never more.
    pub(super) fn fold(&mut self, was_first: u64, first_minute: u64) -> usize {
        let before = self.cells();
        let mut minutes = std::mem::take(&mut self.minutes);
        minutes.retain(|cell| {
            let minute = unwrap(cell.stamp, was_first);
            let stays = minute >= first_minute;
            if !stays {
                let hour = (minute / HOUR_MINUTES) as u16;
                add(&mut self.hours, hour, cell.slot, cell.amount, true);
            }
            stays
        });
        if minutes.is_empty() {
            minutes = Vec::new();
        }
        self.minutes = minutes;
        before - self.cells()
    }

    /// Forgets hours before the first. Answers how many cells went.
    pub(super) fn forget(&mut self, was_first: u64, first_hour: u64) -> usize {
        let before = self.cells();
        self.hours
            .retain(|cell| unwrap(cell.stamp, was_first) >= first_hour);
        self.minutes.retain(|cell| {
            unwrap(cell.stamp, was_first * HOUR_MINUTES) / HOUR_MINUTES >= first_hour
        });
        before - self.cells()
    }

    /// Cell by cell what was counted since a time; a cell may come several times.
    pub(super) fn since(&self, since: Since) -> impl Iterator<Item = (u16, u64)> {
        let minutes = self.minutes.iter().filter(move |cell| {
            unwrap(cell.stamp, since.first_minute) * MINUTE_MS >= since.from_ms
        });
        let hours = self
            .hours
            .iter()
            .filter(move |cell| unwrap(cell.stamp, since.first_hour) * HOUR_MS >= since.from_ms);
        hours
            .chain(minutes)
            .map(|cell| (cell.slot, u64::from(cell.amount)))
    }

    pub(super) fn cells(&self) -> usize {
        self.minutes.len() + self.hours.len()
    }
}

/// What became of an addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// To a cell that was there.
    ToKnown,
    /// A cell was made for it.
    Made,
    /// Nowhere: a cell would have had to be made.
    Refused,
}

fn add(cells: &mut Vec<Cell>, stamp: u16, slot: u16, amount: u32, may_grow: bool) -> Added {
    let key = (stamp, slot);
    let of = |cell: &Cell| (cell.stamp, cell.slot);
    let place = match cells.last() {
        Some(last) if of(last) < key => cells.len(),
        _ => cells.partition_point(|cell| of(cell) < key),
    };
    if let Some(cell) = cells.get_mut(place)
        && of(cell) == key
        && let Some(sum) = cell.amount.checked_add(amount)
    {
        cell.amount = sum;
        return Added::ToKnown;
    }
    if !may_grow {
        return Added::Refused;
    }
    if cells.is_empty() {
        // Most keys hold one or two cells; room for four would be the greater part of memory.
        cells.reserve_exact(1);
    }
    let cell = Cell {
        stamp,
        slot,
        amount,
    };
    cells.insert(place, cell);
    Added::Made
}

/// The number of which a stamp is the low 16 bits, none before `first`.
fn unwrap(stamp: u16, first: u64) -> u64 {
    first + u64::from(stamp.wrapping_sub(first as u16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_cell_gets_a_neighbour_and_nothing_is_lost() {
        let mut grid = Grid::default();
        for _ in 0..3 {
            grid.add(100, 90, (7, u32::MAX), true);
        }
        grid.add(100, 90, (7, 5), true);
        let since = Since {
            first_hour: 1,
            first_minute: 90,
            from_ms: 0,
        };
        let sum: u64 = grid.since(since).map(|(_, amount)| amount).sum();
        assert_eq!(sum, 3 * u64::from(u32::MAX) + 5);
        assert_eq!(grid.add(100, 90, (8, 5), false), Added::Refused);
    }

    #[test]
    fn minutes_become_hours_and_hours_go() {
        let mut grid = Grid::default();
        // Around where the low 16 bits begin anew.
        let first = 65_536 * 3 - 5;
        for minute in first..first + 10 {
            grid.add(minute, first, (1, 1), true);
        }
        let count = |grid: &Grid, first_minute: u64, from_minute: u64| {
            let since = Since {
                first_hour: first / HOUR_MINUTES,
                first_minute,
                from_ms: from_minute * MINUTE_MS,
            };
            grid.since(since).map(|(_, amount)| amount).sum::<u64>()
        };
        assert_eq!(count(&grid, first, first + 7), 3);
        let fewer = grid.fold(first, first + 6);
        assert_eq!(fewer, 10 - grid.cells());
        assert_eq!(count(&grid, first + 6, first + 7), 3);
        assert_eq!(
            count(&grid, first + 6, first / HOUR_MINUTES * HOUR_MINUTES),
            10
        );
        let hour = first / HOUR_MINUTES;
        grid.forget(hour, hour + 1);
        assert_eq!(
            count(&grid, first + 6, first / HOUR_MINUTES * HOUR_MINUTES),
            10 - kept_before(first)
        );
    }

    /// Of the ten minutes from `first`, those in its hour.
    fn kept_before(first: u64) -> u64 {
        (first..first + 10)
            .filter(|minute| minute / HOUR_MINUTES == first / HOUR_MINUTES)
            .count() as u64
    }
}
