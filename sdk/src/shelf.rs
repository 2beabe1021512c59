//! Records in order, each with some bytes, in a room of fixed size.
//!
//! Owns the room and the order. Refuses to know what a record means: the queue keeps its events, its
//! batches under way and its words here. One type for all three, and nothing that grows, because
//! each further kind of list costs a page that loads it half a kilobyte.

use crate::room::Room;

/// Records of one shelf.
pub const RECORDS_MAX: usize = 4_096;
/// Bytes of all records of one shelf.
pub const BYTES_MAX: usize = 512 * 1024;
/// The kind of a record that the next [`Shelf::sweep`] takes away.
pub const GONE: u8 = 255;

/// What is known of some bytes. What each field is for is said by whoever keeps the record.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Record {
    /// What it is.
    pub kind: u8,
    pub(crate) page: u32,
    pub(crate) visit: u32,
    pub(crate) start: usize,
    pub(crate) len: usize,
    /// A time, ms.
    pub ms: i64,
    /// What it is called.
    pub number: u64,
    /// What it is about; 0: nothing.
    pub element: u64,
    /// And what besides.
    pub field: u64,
    pub(crate) at: i64,
    pub(crate) by: i64,
}

impl Record {
    /// One of nothing.
    pub const NONE: Self = Self {
        kind: 0,
        page: 0,
        visit: 0,
        start: 0,
        len: 0,
        ms: 0,
        number: 0,
        element: 0,
        field: 0,
        at: 0,
        by: 0,
    };
}

/// A list of records with bytes.
#[derive(Debug)]
#[repr(C)]
pub struct Shelf {
    /// How many records there are.
    pub(crate) count: usize,
    used: usize,
    records: Room<Record, RECORDS_MAX>,
    bytes: Room<u8, BYTES_MAX>,
}

impl Shelf {
    pub(crate) const fn new() -> Self {
        Self {
            count: 0,
            used: 0,
            records: Room::new(Record::NONE),
            bytes: Room::new(0),
        }
    }

    /// The record at a place.
    pub fn at(&self, place: usize) -> Option<&Record> {
        self.records.get(place).filter(|_| place < self.count)
    }

    /// The same, to be changed.
    #[inline(never)]
    pub fn at_mut(&mut self, place: usize) -> Option<&mut Record> {
        self.records.get_mut(place).filter(|_| place < self.count)
    }

    /// The place of the first record of this kind; past the last if there is none.
    #[inline(never)]
    pub fn find(&self, kind: u8) -> usize {
        let mut place = 0;
        while self.at(place).is_some_and(|record| record.kind != kind) {
            place += 1;
        }
        place
    }

    /// The place of the first record of this name; past the last if there is none.
    #[inline(never)]
    pub fn called(&self, number: u64) -> usize {
        let mut place = 0;
        while self.at(place).is_some_and(|record| record.number != number) {
            place += 1;
        }
        place
    }

    /// The bytes of the record at a place.
    #[inline(never)]
    pub fn bytes(&self, place: usize) -> &[u8] {
        match self.at(place) {
            Some(it) => {
                let end = it.start + it.len;
                self.bytes.get(it.start..end).unwrap_or_default()
            }
            None => &[],
        }
    }

    /// Puts a number in so many bytes of a record, the lowest first, from the second on.
    pub(crate) fn set(&mut self, place: usize, mut value: u64, bytes: usize) {
        if let Some(it) = self.at(place) {
            let start = it.start + 1;
            for byte in start..start + bytes {
                if let Some(byte) = self.bytes.get_mut(byte) {
                    *byte = value as u8;
                }
                value >>= 8;
            }
        }
    }

    /// Whether there is room for a record of so many bytes.
    pub fn has_room(&self, len: usize) -> bool {
        self.count < RECORDS_MAX && self.used + len <= BYTES_MAX
    }

