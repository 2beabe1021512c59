//! The collector: takes batches from pages, makes them durable, counts them live and writes them
//! to ClickHouse.
//!
//! One direction: `api → ingest → {log, live, store} → wire`. `live` and `store` know neither HTTP
//! nor each other; the pure parts take time and bytes as arguments.

pub mod alert;
pub mod api;
mod clock;
pub mod config;
pub mod definitions;
mod erasure;
mod feed;
pub mod ingest;
pub mod live;
pub mod log;
pub mod past;
#[cfg(feature = "planted-faults")]
mod planted;
pub mod row;
mod run;
mod secret;
pub mod signals;
pub mod store;

pub use run::{ClickHouse, Options, run};
