//! The one place that asks the system for the time. Everything pure is told it.

use std::time::UNIX_EPOCH;

/// Unix time, milliseconds; 0 if the clock stands before 1970.
pub(crate) fn now_ms() -> u64 {
    let since = UNIX_EPOCH.elapsed().unwrap_or_default();
    let now_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    #[cfg(feature = "planted-faults")]
    let now_ms = now_ms.saturating_add_signed(crate::planted::clock_offset_ms());
    now_ms
}