    /// Puts a record at a place, or last; `false` when there is no room.
    #[inline(never)]
    pub fn insert(&mut self, place: usize, record: &Record, bytes: &[u8]) -> bool {
        let len = bytes.len();
        if !self.has_room(len) {
            return false;
        }
        let mut at = self.count;
        let mut start = self.used;
        self.count += 1;
        while at > place
            && let Some(&before) = self.at(at - 1)
        {
            start = before.start;
            if let Some(slot) = self.at_mut(at) {
                *slot = before;
                slot.start += len;
            }
            at -= 1;
        }
        for from in (start..self.used).rev() {
            self.carry(from, from + len);
        }
        self.used += len;
        if let Some(slot) = self.at_mut(at) {
            *slot = *record;
            slot.start = start;
            slot.len = len;
        }
        for (at, byte) in (start..).zip(bytes) {
            if let Some(to) = self.bytes.get_mut(at) {
                *to = *byte;
            }
        }
        true
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.records.open(Record::NONE);
        self.bytes.open(0);
        self.count = 0;
        self.used = 0;
    }

    /// Takes away the records that are [`GONE`].
    #[inline(never)]
    pub fn sweep(&mut self) {
        let (mut count, mut used) = (0, 0);
        let mut place = 0;
        while let Some(&record) = self.at(place) {
            place += 1;
            if record.kind == GONE {
                continue;
            }
            if let Some(slot) = self.at_mut(count) {
                *slot = record;
                slot.start = used;
            }
            if record.start > used {
                for step in 0..record.len {
                    self.carry(record.start + step, used + step);
                }
            }
            used += record.len;
            count += 1;
        }
        self.count = count;
        self.used = used;
    }

    /// Copies a byte. A slice's own ways of copying have words for when they go wrong, which weigh more
    /// than all of this.
    #[inline(never)]
    fn carry(&mut self, from: usize, to: usize) {
        if let Some(&byte) = self.bytes.get(from)
            && let Some(place) = self.bytes.get_mut(to)
        {
            *place = byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Act {
        Insert(usize, Vec<u8>),
        Remove(usize),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let bytes = proptest::collection::vec(any::<u8>(), 0..9);
        let act = prop_oneof![
            2 => (0..20_usize, bytes).prop_map(|(place, bytes)| Act::Insert(place, bytes)),
            1 => (0..20_usize).prop_map(Act::Remove),
        ];
        proptest::collection::vec(act, 1..60)
    }

    proptest! {
        #[test]
        fn keeps_order_and_bytes_as_a_list_of_lists_does(acts in acts()) {
            let mut shelf = Shelf::new();
            shelf.clear();
            let mut list: Vec<(i64, Vec<u8>)> = vec![];
            for (number, act) in (0..).zip(acts) {
                match act {
                    Act::Insert(place, bytes) => {
                        let place = place.min(list.len());
                        let record = Record { ms: number, ..Record::NONE };
                        prop_assert!(shelf.insert(place, &record, &bytes));
                        list.insert(place, (number, bytes));
                    }
                    Act::Remove(place) if place < list.len() => {
                        shelf.at_mut(place).expect("a record").kind = GONE;
                        shelf.sweep();
                        list.remove(place);
                    }
                    Act::Remove(_) => {}
                }
                let kept: Vec<_> = (0..shelf.count)
                    .filter_map(|place| Some((shelf.at(place)?.ms, shelf.bytes(place).to_vec())))
                    .collect();
                prop_assert_eq!(&kept, &list);
            }
        }
    }

    #[test]
    fn takes_no_more_than_it_has_room_for() {
        let mut shelf = Shelf::new();
        shelf.clear();
        let large = vec![1; BYTES_MAX / 4 + 1];
        for round in 0..5 {
            assert_eq!(shelf.insert(round.min(3), &Record::NONE, &large), round < 3);
        }
        assert_eq!(shelf.count, 3);
        for place in 3..RECORDS_MAX + 3 {
            assert_eq!(shelf.insert(place, &Record::NONE, &[]), place < RECORDS_MAX);
        }
    }
}
