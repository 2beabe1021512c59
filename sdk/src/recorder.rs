//! The recorder: numbers go in with their time, and what to do next comes out.
//!
//! Owns what an input means for pages, gestures, scrolling and the queue, the order they are told in,
//! and the numbers by which inputs and figures are called (`npm/wasm.ts` has the same). Refuses to
//! know clocks, sockets and documents: [`Recorder::step`] is handed everything. Times are Unix
//! milliseconds, never backwards, of which whole ones are kept.

use crate::attention::TOLD_EVERY_MS;
use crate::encode::{Bytes, span};
use crate::gesture::{Down, Gestures, MOUSE, POINTER};
use crate::hover::Hover;
use crate::interest::{Filled, Interest};
use crate::kind;
use crate::lift::pixels;
use crate::list::List;
use crate::presses::{Presses, SCROLL_MS_MAX};
use crate::queue::Queue;
use crate::scroll::{Position, Scrolls, packed};
use crate::thrash::Thrash;
use crate::uplink::{NEVER_MS, Transport, Uplink};
use crate::way::Way;
use upriver_wire::ElementId;

/// Errors told of a page, each from another place.
pub const FAULTS_A_PAGE_MAX: usize = 20;
/// Forgets everything; the next input begins anew.
pub const DROP: i32 = 128;

/// Everything between an input and what is to be done. What is small comes first, where addresses are short.
#[derive(Debug)]
#[repr(C)]
pub struct Recorder {
    begun: bool,
    stopped: bool,
    /// The element named last, and the one before.
    element: u64,
    before: u64,
    uplink: Uplink,
    pub(crate) hover: Hover,
    thrash: Thrash,
    pub(crate) presses: Presses,
    scrolls: Scrolls,
    pub(crate) gestures: Gestures,
    pub(crate) queue: Queue,
    interest: Interest,
    way: Way,
    /// Places of the errors of this page.
    faults: List,
    /// What is handed over for the next input.
    pub(crate) input: Bytes,
}

impl Recorder {
    /// A recorder that has not begun: nothing but zeros, which the module need not carry.
    pub const NEW: Self = Self {
        begun: false,
        stopped: false,
        element: 0,
        before: 0,
        uplink: Uplink::new(0),
        hover: Hover::NONE,
        thrash: Thrash::NONE,
        presses: Presses::NONE,
        scrolls: Scrolls::new(),
        gestures: Gestures::new(),
        interest: Interest::new(),
        faults: List::new(),
        way: Way::new(),
        input: Bytes::new(),
        queue: Queue::new(),
    };

    /// Room for so many bytes of input; none when that is too many.
    pub fn room(&mut self, bytes: usize) -> Option<&mut [u8]> {
        self.input.take(bytes)
    }

    // Input: stream (16 bytes), visitor (16), a random seed (8). A visit and a view follow.
    fn begin(&mut self) {
        self.begun = true;
        self.stopped = false;
        self.queue.begin(&mut self.input);
        self.uplink = Uplink::new(self.input.long());
        self.hover = Hover::AWAY;
        self.thrash.begin();
        self.presses.begin();
        self.scrolls.begin();
        self.gestures.count = 0;
        self.interest.begin();
        self.faults.clear();
        self.way.begin();
    }

