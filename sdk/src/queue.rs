//! What has been recorded and is not yet known to be on the collector's disk.
//!
//! Owns the order of events, their numbers, the cutting into batches, and dropping them on an ack.
//! Refuses to know sockets, requests and when to send. Events get their number only when a batch is
//! cut ([`Queue::seal`]), so what is shed before that leaves no gap; a sealed batch is bytes that
//! never change again but for the time of sending.
//!
//! `seal` is the one door events leave by: a batch is to be kept ([`Queue::noted`]) before it is sent,
//! and forgotten once it has ended. Batches that other pages have left are taken on as they are
//! ([`Queue::adopt`]): they stay of their own stream, which an ack names.

use crate::answer;
use crate::batch::{Named, names, pass, standing, tell, write_page};
use crate::catalogue::{ASKED_A_BATCH_MAX, Catalogue};
use crate::encode::{Bytes, number};
pub use crate::kind;
use crate::shelf::{GONE, RECORDS_MAX, Record, Shelf};
use crate::uplink::NEVER_MS;
use upriver_wire::envelope::{HEADER_BYTES, VERSION};
use upriver_wire::limits::{ELEMENTS_MAX, EVENTS_MAX, FRAME_BYTES_MAX, NAME_BYTES_MAX, PROPS_MAX};
use upriver_wire::{ElementId, SessionId, StreamId, VisitorId};

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
/// Room that events leave for marks.
const MARKS_BYTES: usize = 16 * 1024;
/// Upper bound of what a batch takes before its events: ids and counts.
const BATCH_HEAD_BYTES: usize = 96;
/// A batch begins with its header and these ids, of which the stream is the first.
const IDS_BYTES: usize = 40;
const STREAM_BYTES: usize = 16;
/// Then comes the number of its first event.
const FIRST_SEQ_AT: usize = HEADER_BYTES + IDS_BYTES;
/// Upper bound of a page's numbers.
const PAGE_BYTES: usize = 32;
/// Upper bound of an event's numbers and tags, with its element's id.
const EVENT_BYTES: usize = 32;

/// Kinds that can wait, and that go first when there is too much: scrolls, rests, ways, attention,
/// impressions, thrashing, visibility.
const MINOR: u32 = 1 << kind::SCROLL
    | 1 << kind::HESITATION
    | 1 << kind::PATH
    | 1 << kind::ATTENTION
    | 1 << kind::IMPRESSION
    | 1 << kind::THRASH
    | 1 << kind::VISIBILITY;

/// Something recorded: its kind is one of [`kind`], its bytes what the wire has for it after its kind
/// and element. A form's begin with its field's identity (8 bytes, 0: none); a view's are those of
/// its [`crate::recorder::View`], whose ends are its number.
pub type Item = Record;

/// Where a sealed batch is: its record's kind. The record's time is that of sending, its two numbers
/// how much later it is by the clock of its events (ms, 64 bits, the upper half first), and its number
/// what it is called: 1 if it matters more than [`MINOR`] kinds do, plus 2 × its events, plus 2048 × a
/// count of batches.
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

/// How many events came to what end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Seen by the recorder.
    pub recorded: u64,
    /// Known to be on the collector's disk.
    pub acked: u64,
    /// Shed here, because too many were waiting or the recorder was stopped.
    pub dropped: u64,
    /// Given up because the collector refused them.
    pub refused: u64,
}

/// Events in order, from being recorded to being acked.
#[derive(Debug)]
pub struct Queue {
    /// Elements and whether the collector knows them.
    pub catalogue: Catalogue,
    /// The sums.
    pub counts: Counts,
    /// The batches that are not acked, oldest first.
    pub unacked: Shelf,
    /// Stream, visitor and visit, as every batch begins.
    head: [u8; IDS_BYTES],
    next_seq: u64,
    /// Items; before them, the marks that hold where they begin: the page, the visit, variants.
    waiting: Shelf,
    /// How many those are.
    standing: usize,
    events: usize,
    sealed_ms: u64,
    /// Batches so far.
    batches: u64,
}

/// How many events a sealed batch has.
fn events(sealed: &Record) -> u64 {
    sealed.number >> 1 & 1023
}

fn is_minor(item: &Item) -> bool {
    item.is_event() && MINOR >> item.kind & 1 == 1
}

impl Queue {
    /// An empty queue of a new stream.
    pub fn new(stream: StreamId, visitor: VisitorId, session: SessionId) -> Self {
        let mut head = [0; IDS_BYTES];
        let out = &mut Bytes::new(&mut head);
        out.all(&stream.0.to_le_bytes());
        out.all(&visitor.0.to_le_bytes());
        out.all(&session.0.to_le_bytes());
        Self {
            catalogue: Catalogue::default(),
            counts: Counts::default(),
            unacked: Shelf::default(),
            head,
            next_seq: 0,
            waiting: Shelf::default(),
            standing: 0,
            events: 0,
            sealed_ms: 0,
            batches: 0,
        }
    }

