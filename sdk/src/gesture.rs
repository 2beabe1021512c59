//! What counts as a press and what counts as a swipe.
//!
//! Owns the state between a pointer going down and what comes of it. Refuses to know elements
//! beyond the [`Target`] it is handed, scrolling, and what happens to the answer.
//!
//! **One press** is counted for each of these, and for nothing else:
//! - a mouse button going down (any button; a second button while one is held is not reported by
//!   browsers as a new press), whether or not a click follows;
//! - a finger or pen going down and up again within [`TAP_TRAVEL_PX_MAX`], without the browser
//!   taking the gesture over (scrolling, long-press menu);
//! - a finger or pen that travelled further, was no swipe, and of which the browser nevertheless
//!   made a click;
//! - an activation without pointer (a click with `detail` 0): a key, a form sent by Enter, or
//!   assistive technology. Not a held key's repeats, and not the second click that a pressed label
//!   makes on its field;
//! - a click with no pointer event before it, as some assistive technology sends.
//!
//! Its time and place are those of the pointer going down. Only events the browser itself marks as
//! trusted may be fed in here.

use alloc::vec::Vec;
use upriver_wire::ElementId;
use upriver_wire::batch::{BoxPoint, Button, Layer, Pointer};

/// Travel up to which a finger or pen is still a press, CSS pixels along each axis.
pub const TAP_TRAVEL_PX_MAX: f64 = 10.0;
/// Travel from which a finger or pen has swiped, CSS pixels along the larger axis.
pub const SWIPE_TRAVEL_PX_MIN: f64 = 30.0;
/// Speed at release from which it has swiped, CSS pixels per millisecond.
pub const SWIPE_SPEED_MIN: f64 = 0.3;
/// The speed at release is that over this long before it, milliseconds.
pub const RELEASE_WINDOW_MS: f64 = 100.0;
/// A click this soon after another, with no pointer or key in between, is its echo (a label's).
pub const ECHO_MS_MAX: f64 = 1_000.0;
/// Fingers followed at once; one more forgets the oldest.
pub const TOUCHES_MAX: usize = 8;
/// Points of a finger's path remembered for its speed at release.
const SAMPLES_MAX: usize = 16;

/// What was pressed, and where in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Target {
    /// The element.
    pub element: ElementId,
    /// Where in its box.
    pub at: BoxPoint,
    /// On which layer it lies.
    pub layer: Layer,
}

/// A pointer going down.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Down {
    /// The browser's number for the pointer.
    pub id: i32,
    /// What kind it is.
    pub pointer: Pointer,
    /// Which button.
    pub button: Button,
    /// To the right in the window, CSS pixels.
    pub x: f64,
    /// Downwards in the window, CSS pixels.
    pub y: f64,
    /// What it went down on.
    pub target: Target,
}

/// What came of a pointer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gesture {
    /// A press, at the time of going down (ms).
    Press(f64, Down),
    /// A swipe.
    Swipe(Swiped),
}

/// A finished swipe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swiped {
    /// When it started, ms.
    pub ms: f64,
    /// How it started.
    pub down: Down,
    /// Travel to the right, CSS pixels.
    pub dx: f64,
    /// Travel downwards, CSS pixels.
    pub dy: f64,
    /// From touching to letting go.
    pub duration_ms: f64,
    /// Speed at release along the larger axis, CSS pixels per millisecond.
    pub speed: f64,
}

/// What a click turns out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Click {
    /// Counted already, or no press of anybody's.
    Nothing,
    /// The press of a pointer that had not counted yet.
    Late(Gesture),
    /// A press nothing else told of: find its target and count it.
    Unseen,
}

/// Pointers that are down, and what the next click would belong to.
#[derive(Debug, Default)]
pub struct Gestures {
    touches: Vec<Touch>,
    /// The last pointer that came to an end (mouse: went down) and whether it counted.
    last: Option<(f64, Down, bool)>,
    last_click_ms: f64,
    last_key_ms: f64,
    key_repeats: bool,
    mouse_down: bool,
}

#[derive(Debug)]
struct Touch {
    ms: f64,
    down: Down,
    samples: Vec<(f64, f64, f64)>,
    /// It went beyond what a press may travel.
    moved: bool,
    /// The browser took it over: no pointer event comes any more, touch events still do.
    taken: bool,
    /// Another finger was down during it.
    shared: bool,
}

impl Gestures {
    /// A pointer goes down. `primary`: it is the first of its kind.
    pub fn down(&mut self, ms: f64, down: Down, primary: bool) -> Option<Gesture> {
        if down.pointer == Pointer::Mouse {
            self.mouse_down = true;
            self.last = Some((ms, down, true));
            return Some(Gesture::Press(ms, down));
        }
        if primary {
            // Whatever was left over from before has ended without telling us.
            self.touches.clear();
        }
        self.touches.retain(|touch| touch.down.id != down.id);
        if self.touches.len() >= TOUCHES_MAX {
            self.touches.remove(0);
        }
        let shared = !self.touches.is_empty();
        for touch in &mut self.touches {
            touch.shared = true;
        }
        let samples = Vec::from([(ms, down.x, down.y)]);
        self.touches.push(Touch {
            ms,
            down,
            samples,
            moved: false,
            taken: false,
            shared,
        });
        None
    }

