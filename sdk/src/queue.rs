//! What has been recorded and is not yet known to be on the collector's disk.
//!
//! Owns the order of events, their numbers, the cutting into batches, and dropping them on an ack.
//! Refuses to know sockets, requests and when to send. Events get their number only when a batch is
//! cut ([`Queue::seal`]), so what is shed before that leaves no gap; a sealed batch is bytes that
//! never change again but for the time of sending.
//!
//! An event knows the visit and the page it belongs to, and where that page stood, as readers know it,
//! before it; so an event that is shed leaves nothing behind. A batch goes on as long as each event
//! begins where the one before has ended, and says at its head where the first begins.
//!
//! `seal` is the one door events leave by: a batch is to be kept ([`Queue::noted`]) before it is sent,
//! and forgotten once it has ended. Batches that other pages have left are taken on as they are
//! ([`Queue::adopt`]): they stay of their own stream, which an ack names.

use crate::encode::Bytes;
pub use crate::kind;
use crate::list::List;
use crate::shelf::{GONE, Record, Shelf};
use crate::uplink::NEVER_MS;
use crate::words::{ASKED_A_BATCH_MAX, CONTEXT, Words};
use upriver_wire::envelope::HEADER_BYTES;
use upriver_wire::limits::{ELEMENTS_MAX, EVENTS_MAX, FRAME_BYTES_MAX, NAME_BYTES_MAX, PROPS_MAX};

/// Events waiting to be cut into batches; beyond it ways of pointers are shed first, then scrolls,
/// then what is new.
pub const BACKLOG_EVENTS_MAX: usize = 2_000;
/// Batches cut and not acked; beyond it nothing more is cut.
pub const UNACKED_BATCHES_MAX: usize = 64;
/// Estimated bytes at which a batch is full. The estimate is an upper bound, and one event more
/// than this still fits the wire's frame.
pub const BATCH_BYTES_MAX: usize = 24 * 1024;
/// Events of one batch; so many are cut however young they are.
pub const BATCH_EVENTS_MAX: usize = 480;
/// Pages and visits are called by their count from here on.
const CONTEXTS: u32 = 1 << 30;

/// Kinds that can wait, and that go first when there is too much: scrolls, rests, ways, attention,
/// impressions, thrashing, visibility.
const MINOR: u32 = 1 << kind::SCROLL
    | 1 << kind::HESITATION
    | 1 << kind::PATH
    | 1 << kind::ATTENTION
    | 1 << kind::IMPRESSION
    | 1 << kind::THRASH
    | 1 << kind::VISIBILITY;

/// Where a sealed batch is: its record's kind. The record's time is that of sending. Its number is
/// what it is called: 1 if it matters more than [`MINOR`] kinds do, plus 2 × its events, plus 2048 × a
/// count of batches. `element` is the lower half of its stream's name, `at` the number of its first event
/// there, and `field` how much later it is by the clock of its events, ms.
pub mod whereabouts {
    /// Waiting to be sent, or to be sent again.
    pub const HERE: u8 = 0;
    /// Sent over the socket, not acked.
    pub const ON_SOCKET: u8 = 1;
    /// In a request that has not ended.
    pub const IN_REQUEST: u8 = 2;
    /// Not yet kept.
    pub const NEW: u8 = 3;
    /// On the collector's disk, or refused; not yet forgotten.
    pub const ENDED: u8 = 4;
}

/// How many events were seen by the recorder.
pub const RECORDED: usize = 0;
/// How many are known to be on the collector's disk.
pub const ACKED: usize = 1;
/// How many were shed here, because too many were waiting or the recorder was stopped.
pub const DROPPED: usize = 2;
/// How many were given up because the collector refused them.
pub const REFUSED: usize = 3;

/// Events in order, from being recorded to being acked.
#[derive(Debug)]
#[repr(C)]
pub struct Queue {
    /// Stream and visitor, the lower half of each first.
    pub(crate) head: [u64; 4],
    pub(crate) next_seq: u64,
    pub(crate) sealed_ms: i64,
    /// How many events came to what end.
    pub counts: [u32; 4],
    /// Batches so far.
    batches: u32,
    /// Where the page stands, as readers of the events know it: to the right × 2³² + downwards, CSS pixels.
    pub(crate) stands: i64,
    /// Visits and pages so far, and the names of the ones from here on.
    contexts: u32,
    pub(crate) visit: u32,
    pub(crate) page: u32,
    /// The event being written: what it is about besides, and by how much it moves the page.
    pub(crate) field: u64,
    pub(crate) by: i64,
    /// Of the batch being cut, the impression written last: its element's place, and how that looked.
    pub(crate) seen: [i32; 7],
    /// The elements of the batch being cut.
    pub(crate) named: List,
    /// The bytes of the event being written, as the wire has them after its kind and elements. And
    /// of a batch.
    pub(crate) draft: Bytes,
    /// What events refer to.
    pub words: Words,
    pub(crate) waiting: Shelf,
    /// The batches that are not acked, oldest first.
    pub unacked: Shelf,
}