    /// Takes an event that moves no page and brings none.
    #[inline(never)]
    pub fn tell_of(&mut self, kind: u8, ms: u64, element: Option<ElementId>, bytes: &[u8]) {
        let item = Item {
            kind,
            ms,
            element,
            ..Item::default()
        };
        self.push(item, bytes);
    }

    /// Takes an event. It is put in its place by time, but never before a page view or a mark.
    #[inline(never)]
    pub fn push(&mut self, mut item: Item, bytes: &[u8]) {
        self.counts.recorded += 1;
        let room = self.waiting.room() > bytes.len() + MARKS_BYTES;
        if !room || self.events >= BACKLOG_EVENTS_MAX && !self.shed() {
            self.counts.dropped += 1;
            item.kind = match item.kind {
                kind::VIEW => kind::PAGE,
                _ if item.by != (0, 0) => kind::MOVED,
                _ => return,
            };
            return self.mark(&item, bytes);
        }
        let mut place = self.waiting.count();
        while let Some(before) = self.waiting.at(place.wrapping_sub(1))
            && before.kind > kind::VIEW
            && before.is_event()
            && before.ms > item.ms
        {
            place -= 1;
        }
        self.waiting.insert(place, &item, bytes);
        self.events += 1;
    }

    /// Takes a mark. What it says takes the place of what earlier ones said, so that shedding for
    /// hours takes no memory.
    #[inline(never)]
    pub fn mark(&mut self, mark: &Item, bytes: &[u8]) {
        let count = self.waiting.count();
        let mut place = count;
        while place > self.standing
            && let Some(last) = self.waiting.at_mut(place - 1)
            && !last.is_event()
        {
            if mark.kind == kind::MOVED && last.kind != kind::SESSION {
                return last.moves(mark.by);
            }
            if mark.kind == last.kind || mark.kind == kind::PAGE && last.kind == kind::MOVED {
                last.kind = GONE;
            }
            place -= 1;
        }
        let bytes = if mark.kind == kind::MOVED { &[] } else { bytes };
        self.waiting.insert(count, mark, bytes);
        self.waiting.sweep();
    }

    /// When the next batch is to be cut, if what matters may wait so long and [`MINOR`] kinds so long,
    /// ms; [`NEVER_MS`] when nothing waits or no more may be cut.
    pub fn ripe_ms(&self, wait_ms: u64, minor_wait_ms: u64) -> u64 {
        let mut ripe = NEVER_MS;
        if self.is_full() {
            return ripe;
        }
        let mut place = self.standing;
        while let Some(item) = self.waiting.at(place) {
            place += 1;
            if item.is_event() {
                let wait = if is_minor(item) {
                    minor_wait_ms
                } else {
                    wait_ms
                };
                ripe = ripe.min(item.ms + wait);
            }
        }
        if self.events >= BATCH_EVENTS_MAX {
            ripe = 0;
        }
        ripe
    }

    /// Cuts the next batch; `false` when nothing waits or too much is under way.
    #[inline(never)]
    pub fn seal(&mut self) -> bool {
        if self.is_full() {
            return false;
        }
        let mut first = self.standing;
        while let Some(mark) = self.waiting.at(first)
            && !mark.is_event()
        {
            pass(&mut self.waiting, &mut self.head, first);
            first += 1;
        }
        let count = self.fitting(first);
        if count > 0 {
            self.cut(first, count);
        }
        let end = first + count;
        self.standing = end;
        let mut place = 0;
        while place < end {
            place = self.waiting.find(GONE, place) + 1;
            self.standing -= usize::from(place <= end);
        }
        self.waiting.sweep();
        self.events -= count;
        count > 0
    }

    /// Whether only an answer makes room for another batch.
    pub fn is_full(&self) -> bool {
        self.unacked.count() >= UNACKED_BATCHES_MAX || self.unacked.room() < FRAME_BYTES_MAX
    }

    /// Whether everything recorded has come to an end.
    pub fn is_empty(&self) -> bool {
        self.events == 0 && self.unacked.count() == 0
    }

