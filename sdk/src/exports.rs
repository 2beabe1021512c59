//! What the shell in `npm/` calls: numbers in, a number out, and two stretches of memory for bytes.
//! The only file with `#[wasm_bindgen]`, and it needs none of its glue: the module imports nothing.
//!
//! Owns the one recorder of the page. Refuses to know what it is told: that is the recorder's business.

use crate::recorder::Recorder;
use spin::Mutex;
use wasm_bindgen::prelude::wasm_bindgen;

// Nothing here allocates; the wire, of which only constants and names are used, wants one all the same.
#[global_allocator]
static ALLOCATOR: lol_alloc::FailAllocator = lol_alloc::FailAllocator;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// The kind that makes room for input.
const ROOM: i32 = 26;

// A page has one thread, and nothing here calls back into it: the lock is never waited for.
static RECORDER: Mutex<Recorder> = Mutex::new(Recorder::NEW);

/// Does one thing, see [`Recorder::step`]; [`ROOM`] makes room for `a` bytes of input and returns where:
/// 0 when that is too many. One export for everything: each costs a hundred bytes more than its own
/// code.
#[wasm_bindgen]
#[inline(never)]
#[allow(
    clippy::too_many_arguments,
    reason = "numbers are the cheapest way across, and there is one caller"
)]
pub fn step(
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
    let Some(mut recorder) = RECORDER.try_lock() else {
        return 0.0;
    };
    if kind == ROOM {
        return recorder
            .room(a as usize)
            .map_or(0, |room| room.as_ptr() as usize) as f64;
    }
    recorder.step(kind, now, a, b, c, d, e, f, g, h)
}
