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
    room: Room,
    count: usize,
    used: usize,
}

impl Shelf {
    /// How many records there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The record at a place.
    #[inline(never)]
    pub fn at(&self, place: usize) -> Option<&Record> {
        self.room.records.get(place).filter(|_| place < self.count)
    }

    /// The same, to be changed.
    #[inline(never)]
    pub fn at_mut(&mut self, place: usize) -> Option<&mut Record> {
        self.room
            .records
            .get_mut(place)
            .filter(|_| place < self.count)
    }

    /// The place of the first record of this kind from a place on; [`RECORDS_MAX`] if there is none.
    #[inline(never)]
    pub fn find(&self, kind: u8, from: usize) -> usize {
        let mut place = from;
        while let Some(record) = self.at(place) {
            if record.kind == kind {
                return place;
            }
            place += 1;
        }
        RECORDS_MAX
    }

    /// The bytes of one of the records.
    #[inline(never)]
    pub fn bytes(&self, record: &Record) -> &[u8] {
        let end = record.start + record.len;
        self.room.bytes.get(record.start..end).unwrap_or_default()
    }

    /// The same, to be changed.
    pub fn bytes_mut(&mut self, record: &Record) -> &mut [u8] {
        let end = record.start + record.len;
        self.room
            .bytes
            .get_mut(record.start..end)
            .unwrap_or_default()
    }

    /// How many more bytes there is room for.
    pub fn room(&self) -> usize {
        BYTES_MAX - self.used
    }

    /// The free room, to write the bytes of the next record in before [`Self::finish`].
    pub fn free(&mut self) -> &mut [u8] {
        self.room.bytes.get_mut(self.used..).unwrap_or_default()
    }

    /// Puts a record last; its bytes are the first `len` of [`Self::free`].
    pub fn finish(&mut self, mut record: Record, len: usize) {
        if let Some(free) = self.room.records.get_mut(self.count) {
            record.start = self.used;
            record.len = len;
            *free = record;
            self.count += 1;
            self.used += len;
        }
    }

    /// Puts a record at a place, or last; `false` when there is no room.
    #[inline(never)]
    pub fn insert(&mut self, place: usize, record: &Record, bytes: &[u8]) -> bool {
        let len = bytes.len();
        if self.count >= RECORDS_MAX || len > self.room() {
            return false;
        }
        let start = self.at(place).map_or(self.used, |next| next.start);
        self.copy(start, start + len, self.used - start);
        for (at, byte) in (start..).zip(bytes) {
            if let Some(to) = self.room.bytes.get_mut(at) {
                *to = *byte;
            }
        }
        let mut carried = *record;
        carried.start = start;
        carried.len = len;
        self.count += 1;
        self.used += len;
        let mut place = place.min(self.count - 1);
        while let Some(slot) = self.at_mut(place) {
            core::mem::swap(slot, &mut carried);
            carried.start += len;
            place += 1;
        }
        true
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.count = 0;
        self.used = 0;
    }

    /// Takes away the records that are [`GONE`].
    #[inline(never)]
    pub fn sweep(&mut self) {
        let (mut count, mut used) = (0, 0);
        let mut place = 0;
        while let Some(record) = self.at(place) {
            let mut record = *record;
            place += 1;
            if record.kind == GONE {
                continue;
            }
            self.copy(record.start, used, record.len);
            record.start = used;
            used += record.len;
            if let Some(slot) = self.at_mut(count) {
                *slot = record;
            }
            count += 1;
        }
        self.count = count;
        self.used = used;
    }

    /// Copies bytes from one place to another; the two may overlap. A slice's own way of doing so has
    /// words for when it goes wrong, which weigh more than all of this.
    fn copy(&mut self, from: usize, to: usize, len: usize) {
        if from == to {
            return;
        }
        for step in 0..len {
            let step = if from < to { len - 1 - step } else { step };
            if let Some(byte) = self.room.bytes.get(from + step).copied()
                && let Some(place) = self.room.bytes.get_mut(to + step)
            {
                *place = byte;
            }
        }
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
type Room = spin::MutexGuard<'static, rooms::Rooms>;
#[cfg(not(target_arch = "wasm32"))]
type Room = Rooms;

#[cfg(target_arch = "wasm32")]
mod rooms {
    use super::{BYTES_MAX, RECORDS_MAX, Record, Shelf};
    use spin::Mutex;

    #[derive(Debug)]
    pub(super) struct Rooms {
        pub(super) records: [Record; RECORDS_MAX],
        pub(super) bytes: [u8; BYTES_MAX],
    }

    const NONE: Record = Record {
        kind: 0,
        ms: 0,
        number: 0,
        element: None,
        by: (0, 0),
        start: 0,
        len: 0,
    };
    const EMPTY: Rooms = Rooms {
        records: [NONE; RECORDS_MAX],
        bytes: [0; BYTES_MAX],
    };
    /// As many as a recorder has shelves. There is one recorder at a time.
    static ROOMS: [Mutex<Rooms>; 3] = [const { Mutex::new(EMPTY) }; 3];

    impl Default for Shelf {
        fn default() -> Self {
            match ROOMS.iter().find_map(Mutex::try_lock) {
                Some(room) => Self {
                    room,
                    count: 0,
                    used: 0,
                },
                None => core::arch::wasm32::unreachable(),
            }
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug)]
struct Rooms {
    records: Box<[Record]>,
    bytes: Box<[u8]>,
}

#[cfg(not(target_arch = "wasm32"))]
impl Default for Shelf {
    fn default() -> Self {
        Self {
            room: Rooms {
                records: vec![Record::default(); RECORDS_MAX].into_boxed_slice(),
                bytes: vec![0; BYTES_MAX].into_boxed_slice(),
            },
            count: 0,
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
                let kept: Vec<_> = (0..shelf.count())
                    .filter_map(|place| shelf.at(place))
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
                shelf.insert(round.min(3), &Record::default(), &large),
                round < 3
            );
        }
        assert_eq!(shelf.count(), 3);
        for place in 3..RECORDS_MAX + 3 {
            assert_eq!(
                shelf.insert(place, &Record::default(), &[]),
                place < RECORDS_MAX
            );
        }
    }
}
