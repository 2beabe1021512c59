//! Faults planted on purpose, so that the crash harness can be seen to catch them. Compiled only
//! with the feature `planted-faults`, which nothing but the harness asks for.
//!
//! Owns which fault this process has, and how far its clock is off. Knows nothing of how it is caught.

// What is optimised is meant to be run by somebody: it cannot have this.
#[cfg(not(debug_assertions))]
compile_error!("the feature `planted-faults` is for debug builds of the crash harness alone");

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// Names the fault: `no-fsync`, `no-dedup` or `ack-before-write`.
const VARIABLE: &str = "UPRIVER_PLANTED_FAULT";

/// Names a file that says by how many milliseconds the clock of this process is ahead; it may change.
const CLOCK_VARIABLE: &str = "UPRIVER_CLOCK_OFFSET_FILE";

/// How long an acknowledgement runs ahead of its write.
pub(crate) const ACK_LEAD: Duration = Duration::from_millis(25);

/// A promise that is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// What is written to the log is not synced.
    NoFsync,
    /// What was taken is taken again.
    NoDedup,
    /// The answer is sent before the log has the batch.
    AckBeforeWrite,
}

/// Whether this process has that fault.
pub(crate) fn has(fault: Fault) -> bool {
    static PLANTED: OnceLock<Option<Fault>> = OnceLock::new();
    let planted = PLANTED.get_or_init(|| {
        let planted = match std::env::var(VARIABLE).ok()?.as_str() {
            "no-fsync" => Fault::NoFsync,
            "no-dedup" => Fault::NoDedup,
            "ack-before-write" => Fault::AckBeforeWrite,
            _ => return None,
        };
        tracing::error!(
            ?planted,
            "a fault is planted: this process breaks a promise"
        );
        Some(planted)
    });
    *planted == Some(fault)
}

/// By how much this process's clock is ahead, ms. Read anew each time, so that it jumps when the file
/// does; 0 without a file, or when that says nothing.
pub(crate) fn clock_offset_ms() -> i64 {
    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let file = FILE.get_or_init(|| std::env::var_os(CLOCK_VARIABLE).map(PathBuf::from));
    let text = file.as_ref().map(std::fs::read_to_string);
    let offset = text.and_then(|text| text.ok()?.trim().parse().ok());
    offset.unwrap_or(0)
}
