//! The recorder: input goes in with its time, commands come out.
//!
//! Owns what an input means for pages, gestures, scrolling and the queue, and the order they are
//! told in. Refuses to know clocks, sockets and documents: [`Recorder::step`] is handed everything.

pub use crate::input::{Input, Names, View};

use crate::attention::TOLD_EVERY_MS;
use crate::encode::{self, Bytes, number, zigzag};
use crate::gesture::{Click, Down, Gesture, Gestures, HELD_MS};
use crate::hover::Hover;
use crate::interest::Interest;
use crate::presses::{Presses, SCROLL_MS_MAX};
use crate::queue::{Counts, Item, Queue, kind};
use crate::scroll::{Moved, Position, Scrolls};
use crate::thrash::Thrash;
use crate::uplink::{Command, NEVER_MS, Order, Transport, Uplink};
use crate::way::Way;
use alloc::vec::Vec;
use upriver_wire::ElementId;
use upriver_wire::batch::{Button, How, Pointer};
use upriver_wire::limits::PIXELS_MAX;

/// Bytes of the longest event that is encoded here.
const DRAFT_BYTES_MAX: usize = 64;

/// Everything between an input and a command.
#[derive(Debug)]
pub struct Recorder {
    gestures: Gestures,
    hover: Hover,
    way: Way,
    scrolls: Scrolls,
    interest: Interest,
    presses: Presses,
    thrash: Thrash,
    /// Places of the errors of this page, and how many there are.
    faults: [ElementId; FAULTS_A_PAGE_MAX],
    faulty: usize,
    queue: Queue,
    uplink: Uplink,
    stopped: bool,
}

impl Recorder {
    /// A recorder that has seen nothing.
    pub fn new(names: Names) -> Self {
        Self {
            gestures: Gestures::default(),
            hover: Hover::default(),
            way: Way::default(),
            scrolls: Scrolls::default(),
            interest: Interest::default(),
            presses: Presses::default(),
            thrash: Thrash::default(),
            faults: Default::default(),
            faulty: 0,
            queue: Queue::new(names.stream, names.visitor, names.session),
            uplink: Uplink::new(names.seed),
            stopped: false,
        }
    }

    /// Takes something seen or said at a time (Unix ms, never backwards); it goes on its way with the
    /// next [`Self::step`]. What was seen before this recorder was there is told with its own time.
    pub fn record(&mut self, ms: f64, input: Input<'_>) {
        if !self.stopped && !self.uplink.is_off() {
            self.see(ms, input);
        }
        self.rest(ms, false);
    }

    /// Takes an input that happens now; [`Self::next`] says what to do.
    pub fn hear(&mut self, now_ms: f64, input: Input<'_>) {
        let now = now_ms as u64;
        match input {
            Input::News(news) => self.uplink.hear(now, news, &mut self.queue),
            Input::Leave => {
                self.end(now_ms);
                // What comes of presses is not to be seen any more.
                self.presses.effect(now_ms, true);
                self.uplink.leave(&mut self.queue);
            }
            Input::Pause => self.uplink.pause(),
            Input::Resume => self.uplink.resume(&mut self.queue),
            Input::Flush => {
                self.end(now_ms);
                self.uplink.hurry = true;
            }
            Input::Stop => {
                self.end(now_ms);
                self.presses.effect(now_ms, true);
                self.stopped = true;
                self.uplink.leave(&mut self.queue);
                self.uplink.stop(Transport::Stopped);
            }
            Input::Tick => {}
            seen => self.record(now_ms, seen),
        }
    }

    /// What to do next, to be asked until there is nothing more to do.
    pub fn next(&mut self, now_ms: f64) -> Option<Order> {
        self.rest(now_ms, false);
        self.uplink.next(now_ms as u64, &mut self.queue)
    }

    /// The bytes of a batch that is to be sent.
    pub fn batch(&mut self, number: u64) -> &[u8] {
        let sealed = self.queue.sealed(number).copied().unwrap_or_default();
        self.queue.unacked.bytes(&sealed)
    }

