//! What the shell in `npm/` calls: numbers in, numbers out, and two stretches of memory for bytes.
//! The only file with `#[wasm_bindgen]`, and it needs none of its glue: the module imports nothing.
//!
//! Owns the one recorder of the page and the numbers by which inputs, commands and figures are
//! called (`npm/core.ts` has the same). Times are Unix milliseconds.

use crate::gesture::{Down, Target};
use crate::recorder::{Input, Names, Recorder, View};
use crate::uplink::{Command, News};
use alloc::vec::Vec;
use spin::Mutex;
use upriver_wire::batch::{BoxPoint, Button, Layer, Pointer};
use upriver_wire::{ElementId, SessionId, StreamId, VisitorId};
use wasm_bindgen::prelude::wasm_bindgen;

// A safe constructor, and about 1.3 KB of code before compression.
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct Core {
    recorder: Option<Recorder>,
    /// What the shell hands over.
    input: Vec<u8>,
    /// The element named last.
    element: ElementId,
    /// What the shell has yet to do, the next first.
    commands: Vec<Command>,
    /// The bytes and the number of the command taken last.
    output: Vec<u8>,
    number: u64,
}

// A page has one thread, and nothing here calls back into it: the lock is never waited for.
static CORE: Mutex<Core> = Mutex::new(Core {
    recorder: None,
    input: Vec::new(),
    element: ElementId(0),
    commands: Vec::new(),
    output: Vec::new(),
    number: 0,
});

/// Makes room for so many bytes of input; returns where.
#[wasm_bindgen]
pub fn room(bytes: usize) -> usize {
    let input = &mut CORE.lock().input;
    input.clear();
    input.resize(bytes, 0);
    input.as_mut_ptr() as usize
}

/// Begins. Input: stream (16 bytes), visitor (16), session (8), a random seed (8).
#[wasm_bindgen]
pub fn begin() {
    let core = &mut *CORE.lock();
    let mut rest = &core.input[..];
    let stream = StreamId(wide(&mut rest));
    let visitor = VisitorId(wide(&mut rest));
    core.recorder = Some(Recorder::new(Names {
        stream,
        visitor,
        session: SessionId(long(&mut rest)),
        seed: long(&mut rest),
    }));
}

/// Names an element for the inputs that follow. Input: version and selector. Returns whether it has
/// been described.
#[wasm_bindgen]
pub fn name() -> bool {
    let core = &mut *CORE.lock();
    core.element = ElementId::of_bytes(&core.input);
    let element = core.element;
    core.recorder.as_ref().is_some_and(|it| it.knows(element))
}

/// Describes the element named last. Input: its descriptor.
#[wasm_bindgen]
pub fn describe() {
    let core = &mut *CORE.lock();
    if let Some(recorder) = &mut core.recorder {
        recorder.describe(core.element, &core.input);
    }
}

/// A click: whether it is a press that wants input 5.
#[wasm_bindgen]
pub fn click(now_ms: f64, detail: i32) -> bool {
    let core = &mut *CORE.lock();
    core.recorder
        .as_mut()
        .is_some_and(|it| it.click(now_ms, detail))
}

/// Takes an input, at its own time up to 15 and now from there on. What `a` to `h` are, the match
/// below says.
#[wasm_bindgen]
#[allow(
    clippy::too_many_arguments,
    reason = "numbers are the cheapest way across, and there is one caller"
)]
pub fn step(kind: u8, now: f64, a: f64, b: f64, c: f64, d: f64, e: f64, f: f64, g: f64, h: f64) {
    let core = &mut *CORE.lock();
    let Some(recorder) = &mut core.recorder else {
        return;
    };
    let bytes = &core.input[..];
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
        }
    };
    let position = (a as i32, b as i32);
    let input = match kind {
        0 => Input::View(View {
            place: part(bytes, 0.0, d),
            campaign: part(bytes, d, e),
            sizes: part(bytes, e, f),
            scroll: position,
            ratio: c as u32,
            rest: part(bytes, f, bytes.len() as f64),
        }),
        1 => Input::Down(down(), position, c as u32 >> 6 != 0),
        2 => Input::Move(h as i32, d, e),
        3 => Input::Up(h as i32, d, e),
        4 => Input::Cancel(h as i32),
        5 => Input::Activated(down(), position),
        6 => Input::TouchMove(d, e),
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
        _ => Input::Tick,
    };
    if kind <= 15 {
        return recorder.record(now, input);
    }
    let commands = recorder.step(now, input);
    core.commands.extend(commands);
}

/// Takes the next command: 0 none, 1 open, 2 close, 3 send, 4 post, 5 post that outlives the page.
#[wasm_bindgen]
pub fn next() -> u8 {
    let core = &mut *CORE.lock();
    if core.commands.is_empty() {
        return 0;
    }
    match core.commands.remove(0) {
        Command::Open => 1,
        Command::Close => 2,
        Command::Send(bytes) => {
            core.output = bytes;
            3
        }
        Command::Post(number, bytes, keepalive) => {
            core.number = number;
            core.output = bytes;
            4 + u8::from(keepalive)
        }
    }
}

/// A figure: 0 recorded, 1 acked, 2 dropped, 3 refused (events), 4 the transport, 5 when input 25 is
/// due (ms; infinite when never), 6 whether a finger or pen is down; of the command taken last:
/// 7 where its bytes are, 8 how many, 9 its number.
#[wasm_bindgen]
pub fn stat(which: u8) -> f64 {
    let core = &mut *CORE.lock();
    let Some(recorder) = &mut core.recorder else {
        return 0.0;
    };
    let counts = recorder.counts();
    let whole = match which {
        0 => counts.recorded,
        1 => counts.acked,
        2 => counts.dropped,
        3 => counts.refused,
        4 => recorder.transport() as u64,
        5 => return recorder.due_ms().unwrap_or(f64::INFINITY),
        6 => u64::from(recorder.touching()),
        7 => core.output.as_ptr() as u64,
        8 => core.output.len() as u64,
        _ => core.number,
    };
    whole as f64
}

fn part(bytes: &[u8], from: f64, to: f64) -> &[u8] {
    bytes.get(from as usize..to as usize).unwrap_or_default()
}

fn long(rest: &mut &[u8]) -> u64 {
    let mut value = [0; 8];
    if let Some(bytes) = rest.split_off(..8) {
        value.copy_from_slice(bytes);
    }
    u64::from_le_bytes(value)
}

fn wide(rest: &mut &[u8]) -> u128 {
    u128::from(long(rest)) | u128::from(long(rest)) << 64
}
