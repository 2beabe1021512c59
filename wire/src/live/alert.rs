//! The answer of `alerts`: what a site should look at, with the evidence. Knows no arithmetic.

use super::Basis;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// `alerts`: what is wrong now, and what was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// What the numbers mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Everything that happened before was looked at, Unix milliseconds; 0: nothing was yet.
    pub watched_until_ms: u64,
    /// Steps of campaigns, and pages, of which enough is known to tell that something is wrong.
    pub watched: u32,
    /// One row an alert, open ones first, then the newest. In a delta: those that changed.
    pub rows: Vec<AlertRow>,
}

/// What is wrong.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Too few of all visitors get from one step of a funnel to the next.
    #[default]
    StepBroke,
    /// Too few of a campaign's visitors do.
    CampaignNotConverting,
    /// A page, or the site, is hardly viewed any more.
    TrafficVanished,
    /// A page, or the site, is viewed many times as often as ever at this hour.
    TrafficSpiked,
}

/// One alert.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertRow {
    /// Its id. The key of the row.
    pub id: String,
    /// What is wrong.
    pub kind: AlertKind,
    /// The same in a sentence.
    pub title: String,
    /// Whether it still is.
    pub open: bool,
    /// Funnel, of a step.
    pub funnel: String,
    /// The step that is reached, of a step.
    pub step: String,
    /// The step that is not.
    pub next: String,
    /// Campaign, of a campaign's step.
    pub campaign: String,
    /// Path, of a page's traffic; empty: the whole site's.
    pub page: String,
    /// When it most likely began, Unix milliseconds.
    pub since_ms: u64,
    /// When there was evidence enough.
    pub opened_ms: u64,
    /// When it was over; 0 while it is open.
    pub closed_ms: u64,
    /// Who came to the step since it began; 0 of traffic.
    pub arrived: u64,
    /// Who should have gone on, or views that should have been.
    pub expected: f64,
    /// Who did, or views that were.
    pub seen: u64,
    /// Hours one would wait on average for this much evidence if nothing was wrong.
    pub evidence_hours: f64,
    /// The query that gives `arrived` and `seen`.
    pub sql: String,
}
