//! What integration tests share: a real collector with its real ClickHouse in a folder of its own,
//! and batches to send to it.
//!
//! Owns processes and their end. Knows nothing of what a test is about.

mod batches;
mod collector;

pub use batches::Page;
pub use collector::{Collector, SITE, Sent, WRITE_KEY, eventually};
