//! What a visitor looks at and fills in, as events: attention, impressions, forms, visibility.
//!
//! Owns what counts once in a view, the forms that are being filled in, and how long the page was
//! hidden or shown. Refuses to know elements but by name, and what is filled in.

use crate::attention::Attention;
use crate::encode::{Bytes, number};
use crate::queue::{Queue, kind};
use upriver_wire::ElementId;

/// Different elements of which an impression is told in one view.
pub const IMPRESSIONS_MAX: usize = 200;
/// Bytes of the longest event that is encoded here.
const DRAFT_BYTES_MAX: usize = 160;
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
#[derive(Debug)]
pub struct Interest {
    /// Where the window is, and for how long.
    pub attention: Attention,
    /// Since when the page is visible or hidden; 0 when that is not known.
    since_ms: u64,
    /// What was counted, and how much that is.
    counted: [ElementId; IMPRESSIONS_MAX],
    count: usize,
    forms: [Filling; FORMS_MAX],
}

/// A form of which fields have been used.
#[derive(Clone, Copy, Debug, Default)]
struct Filling {
    so_far: Filled,
    since_ms: u64,
}

impl Default for Interest {
    fn default() -> Self {
        Self {
            attention: Attention::default(),
            since_ms: 0,
            counted: [ElementId(0); IMPRESSIONS_MAX],
            count: 0,
            forms: [Filling::default(); FORMS_MAX],
        }
    }
}

impl Interest {
    /// The page can be seen from here on, or cannot. It is told when it changes.
    pub fn shown(&mut self, ms: u64, visible: bool, queue: &mut Queue) {
        if self.since_ms != 0 {
            if self.attention.visible == visible {
                return;
            }
            self.tell(ms, 0, queue);
            let mut room = [0; DRAFT_BYTES_MAX];
            let bytes = &mut Bytes::new(&mut room);
            bytes.push(u8::from(visible));
            duration(bytes, self.since_ms, ms);
            queue.tell_of(kind::VISIBILITY, ms, None, bytes.done());
        }
        self.attention.shown(ms, visible);
        self.since_ms = ms;
    }

    /// A view ends: attention is told, and everything counts anew. Forms are ended by
    /// [`Self::form`].
    pub fn left(&mut self, ms: u64, queue: &mut Queue) {
        self.tell(ms, 0, queue);
        self.count = 0;
    }

    /// Tells of attention, if there is at least so much of it.
    pub fn tell(&mut self, ms: u64, active_ms_min: u32, queue: &mut Queue) {
        let mut room = [0; DRAFT_BYTES_MAX];
        let bytes = &mut Bytes::new(&mut room);
        if let Some(ms) = self.attention.tell(ms, active_ms_min, bytes) {
            queue.tell_of(kind::ATTENTION, ms, None, bytes.done());
        }
    }

    /// An element has been seen; `look` as the wire has it.
    pub fn impression(&mut self, ms: u64, element: ElementId, look: &[u8], queue: &mut Queue) {
        let known = self.counted.get(..self.count).unwrap_or_default();
        if !known.contains(&element)
            && let Some(free) = self.counted.get_mut(self.count)
        {
            *free = element;
            self.count += 1;
            queue.tell_of(kind::IMPRESSION, ms, Some(element), look);
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
            let Filled { form, field, .. } = filling.so_far;
            let mut room = [0; DRAFT_BYTES_MAX];
            let bytes = &mut Bytes::new(&mut room);
            bytes.all(&field.unwrap_or_default().0.to_le_bytes());
            bytes.push(filled.step);
            number(bytes, u64::from(filling.so_far.fields));
            duration(bytes, filling.since_ms, ms);
            queue.tell_of(kind::FORM, ms, Some(form), bytes.done());
        }
        if !uses {
            *filling = Filling::default();
        }
    }
}

fn duration(bytes: &mut Bytes<'_>, since_ms: u64, ms: u64) {
    number(bytes, ms.saturating_sub(since_ms).min(u64::from(u32::MAX)));
}
