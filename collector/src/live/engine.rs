//! The state machine: rows and time go in, numbers come out.
//!
//! No clock, no socket, no task: time is an argument. Rows may come in any order and any batches;
//! the numbers are those of the set of rows.

use super::limits::Bounds;
use super::resource::{Query, Resource};
use super::site::SiteState;
use super::usage::Usage;
use crate::config::{Experiment, Funnel, Release, Site};
use crate::row::{ElementRow, EventRow};
use hashbrown::HashMap;
use upriver_wire::live::{Alerts, Basis};

/// How far receipt may be ahead of the time that passed before it is the clock that has jumped: time
/// passes every [`super::limits::TICK_MS`], and now and then late.
const JUMP_MS: u64 = 1_000;

/// The live state of all sites.
#[derive(Debug)]
pub struct Engine {
    config: Vec<Site>,
    bounds: Bounds,
    places: HashMap<String, usize>,
    sites: Vec<SiteState>,
    history_complete: bool,
    /// The time it has come to, Unix ms.
    now_ms: u64,
    unknown_site: u64,
}

impl Engine {
    /// Of sites, at a time in Unix milliseconds, without any history.
    pub fn new(sites: &[Site], bounds: Bounds, now_ms: u64) -> Self {
        let places = sites
            .iter()
            .enumerate()
            .map(|(at, site)| (site.id.clone(), at))
            .collect();
        let config = sites.to_vec();
        let sites = sites
            .iter()
            .map(|site| SiteState::new(site, bounds, now_ms))
            .collect();
        Self {
            config,
            bounds,
            places,
            sites,
            history_complete: false,
            now_ms,
            unknown_site: 0,
        }
    }

    /// The same sites with the funnels they have now, at a time in Unix milliseconds, without any history.
    pub(crate) fn emptied(&self, now_ms: u64) -> Self {
        let mut emptied = Self::new(&self.config, self.bounds, now_ms);
        let sites = self.sites.iter().zip(&self.config);
        emptied.sites = sites
            .map(|(site, config)| site.emptied(config, now_ms))
            .collect();
        emptied
    }

    /// Goes on with the versions of another engine of the same sites, in whose place it is: whatever
    /// is answered from here on may be something else, and is newer.
    pub(crate) fn continue_after(&mut self, before: &Self) {
        for (site, before) in self.sites.iter_mut().zip(&before.sites) {
            site.continue_after(before);
        }
    }

    /// Counts events, each given exactly once.
    pub fn apply(&mut self, rows: &[EventRow]) {
        let mut last = None;
        for (at, row) in rows.iter().enumerate() {
            if let Some(site) = place(&self.places, &self.sites, &mut last, &row.site) {
                self.sites[site].count(row);
                self.sites[site].offer(row, at);
            } else {
                self.unknown_site += 1;
            }
        }
        for site in &mut self.sites {
            site.settle();
            site.feed.take(rows);
        }
    }

    /// Takes descriptors of elements; the newest of each counts.
    pub fn describe(&mut self, rows: &[ElementRow]) {
        let mut last = None;
        for row in rows {
            if let Some(site) = place(&self.places, &self.sites, &mut last, &row.site) {
                self.sites[site].describe(row);
            }
        }
    }

