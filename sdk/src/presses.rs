//! What comes of a press: rage, nothing at all, an error.
//!
//! Owns the presses that await their outcome and the definitions of these three. Refuses to know
//! documents: the shell says what a press may become ([`MAY_RAGE`], [`MAY_BE_DEAD`]) and what has
//! changed since ([`Presses::effect`]); `npm/outcome.ts` says what counts as a change.
//!
//! - **Rage** is the third press (of any number) of which each came within 1,000 ms and 30 px of the
//!   one before, told with it, once per burst. A burst in which each press but the last changed
//!   something elsewhere on the page is work, not rage: somebody steps through something.
//! - A press is **dead** when it became a click and 2,500 ms later there was no effect of it.
//! - It is followed by an **error** when one comes within [`ERROR_MS_MAX`] of it; told once.

use crate::gesture::Down;
use crate::uplink::NEVER_MS;

/// An error this long after a press is laid to it, milliseconds.
pub const ERROR_MS_MAX: i64 = 1_000;
/// A scroll this long after a press, that no wheel, finger or key made, is its effect, milliseconds.
pub const SCROLL_MS_MAX: i64 = 1_000;
/// Presses that await their outcome; one more forgets the oldest.
pub const AWAITING_MAX: usize = 8;

/// Sign of a press: quick repetition of it would be rage.
pub const MAY_RAGE: u32 = 1 << 8;
/// Sign of a press: it is on what looks pressable, and its effect would be seen.
pub const MAY_BE_DEAD: u32 = 2 << 8;

/// A press that is remembered.
#[derive(Clone, Copy, Debug)]
pub struct Pressed {
    /// When, ms.
    pub ms: i64,
    /// When it turns out to be dead, ms; never until it is a click, and when it is not.
    due_ms: i64,
    /// Its effect is awaited.
    awaited: bool,
    erred: bool,
    /// Where.
    pub down: Down,
}

const NONE: Pressed = Pressed {
    ms: 0,
    due_ms: 0,
    awaited: false,
    erred: false,
    down: Down::NONE,
};

/// Presses, and what has come of them.
#[derive(Debug)]
pub struct Presses {
    /// Presses from which a burst is rage; longest time between two of them (ms), and longest way
    /// (`|dx| + |dy|`, CSS pixels); from a click to knowing that nothing came of it (ms).
    pub limits: [u32; 4],
    burst: u32,
    /// Presses of the burst that changed something elsewhere before the next.
    answered: u32,
    changed: bool,
    effect_ms: i64,
    /// The last ones, the newest first.
    recent: [Pressed; AWAITING_MAX],
}

impl Presses {
    pub(crate) const NONE: Self = Self {
        limits: [0; 4],
        burst: 0,
        answered: 0,
        changed: false,
        effect_ms: 0,
        recent: [NONE; AWAITING_MAX],
    };

    pub(crate) fn begin(&mut self) {
        *self = Self::NONE;
        self.limits = [3, 1_000, 30, 2_500];
    }

    /// A press. `true`: it makes a burst rage.
    pub fn pressed(&mut self, ms: i64, down: &Down) -> bool {
        let [presses, within_ms, within_px, _] = self.limits;
        let last = self.last();
        let apart = last.down.x.abs_diff(down.x) + last.down.y.abs_diff(down.y);
        if ms - last.ms > i64::from(within_ms) || apart > within_px {
            self.burst = 0;
            self.answered = 0;
        } else if self.changed {
            self.answered += 1;
        }
        self.burst += 1;
        self.changed = false;
        for place in (1..AWAITING_MAX).rev() {
            self.recent[place] = self.recent[place - 1];
        }
        let [newest, ..] = &mut self.recent;
        *newest = Pressed {
            ms,
            due_ms: NEVER_MS,
            awaited: down.how & MAY_BE_DEAD != 0 && ms >= self.effect_ms,
            erred: false,
            down: *down,
        };
        down.how & MAY_RAGE != 0 && self.burst == presses && self.answered + 1 < self.burst
    }

    /// The press before now.
    pub fn last(&self) -> &Pressed {
        let [last, ..] = &self.recent;
        last
    }

    /// The last press became a click: from now on it should have an effect.
    pub fn clicked(&mut self, ms: i64) {
        let [.., dead_ms] = self.limits;
        let [last, ..] = &mut self.recent;
        if last.due_ms == NEVER_MS {
            last.due_ms = ms + i64::from(dead_ms);
        }
    }

    /// Something has changed. `elsewhere`: not only what was pressed.
    #[inline(never)]
    pub fn effect(&mut self, ms: i64, elsewhere: bool) {
        self.effect_ms = ms;
        self.changed |= elsewhere;
        for press in &mut self.recent {
            press.awaited = false;
        }
    }

    /// Whether an error is laid to the last press.
    pub fn errs(&mut self, ms: i64) -> bool {
        let [last, ..] = &mut self.recent;
        let laid = ms - last.ms <= ERROR_MS_MAX && !last.erred;
        last.erred |= laid;
        laid
    }

    /// When the next press turns out to be dead, ms; the end of time when none may.
    pub fn due_ms(&self) -> i64 {
        let mut due = NEVER_MS;
        for press in &self.recent {
            if press.awaited {
                due = due.min(press.due_ms);
            }
        }
        due
    }

    /// A press that has turned out to be dead, the oldest first.
    #[inline(never)]
    pub fn dead(&mut self, ms: i64) -> Option<&Pressed> {
        for press in self.recent.iter_mut().rev() {
            if press.awaited && press.due_ms <= ms {
                press.awaited = false;
                return Some(press);
            }
        }
        None
    }
}
