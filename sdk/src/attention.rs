//! How long a page is looked at, and which part of it.
//!
//! Owns the sums of a view between one telling and the next: the time the page was visible, the
//! time it was visible with somebody there, and the latter for each band of the document that was
//! in the window. Refuses to know who tells it all this, and when a view ends.
//!
//! Somebody is there for [`ACTIVE_MS`] after each thing they do. All times are whole milliseconds,
//! so what is told in parts adds up to the whole.

use crate::encode::span;
use crate::kind;
use crate::queue::Queue;
use crate::uplink::NEVER_MS;
use upriver_wire::limits::BANDS_MAX;

/// Somebody who does something is there for this long.
pub const ACTIVE_MS: i64 = 15_000;
/// After so much active time it is told, though the view goes on.
pub const TOLD_EVERY_MS: u32 = 10_000;

/// What is known of the page now, and the sums since they were last told.
#[derive(Debug)]
pub struct Attention {
    /// Whether the page can be seen.
    pub visible: bool,
    /// Somebody is there until then.
    until_ms: i64,
    /// Everything before is in the sums.
    summed_ms: i64,
    /// Top edge of the window in the document, height of the window and of the document, CSS pixels.
    top: u32,
    window: u32,
    document: u32,
    visible_ms: u32,
    active_ms: u32,
    bands_ms: [u32; BANDS_MAX],
}

impl Attention {
    pub(crate) const fn new() -> Self {
        Self {
            visible: false,
            until_ms: 0,
            summed_ms: 0,
            top: 0,
            window: 0,
            document: 0,
            visible_ms: 0,
            active_ms: 0,
            bands_ms: [0; BANDS_MAX],
        }
    }

    /// Somebody does something.
    pub fn alive(&mut self, ms: i64) {
        if ms > self.until_ms {
            // Nobody was there in between.
            self.sum(ms);
        }
        self.until_ms = self.until_ms.max(ms + ACTIVE_MS);
    }

    /// The page can be seen from here on, or cannot.
    pub fn shown(&mut self, ms: i64, visible: bool) {
        self.sum(ms);
        self.visible = visible;
    }

    /// The page stands here.
    pub fn scrolled(&mut self, ms: i64, top: i32) {
        let top = top.max(0) as u32;
        if top != self.top {
            self.sum(ms);
            self.top = top;
        }
    }

    /// Window and document are so high.
    pub fn sized(&mut self, ms: i64, window: u32, document: u32) {
        self.sum(ms);
        self.window = window;
        self.document = document;
    }

    /// Tells of the sums up to now, if there is at least so much active time; with 0, if the page was
    /// visible at all. They begin again.
    #[inline(never)]
    pub fn tell(&mut self, ms: i64, active_ms_min: u32, queue: &mut Queue) {
        self.sum(ms);
        if self.visible_ms == 0 || self.active_ms < active_ms_min {
            return;
        }
        queue.draft.number(u64::from(self.visible_ms));
        queue.draft.number(u64::from(self.active_ms));
        // The bands from the first to the last of which there is something.
        let (mut first, mut end) = (0, 0);
        for (place, ms) in (1..).zip(&self.bands_ms) {
            if *ms != 0 {
                if end == 0 {
                    first = place - 1;
                }
                end = place;
            }
        }
        queue.draft.push(first);
        queue.draft.push(end - first);
        for (place, ms) in (0..).zip(&mut self.bands_ms) {
            if first <= place && place < end {
                queue.draft.number(u64::from(*ms));
            }
            *ms = 0;
        }
        self.visible_ms = 0;
        self.active_ms = 0;
        queue.tell(kind::ATTENTION, self.summed_ms, 0);
    }

    /// When there is enough active time to be told, ms; the end of time when that takes
    /// somebody to do something first.
    pub fn due_ms(&self) -> i64 {
        let due = self.summed_ms + i64::from(TOLD_EVERY_MS.saturating_sub(self.active_ms));
        if self.visible && due <= self.until_ms {
            due
        } else {
            NEVER_MS
        }
    }

    /// Adds what has passed. A time before one that is in the sums changes nothing.
    #[inline(never)]
    fn sum(&mut self, ms: i64) {
        if ms <= self.summed_ms {
            return;
        }
        if self.visible {
            let passed = |until: i64| span(self.summed_ms, until);
            let active = passed(ms.min(self.until_ms));
            self.visible_ms = self.visible_ms.saturating_add(passed(ms));
            self.active_ms = self.active_ms.saturating_add(active);
            let band = |y: u32| y.saturating_mul(BANDS_MAX as u32) / self.document.max(1);
            // Pages can be pulled beyond their end.
            let first = band(self.top).min(BANDS_MAX as u32 - 1) as usize;
            let last = band(self.top + self.window.saturating_sub(1)) as usize;
            for (place, sum) in self.bands_ms.iter_mut().enumerate() {
                if first <= place && place <= last {
                    *sum = sum.saturating_add(active);
                }
            }
        }
        self.summed_ms = ms;
    }
}
