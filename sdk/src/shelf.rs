//! Records in order, each with some bytes, in a room of fixed size.
//!
//! Owns the room and the order. Refuses to know what a record means: the queue, the catalogue and
//! the batches under way keep theirs here. One type for all three, and nothing that grows, because
//! each further kind of list costs a page that loads it half a kilobyte.

use upriver_wire::ElementId;

/// Records of one shelf.
pub const RECORDS_MAX: usize = 4_096;
/// Bytes of all records of one shelf.
pub const BYTES_MAX: usize = 512 * 1024;
/// The kind of a record that the next [`Shelf::sweep`] takes away.
pub const GONE: u8 = 255;

/// What is known of some bytes. What each field is for is said by whoever keeps the record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    /// What it is.
    pub kind: u8,
    /// A time, ms.
    pub ms: u64,
    /// A number of its own.
    pub number: u64,
    /// What it is about.
    pub element: Option<ElementId>,
    /// Two numbers: of an event, how far the page moves by it, to the right and downwards.
    pub by: (i32, i32),
    pub(crate) start: usize,
    pub(crate) len: usize,
}

/// A list of records with bytes.
#[derive(Debug)]
pub struct Shelf {
    records: Room<Record>,
    count: usize,
    bytes: Room<u8>,
    used: usize,
}

impl Shelf {
    /// The records, in order.
    pub fn records(&self) -> &[Record] {
        self.records.get(..self.count).unwrap_or_default()
    }

    /// The same, to be changed.
    pub fn records_mut(&mut self) -> &mut [Record] {
        self.records.get_mut(..self.count).unwrap_or_default()
    }

    /// The bytes of one of the records.
    pub fn bytes(&self, record: &Record) -> &[u8] {
        let end = record.start + record.len;
        self.bytes.get(record.start..end).unwrap_or_default()
    }

    /// The same, to be changed.
    pub fn bytes_mut(&mut self, record: &Record) -> &mut [u8] {
        let end = record.start + record.len;
        self.bytes.get_mut(record.start..end).unwrap_or_default()
    }

    /// How many more bytes there is room for.
    pub fn room(&self) -> usize {
        BYTES_MAX - self.used
    }

    /// The free room, to write the bytes of the next record in before [`Self::finish`].
    pub fn free(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.used..).unwrap_or_default()
    }

    /// Puts a record last; its bytes are the first `len` of [`Self::free`].
    pub fn finish(&mut self, record: Record, len: usize) {
        if let Some(free) = self.records.get_mut(self.count) {
            let start = self.used;
            *free = Record {
                start,
                len,
                ..record
            };
            self.count += 1;
            self.used += len;
        }
    }

    /// Puts a record at a place; `false` when there is no room.
    pub fn insert(&mut self, place: usize, record: Record, bytes: &[u8]) -> bool {
        let (used, len) = (self.used, bytes.len());
        let start = self.records().get(place).map_or(used, |next| next.start);
        let Some(records) = self.records.get_mut(place..=self.count) else {
            return false;
        };
        let Some(room) = self.bytes.get_mut(start..used + len) else {
            return false;
        };
        if let Some(moved) = room.len().checked_sub(len) {
            room.copy_within(..moved, len);
        }
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        let mut carried = Record {
            start,
            len,
            ..record
        };
        for slot in records {
            core::mem::swap(slot, &mut carried);
            carried.start += len;
        }
        self.count += 1;
        self.used += len;
        true
    }

    /// Takes away the records that are [`GONE`].
    pub fn sweep(&mut self) {
        let (mut count, mut used) = (0, 0);
        for at in 0..self.count {
            let Some(record) = self.records.get(at).copied() else {
                break;
            };
            if record.kind == GONE {
                continue;
            }
            let end = record.start + record.len;
            if let Some(room) = self.bytes.get_mut(used..end)
                && let Some(from) = room.len().checked_sub(record.len)
            {
                room.copy_within(from.., 0);
            }
            if let Some(slot) = self.records.get_mut(count) {
                *slot = Record {
                    start: used,
                    ..record
                };
            }
            count += 1;
            used += record.len;
        }
        self.count = count;
        self.used = used;
    }
}

impl Record {
    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// In a page, a part of the module's memory: zeros that cost nothing until they are written to.
#[cfg(target_arch = "wasm32")]
type Room<T> = &'static mut [T];
#[cfg(not(target_arch = "wasm32"))]
type Room<T> = Box<[T]>;

#[cfg(target_arch = "wasm32")]
mod rooms {
    use super::{BYTES_MAX, RECORDS_MAX, Record, Shelf};
    use spin::{Mutex, MutexGuard};

    const NONE: Record = Record {
        kind: 0,
        ms: 0,
        number: 0,
        element: None,
        by: (0, 0),
        start: 0,
        len: 0,
    };
    type Rooms = ([Record; RECORDS_MAX], [u8; BYTES_MAX]);
    static ROOMS: [Mutex<Rooms>; 3] =
        [const { Mutex::new(([NONE; RECORDS_MAX], [0; BYTES_MAX])) }; 3];

    impl Default for Shelf {
        /// One of the page's three.
        fn default() -> Self {
            let free = ROOMS.iter().find_map(Mutex::try_lock);
            let (records, bytes): (&mut [Record], &mut [u8]) = match free.map(MutexGuard::leak) {
                Some((records, bytes)) => (records, bytes),
                None => (&mut [], &mut []),
            };
            Self {
                records,
                count: 0,
                bytes,
                used: 0,
            }
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Default for Shelf {
    fn default() -> Self {
        Self {
            records: vec![Record::default(); RECORDS_MAX].into_boxed_slice(),
            count: 0,
            bytes: vec![0; BYTES_MAX].into_boxed_slice(),
            used: 0,
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
            let mut shelf = Shelf::default();
            let mut list: Vec<(u64, Vec<u8>)> = vec![];
            for (number, act) in (0..).zip(acts) {
                match act {
                    Act::Insert(place, bytes) => {
                        let place = place.min(list.len());
                        let record = Record { ms: number, ..Record::default() };
                        prop_assert!(shelf.insert(place, record, &bytes));
                        list.insert(place, (number, bytes));
                    }
                    Act::Remove(place) if place < list.len() => {
                        shelf.records_mut()[place].kind = GONE;
                        shelf.sweep();
                        list.remove(place);
                    }
                    Act::Remove(_) => {}
                }
                let kept: Vec<_> = shelf
                    .records()
                    .iter()
                    .map(|record| (record.ms, shelf.bytes(record).to_vec()))
                    .collect();
                prop_assert_eq!(&kept, &list);
            }
        }
    }

    #[test]
    fn takes_no_more_than_it_has_room_for() {
        let mut shelf = Shelf::default();
        let large = vec![1; BYTES_MAX / 4 + 1];
        for round in 0..5 {
            assert_eq!(
                shelf.insert(round.min(3), Record::default(), &large),
                round < 3
            );
        }
        assert_eq!(shelf.records().len(), 3);
        for place in 3..RECORDS_MAX + 3 {
            assert_eq!(
                shelf.insert(place, Record::default(), &[]),
                place < RECORDS_MAX
            );
        }
    }
}
