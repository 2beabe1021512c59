//! Scroll gestures: from positions to movements somebody made.
//!
//! Owns the known position of the page and of inner scrollers, and the gestures that are running.
//! Refuses to know why a container is interesting, and how its movement is stored.
//!
//! A gesture starts with a movement that a visitor caused (wheel, finger, key, held button within
//! [`CAUSE_MS_MAX`]) and ends [`SCROLL_END_MS`] after the last movement, or with a press. What
//! scripts move is no gesture; the page's position is kept right all the same ([`Moved::Silently`]).

use crate::few::Few;
use upriver_wire::ElementId;
use upriver_wire::batch::Scroll;

/// A gesture ends this long after its last movement.
pub const SCROLL_END_MS: f64 = 150.0;
/// A movement this long after a wheel turn, finger movement or key belongs to it.
pub const CAUSE_MS_MAX: f64 = 500.0;
/// Turning back by more than this is a reversal, CSS pixels.
pub const REVERSAL_PX: i32 = 10;
/// Inner scrollers whose position is remembered; one more forgets the one longest unmoved.
pub const SCROLLERS_MAX: usize = 32;

/// A position, CSS pixels.
pub type Position = (i32, i32);

/// What a movement amounts to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moved {
    /// A gesture has ended, at this time (ms); the container is the page when there is none.
    Gesture(f64, Option<ElementId>, Scroll),
    /// The page stands elsewhere, and nobody scrolled it: by so much to the right and downwards.
    Silently(i32, i32),
}

#[derive(Clone, Copy, Debug, Default)]
struct Scroller {
    container: Option<ElementId>,
    position: Position,
    run: Option<Run>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    from: Position,
    start_ms: f64,
    last_ms: f64,
    travel: u32,
    reversals: u16,
    turn: [Turn; 2],
}

/// Where an axis last turned, to count reversals.
#[derive(Clone, Copy, Debug)]
struct Turn {
    towards: i32,
    extreme: i32,
}

/// Every scroller that has moved.
#[derive(Debug, Default)]
pub struct Scrolls {
    scrollers: Few<Scroller, SCROLLERS_MAX>,
    cause_ms: Option<f64>,
}

impl Scrolls {
    /// Somebody turns a wheel, moves a finger, or presses a key.
    pub fn cause(&mut self, ms: f64) {
        self.cause_ms = Some(ms);
    }

    /// What somebody did had another effect than scrolling.
    pub fn forget_cause(&mut self) {
        self.cause_ms = None;
    }

    /// Whether a movement now is not one that somebody caused since then.
    pub fn uncaused_since(&self, ms: f64) -> bool {
        self.cause_ms.is_none_or(|cause| cause < ms)
    }

    /// A container stands at a new position. `held`: a button or finger is down.
    pub fn moved(
        &mut self,
        ms: f64,
        container: Option<ElementId>,
        to: Position,
        held: bool,
    ) -> Option<Moved> {
        let caused = held
            || self
                .cause_ms
                .is_some_and(|cause| ms - cause <= CAUSE_MS_MAX);
        let scroller = self.scroller(container)?;
        let from = scroller.position;
        if from == to {
            return None;
        }
        scroller.position = to;
        if scroller.run.is_none() && !caused {
            return container.is_none().then_some(Moved::Silently(
                to.0.wrapping_sub(from.0),
                to.1.wrapping_sub(from.1),
            ));
        }
        let run = scroller.run.get_or_insert(Run {
            from,
            start_ms: ms,
            last_ms: ms,
            travel: 0,
            reversals: 0,
            turn: [
                Turn {
                    towards: 0,
                    extreme: from.0,
                },
                Turn {
                    towards: 0,
                    extreme: from.1,
                },
            ],
        });
        run.last_ms = ms;
        run.travel = run
            .travel
            .saturating_add(from.0.abs_diff(to.0) + from.1.abs_diff(to.1));
        let [across, along] = &mut run.turn;
        let turned = u16::from(across.step(to.0)) + u16::from(along.step(to.1));
        run.reversals = run.reversals.saturating_add(turned);
        None
    }

    /// Ends gestures that have come to rest by `ms`; all of them when `now` says so.
    pub fn ended(&mut self, ms: f64, now: bool) -> Option<Moved> {
        self.scrollers.iter_mut().find_map(|scroller| {
            let over = scroller
                .run
                .as_ref()
                .is_some_and(|run| now || ms - run.last_ms >= SCROLL_END_MS);
            let run = if over { scroller.run.take() } else { None }?;
            let (dx, dy) = (
                scroller.position.0 - run.from.0,
                scroller.position.1 - run.from.1,
            );
            let detour = run
                .travel
                .saturating_sub(dx.unsigned_abs() + dy.unsigned_abs());
            Some(Moved::Gesture(
                run.last_ms,
                scroller.container,
                Scroll {
                    container: 0,
                    dx,
                    dy,
                    detour,
                    reversals: run.reversals,
                    duration_ms: (run.last_ms - run.start_ms) as u32,
                },
            ))
        })
    }

    /// When the next gesture comes to rest, ms; infinite when none runs.
    pub fn due_ms(&self) -> f64 {
        let mut first = f64::INFINITY;
        for scroller in self.scrollers.iter() {
            if let Some(run) = &scroller.run {
                first = first.min(run.last_ms + SCROLL_END_MS);
            }
        }
        first
    }

    /// The page stands here, whatever was known before (a new page).
    pub fn place(&mut self, at: Position) {
        if let Some(page) = self.scroller(None) {
            page.position = at;
            page.run = None;
        }
    }

    fn scroller(&mut self, container: Option<ElementId>) -> Option<&mut Scroller> {
        if self.scrollers.is_empty() {
            // The page is the first, and is never forgotten: its position is what every place in it
            // rests on.
            self.scrollers.push(Scroller::default());
        }
        let known = self
            .scrollers
            .iter()
            .position(|it| it.container == container);
        let mut place = known.unwrap_or(SCROLLERS_MAX);
        if container.is_some() {
            let known = self.scrollers.get(place).copied();
            if place < SCROLLERS_MAX || self.scrollers.len() >= SCROLLERS_MAX {
                self.scrollers.remove(known.map_or(1, |_| place));
            }
            place = self.scrollers.len();
            self.scrollers.push(known.unwrap_or(Scroller {
                container,
                ..Scroller::default()
            }));
        }
        self.scrollers.get_mut(place)
    }
}

impl Turn {
    /// Moves on; whether that turned back.
    fn step(&mut self, to: i32) -> bool {
        let by = to - self.extreme;
        if by == 0 {
            return false;
        }
        if self.towards == 0 || by.signum() == self.towards {
            self.towards = by.signum();
            self.extreme = to;
            return false;
        }
        if by.abs() <= REVERSAL_PX {
            return false;
        }
        self.towards = -self.towards;
        self.extreme = to;
        true
    }
}
