//! The answer of `experiments`. Every interval and verdict in it holds at every moment at once, so
//! it may be watched. Knows no arithmetic.

use super::{Basis, Money};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// `experiments`: which variant does better, and what of that is proven.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Experiments {
    /// What the numbers mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// One row an experiment. In a delta: those that changed.
    pub rows: Vec<ExperimentRow>,
}

/// One experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExperimentRow {
    /// Its name. The key of the row.
    pub experiment: String,
    /// Start of the first day with a counted visitor, Unix milliseconds.
    pub since_ms: u64,
    /// Visitors of all variants.
    pub visitors: u64,
    /// Of those, the ones who were shown another variant later.
    pub conflicting: u64,
    /// Evidence that visitors are not assigned with the planned shares. Of sound assignments one
    /// in E ever shows evidence E or more.
    pub shares_evidence: f64,
    /// Whether that evidence is below 100.
    pub shares_sound: bool,
    /// Whether all of the experiment is counted: false when it began before the counted days.
    pub whole: bool,
    /// The planned variants as planned, the control first; then those seen and not planned. Without
    /// a plan all that were seen, by name. Complete in a delta too.
    pub variants: Vec<VariantRow>,
}

/// One variant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VariantRow {
    /// Its name.
    pub variant: String,
    /// Share of the visitors it is planned to have, 0 to 1; 0 when it is not planned.
    pub share: f64,
    /// Visitors who were shown it first.
    pub visitors: u64,
    /// Of those, the ones who converted after.
    pub converted: u64,
    /// Their conversions after.
    pub conversions: u64,
    /// The value of these.
    pub value: Vec<Money>,
    /// `converted / visitors`; 0 without visitors.
    pub rate: f64,
    /// Lower end of the rate's interval, 95 % at every moment at once.
    pub rate_low: f64,
    /// Upper end of it.
    pub rate_high: f64,
    /// How it does beside the control; none for the control and for what is not planned.
    pub comparison: Option<VariantComparison>,
}

/// A variant beside the control.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VariantComparison {
    /// Rate over that of the control, less 1; 0 where the control has none.
    pub lift: f64,
    /// Lower end of the lift's interval.
    pub lift_low: f64,
    /// Upper end of it; none when nothing is known upwards.
    pub lift_high: Option<f64>,
    /// Rate less that of the control.
    pub difference: f64,
    /// Lower end of the difference's interval.
    pub difference_low: f64,
    /// Upper end of it.
    pub difference_high: f64,
    /// Evidence that it makes a difference, at most 10¹². Where it makes none, one experiment in E
    /// ever shows evidence E or more.
    pub evidence: f64,
    /// What is proven.
    pub verdict: Verdict,
}

/// What is proven of a variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing yet.
    #[default]
    Open,
    /// More of its visitors convert than of the control's.
    Better,
    /// Fewer do.
    Worse,
    /// Nothing can be: visitors are not assigned with the planned shares.
    Unsound,
    /// Nothing can be: the experiment began before the counted days.
    TooOld,
}
