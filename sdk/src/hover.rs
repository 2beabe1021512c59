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

use crate::encode::span;
use crate::gesture::Down;
use crate::kind;
use crate::recorder::Recorder;
use crate::uplink::NEVER_MS;
use crate::way::REST_MS;

/// The shortest time between two looks, ms.
const LOOK_MS_MIN: i64 = 1_000;

/// A pointer over an element.
#[derive(Clone, Copy, Debug)]
pub struct Hover {
    /// The shell's number for the element; 0: none that can be pressed.
    over: i32,
    /// Whether and where it came to rest.
    rested: bool,
    pressed: bool,
    since_ms: i64,
    /// When the shell is to look if it is still there, ms.
    pub(crate) look_ms: i64,
    at: Down,
}

impl Hover {
    pub(crate) const NONE: Self = Self {
        over: 0,
        rested: false,
        pressed: false,
        since_ms: 0,
        look_ms: 0,
        at: Down::NONE,
    };
    /// It is over nothing.
    pub(crate) const AWAY: Self = Self {
        look_ms: NEVER_MS,
        ..Self::NONE
    };

    /// The pointer is still over its element, and that is this one.
    pub fn rests(&mut self, at: &Down) {
        self.rested = true;
        self.at = *at;
    }

    /// Something is pressed by this pointer, or (`false`) otherwise.
    pub fn press(&mut self, element: u64, pointed: bool) {
        if self.rested {
            self.pressed |= self.at.element == element;
        } else if pointed {
            self.look_ms = NEVER_MS;
        }
    }

    /// Whether the shell is to look if the pointer is still there: 0 no, 1 yes and at where it is,
    /// 2 yes.
    pub fn look(&mut self, ms: i64) -> u8 {
        if ms < self.look_ms {
            return 0;
        }
        self.look_ms = ms + ((ms - self.since_ms) / 8).max(LOOK_MS_MIN);
        1 + u8::from(self.rested)
    }
}

impl Recorder {
    /// The pointer is over this element (0: none). A hesitation that ends by it is told.
    #[inline(never)]
    pub(crate) fn over(&mut self, ms: i64, element: i32) {
        if element == self.hover.over {
            return;
        }
        let ended = self.hover;
        self.hover = Hover {
            over: element,
            since_ms: ms,
            ..Hover::AWAY
        };
        if element != 0 {
            self.hover.look_ms = ms + REST_MS;
        }
        if ended.rested {
            let numbers = [span(ended.since_ms, ms), u32::from(ended.pressed)];
            self.spot(kind::HESITATION, ms, &ended.at, &numbers);
        }
    }
}
