//! All that is watched of one site: each step of its funnels, its pages, and the alerts that come of
//! it. Pure; what ClickHouse said goes in, in order.

use super::detector::TICK_MS;
use super::query::{self, Transition};
use super::step::{Came, Lost, Step};
use super::traffic::{HOUR_MS, Odd, Traffic, Unusual};
use crate::config;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use upriver_wire::live::{AlertKind, AlertRow};

/// False alarms are to be at most one in so many hours, of each campaign and of the site.
const HOURS_PER_ALARM: f64 = 30.0 * 24.0;
/// Campaigns watched at one step, and at all steps of all funnels together; of others nothing is told.
const CAMPAIGNS_MAX: usize = 200;
const GROUPS_MAX: usize = 2_000;
/// Alerts kept; the oldest that are over go first.
pub(super) const ROWS_MAX: usize = 100;

/// Who came and who went on, of one campaign and tick: a row of [`Transition::ticks`].
#[derive(Debug, Deserialize)]
pub(super) struct TickRow {
    pub(super) campaign: String,
    pub(super) arrived: u64,
    /// 0: they did not.
    pub(super) went_on: u64,
    pub(super) visitors: u64,
}

/// Views of a page in an hour: a row of [`query::hours`].
#[derive(Debug, Deserialize)]
pub(super) struct HourRow {
    pub(super) page: String,
    pub(super) hour: u64,
    pub(super) views: u64,
}

/// One site.
#[derive(Debug)]
pub(super) struct SiteWatch {
    pub(super) site: String,
    steps: Vec<(Transition, Step)>,
    pages: BTreeMap<String, Traffic>,
    rows: BTreeMap<String, AlertRow>,
}

impl SiteWatch {
    pub(super) fn new(site: &config::Site) -> Self {
        let transitions = site.funnels.iter().flat_map(Transition::of);
        Self {
            site: site.id.clone(),
            steps: steps(transitions.collect()),
            pages: BTreeMap::new(),
            rows: BTreeMap::new(),
        }
    }

    /// The same, knowing nothing yet.
    pub(super) fn anew(&self) -> Self {
        Self {
            site: self.site.clone(),
            steps: steps(self.transitions().cloned().collect()),
            pages: BTreeMap::new(),
            rows: BTreeMap::new(),
        }
    }

    pub(super) fn transitions(&self) -> impl Iterator<Item = &Transition> {
        self.steps.iter().map(|(transition, _)| transition)
    }

    /// Steps and pages of which enough is known.
    pub(super) fn watched(&self, hour: u64) -> usize {
        let steps: usize = self.steps.iter().map(|(_, step)| step.watched()).sum();
        let pages = self.pages.values();
        steps + pages.filter(|page| page.expected(hour).is_some()).count()
    }

    /// The pages that are watched.
    pub(super) fn pages(&self) -> Vec<String> {
        let pages = self.pages.keys().filter(|page| !page.is_empty());
        pages.cloned().collect()
    }

    pub(super) fn rows(&self) -> Vec<AlertRow> {
        self.rows.values().cloned().collect()
    }

    /// Lets a step's ticks of a time pass, from `from` to before `until`.
    pub(super) fn pass_ticks(&mut self, at: usize, rows: Vec<TickRow>, from: u64, until: u64) {
        let enough = HOURS_PER_ALARM * self.steps.len() as f64;
        let mut by_tick: HashMap<u64, BTreeMap<String, Vec<Came>>> = HashMap::new();
        for row in rows {
            let mut add = |tick: u64, came| {
                if (from..until).contains(&tick) {
                    let campaigns = by_tick.entry(tick).or_default();
                    campaigns
                        .entry(row.campaign.clone())
                        .or_default()
                        .push(came);
                }
            };
            add(row.arrived, Came::Arrived(row.visitors));
            if row.went_on > 0 {
                let after = row.went_on.saturating_sub(row.arrived);
                add(row.went_on, Came::WentOn(after, row.visitors));
            }
        }
        for tick in from..until {
            let came = by_tick.remove(&tick).unwrap_or_default();
            let came: Vec<_> = came
                .into_iter()
                .flat_map(|(campaign, came)| {
                    came.into_iter().map(move |one| (campaign.clone(), one))
                })
                .collect();
            let Some((_, step)) = self.steps.get_mut(at) else {
                return;
            };
            for (campaign, lost) in step.end_tick(tick, &came, enough) {
                self.lost(at, campaign, &lost, tick);
            }
        }
    }

