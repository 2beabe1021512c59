//! How a batch is written: what fits into it, what stands when it begins, the elements it names, its events.
//!
//! Owns what an event of the queue is on the wire, and what is known of pages, visits and variants when it
//! has been written. Refuses to know when a batch is cut, and what becomes of it.

use crate::encode::span;
use crate::kind;
use crate::queue::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Queue, is_minor};
use crate::shelf::{GONE, Record};
use crate::words::{CONTEXT, VARIANT};
use upriver_wire::ElementId;
use upriver_wire::envelope::{HEADER_BYTES, VERSION};
use upriver_wire::limits::{ELEMENTS_MAX, NAME_BYTES_MAX, VARIANTS_MAX};

/// Upper bound of what a batch takes before its events: ids and counts.
const BATCH_HEAD_BYTES: usize = 128;
/// Upper bound of an event's numbers and tags, with its element's id.
const EVENT_BYTES: usize = 32;

impl Queue {
    /// How many events go into the next batch, whose elements are listed, and whether (1) one of them matters.
    pub(crate) fn fitting(&mut self, first: &Record) -> (usize, u32) {
        let mut bytes = BATCH_HEAD_BYTES;
        let mut place = 0;
        while let Some(it) = self.words.at(place) {
            if it.kind >= CONTEXT {
                bytes += it.len;
            }
            place += 1;
        }
        self.named.clear();
        let (mut stands, mut page) = (first.at, first.page);
        let mut matters = 0;
        let mut count = 0;
        while let Some(item) = self.waiting.at(count) {
            let goes_on = item.page == page && item.at == stands || item.kind == kind::VIEW;
            bytes += EVENT_BYTES + item.len;
            bytes += self.words.due_bytes(item.element) + self.words.due_bytes(item.field);
            if item.kind == kind::VIEW {
                bytes += self.words.of(item.page).len();
            }
            if !goes_on
                || item.visit != first.visit
                || count == BATCH_EVENTS_MAX
                || count > 0 && bytes > BATCH_BYTES_MAX
            {
                break;
            }
            page = item.page;
            stands = item.at + item.by;
            count += 1;
            matters |= u32::from(!is_minor(item.kind));
            for &id in &[item.element, item.field] {
                if id != 0 {
                    self.named.place(id, ELEMENTS_MAX);
                    // Of one that was only seen, others have told before.
                    if item.kind != kind::IMPRESSION {
                        self.words.want(id, false);
                    }
                }
            }
        }
        self.words.asked(&mut self.named);
        (count, matters)
    }

    /// Writes a batch of so many events.
    pub(crate) fn cut(&mut self, first: &Record, count: usize) {
        self.draft.clear();
        self.draft.fixed(u64::from(VERSION), HEADER_BYTES);
        for half in &self.head {
            self.draft.fixed(*half, 8);
        }
        let visit = self.words.of(first.visit);
        self.draft.all(visit.get(..8).unwrap_or_default());
        self.sealed_ms = self.sealed_ms.max(first.ms);
        self.draft.number(self.next_seq);
        self.draft.number(self.sealed_ms as u64);
        let inline = first.kind != kind::VIEW && self.words.knows(first.page.into());
        self.draft.push(u8::from(inline));
        if inline {
            self.write_page(first, false);
        }
        // Their number, and then they.
        let mut variants = 0;
        for &counted in &[false, true] {
            let mut place = 0;
            while let Some(variant) = self.words.at(place) {
                if variant.kind == VARIANT {
                    if counted {
                        self.draft.all(self.words.bytes(place));
                    } else {
                        variants += 1;
                    }
                }
                place += 1;
            }
            if !counted {
                self.draft.number(variants);
            }
        }
        self.words.write(&self.named, &mut self.draft);
        self.seen = [0; 7];
        self.draft.number(count as u64);
        for place in 0..count {
            self.write(place, variants);
        }
    }