    /// Does one thing. What `kind` is called, and what `a` to `h` are, the matches below say: figures and
    /// what else needs an answer first, then what has happened: 16 to 25 now, anything else at its time.
    /// The first input of all begins.
    #[allow(
        clippy::too_many_arguments,
        reason = "numbers are the cheapest way across, and there is one caller"
    )]
    pub fn step(
        &mut self,
        kind: i32,
        now: f64,
        a: i32,
        b: i32,
        c: i32,
        d: i32,
        e: i32,
        f: i32,
        g: i32,
        h: i32,
    ) -> f64 {
        let ms = now as i64;
        if kind == DROP {
            self.begun = false;
            return 0.0;
        }
        if !self.begun {
            self.begin();
            return 0.0;
        }
        let answer = match kind {
            // Names an element for the inputs that follow. Input: version and selector. Returns
            // whether it has been described.
            27 => {
                self.name(ElementId::of_bytes(self.input.done()).0);
                u64::from(self.queue.words.knows(self.element))
            }
            // Describes the element named last. Input: its descriptor.
            28 => {
                self.queue.words.describe(self.element, self.input.done());
                0
            }
            // A click: whether it is a press that wants input 5.
            29 => u64::from(self.click(ms, a)),
            // What to do next, to be asked until there is nothing more to do: one of `order`.
            30 => {
                self.rest(ms, false);
                self.uplink.next(ms, &mut self.queue).into()
            }
            // Events: recorded, acked, dropped, refused.
            31..=34 => {
                let count = self.queue.counts.get((kind - 31) as usize);
                count.copied().unwrap_or(0).into()
            }
            35 => self.uplink.transport() as u64,
            // When input 25 is due, ms; infinite when never.
            36 => {
                let due = self.due_ms();
                if due == NEVER_MS {
                    return f64::INFINITY;
                }
                due as u64
            }
            // Whether to look if the pointer is still there: 1 input 70 or 71 answers, 2 only 71 does.
            37 => self.hover.look(ms).into(),
            // Of the order taken last: where the bytes of its batch are, how many, its number.
            38 => self.batch().as_ptr() as u64,
            39 => self.batch().len() as u64,
            40 => self.uplink.batch,
            // Takes on a batch, with the number its page gave it; `now` is how much later it is by that
            // page's clock. Returns its number here, 0: no room.
            141 => self.queue.adopt(&mut self.input, a as u32, now as i64),
            // The visitor pays for bytes, or asked for few.
            140 => {
                self.uplink.thin = true;
                0
            }
            16..=25 => {
                self.told(kind, ms, a, b, c);
                0
            }
            _ => {
                if !self.stopped && !self.uplink.is_off() {
                    let down = Down {
                        id: h,
                        x: d,
                        y: e,
                        at: f as u32,
                        how: c as u32,
                        element: self.element,
                    };
                    self.seen(kind, ms, &down, (a, b), g);
                }
                self.rest(ms, false);
                0
            }
        };
        answer as f64
    }

    pub(crate) fn name(&mut self, element: u64) {
        self.before = self.element;
        self.element = element;
    }

    /// The bytes of the batch of the order taken last.
    pub fn batch(&self) -> &[u8] {
        let unacked = &self.queue.unacked;
        unacked.bytes(unacked.called(self.uplink.batch))
    }

    /// News, and what the shell wants.
    fn told(&mut self, kind: i32, ms: i64, a: i32, b: i32, c: i32) {
        match kind {
            // Sends without waiting.
            16 => {
                self.end(ms);
                self.uplink.hurry = true;
            }
            // The page is hidden or going.
            17 => self.leave(ms),
            // It is put away, and back.
            18 => self.uplink.pause(),
            19 => self.uplink.resume(&mut self.queue),
            // The site stops us: what is recorded goes out, nothing more is recorded.
            20 => {
                self.leave(ms);
                self.stopped = true;
                self.uplink.stop(Transport::Stopped);
            }
            21 => self.uplink.opened(),
            22 => self.uplink.frame(ms, &mut self.input, &mut self.queue),
            23 => self.uplink.closed(ms, a, &mut self.queue),
            24 => {
                let ended = (u64::from(a as u32), b, u64::from(c as u32));
                self.uplink
                    .posted(ms, ended, &mut self.input, &mut self.queue);
            }
            // 25: time has passed.
            _ => {}
        }
    }

    /// What has been seen or said at a time.
    fn seen(&mut self, kind: i32, ms: i64, down: &Down, at: Position, g: i32) {
        let (a, b) = at;
        // What somebody does with a pointer, a key or a wheel.
        if let 1..=9 = kind {
            self.interest.attention.alive(ms);
        }
        match kind {
            // A page is shown, standing there; then the lengths of its parts.
            0 => {
                self.settle(ms);
                self.presses.effect(ms, true);
                self.faults.clear();
                self.interest.left(ms, &mut self.queue);
                self.interest.attention.scrolled(ms, b);
                self.scrolls.place(at);
                let parts = u64::from(down.how) | u64::from(down.x as u32) << 32;
                self.queue.view(ms, packed(at), parts, self.input.done());
            }
            // A pointer goes down while the page stands there.
            1 => {
                self.stand_still(ms, at);
                self.hover.press(down.element, true);
                self.gestures.down(ms, down);
                if down.how & POINTER == MOUSE {
                    self.press(ms, down);
                }
            }
            // A pointer moves. Unless it is a finger, `a` is the shell's number for what one can press
            // under it (0: nothing), and `b` whether its way is recorded; the pointer as of a press.
            2 => {
                self.gestures.moved(ms, down.id, down.x, down.y);
                if down.how != 1 {
                    self.over(ms, a);
                    self.thrashed(ms, down);
                    if b != 0 {
                        self.way.moved(ms, down.x, down.y, &mut self.queue);
                    }
                }
            }
            3 => self.up(ms, down.id, down.x, down.y),
            // The browser takes a pointer over.
            4 => self.cancelled(ms, down.id),
            // A press of which only the activation was seen.
            5 => {
                self.stand_still(ms, at);
                self.hover.press(down.element, false);
                self.press(ms, down);
                self.presses.clicked(ms);
                // The key pressed something; what scrolls now is what was pressed.
                self.scrolls.cause_ms = 0;
            }
            // A finger moves, or one that the browser has taken over is lifted (touch events). It scrolls
            // only once it is taken over; a tap causes no scroll. `a`: there is a second one, which `f` and
            // `g` place.
            6 | 7 => {
                if self.gestures.is_taken() {
                    self.scrolls.cause_ms = ms;
                }
                if kind == 7 {
                    self.taken_up(ms, down.x, down.y);
                } else {
                    self.gestures.finger(ms, false, down.x, down.y);
                    if a != 0 {
                        self.gestures.finger(ms, true, down.at as i32, g);
                    }
                }
            }
            // A key goes down; whether it is being held.
            8 => {
                self.scrolls.cause_ms = ms;
                self.gestures.key(ms, a != 0);
            }
            // A wheel turns.
            9 => self.scrolls.cause_ms = ms,
            // The page stands elsewhere, or what is inside an element.
            10 | 11 => {
                self.scrolled(ms, if kind == 10 { 0 } else { self.element }, at);
                let press_ms = self.presses.last().ms;
                if ms - press_ms <= SCROLL_MS_MAX && self.scrolls.cause_ms < press_ms {
                    self.presses.effect(ms, true);
                }
            }
            12 => self.said(kind::CUSTOM, ms),
            13 => {
                self.said(kind::CONVERSION, ms);
                self.uplink.hurry = true;
            }
            14 => self.said(kind::EXPOSURE, ms),
            // Another visit begins. Input: its number (8 bytes) and its campaign.
            15 => self.queue.visits(self.input.done()),
            // Something has changed that a press may have changed; whether not only what was pressed.
            64 => self.presses.effect(ms, a != 0),
            // An error nobody caught, whose place is named.
            65 => {
                if self.faults.first(self.element, FAULTS_A_PAGE_MAX) {
                    self.said(kind::FAULT, ms);
                }
                if self.presses.errs(ms) {
                    let press = *self.presses.last();
                    let after_ms = span(press.ms, ms);
                    self.spot(kind::ERROR_PRESS, ms, &press.down, &[after_ms]);
                }
            }
            // The site's own limits, as of `Presses::limits` and `Thrash::limits`; those that are 0 stay.
            66 => {
                set(&mut self.presses.limits, &[a, b, down.how as i32, down.x]);
                set(&mut self.thrash.limits, &[down.y, down.at as i32, g]);
            }
            // The pointer is over the element it was over when the shell was asked to look: that is there.
            70 => self.hover.rests(down),
            // It is not, and has not moved.
            71 => self.over(ms, 0),
            // The page is visible from here on, or hidden.
            81 => self.interest.shown(ms, a != 0, &mut self.queue),
            // Window and document are so high.
            82 => self.interest.attention.sized(ms, a as u32, b as u32),
            83 => {
                let look = self.input.done();
                self.interest
                    .impression(ms, self.element, look, &mut self.queue);
            }
            // The form is named first, then the field; of a private one the form again.
            84 => {
                let private = self.before == self.element;
                let filled = Filled {
                    step: b as u8,
                    fields: down.how,
                    form: self.before,
                    field: if private { 0 } else { self.element },
                };
                self.interest.form(ms, a as usize, &filled, &mut self.queue);
            }
            // What the visitor agreed to, and who it is.
            90 => self.said(kind::CONSENT, ms),
            91 => self.said(kind::IDENTIFY, ms),
            _ => {}
        }
    }

    #[inline(never)]
    fn said(&mut self, kind: u8, ms: i64) {
        self.queue.tell_of(kind, ms, 0, self.input.done());
    }

    /// When the shell is to tell that time has passed, ms; the end of time when never.
    pub fn due_ms(&self) -> i64 {
        self.scrolls
            .due_ms()
            .min(self.interest.attention.due_ms())
            .min(self.uplink.due_ms(&self.queue))
            .min(self.hover.look_ms)
            .min(self.way.due_ms())
            .min(self.presses.due_ms())
    }

    /// How events travel at the moment.
    pub fn transport(&self) -> Transport {
        self.uplink.transport()
    }

    /// Whether everything recorded has come to an end.
    pub fn is_settled(&self) -> bool {
        self.queue.is_empty()
    }

    /// Before a press: the page's position is told, so that place in window + position is exact.
    fn stand_still(&mut self, ms: i64, position: Position) {
        self.scrolled(ms, 0, position);
        self.rest(ms, true);
    }

    /// What is still going on ends: the page is hidden, left, or another.
    fn settle(&mut self, ms: i64) {
        self.rest(ms, true);
        self.way.end(ms, &mut self.queue);
        self.over(ms, 0);
    }

    #[inline(never)]
    fn scrolled(&mut self, ms: i64, container: u64, to: Position) {
        if container == 0 {
            self.interest.attention.scrolled(ms, to.1);
            // The way until here is on the page as it stood.
            self.way.end(ms, &mut self.queue);
        }
        let held = self.gestures.count > 0;
        self.scrolls.moved(ms, container, to, held, &mut self.queue);
    }

    /// Tells of what has come to an end; `now`: ends scroll gestures that run.
    #[inline(never)]
    fn rest(&mut self, ms: i64, now: bool) {
        self.scrolls.end(ms, now, &mut self.queue);
        if ms >= self.way.due_ms() {
            self.way.end(ms, &mut self.queue);
        }
        self.interest
            .attention
            .tell(ms, TOLD_EVERY_MS, &mut self.queue);
        while let Some(dead) = self.presses.dead(ms) {
            let (down, after_ms) = (dead.down, span(dead.ms, ms));
            self.spot(kind::DEAD, ms, &down, &[after_ms]);
        }
    }

    #[inline(never)]
    pub(crate) fn press(&mut self, ms: i64, down: &Down) {
        self.spot(kind::PRESS, ms, down, &[]);
        if self.presses.pressed(ms, down) {
            self.spot(kind::RAGE, ms, down, &[]);
        }
    }

    fn thrashed(&mut self, ms: i64, to: &Down) {
        if self.gestures.count > 0 {
            // What is dragged has a purpose.
            self.thrash.forget();
        } else if let Some(run) = self.thrash.moved(ms, to.x, to.y) {
            self.queue.draft.number(pixels(to.x));
            self.queue.draft.number(pixels(to.y));
            for number in &[run.turns, run.px, run.ms] {
                self.queue.draft.number((*number).into());
            }
            self.queue.tell(kind::THRASH, ms, 0);
        }
    }

    /// Tells of everything that runs.
    #[inline(never)]
    fn end(&mut self, ms: i64) {
        self.settle(ms);
        self.interest.attention.tell(ms, 0, &mut self.queue);
    }

    #[inline(never)]
    fn leave(&mut self, ms: i64) {
        self.end(ms);
        // What comes of presses is not to be seen any more.
        self.presses.effect(ms, true);
        self.uplink.leave(&mut self.queue);
    }
}

/// Takes over those of the site's limits that it has set.
fn set(limits: &mut [u32], own: &[i32]) {
    for (limit, own) in limits.iter_mut().zip(own) {
        if *own > 0 {
            *limit = *own as u32;
        }
    }
}
