//! The way a pointer takes, thinned as it is taken.
//!
//! Owns which places of a movement are kept, and their bytes. Refuses to know elements, buttons and
//! what is done with a way.
//!
//! A place is kept when the straight line from the one kept before could not go on without missing
//! a place in between by more than [`OFF_PX_MAX`], or turned back, or took longer than
//! [`STEP_MS_MAX`]. So no place the pointer was at is further than that from the way as told.
//! A way ends when the pointer has rested for [`REST_MS`], when it is long, with a press, and when
//! the page scrolls; its last step is the rest until then.

use crate::encode::{Bytes, number, signed};

/// How far a place may be from the way as told, CSS pixels.
pub const OFF_PX_MAX: i32 = 3;
/// How long a step may take unless the pointer stands still, ms: one byte.
pub const STEP_MS_MAX: f64 = 127.0;
/// A pointer that has not moved for so long rests, ms.
pub const REST_MS: f64 = 500.0;
/// Steps of a way: their number is one byte.
pub const WAY_STEPS_MAX: usize = 127;
/// How long a way may take, ms.
pub const WAY_MS_MAX: f64 = 10_000.0;
/// Largest coordinate that is followed, either way: products of differences stay in range.
const FAR_PX: f64 = 8_000.0;
/// Most bytes of a step: a time of less than 2^14 ms, and two differences of less than 2^14 px.
const STEP_BYTES_MAX: usize = 2 + 3 + 3;

/// A place in the window, in whole CSS pixels, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Place {
    ms: f64,
    x: i32,
    y: i32,
}

/// A movement that may still go on.
#[derive(Debug)]
pub struct Way {
    /// The steps kept, as the wire has them: their number, and each.
    room: [u8; 1 + WAY_STEPS_MAX * STEP_BYTES_MAX],
    len: usize,
    steps: usize,
    began_ms: f64,
    kept: Place,
    last: Place,
    /// Seen from the place kept last: the directions that miss no place since by too much, between
    /// these two, and how far away the last of these places is, squared. 0: any direction will do.
    low: (i32, i32),
    high: (i32, i32),
    far: i32,
}

impl Default for Way {
    fn default() -> Self {
        Self {
            room: [0; _],
            len: 1,
            steps: 0,
            began_ms: 0.0,
            kept: Place::default(),
            last: Place::default(),
            low: (0, 0),
            high: (0, 0),
            far: 0,
        }
    }
}

impl Way {
    /// The pointer is somewhere, in CSS pixels of the window. `true`: the way is to be ended now.
    pub fn moved(&mut self, ms: f64, x: f64, y: f64) -> bool {
        // Whole, so that the steps add up to the time.
        let ms = ms as u64 as f64;
        let whole = |length: f64| length.clamp(-FAR_PX, FAR_PX) as i32;
        let at = Place {
            ms,
            x: whole(x),
            y: whole(y),
        };
        if self.steps == 0 {
            self.began_ms = ms;
            // The first step is from the top left of the window, and takes no time.
            self.kept = Place { ms, x: 0, y: 0 };
            self.last = at;
            self.keep();
            return false;
        }
        if self.last != self.kept
            && (ms - self.kept.ms > STEP_MS_MAX || !self.leads(self.since_kept(at)))
        {
            self.keep();
        }
        self.last = at;
        self.narrow(self.since_kept(at));
        self.steps >= WAY_STEPS_MAX - 2 || ms - self.began_ms >= WAY_MS_MAX
    }

    /// Ends the way at a time: its bytes as the wire has them. None when nothing moved.
    pub fn end(&mut self, ms: f64) -> Option<&[u8]> {
        if self.steps == 0 {
            return None;
        }
        if self.last != self.kept {
            self.keep();
        }
        let moved = self.steps > 1;
        // It stayed there until now.
        let ms = ms as u64 as f64;
        if ms > self.last.ms {
            self.last.ms = ms;
            self.keep();
        }
        let len = self.len;
        self.room[0] = self.steps as u8;
        self.len = 1;
        self.steps = 0;
        if moved { self.room.get(..len) } else { None }
    }

    /// When the pointer will have rested, ms; infinite when no way is being taken.
    pub fn due_ms(&self) -> f64 {
        if self.steps == 0 {
            f64::INFINITY
        } else {
            self.last.ms + REST_MS
        }
    }

    fn since_kept(&self, at: Place) -> (i32, i32) {
        (at.x - self.kept.x, at.y - self.kept.y)
    }

    /// Whether a straight line there passes all places since the one kept last.
    fn leads(&self, to: (i32, i32)) -> bool {
        self.far == 0
            || (square(to) >= self.far && cross(self.low, to) >= 0 && cross(to, self.high) >= 0)
    }

    /// Lines from the place kept last must pass this place as well.
    fn narrow(&mut self, to: (i32, i32)) {
        let far = square(to);
        if far <= OFF_PX_MAX * OFF_PX_MAX {
            return;
        }
        // Aside along the smaller axis, which is at least as far as straight aside.
        let (dx, dy) = to;
        let (low, high) = if dx.abs() > dy.abs() {
            let by = OFF_PX_MAX * dx.signum();
            ((dx, dy - by), (dx, dy + by))
        } else {
            let by = OFF_PX_MAX * dy.signum();
            ((dx + by, dy), (dx - by, dy))
        };
        if self.far == 0 || cross(self.low, low) > 0 {
            self.low = low;
        }
        if self.far == 0 || cross(high, self.high) > 0 {
            self.high = high;
        }
        self.far = far;
    }

    /// Keeps the newest place as a step.
    fn keep(&mut self) {
        let (dx, dy) = self.since_kept(self.last);
        let rest = self.room.get_mut(self.len..).unwrap_or_default();
        let out = &mut Bytes::new(rest);
        number(out, (self.last.ms - self.kept.ms) as u64);
        signed(out, dx);
        signed(out, dy);
        self.len += out.done().len();
        self.steps += 1;
        self.kept = self.last;
        self.far = 0;
    }
}

fn square((dx, dy): (i32, i32)) -> i32 {
    dx * dx + dy * dy
}

fn cross(a: (i32, i32), b: (i32, i32)) -> i32 {
    a.0 * b.1 - a.1 * b.0
}
