//! Who of a funnel's visitors stopped at a step, or converted.

use super::{FunnelCounts, Known};
use crate::live::filter::{Filter, Wanted};
use crate::live::limits::VISITOR_ROWS_MAX;
use crate::live::names::NONE;
use crate::live::visitor::Visitor;
use std::cmp::Reverse;
use upriver_wire::live::{FunnelVisitor, FunnelVisitors};
use uuid::Uuid;

/// What became of a visitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stayed {
    /// Got no further, and no longer can.
    #[default]
    Lost,
    /// Got no further, but still may.
    Open,
    /// Reached the last step.
    Converted,
}

impl Stayed {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Lost, Self::Open, Self::Converted];

    /// As it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Open => "open",
            Self::Converted => "converted",
        }
    }
}

impl FunnelCounts {
    /// The level of the visitors asked for: who converted is at the last step, whatever was said.
    pub(super) fn level_of(&self, step: usize, state: Stayed) -> usize {
        match state {
            Stayed::Converted => self.shape.steps,
            _ => step,
        }
    }

    /// The visitors at a step, counted from 1, whose first step a filter wants; those who got there
    /// last first, and at most [`VISITOR_ROWS_MAX`].
    pub(crate) fn stayed<'a>(
        &self,
        (filter, step, state): (&Filter, usize, Stayed),
        at: usize,
        visitors: impl Iterator<Item = &'a Visitor>,
        known: Known<'_>,
    ) -> FunnelVisitors {
        let wanted = Wanted::new(filter, known.origins);
        let step = self.level_of(step, state);
        let mut rows = Vec::new();
        for visitor in visitors {
            let mut own = visitor.funnels.iter();
            let Some(own) = own.find(|own| usize::from(own.funnel) == at) else {
                continue;
            };
            let (Some(counted), Some(times_ms)) = (own.counted, own.chain.times_ms()) else {
                continue;
            };
            let stayed = match (usize::from(counted.level) == self.shape.steps, counted.open) {
                (true, _) => Stayed::Converted,
                (false, true) => Stayed::Open,
                (false, false) => Stayed::Lost,
            };
            if usize::from(counted.level) == step && stayed == state {
                rows.push((
                    Reverse(times_ms.1),
                    visitor.id.as_u128(),
                    times_ms.0,
                    counted.entry,
                ));
            }
        }
        rows.retain(|row| {
            let entry = known.entries.get(row.3);
            wanted.holds(known.origins.get(entry.origin), 0, entry.robot)
        });
        rows.sort_unstable();
        let left_out = rows.len().saturating_sub(VISITOR_ROWS_MAX) as u64;
        rows.truncate(VISITOR_ROWS_MAX);
        let named = |name: &str| if name.is_empty() { NONE } else { name }.to_owned();
        let rows = rows.into_iter().map(|(reached, id, began_ms, entry)| {
            let entry = known.entries.get(entry);
            let origin = known.origins.get(entry.origin);
            FunnelVisitor {
                visitor: Uuid::from_u128(id).to_string(),
                began_ms,
                reached_ms: reached.0,
                campaign: named(known.origins.campaigns.name(origin.campaign)),
                source: named(known.entries.sources.name(entry.source)),
                device: origin.device.into(),
                page: named(known.pages.paths.name(entry.page)),
            }
        });
        FunnelVisitors {
            basis: None,
            id: self.id.clone(),
            step: step as u64,
            state: state.name().into(),
            rows: rows.collect(),
            left_out,
        }
    }
}
