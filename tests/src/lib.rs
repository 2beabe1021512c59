//! What integration tests share: a real collector with its real ClickHouse in a folder of its own,
//! and batches to send to it. And the oracle, which a test and a command of its own run.
//!
//! Owns processes and their end. Knows nothing of what a test is about.

#[path = "../alert/mod.rs"]
pub mod alert;
mod batches;
mod collector;
pub mod cookbook;
#[path = "../crash/mod.rs"]
pub mod crash;
pub mod experiments;
pub mod generated;
mod mmdb;
#[path = "../oracle/mod.rs"]
pub mod oracle;
mod visit;

use anyhow::Context;
pub use batches::Page;
pub use collector::{
    ADMIN_TOKEN, Collector, IMPORT_TOKEN, PRIVACY_TOKEN, READ_TOKEN, SIGNAL_TOKEN, SITE, Sent,
    WRITE_KEY, eventually,
};
pub use mmdb::mmdb;
pub use visit::{Thing, Visit};

/// The text of a page of the documentation.
///
/// # Errors
/// There is no such page.
pub fn document(name: &str) -> anyhow::Result<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}
