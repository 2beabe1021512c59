//! Identities, each once, in the order in which they were first met.
//!
//! Owns the order and the bound. Refuses to know what they are identities of.

use crate::room::Room;
use upriver_wire::limits::ELEMENTS_MAX;

/// Identities.
#[derive(Debug)]
#[repr(C)]
pub struct List {
    pub(crate) count: usize,
    ids: Room<u64, ELEMENTS_MAX>,
}

impl List {
    pub(crate) const fn new() -> Self {
        Self {
            count: 0,
            ids: Room::new(0),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.ids.open(0);
        self.count = 0;
    }

    /// The identity at a place.
    pub(crate) fn at(&self, place: usize) -> u64 {
        self.ids.get(place).copied().unwrap_or(0)
    }

    /// The place of one, which is noted if there are fewer than `most`; `most` or beyond when it is not.
    #[inline(never)]
    pub(crate) fn place(&mut self, id: u64, most: usize) -> usize {
        let mut place = 0;
        while place < self.count && self.at(place) != id {
            place += 1;
        }
        if place == self.count
            && place < most
            && let Some(free) = self.ids.get_mut(place)
        {
            *free = id;
            self.count += 1;
        }
        place
    }

    /// Whether one is met for the first time, and among the first `most`.
    #[inline(never)]
    pub(crate) fn first(&mut self, id: u64, most: usize) -> bool {
        let count = self.count;
        self.place(id, most);
        self.count > count
    }
}