/// How many events a sealed batch has.
fn events(sealed: &Record) -> u32 {
    sealed.number as u32 >> 1 & 1023
}

pub(crate) fn is_minor(kind: u8) -> bool {
    MINOR >> kind & 1 == 1
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self {
            head: [0; 4],
            next_seq: 0,
            sealed_ms: 0,
            counts: [0; 4],
            batches: 0,
            stands: 0,
            contexts: 0,
            visit: 0,
            page: 0,
            field: 0,
            by: 0,
            seen: [0; 7],
            named: List::new(),
            draft: Bytes::new(),
            words: Words::new(),
            waiting: Shelf::new(),
            unacked: Shelf::new(),
        }
    }

    /// Begins a new stream, whose name and visitor are read.
    pub(crate) fn begin(&mut self, input: &mut Bytes) {
        for half in &mut self.head {
            *half = input.long();
        }
        self.next_seq = 0;
        self.sealed_ms = 0;
        self.counts = [0; 4];
        // No element is called so.
        self.contexts = CONTEXTS;
        self.page = 0;
        self.draft.clear();
        self.words.clear();
        self.waiting.clear();
        self.unacked.clear();
    }

    /// Another visit begins: its name (8 bytes), and the campaign that brought it, as the wire has it.
    pub(crate) fn visits(&mut self, bytes: &[u8]) {
        self.visit = self.context(0, bytes);
    }

    /// Another page is shown and stands there. Its parts end so many bytes after each other, 16 bits each
    /// from the lowest: view, host and path; then device, viewport and document; then ratio and
    /// release. What follows is the event's alone.
    pub(crate) fn view(&mut self, ms: i64, stands: i64, parts: u64, bytes: &[u8]) {
        self.page = self.context(parts, bytes);
        self.stands = stands;
        self.tell(kind::VIEW, ms, 0);
    }

    fn context(&mut self, parts: u64, bytes: &[u8]) -> u32 {
        self.contexts += 1;
        self.words
            .put(CONTEXT, u64::from(self.contexts), parts, bytes);
        self.contexts
    }

    /// An event whose bytes are these.
    pub(crate) fn tell_of(&mut self, kind: u8, ms: i64, element: u64, bytes: &[u8]) {
        self.draft.all(bytes);
        self.tell(kind, ms, element);
    }

    /// Takes the event that was drafted. It is put in its place by time, but never before a page view.
    #[inline(never)]
    pub(crate) fn tell(&mut self, kind: u8, ms: i64, element: u64) {
        self.counts[RECORDED] += 1;
        if self.waiting.has_room(self.draft.len)
            && (self.waiting.count < BACKLOG_EVENTS_MAX || self.shed())
        {
            let mut item = Record {
                kind,
                ms,
                element,
                field: self.field,
                at: self.stands,
                by: self.by,
                page: self.page,
                visit: self.visit,
                ..Record::NONE
            };
            let mut place = self.waiting.count;
            while let Some(before) = self.waiting.at_mut(place.wrapping_sub(1))
                && before.kind != kind::VIEW
                && before.ms > ms
                && before.page == item.page
                && before.visit == item.visit
                && before.at + before.by == item.at
            {
                item.at = before.at;
                before.at += item.by;
                place -= 1;
            }
            self.waiting.insert(place, &item, self.draft.done());
        } else {
            self.counts[DROPPED] += 1;
        }
        self.stands += self.by;
        self.field = 0;
        self.by = 0;
        self.draft.clear();
    }

    /// Sheds the oldest way of a pointer, or else the oldest of [`MINOR`] kind; `false` when there is none.
    fn shed(&mut self) -> bool {
        let mut place = self.waiting.find(kind::PATH);
        if place >= self.waiting.count {
            place = 0;
            while self.waiting.at(place).is_some_and(|it| !is_minor(it.kind)) {
                place += 1;
            }
        }
        let Some(item) = self.waiting.at_mut(place) else {
            return false;
        };
        item.kind = GONE;
        self.waiting.sweep();
        self.counts[DROPPED] += 1;
        true
    }

    /// When the next batch is to be cut, if what matters may wait so long and [`MINOR`] kinds so long,
    /// ms; the end of time when nothing waits or no more may be cut.
    pub fn ripe_ms(&self, wait_ms: i64, minor_wait_ms: i64) -> i64 {
        let mut ripe = NEVER_MS;
        if self.is_full() {
            return ripe;
        }
        if self.waiting.count >= BATCH_EVENTS_MAX {
            return 0;
        }
        let mut place = 0;
        while let Some(item) = self.waiting.at(place) {
            place += 1;
            let wait = if is_minor(item.kind) {
                minor_wait_ms
            } else {
                wait_ms
            };
            ripe = ripe.min(item.ms + wait);
        }
        ripe
    }

    /// Whether only an answer makes room for another batch.
    pub fn is_full(&self) -> bool {
        self.unacked.count >= UNACKED_BATCHES_MAX || !self.unacked.has_room(FRAME_BYTES_MAX)
    }

    /// Whether everything recorded has come to an end.
    pub fn is_empty(&self) -> bool {
        self.waiting.count + self.unacked.count == 0
    }

    /// Cuts batches of all that waits, as far as there is room for them.
    #[inline(never)]
    pub fn seal(&mut self) {
        while !self.is_full()
            && let Some(&first) = self.waiting.at(0)
        {
            let (count, matters) = self.fitting(&first);
            self.cut(&first, count);
            let sealed = Record {
                kind: whereabouts::NEW,
                number: self.name(count as u32 * 2 + matters),
                element: self.head[0],
                at: self.next_seq as i64,
                ..Record::NONE
            };
            self.unacked
                .insert(self.unacked.count, &sealed, self.draft.done());
            self.draft.clear();
            self.next_seq += count as u64;
            self.waiting.sweep();
            self.forget();
        }
    }

    fn name(&mut self, what: u32) -> u64 {
        self.batches += 1;
        u64::from(self.batches << 11 | what)
    }

    /// What is to be written down or struck out next: the number of a batch, and whether it has ended.
    pub fn noted(&mut self) -> Option<(u64, bool)> {
        for &(at, then) in &[
            (whereabouts::NEW, whereabouts::HERE),
            (whereabouts::ENDED, GONE),
        ] {
            if let Some(sealed) = self.unacked.at_mut(self.unacked.find(at)) {
                let number = sealed.number;
                sealed.kind = then;
                self.unacked.sweep();
                return Some((number, then == GONE));
            }
        }
        None
    }

    /// Takes on a batch that another page has left, with its number there; it was sent by a clock so
    /// much ahead of this page's. Returns its number here; 0 when there is no room.
    pub(crate) fn adopt(&mut self, input: &mut Bytes, number: u32, later_ms: i64) -> u64 {
        if self.is_full() {
            return 0;
        }
        // Its stream, visitor and visit, and then the number of its first event.
        input.at = HEADER_BYTES;
        let stream = input.long();
        input.at += 32;
        let sealed = Record {
            number: self.name(number & 2047),
            element: stream,
            at: input.varying() as i64,
            field: later_ms as u64,
            ..Record::NONE
        };
        self.unacked
            .insert(self.unacked.count, &sealed, input.done());
        sealed.number
    }

    /// Whether a batch is of this page.
    pub fn is_own(&self, sealed: &Record) -> bool {
        sealed.element == self.head[0]
    }

    /// The collector has the events of a stream from one number to before another on disk (or, of one
    /// that has another end, will never take the batch that begins with the first).
    pub fn ended(&mut self, stream: u64, first_seq: u64, next_seq: u64, end: usize) {
        let mut place = 0;
        while let Some(sealed) = self.unacked.at(place) {
            let first = sealed.at as u64;
            let within = if end == ACKED {
                first_seq <= first && first + u64::from(events(sealed)) <= next_seq
            } else {
                first_seq == first
            };
            if within && sealed.element == stream {
                self.end(place, end);
            }
            place += 1;
        }
    }

    /// Ends the batch at a place, if it has not.
    #[inline(never)]
    pub fn end(&mut self, place: usize, end: usize) {
        if let Some(sealed) = self.unacked.at_mut(place)
            && sealed.kind != whereabouts::ENDED
        {
            sealed.kind = whereabouts::ENDED;
            let sealed = *sealed;
            if self.is_own(&sealed)
                && let Some(count) = self.counts.get_mut(end)
            {
                *count += events(&sealed);
            }
        }
    }

    /// Gives everything up: the collector does not want this page's events, or the site stopped us.
    /// What was kept stays so, for a page that is welcome.
    pub fn give_up(&mut self) {
        for place in 0..self.unacked.count {
            self.end(place, DROPPED);
        }
        self.counts[DROPPED] += self.waiting.count as u32;
        self.unacked.clear();
        self.waiting.clear();
    }

    /// The batches that are there are to be sent again.
    #[inline(never)]
    pub fn back(&mut self, from: u8) {
        while let Some(sealed) = self.unacked.at_mut(self.unacked.find(from)) {
            sealed.kind = whereabouts::HERE;
        }
    }
}

// Each event may name two elements.
const _: () = assert!(2 * BATCH_EVENTS_MAX + ASKED_A_BATCH_MAX <= ELEMENTS_MAX);
const _: () = assert!(BATCH_EVENTS_MAX <= EVENTS_MAX);
// One event beyond a full batch must still fit a frame, with a descriptor that was asked for again.
const _: () = assert!(
    BATCH_BYTES_MAX + PROPS_MAX * (NAME_BYTES_MAX + 1_024 + 6) + 4 * NAME_BYTES_MAX
        < FRAME_BYTES_MAX - 2 * 1_024
);
