//! What has been recorded and is not yet known to be on the collector's disk.
//!
//! Owns the order of events, their numbers, the cutting into batches, and dropping them on an ack.
//! Refuses to know sockets, requests and when to send. Events get their number only when a batch is
//! cut ([`Queue::seal`]), so what is shed before that leaves no gap; a sealed batch is bytes that
//! never change again but for the time of sending.
//!
//! `seal` is the one door events leave by: persist-before-send belongs there, between the encoding
//! and the batch becoming sendable, and an ack is where a persisted copy goes.

use crate::catalogue::{ASKED_A_BATCH_MAX, Catalogue};
use crate::encode::{Bytes, number, signed};
use crate::shelf::{GONE, Record, Shelf};
use upriver_wire::envelope::{HEADER_BYTES, VERSION};
use upriver_wire::limits::{
    ELEMENTS_MAX, EVENTS_MAX, FRAME_BYTES_MAX, NAME_BYTES_MAX, PROPS_MAX, VARIANTS_MAX,
};
use upriver_wire::{ElementId, SessionId, StreamId, VisitorId};

/// Events waiting to be cut into batches; beyond it ways of pointers are shed first, then scrolls,
/// then what is new.
pub const BACKLOG_EVENTS_MAX: usize = 2_000;
/// Batches cut and not acked; beyond it nothing more is cut.
pub const UNACKED_BATCHES_MAX: usize = 32;
/// Estimated bytes at which a batch is full. The estimate is an upper bound, and one event more
/// than this still fits the wire's frame.
pub const BATCH_BYTES_MAX: usize = 24 * 1024;
/// Events of one batch.
pub const BATCH_EVENTS_MAX: usize = 480;
/// Room that events leave for marks.
const MARKS_BYTES: usize = 16 * 1024;
/// Upper bound of what a batch takes before its events: ids and counts.
const BATCH_HEAD_BYTES: usize = 96;
/// Upper bound of a page's numbers.
const PAGE_BYTES: usize = 32;
/// Upper bound of an event's numbers and tags, with its element's id.
const EVENT_BYTES: usize = 32;

/// What an item is: below [`MOVED`] the wire's number for what happened, from there on marks, which
/// say how things stand for the events that follow.
pub mod kind {
    /// A page was shown.
    pub const VIEW: u8 = 0;
    /// A press.
    pub const PRESS: u8 = 1;
    /// A scroll gesture.
    pub const SCROLL: u8 = 2;
    /// A swipe.
    pub const SWIPE: u8 = 3;
    /// The site's own event.
    pub const CUSTOM: u8 = 4;
    /// A conversion.
    pub const CONVERSION: u8 = 5;
    /// An exposure.
    pub const EXPOSURE: u8 = 6;
    /// A finger, pen or button was held.
    pub const LONG_PRESS: u8 = 7;
    /// Two fingers moved apart or together.
    pub const PINCH: u8 = 8;
    /// A pointer rested over an element.
    pub const HESITATION: u8 = 9;
    /// The way of a pointer.
    pub const PATH: u8 = 10;
    /// How long the page was looked at.
    pub const ATTENTION: u8 = 11;
    /// An element was seen.
    pub const IMPRESSION: u8 = 12;
    /// A form was begun, submitted or given up.
    pub const FORM: u8 = 13;
    /// The same place was pressed again and again.
    pub const RAGE: u8 = 14;
    /// A press had no effect.
    pub const DEAD: u8 = 15;
    /// A press was followed by an error.
    pub const ERROR_PRESS: u8 = 16;
    /// A pointer was moved to and fro.
    pub const THRASH: u8 = 17;
    /// An error of the page's scripts.
    pub const FAULT: u8 = 18;
    /// The page was hidden or shown again.
    pub const VISIBILITY: u8 = 19;
    /// What the visitor agreed to.
    pub const CONSENT: u8 = 20;
    /// Who the visitor is.
    pub const IDENTIFY: u8 = 21;
    /// The page stands elsewhere, and no event says so.
    pub const MOVED: u8 = 128;
    /// The visit from here on: its number and its campaign.
    pub const SESSION: u8 = 129;
    /// The page from here on: that of a view which was shed, or which has been sealed.
    pub const PAGE: u8 = 130;
    /// A variant that is shown from here on.
    pub const VARIANT: u8 = 131;
}

/// Something recorded: its kind is one of [`kind`], its bytes what the wire has for it after its kind
/// and element. A form's begin with its field's identity (8 bytes, 0: none); a view's are those of
/// its [`crate::recorder::View`], whose ends are its number.
pub type Item = Record;

/// Where a sealed batch is: its record's kind. The record's number is that of its first event, its
/// time that of sending, and [`events`] how many it has.
pub mod whereabouts {
    /// Waiting to be sent, or to be sent again.
    pub const HERE: u8 = 0;
    /// Sent over the socket, not acked.
    pub const ON_SOCKET: u8 = 1;
    /// In a request that has not ended.
    pub const IN_REQUEST: u8 = 2;
}