    /// [`Self::hear`], and all that is to be done then.
    pub fn step(&mut self, now_ms: f64, input: Input<'_>) -> Vec<Command> {
        self.hear(now_ms, input);
        let mut out = Vec::new();
        while let Some(order) = self.next(now_ms) {
            out.push(match order {
                Order::Open => Command::Open,
                Order::Close => Command::Close,
                Order::Send(batch) => Command::Send(Vec::from(self.batch(batch))),
                Order::Keep(batch) => Command::Keep(batch, Vec::from(self.batch(batch))),
                Order::Forget(batch) => Command::Forget(batch),
                Order::Post(batch, keepalive) => {
                    Command::Post(batch, Vec::from(self.batch(batch)), keepalive)
                }
            });
        }
        out
    }

    /// When [`Input::Tick`] is due, ms; infinite when never.
    pub fn due_ms(&mut self) -> f64 {
        let uplink = match self.uplink.due_ms(&self.queue) {
            NEVER_MS => f64::INFINITY,
            due => due as f64,
        };
        let attention = self.interest.attention.due_ms();
        let pointer = self.hover.due_ms().min(self.way.due_ms());
        self.scrolls
            .due_ms()
            .min(attention)
            .min(uplink)
            .min(pointer)
            .min(self.presses.due_ms())
    }

    /// A click. `true`: it is a press that nothing else told of, and wants [`Input::Activated`].
    pub fn click(&mut self, now_ms: f64, detail: i32) -> bool {
        match self.gestures.click(now_ms, detail) {
            Click::Nothing => {}
            Click::Unseen => return true,
            Click::Late(gesture) => self.gesture(&gesture),
        }
        self.presses.clicked(now_ms);
        false
    }

    /// Whether the shell is to look if the pointer is still over the element it was over: 0 no; 1 yes,
    /// and answer with [`Input::Rests`] or [`Input::Away`]; 2 answer only if it is not.
    pub fn look(&mut self, now_ms: f64) -> u8 {
        self.hover.look(now_ms)
    }

    /// Whether an element has been described.
    pub fn knows(&self, id: ElementId) -> bool {
        self.queue.catalogue.knows(id)
    }

    /// Describes an element, once; with the bytes the wire has for its descriptor.
    pub fn describe(&mut self, id: ElementId, descriptor: &[u8]) {
        self.queue.catalogue.describe(id, descriptor);
    }

    /// Takes on a batch that another page has left behind, with its number there; `later_ms`: how much
    /// later it is by that page's clock than by this one's. Returns its number here; 0: no room.
    pub fn adopt(&mut self, bytes: &[u8], number: u64, later_ms: f64) -> u64 {
        self.queue.adopt(bytes, number, later_ms as i64)
    }

    /// The visitor pays for bytes, or asked for few: batches wait longer for more.
    pub fn thin(&mut self) {
        self.uplink.thin = true;
    }

    /// How many events came to what end.
    pub fn counts(&self) -> Counts {
        self.queue.counts
    }

    /// How events travel at the moment.
    pub fn transport(&self) -> Transport {
        self.uplink.transport()
    }

    /// Whether everything recorded has come to an end.
    pub fn is_settled(&self) -> bool {
        self.queue.is_empty()
    }

