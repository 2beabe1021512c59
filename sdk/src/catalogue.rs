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
        self.find(id).is_some()
    }

    /// Describes an element, unless it has been. `descriptor`: as the wire writes it.
    pub fn describe(&mut self, id: ElementId, descriptor: &[u8]) {
        if self.knows(id) {
            return;
        }
        let record = Record {
            kind: SEEN,
            element: Some(id),
            ..Record::default()
        };
        let count = self.known.records().len();
        if count >= ELEMENTS_KEPT_MAX
            && let Some(oldest) = self.known.records_mut().first_mut()
        {
            oldest.kind = GONE;
            self.known.sweep();
        }
        let count = self.known.records().len();
        self.known.insert(count, record, descriptor);
    }

    /// Appends an element, with its descriptor if that has yet to be sent; from now on it counts as
    /// sent.
    pub fn write(&mut self, id: ElementId, out: &mut Bytes<'_>) {
        out.all(&id.0.to_le_bytes());
        let mut due = 0;
        let mut descriptor: &[u8] = &[];
        let at = self.find(id).unwrap_or(usize::MAX);
        if let Some(known) = self.known.records_mut().get_mut(at)
            && known.kind >= DUE
        {
            known.kind = SENT;
            due = 1;
            let known = *known;
            descriptor = self.known.bytes(&known);
        }
        out.push(due);
        out.all(descriptor);
    }

    /// An event tells more of this one than that it was seen.
    pub fn named(&mut self, id: ElementId) {
        self.raise(id, DUE);
    }

    /// The collector asks for this one.
    pub fn need(&mut self, id: ElementId) {
        self.raise(id, ASKED);
    }

    fn raise(&mut self, id: ElementId, to: u8) {
        let at = self.find(id).unwrap_or(usize::MAX);
        if let Some(known) = self.known.records_mut().get_mut(at)
            && (known.kind == SEEN || to == ASKED)
        {
            known.kind = to;
        }
    }

    /// Elements that were asked for, as many as travel with one batch.
    pub fn asked(&self) -> impl Iterator<Item = ElementId> {
        let known = self.known.records().iter();
        let asked = known.filter(|known| known.kind == ASKED);
        asked
            .take(ASKED_A_BATCH_MAX)
            .filter_map(|known| known.element)
    }

    /// Upper bound of the bytes an element's descriptor takes in the next batch.
    pub fn bytes(&self, id: ElementId) -> usize {
        let known = self.find(id).and_then(|at| self.known.records().get(at));
        known.map_or(0, |it| if it.kind == SENT { 0 } else { it.len() })
    }

    fn find(&self, id: ElementId) -> Option<usize> {
        let mut known = self.known.records().iter();
        known.position(|known| known.element == Some(id))
    }
}
