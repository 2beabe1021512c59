//! How a batch is written: its events, the elements they name, and what stands when they begin.
//!
//! Owns what an item of the queue is on the wire. Refuses to know when a batch is cut, and what becomes
//! of it.

use crate::encode::{Bytes, number, signed};
use crate::queue::{Item, kind};
use crate::shelf::{GONE, Record, Shelf};
use upriver_wire::ElementId;
use upriver_wire::limits::{ELEMENTS_MAX, NAME_BYTES_MAX, VARIANTS_MAX};

/// The elements of one batch, each once.
pub(crate) struct Named {
    pub(crate) ids: [ElementId; ELEMENTS_MAX],
    pub(crate) count: usize,
}

impl Named {
    /// The place of an element, from now on.
    #[inline(never)]
    pub(crate) fn place(&mut self, id: ElementId) -> u64 {
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
pub(crate) fn tell(
    waiting: &Shelf,
    at: usize,
    before_ms: u64,
    named: &mut Named,
    out: &mut Bytes<'_>,
) -> u64 {
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
pub(crate) fn names(waiting: &Shelf, item: &Item) -> [Option<ElementId>; 2] {
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
pub(crate) fn standing(waiting: &Shelf, kind: u8, at: usize) -> Option<&Record> {
    let place = waiting.find(kind, 0);
    waiting.at(place).filter(|_| place < at)
}

/// Appends the page of a view, as it stands at a place; returns what else the view has.
pub(crate) fn write_page<'a>(
    waiting: &'a Shelf,
    at: usize,
    view: &Item,
    out: &mut Bytes<'_>,
) -> &'a [u8] {
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
pub(crate) fn pass(waiting: &mut Shelf, head: &mut [u8; 40], at: usize) {
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

impl Default for Named {
    fn default() -> Self {
        Self {
            ids: [ElementId(0); ELEMENTS_MAX],
            count: 0,
        }
    }
}

// The length of an experiment's name is told in two bytes at most.
const _: () = assert!(NAME_BYTES_MAX < 1 << 14);
