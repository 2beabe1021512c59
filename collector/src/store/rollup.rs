//! Roll-ups, computed here from the same batch of rows that is inserted, never by ClickHouse
//! behind the scenes: what is counted once in the rows is counted once here.

mod heat;
mod minute;
mod session;

pub use heat::{HeatRow, heatmap};
pub use minute::{CampaignMinute, PageMinute, campaign_minutes, page_minutes};
pub use session::{SessionRow, sessions};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Day of receipt of a time, days since 1970.
pub fn day(received_at_ms: i64) -> u16 {
    u16::try_from(received_at_ms / DAY_MS).unwrap_or(u16::MAX)
}
