//! Drives a recorder as the shell in `npm/` does: the same numbers, the same bytes, in the same order.
//! Not part of the module a page loads; it is for whoever has no page, as the tests.
//!
//! Owns what each input is called and how it is made numbers (`npm/hearing.ts` and `npm/core.ts` do the
//! same). Refuses to know what comes of it.

use crate::gesture::{INTERACTIVE, PRIMARY};
use crate::queue::{ACKED, DROPPED, RECORDED, REFUSED};
use crate::recorder::Recorder as Core;
use crate::scroll::Position;
use crate::uplink::{Transport, order};
use upriver_wire::batch::{BoxPoint, Button, How, Layer, Pointer};
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
    /// For jitter.
    pub seed: u64,
}

/// A page and how it came to be shown, as the bytes the wire has for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct View<'a> {
    /// View, host and path; then device, viewport and document; then ratio and release; then
    /// navigation, title, referrer and language.
    pub bytes: &'a [u8],
    /// Lengths of the first three of these four, 16 bits each from the lowest.
    pub parts: u64,
    /// Scroll position.
    pub scroll: Position,
}

/// What was pressed, and where in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Target {
    /// The element.
    pub element: ElementId,
    /// Where in its box.
    pub at: BoxPoint,
    /// On which layer it lies.
    pub layer: Layer,
    /// Whether it is something one can press.
    pub interactive: bool,
}

/// A pointer going down.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Down {
    /// The browser's number for the pointer.
    pub id: i32,
    /// What kind it is.
    pub pointer: Pointer,
    /// Which button.
    pub button: Button,
    /// To the right in the window, CSS pixels.
    pub x: f64,
    /// Downwards in the window, CSS pixels.
    pub y: f64,
    /// What it went down on.
    pub target: Target,
    /// What may come of it, as [`crate::presses`] numbers that.
    pub signs: u32,
}

/// What becomes of a form.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filled {
    /// 0: a field is used; 1: it is submitted; 2: it is given up.
    pub step: u8,
    /// The form.
    pub form: ElementId,
    /// The field that is used, unless it is private.
    pub field: Option<ElementId>,
    /// Different fields used.
    pub fields: u16,
}

