//! What can be asked for, what the answer is, and what changed between two answers.

use super::board::{self, By};
use super::filter::{Filter, pages_of};
use super::funnel::{FunnelCounts, Stayed};
use super::heatmap::HeatKind;
use super::site::SiteState;
use super::window::Window;
use super::{
    activity, campaign, experiment, fault, heatmap, overview, page, presence, release, source,
};
use serde::Serialize;
use upriver_wire::live::{
    Activity, Alerts, Basis, Board, Campaigns, Errors, Experiments, Extent, Funnel, FunnelLink,
    FunnelVisitors, HeatMap, Overview, Pages, Presence, PresentVisitors, Releases, Sources,
};

/// What a subscriber or reader asks a site for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Query {
    /// The whole site in a few numbers.
    Overview,
    /// A heat map of a page, or of several.
    HeatMap(HeatKind, Filter),
    /// The elements of a page, or of several.
    Board(Filter, By),
    /// The funnel with this id, of the visitors whose first step has the filter's campaign, device,
    /// variant and traffic.
    Funnel(String, Filter),
    /// Of the same, those who stopped at a step, counted from 1.
    FunnelVisitors(String, Filter, usize, Stayed),
    /// All campaigns.
    Campaigns,
    /// All experiments.
    Experiments,
    /// Errors of the page's scripts.
    Errors,
    /// Where visits come from.
    Sources,
    /// Before and after each release, over windows of at most so many minutes: of those that went out in
    /// a stretch of time, or whose windows lie in the live range.
    Releases(u16, Option<Window>),
    /// Who is here.
    Presence,
    /// All pages.
    Pages,
    /// Each of who is here.
    Present,
    /// What happens, of what is wanted, with or without the beginnings of visitors' ids.
    Activity(activity::ActivityFilter, Naming),
    /// What is wrong.
    Alerts,
}

/// Whether an answer names visitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Naming {
    /// It does.
    Named,
    /// It must not: for who has not the right.
    Unnamed,
}

/// A resource as it is at one moment, without its basis.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)] // each is the message of the same name
pub enum Resource {
    Overview(Overview),
    HeatMap(HeatMap),
    Board(Board),
    Funnel(Funnel),
    FunnelVisitors(FunnelVisitors),
    Campaigns(Campaigns),
    Experiments(Experiments),
    Sources(Sources),
    Errors(Errors),
    Releases(Releases),
    Presence(Presence),
    PresentVisitors(PresentVisitors),
    Pages(Pages),
    Activity(Activity),
    Alerts(Alerts),
}

/// How a resource differs from what it was.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, for the moment of publishing"
)]
pub(crate) enum Change {
    None,
    Delta(Resource),
    /// A row is gone, which a delta cannot say.
    Snapshot,
}

impl SiteState {
    /// How often the answer to a query may have changed; none if there is no such funnel.
    pub(crate) fn revision(&self, query: &Query) -> Option<u64> {
        let revisions = &self.revisions;
        Some(match query {
            Query::Overview => revisions.overview,
            Query::HeatMap(kind, _) => revisions.heat[*kind as usize],
            Query::Board(..) => revisions.board,
            Query::Funnel(id, _) => revisions.funnels[self.funnel(id)?],
            Query::FunnelVisitors(id, ..) => {
                self.funnel(id)?;
                revisions.funnel_visitors
            }
            Query::Campaigns => revisions.campaigns,
            Query::Experiments => revisions.experiments,
            Query::Sources => revisions.sources,
            Query::Errors => revisions.errors,
            Query::Releases(..) => revisions.releases,
            Query::Presence => revisions.presence,
            Query::Pages => revisions.pages,
            Query::Present => revisions.present,
            Query::Activity(..) => revisions.activity,
            Query::Alerts => revisions.alerts,
        })
    }

