//! Visits: what a visitor did in one, as far as it can be added up over batches.

use super::day;
use crate::row::{Device, EventRow, Kind};
use clickhouse::Row;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Row of the table `sessions`: a visit as far as one batch knows it.
#[derive(Clone, Debug, Default, PartialEq, Row, Serialize, Deserialize)]
pub struct SessionRow {
    /// The site.
    pub site: String,
    /// Who.
    #[serde(with = "clickhouse::serde::uuid")]
    pub visitor: Uuid,
    /// The visit.
    pub session: u64,
    /// The device.
    pub device: Device,
    /// Time of its first event, Unix ms.
    pub began: i64,
    /// Time of its last event, Unix ms.
    pub ended: i64,
    /// Order and path of its first event.
    pub entry: (u64, String),
    /// Order and path of its last event.
    pub exit: (u64, String),
    /// Order, source, medium and campaign of its first event.
    pub campaign: (u64, String, String, String),
    /// Events.
    pub events: u64,
    /// Page views.
    pub page_views: u64,
    /// Presses.
    pub presses: u64,
    /// Conversions.
    pub conversions: u64,
    /// Day of receipt, days since 1970.
    pub received_on: u16,
    /// The writer's lane.
    pub lane: u16,
    /// The batch.
    pub batch: u64,
}

/// The visits of one batch, in key order.
pub fn sessions(rows: &[EventRow]) -> Vec<SessionRow> {
    let mut visits: BTreeMap<(&str, Uuid, u64, Device), SessionRow> = BTreeMap::new();
    for row in rows {
        let key = (row.site.as_str(), row.visitor, row.session, row.device);
        let visit = visits.entry(key).or_insert_with(|| begin(row));
        visit.began = visit.began.min(row.time);
        visit.ended = visit.ended.max(row.time);
        // As ClickHouse compares tuples: by order, and what is of the same order by its text.
        let here = (row.ord, row.path.as_str());
        if here < (visit.entry.0, visit.entry.1.as_str()) {
            visit.entry = (row.ord, row.path.clone());
        }
        if here > (visit.exit.0, visit.exit.1.as_str()) {
            visit.exit = (row.ord, row.path.clone());
        }
        let campaign = campaign(row);
        if campaign < visit.campaign {
            visit.campaign = campaign;
        }
        visit.events += 1;
        visit.page_views += u64::from(row.kind == Kind::PageView);
        visit.presses += u64::from(row.kind == Kind::Press);
        visit.conversions += u64::from(row.kind == Kind::Conversion);
    }
    visits.into_values().collect()
}

/// A visit with nothing counted yet.
fn begin(row: &EventRow) -> SessionRow {
    SessionRow {
        site: row.site.clone(),
        visitor: row.visitor,
        session: row.session,
        device: row.device,
        began: row.time,
        ended: row.time,
        entry: (row.ord, row.path.clone()),
        exit: (row.ord, row.path.clone()),
        campaign: campaign(row),
        received_on: day(row.received_at),
        lane: row.lane,
        batch: row.batch,
        ..SessionRow::default()
    }
}

fn campaign(row: &EventRow) -> (u64, String, String, String) {
    (
        row.ord,
        row.utm_source.clone(),
        row.utm_medium.clone(),
        row.utm_campaign.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_begins_and_ends_with_its_events_whatever_order_they_came_in() {
        let event = |ord, kind, path: &str| EventRow {
            ord,
            time: ord as i64,
            kind,
            path: path.into(),
            utm_campaign: path.trim_start_matches('/').into(),
            session: 7,
            ..EventRow::default()
        };
        let other = EventRow {
            session: 8,
            ..EventRow::default()
        };
        let rows = sessions(&[
            event(20, Kind::Press, "/b"),
            event(30, Kind::Conversion, "/c"),
            other,
            event(10, Kind::PageView, "/a"),
        ]);
        assert_eq!(rows.len(), 2);
        let visit = &rows[0];
        assert_eq!((visit.began, visit.ended), (10, 30));
        assert_eq!(
            (visit.entry.1.as_str(), visit.exit.1.as_str()),
            ("/a", "/c")
        );
        assert_eq!(visit.campaign.3, "a");
        assert_eq!((visit.events, visit.page_views), (3, 1));
        assert_eq!((visit.presses, visit.conversions), (1, 1));
        assert_eq!((rows[1].session, rows[1].events), (8, 1));
    }
}