    fn see(&mut self, now_ms: f64, input: Input<'_>) {
        let ms = now_ms as u64;
        match input {
            Input::View(view) => self.view(now_ms, view),
            Input::Down(down, position, primary) => {
                self.stand_still(now_ms, position);
                self.hover.press(down.target.element, true);
                self.gestures.down(now_ms, down, primary);
                if down.pointer == Pointer::Mouse {
                    self.press(now_ms, &down);
                }
            }
            Input::Move(id, x, y, over, followed) => {
                self.gestures.moved(now_ms, id, x, y);
                if let Some(over) = over {
                    self.over(now_ms, over);
                    self.thrashed(now_ms, x, y);
                    if followed && self.way.moved(now_ms, x, y) {
                        self.end_way(now_ms);
                    }
                }
            }
            Input::Rests(down) => self.hover.rests(down),
            Input::Away => self.over(now_ms, 0),
            Input::Up(id, x, y) => {
                let gesture = self.gestures.up(now_ms, id, x, y);
                self.ended(gesture);
            }
            Input::Cancel(id) => {
                let gesture = self.gestures.cancelled(now_ms, id);
                self.ended(gesture);
            }
            // A finger scrolls only once the browser has taken it over; a tap causes no scroll.
            Input::TouchMove(x, y, second) => {
                if self.gestures.is_taken() {
                    self.scrolls.cause(now_ms);
                }
                self.gestures.taken_moved(now_ms, x, y, second);
            }
            Input::TouchEnd(x, y) => {
                if self.gestures.is_taken() {
                    self.scrolls.cause(now_ms);
                }
                let gesture = self.gestures.taken_up(now_ms, x, y);
                self.ended(gesture);
            }
            Input::Activated(down, position) => {
                self.stand_still(now_ms, position);
                self.hover.press(down.target.element, false);
                self.press(now_ms, &down);
                self.presses.clicked(now_ms);
                // The key pressed something; what scrolls now is what was pressed.
                self.scrolls.forget_cause();
            }
            Input::Key(repeat) => {
                self.scrolls.cause(now_ms);
                self.gestures.key(now_ms, repeat);
            }
            Input::Wheel => self.scrolls.cause(now_ms),
            Input::Scrolled(container, to) => {
                self.scrolled(now_ms, container, to);
                let press_ms = self.presses.last().ms;
                if now_ms - press_ms <= SCROLL_MS_MAX && self.scrolls.uncaused_since(press_ms) {
                    self.presses.effect(now_ms, true);
                }
            }
            Input::Custom(bytes) => self.said(now_ms, kind::CUSTOM, bytes),
            Input::Conversion(bytes) => {
                self.said(now_ms, kind::CONVERSION, bytes);
                self.uplink.hurry = true;
            }
            Input::Exposure(bytes) => self.said(now_ms, kind::EXPOSURE, bytes),
            Input::Said(kind, bytes) => self.said(now_ms, kind, bytes),
            Input::Effect(elsewhere) => self.presses.effect(now_ms, elsewhere),
            Input::Fault(place, bytes) => self.fault(now_ms, place, bytes),
            Input::Limits(presses, thrash) => {
                set(&mut self.presses.limits, &presses);
                set(&mut self.thrash.limits, &thrash);
            }
            Input::Session(session, campaign) => {
                let mark = Item {
                    kind: kind::SESSION,
                    number: session.0,
                    ..Item::default()
                };
                self.queue.mark(&mark, campaign);
            }
            Input::Alive => self.interest.attention.alive(ms),
            Input::Shown(visible) => self.interest.shown(ms, visible, &mut self.queue),
            Input::Sized(window, document) => self.interest.attention.sized(ms, window, document),
            Input::Impression(element, look) => {
                self.interest.impression(ms, element, look, &mut self.queue);
            }
            Input::Form(place, filled) => {
                self.interest.form(ms, place, &filled, &mut self.queue);
            }
            // Not things seen; `hear` has dealt with them.
            Input::Flush | Input::Leave | Input::Pause | Input::Resume => {}
            Input::Stop | Input::Tick | Input::News(_) => {}
        }
    }

    fn view(&mut self, now_ms: f64, view: View<'_>) {
        self.settle(now_ms);
        self.presses.effect(now_ms, true);
        self.faulty = 0;
        self.interest.left(now_ms as u64, &mut self.queue);
        self.interest
            .attention
            .scrolled(now_ms as u64, view.scroll.1);
        self.scrolls.place(view.scroll);
        let item = Item {
            kind: kind::VIEW,
            ms: now_ms as u64,
            number: view.parts,
            by: view.scroll,
            ..Item::default()
        };
        self.queue.push(item, view.bytes);
    }