    /// A pointer moves.
    pub fn moved(&mut self, ms: f64, id: i32, x: f64, y: f64) {
        if let Some(touch) = self.touches.iter_mut().find(|touch| touch.down.id == id) {
            touch.sample(ms, x, y);
        }
    }

    /// A pointer is lifted.
    pub fn up(&mut self, ms: f64, id: i32, x: f64, y: f64) -> Option<Gesture> {
        self.mouse_down = false;
        let place = self.touches.iter().position(|touch| touch.down.id == id)?;
        let mut touch = self.touches.remove(place);
        touch.sample(ms, x, y);
        let gesture = touch.swipe(ms, x, y).or_else(|| {
            (!touch.moved && !touch.taken).then_some(Gesture::Press(touch.ms, touch.down))
        });
        self.last = Some((touch.ms, touch.down, gesture.is_some()));
        gesture
    }

    /// The browser takes a pointer over, to scroll or to open a menu.
    pub fn cancelled(&mut self, id: i32) {
        self.mouse_down = false;
        for touch in &mut self.touches {
            if touch.down.id == id {
                touch.taken = true;
            }
        }
        // A pen that is taken over sends no touch events in every browser: it would stay for ever.
        self.touches
            .retain(|touch| !touch.taken || touch.down.pointer == Pointer::Touch);
    }

    /// Whether the browser has taken a finger over, which it does to scroll.
    pub fn is_taken(&self) -> bool {
        self.touches.iter().any(|touch| touch.taken)
    }

    /// A finger the browser has taken over moves on (touch events; they name no pointer).
    pub fn taken_moved(&mut self, ms: f64, x: f64, y: f64) {
        if let Some(touch) = self.touches.iter_mut().find(|touch| touch.taken) {
            touch.sample(ms, x, y);
        }
    }

    /// A finger the browser has taken over is lifted: a swipe or nothing.
    pub fn taken_up(&mut self, ms: f64, x: f64, y: f64) -> Option<Gesture> {
        let place = self.touches.iter().position(|touch| touch.taken)?;
        let mut touch = self.touches.remove(place);
        touch.sample(ms, x, y);
        touch.swipe(ms, x, y)
    }

    /// A click, as told by the browser after (most) presses. `detail`: its click count.
    pub fn click(&mut self, ms: f64, detail: i32) -> Click {
        let echo = self.last_click_ms > 0.0
            && ms - self.last_click_ms < ECHO_MS_MAX
            && self.last_key_ms < self.last_click_ms;
        if detail <= 0 {
            return if echo || self.key_repeats {
                Click::Nothing
            } else {
                Click::Unseen
            };
        }
        let last = self.last.take();
        if last.is_some() || !echo {
            self.last_click_ms = ms;
        }
        match last {
            Some((_, _, true)) => Click::Nothing,
            Some((down_ms, down, false)) => Click::Late(Gesture::Press(down_ms, down)),
            None if echo => Click::Nothing,
            None => Click::Unseen,
        }
    }

    /// A key goes down. `repeat`: it is being held.
    pub fn key(&mut self, ms: f64, repeat: bool) {
        self.last_key_ms = ms;
        self.key_repeats = repeat;
    }

    /// Whether a mouse button, finger or pen is down.
    pub fn any_down(&self) -> bool {
        self.mouse_down || self.touching()
    }

    /// Whether a finger or pen is down.
    pub fn touching(&self) -> bool {
        !self.touches.is_empty()
    }
}

impl Touch {
    fn sample(&mut self, ms: f64, x: f64, y: f64) {
        if self.samples.len() >= SAMPLES_MAX {
            self.samples.remove(0);
        }
        self.samples.push((ms, x, y));
        self.moved |= (x - self.down.x).abs() > TAP_TRAVEL_PX_MAX
            || (y - self.down.y).abs() > TAP_TRAVEL_PX_MAX;
    }

    /// The swipe this was, if it was one.
    fn swipe(&self, ms: f64, x: f64, y: f64) -> Option<Gesture> {
        let (dx, dy) = (x - self.down.x, y - self.down.y);
        let across = dx.abs() > dy.abs();
        let travel = if across { dx.abs() } else { dy.abs() };
        // Where the finger was when the window began. While it scrolls, a browser tells of the finger
        // only now and then, so that lies between two samples more often than on one.
        let start = ms - RELEASE_WINDOW_MS;
        let place = self.samples.iter().position(|sample| sample.0 >= start)?;
        let mut recent = *self.samples.get(place)?;
        if let Some(before) = place
            .checked_sub(1)
            .and_then(|place| self.samples.get(place))
        {
            let part = (start - before.0) / (recent.0 - before.0).max(1.0);
            let between = |from: f64, to: f64| from + (to - from) * part;
            recent = (
                start,
                between(before.1, recent.1),
                between(before.2, recent.2),
            );
        }
        let distance = if across {
            (x - recent.1).abs()
        } else {
            (y - recent.2).abs()
        };
        let speed = distance / (ms - recent.0).max(1.0);
        if self.shared || travel < SWIPE_TRAVEL_PX_MIN || speed < SWIPE_SPEED_MIN {
            return None;
        }
        Some(Gesture::Swipe(Swiped {
            ms: self.ms,
            down: self.down,
            dx,
            dy,
            duration_ms: ms - self.ms,
            speed,
        }))
    }
}