/// Something that happened. Bytes are those the wire has for it, within the wire's limits.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A page is shown, in the visit that was told of last.
    View(View<'a>),
    /// A pointer goes down while the page stands at this position; `true`: first of its kind.
    Down(Down, Position, bool),
    /// A pointer moves: its number, place in the window, and, unless it is a finger, the shell's
    /// number for the element under it that one can press (0: none); whether its way is recorded.
    Move(i32, f64, f64, Option<i32>, bool),
    /// The pointer is still over the element it was over when [`Recorder::look`] asked: that is here.
    Rests(Down),
    /// It is not, and has not moved.
    Away,
    /// A pointer is lifted.
    Up(i32, f64, f64),
    /// The browser takes a pointer over.
    Cancel(i32),
    /// A finger moves (touch event), and perhaps a second one (otherwise NaN).
    TouchMove(f64, f64, (f64, f64)),
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
    /// What the visitor agreed to.
    Consent(&'a [u8]),
    /// Who the visitor is.
    Identify(&'a [u8]),
    /// Another visit begins, brought by this campaign (or that there is none).
    Session(SessionId, &'a [u8]),
    /// The page is visible from here on, or hidden.
    Shown(bool),
    /// Window and document are so high, CSS pixels.
    Sized(u32, u32),
    /// An element has been seen, looking so: six numbers of 32 bits.
    Impression(ElementId, &'a [u8]),
    /// Something becomes of the form at this place.
    Form(usize, Filled),
    /// Something has changed that a press may have changed; `true`: not only what was pressed.
    Effect(bool),
    /// An error nobody caught: its place, hashed, and the event's bytes.
    Fault(ElementId, &'a [u8]),
    /// The site's own limits, as of [`Presses::limits`](crate::presses::Presses::limits) and
    /// [`Thrash::limits`](crate::thrash::Thrash::limits). 0 leaves a limit as it is.
    Limits([i32; 4], [i32; 3]),
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

/// What is heard from below.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// The stream has opened.
    Opened,
    /// A frame arrived on the stream.
    Frame(&'a [u8]),
    /// The stream has closed or failed, with this code.
    Closed(u16),
    /// A request has ended: its number, the status (0: none), the wait asked for, the body.
    Posted {
        /// The number it was given.
        number: u64,
        /// HTTP status; 0 when there was no answer.
        status: u16,
        /// `Retry-After`, ms; 0 when there was none.
        retry_after_ms: f64,
        /// The body of a 2xx.
        body: &'a [u8],
    },
}

/// What the shell must do next, with the bytes it needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Open the stream.
    Open,
    /// Close the stream and forget it: nothing more may be heard of it.
    Close,
    /// Send this over the stream.
    Send(Vec<u8>),
    /// Send this in a request; its result is told with this number. `true`: it must outlive the page.
    Post(u64, Vec<u8>, bool),
    /// Write this batch down under this number, before it is sent.
    Keep(u64, Vec<u8>),
    /// Forget what was written down under this number.
    Forget(u64),
}

/// How many events came to what end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Seen by the recorder.
    pub recorded: u64,
    /// Known to be on the collector's disk.
    pub acked: u64,
    /// Shed here, because too many were waiting or the recorder was stopped.
    pub dropped: u64,
    /// Given up because the collector refused them.
    pub refused: u64,
}

/// A recorder and who drives it.
#[derive(Debug)]
pub struct Recorder {
    core: Box<Core>,
}

impl Recorder {
    /// A recorder that has seen nothing but the visit it is in.
    pub fn new(names: Names) -> Self {
        let mut recorder = Self {
            core: Box::new(Core::NEW),
        };
        recorder.core.input.clear();
        recorder.give(&[
            &names.stream.0.to_le_bytes(),
            &names.visitor.0.to_le_bytes(),
            &names.seed.to_le_bytes(),
        ]);
        recorder.say(25, 0.0, []);
        recorder.hear(0.0, Input::Session(names.session, &[0]));
        recorder
    }

    /// [`Self::hear`], and all that is to be done then.
    pub fn step(&mut self, now_ms: f64, input: Input<'_>) -> Vec<Command> {
        self.hear(now_ms, input);
        let mut out = Vec::new();
        loop {
            let order = self.say(30, now_ms, []) as u8;
            let number = self.say(40, now_ms, []) as u64;
            let bytes = || self.core.batch().to_vec();
            out.push(match order {
                order::OPEN => Command::Open,
                order::CLOSE => Command::Close,
                order::SEND => Command::Send(bytes()),
                order::POST => Command::Post(number, bytes(), false),
                order::POST_LAST => Command::Post(number, bytes(), true),
                order::KEEP => Command::Keep(number, bytes()),
                order::FORGET => Command::Forget(number),
                _ => return out,
            });
        }
    }

    /// Takes an input.
    pub fn hear(&mut self, now_ms: f64, input: Input<'_>) {
        match input {
            Input::View(View {
                bytes,
                parts,
                scroll,
            }) => {
                self.give(&[bytes]);
                let parts = [parts as i32, (parts >> 32) as i32];
                self.say(0, now_ms, [scroll.0, scroll.1, parts[0], parts[1]]);
            }
            Input::Down(down, at, primary) => self.press(1, now_ms, &down, at, primary),
            Input::Activated(down, at) => self.press(5, now_ms, &down, at, false),
            Input::Rests(down) => self.press(70, now_ms, &down, (0, 0), false),
            Input::Away => self.plain(71, now_ms, []),
            Input::Move(id, x, y, over, followed) => {
                let pointer = i32::from(over.is_none());
                let over = [over.unwrap_or(0), followed.into(), pointer];
                self.moves(2, now_ms, id, x, y, over);
            }
            Input::Up(id, x, y) => self.moves(3, now_ms, id, x, y, [0, 0, 1]),
            Input::Cancel(id) => self.moves(4, now_ms, id, 0.0, 0.0, [0, 0, 1]),
            Input::TouchMove(x, y, second) => {
                let known = i32::from(!second.0.is_nan());
                let [x, y, right, down] = [x, y, second.0, second.1].map(|it| it as i32);
                self.plain(6, now_ms, [known, 0, 0, x, y, right, down]);
            }
            Input::TouchEnd(x, y) => self.plain(7, now_ms, [0, 0, 0, x as i32, y as i32]),
            Input::Key(held) => self.plain(8, now_ms, [held.into()]),
            Input::Wheel => self.plain(9, now_ms, []),
            Input::Scrolled(None, to) => self.plain(10, now_ms, [to.0, to.1]),
            Input::Scrolled(Some(container), to) => {
                self.name(container);
                self.plain(11, now_ms, [to.0, to.1]);
            }
            Input::Custom(bytes) => self.said(12, now_ms, bytes),
            Input::Conversion(bytes) => self.said(13, now_ms, bytes),
            Input::Exposure(bytes) => self.said(14, now_ms, bytes),
            Input::Consent(bytes) => self.said(90, now_ms, bytes),
            Input::Identify(bytes) => self.said(91, now_ms, bytes),
            Input::Session(session, campaign) => {
                self.give(&[&session.0.to_le_bytes(), campaign]);
                self.say(15, now_ms, []);
            }
            Input::Shown(visible) => self.plain(81, now_ms, [visible.into()]),
            Input::Sized(window, document) => {
                self.plain(82, now_ms, [window as i32, document as i32]);
            }
            Input::Impression(element, look) => {
                self.name(element);
                self.said(83, now_ms, look);
            }
            Input::Form(place, filled) => {
                self.name(filled.form);
                self.name(filled.field.unwrap_or(filled.form));
                let step = i32::from(filled.step);
                self.plain(84, now_ms, [place as i32, step, filled.fields.into()]);
            }
            Input::Effect(elsewhere) => self.plain(64, now_ms, [elsewhere.into()]),
            Input::Fault(place, bytes) => {
                self.name(place);
                self.said(65, now_ms, bytes);
            }
            Input::Limits([a, b, c, d], [e, f, g]) => {
                self.plain(66, now_ms, [a, b, c, d, e, f, g]);
            }
            Input::Flush => self.plain(16, now_ms, []),
            Input::Leave => self.plain(17, now_ms, []),
            Input::Pause => self.plain(18, now_ms, []),
            Input::Resume => self.plain(19, now_ms, []),
            Input::Stop => self.plain(20, now_ms, []),
            Input::Tick => self.plain(25, now_ms, []),
            Input::News(News::Opened) => self.plain(21, now_ms, []),
            Input::News(News::Frame(bytes)) => self.said(22, now_ms, bytes),
            Input::News(News::Closed(code)) => self.plain(23, now_ms, [code.into()]),
            Input::News(News::Posted {
                number,
                status,
                retry_after_ms,
                body,
            }) => {
                self.give(&[body]);
                let numbers = [number as i32, status.into(), retry_after_ms as i32];
                self.plain(24, now_ms, numbers);
            }
        }
    }

    /// A click. `true`: it is a press that nothing else told of, and wants [`Input::Activated`].
    pub fn click(&mut self, now_ms: f64, detail: i32) -> bool {
        self.say(29, now_ms, [detail]) != 0.0
    }

    /// Whether to look if the pointer is still over the element it was over: 0 no; 1 yes, and answer
    /// with [`Input::Rests`] or [`Input::Away`]; 2 answer only if it is not.
    pub fn look(&mut self, now_ms: f64) -> u8 {
        self.say(37, now_ms, []) as u8
    }

    /// Describes an element, once; with the bytes the wire has for its descriptor.
    pub fn describe(&mut self, id: ElementId, descriptor: &[u8]) {
        self.name(id);
        self.said(28, 0.0, descriptor);
    }

    /// Takes on a batch that another page has left behind, with its number there; `later_ms`: how much
    /// later it is by that page's clock than by this one's. Returns its number here; 0: no room.
    pub fn adopt(&mut self, bytes: &[u8], number: u64, later_ms: f64) -> u64 {
        self.give(&[bytes]);
        self.say(141, later_ms, [number as i32]) as u64
    }

    /// When [`Input::Tick`] is due, ms; infinite when never.
    pub fn due_ms(&mut self) -> f64 {
        self.say(36, 0.0, [])
    }

    /// How many events came to what end.
    pub fn counts(&self) -> Counts {
        let of = |end: usize| self.core.queue.counts[end].into();
        Counts {
            recorded: of(RECORDED),
            acked: of(ACKED),
            dropped: of(DROPPED),
            refused: of(REFUSED),
        }
    }

    /// How events travel at the moment.
    pub fn transport(&self) -> Transport {
        self.core.transport()
    }

    /// Whether everything recorded has come to an end.
    pub fn is_settled(&self) -> bool {
        self.core.is_settled()
    }

    fn say<const N: usize>(&mut self, kind: i32, now_ms: f64, numbers: [i32; N]) -> f64 {
        let mut all = [0; 8];
        all[..N].copy_from_slice(&numbers);
        let [a, b, c, d, e, f, g, h] = all;
        self.core.step(kind, now_ms, a, b, c, d, e, f, g, h)
    }

    fn plain<const N: usize>(&mut self, kind: i32, now_ms: f64, numbers: [i32; N]) {
        self.say(kind, now_ms, numbers);
    }

    fn said(&mut self, kind: i32, now_ms: f64, bytes: &[u8]) {
        self.give(&[bytes]);
        self.say(kind, now_ms, []);
    }

    fn moves(&mut self, kind: i32, now_ms: f64, id: i32, x: f64, y: f64, [a, b, c]: [i32; 3]) {
        self.say(kind, now_ms, [a, b, c, x as i32, y as i32, 0, 0, id]);
    }

    fn press(&mut self, kind: i32, now_ms: f64, down: &Down, at: Position, primary: bool) {
        let target = &down.target;
        self.name(target.element);
        let how = How {
            pointer: down.pointer,
            layer: target.layer,
            button: down.button,
        };
        let mut packed = u32::from(how.packed()) | down.signs;
        if primary {
            packed |= PRIMARY;
        }
        if target.interactive {
            packed |= INTERACTIVE;
        }
        let place = target.at.packed() as i32;
        let (x, y) = (down.x as i32, down.y as i32);
        self.say(
            kind,
            now_ms,
            [at.0, at.1, packed as i32, x, y, place, 0, down.id],
        );
    }

    /// Names an element as if some text had this hash. The recorder knows none by 0.
    fn name(&mut self, element: ElementId) {
        self.core.name(element.0.max(1));
    }

    fn give(&mut self, parts: &[&[u8]]) {
        let all = parts.concat();
        match self.core.room(all.len()) {
            Some(room) => room.copy_from_slice(&all),
            // As in a page: what is too much is nothing.
            None => self.core.input.clear(),
        }
    }
}
