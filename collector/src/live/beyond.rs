//! What memory does not hold: the SQL beside a number, and its rows made the same answer as memory
//! gives. Runs nothing.

use super::filter::Filter;
use super::heatmap::{self, HeatKind};
use super::resource::{Query, Resource};
use crate::row::ElementRow;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use upriver_wire::live::Basis;

/// A query to be answered by SQL.
#[derive(Clone, Debug)]
pub struct Beyond {
    basis: Basis,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    HeatMap(HeatKind, Filter),
}

impl Query {
    /// How SQL answers this for a site, at a time in Unix milliseconds; none where memory always
    /// does.
    pub fn beyond(&self, site: &str, now_ms: u64) -> Option<Beyond> {
        let Self::HeatMap(kind, filter) = self else {
            return None;
        };
        Some(Beyond {
            basis: Basis {
                definition: heatmap::definition(*kind, filter),
                sql: heatmap::query(*kind, filter, site, now_ms),
                from_ms: filter.window.start_ms(now_ms),
                complete: true,
            },
            shape: Shape::HeatMap(*kind, filter.clone()),
        })
    }
}

impl Beyond {
    /// The query to run.
    pub fn sql(&self) -> &str {
        &self.basis.sql
    }

    /// The answer from its rows, one JSON object each, and what is known of the elements in them.
    pub fn answer(&self, rows: &[Value], known: &HashMap<u64, ElementRow>) -> Resource {
        let Shape::HeatMap(kind, filter) = &self.shape;
        let mut found: BTreeMap<u64, BTreeMap<u16, u64>> = BTreeMap::new();
        for row in rows {
            let cell = row["cell"].as_u64().and_then(|cell| cell.try_into().ok());
            if let (Some(element), Some(cell), Some(amount)) =
                (crate::past::element(row), cell, row["amount"].as_u64())
            {
                found.entry(element).or_default().insert(cell, amount);
            }
        }
        let data = heatmap::message(*kind, filter, found, |element| {
            let known = known.get(&element)?;
            Some([&known.selector, &known.label, &known.role].map(Clone::clone))
        });
        Resource::HeatMap(data).with_basis(self.basis.clone())
    }
}
