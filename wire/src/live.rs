//! What the collector tells subscribers: one JSON shape per live resource.
//!
//! A subscriber gets a snapshot, then deltas. Every value in a delta is absolute (a new total, never
//! an increment), so applying one twice, or applying one that a snapshot already holds, is harmless.
//! A list in a delta holds only the rows that changed; rows are replaced by their key.

mod alert;
mod error;
mod experiment;
mod release;

pub use alert::{AlertKind, AlertRow, Alerts};
pub use error::{ErrorFunnel, ErrorRow, ErrorStep, Errors};
pub use experiment::{ExperimentRow, Experiments, VariantComparison, VariantRow, Verdict};
pub use release::{Difference, ReleaseRow, ReleaseSide, Releases, Share};

use crate::batch::{Campaign, Device};
use crate::id::ElementId;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One message on a subscription, and the answer to a plain `GET` (then always a snapshot).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update<T> {
    /// Version of the resource. Grows with every change; a gap means a message was skipped, and
    /// then a snapshot follows.
    pub seq: u64,
    /// Whether `data` is everything or only what changed.
    #[serde(rename = "type")]
    pub extent: Extent,
    /// The resource.
    pub data: T,
}

/// How much of a resource a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// All of it: forget what you had.
    Snapshot,
    /// What changed: replace rows by key, append where the resource is a feed.
    Delta,
}

/// What a number means, so that anyone can compute it again. Only in snapshots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// The definition in words.
    pub definition: String,
    /// The query that gives the same numbers over the raw rows.
    pub sql: String,
    /// Events from this time on are counted, Unix milliseconds.
    pub from_ms: u64,
    /// False while history is still being read after a restart: numbers are then too low.
    pub complete: bool,
}

/// `overview`: the whole site in a few numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// What the numbers mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Distinct visitors.
    pub visitors: u64,
    /// Page views.
    pub page_views: u64,
    /// Presses.
    pub presses: u64,
    /// Scroll gestures.
    pub scrolls: u64,
    /// Swipes.
    pub swipes: u64,
    /// The site's own events.
    pub customs: u64,
    /// Conversions.
    pub conversions: u64,
    /// Variants shown.
    pub exposures: u64,
    /// Fingers, pens or buttons held down.
    #[serde(default)]
    pub long_presses: u64,
    /// Two fingers moved apart or together.
    #[serde(default)]
    pub pinches: u64,
    /// Rests of a pointer over an element.
    #[serde(default)]
    pub hesitations: u64,
    /// Stretches of the way of a pointer.
    #[serde(default)]
    pub paths: u64,
    /// Reports of how long a page was looked at.
    #[serde(default)]
    pub attention_reports: u64,
    /// Elements seen.
    #[serde(default)]
    pub impressions: u64,
    /// Forms begun, submitted or given up, one each.
    #[serde(default)]
    pub form_steps: u64,
    /// Bursts of presses in one place.
    #[serde(default)]
    pub rages: u64,
    /// Presses without an effect.
    #[serde(default)]
    pub dead_presses: u64,
    /// Presses followed by an error.
    #[serde(default)]
    pub error_presses: u64,
    /// Pointers moved to and fro.
    #[serde(default)]
    pub thrashes: u64,
    /// Errors of the page's scripts.
    #[serde(default)]
    pub faults: u64,
    /// Times a page was hidden or shown again.
    #[serde(default)]
    pub visibility_changes: u64,
    /// Consents told.
    #[serde(default)]
    pub consents: u64,
    /// Times the site said who a visitor is.
    #[serde(default)]
    pub identities: u64,
    /// Value of the conversions.
    pub value: Vec<Money>,
}

/// A sum in one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// ISO 4217 code. The key of the row.
    pub currency: String,
    /// Millionths of the currency's unit.
    pub micros: i64,
}

