//! What events refer to, kept until the page goes: the elements it has named, its pages, visits and
//! variants.
//!
//! Owns their bytes, as the wire has them, and which elements the collector has been told about. Refuses
//! to know how they are made. A descriptor travels once a stream, and again when an answer asks for
//! it; that of an element that was only seen travels when it is asked for, because others have seen
//! it before.

use crate::encode::Bytes;
use crate::list::List;
use crate::shelf::{GONE, Record, Shelf};

/// Elements and the like remembered; beyond it the oldest element is forgotten, which is described again
/// when it is next used.
pub const WORDS_MAX: usize = 512;
/// Descriptors asked for that travel with one batch.
pub const ASKED_A_BATCH_MAX: usize = 16;

// What is to be done with a descriptor.
const SENT: u8 = 0;
const SEEN: u8 = 1;
const DUE: u8 = 2;
const ASKED: u8 = 3;
/// A page or a visit. Its name is that of its time; a page's `element` tells its parts.
pub(crate) const CONTEXT: u8 = 4;
/// A variant that stands; its name is that of its experiment.
pub(crate) const VARIANT: u8 = 5;

/// Everything that is referred to, by name: of an element, its identity.
pub type Words = Shelf;

impl Words {
    /// Whether something is known.
    pub fn knows(&self, number: u64) -> bool {
        self.called(number) < self.count
    }

    /// Describes an element, unless it has been. `descriptor`: as the wire writes it.
    pub fn describe(&mut self, id: u64, descriptor: &[u8]) {
        if !self.knows(id) {
            self.put(SEEN, id, 0, descriptor);
        }
    }

    /// Keeps some words, in place of what was called so before.
    #[inline(never)]
    pub(crate) fn put(&mut self, kind: u8, number: u64, parts: u64, bytes: &[u8]) {
        if let Some(old) = self.at_mut(self.called(number)) {
            old.kind = GONE;
        }
        while self.count >= WORDS_MAX || !self.has_room(bytes.len()) {
            let mut oldest = 0;
            while self.at(oldest).is_some_and(|it| it.kind >= CONTEXT) {
                oldest += 1;
            }
            let Some(oldest) = self.at_mut(oldest) else {
                break;
            };
            oldest.kind = GONE;
            self.sweep();
        }
        self.sweep();
        let record = Record {
            kind,
            number,
            element: parts,
            ..Record::NONE
        };
        self.insert(self.count, &record, bytes);
    }

    /// The collector asks for this one (at least [`ASKED`]), or an event tells more of it than that it
    /// was seen.
    pub(crate) fn want(&mut self, id: u64, asked: bool) {
        if let Some(known) = self.at_mut(self.called(id))
            && known.kind < CONTEXT
        {
            if asked {
                known.kind = ASKED;
            } else if known.kind == SEEN {
                known.kind = DUE;
            }
        }
    }

    /// Lists some of those that were asked for.
    pub(crate) fn asked(&self, named: &mut List) {
        let most = named.count + ASKED_A_BATCH_MAX;
        let mut place = 0;
        while let Some(known) = self.at(place) {
            if known.kind == ASKED {
                named.place(known.number, most);
            }
            place += 1;
        }
    }

    /// Appends the elements listed, each with its descriptor if that has yet to be sent; from now on they
    /// count as sent.
    pub(crate) fn write(&mut self, named: &List, out: &mut Bytes) {
        out.number(named.count as u64);
        for place in 0..named.count {
            let id = named.at(place);
            out.fixed(id, 8);
            let place = self.called(id);
            let due = match self.at_mut(place) {
                Some(known) if known.kind >= DUE => {
                    known.kind = SENT;
                    true
                }
                _ => false,
            };
            out.push(u8::from(due));
            if due {
                out.all(self.bytes(place));
            }
        }
    }

    /// The words of a page or visit.
    #[inline(never)]
    pub(crate) fn of(&self, context: u32) -> &[u8] {
        self.bytes(self.called(context.into()))
    }

    /// Upper bound of the bytes an element's descriptor takes in the next batch.
    #[inline(never)]
    pub(crate) fn due_bytes(&self, id: u64) -> usize {
        match self.at(self.called(id)) {
            Some(known) if known.kind != SENT => known.len,
            _ => 0,
        }
    }
}
