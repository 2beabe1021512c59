//! When a mouse is moved to and fro without a purpose that shows.
//!
//! Owns the definition, and the legs of the movement that runs. Refuses to know elements.
//!
//! A **leg** is the way between two turns along one axis (a turn is a way back of [`TURN_PX`]).
//! **Thrash** is the fifth leg in a row of at least 50 px that took at most 300 ms, along either
//! axis and without a button held: five strokes within a second and a half, as of somebody who
//! shakes the mouse, or draws circles with it, while a page does not answer. It is told with that
//! leg, once until a slower or shorter leg ends the movement. People who read, aim or wander hardly
//! ever do that: in 57 minutes of recorded sessions of 19 people it is found once; three legs
//! would be found 43 times.

/// Way back from which a movement has turned, CSS pixels.
pub const TURN_PX: i32 = 10;

/// A movement to and fro.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thrashed {
    /// Times it turned.
    pub turns: u32,
    /// Way, CSS pixels along the axis.
    pub px: u32,
    /// How long it took, milliseconds.
    pub ms: u32,
}

/// One axis.
#[derive(Clone, Copy, Debug)]
struct Axis {
    /// When it was farthest since it turned, and when it turned last; 0 before the first movement.
    farthest_ms: i64,
    turned_ms: i64,
    /// Where, CSS pixels.
    farthest: i32,
    turned: i32,
    run: Thrashed,
}

const NONE: Thrashed = Thrashed {
    turns: 0,
    px: 0,
    ms: 0,
};
const STILL: Axis = Axis {
    farthest_ms: 0,
    turned_ms: 0,
    farthest: 0,
    turned: 0,
    run: NONE,
};

/// The movement that runs.
#[derive(Debug)]
pub struct Thrash {
    /// Legs in a row that make it one; the shortest that counts (CSS pixels), and the longest it may
    /// take (ms).
    pub limits: [u32; 3],
    axes: [Axis; 2],
}

impl Thrash {
    pub(crate) const NONE: Self = Self {
        limits: [0; 3],
        axes: [STILL; 2],
    };

    pub(crate) fn begin(&mut self) {
        self.limits = [5, 50, 300];
        self.forget();
    }

    /// The mouse moves, with no button held.
    pub fn moved(&mut self, ms: i64, x: i32, y: i32) -> Option<Thrashed> {
        let [legs, px, leg_ms] = self.limits;
        let mut found = None;
        for (axis, &at) in self.axes.iter_mut().zip(&[x, y]) {
            let way = axis.farthest - axis.turned;
            let mut on = at - axis.farthest;
            if way < 0 {
                on = -on;
            }
            if axis.turned_ms == 0 {
                axis.turned = at;
                axis.turned_ms = ms;
            } else if on <= -TURN_PX {
                let way = way.unsigned_abs();
                let took = (axis.farthest_ms - axis.turned_ms) as u32;
                if way < px || took > leg_ms {
                    axis.run = NONE;
                } else {
                    axis.run.turns += 1;
                    axis.run.px += way;
                    axis.run.ms += took;
                    if axis.run.turns == legs {
                        found = Some(axis.run);
                    }
                }
                axis.turned = axis.farthest;
                axis.turned_ms = axis.farthest_ms;
            } else if on < 0 {
                continue;
            }
            axis.farthest = at;
            axis.farthest_ms = ms;
        }
        found
    }

    /// The movement ends.
    pub fn forget(&mut self) {
        self.axes = [STILL; 2];
    }
}