/// `heatmap`: where on a page people did what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeatMap {
    /// What the numbers mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Path of the page, as it was asked for.
    pub page: String,
    /// What is shown, as it was asked for: `press`, `rage`, `move`, …
    pub kind: String,
    /// What the amounts are: `events` or `ms`.
    pub unit: String,
    /// What the cells lie over: `element` (the box of each), `window`, `document`, `bands` (of the
    /// document), `directions` or `nothing`.
    pub over: String,
    /// Columns of cells. The number of a cell is `row * columns + column`.
    pub columns: u16,
    /// Rows of cells.
    pub rows: u16,
    /// The amount in all elements.
    pub total: u64,
    /// One row an element. In a delta: those that changed.
    pub elements: Vec<HeatElement>,
}

/// One element of a heat map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeatElement {
    /// Its identity; 0 for the page itself. The key of the row.
    pub element: ElementId,
    /// A selector that finds it; empty until its descriptor has arrived.
    pub selector: String,
    /// Its masked label.
    pub label: String,
    /// Its role.
    pub role: String,
    /// The amount in all its cells.
    pub total: u64,
    /// `[cell, amount]`, cells of nothing left out.
    pub cells: Vec<(u16, u64)>,
}

/// `elements`: how often each element was seen, hesitated over and pressed, and by how many.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// What the numbers mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Path of the page, as it was asked for.
    pub page: String,
    /// By what visitors are compared, as it was asked for.
    pub by: String,
    /// Elements beyond those in `rows`.
    pub left_out: u64,
    /// One row an element, most visitors first. In a delta: those that changed.
    pub rows: Vec<BoardRow>,
}

/// One element of a board.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BoardRow {
    /// Its identity. The key of the row.
    pub element: ElementId,
    /// A selector that finds it; empty until its descriptor has arrived.
    pub selector: String,
    /// Its masked label.
    pub label: String,
    /// Its role.
    pub role: String,
    /// How it looked when it was last described.
    pub look: Option<Appearance>,
    /// Impressions of it.
    pub impressions: u64,
    /// Presses on it.
    pub presses: u64,
    /// Rests of a pointer over it.
    pub hesitations: u64,
    /// Bursts of angry presses on it.
    pub rages: u64,
    /// Presses on it without an effect.
    pub dead_presses: u64,
    /// Distinct visitors who saw it.
    pub seen: u64,
    /// Distinct visitors who pressed it.
    pub pressed: u64,
    /// Distinct visitors who saw it and pressed it.
    pub seen_pressed: u64,
    /// Distinct visitors who hesitated over it.
    pub hesitated: u64,
    /// Distinct visitors who hesitated over it and never pressed it.
    pub undecided: u64,
    /// `seen_pressed / seen`; 0 of nobody.
    pub rate: f64,
    /// Lower end of the rate's 95 % Wilson interval.
    pub rate_low: f64,
    /// Upper end of the rate's 95 % Wilson interval.
    pub rate_high: f64,
    /// Those who saw it, compared. Complete in a delta too.
    pub groups: Vec<BoardGroup>,
}

/// Visitors who saw an element in one way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BoardGroup {
    /// The variant, colour, shape, size or position.
    pub value: String,
    /// Distinct visitors who saw it so.
    pub seen: u64,
    /// Of those, the ones who pressed it.
    pub pressed: u64,
    /// Of those, the ones who hesitated over it.
    pub hesitated: u64,
    /// Of those, the ones who hesitated over it and never pressed it.
    pub undecided: u64,
    /// `pressed / seen`.
    pub rate: f64,
    /// Lower end of the rate's 95 % Wilson interval.
    pub rate_low: f64,
    /// Upper end of the rate's 95 % Wilson interval.
    pub rate_high: f64,
}

/// How an element looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appearance {
    /// Background, `#rrggbb`.
    pub colour: String,
    /// Width of its box, CSS pixels.
    pub width: u32,
    /// Height of its box, CSS pixels.
    pub height: u32,
    /// Left edge of its box in the document, CSS pixels.
    pub x: u32,
    /// Top edge of its box in the document, CSS pixels.
    pub y: u32,
    /// Corner radius, CSS pixels.
    pub radius: u16,
}

