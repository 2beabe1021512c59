//! The elements this page has named, and which of them the collector has been told about.
//!
//! Owns descriptors until the page goes, as the bytes the wire has for them. Refuses to know how
//! one is made. A descriptor travels once a stream, and again when an answer asks for it; that of an
//! element that was only seen travels when it is asked for, because others have seen it before.

use crate::encode::Bytes;
use crate::shelf::{GONE, Record, Shelf};
use upriver_wire::ElementId;

/// Elements remembered; one more forgets the oldest, which is described again when it is next used.
pub const ELEMENTS_KEPT_MAX: usize = 512;
/// Descriptors asked for that travel with one batch.
pub const ASKED_A_BATCH_MAX: usize = 16;

// What is to be done with a descriptor.
const SENT: u8 = 0;
const SEEN: u8 = 1;
const DUE: u8 = 2;
const ASKED: u8 = 3;

/// Descriptors by element.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// Each has its element, and as its kind what is to be done.
    known: Shelf,
}

impl Catalogue {
    /// Whether an element has been described.
    pub fn knows(&self, id: ElementId) -> bool {
        self.place(id) < self.known.count()
    }

    /// Describes an element, unless it has been. `descriptor`: as the wire writes it.
    pub fn describe(&mut self, id: ElementId, descriptor: &[u8]) {
        if self.knows(id) {
            return;
        }
        if self.known.count() >= ELEMENTS_KEPT_MAX
            && let Some(oldest) = self.known.at_mut(0)
        {
            oldest.kind = GONE;
            self.known.sweep();
        }
        let record = Record {
            kind: SEEN,
            element: Some(id),
            ..Record::default()
        };
        self.known.insert(self.known.count(), &record, descriptor);
    }

    /// Appends an element, with its descriptor if that has yet to be sent; from now on it counts as
    /// sent.
    pub fn write(&mut self, id: ElementId, out: &mut Bytes<'_>) {
        out.all(&id.0.to_le_bytes());
        if let Some(known) = self.known.at_mut(self.place(id))
            && known.kind >= DUE
        {
            known.kind = SENT;
            let known = *known;
            out.push(1);
            out.all(self.known.bytes(&known));
        } else {
            out.push(0);
        }
    }

    /// An event tells more of this one than that it was seen.
    pub fn named(&mut self, id: ElementId) {
        if let Some(known) = self.known.at_mut(self.place(id)) {
            known.kind += u8::from(known.kind == SEEN);
        }
    }

    /// The collector asks for this one.
    pub fn need(&mut self, id: ElementId) {
        if let Some(known) = self.known.at_mut(self.place(id)) {
            known.kind = ASKED;
        }
    }

    /// The first element from a place on that was asked for, and its place.
    pub fn asked(&self, from: usize) -> Option<(usize, ElementId)> {
        let place = self.known.find(ASKED, from);
        self.known
            .at(place)
            .and_then(|it| Some((place, it.element?)))
    }

    /// Upper bound of the bytes an element's descriptor takes in the next batch.
    pub fn bytes(&self, id: ElementId) -> usize {
        match self.known.at(self.place(id)) {
            Some(known) if known.kind != SENT => known.len(),
            _ => 0,
        }
    }

    /// Where an element is; past the last when it is not known.
    fn place(&self, id: ElementId) -> usize {
        let mut place = 0;
        while let Some(known) = self.known.at(place) {
            if known.element == Some(id) {
                break;
            }
            place += 1;
        }
        place
    }
}
