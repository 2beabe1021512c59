//! The recorder: input goes in with its time, commands come out.
//!
//! Owns what an input means for pages, gestures, scrolling and the queue, and the order they are
//! told in. Refuses to know clocks, sockets and documents: [`Recorder::step`] is handed everything.

use crate::gesture::{Click, Down, Gesture, Gestures, Target};
use crate::queue::{Counts, Queue};
use crate::scroll::{Moved, Position, Scrolls};
use crate::uplink::{Command, News, Transport, Uplink};
use crate::{clip, retry::Random};
use alloc::vec::Vec;
use upriver_wire::batch::{
    Button, Campaign, Conversion, Custom, Descriptor, How, PageView, Point, Pointer, Press, Prop,
    Swipe, Value, Variant,
};
use upriver_wire::limits::{NAME_BYTES_MAX, PIXELS_MAX, PROPS_MAX, STRING_BYTES_MAX};
use upriver_wire::{Body, ElementId, SessionId, StreamId, ViewId, VisitorId};

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

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A page is shown. Its view is named here.
    View(PageView),
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
    Custom(Custom),
    /// Something the site lives from.
    Conversion(Conversion),
    /// A variant is shown.
    Exposure(Variant),
    /// Another visit begins, brought by this campaign.
    Session(SessionId, Option<Campaign>),
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
            queue: Queue::new(names.stream, names.visitor, names.session),
            uplink: Uplink::new(random.bits()),
            random,
            stopped: false,
        }
    }

    /// Takes an input at a time (Unix ms, never backwards) and says what to do.
    pub fn step(&mut self, now_ms: f64, input: Input<'_>) -> Vec<Command> {
        let mut out = Vec::new();
        match input {
            Input::News(news) => self.uplink.hear(now_ms, &news, &mut self.queue, &mut out),
            Input::Leave => {
                self.rest(now_ms, true);
                self.uplink.leave(now_ms, &mut self.queue, &mut out);
            }
            Input::Pause => self.uplink.pause(&mut out),
            Input::Resume => self.uplink.resume(&mut self.queue),
            Input::Flush => {
                self.rest(now_ms, true);
                self.uplink.hurry = true;
            }
            Input::Stop => {
                self.rest(now_ms, true);
                self.stopped = true;
                self.uplink.leave(now_ms, &mut self.queue, &mut out);
                self.uplink.stop(Transport::Stopped, &mut out);
            }
            Input::Tick => {}
            seen if !self.stopped && !self.uplink.is_off() => self.see(now_ms, seen),
            _ => {}
        }
        self.rest(now_ms, false);
        self.uplink.pump(now_ms, &mut self.queue, &mut out);
        out
    }

    /// When [`Input::Tick`] is due, ms.
    pub fn due_ms(&mut self) -> Option<f64> {
        let uplink = self.uplink.due_ms(&mut self.queue);
        self.scrolls
            .due_ms()
            .into_iter()
            .chain(uplink)
            .reduce(f64::min)
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

    /// Describes an element, once.
    pub fn describe(&mut self, id: ElementId, descriptor: Descriptor) {
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
            Input::Custom(mut custom) => {
                clip(&mut custom.name, NAME_BYTES_MAX);
                clip_props(&mut custom.props);
                self.queue.push(now_ms, None, Body::Custom(custom));
            }
            Input::Conversion(mut conversion) => {
                for text in [
                    &mut conversion.name,
                    &mut conversion.currency,
                    &mut conversion.order,
                ] {
                    clip(text, NAME_BYTES_MAX);
                }
                clip_props(&mut conversion.props);
                self.queue.push(now_ms, None, Body::Conversion(conversion));
                self.uplink.hurry = true;
            }
            Input::Exposure(mut variant) => {
                clip(&mut variant.experiment, NAME_BYTES_MAX);
                clip(&mut variant.variant, NAME_BYTES_MAX);
                self.queue.push(now_ms, None, Body::Exposure(variant));
            }
            Input::Session(session, campaign) => self.queue.session(session, campaign),
            // Not things seen; `step` has dealt with them.
            Input::Flush | Input::Leave | Input::Pause | Input::Resume => {}
            Input::Stop | Input::Tick | Input::News(_) => {}
        }
    }

    fn view(&mut self, now_ms: f64, mut view: PageView) {
        self.rest(now_ms, true);
        view.page.view = ViewId(self.random.bits());
        let at = view.page.scroll;
        self.scrolls.place((at.x as i32, at.y as i32));
        for text in [
            &mut view.page.host,
            &mut view.page.path,
            &mut view.title,
            &mut view.referrer,
        ] {
            clip(text, STRING_BYTES_MAX);
        }
        clip(&mut view.language, NAME_BYTES_MAX);
        if let Some(campaign) = &mut view.page.campaign {
            let [a, b] = [&mut campaign.source, &mut campaign.medium];
            let [c, d, e] = [
                &mut campaign.campaign,
                &mut campaign.term,
                &mut campaign.content,
            ];
            [a, b, c, d, e]
                .into_iter()
                .for_each(|text| clip(text, NAME_BYTES_MAX));
        }
        self.queue.push(now_ms, None, Body::PageView(view));
    }

    /// Before a press: the page's position is told, so that place in window + position is exact.
    fn stand_still(&mut self, now_ms: f64, position: Position) {
        self.scrolled(now_ms, None, position);
        self.rest(now_ms, true);
    }

    fn scrolled(&mut self, now_ms: f64, container: Option<ElementId>, to: Position) {
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
    }

    fn moved(&mut self, moved: Moved) {
        match moved {
            Moved::Silently(dx, dy) => self.queue.moved(dx, dy),
            Moved::Gesture(ms, container, scroll) => {
                self.queue.push(ms, container, Body::Scroll(scroll));
            }
        }
    }

    fn gesture(&mut self, gesture: Gesture) {
        let how = |down: &Down| How {
            pointer: down.pointer,
            layer: down.target.layer,
            button: if down.pointer == Pointer::Keyboard {
                Button::Primary
            } else {
                down.button
            },
        };
        let client = |down: &Down| Point {
            x: pixels(down.x),
            y: pixels(down.y),
        };
        match gesture {
            Gesture::Press(ms, down) => {
                let Target { element, at, .. } = down.target;
                let press = Press {
                    element: 0,
                    at,
                    client: client(&down),
                    how: how(&down),
                };
                self.queue.push(ms, Some(element), Body::Press(press));
            }
            Gesture::Swipe(swiped) => {
                let down = swiped.down;
                let swipe = Swipe {
                    element: 0,
                    at: down.target.at,
                    client: client(&down),
                    dx: swiped.dx as i32,
                    dy: swiped.dy as i32,
                    duration_ms: swiped.duration_ms as u32,
                    release_px_s: (swiped.speed * 1_000.0) as u32,
                    how: how(&down),
                };
                self.queue
                    .push(swiped.ms, Some(down.target.element), Body::Swipe(swipe));
            }
        }
    }
}

/// A length as it may travel; `as` saturates and takes NaN to 0.
fn pixels(length: f64) -> u32 {
    (length as u32).min(PIXELS_MAX)
}

fn clip_props(props: &mut Vec<Prop>) {
    props.truncate(PROPS_MAX);
    for prop in props {
        clip(&mut prop.name, NAME_BYTES_MAX);
        if let Value::Text(text) = &mut prop.value {
            clip(text, STRING_BYTES_MAX);
        }
    }
}