/// `funnel`: how many visitors got how far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Funnel {
    /// What the numbers mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Time from the first step within which the others must follow.
    pub window_ms: u64,
    /// One row a step, in order. Complete in a delta too.
    pub steps: Vec<FunnelStep>,
    /// Time from the first to the last step of the middle one of those who converted, the shortest
    /// of its bin of `took`.
    #[serde(default)]
    pub median_ms: Option<u64>,
    /// Times from the first to the last step, `[at_least_ms, visitors]`, ascending: milliseconds of
    /// which the two leading digits are kept. Complete in a delta too.
    #[serde(default)]
    pub took: Vec<(u64, u64)>,
    /// The same by campaign, device, page, source and variant. In a delta: those that changed.
    pub groups: Vec<FunnelGroup>,
}

/// `funnel/visitors`: who stopped at a step, or converted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FunnelVisitors {
    /// What the list means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Id of the funnel.
    pub id: String,
    /// The step they reached and no further, counted from 1.
    pub step: u64,
    /// `lost`, `open` or `converted`.
    pub state: String,
    /// One row a visitor, the last to get there first. In a delta: those that changed.
    pub rows: Vec<FunnelVisitor>,
    /// Visitors beyond those in `rows`.
    pub left_out: u64,
}

/// A visitor and how they came to a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FunnelVisitor {
    /// Their id. The key of the row.
    pub visitor: String,
    /// When they began, Unix milliseconds.
    pub began_ms: u64,
    /// When they reached the step, Unix milliseconds.
    pub reached_ms: u64,
    /// `utm_campaign` with which they began; `(none)` when empty, `(other)` past the bound.
    pub campaign: String,
    /// `utm_source` with which they began, named alike.
    pub source: String,
    /// The device with which they began.
    pub device: Device,
    /// Path of the page on which they began, named alike.
    pub page: String,
}

/// One step of a funnel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunnelStep {
    /// Its name.
    pub name: String,
    /// What it matches, in words.
    pub matches: String,
    /// Visitors who reached it.
    pub visitors: u64,
    /// Of those, the ones who got no further but still may: their window has not passed.
    pub open: u64,
    /// Of those, the ones who got no further and no longer can.
    pub lost: u64,
}

/// A funnel's numbers for one group of visitors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunnelGroup {
    /// `campaign`, `device`, `page`, `source` or `variant`. With `value` the key of the row.
    pub dimension: String,
    /// The name, or `experiment=variant`; `(none)` when empty, `(other)` past the bound.
    pub value: String,
    /// Visitors who reached each step.
    pub visitors: Vec<u64>,
}

/// `campaigns`: what each campaign brings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Campaigns {
    /// What the numbers mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// One row a source, medium and campaign. In a delta: those that changed.
    pub rows: Vec<CampaignRow>,
    /// The site's funnels and where those of one campaign are. Complete in a delta too.
    #[serde(default)]
    pub funnels: Vec<FunnelLink>,
}

/// Where the numbers of a funnel are, of one campaign only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunnelLink {
    /// Id of the funnel.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Address that the campaign's name, encoded, makes whole; `(none)` for visits without.
    pub url: String,
}

/// `sources`: where visits come from, and what they bring.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sources {
    /// What the numbers mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// One row a source, medium and referrer. In a delta: those that changed.
    pub rows: Vec<SourceRow>,
}

/// One source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceRow {
    /// `utm_source`; `(unknown)` of visits without a page view. Source, medium and referrer together
    /// are the key of the row.
    pub source: String,
    /// `utm_medium`.
    pub medium: String,
    /// Host the visit came from; empty when it came directly.
    pub referrer: String,
    /// Distinct visitors with such a visit.
    pub visitors: u64,
    /// Of those, the ones who pressed, scrolled, swiped or caused an event of the site's own in one.
    pub engaged: u64,
    /// Of those, the ones who converted in one.
    pub converted: u64,
    /// Conversions in such visits.
    pub conversions: u64,
    /// Their value.
    pub value: Vec<Money>,
    /// `converted / visitors`; 0 without visitors.
    pub rate: f64,
    /// Lower end of the rate's 95 % Wilson interval.
    pub rate_low: f64,
    /// Upper end of the rate's 95 % Wilson interval.
    pub rate_high: f64,
}

