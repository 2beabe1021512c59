//! The elements this page has named, and which of them the collector has been told about.
//!
//! Owns descriptors until the page goes. Refuses to know how one is made. A descriptor travels once
//! a stream, and again when an answer asks for it.

use alloc::vec::Vec;
use upriver_wire::ElementId;
use upriver_wire::batch::{Descriptor, Element};

/// Elements remembered; one more forgets the oldest, which is described again when it is next used.
pub const ELEMENTS_KEPT_MAX: usize = 512;
/// Descriptors asked for that travel with one batch.
pub const ASKED_A_BATCH_MAX: usize = 16;
/// Upper bound of a descriptor's numbers.
const DESCRIPTOR_BYTES: usize = 48;

#[derive(Debug)]
struct Known {
    id: ElementId,
    descriptor: Descriptor,
    sent: bool,
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

    /// Describes an element, unless it has been.
    pub fn describe(&mut self, id: ElementId, descriptor: Descriptor) {
        if self.knows(id) {
            return;
        }
        if self.known.len() >= ELEMENTS_KEPT_MAX {
            self.known.remove(0);
        }
        self.known.push(Known {
            id,
            descriptor,
            sent: false,
            asked: false,
        });
    }

    /// The descriptor, if it has yet to be sent; from now on it counts as sent.
    pub fn descriptor(&mut self, id: ElementId) -> Option<Descriptor> {
        let known = self.known.iter_mut().find(|known| known.id == id)?;
        let due = !known.sent || known.asked;
        known.sent = true;
        known.asked = false;
        due.then(|| known.descriptor.clone())
    }

    /// The collector asks for these.
    pub fn need(&mut self, ids: &[ElementId]) {
        for known in &mut self.known {
            known.asked |= ids.contains(&known.id);
        }
    }

    /// Adds elements that were asked for, and that no event of this batch names.
    pub fn asked_again(&mut self, elements: &mut Vec<Element>) {
        for known in self
            .known
            .iter_mut()
            .filter(|known| known.asked)
            .take(ASKED_A_BATCH_MAX)
        {
            known.asked = false;
            elements.push(Element {
                id: known.id,
                descriptor: Some(known.descriptor.clone()),
            });
        }
    }

    /// Upper bound of the bytes an element takes in the next batch.
    pub fn bytes(&self, id: ElementId) -> usize {
        let known = self
            .known
            .iter()
            .find(|known| known.id == id && (!known.sent || known.asked));
        known.map_or(0, |known| {
            let Descriptor {
                selector,
                label,
                role,
                ..
            } = &known.descriptor;
            DESCRIPTOR_BYTES + selector.len() + label.len() + role.len()
        })
    }
}