    /// Lets time pass to the receipt of the newest of these events, where that is further on:
    /// the clock has jumped ahead since time last passed, and maybe back again, or it had before a
    /// restart. Events that were received lie in the range for as long as they did then.
    pub(crate) fn catch_up(&mut self, rows: &[EventRow]) {
        let newest = rows.iter().map(|row| row.received_at).max();
        let newest_ms = newest.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0);
        if newest_ms > self.now_ms + JUMP_MS {
            self.advance(newest_ms);
        }
    }

    /// Lets time pass, to a time in Unix milliseconds. An earlier time changes nothing.
    pub fn advance(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        for site in &mut self.sites {
            site.advance(now_ms);
        }
    }

    /// Takes the alerts of a site.
    pub(crate) fn alerts(&mut self, site: &str, alerts: Alerts) {
        if let Some(at) = self.places.get(site) {
            self.sites[*at].alerts = alerts;
            self.sites[*at].revisions.alerts += 1;
        }
    }

    /// Says that every event of the range from before the start has been applied.
    pub fn history_complete(&mut self) {
        self.history_complete = true;
        for site in &mut self.sites {
            site.feed.renumber();
            site.revisions.all();
        }
    }

    /// Defines a funnel of a site anew, or without one removes it; false for an unknown site.
    pub fn define(
        &mut self,
        site: &str,
        id: &str,
        funnel: Option<&Funnel>,
        generation: u64,
    ) -> bool {
        let Some(at) = self.places.get(site) else {
            return false;
        };
        self.sites[*at].define(id, funnel, generation);
        true
    }

    /// Defines a release of a site anew, or without one removes it.
    pub fn define_release(&mut self, site: &str, id: &str, release: Option<Release>) {
        if let Some(at) = self.places.get(site) {
            self.sites[*at].releases.define(id, release);
            self.sites[*at].revisions.releases += 1;
        }
    }

    /// Plans an experiment of a site anew, or without one takes its plan away.
    pub fn plan(&mut self, site: &str, id: &str, plan: Option<Experiment>) {
        if let Some(at) = self.places.get(site) {
            self.sites[*at].experiments.plan(id, plan);
            self.sites[*at].revisions.experiments += 1;
        }
    }

    /// Takes site, name and first moment (Unix milliseconds) of releases that events carry, from
    /// before what is applied. Each as often as need be.
    pub fn releases_seen(&mut self, seen: &[(String, String, u64)]) {
        for (site, name, time_ms) in seen {
            if let Some(at) = self.places.get(site) {
                let site = &mut self.sites[*at];
                let earlier = site.releases.see_named(name, *time_ms);
                site.revisions.releases += u64::from(earlier);
            }
        }
    }

    /// Gives the funnel that was defined with this generation events from before, in any order, as
    /// often as need be; `last`: these were all.
    pub fn recount(&mut self, site: &str, generation: u64, rows: &[EventRow], last: bool) {
        let Some(at) = self.places.get(site) else {
            return;
        };
        let site = &mut self.sites[*at];
        site.recount(generation, rows);
        site.settle();
        if last {
            site.recounted(generation);
        }
    }

    /// The answer to a query with what it means; none for an unknown site or funnel.
    pub fn answer(&self, site: &str, query: &Query) -> Option<Resource> {
        let (data, complete) = self.data(site, query)?;
        Some(data.with_basis(self.basis(site, query, complete)?))
    }

    /// The answer to a query, and whether it is complete.
    pub(crate) fn data(&self, site: &str, query: &Query) -> Option<(Resource, bool)> {
        let site = self.site(site)?;
        let (data, too_large) = site.resource(query)?;
        let complete = self.history_complete && too_large == 0 && site.nothing_left_out(query);
        Some((data, complete))
    }

    pub(crate) fn basis(&self, site: &str, query: &Query, complete: bool) -> Option<Basis> {
        Some(self.site(site)?.basis(query, complete))
    }

    /// How often the answer to a query may have changed; none for an unknown site or funnel.
    pub(crate) fn revision(&self, site: &str, query: &Query) -> Option<u64> {
        self.site(site)?.revision(query)
    }

    /// A site, if there is one of this id.
    pub(crate) fn site(&self, id: &str) -> Option<&SiteState> {
        self.places.get(id).map(|at| &self.sites[*at])
    }

    /// Tells the metrics how full every bounded map is, and what did not fit.
    pub(crate) fn report(&self) {
        let gauge = |name: &'static str, site: &SiteState, map: &'static str, value: f64| {
            metrics::gauge!(name, "site" => site.id.clone(), "map" => map).set(value);
        };
        for site in &self.sites {
            for Usage {
                map,
                used,
                limit,
                past,
            } in site.usage()
            {
                gauge("upriver_live_map_entries", site, map, used as f64);
                gauge("upriver_live_map_limit", site, map, limit as f64);
                gauge("upriver_live_map_overflows", site, map, past as f64);
            }
            metrics::gauge!("upriver_live_out_of_range_events", "site" => site.id.clone())
                .set(site.out_of_range as f64);
        }
        metrics::gauge!("upriver_live_unknown_site_events").set(self.unknown_site as f64);
    }
}

/// The place of a site. Neighbouring rows are mostly of the same one.
fn place(
    places: &HashMap<String, usize>,
    sites: &[SiteState],
    last: &mut Option<usize>,
    id: &str,
) -> Option<usize> {
    match *last {
        Some(at) if sites[at].id == id => Some(at),
        _ => {
            *last = places.get(id).copied();
            *last
        }
    }
}
