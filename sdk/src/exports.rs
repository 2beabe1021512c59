//! What the shell in `npm/` calls: numbers in, numbers out, and two stretches of memory for bytes.
//! The only file with `#[wasm_bindgen]`, and it needs none of its glue: the module imports nothing.
//!
//! Owns the one recorder of the page and the numbers by which inputs, commands and figures are
//! called (`npm/wasm.ts` has the same). Times are Unix milliseconds.

use crate::gesture::{Down, Target};
use crate::interest::Filled;
use crate::queue::kind as event;
use crate::recorder::{Input, Names, Recorder, View};
use crate::uplink::{News, Order};
use spin::Mutex;
use upriver_wire::batch::{BoxPoint, Button, Layer, Pointer};
use upriver_wire::limits::FRAME_BYTES_MAX;
use upriver_wire::{ElementId, SessionId, StreamId, VisitorId};
use wasm_bindgen::prelude::wasm_bindgen;

// Nothing here allocates; the wire, of which only constants and names are used, wants one all the same.
#[global_allocator]
static ALLOCATOR: lol_alloc::FailAllocator = lol_alloc::FailAllocator;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Any scroll position and this is a positive number.
const PIXELS: f64 = 268_435_456.0;
/// The kind that makes room.
const ROOM: u8 = 26;
/// Bytes handed over at once.
const INPUT_BYTES_MAX: usize = FRAME_BYTES_MAX;
/// The kind that forgets everything; the next one begins anew.
const DROP: u8 = 128;

struct Core {
    recorder: Option<Recorder>,
    /// What the shell hands over, and how much of it.
    room: [u8; INPUT_BYTES_MAX],
    input: usize,
    /// The element named last, and the one before.
    element: ElementId,
    before: ElementId,
    /// The batch of the order taken last.
    batch: u64,
}

// A page has one thread, and nothing here calls back into it: the lock is never waited for.
static CORE: Mutex<Core> = Mutex::new(Core {
    recorder: None,
    room: [0; INPUT_BYTES_MAX],
    input: 0,
    element: ElementId(0),
    before: ElementId(0),
    batch: 0,
});

/// Does one thing; the numbers of `kind` are those of the matches below, what `a` to `h` are as well.
/// 0 to 25 are inputs, with their own time up to 15 and now from there on. One export for everything:
/// each costs a hundred bytes more than its own code.
#[wasm_bindgen]
#[allow(
    clippy::too_many_arguments,
    reason = "numbers are the cheapest way across, and there is one caller"
)]
pub fn step(
    kind: u8,
    now: f64,
    a: f64,
    b: f64,
    c: f64,
    d: f64,
    e: f64,
    f: f64,
    g: f64,
    h: f64,
) -> f64 {
    let core = &mut *CORE.lock();
    // Makes room for so many bytes of input; returns where. 0: there is not so much room, the input is
    // empty.
    if kind == ROOM {
        core.input = a as usize;
        if core.input <= INPUT_BYTES_MAX {
            return core.room.as_ptr() as usize as f64;
        }
        core.input = 0;
        return 0.0;
    }
    if kind == DROP {
        core.recorder = None;
        return 0.0;
    }
    let bytes = core.room.get(..core.input).unwrap_or_default();
    // Begins. Input: stream (16 bytes), visitor (16), a random seed (8). A visit and a view follow.
    let Some(recorder) = &mut core.recorder else {
        let mut rest = bytes;
        let stream = StreamId(wide(&mut rest));
        let visitor = VisitorId(wide(&mut rest));
        core.recorder = Some(Recorder::new(Names {
            stream,
            visitor,
            session: SessionId::default(),
            seed: long(&mut rest),
        }));
        return 0.0;
    };
    let down = || {
        let packed = c as u32;
        let target = Target {
            element: core.element,
            at: BoxPoint::new(f, g),
            layer: match packed >> 2 & 3 {
                0 => Layer::Flow,
                1 => Layer::Fixed,
                2 => Layer::Stuck,
                _ => Layer::Top,
            },
            interactive: packed >> 7 & 1 != 0,
        };
        Down {
            id: h as i32,
            pointer: match packed & 3 {
                0 => Pointer::Mouse,
                1 => Pointer::Touch,
                2 => Pointer::Pen,
                _ => Pointer::Keyboard,
            },
            button: match packed >> 4 & 3 {
                0 => Button::Primary,
                1 => Button::Middle,
                2 => Button::Secondary,
                _ => Button::Other,
            },
            x: d,
            y: e,
            target,
            signs: (packed >> 8) as u8,
        }
    };
    // Rounded, halves up, also where they are negative.
    let whole = |length: f64| (length + 0.5 + PIXELS) as i32 - PIXELS as i32;
    let position = (whole(a), whole(b));
    let input = match kind {
        0 => Input::View(View {
            bytes,
            parts: c as u64,
            scroll: position,
        }),
        1 => Input::Down(down(), position, c as u32 >> 6 & 1 != 0),
        // Unless it is a finger, the element under it; the pointer's kind as of a press.
        2 => Input::Move(
            h as i32,
            d,
            e,
            (c as u32 != 1).then_some(a as i32),
            b != 0.0,
        ),
        3 => Input::Up(h as i32, d, e),
        4 => Input::Cancel(h as i32),
        5 => Input::Activated(down(), position),
        6 => Input::TouchMove(d, e, (f, g)),
        7 => Input::TouchEnd(d, e),
        8 => Input::Key(a != 0.0),
        9 => Input::Wheel,
        10 => Input::Scrolled(None, position),
        11 => Input::Scrolled(Some(core.element), position),
        12 => Input::Custom(bytes),
        13 => Input::Conversion(bytes),
        14 => Input::Exposure(bytes),
        15 => {
            let mut rest = bytes;
            let session = SessionId(long(&mut rest));
            Input::Session(session, rest)
        }
        16 => Input::Flush,
        17 => Input::Leave,
        18 => Input::Pause,
        19 => Input::Resume,
        20 => Input::Stop,
        21 => Input::News(News::Opened),
        22 => Input::News(News::Frame(bytes)),
        23 => Input::News(News::Closed(a as u16)),
        24 => Input::News(News::Posted {
            number: a as u64,
            status: b as u16,
            retry_after_ms: c,
            body: bytes,
        }),
        25 => Input::Tick,
        64 => Input::Effect(a != 0.0),
        65 => Input::Fault(core.element, bytes),
        66 => Input::Limits([a, b, c, d], [e, f, g]),
        70 => Input::Rests(down()),
        71 => Input::Away,
        80 => Input::Alive,
        81 => Input::Shown(a != 0.0),
        82 => Input::Sized(a as u32, b as u32),
        83 => Input::Impression(core.element, bytes),
        // The form is named first, then the field; of a private one the form again.
        84 => Input::Form(
            a as usize,
            Filled {
                step: b as u8,
                form: core.before,
                field: (core.before != core.element).then_some(core.element),
                fields: c as u16,
            },
        ),
        // What the visitor agreed to, and who it is.
        90 => Input::Said(event::CONSENT, bytes),
        91 => Input::Said(event::IDENTIFY, bytes),
        _ => return core.tell(kind, now, a, b),
    };
    recorder.hear(now, input);
    0.0
}

