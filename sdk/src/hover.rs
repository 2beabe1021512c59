//! When a pointer rests over something.
//!
//! Owns which element a pointer is over, since when, and whether it was pressed. Refuses to know how
//! an element is found, named or told of.
//!
//! **A hesitation** of a mouse, or of a pen held above the screen: it comes over an element one can
//! press and is over that same element for [`HESITATION_MS`](crate::way::REST_MS) without pressing;
//! moving about inside counts as being over it. It ends when the pointer is over something else or
//! outside the window, when the element goes, and when the page is hidden or left. It was `pressed`
//! when a press on it came in between. A press within the first half second shows that nobody
//! hesitated, and nothing is told of that stay.
//!
//! That a pointer left without moving again (out of the window, or by what moved under it) no event
//! tells: the shell is asked to look ([`Hover::look`]), at first after a second, then ever more
//! rarely, so that such a duration is at most an eighth too long.

use crate::gesture::Down;
use crate::way::REST_MS;
use upriver_wire::ElementId;

/// The shortest time between two looks, ms.
const LOOK_MS_MIN: f64 = 1_000.0;

/// A pointer over an element.
#[derive(Debug)]
pub struct Hover {
    /// The shell's number for the element; 0: none that can be pressed.
    over: i32,
    since_ms: f64,
    look_ms: f64,
    /// Where it came to rest, once it has.
    rested: Option<Down>,
    pressed: bool,
}

impl Default for Hover {
    fn default() -> Self {
        Self {
            over: 0,
            since_ms: 0.0,
            look_ms: f64::INFINITY,
            rested: None,
            pressed: false,
        }
    }
}

impl Hover {
    /// The pointer is over this element (0: none). The hesitation that ends by it: where, how long
    /// it took (ms), and whether it was pressed.
    pub fn over(&mut self, ms: f64, element: i32) -> Option<(Down, f64, bool)> {
        if element == self.over {
            return None;
        }
        let ended = self.rested.map(|at| (at, ms - self.since_ms, self.pressed));
        let look_ms = if element == 0 {
            f64::INFINITY
        } else {
            ms + REST_MS
        };
        *self = Self {
            over: element,
            since_ms: ms,
            look_ms,
            ..Self::default()
        };
        ended
    }

    /// The pointer is still over its element, and that is this one.
    pub fn rests(&mut self, at: Down) {
        self.rested = Some(at);
    }

    /// Something is pressed by this pointer, or (`false`) otherwise.
    pub fn press(&mut self, element: ElementId, pointed: bool) {
        match &self.rested {
            Some(at) => self.pressed |= at.target.element == element,
            None if pointed => self.look_ms = f64::INFINITY,
            None => {}
        }
    }

    /// Whether the shell is to look if the pointer is still there: 0 no, 1 yes and at where it is,
    /// 2 yes.
    pub fn look(&mut self, ms: f64) -> u8 {
        if ms < self.look_ms {
            return 0;
        }
        self.look_ms = ms + ((ms - self.since_ms) / 8.0).max(LOOK_MS_MIN);
        1 + u8::from(self.rested.is_some())
    }

    /// When that is due, ms.
    pub fn due_ms(&self) -> f64 {
        self.look_ms
    }
}