/// One campaign.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CampaignRow {
    /// `utm_source`. Source, medium and campaign together are the key of the row.
    pub source: String,
    /// `utm_medium`.
    pub medium: String,
    /// `utm_campaign`.
    pub campaign: String,
    /// Distinct visitors.
    pub visitors: u64,
    /// Of those, the ones who pressed, scrolled, swiped or caused an event of the site's own.
    pub engaged: u64,
    /// Of those, the ones who converted at least once.
    pub converted: u64,
    /// Conversions.
    pub conversions: u64,
    /// Their value.
    pub value: Vec<Money>,
    /// `converted / visitors`; 0 without visitors.
    pub rate: f64,
    /// Lower end of the rate's 95 % Wilson interval.
    pub rate_low: f64,
    /// Upper end of the rate's 95 % Wilson interval.
    pub rate_high: f64,
    /// Page views in each of the last 30 whole or begun minutes, oldest first.
    pub minutes: Vec<u32>,
}

/// `presence`: who is here now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    /// What the numbers mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Distinct visitors something was received from within the last five minutes.
    pub online: u64,
    /// The pages they are on. Complete in a delta too.
    pub pages: Vec<Count>,
    /// Their devices. Complete in a delta too.
    pub devices: Vec<Count>,
    /// The campaigns they came with. Complete in a delta too.
    pub campaigns: Vec<Count>,
}

/// `presence/visitors`: each of who is here now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PresentVisitors {
    /// What the list means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// One row a visitor, who was heard from last first. In a delta: those that changed.
    pub rows: Vec<PresentVisitor>,
    /// Visitors beyond those in `rows`.
    pub left_out: u64,
}

/// A visitor who is here now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PresentVisitor {
    /// Their id. The key of the row.
    pub visitor: String,
    /// Path of the page they are on; `(none)` when empty, `(other)` past the bound.
    pub page: String,
    /// `utm_campaign` they came with, named alike.
    pub campaign: String,
    /// Their device.
    pub device: Device,
    /// What they did last, as in the column `kind`; empty when nothing that is told.
    pub kind: String,
    /// The element it was about; 0 for none.
    pub element: ElementId,
    /// Its masked label.
    pub label: String,
    /// Since when they have been here: a whole minute, Unix milliseconds.
    pub since_ms: u64,
    /// When something was received of them last, Unix milliseconds.
    pub last_ms: u64,
}

/// A name and how many visitors it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The name; `(none)` when empty, `(other)` past the bound.
    pub name: String,
    /// Distinct visitors.
    pub visitors: u64,
}

/// `pages`: what is looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pages {
    /// What the numbers mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// One row a path. In a delta: those that changed.
    pub rows: Vec<PageRow>,
}

/// One page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRow {
    /// Its path. The key of the row.
    pub path: String,
    /// Page views.
    pub views: u64,
    /// Distinct visitors.
    pub visitors: u64,
    /// Presses on it.
    pub presses: u64,
}

/// `activity`: what is happening right now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// What the entries mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Newest last. A snapshot holds the newest 100; a delta those that came since.
    pub items: Vec<ActivityItem>,
}

/// One thing that happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ActivityItem {
    /// Counts up by one an item. The key of the row.
    pub id: u64,
    /// When, Unix milliseconds.
    pub time_ms: u64,
    /// The first 8 digits of the visitor's id; empty to who may not see ids.
    pub visitor: String,
    /// Its kind, as in the column `kind`.
    pub kind: String,
    /// The page's path.
    pub path: String,
    /// What it was about: the element's label, a direction, the event's name, an error's message.
    pub about: String,
    /// Value of a conversion.
    pub value: Option<Money>,
    /// The campaign the visit came with.
    pub campaign: Campaign,
    /// The device.
    pub device: Device,
    /// The element; 0 for none.
    #[serde(default)]
    pub element: ElementId,
}
