//! Scroll gestures: from positions to movements somebody made.
//!
//! Owns the known position of the page and of inner scrollers, and the gestures that are running.
//! Refuses to know why a container is interesting, and how its movement is stored.
//!
//! A gesture starts with a movement that a visitor caused (wheel, finger, key, held button within
//! [`CAUSE_MS_MAX`]) and ends [`SCROLL_END_MS`] after the last movement, or with a press. What
//! scripts move is no gesture; the page's position is kept right all the same.

use crate::encode::{span, zigzag};
use crate::kind;
use crate::queue::Queue;
use crate::uplink::NEVER_MS;

/// A gesture ends this long after its last movement.
pub const SCROLL_END_MS: i64 = 150;
/// A movement this long after a wheel turn, finger movement or key belongs to it.
pub const CAUSE_MS_MAX: i64 = 500;
/// Turning back by more than this is a reversal, CSS pixels.
pub const REVERSAL_PX: i32 = 10;
/// Inner scrollers whose position is remembered; one more forgets the one longest unmoved.
pub const SCROLLERS_MAX: usize = 32;

/// A position, CSS pixels: to the right and downwards.
pub type Position = (i32, i32);

/// A position as one number, so that sums are sums.
pub(crate) fn packed((right, down): Position) -> i64 {
    (i64::from(right) << 32) + i64::from(down)
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Scroller {
    /// 0: the page.
    container: u64,
    /// When it moved last, ms.
    last_ms: i64,
    /// Of the gesture that runs: since when, its way, and how often it turned back.
    start_ms: i64,
    travel: u32,
    reversals: u32,
    runs: bool,
    axes: [Axis; 2],
}

#[derive(Clone, Copy, Debug)]
struct Axis {
    /// Where it stands, and where it stood when the gesture began.
    at: i32,
    from: i32,
    /// Where it last turned, and where it goes since, to count reversals.
    extreme: i32,
    towards: i32,
}

const NONE: Scroller = Scroller {
    container: 0,
    last_ms: 0,
    start_ms: 0,
    travel: 0,
    reversals: 0,
    runs: false,
    axes: [Axis {
        at: 0,
        from: 0,
        extreme: 0,
        towards: 0,
    }; 2],
};

/// Every scroller that has moved.
#[derive(Debug)]
#[repr(C)]
pub struct Scrolls {
    /// When somebody last did what scrolls, ms; 0: never.
    pub(crate) cause_ms: i64,
    /// The page is the first, and is never forgotten: its position is what every place in it rests on.
    scrollers: [Scroller; SCROLLERS_MAX],
}

impl Axis {
    /// Stands at a new position, with which a gesture `starts` or goes on; 1 if that turned back.
    #[inline(never)]
    fn step(&mut self, to: i32, starts: bool) -> u32 {
        if starts {
            self.from = self.at;
            self.extreme = self.at;
            self.towards = 0;
        }
        self.at = to;
        let way = to.wrapping_sub(self.extreme);
        let back = way.signum() == -self.towards;
        if way == 0 || back && way.abs() <= REVERSAL_PX {
            return 0;
        }
        self.towards = way.signum();
        self.extreme = to;
        u32::from(back)
    }
}

impl Scrolls {
    pub(crate) const fn new() -> Self {
        Self {
            cause_ms: 0,
            scrollers: [NONE; SCROLLERS_MAX],
        }
    }

    /// Nothing has scrolled.
    pub(crate) fn begin(&mut self) {
        for scroller in &mut self.scrollers {
            *scroller = NONE;
        }
    }

    /// A container stands at a new position. `held`: a button or finger is down.
    pub fn moved(&mut self, ms: i64, container: u64, to: Position, held: bool, queue: &mut Queue) {
        let caused = held || ms - self.cause_ms <= CAUSE_MS_MAX;
        let scroller = self.scroller(container);
        let starts = !scroller.runs;
        if starts {
            scroller.start_ms = ms;
            scroller.travel = 0;
            scroller.reversals = 0;
        }
        let [across, along] = &mut scroller.axes;
        let by = (to.0.wrapping_sub(across.at), to.1.wrapping_sub(along.at));
        let way = by.0.unsigned_abs().wrapping_add(by.1.unsigned_abs());
        scroller.travel = scroller.travel.wrapping_add(way);
        scroller.reversals += across.step(to.0, starts);
        scroller.reversals += along.step(to.1, starts);
        if way == 0 {
            return;
        }
        scroller.last_ms = ms;
        scroller.runs |= caused;
        if !scroller.runs && container == 0 {
            queue.stands += packed(by);
        }
    }

    /// Tells of gestures that have come to rest by `ms`; of all of them when `now` says so.
    #[inline(never)]
    pub fn end(&mut self, ms: i64, now: bool, queue: &mut Queue) {
        for scroller in &mut self.scrollers {
            if !scroller.runs || !now && ms - scroller.last_ms < SCROLL_END_MS {
                continue;
            }
            scroller.runs = false;
            let [across, along] = &scroller.axes;
            let (dx, dy) = (across.at - across.from, along.at - along.from);
            let fields = [
                zigzag(dx),
                zigzag(dy),
                scroller
                    .travel
                    .saturating_sub(dx.unsigned_abs() + dy.unsigned_abs()),
                scroller.reversals.min(u32::from(u16::MAX)),
                span(scroller.start_ms, scroller.last_ms),
            ];
            // The lowest bit is for its container.
            let mut present = 0;
            for field in fields.iter().rev() {
                present = (present | u8::from(*field != 0)) << 1;
            }
            queue.draft.push(present);
            for field in &fields {
                if *field != 0 {
                    queue.draft.number(u64::from(*field));
                }
            }
            // An inner scroller moves no page.
            if scroller.container == 0 {
                queue.by = packed((dx, dy));
            }
            queue.tell(kind::SCROLL, scroller.last_ms, scroller.container);
        }
    }

    /// When the next gesture comes to rest, ms; the end of time when none runs.
    pub fn due_ms(&self) -> i64 {
        let mut first = NEVER_MS;
        for scroller in &self.scrollers {
            if scroller.runs {
                first = first.min(scroller.last_ms + SCROLL_END_MS);
            }
        }
        first
    }

    /// The page stands here, whatever was known before (a new page).
    pub fn place(&mut self, at: Position) {
        let [page, ..] = &mut self.scrollers;
        let [across, along] = &mut page.axes;
        across.at = at.0;
        along.at = at.1;
        page.runs = false;
    }

    fn scroller(&mut self, container: u64) -> &mut Scroller {
        let [page, inner @ ..] = &mut self.scrollers;
        if container == 0 {
            return page;
        }
        let mut oldest = 0;
        let mut oldest_ms = NEVER_MS;
        for (place, scroller) in inner.iter().enumerate() {
            if scroller.container == container {
                oldest = place;
                break;
            }
            if scroller.last_ms < oldest_ms {
                oldest = place;
                oldest_ms = scroller.last_ms;
            }
        }
        match inner.get_mut(oldest) {
            Some(scroller) => {
                if scroller.container != container {
                    *scroller = NONE;
                    scroller.container = container;
                }
                scroller
            }
            None => page,
        }
    }
}
