//! What counts as a press, a swipe, a long press, a pinch and a finger's hesitation.
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
//!
//! **A long press** is a button, finger or pen held for [`LONG_PRESS_MS`] within
//! [`TAP_TRAVEL_PX_MAX`] until it is let go, or until the browser takes it over (it opens a menu).
//! **A finger hesitates** (a pen too) when it is held for [`HELD_MS`] within that travel on an element
//! one can press; that ends when it is lifted, goes further, or is taken over, and it was `pressed` when it
//! counts as a press. **A pinch** is two fingers whose distance has changed by [`PINCH_PX_MIN`] when
//! the first of them is lifted; neither is a press then.

use crate::few::Few;
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
/// Held for so long it is a long press, ms.
pub const LONG_PRESS_MS: f64 = 500.0;
/// A finger held for so long on something one can press hesitates, ms.
pub const HELD_MS: f64 = 300.0;
/// Two fingers whose distance changed by so much have pinched, CSS pixels.
pub const PINCH_PX_MIN: f32 = 20.0;
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
    /// Whether it is something one can press.
    pub interactive: bool,
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
    /// What may come of it, as [`crate::presses`] numbers that.
    pub signs: u8,
}

/// What came of a pointer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gesture {
    /// When it went down, ms.
    pub ms: f64,
    /// How it went down.
    pub down: Down,
    /// A press.
    pub pressed: bool,
    /// How long it was held in one place, ms; it may be a finger's hesitation.
    pub held_ms: f64,
    /// How long until it was let go or taken over, ms.
    pub duration_ms: f64,
    /// A long press.
    pub long: bool,
    /// A swipe: travel to the right and downwards (CSS pixels), and the speed at release along the
    /// larger axis (CSS pixels per millisecond).
    pub swipe: Option<(f64, f64, f64)>,
    /// A pinch: distance at the end in percent of that at the start. None: 0.
    pub pinch_percent: u32,
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
    touches: Few<Touch, TOUCHES_MAX>,
    /// The last pointer that came to an end (mouse: went down) and whether it counted.
    last: Option<(f64, Down, bool)>,
    last_click_ms: f64,
    last_key_ms: f64,
    key_repeats: bool,
    /// Square of the distance of the first two fingers when the second went down; 0: nothing to pinch.
    apart: f32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Touch {
    ms: f64,
    down: Down,
    samples: Few<(f64, f64, f64), SAMPLES_MAX>,
    /// When it went beyond what a press may travel, ms.
    left_ms: f64,
    /// It went beyond what a press may travel.
    moved: bool,
    /// The browser took it over: no pointer event comes any more, touch events still do.
    taken: bool,
    /// Another finger was down during it.
    shared: bool,
}

impl Gestures {
    /// A pointer goes down. `primary`: it is the first of its kind. A mouse has pressed by it.
    pub fn down(&mut self, ms: f64, down: Down, primary: bool) {
        if down.pointer == Pointer::Mouse {
            self.last = Some((ms, down, true));
        }
        if primary {
            // Whatever was left over from before has ended without telling us.
            self.touches.clear();
        }
        if let Some(place) = self.place(down.id) {
            self.touches.remove(place);
        }
        let shared = !self.touches.is_empty();
        for touch in self.touches.iter_mut() {
            touch.shared = true;
        }
        let mut touch = Touch {
            ms,
            down,
            left_ms: ms,
            shared,
            ..Touch::default()
        };
        touch.samples.push((ms, down.x, down.y));
        self.touches.push(touch);
        self.apart = self.distance();
    }

    /// A pointer moves.
    pub fn moved(&mut self, ms: f64, id: i32, x: f64, y: f64) {
        if let Some(place) = self.place(id)
            && let Some(touch) = self.touches.get_mut(place)
        {
            touch.sample(ms, x, y);
        }
    }

    /// A pointer is lifted.
    pub fn up(&mut self, ms: f64, id: i32, x: f64, y: f64) -> Option<Gesture> {
        let place = self.place(id)?;
        self.touches.get_mut(place)?.sample(ms, x, y);
        let gesture = self.lift(place, ms, x, y);
        if gesture.down.pointer != Pointer::Mouse {
            let counted = gesture.pressed || gesture.swipe.is_some() || gesture.pinch_percent > 0;
            self.last = Some((gesture.ms, gesture.down, counted));
        }
        Some(gesture)
    }

    /// The browser takes a pointer over, to scroll or to open a menu. It may have been held.
    pub fn cancelled(&mut self, ms: f64, id: i32) -> Option<Gesture> {
        let place = self.place(id)?;
        let touch = self.touches.get_mut(place)?;
        let held = touch.held(ms);
        touch.taken = true;
        touch.moved = true;
        // A pen that is taken over sends no touch events in every browser: it would stay for ever.
        if touch.down.pointer != Pointer::Touch {
            self.touches.remove(place);
        }
        Some(held)
    }

