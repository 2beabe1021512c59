//! What has been recorded and is not yet known to be on the collector's disk.
//!
//! Owns the order of events, their numbers, the cutting into batches, and dropping them on an ack.
//! Refuses to know sockets, requests and when to send. Events get their number only when a batch is
//! cut ([`Queue::seal`]), so what is shed before that leaves no gap; a sealed batch is bytes that
//! never change again but for the time of sending.
//!
//! `seal` is the one door events leave by: persist-before-send belongs there, between the encoding
//! and the batch becoming sendable, and an ack is where a persisted copy goes.

use crate::catalogue::Catalogue;
use crate::encode::{number, signed};
use alloc::boxed::Box;
use alloc::vec::Vec;
use upriver_wire::answer::Ack;
use upriver_wire::envelope::{HEADER_BYTES, VERSION};
use upriver_wire::limits::{ELEMENTS_MAX, EVENTS_MAX, NAME_BYTES_MAX, PROPS_MAX, VARIANTS_MAX};
use upriver_wire::{ElementId, SessionId, StreamId, VisitorId, set_sent_at};

/// Events waiting to be cut into batches; beyond it scrolls are shed first, then what is new.
pub const BACKLOG_EVENTS_MAX: usize = 2_000;
/// Batches cut and not acked; beyond it nothing more is cut.
pub const UNACKED_BATCHES_MAX: usize = 32;
/// Estimated bytes at which a batch is full. The estimate is an upper bound, and one event more
/// than this still fits the wire's frame.
pub const BATCH_BYTES_MAX: usize = 24 * 1024;
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
    /// Another visit begins here: `ms` is its number, `bytes` the campaign.
    pub const SESSION: u8 = 129;
    /// A page view was shed: what follows is on this page.
    pub const PAGE: u8 = 130;
}

/// Where a sealed batch is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Whereabouts {
    /// Waiting to be sent, or to be sent again.
    Here,
    /// Sent over the socket at this time (ms), not acked.
    OnSocket(f64),
    /// In a request that has not ended.
    InRequest,
}

/// A batch that has been cut.
#[derive(Debug)]
pub struct Sealed {
    /// Number of its first event.
    pub first_seq: u64,
    /// One past the number of its last event.
    pub next_seq: u64,
    /// The envelope.
    pub bytes: Vec<u8>,
    /// Where it is.
    pub at: Whereabouts,
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

/// A page, in the parts the wire has between the numbers that change here.
#[derive(Debug, Default)]
pub struct Page {
    /// Number of the view.
    pub view: u64,
    /// Host and path.
    pub place: Vec<u8>,
    /// The campaign, or that there is none.
    pub campaign: Vec<u8>,
    /// Device, viewport, document.
    pub sizes: Vec<u8>,
    /// Scroll position.
    pub scroll: (i32, i32),
    /// Device pixels per CSS pixel, percent.
    pub ratio: u32,
    /// Version of the site.
    pub release: Vec<u8>,
}

/// Something recorded.
#[derive(Debug, Default)]
pub struct Item {
    /// One of [`kind`].
    pub kind: u8,
    /// When, Unix ms.
    pub ms: u64,
    /// The element it names.
    pub element: Option<ElementId>,
    /// The field a form's event names besides.
    pub field: Option<ElementId>,
    /// How far the page moves by it.
    pub by: (i32, i32),
    /// What the wire has for it after its kind, element and page.
    pub bytes: Vec<u8>,
    /// The page it brings.
    pub page: Option<Box<Page>>,
}

/// Events in order, from being recorded to being acked.
#[derive(Debug)]
pub struct Queue {
    /// Elements and whether the collector knows them.
    pub catalogue: Catalogue,
    /// The sums.
    pub counts: Counts,
    stream: StreamId,
    visitor: VisitorId,
    next_seq: u64,
    items: Vec<Item>,
    events: usize,
    /// As it is before the first item.
    session: SessionId,
    page: Option<Box<Page>>,
    variants: Vec<Vec<u8>>,
    sealed_ms: u64,
    unacked: Vec<Sealed>,
}

impl Queue {
    /// An empty queue of a new stream.
    pub fn new(stream: StreamId, visitor: VisitorId, session: SessionId) -> Self {
        Self {
            catalogue: Catalogue::default(),
            counts: Counts::default(),
            stream,
            visitor,
            next_seq: 0,
            items: Vec::new(),
            events: 0,
            session,
            page: None,
            variants: Vec::new(),
            sealed_ms: 0,
            unacked: Vec::new(),
        }
    }

    /// Takes an event that moves no page and brings none.
    #[inline(never)]
    pub fn tell_of(
        &mut self,
        kind: u8,
        ms: u64,
        element: Option<ElementId>,
        field: Option<ElementId>,
        bytes: Vec<u8>,
    ) {
        self.push(Item {
            kind,
            ms,
            element,
            field,
            bytes,
            ..Item::default()
        });
    }