impl Core {
    fn tell(&mut self, kind: u8, now: f64, a: f64, b: f64) -> f64 {
        let Some(recorder) = &mut self.recorder else {
            return 0.0;
        };
        let bytes = self.room.get(..self.input).unwrap_or_default();
        let counts = recorder.counts();
        let whole = match kind {
            // Names an element for the inputs that follow. Input: version and selector. Returns
            // whether it has been described.
            27 => {
                self.before = self.element;
                self.element = ElementId::of_bytes(bytes);
                u64::from(recorder.knows(self.element))
            }
            // Describes the element named last. Input: its descriptor.
            28 => {
                recorder.describe(self.element, bytes);
                0
            }
            // A click: whether it is a press that wants input 5.
            29 => u64::from(recorder.click(now, a as i32)),
            // What to do next: 0 nothing more, 1 open, 2 close, 3 send, 4 post, 5 post that outlives the
            // page, 6 keep, 7 forget.
            30 => {
                let (order, batch) = match recorder.next(now) {
                    None => (0, 0),
                    Some(Order::Open) => (1, 0),
                    Some(Order::Close) => (2, 0),
                    Some(Order::Send(batch)) => (3, batch),
                    Some(Order::Keep(batch)) => (6, batch),
                    Some(Order::Forget(batch)) => (7, batch),
                    Some(Order::Post(batch, keepalive)) => (4 + u64::from(keepalive), batch),
                };
                self.batch = batch;
                order
            }
            // Events: recorded, acked, dropped, refused.
            31 => counts.recorded,
            32 => counts.acked,
            33 => counts.dropped,
            34 => counts.refused,
            35 => recorder.transport() as u64,
            // When input 25 is due, ms; infinite when never.
            36 => return recorder.due_ms(),
            // Whether to look if the pointer is still there: 1 input 70 or 71 answers, 2 only 71 does.
            37 => u64::from(recorder.look(now)),
            // Of the order taken last: where the bytes of its batch are, how many, its number.
            38 => recorder.batch(self.batch).as_ptr() as u64,
            39 => recorder.batch(self.batch).len() as u64,
            40 => self.batch,
            // Takes on a batch, with the number its page gave it; returns its number here, 0: no room.
            141 => recorder.adopt(bytes, a as u64, b),
            // 140: the visitor pays for bytes, or asked for few.
            _ => {
                recorder.thin();
                0
            }
        };
        whole as f64
    }
}

fn long(rest: &mut &[u8]) -> u64 {
    let Some((first, others)) = rest.split_first_chunk() else {
        return 0;
    };
    *rest = others;
    u64::from_le_bytes(*first)
}

fn wide(rest: &mut &[u8]) -> u128 {
    u128::from(long(rest)) | u128::from(long(rest)) << 64
}