    /// Appends the event at a place, which is gone then.
    fn write(&mut self, place: usize, variants: u64) {
        let Some(item) = self.waiting.at_mut(place) else {
            return;
        };
        let kind = item.kind;
        item.kind = GONE;
        let item = *item;
        // An event whose time is before one already sent has come too late to be put in its place;
        // the order of numbers must be that of time.
        let ms = item.ms.max(self.sealed_ms);
        self.draft.number(span(self.sealed_ms, ms).into());
        self.sealed_ms = ms;
        self.draft.push(kind);
        let mut rest = self.waiting.bytes(place);
        if item.element != 0 {
            let mut place = self.named.place(item.element, 0);
            if kind == kind::SCROLL
                && let Some((fields, others)) = rest.split_first()
            {
                // Of a scroll, the first bit says that its container follows, and 0 is the page.
                self.draft.push(fields | 1);
                rest = others;
                place += 1;
            }
            if kind == kind::IMPRESSION {
                // What differs from the one before: the element's place, then how it looks.
                let mut now = place as i32;
                for before in &mut self.seen {
                    self.draft.signed(now.wrapping_sub(*before));
                    *before = now;
                    (now, rest) = int(rest);
                }
            } else {
                self.draft.number(place as u64);
            }
        }
        if kind == kind::FORM {
            let place = match item.field {
                0 => 0,
                field => self.named.place(field, 0) as u64 + 1,
            };
            self.draft.number(place);
        }
        self.draft.all(rest);
        if kind == kind::EXPOSURE && variants < VARIANTS_MAX as u64 {
            self.words.put(VARIANT, experiment(rest), 0, rest);
        }
        if kind == kind::VIEW {
            self.write_page(&item, true);
        }
    }

    /// Appends the page of an event, as it stands before it; and, `shown`, what else its view has.
    fn write_page(&mut self, item: &Record, shown: bool) {
        let place = self.words.called(item.page.into());
        let mut parts = self.words.at(place).map_or(0, |it| it.element);
        let mut rest = self.words.bytes(place);
        let visit = self.words.of(item.visit);
        for part in 0..3 {
            let (bytes, others) = rest
                .split_at_checked(parts as usize & 0xffff)
                .unwrap_or_default();
            rest = others;
            parts >>= 16;
            self.draft.all(bytes);
            match part {
                0 => self.draft.all(visit.get(8..).unwrap_or_default()),
                1 => {
                    let down = item.at as i32;
                    self.draft
                        .signed(((item.at - i64::from(down)) >> 32) as i32);
                    self.draft.signed(down);
                }
                _ => {}
            }
        }
        if shown {
            self.draft.all(rest);
        }
    }

    /// Forgets the pages and visits that no event waits for any more.
    pub(crate) fn forget(&mut self) {
        let (page, visit) = match self.waiting.at(0) {
            Some(first) => (first.page, first.visit),
            None => (self.page, self.visit),
        };
        let mut place = 0;
        while let Some(word) = self.words.at_mut(place) {
            let name = word.number as u32;
            if word.kind == CONTEXT && name < page.max(visit) && name != page && name != visit {
                word.kind = GONE;
            }
            place += 1;
        }
        self.words.sweep();
    }
}

/// The whole number that these bytes begin with, its lowest byte first, and those after it.
fn int(bytes: &[u8]) -> (i32, &[u8]) {
    let (four, rest) = bytes.split_at_checked(4).unwrap_or_default();
    let mut value = 0;
    for byte in four.iter().rev() {
        value = value << 8 | i32::from(*byte);
    }
    (value, rest)
}

/// What an exposure's experiment is called: its name comes first, after its length in at most two
/// bytes, of which a second one is never more than that of the longest name.
fn experiment(exposure: &[u8]) -> u64 {
    let len = match *exposure {
        [low, high, ..] if low >= 0x80 => 2 + usize::from(low & 127 | high << 7),
        [low, ..] => 1 + usize::from(low),
        [] => 0,
    };
    ElementId::of_bytes(exposure.get(..len).unwrap_or_default()).0
}

// The length of an experiment's name is told in two bytes at most.
const _: () = assert!(NAME_BYTES_MAX < 1 << 14);