    /// The answer to a query; none if there is no such funnel. The second value counts sums that
    /// do not fit into the message.
    pub(crate) fn resource(&self, query: &Query) -> Option<(Resource, usize)> {
        let data = match query {
            Query::Overview => {
                let (data, too_large) = self.totals.data(&self.currencies);
                return Some((Resource::Overview(data), too_large));
            }
            Query::Campaigns => {
                let (rows, too_large) = self.campaigns.rows(self.now_ms, &self.currencies);
                let campaigns = Campaigns {
                    basis: None,
                    rows,
                    funnels: self.funnel_links(),
                };
                return Some((Resource::Campaigns(campaigns), too_large));
            }
            Query::Experiments => {
                let (rows, too_large) = self.experiments.rows(&self.currencies);
                return Some((
                    Resource::Experiments(Experiments { basis: None, rows }),
                    too_large,
                ));
            }
            Query::Sources => {
                let (rows, too_large) = source::rows(self);
                return Some((Resource::Sources(Sources { basis: None, rows }), too_large));
            }
            Query::Releases(minutes, _) => {
                let (data, too_large) = release::data(self, *minutes);
                return Some((Resource::Releases(data), too_large));
            }
            Query::HeatMap(kind, filter) => {
                let pages = pages_of(&filter.page, &self.pages);
                let (origins, elements) = (&self.origins, &self.elements);
                let heat = &self.heat;
                Resource::HeatMap(heat.data(*kind, &pages, filter, origins, elements, self.now_ms))
            }
            Query::Board(filter, by) => Resource::Board(board::data(self, filter, *by)),
            Query::Funnel(id, filter) => {
                Resource::Funnel(self.funnels[self.funnel(id)?].data(filter, self.known()))
            }
            Query::FunnelVisitors(id, filter, step, state) => {
                let at = self.funnel(id)?;
                let (asked, visitors) = ((filter, *step, *state), self.visitors.iter());
                let stayed = self.funnels[at].stayed(asked, at, visitors, self.known());
                Resource::FunnelVisitors(stayed)
            }
            Query::Presence => Resource::Presence(self.presence.data(&self.pages, &self.origins)),
            Query::Pages => Resource::Pages(Pages {
                basis: None,
                rows: self.pages.rows(),
            }),
            Query::Errors => Resource::Errors(fault::data(self)),
            Query::Present => Resource::PresentVisitors(presence::visitors(self)),
            Query::Activity(wanted, naming) => {
                let items = self.feed.items(wanted, *naming, &self.elements);
                Resource::Activity(Activity { basis: None, items })
            }
            Query::Alerts => Resource::Alerts(Alerts {
                basis: None,
                ..self.alerts.clone()
            }),
        };
        Some((data, 0))
    }

    /// Whether every event of the range is in the numbers of a query.
    pub(crate) fn nothing_left_out(&self, query: &Query) -> bool {
        match query {
            Query::Funnel(id, _) | Query::FunnelVisitors(id, ..) => {
                let whole = self.funnel(id).is_some_and(|at| {
                    self.funnels[at].not_kept() == 0 && self.funnels[at].is_whole()
                });
                whole && self.every_funnel_row_kept() && self.totals.every_visitor_kept()
            }
            Query::Experiments => self.experiments.nothing_left_out(),
            Query::Sources => self.totals.every_visitor_kept() && self.sources.every_one_kept(),
            Query::Releases(..) => {
                self.totals.every_visitor_kept()
                    && self.minutes.every_one_kept()
                    && self.releases.usage().1 == 0
            }
            Query::HeatMap(..) => self.holds(query),
            Query::Board(..) => {
                self.holds(query) && self.marks.every_one_kept() && self.totals.every_visitor_kept()
            }
            Query::Errors => {
                let whole = |funnel: &FunnelCounts| funnel.not_kept() == 0 && funnel.is_whole();
                let mut funnels = self.funnels.iter().filter(|funnel| !funnel.is_free());
                funnels.all(whole)
                    && self.every_funnel_row_kept()
                    && self.faults.every_one_kept()
                    && self.totals.every_visitor_kept()
            }
            Query::Activity(..) => true,
            Query::Present => self.totals.every_visitor_kept() && self.minutes.every_one_kept(),
            Query::Alerts => self.alerts.watched_until_ms > 0,
            _ => self.totals.every_visitor_kept(),
        }
    }