    /// Takes an event. It is put in its place by time, but never before a page view or a mark.
    pub fn push(&mut self, item: Item) {
        self.counts.recorded += 1;
        if self.events >= BACKLOG_EVENTS_MAX && !self.shed() {
            self.counts.dropped += 1;
            let kind = match item.kind {
                kind::VIEW => kind::PAGE,
                _ if item.by != (0, 0) => kind::MOVED,
                _ => return,
            };
            return self.mark(Item { kind, ..item });
        }
        let mut place = self.items.len();
        while let Some(before) = place.checked_sub(1).and_then(|at| self.items.get(at))
            && before.kind > kind::VIEW
            && before.is_event()
            && before.ms > item.ms
        {
            place -= 1;
        }
        self.items.insert(place.min(self.items.len()), item);
        self.events += 1;
    }

    /// Takes a mark. Marks of a kind merge, so that shedding for hours takes no memory.
    pub fn mark(&mut self, mark: Item) {
        if let Some(last) = self.items.last_mut() {
            match (last.kind, mark.kind) {
                (kind::MOVED, kind::MOVED) => {
                    last.by.0 = last.by.0.wrapping_add(mark.by.0);
                    last.by.1 = last.by.1.wrapping_add(mark.by.1);
                    return;
                }
                (kind::PAGE, kind::MOVED) => return scroll(&mut last.page, mark.by),
                (kind::PAGE, kind::PAGE) | (kind::SESSION, kind::SESSION) => {
                    *last = mark;
                    return;
                }
                _ => {}
            }
        }
        self.items.push(mark);
    }

    /// Time of the oldest event that is not in a batch yet, ms.
    pub fn waiting_ms(&self) -> Option<f64> {
        let first = self.items.iter().find(|item| item.is_event());
        first.map(|item| item.ms as f64)
    }

