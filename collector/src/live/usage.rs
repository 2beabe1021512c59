//! How full every bounded map of a site is, and what did not fit.
//!
//! The one list of all of them: a bound that is not here is not watched.

use super::site::SiteState;
use crate::row::Kind;

/// One bounded map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Its name in the metrics.
    pub(crate) map: &'static str,
    /// Entries it holds.
    pub(crate) used: usize,
    /// Entries it may hold.
    pub(crate) limit: usize,
    /// What was counted as `(other)`, or not at all, for want of room.
    pub(crate) past: u64,
}

impl SiteState {
    /// Every bounded map.
    pub(crate) fn usage(&self) -> Vec<Usage> {
        let bounds = &self.bounds;
        let (origins, entries, marks) = (&self.origins, &self.entries, &self.marks);
        let heat = self.heat.usage();
        let funnel_rows: u64 = self.funnels.iter().map(|funnel| funnel.not_kept()).sum();
        let told = Kind::ALL.len();
        let all: [(&'static str, usize, (usize, u64)); 26] = [
            (
                "visitors",
                bounds.visitors,
                (self.visitors.len(), self.totals.visitor_not_kept()),
            ),
            ("pages", bounds.pages, self.pages.usage()),
            ("campaigns", bounds.campaigns, self.campaigns.usage()),
            ("campaign_names", bounds.names, origins.campaigns.usage()),
            ("variant_names", bounds.names, origins.variants.usage()),
            ("source_names", bounds.names, entries.sources.usage()),
            ("origins", bounds.origins, origins.usage()),
            ("entries", bounds.entries, entries.usage()),
            ("currencies", bounds.currencies, self.currencies.usage()),
            ("heat_keys", bounds.heat_keys, heat),
            ("heat_cells", bounds.heat_cells, (self.heat.cells(), heat.1)),
            ("elements", bounds.elements, self.elements.usage()),
            ("marks", bounds.marks, marks.usage()),
            ("mark_subjects", bounds.subjects, marks.subjects_usage()),
            ("mark_styles", bounds.styles, marks.styles_usage()),
            (
                "funnel_rows",
                bounds.funnel_rows_of_site,
                (self.funnel_rows, funnel_rows + self.funnel_rows_overflowed),
            ),
            (
                "recount_events",
                bounds.recount_events * self.defining.len().max(1),
                (self.recount_events(), self.recount_events_not_met),
            ),
            (
                "visitor_minutes",
                bounds.visitor_minutes,
                self.minutes.usage(),
            ),
            ("releases", bounds.releases, self.releases.usage()),
            ("sources", bounds.sources, self.sources.keys_usage()),
            ("visit_hours", bounds.visit_hours, self.sources.usage()),
            ("errors", bounds.faults, self.faults.usage()),
            (
                "error_groups",
                bounds.fault_groups,
                self.faults.groups_usage(),
            ),
            ("activity", bounds.activity_kept * told, self.feed.usage()),
            (
                "experiment_variants",
                bounds.variants,
                self.experiments.variants_usage(),
            ),
            (
                "experiment_visitors",
                bounds.experiment_visitors,
                self.experiments.usage(),
            ),
        ];
        let usage = |(map, limit, (used, past))| Usage {
            map,
            used,
            limit,
            past,
        };
        all.into_iter().map(usage).collect()
    }
}
