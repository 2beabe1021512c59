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
pub const TURN_PX: f64 = 10.0;

/// A movement to and fro.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Thrashed {
    /// Times it turned.
    pub turns: f64,
    /// Way, CSS pixels along the axis.
    pub px: f64,
    /// How long it took, milliseconds.
    pub ms: f64,
}

/// One axis.
#[derive(Clone, Copy, Debug, Default)]
struct Axis {
    /// Where it goes: 1 or -1; 0 before the first movement.
    towards: f64,
    /// The farthest it went since it turned, and when.
    farthest: f64,
    farthest_ms: f64,
    /// Where and when it turned last.
    turned: f64,
    turned_ms: f64,
    run: Thrashed,
}

/// The movement that runs.
#[derive(Debug)]
pub struct Thrash {
    /// Legs in a row that make it one; the shortest that counts (CSS pixels), and the longest it may
    /// take (ms).
    pub limits: [f64; 3],
    axes: [Axis; 2],
}

impl Default for Thrash {
    fn default() -> Self {
        Self {
            limits: [5.0, 50.0, 300.0],
            axes: Default::default(),
        }
    }
}

impl Thrash {
    /// The mouse moves, with no button held.
    pub fn moved(&mut self, ms: f64, x: f64, y: f64) -> Option<Thrashed> {
        let [legs, px, leg_ms] = self.limits;
        let mut found = None;
        for (axis, at) in self.axes.iter_mut().zip([x, y]) {
            let on = (at - axis.farthest) * axis.towards;
            if axis.towards == 0.0 || on >= 0.0 {
                if axis.towards == 0.0 {
                    axis.turned = at;
                    axis.turned_ms = ms;
                    axis.towards = 1.0;
                }
                axis.farthest = at;
                axis.farthest_ms = ms;
            } else if on <= -TURN_PX {
                let way = (axis.farthest - axis.turned).abs();
                let took = axis.farthest_ms - axis.turned_ms;
                if way < px || took > leg_ms {
                    axis.run = Thrashed::default();
                } else {
                    axis.run.turns += 1.0;
                    axis.run.px += way;
                    axis.run.ms += took;
                    if axis.run.turns == legs {
                        found = Some(axis.run);
                    }
                }
                axis.turned = axis.farthest;
                axis.turned_ms = axis.farthest_ms;
                axis.towards = -axis.towards;
                axis.farthest = at;
                axis.farthest_ms = ms;
            }
        }
        found
    }

    /// The movement ends.
    pub fn forget(&mut self) {
        self.axes = Default::default();
    }
}
