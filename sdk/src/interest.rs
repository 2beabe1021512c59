//! What a visitor looks at and fills in, as events: attention, impressions, forms, visibility.
//!
//! Owns what counts once in a view, the forms that are being filled in, and how long the page was
//! hidden or shown. Refuses to know elements but by name, and what is filled in.

use crate::attention::Attention;
use crate::encode::number;
use crate::queue::{Queue, kind};
use alloc::vec::Vec;
use upriver_wire::ElementId;

/// Different elements of which an impression is told in one view.
pub const IMPRESSIONS_MAX: usize = 200;
/// Forms that can be filled in at once.
pub const FORMS_MAX: usize = 8;

/// What becomes of a form.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filled {
    /// 0: a field is used; 1: it is submitted; 2: it is given up.
    pub step: u8,
    /// The form. Heeded of one of which nothing has been used.
    pub form: ElementId,
    /// The field that is used, unless it is private.
    pub field: Option<ElementId>,
    /// Different fields used.
    pub fields: u16,
}

/// Everything of a view that is told later.
#[derive(Debug, Default)]
pub struct Interest {
    /// Where the window is, and for how long.
    pub attention: Attention,
    /// Since when the page is visible or hidden; 0 when that is not known.
    since_ms: u64,
    counted: Vec<ElementId>,
    forms: [Filling; FORMS_MAX],
}

/// A form of which fields have been used.
#[derive(Debug, Default)]
struct Filling {
    so_far: Filled,
    since_ms: u64,
}

impl Interest {
    /// The page can be seen from here on, or cannot. It is told when it changes.
    pub fn shown(&mut self, ms: u64, visible: bool, queue: &mut Queue) {
        if self.since_ms != 0 {
            if self.attention.visible == visible {
                return;
            }
            self.tell(ms, 0, queue);
            let mut bytes = Vec::new();
            bytes.push(u8::from(visible));
            duration(&mut bytes, self.since_ms, ms);
            queue.tell_of(kind::VISIBILITY, ms, None, None, bytes);
        }
        self.attention.shown(ms, visible);
        self.since_ms = ms;
    }

    /// A view ends: attention is told, and everything counts anew. Forms are ended by
    /// [`Self::form`].
    pub fn left(&mut self, ms: u64, queue: &mut Queue) {
        self.tell(ms, 0, queue);
        self.counted.clear();
    }

    /// Tells of attention, if there is at least so much of it.
    pub fn tell(&mut self, ms: u64, active_ms_min: u32, queue: &mut Queue) {
        if let Some((ms, bytes)) = self.attention.tell(ms, active_ms_min) {
            queue.tell_of(kind::ATTENTION, ms, None, None, bytes);
        }
    }

    /// An element has been seen; `look` as the wire has it.
    pub fn impression(&mut self, ms: u64, element: ElementId, look: &[u8], queue: &mut Queue) {
        if self.counted.len() < IMPRESSIONS_MAX && !self.counted.contains(&element) {
            self.counted.push(element);
            let look = Vec::from(look);
            queue.tell_of(kind::IMPRESSION, ms, Some(element), None, look);
        }
    }

    /// Something becomes of the form at a place below [`FORMS_MAX`]. One of which nothing has been
    /// used can be submitted, but not given up.
    pub fn form(&mut self, ms: u64, place: usize, filled: &Filled, queue: &mut Queue) {
        let Some(filling) = self.forms.get_mut(place) else {
            return;
        };
        let first = filling.so_far.fields == 0;
        if first {
            filling.so_far.form = filled.form;
            filling.since_ms = ms;
        }
        let uses = filled.step == 0;
        if uses {
            filling.so_far.field = filled.field;
            filling.so_far.fields = filled.fields;
        }
        if filled.step == 1 || first == uses {
            let mut bytes = Vec::new();
            bytes.push(filled.step);
            number(&mut bytes, u64::from(filling.so_far.fields));
            duration(&mut bytes, filling.since_ms, ms);
            let Filled { form, field, .. } = filling.so_far;
            queue.tell_of(kind::FORM, ms, Some(form), field, bytes);
        }
        if !uses {
            *filling = Filling::default();
        }
    }
}

fn duration(bytes: &mut Vec<u8>, since_ms: u64, ms: u64) {
    number(bytes, ms.saturating_sub(since_ms).min(u64::from(u32::MAX)));
}