    fn lost(&mut self, at: usize, campaign: Option<String>, lost: &Lost, tick: u64) {
        let Some((transition, _)) = self.steps.get(at) else {
            return;
        };
        let since_ms = lost.since * TICK_MS;
        let until_ms = (tick + 1) * TICK_MS;
        let sql = transition.numbers(&self.site, campaign.as_deref(), since_ms, until_ms);
        let (from, to) = &transition.names;
        let (kind, title) = match &campaign {
            None => (
                AlertKind::StepBroke,
                format!(
                    "{}: visitors no longer get from {from} to {to} as they did",
                    transition.funnel_name
                ),
            ),
            Some(campaign) => (
                AlertKind::CampaignNotConverting,
                format!("Campaign {campaign} is not converting: too few get from {from} to {to}"),
            ),
        };
        self.put(AlertRow {
            id: String::new(),
            kind,
            title,
            open: lost.closed.is_none(),
            funnel: transition.funnel.clone(),
            step: from.clone(),
            next: to.clone(),
            campaign: campaign.unwrap_or_default(),
            page: String::new(),
            since_ms,
            opened_ms: (lost.opened + 1) * TICK_MS,
            closed_ms: lost.closed.map_or(0, |closed| (closed + 1) * TICK_MS),
            arrived: lost.arrived,
            expected: rounded(lost.expected),
            seen: lost.seen,
            evidence_hours: rounded(lost.evidence),
            sql,
        });
    }

    /// Lets the hours of a time pass, from `from` to before `until`.
    pub(super) fn pass_hours(&mut self, rows: Vec<HourRow>, from: u64, until: u64) {
        let mut views: HashMap<(String, u64), u64> = HashMap::new();
        for HourRow {
            page,
            hour,
            views: count,
        } in rows
        {
            *views.entry((String::new(), hour)).or_default() += count;
            if page.is_empty() {
                continue;
            }
            let room = self.pages.len() <= query::PAGES_MAX;
            if room || self.pages.contains_key(&page) {
                self.pages.entry(page.clone()).or_default();
                *views.entry((page, hour)).or_default() += count;
            }
        }
        self.pages.entry(String::new()).or_default();
        // Each page may vanish and spike.
        let enough = HOURS_PER_ALARM * 2.0 * (query::PAGES_MAX + 1) as f64;
        let names: Vec<String> = self.pages.keys().cloned().collect();
        for hour in from..until {
            let site_was_odd = self.site_is_odd();
            for page in &names {
                let count = views.get(&(page.clone(), hour)).copied().unwrap_or(0);
                let Some(traffic) = self.pages.get_mut(page) else {
                    continue;
                };
                let Some(odd) = traffic.end_hour(hour, count, enough) else {
                    continue;
                };
                // What is true of the whole site is told once, not for each page. The site is first.
                let begins = odd.opened == hour && odd.closed.is_none();
                let known = self
                    .rows
                    .contains_key(&id(&self.site, &self.odd_row(page, &odd, hour)));
                if page.is_empty() || known || (begins && !site_was_odd && !self.site_is_odd()) {
                    let row = self.odd_row(page, &odd, hour);
                    self.put(row);
                }
            }
        }
    }

    fn site_is_odd(&self) -> bool {
        self.pages.get("").is_some_and(Traffic::is_odd)
    }

    fn odd_row(&self, page: &str, odd: &Odd, hour: u64) -> AlertRow {
        let (since_ms, until_ms) = (odd.since * HOUR_MS, (hour + 1) * HOUR_MS);
        let what = if page.is_empty() { "the site" } else { page };
        let (kind, title) = match odd.what {
            Unusual::Vanished => (
                AlertKind::TrafficVanished,
                format!("Hardly anybody views {what} any more"),
            ),
            Unusual::Spiked => (
                AlertKind::TrafficSpiked,
                format!("Many times as many as usual view {what}"),
            ),
        };
        AlertRow {
            kind,
            title,
            open: odd.closed.is_none(),
            page: page.to_owned(),
            since_ms,
            opened_ms: (odd.opened + 1) * HOUR_MS,
            closed_ms: odd.closed.map_or(0, |closed| (closed + 1) * HOUR_MS),
            expected: rounded(odd.expected),
            seen: odd.seen,
            evidence_hours: rounded(odd.evidence),
            sql: query::views(&self.site, page, since_ms, until_ms),
            ..AlertRow::default()
        }
    }

    fn put(&mut self, mut row: AlertRow) {
        row.id = id(&self.site, &row);
        self.rows.insert(row.id.clone(), row);
        while self.rows.len() > ROWS_MAX {
            let oldest = self
                .rows
                .values()
                .min_by_key(|row| (row.open, row.opened_ms));
            let Some(oldest) = oldest.map(|row| row.id.clone()) else {
                return;
            };
            self.rows.remove(&oldest);
        }
    }
}

/// Each with its share of the groups that may be watched.
fn steps(transitions: Vec<Transition>) -> Vec<(Transition, Step)> {
    let campaigns = GROUPS_MAX / transitions.len().max(1);
    let step = |one| (one, Step::new(campaigns.min(CAMPAIGNS_MAX)));
    transitions.into_iter().map(step).collect()
}

/// Tenths are as fine as anybody reads it, and the same after a restart.
fn rounded(number: f64) -> f64 {
    (number.min(1e12) * 10.0).round() / 10.0
}

/// The same for the same alert whenever it is computed again.
fn id(site: &str, row: &AlertRow) -> String {
    let parts = format!(
        "{site}\0{:?}\0{}\0{}\0{}\0{}\0{}\0{}",
        row.kind, row.funnel, row.step, row.next, row.campaign, row.page, row.opened_ms
    );
    let hash = Sha256::digest(parts.as_bytes());
    format!("alert_{}", hex::encode(hash.get(..8).unwrap_or_default()))
}