    /// Cuts the next batch; `false` when nothing waits or too much is under way.
    pub fn seal(&mut self, now_ms: f64) -> bool {
        if self.unacked.len() >= UNACKED_BATCHES_MAX {
            return false;
        }
        while let Some(mark) = self.items.first()
            && !mark.is_event()
        {
            let mark = self.items.remove(0);
            self.pass(mark);
        }
        let count = self.fitting();
        let Some(first) = self.items.first() else {
            return false;
        };
        let first_ms = first.ms.max(self.sealed_ms);
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(&[VERSION, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&self.stream.0.to_le_bytes());
        bytes.extend_from_slice(&self.visitor.0.to_le_bytes());
        bytes.extend_from_slice(&self.session.0.to_le_bytes());
        number(&mut bytes, self.next_seq);
        number(&mut bytes, first_ms);
        match &self.page {
            Some(page) if first.kind != kind::VIEW => {
                bytes.push(1);
                page.write(&mut bytes);
            }
            _ => bytes.push(0),
        }
        number(&mut bytes, self.variants.len() as u64);
        for variant in &self.variants {
            bytes.extend_from_slice(variant);
        }
        self.sealed_ms = first_ms;
        let (mut ids, mut elements, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let item = self.items.remove(0);
            self.tell(item, &mut ids, &mut elements, &mut events);
        }
        let asked = self.catalogue.asked_again(&mut elements);
        number(&mut bytes, (ids.len() + asked) as u64);
        bytes.extend_from_slice(&elements);
        number(&mut bytes, count as u64);
        bytes.extend_from_slice(&events);
        set_sent_at(&mut bytes, now_ms as u64);
        let first_seq = self.next_seq;
        self.events -= count;
        self.next_seq += count as u64;
        self.unacked.push(Sealed {
            first_seq,
            next_seq: self.next_seq,
            bytes,
            at: Whereabouts::Here,
        });
        true
    }

    /// The batches that are not acked, oldest first.
    pub fn unacked(&mut self) -> &mut Vec<Sealed> {
        &mut self.unacked
    }

    /// Whether everything recorded has come to an end.
    pub fn is_empty(&self) -> bool {
        self.events == 0 && self.unacked.is_empty()
    }

    /// The collector has these events on disk.
    pub fn acked(&mut self, ack: &Ack) {
        if ack.stream == self.stream {
            self.counts.acked += self.end(ack.first_seq, ack.next_seq);
            self.catalogue.need(&ack.need);
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
        self.items.clear();
        self.events = 0;
    }

    fn end_batch(&mut self, first_seq: u64) -> u64 {
        let mut unacked = self.unacked.iter();
        match unacked.find(|sealed| sealed.first_seq == first_seq) {
            Some(sealed) => self.end(first_seq, sealed.next_seq),
            None => 0,
        }
    }

    /// Forgets the batches that lie between these numbers; returns how many events they had.
    fn end(&mut self, first_seq: u64, next_seq: u64) -> u64 {
        let mut events = 0;
        self.unacked.retain(|sealed| {
            let ends = first_seq <= sealed.first_seq && sealed.next_seq <= next_seq;
            if ends {
                events += sealed.next_seq - sealed.first_seq;
            }
            !ends
        });
        events
    }

    /// Sheds the oldest scroll; `false` when there is none.
    fn shed(&mut self) -> bool {
        let scroll = self.items.iter_mut().find(|it| it.kind == kind::SCROLL);
        if let Some(item) = scroll {
            // The place stays: what follows it needs to know where the page stands.
            item.kind = kind::MOVED;
            item.bytes = Vec::new();
            self.events -= 1;
            self.counts.dropped += 1;
            return true;
        }
        false
    }

    /// How many items from the first go into the next batch.
    fn fitting(&self) -> usize {
        let mut bytes = BATCH_HEAD_BYTES + self.page.as_ref().map_or(0, |page| page.bytes());
        for variant in &self.variants {
            bytes += variant.len();
        }
        let mut count = 0;
        for item in &self.items {
            bytes += EVENT_BYTES + item.bytes.len();
            bytes += item.page.as_ref().map_or(0, |page| page.bytes());
            for id in item.element.into_iter().chain(item.field) {
                bytes += self.catalogue.bytes(id);
            }
            if !item.is_event()
                || count == EVENTS_MAX.min(ELEMENTS_MAX / 2)
                || (count > 0 && bytes > BATCH_BYTES_MAX)
            {
                break;
            }
            count += 1;
        }
        count
    }

    /// Appends an event to a batch, and what it names to the batch's elements.
    fn tell(
        &mut self,
        item: Item,
        ids: &mut Vec<ElementId>,
        elements: &mut Vec<u8>,
        events: &mut Vec<u8>,
    ) {
        // An event whose time is before one already sent has come too late to be put in its place;
        // the order of numbers must be that of time.
        let ms = item.ms.max(self.sealed_ms);
        number(events, (ms - self.sealed_ms).min(u64::from(u32::MAX)));
        self.sealed_ms = ms;
        events.push(item.kind);
        let mut rest = &item.bytes[..];
        let seen = item.kind == kind::IMPRESSION;
        let mut place_of = |id: ElementId| {
            let known = ids.iter().position(|known| *known == id);
            if known.is_none() {
                ids.push(id);
                self.catalogue.write(id, seen, elements);
            }
            known.unwrap_or(ids.len() - 1)
        };
        if let Some(id) = item.element {
            let mut place = place_of(id);
            if item.kind == kind::SCROLL {
                // Of a scroll, the first bit says that its container follows, and 0 is the page.
                events.push(rest.split_off_first().map_or(0, |fields| fields | 1));
                place += 1;
            }
            number(events, place as u64);
            if item.kind == kind::FORM {
                number(events, item.field.map_or(0, |id| place_of(id) as u64 + 1));
            }
        }
        if let Some(page) = &item.page {
            page.write(events);
        }
        events.extend_from_slice(rest);
        self.pass(item);
    }

    /// Carries page, scroll position and variants past an event, as every reader of it will, and
    /// the visit past a mark.
    fn pass(&mut self, item: Item) {
        match item.kind {
            kind::VIEW | kind::PAGE => self.page = item.page,
            kind::SESSION => {
                self.session = SessionId(item.ms);
                if let Some(page) = &mut self.page {
                    // A campaign belongs to the visit it brought.
                    page.campaign = item.bytes;
                }
            }
            kind::EXPOSURE => {
                let shown = item.bytes;
                // The experiment: its length, in one byte or two, and its name.
                let length = match *shown {
                    [low, high, ..] if low >= 0x80 => 2 + usize::from(low & 127 | high << 7),
                    [low, ..] => 1 + usize::from(low),
                    [] => 0,
                };
                let experiment = shown.get(..length).unwrap_or_default();
                self.variants
                    .retain(|variant| !variant.starts_with(experiment));
                if self.variants.len() < VARIANTS_MAX {
                    self.variants.push(shown);
                }
            }
            _ => scroll(&mut self.page, item.by),
        }
    }
}

impl Item {
    fn is_event(&self) -> bool {
        self.kind < kind::MOVED
    }
}

impl Page {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.view.to_le_bytes());
        out.extend_from_slice(&self.place);
        out.extend_from_slice(&self.campaign);
        out.extend_from_slice(&self.sizes);
        signed(out, self.scroll.0);
        signed(out, self.scroll.1);
        number(out, u64::from(self.ratio));
        out.extend_from_slice(&self.release);
    }

    /// Upper bound.
    fn bytes(&self) -> usize {
        PAGE_BYTES + self.place.len() + self.campaign.len() + self.sizes.len() + self.release.len()
    }
}

fn scroll(page: &mut Option<Box<Page>>, (dx, dy): (i32, i32)) {
    if let Some(page) = page {
        page.scroll.0 = page.scroll.0.saturating_add(dx);
        page.scroll.1 = page.scroll.1.saturating_add(dy);
    }
}

// The header below is that many bytes.
const _: () = assert!(HEADER_BYTES == 7);
// The length of an experiment's name is told in two bytes at most.
const _: () = assert!(NAME_BYTES_MAX < 1 << 14);
// One event beyond a full batch must still fit a frame, with a descriptor that was asked for again.
const _: () = assert!(
    BATCH_BYTES_MAX + PROPS_MAX * (NAME_BYTES_MAX + 1_024 + 6) + 4 * NAME_BYTES_MAX
        < upriver_wire::limits::FRAME_BYTES_MAX - 2 * 1_024
);