    /// Whether the browser has taken a finger over, which it does to scroll.
    pub fn is_taken(&self) -> bool {
        self.touches.iter().any(|touch| touch.taken)
    }

    /// A finger the browser has taken over moves on (touch events; they name no pointer); `second`:
    /// and another, there or nowhere (NaN).
    pub fn taken_moved(&mut self, ms: f64, x: f64, y: f64, second: (f64, f64)) {
        let mut taken = self.touches.iter_mut().filter(|touch| touch.taken);
        if let Some(touch) = taken.next() {
            touch.sample(ms, x, y);
        }
        if let Some(touch) = taken.next()
            && !second.0.is_nan()
        {
            touch.sample(ms, second.0, second.1);
        }
    }

    /// A finger the browser has taken over is lifted: a swipe, the end of a pinch, or nothing.
    pub fn taken_up(&mut self, ms: f64, x: f64, y: f64) -> Option<Gesture> {
        let place = self.touches.iter().position(|touch| touch.taken)?;
        // Of two, nobody says which it is; where both were is known.
        if self.apart <= 0.0 {
            self.touches.get_mut(place)?.sample(ms, x, y);
        }
        Some(self.lift(place, ms, x, y))
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
            Some((ms, down, false)) => Click::Late(Gesture {
                ms,
                down,
                pressed: true,
                ..Gesture::default()
            }),
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
        !self.touches.is_empty()
    }

    fn place(&self, id: i32) -> Option<usize> {
        self.touches.iter().position(|touch| touch.down.id == id)
    }

    /// Square of the distance of two fingers; 0 when there are not two.
    fn distance(&self) -> f32 {
        match &self.touches[..] {
            [a, b] => match (a.samples.last(), b.samples.last()) {
                (Some(a), Some(b)) => {
                    let (dx, dy) = ((a.1 - b.1) as f32, (a.2 - b.2) as f32);
                    dx * dx + dy * dy
                }
                _ => 0.0,
            },
            _ => 0.0,
        }
    }

    /// What comes of a pointer that is lifted.
    fn lift(&mut self, place: usize, ms: f64, x: f64, y: f64) -> Gesture {
        let (before, after) = (root(self.apart), root(self.distance()));
        let pinched = self.apart > 0.0 && (after - before).abs() >= PINCH_PX_MIN;
        let second = self.touches.get(1).map(|touch| (touch.ms, touch.down));
        self.apart = 0.0;
        let touch = self.touches.get(place).copied().unwrap_or_default();
        self.touches.remove(place);
        if let (true, Some((started_ms, down))) = (pinched, second) {
            for other in self.touches.iter_mut() {
                other.moved = true;
            }
            return Gesture {
                ms: started_ms,
                down,
                duration_ms: ms - started_ms,
                pinch_percent: (after * 100.0 / before.max(1.0)) as u32,
                ..Gesture::default()
            };
        }
        let mut gesture = touch.held(ms);
        gesture.swipe = touch.swipe(ms, x, y);
        // A mouse has pressed when it went down.
        gesture.pressed = gesture.swipe.is_none()
            && !touch.moved
            && !touch.taken
            && touch.down.pointer != Pointer::Mouse;
        gesture
    }
}

impl Touch {
    fn sample(&mut self, ms: f64, x: f64, y: f64) {
        self.samples.push((ms, x, y));
        if !self.moved {
            self.left_ms = ms;
        }
        self.moved |= (x - self.down.x).abs() > TAP_TRAVEL_PX_MAX
            || (y - self.down.y).abs() > TAP_TRAVEL_PX_MAX;
    }

    /// It ends, and was perhaps held before.
    fn held(&self, ms: f64) -> Gesture {
        let until = if self.moved { self.left_ms } else { ms };
        let alone = !self.shared && !self.taken;
        let held_ms = until - self.ms;
        Gesture {
            ms: self.ms,
            down: self.down,
            held_ms: if alone { held_ms } else { 0.0 },
            duration_ms: ms - self.ms,
            long: alone && !self.moved && held_ms >= LONG_PRESS_MS,
            ..Gesture::default()
        }
    }

    /// The swipe this was, if it was one: travel, and speed at release.
    fn swipe(&self, ms: f64, x: f64, y: f64) -> Option<(f64, f64, f64)> {
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
        let swipes = !self.shared && self.down.pointer != Pointer::Mouse;
        if !swipes || travel < SWIPE_TRAVEL_PX_MIN || speed < SWIPE_SPEED_MIN {
            return None;
        }
        Some((dx, dy, speed))
    }
}

/// The square root, by Newton's method: there is none without the standard library.
fn root(square: f32) -> f32 {
    let mut root = square.max(1.0);
    // Halves at first what is far too large; 15 rounds are enough for a million.
    for _ in 0..20 {
        root = 0.5 * (root + square / root);
    }
    root
}