    /// What the numbers of a query mean. `complete` is the caller's to say.
    pub(crate) fn basis(&self, query: &Query, complete: bool) -> Basis {
        let (site, from_ms) = (self.id.as_str(), self.range.start_ms());
        let (definition, sql) = match query {
            Query::Overview => (overview::DEFINITION.into(), overview::query(site, from_ms)),
            Query::HeatMap(kind, filter) => (
                heatmap::definition(*kind, filter),
                heatmap::query(*kind, filter, site, self.now_ms),
            ),
            Query::Board(filter, by) => (
                board::definition(filter, *by),
                board::query(filter, *by, site, self.now_ms),
            ),
            Query::Funnel(id, filter) => self.funnel(id).map_or_else(Default::default, |at| {
                let funnel = &self.funnels[at];
                let sql = funnel.sql(filter, site, from_ms, self.now_ms);
                (funnel.definition(filter), sql)
            }),
            Query::FunnelVisitors(id, filter, step, state) => {
                self.funnel(id).map_or_else(Default::default, |at| {
                    let (funnel, asked) = (&self.funnels[at], (filter, *step, *state));
                    let sql = funnel.stayed_sql(asked, site, (from_ms, self.now_ms));
                    (funnel.definition(filter), sql)
                })
            }
            Query::Campaigns => (
                campaign::DEFINITION.into(),
                campaign::query(site, from_ms, self.now_ms),
            ),
            Query::Experiments => (
                experiment::DEFINITION.into(),
                experiment::query(site, self.experiments.start_ms()),
            ),
            Query::Errors => (fault::definition(), fault::query(self)),
            Query::Sources => (source::definition(), source::query(site, from_ms)),
            Query::Releases(minutes, went_out) => {
                let (defined, asked) = (self.releases.defined(), (*minutes, *went_out));
                let sql = release::query(site, defined, asked, (from_ms, self.now_ms));
                (release::definition(*minutes, *went_out), sql)
            }
            Query::Presence => (
                presence::DEFINITION.into(),
                presence::query(site, self.now_ms),
            ),
            Query::Pages => (page::DEFINITION.into(), page::query(site, from_ms)),
            Query::Present => (
                presence::visitors_definition(),
                presence::visitors_query(site, from_ms, self.now_ms),
            ),
            Query::Activity(wanted, _) => (
                activity::definition(wanted),
                activity::query(wanted, site, from_ms),
            ),
            Query::Alerts => {
                let basis = self.alerts.basis.clone().unwrap_or_default();
                (basis.definition, basis.sql)
            }
        };
        Basis {
            definition,
            sql,
            from_ms: self.start_ms(query),
            complete,
        }
    }

    /// The moment from which on a query counts, Unix milliseconds.
    pub(crate) fn start_ms(&self, query: &Query) -> u64 {
        match query {
            Query::Presence | Query::Present => {
                self.now_ms.saturating_sub(super::limits::PRESENCE_MS)
            }
            Query::Experiments => self.experiments.start_ms(),
            Query::Alerts => self.alerts.basis.as_ref().map_or(0, |basis| basis.from_ms),
            Query::HeatMap(_, filter) | Query::Board(filter, _) => {
                filter.window.start_ms(self.now_ms)
            }
            _ => self.range.start_ms(),
        }
    }

