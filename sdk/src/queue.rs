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
use crate::weight::{PAGE_BYTES, body_bytes, page_bytes, variant_bytes};
use alloc::boxed::Box;
use alloc::vec::Vec;
use upriver_wire::answer::Ack;
use upriver_wire::batch::{Campaign, Element, Page, PageRef, Variant};
use upriver_wire::limits::{ELEMENTS_MAX, EVENTS_MAX, NAME_BYTES_MAX, PROPS_MAX, VARIANTS_MAX};
use upriver_wire::{Batch, Body, ElementId, Event, SessionId, StreamId, VisitorId, encode};

/// Events waiting to be cut into batches; beyond it scrolls are shed first, then what is new.
pub const BACKLOG_EVENTS_MAX: usize = 2_000;
/// Batches cut and not acked; beyond it nothing more is cut.
pub const UNACKED_BATCHES_MAX: usize = 32;
/// Estimated bytes at which a batch is full. The estimate is an upper bound, and one event more
/// than this still fits the wire's frame.
pub const BATCH_BYTES_MAX: usize = 24 * 1024;
/// Upper bound of what a batch takes before its events: ids, page, variants.
const BATCH_HEAD_BYTES: usize = 64;
/// Upper bound of an event's numbers and tags, with its element's id.
const EVENT_BYTES: usize = 48;

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

#[derive(Debug)]
enum Item {
    Event {
        ms: u64,
        element: Option<ElementId>,
        body: Body,
    },
    /// The page stands elsewhere, and no event says so.
    Moved(i32, i32),
    /// Another visit begins here.
    Session(SessionId, Option<Campaign>),
    /// A page view was shed: what follows is on this page.
    Page(Box<Page>),
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
    page: Option<Page>,
    variants: Vec<Variant>,
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

    /// Takes an event. It is put in its place by time, but never before a page view. `element`: the
    /// one its body names (the body's own position is filled in when the batch is cut).
    pub fn push(&mut self, ms: f64, element: Option<ElementId>, body: Body) {
        self.counts.recorded += 1;
        if self.events >= BACKLOG_EVENTS_MAX && !self.shed() {
            self.counts.dropped += 1;
            match body {
                Body::PageView(view) => self.mark(Item::Page(Box::new(view.page))),
                Body::Scroll(scroll) if element.is_none() => self.moved(scroll.dx, scroll.dy),
                _ => {}
            }
            return;
        }
        let ms = ms as u64;
        let later = |item: &Item| {
            matches!(item, Item::Event { ms: other, body, .. }
                if *other > ms && !matches!(body, Body::PageView(_)))
        };
        let place = self
            .items
            .iter()
            .rposition(|item| !later(item))
            .map_or(0, |before| before + 1);
        self.items.insert(place, Item::Event { ms, element, body });
        self.events += 1;
    }

    /// The page stands elsewhere by so much, and no event will say so.
    pub fn moved(&mut self, dx: i32, dy: i32) {
        self.mark(Item::Moved(dx, dy));
    }

    /// Another visit begins, brought by this campaign.
    pub fn session(&mut self, session: SessionId, campaign: Option<Campaign>) {
        self.mark(Item::Session(session, campaign));
    }

    /// Time of the oldest event that is not in a batch yet, ms.
    pub fn waiting_ms(&self) -> Option<f64> {
        self.items.iter().find_map(|item| match item {
            Item::Event { ms, .. } => Some(*ms as f64),
            _ => None,
        })
    }

