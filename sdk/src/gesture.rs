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

/// Travel up to which a finger or pen is still a press, CSS pixels along each axis.
pub const TAP_TRAVEL_PX_MAX: i32 = 10;
/// Travel from which a finger or pen has swiped, CSS pixels along the larger axis.
pub const SWIPE_TRAVEL_PX_MIN: i32 = 30;
/// Speed at release from which it has swiped, CSS pixels per second.
pub const SWIPE_SPEED_MIN: i32 = 300;
/// The speed at release is that over this long before it, milliseconds.
pub const RELEASE_WINDOW_MS: i64 = 100;
/// A click this soon after another, with no pointer or key in between, is its echo (a label's).
pub const ECHO_MS_MAX: i64 = 1_000;
/// Held for so long it is a long press, ms.
pub const LONG_PRESS_MS: i64 = 500;
/// A finger held for so long on something one can press hesitates, ms.
pub const HELD_MS: i64 = 300;
/// Two fingers whose distance changed by so much have pinched, CSS pixels.
pub const PINCH_PX_MIN: f32 = 20.0;
/// Fingers followed at once; one more forgets the oldest.
pub const TOUCHES_MAX: usize = 8;
/// Points of a finger's path remembered for its speed at release.
const SAMPLES_MAX: usize = 16;

// How a pointer goes down: the lowest six bits are the byte the wire has for it.
/// Which kind of pointer: the lowest two bits.
pub const POINTER: u32 = 3;
/// The kind that is a mouse.
pub const MOUSE: u32 = 0;
/// The kind that is a finger.
pub const TOUCH: u32 = 1;
/// Those bits that the wire has.
pub const ON_WIRE: u32 = 63;
/// It is the first of its kind.
pub const PRIMARY: u32 = 1 << 6;
/// It goes down on something one can press.
pub const INTERACTIVE: u32 = 1 << 7;

/// A pointer going down.
#[derive(Clone, Copy, Debug)]
pub struct Down {
    /// The browser's number for the pointer.
    pub id: i32,
    /// To the right in the window, CSS pixels.
    pub x: i32,
    /// Downwards in the window, CSS pixels.
    pub y: i32,
    /// Where in the box of its element, as the wire has it.
    pub at: u32,
    /// How: the bits above, and from the ninth on what may come of it, as [`crate::presses`] numbers that.
    pub how: u32,
    /// What it went down on.
    pub element: u64,
}

impl Down {
    /// Nowhere.
    pub const NONE: Self = Self {
        id: 0,
        x: 0,
        y: 0,
        at: 0,
        how: 0,
        element: 0,
    };

    pub(crate) fn is_mouse(&self) -> bool {
        self.how & POINTER == MOUSE
    }
}

/// What a click turns out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Click {
    /// Counted already, or no press of anybody's.
    Nothing,
    /// The press of the last pointer, which had not counted yet.
    Late,
    /// A press nothing else told of: find its target and count it.
    Unseen,
}

// Whether the last pointer counted as a press.
const NO_LAST: u8 = 0;
const COUNTED: u8 = 1;
const NOT_COUNTED: u8 = 2;

/// Pointers that are down, and what the next click would belong to.
#[derive(Debug)]
#[repr(C)]
pub struct Gestures {
    pub(crate) count: usize,
    /// Square of the distance of the first two fingers when the second went down; 0: nothing to pinch.
    pub(crate) apart: f32,
    /// Whether there is a last pointer that came to an end (mouse: went down), and it counted.
    pub(crate) last_counted: u8,
    pub(crate) key_repeats: bool,
    pub(crate) last_ms: i64,
    pub(crate) last_click_ms: i64,
    pub(crate) last_key_ms: i64,
    pub(crate) last: Down,
    /// The one that has just ended.
    pub(crate) ended: Touch,
    pub(crate) touches: [Touch; TOUCHES_MAX],
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Touch {
    /// It went beyond what a press may travel.
    pub(crate) moved: bool,
    /// The browser took it over: no pointer event comes any more, touch events still do.
    pub(crate) taken: bool,
    /// Another finger was down during it.
    pub(crate) shared: bool,
    pub(crate) ms: i64,
    /// When it went beyond what a press may travel, ms.
    pub(crate) left_ms: i64,
    pub(crate) down: Down,
    /// The newest last; those before the first have no time.
    pub(crate) samples: [Sample; SAMPLES_MAX],
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) ms: i64,
    pub(crate) x: i32,
    pub(crate) y: i32,
}

const NO_SAMPLE: Sample = Sample { ms: 0, x: 0, y: 0 };
const NO_TOUCH: Touch = Touch {
    moved: false,
    taken: false,
    shared: false,
    ms: 0,
    left_ms: 0,
    down: Down::NONE,
    samples: [NO_SAMPLE; SAMPLES_MAX],
};

impl Gestures {
    pub(crate) const fn new() -> Self {
        Self {
            count: 0,
            apart: 0.0,
            last_counted: NO_LAST,
            key_repeats: false,
            last_ms: 0,
            last_click_ms: 0,
            last_key_ms: 0,
            last: Down::NONE,
            ended: NO_TOUCH,
            touches: [NO_TOUCH; TOUCHES_MAX],
        }
    }

