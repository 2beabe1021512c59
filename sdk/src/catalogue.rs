//! The elements this page has named, and which of them the collector has been told about.
//!
//! Owns descriptors until the page goes, as the bytes the wire has for them. Refuses to know how
//! one is made. A descriptor travels once a stream, and again when an answer asks for it; that of an
//! element that was only seen travels when it is asked for, because others have seen it before.

use alloc::vec::Vec;
use upriver_wire::ElementId;

/// Elements remembered; one more forgets the oldest, which is described again when it is next used.
pub const ELEMENTS_KEPT_MAX: usize = 512;
/// Descriptors asked for that travel with one batch.
pub const ASKED_A_BATCH_MAX: usize = 16;

#[derive(Debug)]
struct Known {
    id: ElementId,
    descriptor: Vec<u8>,
    /// It has yet to be sent, or is asked for again.
    due: bool,
    asked: bool,
}

/// Descriptors by element.
#[derive(Debug, Default)]
pub struct Catalogue {
    known: Vec<Known>,
}

impl Catalogue {
    /// Whether an element has been described.
    pub fn knows(&self, id: ElementId) -> bool {
        self.known.iter().any(|known| known.id == id)
    }

    /// Describes an element, unless it has been. `descriptor`: as the wire writes it.
    pub fn describe(&mut self, id: ElementId, descriptor: &[u8]) {
        if self.knows(id) {
            return;
        }
        if self.known.len() >= ELEMENTS_KEPT_MAX {
            self.known.remove(0);
        }
        self.known.push(Known {
            id,
            descriptor: Vec::from(descriptor),
            due: true,
            asked: false,
        });
    }

    /// Appends an element, with its descriptor if that has yet to be sent; from now on it counts as
    /// sent. `seen`: it was only seen.
    pub fn write(&mut self, id: ElementId, seen: bool, out: &mut Vec<u8>) {
        match self.known.iter_mut().find(|known| known.id == id) {
            Some(known) if known.due && (known.asked || !seen) => known.write(out),
            _ => {
                out.extend_from_slice(&id.0.to_le_bytes());
                out.push(0);
            }
        }
    }

    /// The collector asks for these.
    pub fn need(&mut self, ids: &[ElementId]) {
        for known in &mut self.known {
            if ids.contains(&known.id) {
                known.due = true;
                known.asked = true;
            }
        }
    }

    /// Appends elements that were asked for, and that no event of this batch names. Returns how many.
    pub fn asked_again(&mut self, out: &mut Vec<u8>) -> usize {
        let mut count = 0;
        for known in &mut self.known {
            if known.asked && count < ASKED_A_BATCH_MAX {
                known.write(out);
                count += 1;
            }
        }
        count
    }

    /// Upper bound of the bytes an element's descriptor takes in the next batch.
    pub fn bytes(&self, id: ElementId) -> usize {
        let known = self.known.iter().find(|known| known.id == id && known.due);
        known.map_or(0, |known| known.descriptor.len())
    }
}

impl Known {
    fn write(&mut self, out: &mut Vec<u8>) {
        self.due = false;
        self.asked = false;
        out.extend_from_slice(&self.id.0.to_le_bytes());
        out.push(1);
        out.extend_from_slice(&self.descriptor);
    }
}
