//! What elements are: the newest descriptor of each, for the names in heat maps and the feed.

use crate::row::ElementRow;
use hashbrown::HashMap;
use upriver_wire::live::Appearance;

/// What is shown of an element.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) selector: Box<str>,
    pub(crate) label: Box<str>,
    pub(crate) role: Box<str>,
    pub(crate) look: Appearance,
    /// Which of several descriptors is newest: the greatest.
    said: (i64, u16, u64, u32),
}

/// The elements of one site.
#[derive(Debug)]
pub(crate) struct Elements {
    known: HashMap<u64, Element>,
    max: usize,
    overflowed: u64,
}

impl Elements {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            known: HashMap::new(),
            max,
            overflowed: 0,
        }
    }

    /// Takes a descriptor. True when something to show changed. Past the bound it is not kept:
    /// the element then stays nameless, and its numbers stay right.
    pub(crate) fn describe(&mut self, row: &ElementRow) -> bool {
        let said = (row.received_at, row.lane, row.batch, row.idx);
        let look = appearance(row);
        let full = self.known.len() >= self.max;
        match self.known.get_mut(&row.element) {
            Some(known) if known.said >= said => return false,
            Some(known)
                if *known.selector == *row.selector
                    && *known.label == *row.label
                    && *known.role == *row.role
                    && known.look == look =>
            {
                known.said = said;
                return false;
            }
            None if full => {
                self.overflowed += 1;
                return false;
            }
            _ => (),
        }
        let element = Element {
            selector: row.selector.as_str().into(),
            label: row.label.as_str().into(),
            role: row.role.as_str().into(),
            look,
            said,
        };
        self.known.insert(row.element, element);
        true
    }

    /// Of descriptors that were read from elsewhere.
    pub(crate) fn of(rows: &[ElementRow]) -> Self {
        let mut elements = Self::new(usize::MAX);
        for row in rows {
            elements.describe(row);
        }
        elements
    }

    /// What is known of an element.
    pub(crate) fn get(&self, element: u64) -> Option<&Element> {
        self.known.get(&element)
    }

    /// Elements kept, and descriptors not kept.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.known.len(), self.overflowed)
    }
}

fn appearance(row: &ElementRow) -> Appearance {
    Appearance {
        colour: format!("#{:06x}", row.background),
        width: row.width,
        height: row.height,
        x: row.x,
        y: row.y,
        radius: row.radius,
    }
}
