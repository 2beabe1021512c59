//! The collector's alerts on simulated campaigns, and the control beside them.

mod hourly;
mod simulate;

pub use hourly::Hourly;
pub use simulate::{Broken, Known, Sort, Watched, watch};
pub use upriver_collector::alert::detector::{
    AGES, Alarm, Detector, EXPECTED_MIN, Expects, Rate, STARTS_MAX, TICK_MS,
};