    fn said(&mut self, now_ms: f64, kind: u8, bytes: &[u8]) {
        self.queue.tell_of(kind, now_ms as u64, None, bytes);
    }

    /// Before a press: the page's position is told, so that place in window + position is exact.
    fn stand_still(&mut self, now_ms: f64, position: Position) {
        self.scrolled(now_ms, None, position);
        self.rest(now_ms, true);
        self.end_way(now_ms);
    }

    /// What is still going on ends: the page is hidden, left, or another.
    fn settle(&mut self, now_ms: f64) {
        self.rest(now_ms, true);
        self.end_way(now_ms);
        self.over(now_ms, 0);
    }

    fn scrolled(&mut self, now_ms: f64, container: Option<ElementId>, to: Position) {
        if container.is_none() {
            self.interest.attention.scrolled(now_ms as u64, to.1);
            // The way until here is on the page as it stood.
            self.end_way(now_ms);
        }
        let held = self.gestures.any_down();
        if let Some(moved) = self.scrolls.moved(now_ms, container, to, held) {
            self.moved(moved);
        }
    }

    /// Tells of scroll gestures that have ended; `now`: ends those that run.
    fn rest(&mut self, now_ms: f64, now: bool) {
        while let Some(moved) = self.scrolls.ended(now_ms, now) {
            self.moved(moved);
        }
        if now_ms >= self.way.due_ms() {
            self.end_way(now_ms);
        }
        self.interest
            .tell(now_ms as u64, TOLD_EVERY_MS, &mut self.queue);
        while let Some(dead) = self.presses.dead(now_ms) {
            let after_ms = (now_ms - dead.ms) as u32;
            self.spot(kind::DEAD, now_ms, &dead.down, &[after_ms]);
        }
    }

    fn press(&mut self, ms: f64, down: &Down) {
        self.spot(kind::PRESS, ms, down, &[]);
        if self.presses.pressed(ms, down) {
            self.spot(kind::RAGE, ms, down, &[]);
        }
    }

    fn thrashed(&mut self, now_ms: f64, x: f64, y: f64) {
        if self.gestures.any_down() {
            // What is dragged has a purpose.
            self.thrash.forget();
        } else if let Some(run) = self.thrash.moved(now_ms, x, y) {
            let mut room = [0; DRAFT_BYTES_MAX];
            let out = &mut Bytes::new(&mut room);
            for value in [x, y, run.turns, run.px, run.ms] {
                number(out, u64::from(pixels(value)));
            }
            self.queue
                .tell_of(kind::THRASH, now_ms as u64, None, out.done());
        }
    }

    fn fault(&mut self, now_ms: f64, place: ElementId, bytes: &[u8]) {
        let told = self.faults.get(..self.faulty).unwrap_or_default();
        if !told.contains(&place)
            && let Some(free) = self.faults.get_mut(self.faulty)
        {
            *free = place;
            self.faulty += 1;
            self.said(now_ms, kind::FAULT, bytes);
        }
        if let Some(press) = self.presses.error(now_ms) {
            let after_ms = (now_ms - press.ms) as u32;
            self.spot(kind::ERROR_PRESS, now_ms, &press.down, &[after_ms]);
        }
    }

    /// Tells of everything that runs.
    fn end(&mut self, now_ms: f64) {
        self.settle(now_ms);
        self.interest.tell(now_ms as u64, 0, &mut self.queue);
    }

