//! What travels: batches up from a page ([`batch`]), answers down to it ([`answer`]), and the
//! live messages that dashboards and programs subscribe to ([`live`]).
//!
//! Owns the bytes: encoding, decoding, versions and every named limit ([`limits`]). Knows nothing
//! of sockets, clocks, files or browsers, and needs no standard library, so the same code runs in
//! a page and in the collector.

#![no_std]

extern crate alloc;

pub mod answer;
pub mod batch;
mod bounded;
pub mod envelope;
mod gesture;
pub mod id;
mod interest;
pub mod limits;
pub mod live;
mod pointer;
mod trouble;

pub use answer::{Answer, Refusal};
pub use batch::{Batch, Body, Event};
pub use envelope::{WireError, decode, encode, set_sent_at};
pub use id::{ElementId, SessionId, StreamId, ViewId, VisitorId};
