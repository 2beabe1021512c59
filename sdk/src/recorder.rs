//! The recorder: input goes in with its time, commands come out.
//!
//! Owns what an input means for pages, gestures, scrolling and the queue, and the order they are
//! told in. Refuses to know clocks, sockets and documents: [`Recorder::step`] is handed everything.

use crate::attention::TOLD_EVERY_MS;
use crate::encode::{self, number, signed};
use crate::gesture::{Click, Down, Gesture, Gestures, Target};
use crate::interest::{Filled, Interest};
use crate::queue::{Counts, Item, Page, Queue, kind};
use crate::retry::Random;
use crate::scroll::{Moved, Position, Scrolls};
use crate::uplink::{Command, News, Transport, Uplink};
use alloc::boxed::Box;
use alloc::vec::Vec;
use upriver_wire::batch::{Button, How, Pointer};
use upriver_wire::limits::PIXELS_MAX;
use upriver_wire::{ElementId, SessionId, StreamId, VisitorId};

/// Who this recorder is. All random, or read from what was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names {
    /// This run in this tab.
    pub stream: StreamId,
    /// The visitor.
    pub visitor: VisitorId,
    /// The visit.
    pub session: SessionId,
    /// For jitter and the names of views.
    pub seed: u64,
}

/// A page, in the parts of bytes the wire has for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct View<'a> {
    /// Host and path.
    pub place: &'a [u8],
    /// The campaign, or that there is none.
    pub campaign: &'a [u8],
    /// Device, viewport, document.
    pub sizes: &'a [u8],
    /// Scroll position.
    pub scroll: Position,
    /// Device pixels per CSS pixel, percent.
    pub ratio: u32,
    /// Version of the site, with its length.
    pub release: &'a [u8],
    /// Navigation, title, referrer, language.
    pub rest: &'a [u8],
}