    /// What is to be written down or struck out next: the number of a batch, and whether it has ended.
    pub fn noted(&mut self) -> Option<(u64, bool)> {
        for (at, then) in [
            (whereabouts::NEW, whereabouts::HERE),
            (whereabouts::ENDED, GONE),
        ] {
            if let Some(sealed) = self.unacked.at_mut(self.unacked.find(at, 0)) {
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
    pub fn adopt(&mut self, bytes: &[u8], number: u64, later_ms: i64) -> u64 {
        let sealed = self.named(number & 2047, later_ms);
        if self.is_full() || !self.unacked.insert(RECORDS_MAX, &sealed, bytes) {
            return 0;
        }
        sealed.number
    }

    fn named(&mut self, what: u64, later_ms: i64) -> Record {
        self.batches += 1;
        Record {
            number: self.batches << 11 | what,
            by: ((later_ms >> 32) as i32, later_ms as i32),
            ..Record::default()
        }
    }

    /// Whether a batch is of this page.
    pub fn is_own(&self, sealed: &Record) -> bool {
        self.head.starts_with(self.stream_and_first(sealed).0)
    }

    /// The stream of a batch, and the number of its first event there.
    fn stream_and_first(&self, sealed: &Record) -> (&[u8], u64) {
        let bytes = self.unacked.bytes(sealed);
        let mut rest = bytes.get(FIRST_SEQ_AT..).unwrap_or_default();
        let stream = bytes.get(HEADER_BYTES..HEADER_BYTES + STREAM_BYTES);
        (
            stream.unwrap_or_default(),
            answer::number(&mut rest).unwrap_or_default(),
        )
    }

    /// The number of the batch of that stream that begins with this event; 0 when there is none.
    pub fn number_of(&self, stream: &[u8], first_seq: u64) -> u64 {
        let mut place = 0;
        while let Some(sealed) = self.unacked.at(place) {
            if self.stream_and_first(sealed) == (stream, first_seq) {
                return sealed.number;
            }
            place += 1;
        }
        0
    }

    /// The collector has the events of a stream from one number to before another on disk, and needs
    /// these elements (8 bytes each) described again.
    pub fn acked(&mut self, stream: &[u8], (first_seq, next_seq): (u64, u64), need: &[u8]) {
        let mut place = 0;
        while let Some(&sealed) = self.unacked.at(place) {
            place += 1;
            let (of, first) = self.stream_and_first(&sealed);
            if of == stream && first_seq <= first && first + events(&sealed) <= next_seq {
                self.counts.acked += self.end(sealed.number);
            }
        }
        for id in need.as_chunks().0 {
            self.catalogue.need(ElementId(u64::from_le_bytes(*id)));
        }
    }

    /// The batch of this number is on disk (an answer without readable body).
    pub fn acked_batch(&mut self, number: u64) {
        self.counts.acked += self.end(number);
    }

    /// The collector will never take the batch of this number.
    pub fn refused(&mut self, number: u64) {
        self.counts.refused += self.end(number);
    }

    /// The batch of this number is to be sent again.
    pub fn again(&mut self, number: u64) {
        if let Some(sealed) = self.sealed(number) {
            sealed.kind = whereabouts::HERE;
        }
    }

    /// Gives everything up: the collector does not want this page's events, or the site stopped us.
    /// What was kept stays so, for a page that is welcome.
    pub fn give_up(&mut self) {
        let mut place = 0;
        while let Some(&sealed) = self.unacked.at(place) {
            place += 1;
            self.counts.dropped += self.end(sealed.number);
        }
        self.counts.dropped += self.events as u64;
        self.unacked.clear();
        self.waiting.clear();
        self.standing = 0;
        self.events = 0;
    }

    /// A batch that has not ended, by its number.
    #[inline(never)]
    pub fn sealed(&mut self, number: u64) -> Option<&mut Record> {
        let mut place = 0;
        while self.unacked.at(place)?.number != number {
            place += 1;
        }
        let sealed = self.unacked.at_mut(place);
        sealed.filter(|it| it.kind != whereabouts::ENDED)
    }

    /// The batches that are there are to be sent again.
    pub fn back(&mut self, from: u8) {
        while let Some(sealed) = self.unacked.at_mut(self.unacked.find(from, 0)) {
            sealed.kind = whereabouts::HERE;
        }
    }

    /// Ends a batch; returns how many events it had of this page.
    fn end(&mut self, number: u64) -> u64 {
        let Some(sealed) = self.sealed(number) else {
            return 0;
        };
        sealed.kind = whereabouts::ENDED;
        let sealed = *sealed;
        if self.is_own(&sealed) {
            events(&sealed)
        } else {
            0
        }
    }

    /// Sheds the oldest way of a pointer, or else the oldest of [`MINOR`] kind; `false` when there is none.
    fn shed(&mut self) -> bool {
        let mut place = self.waiting.find(kind::PATH, self.standing);
        if self.waiting.at(place).is_none() {
            place = self.standing;
            while self.waiting.at(place).is_some_and(|item| !is_minor(item)) {
                place += 1;
            }
        }
        let Some(item) = self.waiting.at_mut(place) else {
            return false;
        };
        // The place stays: what follows it needs to know where the page stands.
        item.kind = kind::MOVED;
        item.len = 0;
        let by = item.by;
        if let Some(before) = self.waiting.at_mut(place.wrapping_sub(1))
            && matches!(before.kind, kind::MOVED | kind::PAGE)
        {
            before.moves(by);
            if let Some(item) = self.waiting.at_mut(place) {
                item.kind = GONE;
            }
        }
        self.waiting.sweep();
        self.events -= 1;
        self.counts.dropped += 1;
        true
    }

    /// How many items from the first go into the next batch.
    fn fitting(&self, first: usize) -> usize {
        let mut bytes = BATCH_HEAD_BYTES + PAGE_BYTES;
        let mut place = 0;
        while let Some(item) = self.waiting.at(place) {
            if item.kind != GONE {
                bytes += EVENT_BYTES + item.len;
            }
            if place >= first {
                for id in names(&self.waiting, item).into_iter().flatten() {
                    bytes += self.catalogue.bytes(id);
                }
                if !item.is_event()
                    || place == first + BATCH_EVENTS_MAX
                    || (place > first && bytes > BATCH_BYTES_MAX)
                {
                    break;
                }
            }
            place += 1;
        }
        place.saturating_sub(first)
    }

    /// Makes a batch of so many items from the first, and carries them past.
    fn cut(&mut self, first: usize, count: usize) {
        let Some(first_item) = self.waiting.at(first) else {
            return;
        };
        self.sealed_ms = self.sealed_ms.max(first_item.ms);
        let out = &mut Bytes::new(self.unacked.free());
        out.all(&[VERSION, 0, 0, 0, 0, 0, 0]);
        out.all(&self.head);
        number(out, self.next_seq);
        number(out, self.sealed_ms);
        match standing(&self.waiting, kind::PAGE, first) {
            Some(page) if first_item.kind != kind::VIEW => {
                out.push(1);
                write_page(&self.waiting, first, page, out);
            }
            _ => out.push(0),
        }
        // Their number, and then they.
        for counted in [false, true] {
            let mut variants = 0;
            let mut place = 0;
            while let Some(variant) = self.waiting.at(place)
                && place < first
            {
                if variant.kind == kind::VARIANT {
                    variants += 1;
                    if counted {
                        out.all(self.waiting.bytes(variant));
                    }
                }
                place += 1;
            }
            if !counted {
                number(out, variants);
            }
        }
        let mut named = Named::default();
        for place in first..first + count {
            if let Some(item) = self.waiting.at(place) {
                for id in names(&self.waiting, item).into_iter().flatten() {
                    named.place(id);
                    // Of one that was only seen, others have told before.
                    if item.kind != kind::IMPRESSION {
                        self.catalogue.named(id);
                    }
                }
            }
        }
        let mut from = 0;
        for _ in 0..ASKED_A_BATCH_MAX {
            if let Some((place, id)) = self.catalogue.asked(from) {
                named.place(id);
                from = place + 1;
            }
        }
        number(out, named.count as u64);
        for place in 0..named.count {
            if let Some(id) = named.ids.get(place) {
                self.catalogue.write(*id, out);
            }
        }
        number(out, count as u64);
        let mut matters = 0;
        for place in first..first + count {
            matters |= u64::from(self.waiting.at(place).is_some_and(|item| !is_minor(item)));
        }
        for at in first..first + count {
            self.sealed_ms = tell(&self.waiting, at, self.sealed_ms, &mut named, out);
            pass(&mut self.waiting, &mut self.head, at);
        }
        let len = out.done().len();
        let mut sealed = self.named((count as u64) << 1 | matters, 0);
        sealed.kind = whereabouts::NEW;
        self.unacked.finish(sealed, len);
        self.next_seq += count as u64;
    }
}

impl Record {
    fn is_event(&self) -> bool {
        self.kind < kind::MOVED
    }

    /// The page it tells of moves.
    pub(crate) fn moves(&mut self, by: (i32, i32)) {
        self.by.0 = self.by.0.saturating_add(by.0);
        self.by.1 = self.by.1.saturating_add(by.1);
    }
}

// The header is that many bytes.
const _: () = assert!(HEADER_BYTES == 7);
// Each event may name two elements.
const _: () = assert!(2 * BATCH_EVENTS_MAX + ASKED_A_BATCH_MAX <= ELEMENTS_MAX);
const _: () = assert!(BATCH_EVENTS_MAX <= EVENTS_MAX);
// One event beyond a full batch must still fit a frame, with a descriptor that was asked for again.
const _: () = assert!(
    BATCH_BYTES_MAX + PROPS_MAX * (NAME_BYTES_MAX + 1_024 + 6) + 4 * NAME_BYTES_MAX
        < FRAME_BYTES_MAX - 2 * 1_024
);
