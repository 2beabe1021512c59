//! Alerts: what a site should be told of before anyone looks.
//!
//! `detector`, `step` and `traffic` are arithmetic over ticks and hours; `site` puts them together for
//! one site; `told` remembers what was said; `query` is what is asked of ClickHouse, which is also the
//! definition; `watcher` is the one task that asks, at the end of each tick, and says. All state is
//! made of what ClickHouse holds, so a restart has nothing to lose: it is computed again. What was
//! told is remembered apart, so that nothing is told twice.

pub mod detector;
mod query;
mod site;
mod step;
mod told;
mod traffic;
mod watcher;

pub use told::{Told, ToldError};
pub use watcher::{Options, watch};