/// How many events a sealed batch has.
pub fn events(sealed: &Record) -> u64 {
    u64::from(sealed.by.0 as u32)
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
    head: [u8; 40],
    next_seq: u64,
    /// Items; before them, the marks that hold where they begin: the page, the visit, variants.
    waiting: Shelf,
    /// How many those are.
    standing: usize,
    events: usize,
    sealed_ms: u64,
}

impl Queue {
    /// An empty queue of a new stream.
    pub fn new(stream: StreamId, visitor: VisitorId, session: SessionId) -> Self {
        let mut head = [0; 40];
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

    /// Time of the oldest event that is not in a batch yet, ms.
    pub fn waiting_ms(&self) -> Option<u64> {
        let mut place = self.standing;
        while let Some(item) = self.waiting.at(place) {
            if item.is_event() {
                return Some(item.ms);
            }
            place += 1;
        }
        None
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

    /// The collector has the events from one number to before another on disk, if they are of this
    /// stream, and needs these elements (8 bytes each) described again.
    pub fn acked(&mut self, stream: &[u8], (first_seq, next_seq): (u64, u64), need: &[u8]) {
        if self.head.starts_with(stream) {
            self.counts.acked += self.end(first_seq, next_seq);
            for id in need.as_chunks().0 {
                self.catalogue.need(ElementId(u64::from_le_bytes(*id)));
            }
        }
    }

    /// The batch that begins with this event is on disk (an answer without readable body).
    pub fn acked_batch(&mut self, first_seq: u64) {
        self.counts.acked += self.end_batch(first_seq);
    }

    /// The collector will never take the batch that begins with this event.
    pub fn refused(&mut self, first_seq: u64) {
        self.counts.refused += self.end_batch(first_seq);
    }

    /// Gives everything up: the collector does not want this page's events, or the site stopped us.
    pub fn give_up(&mut self) {
        self.counts.dropped += self.end(0, u64::MAX) + self.events as u64;
        self.waiting.clear();
        self.standing = 0;
        self.events = 0;
    }

    /// A batch that is not acked, by the number of its first event.
    #[inline(never)]
    pub fn sealed(&mut self, first_seq: u64) -> Option<&mut Record> {
        let mut place = 0;
        while self.unacked.at(place)?.number != first_seq {
            place += 1;
        }
        self.unacked.at_mut(place)
    }

    /// The batches that are there are to be sent again.
    pub fn back(&mut self, from: u8) {
        while let Some(sealed) = self.unacked.at_mut(self.unacked.find(from, 0)) {
            sealed.kind = whereabouts::HERE;
        }
    }

    fn end_batch(&mut self, first_seq: u64) -> u64 {
        let events = self.sealed(first_seq).map_or(0, |sealed| events(sealed));
        self.end(first_seq, first_seq + events)
    }

    /// Forgets the batches that lie between these numbers; returns how many events they had.
    #[inline(never)]
    fn end(&mut self, first_seq: u64, next_seq: u64) -> u64 {
        let mut ended = 0;
        let mut place = 0;
        while let Some(sealed) = self.unacked.at_mut(place) {
            place += 1;
            let events = events(sealed);
            if first_seq <= sealed.number && sealed.number + events <= next_seq {
                ended += events;
                sealed.kind = GONE;
            }
        }
        self.unacked.sweep();
        ended
    }

    /// Sheds the oldest way of a pointer, or else the oldest scroll; `false` when there is none.
    fn shed(&mut self) -> bool {
        let mut place = self.waiting.find(kind::PATH, self.standing);
        if self.waiting.at(place).is_none() {
            place = self.waiting.find(kind::SCROLL, self.standing);
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
        for at in first..first + count {
            self.sealed_ms = tell(&self.waiting, at, self.sealed_ms, &mut named, out);
            pass(&mut self.waiting, &mut self.head, at);
        }
        let len = out.done().len();
        let sealed = Record {
            number: self.next_seq,
            by: (count as i32, 0),
            ..Record::default()
        };
        self.unacked.finish(sealed, len);
        self.next_seq += count as u64;
    }
}

/// The elements of one batch, each once.
struct Named {
    ids: [ElementId; ELEMENTS_MAX],
    count: usize,
}

impl Named {
    /// The place of an element, from now on.
    #[inline(never)]
    fn place(&mut self, id: ElementId) -> u64 {
        let mut place = 0;
        while place < self.count && self.ids.get(place) != Some(&id) {
            place += 1;
        }
        if place == self.count
            && let Some(free) = self.ids.get_mut(place)
        {
            *free = id;
            self.count += 1;
        }
        place as u64
    }
}

/// Appends an event; returns its time, which is not before the one before.
fn tell(waiting: &Shelf, at: usize, before_ms: u64, named: &mut Named, out: &mut Bytes<'_>) -> u64 {
    let Some(item) = waiting.at(at) else {
        return before_ms;
    };
    // An event whose time is before one already sent has come too late to be put in its place;
    // the order of numbers must be that of time.
    let ms = item.ms.max(before_ms);
    number(out, (ms - before_ms).min(u64::from(u32::MAX)));
    out.push(item.kind);
    let mut rest = waiting.bytes(item);
    let [element, field] = names(waiting, item);
    if let Some(id) = element {
        let mut place = named.place(id);
        if item.kind == kind::SCROLL {
            // Of a scroll, the first bit says that its container follows, and 0 is the page.
            out.push(rest.split_off_first().map_or(0, |fields| fields | 1));
            place += 1;
        }
        number(out, place);
    }
    if item.kind == kind::FORM {
        number(out, field.map_or(0, |id| named.place(id) + 1));
        rest = rest.get(8..).unwrap_or_default();
    }
    if item.kind == kind::VIEW {
        rest = write_page(waiting, at, item, out);
    }
    out.all(rest);
    ms
}

/// The elements an event names: its own, and of a form's the field.
#[inline(never)]
fn names(waiting: &Shelf, item: &Item) -> [Option<ElementId>; 2] {
    let mut field = None;
    if item.kind == kind::FORM
        && let Some(id) = waiting.bytes(item).first_chunk()
        && *id != [0; 8]
    {
        field = Some(ElementId(u64::from_le_bytes(*id)));
    }
    [item.element, field]
}

/// The mark of this kind that stands at a place.
fn standing(waiting: &Shelf, kind: u8, at: usize) -> Option<&Record> {
    let place = waiting.find(kind, 0);
    waiting.at(place).filter(|_| place < at)
}

/// Appends the page of a view, as it stands at a place; returns what else the view has.
fn write_page<'a>(waiting: &'a Shelf, at: usize, view: &Item, out: &mut Bytes<'_>) -> &'a [u8] {
    let mut rest = waiting.bytes(view);
    let mut parts = view.number;
    for part in 0..3 {
        out.all(
            rest.split_off(..parts as usize & 0xffff)
                .unwrap_or_default(),
        );
        parts >>= 16;
        match part {
            0 => match standing(waiting, kind::SESSION, at) {
                Some(visit) => out.all(waiting.bytes(visit)),
                None => out.push(0),
            },
            1 => {
                signed(out, view.by.0);
                signed(out, view.by.1);
            }
            _ => {}
        }
    }
    rest
}

/// Whether two exposures are of the same experiment, whose name comes first.
fn same_experiment(one: &[u8], other: &[u8]) -> bool {
    let length = match *one {
        [low, high, ..] if low >= 0x80 => 2 + usize::from(low & 127 | high << 7),
        [low, ..] => 1 + usize::from(low),
        [] => 0,
    };
    one.get(..length) == other.get(..length)
}

/// Carries the standing marks past an item, as every reader of it will: what it changes takes the
/// place of what stood, and any other item is gone.
fn pass(waiting: &mut Shelf, head: &mut [u8; 40], at: usize) {
    let Some(&item) = waiting.at(at) else {
        return;
    };
    let mut mark = match item.kind {
        kind::VIEW | kind::PAGE => kind::PAGE,
        kind::SESSION => {
            if let Some((_, session)) = head.split_last_chunk_mut() {
                *session = item.number.to_le_bytes();
            }
            kind::SESSION
        }
        kind::EXPOSURE => kind::VARIANT,
        _ => GONE,
    };
    let mut variants = 0;
    for place in 0..at {
        let Some(before) = waiting.at(place) else {
            break;
        };
        let ends = mark == before.kind
            && (mark != kind::VARIANT
                || same_experiment(waiting.bytes(before), waiting.bytes(&item)));
        if let Some(before) = waiting.at_mut(place) {
            match before.kind {
                _ if ends => before.kind = GONE,
                kind::PAGE => before.moves(item.by),
                kind::VARIANT => variants += 1,
                _ => {}
            }
        }
    }
    if mark == kind::VARIANT && variants >= VARIANTS_MAX {
        mark = GONE;
    }
    if let Some(item) = waiting.at_mut(at) {
        item.kind = mark;
    }
}

impl Record {
    fn is_event(&self) -> bool {
        self.kind < kind::MOVED
    }

    /// The page it tells of moves.
    fn moves(&mut self, by: (i32, i32)) {
        self.by.0 = self.by.0.saturating_add(by.0);
        self.by.1 = self.by.1.saturating_add(by.1);
    }
}

impl Default for Named {
    fn default() -> Self {
        Self {
            ids: [ElementId(0); ELEMENTS_MAX],
            count: 0,
        }
    }
}

// The header is that many bytes.
const _: () = assert!(HEADER_BYTES == 7);
// The length of an experiment's name is told in two bytes at most.
const _: () = assert!(NAME_BYTES_MAX < 1 << 14);
// Each event may name two elements.
const _: () = assert!(2 * BATCH_EVENTS_MAX + ASKED_A_BATCH_MAX <= ELEMENTS_MAX);
const _: () = assert!(BATCH_EVENTS_MAX <= EVENTS_MAX);
// One event beyond a full batch must still fit a frame, with a descriptor that was asked for again.
const _: () = assert!(
    BATCH_BYTES_MAX + PROPS_MAX * (NAME_BYTES_MAX + 1_024 + 6) + 4 * NAME_BYTES_MAX
        < FRAME_BYTES_MAX - 2 * 1_024
);