    /// Cuts the next batch; `false` when nothing waits or too much is under way.
    pub fn seal(&mut self, now_ms: f64) -> bool {
        if self.unacked.len() >= UNACKED_BATCHES_MAX {
            return false;
        }
        let marks = self
            .items
            .iter()
            .position(|item| matches!(item, Item::Event { .. }));
        for mark in self
            .items
            .drain(..marks.unwrap_or(self.items.len()))
            .collect::<Vec<_>>()
        {
            self.pass(mark);
        }
        let count = self.fitting();
        if count == 0 {
            return false;
        }
        let mut batch = Batch {
            stream: self.stream,
            visitor: self.visitor,
            session: self.session,
            first_seq: self.next_seq,
            variants: self.variants.clone(),
            page: match (self.items.first(), &self.page) {
                (
                    Some(Item::Event {
                        body: Body::PageView(_),
                        ..
                    }),
                    _,
                )
                | (_, None) => PageRef::None,
                (_, Some(page)) => PageRef::Inline(page.clone()),
            },
            ..Batch::default()
        };
        for item in self.items.drain(..count).collect::<Vec<_>>() {
            let Item::Event {
                ms,
                element,
                mut body,
            } = item
            else {
                continue;
            };
            // An event whose time is before one already sent has come too late to be put in its
            // place; the order of numbers must be that of time.
            let ms = ms.max(self.sealed_ms);
            let delta_ms = ms
                - if batch.events.is_empty() {
                    ms
                } else {
                    self.sealed_ms
                };
            if batch.events.is_empty() {
                batch.first_ms = ms;
            }
            self.sealed_ms = ms;
            name_element(&mut batch.elements, &mut self.catalogue, element, &mut body);
            self.follow(&body);
            batch.events.push(Event {
                delta_ms: u32::try_from(delta_ms).unwrap_or(u32::MAX),
                body,
            });
        }
        self.catalogue.asked_again(&mut batch.elements);
        self.events -= count;
        self.next_seq += count as u64;
        self.unacked.push(Sealed {
            first_seq: batch.first_seq,
            next_seq: self.next_seq,
            bytes: encode(&batch, now_ms as u64),
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
        if ack.stream != self.stream {
            return;
        }
        let acked = &mut self.counts.acked;
        self.unacked.retain(|sealed| {
            let durable = ack.first_seq <= sealed.first_seq && sealed.next_seq <= ack.next_seq;
            if durable {
                *acked += sealed.next_seq - sealed.first_seq;
            }
            !durable
        });
        self.catalogue.need(&ack.need);
    }

    /// The batch that begins with this event is on disk (an answer without readable body).
    pub fn acked_batch(&mut self, first_seq: u64) {
        let known = self
            .unacked
            .iter()
            .find(|sealed| sealed.first_seq == first_seq);
        if let Some(next_seq) = known.map(|sealed| sealed.next_seq) {
            self.acked(&Ack {
                stream: self.stream,
                first_seq,
                next_seq,
                need: Vec::new(),
            });
        }
    }

    /// The collector will never take the batch that begins with this event.
    pub fn refused(&mut self, first_seq: u64) {
        let refused = &mut self.counts.refused;
        self.unacked.retain(|sealed| {
            if sealed.first_seq == first_seq {
                *refused += sealed.next_seq - sealed.first_seq;
            }
            sealed.first_seq != first_seq
        });
    }

    /// Gives everything up: the collector does not want this page's events, or the site stopped us.
    pub fn give_up(&mut self) {
        let sealed: u64 = self
            .unacked
            .iter()
            .map(|sealed| sealed.next_seq - sealed.first_seq)
            .sum();
        self.counts.dropped += sealed + self.events as u64;
        self.unacked.clear();
        self.items.clear();
        self.events = 0;
    }

    fn mark(&mut self, mark: Item) {
        // Marks of a kind merge, so that shedding for hours takes no memory.
        match (self.items.last_mut(), mark) {
            (Some(Item::Moved(x, y)), Item::Moved(dx, dy)) => {
                *x = x.wrapping_add(dx);
                *y = y.wrapping_add(dy);
            }
            (Some(Item::Page(page)), Item::Page(new)) => *page = new,
            (Some(Item::Page(page)), Item::Moved(dx, dy)) => scroll(page, dx, dy),
            (Some(last @ Item::Session(..)), new @ Item::Session(..)) => *last = new,
            (_, mark) => self.items.push(mark),
        }
    }

    /// Sheds the oldest scroll; `false` when there is none.
    fn shed(&mut self) -> bool {
        for item in &mut self.items {
            if let Item::Event {
                element,
                body: Body::Scroll(scroll),
                ..
            } = item
            {
                let (dx, dy) = if element.is_none() {
                    (scroll.dx, scroll.dy)
                } else {
                    (0, 0)
                };
                // The place stays: what follows it needs to know where the page stands.
                *item = Item::Moved(dx, dy);
                self.events -= 1;
                self.counts.dropped += 1;
                return true;
            }
        }
        false
    }

    /// How many items from the first go into the next batch.
    fn fitting(&self) -> usize {
        let mut bytes = BATCH_HEAD_BYTES + PAGE_BYTES;
        bytes += self.page.as_ref().map_or(0, page_bytes);
        bytes += self.variants.iter().map(variant_bytes).sum::<usize>();
        let mut count = 0;
        for item in &self.items {
            let Item::Event { element, body, .. } = item else {
                break;
            };
            bytes += EVENT_BYTES + body_bytes(body);
            bytes += element.map_or(0, |id| self.catalogue.bytes(id));
            if count == EVENTS_MAX.min(ELEMENTS_MAX / 2) || (count > 0 && bytes > BATCH_BYTES_MAX) {
                break;
            }
            count += 1;
        }
        count
    }

    fn pass(&mut self, mark: Item) {
        match mark {
            Item::Session(session, campaign) => {
                self.session = session;
                if let Some(page) = &mut self.page {
                    // A campaign belongs to the visit it brought.
                    page.campaign = campaign;
                }
            }
            Item::Moved(dx, dy) => {
                if let Some(page) = &mut self.page {
                    scroll(page, dx, dy);
                }
            }
            Item::Page(page) => self.page = Some(*page),
            Item::Event { .. } => {}
        }
    }

    /// Carries page, scroll position and variants past an event, as every reader of it will.
    fn follow(&mut self, body: &Body) {
        match body {
            Body::PageView(view) => self.page = Some(view.page.clone()),
            Body::Scroll(gesture) if gesture.container == 0 => {
                if let Some(page) = &mut self.page {
                    scroll(page, gesture.dx, gesture.dy);
                }
            }
            Body::Exposure(shown) => {
                self.variants
                    .retain(|variant| variant.experiment != shown.experiment);
                if self.variants.len() < VARIANTS_MAX {
                    self.variants.push(shown.clone());
                }
            }
            _ => {}
        }
    }
}

fn scroll(page: &mut Page, dx: i32, dy: i32) {
    page.scroll.x = page.scroll.x.saturating_add_signed(dx);
    page.scroll.y = page.scroll.y.saturating_add_signed(dy);
}

/// Enters an element into a batch's list and its position into the event.
fn name_element(
    elements: &mut Vec<Element>,
    catalogue: &mut Catalogue,
    element: Option<ElementId>,
    body: &mut Body,
) {
    let Some(id) = element else { return };
    let known = elements.iter().position(|element| element.id == id);
    let place = known.unwrap_or_else(|| {
        elements.push(Element {
            id,
            descriptor: catalogue.descriptor(id),
        });
        elements.len() - 1
    });
    let place = place as u16;
    match body {
        Body::Press(press) => press.element = place,
        Body::Swipe(swipe) => swipe.element = place,
        Body::Scroll(scroll) => scroll.container = place + 1,
        _ => {}
    }
}

// One event beyond a full batch must still fit a frame, with a descriptor that was asked for again.
const _: () = assert!(
    BATCH_BYTES_MAX + PROPS_MAX * (NAME_BYTES_MAX + 1_024 + 6) + 4 * NAME_BYTES_MAX
        < upriver_wire::limits::FRAME_BYTES_MAX - 2 * 1_024
);
