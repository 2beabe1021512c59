//! What a visitor looks at and fills in, as events: attention, impressions, forms, visibility.
//!
//! Owns what counts once in a view, the forms that are being filled in, and how long the page was
//! hidden or shown. Refuses to know elements but by name, and what is filled in.

use crate::attention::{Attention, TOLD_EVERY_MS};
use crate::encode::number;
use crate::queue::{Item, Queue, kind};
use alloc::vec::Vec;
use upriver_wire::ElementId;
use upriver_wire::batch::FormStep;

/// Different elements of which an impression is told in one view.
pub const IMPRESSIONS_MAX: usize = 200;
/// Forms that can be filled in at once.
pub const FORMS_MAX: usize = 8;

/// Everything of a view that is told later.
#[derive(Debug, Default)]
pub struct Interest {
    /// Where the window is, and for how long.
    pub attention: Attention,
    /// Since when the page is visible or hidden, once that is known.
    shown: Option<(u64, bool)>,
    counted: Vec<ElementId>,
    forms: [Filling; FORMS_MAX],
}

/// A form of which fields have been used.
#[derive(Debug, Default)]
struct Filling {
    form: ElementId,
    /// The one used last, unless it is private.
    field: Option<ElementId>,
    /// Different ones; 0: this is no form.
    fields: u16,
    since_ms: u64,
}

impl Interest {
    /// The page can be seen from here on, or cannot. It is told when it changes.
    pub fn shown(&mut self, ms: u64, visible: bool, queue: &mut Queue) {
        if let Some((since, before)) = self.shown {
            if before == visible {
                return;
            }
            self.tell(ms, 0, queue);
            let mut bytes = Vec::from([u8::from(visible)]);
            let after = ms.saturating_sub(since).min(u64::from(u32::MAX));
            number(&mut bytes, after);
            queue.push(Item {
                kind: kind::VISIBILITY,
                ms,
                bytes,
                ..Item::default()
            });
        }
        self.attention.shown(ms, visible);
        self.shown = Some((ms, visible));
    }

    /// A view ends: attention is told, and everything counts anew. Forms are ended by
    /// [`Self::form`].
    pub fn left(&mut self, ms: u64, queue: &mut Queue) {
        self.tell(ms, 0, queue);
        self.counted.clear();
    }

    /// Tells of attention that there is much of.
    pub fn tick(&mut self, ms: u64, queue: &mut Queue) {
        self.tell(ms, TOLD_EVERY_MS, queue);
    }

    /// Tells of attention, if there is at least so much of it.
    pub fn tell(&mut self, ms: u64, active_ms_min: u32, queue: &mut Queue) {
        if let Some((ms, bytes)) = self.attention.tell(ms, active_ms_min) {
            queue.push(Item {
                kind: kind::ATTENTION,
                ms,
                bytes,
                ..Item::default()
            });
        }
    }

    /// An element has been seen; `look` as the wire has it.
    pub fn impression(&mut self, ms: u64, element: ElementId, look: &[u8], queue: &mut Queue) {
        if self.counted.len() >= IMPRESSIONS_MAX || self.counted.contains(&element) {
            return;
        }
        self.counted.push(element);
        queue.push(Item {
            kind: kind::IMPRESSION,
            ms,
            element: Some(element),
            bytes: Vec::from(look),
            ..Item::default()
        });
    }

    /// A field of a form is used, the last of so many; the place is the form's, below [`FORMS_MAX`].
    pub fn field(
        &mut self,
        ms: u64,
        place: usize,
        form: ElementId,
        field: Option<ElementId>,
        fields: u16,
        queue: &mut Queue,
    ) {
        let Some(filling) = self.forms.get_mut(place) else {
            return;
        };
        let first = filling.fields == 0;
        if first {
            filling.form = form;
            filling.since_ms = ms;
        }
        filling.field = field;
        filling.fields = fields;
        if first {
            filling.tell(ms, FormStep::Start, queue);
        }
    }

    /// A form is submitted, or given up: with the page, or because it is no longer there. One that
    /// nobody has used can only be submitted.
    pub fn form(
        &mut self,
        ms: u64,
        place: usize,
        form: ElementId,
        submitted: bool,
        queue: &mut Queue,
    ) {
        let Some(filling) = self.forms.get_mut(place) else {
            return;
        };
        if filling.fields == 0 {
            filling.form = form;
            filling.since_ms = ms;
        }
        if submitted {
            filling.tell(ms, FormStep::Submit, queue);
        } else if filling.fields > 0 {
            filling.tell(ms, FormStep::Abandon, queue);
        }
        *filling = Filling::default();
    }
}

impl Filling {
    fn tell(&self, ms: u64, step: FormStep, queue: &mut Queue) {
        let mut bytes = Vec::from([step as u8]);
        number(&mut bytes, u64::from(self.fields));
        let duration = ms.saturating_sub(self.since_ms).min(u64::from(u32::MAX));
        number(&mut bytes, duration);
        queue.push(Item {
            kind: kind::FORM,
            ms,
            element: Some(self.form),
            field: self.field,
            bytes,
            ..Item::default()
        });
    }
}