    /// Whether memory holds what a query counts. What it does not hold is answered by SQL.
    pub(crate) fn holds(&self, query: &Query) -> bool {
        match query {
            Query::HeatMap(_, filter) => {
                filter.seen.is_none() && filter.window.is_in_minutes(self.now_ms)
            }
            Query::Board(filter, _) => {
                filter.seen.is_none() && filter.window.is_in_hours(self.now_ms)
            }
            Query::Releases(_, went_out) => went_out.is_none(),
            _ => true,
        }
    }

    fn every_funnel_row_kept(&self) -> bool {
        self.funnel_rows_not_kept.values().next().is_none()
    }

    /// Where the funnels of a campaign are.
    fn funnel_links(&self) -> Vec<FunnelLink> {
        let funnels = self.funnels.iter().filter(|funnel| !funnel.is_free());
        let mut links: Vec<_> = funnels.map(FunnelCounts::link).collect();
        links.sort_by(|a, b| a.id.cmp(&b.id));
        links
    }

    fn funnel(&self, id: &str) -> Option<usize> {
        let there = |funnel: &FunnelCounts| funnel.id == id && !funnel.is_free();
        self.funnels.iter().position(there)
    }
}

impl Resource {
    /// Adds what the numbers mean.
    pub(crate) fn with_basis(mut self, basis: Basis) -> Self {
        let place = match &mut self {
            Self::Overview(data) => &mut data.basis,
            Self::HeatMap(data) => &mut data.basis,
            Self::Board(data) => &mut data.basis,
            Self::Funnel(data) => &mut data.basis,
            Self::FunnelVisitors(data) => &mut data.basis,
            Self::Campaigns(data) => &mut data.basis,
            Self::Experiments(data) => &mut data.basis,
            Self::Sources(data) => &mut data.basis,
            Self::Errors(data) => &mut data.basis,
            Self::Releases(data) => &mut data.basis,
            Self::Presence(data) => &mut data.basis,
            Self::PresentVisitors(data) => &mut data.basis,
            Self::Pages(data) => &mut data.basis,
            Self::Activity(data) => &mut data.basis,
            Self::Alerts(data) => &mut data.basis,
        };
        *place = Some(basis);
        self
    }

    /// What is different from an earlier answer to the same query.
    pub(crate) fn since(&self, before: &Self) -> Change {
        if self == before {
            return Change::None;
        }
        self.delta(before).map_or(Change::Snapshot, Change::Delta)
    }

