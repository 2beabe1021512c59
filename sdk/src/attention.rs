//! How long a page is looked at, and which part of it.
//!
//! Owns the sums of a view between one telling and the next: the time the page was visible, the
//! time it was visible with somebody there, and the latter for each band of the document that was
//! in the window. Refuses to know who tells it all this, and when a view ends.
//!
//! Somebody is there for [`ACTIVE_MS`] after each thing they do. All times are whole milliseconds,
//! so what is told in parts adds up to the whole.

use crate::encode::{Bytes, number};
use upriver_wire::limits::BANDS_MAX;

/// Somebody who does something is there for this long.
pub const ACTIVE_MS: u64 = 15_000;
/// After so much active time it is told, though the view goes on.
pub const TOLD_EVERY_MS: u32 = 10_000;

/// What is known of the page now, and the sums since they were last told.
#[derive(Debug, Default)]
pub struct Attention {
    /// Whether the page can be seen.
    pub visible: bool,
    /// Somebody is there until then.
    until_ms: u64,
    /// Everything before is in the sums.
    summed_ms: u64,
    /// Top edge of the window in the document, height of the window and of the document, CSS pixels.
    top: u32,
    window: u32,
    document: u32,
    visible_ms: u32,
    active_ms: u32,
    bands_ms: [u32; BANDS_MAX],
}

impl Attention {
    /// Somebody does something.
    pub fn alive(&mut self, ms: u64) {
        if ms > self.until_ms {
            // Nobody was there in between.
            self.sum(ms);
        }
        self.until_ms = self.until_ms.max(ms + ACTIVE_MS);
    }

    /// The page can be seen from here on, or cannot.
    pub fn shown(&mut self, ms: u64, visible: bool) {
        self.sum(ms);
        self.visible = visible;
    }

    /// The page stands here.
    pub fn scrolled(&mut self, ms: u64, top: i32) {
        let top = top.max(0) as u32;
        if top != self.top {
            self.sum(ms);
            self.top = top;
        }
    }

    /// Window and document are so high.
    pub fn sized(&mut self, ms: u64, window: u32, document: u32) {
        self.sum(ms);
        self.window = window;
        self.document = document;
    }

    /// Appends the sums up to now as the wire has them, if there is at least so much active time; with
    /// 0, if the page was visible at all. They begin again; their time is returned.
    pub fn tell(&mut self, ms: u64, active_ms_min: u32, bytes: &mut Bytes<'_>) -> Option<u64> {
        self.sum(ms);
        if self.visible_ms == 0 || self.active_ms < active_ms_min {
            return None;
        }
        number(bytes, u64::from(self.visible_ms));
        number(bytes, u64::from(self.active_ms));
        let seen = |ms: &u32| *ms != 0;
        let first = self.bands_ms.iter().position(seen).unwrap_or(0);
        let end = self.bands_ms.iter().rposition(seen).map_or(0, |at| at + 1);
        let bands = self.bands_ms.get(first..end).unwrap_or_default();
        bytes.push(first as u8);
        bytes.push(bands.len() as u8);
        for ms in bands {
            number(bytes, u64::from(*ms));
        }
        self.visible_ms = 0;
        self.active_ms = 0;
        self.bands_ms = [0; BANDS_MAX];
        Some(self.summed_ms)
    }

    /// When there is enough active time to be told, ms; infinite when that takes somebody to do
    /// something first.
    pub fn due_ms(&self) -> f64 {
        let due = self.summed_ms + u64::from(TOLD_EVERY_MS.saturating_sub(self.active_ms));
        if self.visible && due <= self.until_ms {
            due as f64
        } else {
            f64::INFINITY
        }
    }

    /// Adds what has passed. A time before one that is in the sums changes nothing.
    fn sum(&mut self, ms: u64) {
        if ms <= self.summed_ms {
            return;
        }
        if self.visible {
            let passed = |until: u64| until.saturating_sub(self.summed_ms) as u32;
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
