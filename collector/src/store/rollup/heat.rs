//! Presses by hour and cell: what a heat map over months needs.

use super::{HOUR_MS, day};
use crate::row::{Device, EventRow, Kind};
use clickhouse::Row;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Row of the table `heatmap`: presses in one cell of one element in one hour.
#[derive(Clone, Debug, Default, PartialEq, Row, Serialize, Deserialize)]
pub struct HeatRow {
    /// The site.
    pub site: String,
    /// Path of the page.
    pub path: String,
    /// Start of the hour the presses happened in, Unix seconds.
    pub hour: u32,
    /// The element.
    pub element: u64,
    /// The device.
    pub device: Device,
    /// Width bucket of the window.
    pub width_bucket: u16,
    /// The campaign.
    pub utm_campaign: String,
    /// Variants shown by then.
    pub variants: Vec<(String, String)>,
    /// Cell of the grid.
    pub cell: u8,
    /// Presses.
    pub presses: u64,
    /// Day of receipt, days since 1970.
    pub received_on: u16,
    /// The writer's lane.
    pub lane: u16,
    /// The batch.
    pub batch: u64,
}

/// Counts the presses of one batch. Rows come out in key order, so the same rows give the same
/// bytes.
pub fn heatmap(rows: &[EventRow]) -> Vec<HeatRow> {
    type Key<'a> = (
        &'a str,
        &'a str,
        i64,
        u64,
        Device,
        u16,
        &'a str,
        &'a [(String, String)],
        u8,
        u16,
    );
    let mut counts: BTreeMap<Key<'_>, (u64, u16, u64)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.kind == Kind::Press) {
        let key: Key<'_> = (
            &row.site,
            &row.path,
            row.time.div_euclid(HOUR_MS),
            row.element,
            row.device,
            row.width_bucket,
            &row.utm_campaign,
            &row.variants,
            row.cell,
            row.lane,
        );
        let entry = counts
            .entry(key)
            .or_insert((0, day(row.received_at), row.batch));
        entry.0 += 1;
    }
    counts
        .into_iter()
        .map(|(key, (presses, received_on, batch))| HeatRow {
            site: key.0.to_owned(),
            path: key.1.to_owned(),
            hour: u32::try_from(key.2 * (HOUR_MS / 1000)).unwrap_or(0),
            element: key.3,
            device: key.4,
            width_bucket: key.5,
            utm_campaign: key.6.to_owned(),
            variants: key.7.to_vec(),
            cell: key.8,
            presses,
            received_on,
            lane: key.9,
            batch,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presses_are_counted_by_cell_and_nothing_else_is() {
        let press = |cell, time| EventRow {
            kind: Kind::Press,
            cell,
            time,
            ..EventRow::default()
        };
        let other = EventRow {
            kind: Kind::Swipe,
            cell: 3,
            ..EventRow::default()
        };
        let rows = heatmap(&[
            press(3, 10),
            press(4, 20),
            other,
            press(3, 30),
            press(3, HOUR_MS),
        ]);
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (row.hour, row.cell, row.presses))
            .collect();
        assert_eq!(seen, vec![(0, 3, 2), (0, 4, 1), (3600, 3, 1)]);
    }
}
