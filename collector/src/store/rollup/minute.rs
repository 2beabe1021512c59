//! Campaigns and pages by minute: sums that a chart over months is drawn from. Distinct visitors
//! cannot be added up, so they are not here.

use super::day;
use crate::row::{Device, EventRow, Kind};
use clickhouse::Row;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const MINUTE_MS: i64 = 60_000;

/// Row of the table `campaign_minutes`.
#[derive(Clone, Debug, Default, PartialEq, Row, Serialize, Deserialize)]
pub struct CampaignMinute {
    /// The site.
    pub site: String,
    /// Start of the minute the events happened in, Unix seconds.
    pub minute: u32,
    /// `utm_source`.
    pub utm_source: String,
    /// `utm_medium`.
    pub utm_medium: String,
    /// `utm_campaign`.
    pub utm_campaign: String,
    /// Currency of `value`; empty for events without one.
    pub currency: String,
    /// Events.
    pub events: u64,
    /// Page views.
    pub page_views: u64,
    /// Presses.
    pub presses: u64,
    /// Conversions.
    pub conversions: u64,
    /// Their value in millionths: `Decimal(38, 6)`.
    pub value: i128,
    /// Day of receipt, days since 1970.
    pub received_on: u16,
    /// The writer's lane.
    pub lane: u16,
    /// The batch.
    pub batch: u64,
}

/// Row of the table `page_minutes`.
#[derive(Clone, Debug, Default, PartialEq, Row, Serialize, Deserialize)]
pub struct PageMinute {
    /// The site.
    pub site: String,
    /// Path of the page.
    pub path: String,
    /// Start of the minute the events happened in, Unix seconds.
    pub minute: u32,
    /// The device.
    pub device: Device,
    /// Events.
    pub events: u64,
    /// Page views.
    pub page_views: u64,
    /// Presses.
    pub presses: u64,
    /// Conversions.
    pub conversions: u64,
    /// Bursts of presses in one place.
    pub rages: u64,
    /// Presses without an effect.
    pub dead_presses: u64,
    /// Errors of scripts.
    pub faults: u64,
    /// How long the page was visible.
    pub visible_ms: u64,
    /// How long it was visible and used.
    pub active_ms: u64,
    /// Day of receipt, days since 1970.
    pub received_on: u16,
    /// The writer's lane.
    pub lane: u16,
    /// The batch.
    pub batch: u64,
}

fn minute(row: &EventRow) -> u32 {
    u32::try_from(row.time.div_euclid(MINUTE_MS) * (MINUTE_MS / 1000)).unwrap_or(0)
}

fn is(row: &EventRow, kind: Kind) -> u64 {
    u64::from(row.kind == kind)
}

/// The campaigns of one batch, in key order.
pub fn campaign_minutes(rows: &[EventRow]) -> Vec<CampaignMinute> {
    type Key<'a> = (&'a str, u32, &'a str, &'a str, &'a str, &'a str);
    let mut sums: BTreeMap<Key<'_>, CampaignMinute> = BTreeMap::new();
    for row in rows {
        let key: Key<'_> = (
            &row.site,
            minute(row),
            &row.utm_source,
            &row.utm_medium,
            &row.utm_campaign,
            &row.currency,
        );
        let sum = sums.entry(key).or_insert_with(|| CampaignMinute {
            site: row.site.clone(),
            minute: minute(row),
            utm_source: row.utm_source.clone(),
            utm_medium: row.utm_medium.clone(),
            utm_campaign: row.utm_campaign.clone(),
            currency: row.currency.clone(),
            received_on: day(row.received_at),
            lane: row.lane,
            batch: row.batch,
            ..CampaignMinute::default()
        });
        sum.events += 1;
        sum.page_views += is(row, Kind::PageView);
        sum.presses += is(row, Kind::Press);
        sum.conversions += is(row, Kind::Conversion);
        sum.value += i128::from(row.value);
    }
    sums.into_values().collect()
}

/// The pages of one batch, in key order.
pub fn page_minutes(rows: &[EventRow]) -> Vec<PageMinute> {
    let mut sums: BTreeMap<(&str, &str, u32, Device), PageMinute> = BTreeMap::new();
    for row in rows {
        let key = (
            row.site.as_str(),
            row.path.as_str(),
            minute(row),
            row.device,
        );
        let sum = sums.entry(key).or_insert_with(|| PageMinute {
            site: row.site.clone(),
            path: row.path.clone(),
            minute: minute(row),
            device: row.device,
            received_on: day(row.received_at),
            lane: row.lane,
            batch: row.batch,
            ..PageMinute::default()
        });
        sum.events += 1;
        sum.page_views += is(row, Kind::PageView);
        sum.presses += is(row, Kind::Press);
        sum.conversions += is(row, Kind::Conversion);
        sum.rages += is(row, Kind::Rage);
        sum.dead_presses += is(row, Kind::Dead);
        sum.faults += is(row, Kind::Fault);
        sum.visible_ms += u64::from(row.visible_ms);
        sum.active_ms += u64::from(row.active_ms);
    }
    sums.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(time: i64, kind: Kind, value: i64, currency: &str) -> EventRow {
        EventRow {
            time,
            kind,
            value,
            currency: currency.into(),
            active_ms: 5,
            path: "/a".into(),
            ..EventRow::default()
        }
    }

    #[test]
    fn values_are_summed_by_currency_and_minute() {
        let rows = campaign_minutes(&[
            event(59_999, Kind::Conversion, i64::MAX, "EUR"),
            event(1, Kind::Conversion, i64::MAX, "EUR"),
            event(2, Kind::Conversion, 3, "USD"),
            event(60_000, Kind::PageView, 0, ""),
        ]);
        let seen: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.minute,
                    row.currency.as_str(),
                    row.conversions,
                    row.value,
                )
            })
            .collect();
        let wanted = vec![
            (0, "EUR", 2, 2 * i128::from(i64::MAX)),
            (0, "USD", 1, 3),
            (60, "", 0, 0),
        ];
        assert_eq!(seen, wanted);
    }

    #[test]
    fn pages_count_their_troubles_and_their_time() {
        let rows = page_minutes(&[
            event(1, Kind::Rage, 0, ""),
            event(2, Kind::Dead, 0, ""),
            event(3, Kind::Fault, 0, ""),
            event(4, Kind::Attention, 0, ""),
        ]);
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((row.rages, row.dead_presses, row.faults), (1, 1, 1));
        assert_eq!((row.events, row.active_ms, row.presses), (4, 20, 0));
    }
}