    /// The delta from an earlier answer; none when rows are gone.
    fn delta(&self, before: &Self) -> Option<Self> {
        Some(match (self, before) {
            (Self::Overview(now), Self::Overview(before)) => Self::Overview(Overview {
                value: changed(&now.value, &before.value, |row| row.currency.clone())?,
                ..now.clone()
            }),
            (Self::HeatMap(now), Self::HeatMap(before)) => Self::HeatMap(HeatMap {
                elements: changed(&now.elements, &before.elements, |row| row.element)?,
                basis: None,
                total: now.total,
                page: now.page.clone(),
                kind: now.kind.clone(),
                unit: now.unit.clone(),
                over: now.over.clone(),
                ..*now
            }),
            (Self::Board(now), Self::Board(before)) => Self::Board(Board {
                rows: changed(&now.rows, &before.rows, |row| row.element)?,
                basis: None,
                page: now.page.clone(),
                by: now.by.clone(),
                left_out: now.left_out,
            }),
            (Self::Funnel(now), Self::Funnel(before)) => Self::Funnel(Funnel {
                groups: changed(&now.groups, &before.groups, |row| {
                    (row.dimension.clone(), row.value.clone())
                })?,
                basis: None,
                id: now.id.clone(),
                name: now.name.clone(),
                window_ms: now.window_ms,
                steps: now.steps.clone(),
                median_ms: now.median_ms,
                took: now.took.clone(),
            }),
            (Self::FunnelVisitors(now), Self::FunnelVisitors(before)) => {
                Self::FunnelVisitors(FunnelVisitors {
                    rows: changed(&now.rows, &before.rows, |row| row.visitor.clone())?,
                    basis: None,
                    id: now.id.clone(),
                    step: now.step,
                    state: now.state.clone(),
                    left_out: now.left_out,
                })
            }
            (Self::Campaigns(now), Self::Campaigns(before)) => {
                let key = |row: &upriver_wire::live::CampaignRow| {
                    (row.source.clone(), row.medium.clone(), row.campaign.clone())
                };
                // A row's list of values is replaced whole, so a currency may leave it.
                let rows = changed(&now.rows, &before.rows, key)?;
                Self::Campaigns(Campaigns {
                    basis: None,
                    rows,
                    funnels: now.funnels.clone(),
                })
            }
            (Self::Experiments(now), Self::Experiments(before)) => {
                let rows = changed(&now.rows, &before.rows, |row| row.experiment.clone())?;
                Self::Experiments(Experiments { basis: None, rows })
            }
            (Self::Sources(now), Self::Sources(before)) => {
                let key = |row: &upriver_wire::live::SourceRow| {
                    (row.source.clone(), row.medium.clone(), row.referrer.clone())
                };
                let rows = changed(&now.rows, &before.rows, key)?;
                Self::Sources(Sources { basis: None, rows })
            }
            (Self::Releases(now), Self::Releases(before)) => Self::Releases(Releases {
                rows: changed(&now.rows, &before.rows, |row| {
                    (row.name.clone(), row.id.clone())
                })?,
                basis: None,
                ..*now
            }),
            (Self::Pages(now), Self::Pages(before)) => {
                let rows = changed(&now.rows, &before.rows, |row| row.path.clone())?;
                Self::Pages(Pages { basis: None, rows })
            }
            (Self::Activity(now), Self::Activity(before)) => {
                // Items leave a feed by themselves: only what is newer than the newest travels.
                let newest = before.items.iter().map(|item| item.id).max().unwrap_or(0);
                let newer = now.items.iter().filter(|item| item.id > newest);
                let items: Vec<_> = newer.cloned().collect();
                if items.is_empty() {
                    return None;
                }
                Self::Activity(Activity { basis: None, items })
            }
            (Self::Errors(now), Self::Errors(before)) => {
                let key = |row: &upriver_wire::live::ErrorRow| {
                    (row.message.clone(), row.source.clone(), row.line)
                };
                Self::Errors(Errors {
                    rows: changed(&now.rows, &before.rows, key)?,
                    basis: None,
                    left_out: now.left_out,
                })
            }
            (Self::PresentVisitors(now), Self::PresentVisitors(before)) => {
                Self::PresentVisitors(PresentVisitors {
                    rows: changed(&now.rows, &before.rows, |row| row.visitor.clone())?,
                    basis: None,
                    left_out: now.left_out,
                })
            }
            (Self::Alerts(now), Self::Alerts(before)) => Self::Alerts(Alerts {
                rows: changed(&now.rows, &before.rows, |row| row.id.clone())?,
                basis: None,
                ..*now
            }),
            (Self::Presence(_), Self::Presence(_)) => self.clone(),
            _ => return None,
        })
    }
}

/// Rows that are new or different; none when a row is gone.
fn changed<R: Clone + PartialEq, K: std::hash::Hash + Eq>(
    now: &[R],
    before: &[R],
    key: impl Fn(&R) -> K,
) -> Option<Vec<R>> {
    let mut known: hashbrown::HashMap<K, &R> = before.iter().map(|row| (key(row), row)).collect();
    let mut rows = Vec::new();
    for row in now {
        if known.remove(&key(row)) != Some(row) {
            rows.push(row.clone());
        }
    }
    known.is_empty().then_some(rows)
}

/// A message, as it travels.
#[derive(Serialize)]
pub(crate) struct Message<'a> {
    pub(crate) seq: u64,
    pub(crate) cursor: &'a str,
    #[serde(rename = "type")]
    pub(crate) extent: Extent,
    pub(crate) data: &'a Resource,
}
