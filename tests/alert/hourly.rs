//! What many dashboards do: an hour whose rate lies two standard deviations below the mean of the
//! hours before is an alarm. The control beside the detector.

/// Hours that are remembered: two weeks.
const HOURS: usize = 336;
/// Hours before the first alarm.
const HOURS_MIN: usize = 24;

/// Watches the rate of each hour.
#[derive(Clone, Debug, Default)]
pub struct Hourly {
    hours: std::collections::VecDeque<f64>,
    low: bool,
}

impl Hourly {
    /// An hour ended, in which so many arrived and so many went on. True when an alarm begins; one
    /// that lasts is not told again.
    pub fn end_hour(&mut self, arrived: u64, went_on: u64) -> bool {
        if arrived == 0 {
            return false;
        }
        let rate = went_on as f64 / arrived as f64;
        let n = self.hours.len() as f64;
        let mean = self.hours.iter().sum::<f64>() / n;
        let variance = self
            .hours
            .iter()
            .map(|one| (one - mean).powi(2))
            .sum::<f64>()
            / (n - 1.0);
        let was = self.low;
        self.low = self.hours.len() >= HOURS_MIN && rate < mean - 2.0 * variance.sqrt();
        self.hours.push_back(rate);
        if self.hours.len() > HOURS {
            self.hours.pop_front();
        }
        self.low && !was
    }
}
