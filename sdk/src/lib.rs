//! The browser SDK.
//!
//! The pure part ([`recorder`] and what it is made of) takes input with its time and gives
//! commands; it knows neither clock nor socket nor document, and plain `cargo test` drives it. The
//! shell (`browser`, only on wasm) is the one place that names `web_sys`. This file owns what the
//! hand-written TypeScript in `npm/` may call, and nothing else.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use alloc::string::String;

pub mod answer;
pub mod catalogue;
pub mod element;
pub mod gesture;
pub mod queue;
pub mod recorder;
pub mod retry;
pub mod scroll;
pub mod uplink;
pub mod visit;
mod weight;

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod exports;

/// Cuts a text to at most so many bytes, between letters.
pub fn clip(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
    }
}
