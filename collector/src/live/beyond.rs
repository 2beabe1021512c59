//! What memory does not hold: the SQL beside a number, and its rows made the same answer as memory
//! gives. Runs nothing.

use super::board::{self, By};
use super::element::Elements;
use super::filter::Filter;
use super::heatmap::{self, HeatKind};
use super::release;
use super::resource::{Query, Resource};
use super::window::MINUTE_MS;
use crate::config::Release;
use crate::row::ElementRow;
use serde_json::Value;
use std::collections::BTreeMap;
use upriver_wire::live::Basis;

/// A query to be answered by SQL.
#[derive(Clone, Debug)]
pub struct Beyond {
    basis: Basis,
    /// The same from a roll-up, where one holds it.
    rolled_up: Option<String>,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    HeatMap(HeatKind, Filter),
    Board(Filter, By),
    Releases(u16),
}

impl Query {
    /// How SQL answers this for a site with these releases defined, at a time in Unix milliseconds; none
    /// where memory always does.
    pub fn beyond(&self, site: &str, releases: &[Release], now_ms: u64) -> Option<Beyond> {
        let (definition, sql, rolled_up, from_ms, shape) = match self {
            Self::HeatMap(kind, filter) => (
                heatmap::definition(*kind, filter),
                heatmap::query(*kind, filter, site, now_ms),
                heatmap::rolled_up(*kind, filter, site),
                filter.window.start_ms(now_ms),
                Shape::HeatMap(*kind, filter.clone()),
            ),
            Self::Board(filter, by) => (
                board::definition(filter, *by),
                board::query(filter, *by, site, now_ms),
                None,
                filter.window.start_ms(now_ms),
                Shape::Board(filter.clone(), *by),
            ),
            Self::Releases(minutes, Some(window)) => {
                let from_ms = window.start_ms(now_ms);
                let asked = (*minutes, Some(*window));
                // Before a release that went out then.
                let first = (from_ms / MINUTE_MS).saturating_sub(u64::from(*minutes)) * MINUTE_MS;
                (
                    release::definition(*minutes, Some(*window)),
                    release::query(site, releases, asked, (from_ms, now_ms)),
                    None,
                    first,
                    Shape::Releases(*minutes),
                )
            }
            _ => return None,
        };
        let basis = Basis {
            definition,
            sql,
            from_ms,
            complete: true,
        };
        Some(Beyond {
            basis,
            rolled_up,
            shape,
        })
    }
}

impl Beyond {
    /// The query to run: that of the roll-up where one holds the numbers, else the one over the rows
    /// that stands beside them.
    pub fn sql(&self) -> &str {
        self.rolled_up.as_ref().unwrap_or(&self.basis.sql)
    }

    /// The answer from its rows, one JSON object each, and what is known of the elements in them.
    pub fn answer(&self, rows: &[Value], known: &[ElementRow]) -> Resource {
        let known = Elements::of(known);
        let mut basis = self.basis.clone();
        let data = match &self.shape {
            Shape::HeatMap(kind, filter) => heat_map(*kind, filter, rows, &known),
            Shape::Board(filter, by) => Resource::Board(board::of_rows(filter, *by, rows, &known)),
            Shape::Releases(minutes) => {
                let (data, too_large) = release::of_rows(*minutes, rows);
                basis.complete = too_large == 0;
                Resource::Releases(data)
            }
        };
        data.with_basis(basis)
    }
}

fn heat_map(kind: HeatKind, filter: &Filter, rows: &[Value], known: &Elements) -> Resource {
    let mut found: BTreeMap<u64, BTreeMap<u16, u64>> = BTreeMap::new();
    for row in rows {
        let cell = row["cell"].as_u64().and_then(|cell| cell.try_into().ok());
        if let (Some(element), Some(cell), Some(amount)) =
            (crate::past::element(row), cell, row["amount"].as_u64())
        {
            found.entry(element).or_default().insert(cell, amount);
        }
    }
    Resource::HeatMap(heatmap::message(kind, filter, found, known))
}