/// Something that happened. Bytes are those the wire has for it, within the wire's limits.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A page is shown. Its view is named here.
    View(View<'a>),
    /// A pointer goes down while the page stands at this position; `true`: first of its kind.
    Down(Down, Position, bool),
    /// A pointer moves: its number and place in the window.
    Move(i32, f64, f64),
    /// A pointer is lifted.
    Up(i32, f64, f64),
    /// The browser takes a pointer over.
    Cancel(i32),
    /// A finger moves (touch event).
    TouchMove(f64, f64),
    /// A finger is lifted (touch event).
    TouchEnd(f64, f64),
    /// A press of which only the activation was seen (see [`Recorder::click`]).
    Activated(Down, Position),
    /// A key goes down; `true`: it is being held.
    Key(bool),
    /// A wheel turns.
    Wheel,
    /// A container (none: the page) stands at a new position.
    Scrolled(Option<ElementId>, Position),
    /// The site's own event.
    Custom(&'a [u8]),
    /// Something the site lives from.
    Conversion(&'a [u8]),
    /// A variant is shown.
    Exposure(&'a [u8]),
    /// Another visit begins, brought by this campaign (or that there is none).
    Session(SessionId, &'a [u8]),
    /// Somebody does something.
    Alive,
    /// The page is visible from here on, or hidden.
    Shown(bool),
    /// Window and document are so high, CSS pixels.
    Sized(u32, u32),
    /// An element has been seen, looking so.
    Impression(ElementId, &'a [u8]),
    /// Something becomes of the form at this place.
    Form(usize, Filled),
    /// Send without waiting.
    Flush,
    /// The page is hidden or going.
    Leave,
    /// The page is put away; the stream must be closed.
    Pause,
    /// The page is back.
    Resume,
    /// The site stops us: what is recorded goes out, nothing more is recorded.
    Stop,
    /// Time has passed.
    Tick,
    /// News from the stream or a request.
    News(News<'a>),
}

/// Everything between an input and a command.
#[derive(Debug)]
pub struct Recorder {
    gestures: Gestures,
    scrolls: Scrolls,
    interest: Interest,
    queue: Queue,
    uplink: Uplink,
    random: Random,
    stopped: bool,
}

impl Recorder {
    /// A recorder that has seen nothing.
    pub fn new(names: Names) -> Self {
        let mut random = Random(names.seed);
        Self {
            gestures: Gestures::default(),
            scrolls: Scrolls::default(),
            interest: Interest::default(),
            queue: Queue::new(names.stream, names.visitor, names.session),
            uplink: Uplink::new(random.bits()),
            random,
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

    /// Takes an input that happens now and says what to do.
    pub fn step(&mut self, now_ms: f64, input: Input<'_>) -> Vec<Command> {
        let mut out = Vec::new();
        match input {
            Input::News(news) => self.uplink.hear(now_ms, &news, &mut self.queue, &mut out),
            Input::Leave => {
                self.end(now_ms);
                self.uplink.leave(now_ms, &mut self.queue, &mut out);
            }
            Input::Pause => self.uplink.pause(&mut out),
            Input::Resume => self.uplink.resume(&mut self.queue),
            Input::Flush => {
                self.end(now_ms);
                self.uplink.hurry = true;
            }
            Input::Stop => {
                self.end(now_ms);
                self.stopped = true;
                self.uplink.leave(now_ms, &mut self.queue, &mut out);
                self.uplink.stop(Transport::Stopped, &mut out);
            }
            Input::Tick => {}
            seen => self.record(now_ms, seen),
        }
        self.rest(now_ms, false);
        self.uplink.pump(now_ms, &mut self.queue, &mut out);
        out
    }

    /// When [`Input::Tick`] is due, ms; infinite when never.
    pub fn due_ms(&mut self) -> f64 {
        let uplink = self.uplink.due_ms(&mut self.queue);
        let attention = self.interest.attention.due_ms();
        self.scrolls.due_ms().min(attention).min(uplink)
    }

    /// A click. `true`: it is a press that nothing else told of, and wants [`Input::Activated`].
    pub fn click(&mut self, now_ms: f64, detail: i32) -> bool {
        match self.gestures.click(now_ms, detail) {
            Click::Nothing => false,
            Click::Unseen => true,
            Click::Late(gesture) => {
                self.gesture(gesture);
                false
            }
        }
    }

    /// Whether a finger or pen is down, so that movements matter.
    pub fn touching(&self) -> bool {
        self.gestures.touching()
    }

    /// Whether an element has been described.
    pub fn knows(&self, id: ElementId) -> bool {
        self.queue.catalogue.knows(id)
    }

    /// Describes an element, once; with the bytes the wire has for its descriptor.
    pub fn describe(&mut self, id: ElementId, descriptor: &[u8]) {
        self.queue.catalogue.describe(id, descriptor);
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
                let gesture = self.gestures.down(now_ms, down, primary);
                gesture
                    .into_iter()
                    .for_each(|gesture| self.gesture(gesture));
            }
            Input::Move(id, x, y) => self.gestures.moved(now_ms, id, x, y),
            Input::Up(id, x, y) => {
                let gesture = self.gestures.up(now_ms, id, x, y);
                gesture
                    .into_iter()
                    .for_each(|gesture| self.gesture(gesture));
            }
            Input::Cancel(id) => self.gestures.cancelled(id),
            // A finger scrolls only once the browser has taken it over; a tap causes no scroll.
            Input::TouchMove(x, y) => {
                if self.gestures.is_taken() {
                    self.scrolls.cause(now_ms);
                }
                self.gestures.taken_moved(now_ms, x, y);
            }
            Input::TouchEnd(x, y) => {
                if self.gestures.is_taken() {
                    self.scrolls.cause(now_ms);
                }
                let gesture = self.gestures.taken_up(now_ms, x, y);
                gesture
                    .into_iter()
                    .for_each(|gesture| self.gesture(gesture));
            }
            Input::Activated(down, position) => {
                self.stand_still(now_ms, position);
                self.gesture(Gesture::Press(now_ms, down));
                // The key pressed something; what scrolls now is what was pressed.
                self.scrolls.forget_cause();
            }
            Input::Key(repeat) => {
                self.scrolls.cause(now_ms);
                self.gestures.key(now_ms, repeat);
            }
            Input::Wheel => self.scrolls.cause(now_ms),
            Input::Scrolled(container, to) => self.scrolled(now_ms, container, to),
            Input::Custom(bytes) => self.said(now_ms, kind::CUSTOM, bytes),
            Input::Conversion(bytes) => {
                self.said(now_ms, kind::CONVERSION, bytes);
                self.uplink.hurry = true;
            }
            Input::Exposure(bytes) => self.said(now_ms, kind::EXPOSURE, bytes),
            Input::Session(session, campaign) => self.queue.mark(Item {
                kind: kind::SESSION,
                ms: session.0,
                bytes: Vec::from(campaign),
                ..Item::default()
            }),
            Input::Alive => self.interest.attention.alive(ms),
            Input::Shown(visible) => self.interest.shown(ms, visible, &mut self.queue),
            Input::Sized(window, document) => self.interest.attention.sized(ms, window, document),
            Input::Impression(element, look) => {
                self.interest.impression(ms, element, look, &mut self.queue);
            }
            Input::Form(place, filled) => {
                self.interest.form(ms, place, &filled, &mut self.queue);
            }
            // Not things seen; `step` has dealt with them.
            Input::Flush | Input::Leave | Input::Pause | Input::Resume => {}
            Input::Stop | Input::Tick | Input::News(_) => {}
        }
    }

    fn view(&mut self, now_ms: f64, view: View<'_>) {
        self.rest(now_ms, true);
        self.interest.left(now_ms as u64, &mut self.queue);
        self.interest
            .attention
            .scrolled(now_ms as u64, view.scroll.1);
        self.scrolls.place(view.scroll);
        let page = Page {
            view: self.random.bits(),
            place: Vec::from(view.place),
            campaign: Vec::from(view.campaign),
            sizes: Vec::from(view.sizes),
            scroll: view.scroll,
            ratio: view.ratio,
            release: Vec::from(view.release),
        };
        self.queue.push(Item {
            ms: now_ms as u64,
            bytes: Vec::from(view.rest),
            page: Some(Box::new(page)),
            ..Item::default()
        });
    }

    fn said(&mut self, now_ms: f64, kind: u8, bytes: &[u8]) {
        let bytes = Vec::from(bytes);
        self.queue.tell_of(kind, now_ms as u64, None, None, bytes);
    }

    /// Before a press: the page's position is told, so that place in window + position is exact.
    fn stand_still(&mut self, now_ms: f64, position: Position) {
        self.scrolled(now_ms, None, position);
        self.rest(now_ms, true);
    }

    fn scrolled(&mut self, now_ms: f64, container: Option<ElementId>, to: Position) {
        if container.is_none() {
            self.interest.attention.scrolled(now_ms as u64, to.1);
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
        self.interest
            .tell(now_ms as u64, TOLD_EVERY_MS, &mut self.queue);
    }

    /// Tells of everything that runs.
    fn end(&mut self, now_ms: f64) {
        self.rest(now_ms, true);
        self.interest.tell(now_ms as u64, 0, &mut self.queue);
    }

    fn moved(&mut self, moved: Moved) {
        match moved {
            Moved::Silently(dx, dy) => self.queue.mark(Item {
                kind: kind::MOVED,
                by: (dx, dy),
                ..Item::default()
            }),
            Moved::Gesture(ms, element, scroll) => self.queue.push(Item {
                kind: kind::SCROLL,
                ms: ms as u64,
                element,
                // An inner scroller moves no page.
                by: if element.is_none() {
                    (scroll.dx, scroll.dy)
                } else {
                    (0, 0)
                },
                bytes: encode::scroll(&scroll),
                ..Item::default()
            }),
        }
    }

    fn gesture(&mut self, gesture: Gesture) {
        let (kind, ms, down) = match &gesture {
            Gesture::Press(ms, down) => (kind::PRESS, *ms, down),
            Gesture::Swipe(swiped) => (kind::SWIPE, swiped.ms, &swiped.down),
        };
        let Target { element, at, layer } = down.target;
        let mut bytes = Vec::new();
        number(&mut bytes, u64::from(at.packed()));
        number(&mut bytes, u64::from(pixels(down.x)));
        number(&mut bytes, u64::from(pixels(down.y)));
        if let Gesture::Swipe(swiped) = &gesture {
            signed(&mut bytes, swiped.dx as i32);
            signed(&mut bytes, swiped.dy as i32);
            number(&mut bytes, u64::from(swiped.duration_ms as u32));
            number(&mut bytes, u64::from((swiped.speed * 1_000.0) as u32));
        }
        let how = How {
            pointer: down.pointer,
            layer,
            button: if down.pointer == Pointer::Keyboard {
                Button::Primary
            } else {
                down.button
            },
        };
        bytes.push(how.packed());
        self.queue.push(Item {
            kind,
            ms: ms as u64,
            element: Some(element),
            bytes,
            ..Item::default()
        });
    }
}

/// A length as it may travel; `as` saturates and takes NaN to 0.
fn pixels(length: f64) -> u32 {
    (length as u32).min(PIXELS_MAX)
}
