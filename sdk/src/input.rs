//! What can happen: everything the recorder is told, with the bytes the wire has for it.
//!
//! Owns the shape of it. Knows nothing of what comes of it: that is the recorder's business.

use crate::gesture::Down;
use crate::interest::Filled;
use crate::scroll::Position;
use crate::uplink::News;
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
    /// The pointer is still over the element it was over when [`Recorder::look`](crate::recorder::Recorder::look) asked: that is here.
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
    /// A press of which only the activation was seen (see [`Recorder::click`](crate::recorder::Recorder::click)).
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
    /// Something else said: one of [`kind`](crate::queue::kind), without an element.
    Said(u8, &'a [u8]),
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
    /// Something has changed that a press may have changed; `true`: not only what was pressed.
    Effect(bool),
    /// An error nobody caught: its place, hashed, and the event's bytes.
    Fault(ElementId, &'a [u8]),
    /// The site's own limits, as of [`Presses::limits`](crate::presses::Presses::limits) and
    /// [`Thrash::limits`](crate::thrash::Thrash::limits). What is no number
    /// leaves the limit as it is.
    Limits([f64; 4], [f64; 3]),
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
