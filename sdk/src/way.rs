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

use crate::encode::{Bytes, span};
use crate::kind;
use crate::queue::Queue;
use crate::uplink::NEVER_MS;

/// How far a place may be from the way as told, CSS pixels.
pub const OFF_PX_MAX: i32 = 3;
/// How long a step may take unless the pointer stands still, ms: one byte.
pub const STEP_MS_MAX: i64 = 127;
/// A pointer that has not moved for so long rests, ms.
pub const REST_MS: i64 = 500;
/// Steps of a way: their number is one byte.
pub const WAY_STEPS_MAX: usize = 127;
/// How long a way may take, ms.
pub const WAY_MS_MAX: i64 = 10_000;
/// Largest coordinate that is followed, either way: products of differences stay in range.
const FAR_PX: i32 = 8_000;

/// A place in the window, in whole CSS pixels, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    ms: i64,
    x: i32,
    y: i32,
}

const NOWHERE: Place = Place { ms: 0, x: 0, y: 0 };

/// A movement that may still go on.
#[derive(Debug)]
#[repr(C)]
pub struct Way {
    steps: usize,
    began_ms: i64,
    kept: Place,
    last: Place,
    /// Seen from the place kept last: the directions that miss no place since by too much, between
    /// these two, and how far away the last of these places is, squared. 0: any direction will do.
    low: (i32, i32),
    high: (i32, i32),
    far: i32,
    /// The steps kept, as the wire has them.
    bytes: Bytes,
}

impl Way {
    pub(crate) const fn new() -> Self {
        Self {
            steps: 0,
            began_ms: 0,
            kept: NOWHERE,
            last: NOWHERE,
            low: (0, 0),
            high: (0, 0),
            far: 0,
            bytes: Bytes::new(),
        }
    }

    /// No way is taken.
    pub(crate) fn begin(&mut self) {
        self.steps = 0;
        self.bytes.clear();
    }

    /// The pointer is somewhere, in CSS pixels of the window.
    pub(crate) fn moved(&mut self, ms: i64, x: i32, y: i32, queue: &mut Queue) {
        let at = Place {
            ms,
            x: x.clamp(-FAR_PX, FAR_PX),
            y: y.clamp(-FAR_PX, FAR_PX),
        };
        if self.steps == 0 {
            self.began_ms = ms;
            // The first step is from the top left of the window, and takes no time.
            self.kept = Place { ms, ..NOWHERE };
            self.last = at;
            return self.keep();
        }
        if self.last != self.kept
            && (ms - self.kept.ms > STEP_MS_MAX || !self.leads(self.since_kept(at)))
        {
            self.keep();
        }
        self.last = at;
        self.narrow(self.since_kept(at));
        if self.steps >= WAY_STEPS_MAX - 2 || ms - self.began_ms >= WAY_MS_MAX {
            self.end(ms, queue);
        }
    }

    /// Ends the way at a time, and tells of it if anything moved.
    #[inline(never)]
    pub(crate) fn end(&mut self, ms: i64, queue: &mut Queue) {
        if self.steps == 0 {
            return;
        }
        if self.last != self.kept {
            self.keep();
        }
        let moved = self.steps > 1;
        // It stayed there until now.
        if ms > self.last.ms {
            self.last.ms = ms;
            self.keep();
        }
        if moved {
            queue.draft.push(self.steps as u8);
            queue.tell_of(kind::PATH, ms, 0, self.bytes.done());
        }
        self.begin();
    }

    /// When the pointer will have rested, ms; the end of time when no way is being taken.
    pub fn due_ms(&self) -> i64 {
        if self.steps == 0 {
            NEVER_MS
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
    #[inline(never)]
    fn keep(&mut self) {
        let (dx, dy) = self.since_kept(self.last);
        self.bytes
            .number(u64::from(span(self.kept.ms, self.last.ms)));
        self.bytes.signed(dx);
        self.bytes.signed(dy);
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