    /// A pointer goes down. A mouse has pressed by it.
    pub(crate) fn down(&mut self, ms: i64, down: &Down) {
        if down.is_mouse() {
            self.ends(ms, down, true);
        }
        if down.how & PRIMARY != 0 {
            // Whatever was left over from before has ended without telling us.
            self.count = 0;
        }
        self.remove(self.place(down.id));
        if self.count == TOUCHES_MAX {
            self.remove(0);
        }
        let shared = self.count > 0;
        for touch in &mut self.touches {
            touch.shared = true;
        }
        if let Some(touch) = self.touches.get_mut(self.count) {
            *touch = NO_TOUCH;
            touch.ms = ms;
            touch.shared = shared;
            touch.down = *down;
            touch.sample(ms, down.x, down.y);
        }
        self.count += 1;
        self.apart = self.distance();
    }

    /// A pointer moves.
    #[inline(never)]
    pub(crate) fn moved(&mut self, ms: i64, id: i32, x: i32, y: i32) {
        let place = self.place(id);
        if let Some(touch) = self.touches.get_mut(place) {
            touch.sample(ms, x, y);
        }
    }

    pub(crate) fn ends(&mut self, ms: i64, down: &Down, counted: bool) {
        self.last_ms = ms;
        self.last = *down;
        self.last_counted = if counted { COUNTED } else { NOT_COUNTED };
    }

    /// The first finger the browser has taken over, which it does to scroll; past the last when there is none.
    #[inline(never)]
    pub(crate) fn taken(&self) -> usize {
        let mut place = 0;
        while place < self.count && !self.touches.get(place).is_some_and(|it| it.taken) {
            place += 1;
        }
        place
    }

    /// Whether there is one.
    pub(crate) fn is_taken(&self) -> bool {
        self.taken() < self.count
    }

    /// A finger moves on, the first that is down or the second one: touch events name no pointer, and list
    /// them in the order in which they came down.
    pub(crate) fn finger(&mut self, ms: i64, second: bool, x: i32, y: i32) {
        let place = usize::from(second);
        if place < self.count
            && let Some(touch) = self.touches.get_mut(place)
        {
            touch.sample(ms, x, y);
        }
    }

    /// A click, as told by the browser after (most) presses. `detail`: its click count.
    pub(crate) fn click(&mut self, ms: i64, detail: i32) -> Click {
        let echo = ms - self.last_click_ms < ECHO_MS_MAX && self.last_key_ms < self.last_click_ms;
        let last = self.last_counted;
        if detail > 0 {
            self.last_counted = NO_LAST;
            if last != NO_LAST || !echo {
                self.last_click_ms = ms;
            }
            if last == NOT_COUNTED {
                return Click::Late;
            }
        }
        let seen = if detail > 0 {
            last == COUNTED
        } else {
            self.key_repeats
        };
        if echo || seen {
            Click::Nothing
        } else {
            Click::Unseen
        }
    }

    /// A key goes down. `repeat`: it is being held.
    pub(crate) fn key(&mut self, ms: i64, repeat: bool) {
        self.last_key_ms = ms;
        self.key_repeats = repeat;
    }

    /// Where a pointer is; nowhere when it is not down.
    #[inline(never)]
    pub(crate) fn place(&self, id: i32) -> usize {
        let mut place = 0;
        while let Some(touch) = self.touches.get(place)
            && place < self.count
        {
            if touch.down.id == id {
                return place;
            }
            place += 1;
        }
        usize::MAX
    }

    /// Takes one away, if it is there; those after it move up.
    #[inline(never)]
    pub(crate) fn remove(&mut self, place: usize) {
        if place < self.count {
            self.count -= 1;
            for after in place + 1..TOUCHES_MAX {
                self.touches[after - 1] = self.touches[after];
            }
        }
    }

    /// Square of the distance of two fingers; 0 when there are not two.
    #[inline(never)]
    pub(crate) fn distance(&self) -> f32 {
        if self.count != 2 {
            return 0.0;
        }
        let [a, b, ..] = &self.touches;
        let [.., a] = a.samples;
        let [.., b] = b.samples;
        let (dx, dy) = ((a.x - b.x) as f32, (a.y - b.y) as f32);
        dx * dx + dy * dy
    }
}

impl Touch {
    #[inline(never)]
    fn sample(&mut self, ms: i64, x: i32, y: i32) {
        for place in 1..SAMPLES_MAX {
            self.samples[place - 1] = self.samples[place];
        }
        let [.., newest] = &mut self.samples;
        *newest = Sample { ms, x, y };
        if !self.moved {
            self.left_ms = ms;
        }
        self.moved |= (x - self.down.x).abs().max((y - self.down.y).abs()) > TAP_TRAVEL_PX_MAX;
    }

    /// Its speed at release along an axis, CSS pixels per second: over the last moment, at whose
    /// beginning it was between two samples. While it scrolls, a browser tells of the finger only now and
    /// then.
    pub(crate) fn speed(&self, ms: i64, across: bool) -> i32 {
        let along = |sample: &Sample| if across { sample.x } else { sample.y };
        let start = ms - RELEASE_WINDOW_MS;
        let [.., newest] = &self.samples;
        let (mut since, mut from) = (ms, along(newest));
        for sample in self.samples.iter().rev() {
            if sample.ms == 0 {
                break;
            }
            let here = along(sample);
            if sample.ms < start {
                let part = (start - sample.ms) as f32 / (since - sample.ms) as f32;
                from = here + ((from - here) as f32 * part) as i32;
                since = start;
                break;
            }
            since = sample.ms;
            from = here;
        }
        ((along(newest) - from).abs() as f32 * 1_000.0 / (ms - since).max(1) as f32) as i32
    }
}
