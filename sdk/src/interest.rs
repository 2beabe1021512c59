//! What a visitor looks at and fills in, as events: attention, impressions, forms, visibility.
//!
//! Owns what counts once in a view, the forms that are being filled in, and how long the page was
//! hidden or shown. Refuses to know elements but by name, and what is filled in.

use crate::attention::Attention;
use crate::encode::span;
use crate::kind;
use crate::list::List;
use crate::queue::Queue;

/// Different elements of which an impression is told in one view.
pub const IMPRESSIONS_MAX: usize = 200;
/// Forms that can be filled in at once.
pub const FORMS_MAX: usize = 8;

/// What becomes of a form.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    /// 0: a field is used; 1: it is submitted; 2: it is given up.
    pub step: u8,
    /// Different fields used.
    pub fields: u32,
    /// The form. Heeded of one of which nothing has been used.
    pub form: u64,
    /// The field that is used, unless (0) it is private.
    pub field: u64,
}

/// Everything of a view that is told later.
#[derive(Debug)]
#[repr(C)]
pub struct Interest {
    /// Since when the page is visible or hidden; 0 when that is not known.
    since_ms: i64,
    /// Where the window is, and for how long.
    pub attention: Attention,
    forms: [Filling; FORMS_MAX],
    /// What was counted.
    counted: List,
}

/// A form of which fields have been used.
#[derive(Clone, Copy, Debug)]
struct Filling {
    so_far: Filled,
    since_ms: i64,
}

const NOTHING: Filling = Filling {
    so_far: Filled {
        step: 0,
        fields: 0,
        form: 0,
        field: 0,
    },
    since_ms: 0,
};

impl Interest {
    pub(crate) const fn new() -> Self {
        Self {
            since_ms: 0,
            attention: Attention::new(),
            forms: [NOTHING; FORMS_MAX],
            counted: List::new(),
        }
    }

    /// Nothing has been seen.
    pub(crate) fn begin(&mut self) {
        self.since_ms = 0;
        self.attention = Attention::new();
        self.forms = [NOTHING; FORMS_MAX];
        self.counted.clear();
    }

    /// The page can be seen from here on, or cannot. It is told when it changes.
    pub fn shown(&mut self, ms: i64, visible: bool, queue: &mut Queue) {
        if self.since_ms != 0 {
            if self.attention.visible == visible {
                return;
            }
            self.attention.tell(ms, 0, queue);
            queue.draft.push(u8::from(visible));
            queue.draft.number(span(self.since_ms, ms).into());
            queue.tell(kind::VISIBILITY, ms, 0);
        }
        self.attention.shown(ms, visible);
        self.since_ms = ms;
    }

    /// A view ends: attention is told, and everything counts anew. Forms are ended by
    /// [`Self::form`].
    pub fn left(&mut self, ms: i64, queue: &mut Queue) {
        self.attention.tell(ms, 0, queue);
        self.counted.clear();
    }

    /// An element has been seen; `look`: six numbers of 32 bits, the lowest byte first, in the wire's order.
    pub fn impression(&mut self, ms: i64, element: u64, look: &[u8], queue: &mut Queue) {
        if self.counted.first(element, IMPRESSIONS_MAX) {
            queue.tell_of(kind::IMPRESSION, ms, element, look);
        }
    }

    /// Something becomes of the form at a place below [`FORMS_MAX`]. One of which nothing has been
    /// used can be submitted, but not given up.
    pub fn form(&mut self, ms: i64, place: usize, filled: &Filled, queue: &mut Queue) {
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
        let Filling { so_far, since_ms } = *filling;
        if !uses {
            *filling = NOTHING;
        }
        if filled.step == 1 || first == uses {
            queue.field = so_far.field;
            queue.draft.push(filled.step);
            queue.draft.number(u64::from(so_far.fields));
            queue.draft.number(span(since_ms, ms).into());
            queue.tell(kind::FORM, ms, so_far.form);
        }
    }
}
