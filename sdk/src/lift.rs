//! What comes of a pointer that is lifted, taken over, or of which a click is made: it is told here.
//!
//! Owns the order of what is told of one, and the bytes of it. Refuses to know what a press, a swipe and the
//! like are: [`crate::gesture`] says that.

use crate::encode::{Bytes, span};
use crate::gesture::{
    Click, Down, HELD_MS, INTERACTIVE, LONG_PRESS_MS, ON_WIRE, PINCH_PX_MIN, POINTER,
    SWIPE_SPEED_MIN, SWIPE_TRAVEL_PX_MIN, TOUCH, TOUCHES_MAX, Touch,
};
use crate::kind;
use crate::recorder::Recorder;
use upriver_wire::limits::PIXELS_MAX;

impl Recorder {
    /// A pointer is lifted.
    pub(crate) fn up(&mut self, ms: i64, id: i32, x: i32, y: i32) {
        let place = self.gestures.place(id);
        self.gestures.moved(ms, id, x, y);
        if place < TOUCHES_MAX {
            let counted = self.lift(ms, place);
            let Touch { ms, down, .. } = self.gestures.ended;
            if !down.is_mouse() {
                self.gestures.ends(ms, &down, counted);
            }
        }
    }

    /// The browser takes a pointer over, to scroll or to open a menu. It may have been held.
    pub(crate) fn cancelled(&mut self, ms: i64, id: i32) {
        let place = self.gestures.place(id);
        if let Some(touch) = self.gestures.touches.get_mut(place) {
            self.gestures.ended = *touch;
            touch.taken = true;
            touch.moved = true;
            // A pen that is taken over sends no touch events in every browser: it would stay for ever.
            if touch.down.how & POINTER != TOUCH {
                self.gestures.remove(place);
            }
            self.held(ms, false);
        }
    }

    /// A finger the browser has taken over is lifted: a swipe, the end of a pinch, or nothing.
    pub(crate) fn taken_up(&mut self, ms: i64, x: i32, y: i32) {
        // Of two, nobody says which it is; where both were is known.
        if self.gestures.apart <= 0.0 {
            self.gestures.finger(ms, false, x, y);
        }
        let place = self.gestures.taken();
        if place < self.gestures.count {
            self.lift(ms, place);
        }
    }

    /// Tells what comes of a pointer that is lifted; whether anything.
    #[inline(never)]
    fn lift(&mut self, ms: i64, place: usize) -> bool {
        let gestures = &mut self.gestures;
        let (before, after) = (root(gestures.apart), root(gestures.distance()));
        let pinched = gestures.apart > 0.0 && (after - before).abs() >= PINCH_PX_MIN;
        gestures.apart = 0.0;
        let [_, second, ..] = &gestures.touches;
        if pinched {
            let Touch {
                ms: started_ms,
                down,
                ..
            } = *second;
            gestures.remove(place);
            // Of the other one nothing comes any more.
            gestures.touches[0].moved = true;
            let percent = (after * 100.0 / before.max(1.0)) as u32;
            let numbers = [percent, span(started_ms, ms)];
            self.spot(kind::PINCH, started_ms, &down, &numbers);
            return true;
        }
        if let Some(touch) = gestures.touches.get(place) {
            gestures.ended = *touch;
        }
        gestures.remove(place);
        let touch = &gestures.ended;
        let down = touch.down;
        let [.., newest] = touch.samples;
        let (dx, dy) = (newest.x - down.x, newest.y - down.y);
        let across = dx.abs() > dy.abs();
        let travel = if across { dx.abs() } else { dy.abs() };
        let speed = touch.speed(ms, across);
        let fingers = !down.is_mouse();
        let swiped =
            fingers && !touch.shared && travel >= SWIPE_TRAVEL_PX_MIN && speed >= SWIPE_SPEED_MIN;
        // A mouse has pressed when it went down.
        let pressed = fingers && !swiped && !touch.moved && !touch.taken;
        let started_ms = touch.ms;
        if pressed {
            self.press(started_ms, &down);
        }
        if swiped {
            let out = &mut self.queue.draft;
            place_of(out, &down);
            out.signed(dx);
            out.signed(dy);
            out.number(u64::from(span(started_ms, ms)));
            out.number(speed as u64);
            out.push((down.how & ON_WIRE) as u8);
            self.queue.tell(kind::SWIPE, started_ms, down.element);
        }
        self.held(ms, pressed);
        pressed || swiped
    }

    /// The pointer that has just ended was perhaps held before.
    #[inline(never)]
    fn held(&mut self, ms: i64, pressed: bool) {
        let touch = &self.gestures.ended;
        let (down, started_ms, moved) = (touch.down, touch.ms, touch.moved);
        if touch.shared || touch.taken {
            return;
        }
        let until = if moved { touch.left_ms } else { ms };
        let held_ms = until - started_ms;
        if !moved && held_ms >= LONG_PRESS_MS {
            self.spot(kind::LONG_PRESS, started_ms, &down, &[span(started_ms, ms)]);
        }
        if held_ms >= HELD_MS && !down.is_mouse() && down.how & INTERACTIVE != 0 {
            let numbers = [span(started_ms, until), u32::from(pressed)];
            self.spot(kind::HESITATION, until, &down, &numbers);
        }
    }

    /// A click. `true`: it is a press that nothing else told of, and is to be told as activated.
    pub(crate) fn click(&mut self, ms: i64, detail: i32) -> bool {
        match self.gestures.click(ms, detail) {
            Click::Nothing => {}
            Click::Unseen => return true,
            Click::Late => {
                let last = self.gestures.last;
                self.press(self.gestures.last_ms, &last);
            }
        }
        self.presses.clicked(ms);
        false
    }

    /// Tells of something that happened on an element: where, how, and these numbers.
    #[inline(never)]
    pub(crate) fn spot(&mut self, kind: u8, ms: i64, down: &Down, numbers: &[u32]) {
        let out = &mut self.queue.draft;
        place_of(out, down);
        out.push((down.how & ON_WIRE) as u8);
        for number in numbers {
            out.number(u64::from(*number));
        }
        self.queue.tell(kind, ms, down.element);
    }
}

fn place_of(out: &mut Bytes, down: &Down) {
    out.number(u64::from(down.at));
    out.number(pixels(down.x));
    out.number(pixels(down.y));
}

/// A length as it may travel.
pub(crate) fn pixels(length: i32) -> u64 {
    length.clamp(0, PIXELS_MAX as i32) as u64
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
