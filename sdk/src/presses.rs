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

/// An error this long after a press is laid to it, milliseconds.
pub const ERROR_MS_MAX: f64 = 1_000.0;
/// A scroll this long after a press, that no wheel, finger or key made, is its effect, milliseconds.
pub const SCROLL_MS_MAX: f64 = 1_000.0;
/// Presses that await their outcome; one more forgets the oldest.
pub const AWAITING_MAX: usize = 8;

/// Sign of a press: quick repetition of it would be rage.
pub const MAY_RAGE: u8 = 1;
/// Sign of a press: it is on what looks pressable, and its effect would be seen.
pub const MAY_BE_DEAD: u8 = 2;

/// A press that is remembered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pressed {
    /// When, ms.
    pub ms: f64,
    /// Where; of its signs, whether its effect is awaited.
    pub down: Down,
    /// When it turns out to be dead, ms; 0 until it is a click.
    due_ms: f64,
    erred: bool,
}

/// Presses, and what has come of them.
#[derive(Debug)]
pub struct Presses {
    /// Presses from which a burst is rage; longest time between two of them (ms), and longest way
    /// (`|dx| + |dy|`, CSS pixels); from a click to knowing that nothing came of it (ms).
    pub limits: [f64; 4],
    burst: f64,
    /// Presses of the burst that changed something elsewhere before the next.
    answered: f64,
    changed: bool,
    effect_ms: f64,
    /// The last ones, the newest last.
    recent: [Pressed; AWAITING_MAX],
}

impl Default for Presses {
    fn default() -> Self {
        Self {
            limits: [3.0, 1_000.0, 30.0, 2_500.0],
            burst: 0.0,
            answered: 0.0,
            changed: false,
            effect_ms: 0.0,
            recent: [Pressed::default(); AWAITING_MAX],
        }
    }
}

impl Presses {
    /// A press. `true`: it makes a burst rage.
    pub fn pressed(&mut self, ms: f64, down: &Down) -> bool {
        let [presses, within_ms, within_px, _] = self.limits;
        let last = self.last().down;
        let apart = (down.x - last.x).abs() + (down.y - last.y).abs();
        if ms - self.last().ms > within_ms || apart > within_px {
            self.burst = 0.0;
            self.answered = 0.0;
        } else if self.changed {
            self.answered += 1.0;
        }
        self.burst += 1.0;
        self.changed = false;
        let awaited = ms >= self.effect_ms;
        let mut newest = Pressed {
            ms,
            down: *down,
            ..Pressed::default()
        };
        if !awaited {
            newest.down.signs &= !MAY_BE_DEAD;
        }
        // Each takes the place of the one after it.
        for place in self.recent.iter_mut().rev() {
            core::mem::swap(place, &mut newest);
        }
        down.signs & MAY_RAGE != 0 && self.burst == presses && self.answered + 1.0 < self.burst
    }

    /// The press before now.
    pub fn last(&self) -> &Pressed {
        let [.., last] = &self.recent;
        last
    }

    /// The last press became a click: from now on it should have an effect.
    pub fn clicked(&mut self, now_ms: f64) {
        let [.., dead_ms] = self.limits;
        let [.., last] = &mut self.recent;
        if last.due_ms == 0.0 {
            last.due_ms = now_ms + dead_ms;
        }
    }

    /// Something has changed. `elsewhere`: not only what was pressed.
    pub fn effect(&mut self, now_ms: f64, elsewhere: bool) {
        self.effect_ms = now_ms;
        self.changed |= elsewhere;
        for press in &mut self.recent {
            press.down.signs &= !MAY_BE_DEAD;
        }
    }

    /// An error: the press it is laid to.
    pub fn error(&mut self, now_ms: f64) -> Option<Pressed> {
        let [.., last] = &mut self.recent;
        let laid = now_ms - last.ms <= ERROR_MS_MAX && !last.erred;
        last.erred |= laid;
        laid.then_some(*last)
    }

    /// When the next press turns out to be dead, ms; infinite when none may.
    pub fn due_ms(&self) -> f64 {
        let mut due = f64::INFINITY;
        for press in self.recent.iter().filter(|press| press.is_due()) {
            due = due.min(press.due_ms);
        }
        due
    }

    /// The next press that has turned out to be dead.
    pub fn dead(&mut self, now_ms: f64) -> Option<Pressed> {
        let mut recent = self.recent.iter_mut();
        let dead = recent.find(|press| press.is_due() && press.due_ms <= now_ms)?;
        dead.down.signs &= !MAY_BE_DEAD;
        Some(*dead)
    }
}

impl Pressed {
    fn is_due(&self) -> bool {
        self.due_ms > 0.0 && self.down.signs & MAY_BE_DEAD != 0
    }
}
