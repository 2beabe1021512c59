//! The browser SDK's core: what must be right, and nothing of the browser.
//!
//! The [`recorder`] and what it is made of take input with its time and give commands; they know
//! neither clock nor socket nor document, and plain `cargo test` drives them. The shell, which
//! listens, reads the page and moves bytes, is the hand-written TypeScript in `npm/`; between the
//! two there are numbers and bytes only (`exports`).

#![cfg_attr(target_arch = "wasm32", no_std)]

pub mod answer;
pub mod attention;
mod batch;
#[cfg(not(target_arch = "wasm32"))]
pub mod driver;
pub mod encode;
pub mod gesture;
pub mod hover;
pub mod interest;
pub mod kind;
mod lift;
pub mod list;
pub mod presses;
pub mod queue;
pub mod recorder;
pub mod retry;
pub mod room;
pub mod scroll;
pub mod shelf;
pub mod thrash;
pub mod uplink;
pub mod way;
pub mod words;

#[cfg(target_arch = "wasm32")]
pub mod exports;
