//! `releases`: what visitors did before and after each version of the site went out.

use super::{Basis, Money};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// `releases`: each release, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Releases {
    /// What the numbers mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Longest window on each side, as it was asked for, milliseconds.
    pub window_ms: u64,
    /// One row a release. In a delta: those that changed.
    pub rows: Vec<ReleaseRow>,
    /// Releases beyond those in `rows`.
    pub left_out: u64,
}

/// One release.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReleaseRow {
    /// Its name, as events carry it. With `id` the key of the row.
    pub name: String,
    /// Id of its definition; empty when it is known from events alone.
    pub id: String,
    /// When it went out, Unix milliseconds.
    pub at_ms: u64,
    /// Length of each side, milliseconds; grows to the window that was asked for.
    pub span_ms: u64,
    /// Before it went out.
    pub before: ReleaseSide,
    /// After.
    pub after: ReleaseSide,
    /// By how much the share of visitors who converted rose; none with nobody on one side.
    pub converted: Option<Difference>,
    /// The same of those with a rage burst.
    pub raged: Option<Difference>,
    /// The same of those with a dead press.
    pub dead: Option<Difference>,
    /// The same of those with a press that was followed by an error.
    pub error_pressed: Option<Difference>,
    /// The same of those with a script error.
    pub faulted: Option<Difference>,
}

/// One side of a release.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReleaseSide {
    /// Its first moment, Unix milliseconds.
    pub from_ms: u64,
    /// The first moment after it, Unix milliseconds.
    pub to_ms: u64,
    /// Distinct visitors.
    pub visitors: u64,
    /// Conversions.
    pub conversions: u64,
    /// Their value.
    pub value: Vec<Money>,
    /// Rage bursts.
    pub rages: u64,
    /// Presses without an effect.
    pub dead_presses: u64,
    /// Presses followed by an error.
    pub error_presses: u64,
    /// Errors of the page's scripts.
    pub faults: u64,
    /// Visitors with a conversion.
    pub converted: Share,
    /// Visitors with a rage burst.
    pub raged: Share,
    /// Visitors with a dead press.
    pub dead: Share,
    /// Visitors with a press that was followed by an error.
    pub error_pressed: Share,
    /// Visitors with a script error.
    pub faulted: Share,
}

/// Some of the visitors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How many.
    pub visitors: u64,
    /// Their part of all; 0 of nobody.
    pub rate: f64,
    /// Lower end of the rate's 95 % Wilson interval.
    pub rate_low: f64,
    /// Upper end of the rate's 95 % Wilson interval.
    pub rate_high: f64,
}

/// By how much a share rose: −1 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// After − before.
    pub by: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
}