    fn moved(&mut self, moved: Moved) {
        let mut item = Item {
            kind: kind::MOVED,
            ..Item::default()
        };
        match moved {
            Moved::Silently(dx, dy) => {
                item.by = (dx, dy);
                self.queue.mark(&item, &[]);
            }
            Moved::Gesture(ms, element, scroll) => {
                item.kind = kind::SCROLL;
                item.ms = ms as u64;
                item.element = element;
                // An inner scroller moves no page.
                if element.is_none() {
                    item.by = (scroll.dx, scroll.dy);
                }
                let mut room = [0; DRAFT_BYTES_MAX];
                let out = &mut Bytes::new(&mut room);
                encode::scroll(out, &scroll);
                self.queue.push(item, out.done());
            }
        }
    }

    /// The way of the pointer until now is told.
    fn end_way(&mut self, now_ms: f64) {
        if let Some(bytes) = self.way.end(now_ms) {
            self.queue.tell_of(kind::PATH, now_ms as u64, None, bytes);
        }
    }

    /// The pointer is over this element of the shell's.
    fn over(&mut self, now_ms: f64, element: i32) {
        if let Some((down, duration_ms, pressed)) = self.hover.over(now_ms, element) {
            let numbers = [duration_ms as u32, u32::from(pressed)];
            self.spot(kind::HESITATION, now_ms, &down, &numbers);
        }
    }

    fn ended(&mut self, gesture: Option<Gesture>) {
        if let Some(gesture) = gesture {
            self.gesture(&gesture);
        }
    }

    fn gesture(&mut self, gesture: &Gesture) {
        let Gesture { ms, down, .. } = gesture;
        let duration_ms = gesture.duration_ms as u32;
        if gesture.pressed {
            self.press(*ms, down);
        }
        if let Some((dx, dy, speed)) = gesture.swipe {
            let speed = (speed * 1_000.0) as u32;
            let numbers = [zigzag(dx as i32), zigzag(dy as i32), duration_ms, speed];
            self.spot(kind::SWIPE, *ms, down, &numbers);
        }
        if gesture.long {
            self.spot(kind::LONG_PRESS, *ms, down, &[duration_ms]);
        }
        if gesture.pinch_percent > 0 {
            let numbers = [gesture.pinch_percent, duration_ms];
            self.spot(kind::PINCH, *ms, down, &numbers);
        }
        let hovers = down.pointer == Pointer::Mouse || !down.target.interactive;
        if gesture.held_ms >= HELD_MS && !hovers {
            let numbers = [gesture.held_ms as u32, u32::from(gesture.pressed)];
            self.spot(kind::HESITATION, *ms + gesture.held_ms, down, &numbers);
        }
    }

    /// Tells of something that happened on an element: where, how, and these numbers.
    fn spot(&mut self, kind: u8, ms: f64, down: &Down, numbers: &[u32]) {
        let at = down.target.at.packed();
        let how = How {
            pointer: down.pointer,
            layer: down.target.layer,
            button: if down.pointer == Pointer::Keyboard {
                Button::Primary
            } else {
                down.button
            },
        };
        let mut room = [0; DRAFT_BYTES_MAX];
        let out = &mut Bytes::new(&mut room);
        for value in [at, pixels(down.x), pixels(down.y)] {
            number(out, u64::from(value));
        }
        // Of a swipe, how it was made comes last.
        let last = kind == kind::SWIPE;
        if !last {
            out.push(how.packed());
        }
        for value in numbers {
            number(out, u64::from(*value));
        }
        if last {
            out.push(how.packed());
        }
        let element = Some(down.target.element);
        self.queue.tell_of(kind, ms as u64, element, out.done());
    }
}

/// Errors told of a page, each from another place.
pub const FAULTS_A_PAGE_MAX: usize = 20;

/// Takes over those of the site's limits that it has set.
fn set(limits: &mut [f64], own: &[f64]) {
    for (limit, own) in limits.iter_mut().zip(own) {
        if *own > 0.0 {
            *limit = *own;
        }
    }
}

/// A length as it may travel; `as` saturates and takes NaN to 0.
fn pixels(length: f64) -> u32 {
    (length as u32).min(PIXELS_MAX)
}
