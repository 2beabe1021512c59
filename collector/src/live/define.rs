//! Funnels that come, change and go while the engine runs.
//!
//! Owns which place a funnel has, and that each event is counted in it once although it is met twice:
//! as it comes, and when the past is read again for the new funnel. Knows nothing of where the past is
//! read from.

use super::funnel::FunnelCounts;
use super::site::SiteState;
use crate::config::Funnel;
use crate::row::EventRow;
use hashbrown::HashSet;

/// A funnel whose past is being read.
#[derive(Debug)]
pub(crate) struct Defining {
    at: usize,
    /// Which definition it is for.
    generation: u64,
    /// Stream and number of each event that it has counted.
    met: HashSet<(u128, u64)>,
    full: bool,
}

impl SiteState {
    /// Defines a funnel anew, or without one removes it. It counts what comes from now on; what was
    /// before must be given by [`SiteState::recount`] with this generation.
    pub(crate) fn define(&mut self, id: &str, funnel: Option<&Funnel>, generation: u64) {
        let at = self.funnels.iter().position(|known| known.id == id);
        let free = || self.funnels.iter().position(FunnelCounts::is_free);
        let at = match (at, funnel) {
            (Some(at), _) => at,
            (None, None) => return,
            (None, Some(_)) => free().unwrap_or(self.funnels.len()),
        };
        self.defining.retain(|defining| defining.at != at);
        self.empty(at);
        let counts = funnel.map_or_else(FunnelCounts::free, |funnel| {
            FunnelCounts::without_past(funnel)
        });
        // Versions only grow, also those of a funnel that comes back in another place.
        let revision = self
            .revisions
            .funnels
            .iter()
            .max()
            .map_or(0, |most| most + 1);
        if at == self.funnels.len() {
            self.funnels.push(counts);
            self.revisions.funnels.push(revision);
        } else {
            self.funnels[at] = counts;
            self.revisions.funnels[at] = revision;
        }
        // Campaigns tell where the funnels of each are.
        self.revisions.campaigns += 1;
        self.revisions.errors += 1;
        if funnel.is_some() {
            self.defining.push(Defining {
                at,
                generation,
                met: HashSet::new(),
                full: false,
            });
        }
    }

    /// Takes everybody out of a funnel.
    fn empty(&mut self, at: usize) {
        let Some(funnel) = self.funnels.get_mut(at) else {
            return;
        };
        self.stale.retain(|(_, funnel)| usize::from(*funnel) != at);
        self.funnels_changed = true;
        for place in 0..self.visitors.places() {
            let funnels = &mut self.visitors.at(place).funnels;
            let kept = &mut self.funnel_rows;
            for own in funnels
                .iter_mut()
                .filter(|own| usize::from(own.funnel) == at)
            {
                let (entries, origins) = (&mut self.entries, &mut self.origins);
                let pages = &mut self.pages;
                funnel.forget(own, u64::MAX, |entry| {
                    *kept -= 1;
                    entries.release(entry, origins, pages);
                });
            }
            funnels.retain(|own| usize::from(own.funnel) != at);
        }
    }

    /// Gives a funnel events of its past; those that it has counted already change nothing. `settle`
    /// must follow.
    pub(crate) fn recount(&mut self, generation: u64, rows: &[EventRow]) {
        let Some(at) = self.defining_at(generation) else {
            return;
        };
        for row in rows {
            if self.range.hour_of(row.time).is_some()
                && let Some(place) = self.visitors.place(row.visitor)
            {
                self.count_steps_of(at, row, place);
                self.visitors.free_if_gone(place);
            }
        }
    }

    /// All of a funnel's past was given.
    pub(crate) fn recounted(&mut self, generation: u64) {
        let Some(at) = self.defining_at(generation) else {
            return;
        };
        let full = self
            .defining
            .iter()
            .any(|defining| defining.at == at && defining.full);
        self.defining.retain(|defining| defining.at != at);
        if !full {
            self.funnels[at].past_is_whole();
        }
        self.revisions.funnels[at] += 1;
        self.revisions.errors += 1;
        self.funnels_changed = true;
    }

    fn defining_at(&self, generation: u64) -> Option<usize> {
        let found = self
            .defining
            .iter()
            .find(|defining| defining.generation == generation);
        found.map(|defining| defining.at)
    }

    /// Events that are remembered, of all funnels whose past is being read.
    pub(crate) fn recount_events(&self) -> usize {
        self.defining
            .iter()
            .map(|defining| defining.met.len())
            .sum()
    }

    /// Whether a funnel counts this event now: not where it has already.
    pub(super) fn meets(&mut self, at: usize, row: &EventRow) -> bool {
        let Some(defining) = self.defining.iter_mut().find(|defining| defining.at == at) else {
            return true;
        };
        if defining.met.len() >= self.bounds.recount_events {
            self.recount_events_not_met += 1;
            defining.full = true;
            return false;
        }
        defining.met.insert((row.stream.as_u128(), row.seq))
    }
}
