//! What each campaign brings: visitors, engagement, conversions, value, page views by the minute.

use super::limits::SPARK_MINUTES;
use super::money::{self, Sums};
use super::names::{Names, OTHER, OTHER_ID};
use super::range::{Hour, HourSet, Hourly};
use super::sql;
use super::visitor::Visitor;
use super::window::MINUTE_MS;
use crate::row::{EventRow, Kind};
use std::collections::BTreeMap;
use upriver_wire::live::CampaignRow;

/// Source, medium, campaign.
type Key = [Box<str>; 3];

#[derive(Debug, Default)]
struct Counts {
    hours: Hourly<HourCounts>,
    visitors: u64,
    engaged: u64,
    converted: u64,
    /// Page views by minute since 1970.
    minutes: BTreeMap<u64, u32>,
}

#[derive(Debug, Default)]
struct HourCounts {
    rows: u64,
    conversions: u64,
    value: Sums,
}

/// The campaigns of one site.
#[derive(Debug)]
pub(crate) struct Campaigns {
    keys: Names<Key>,
    counts: Vec<Counts>,
}

impl Campaigns {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            keys: Names::new([OTHER; 3].map(Into::into), max),
            counts: Vec::new(),
        }
    }

    /// Counts an event, and its visitor if that one is kept. `currency` is the number of the
    /// value's currency, of a conversion with a value.
    pub(crate) fn count(
        &mut self,
        row: &EventRow,
        hour: Hour,
        now_ms: u64,
        visitor: Option<&mut Visitor>,
        currency: Option<u32>,
    ) {
        let key = [&row.utm_source, &row.utm_medium, &row.utm_campaign];
        let id = self.keys.acquire_texts(key.map(String::as_str));
        if self.counts.len() <= id as usize {
            self.counts.resize_with(id as usize + 1, Counts::default);
        }
        let counts = &mut self.counts[id as usize];
        let in_hour = counts.hours.at(hour);
        in_hour.rows += 1;
        if row.kind == Kind::Conversion {
            in_hour.conversions += 1;
            if let Some(currency) = currency {
                in_hour.value.add(currency, row.value);
            }
        }
        let minute = row.time as u64 / MINUTE_MS;
        if row.kind == Kind::PageView && minute >= first_minute(now_ms) {
            *counts.minutes.entry(minute).or_default() += 1;
        }
        let Some(visitor) = visitor else { return };
        let mark = visitor.campaign(id);
        let enters = |hours: &mut HourSet, count: &mut u64| {
            *count += u64::from(hours.is_empty());
            hours.insert(hour);
        };
        enters(&mut mark.seen, &mut counts.visitors);
        match row.kind {
            Kind::Press | Kind::Scroll | Kind::Swipe | Kind::Custom => {
                enters(&mut mark.engaged, &mut counts.engaged);
            }
            Kind::Conversion => enters(&mut mark.converted, &mut counts.converted),
            // Neither a success nor one of what the definition calls engaged.
            _ => (),
        }
    }

    /// Forgets hours of one visitor.
    pub(crate) fn forget_visitor(&mut self, visitor: &mut Visitor, gone: HourSet) {
        visitor.campaigns.retain_mut(|mark| {
            let counts = &mut self.counts[mark.campaign as usize];
            let leaves = |hours: &mut HourSet, count: &mut u64| {
                let was = !hours.is_empty();
                hours.remove(gone);
                *count -= u64::from(was && hours.is_empty());
            };
            leaves(&mut mark.engaged, &mut counts.engaged);
            leaves(&mut mark.converted, &mut counts.converted);
            leaves(&mut mark.seen, &mut counts.visitors);
            !mark.seen.is_empty()
        });
    }

    /// Forgets hours. Every visitor must have forgotten them before.
    pub(crate) fn forget(&mut self, gone: HourSet) {
        for (id, counts) in self.counts.iter_mut().enumerate() {
            let mut rows = 0;
            counts.hours.forget(gone, |hour| rows += hour.rows);
            if rows > 0 && self.keys.release(id as u32, rows) {
                *counts = Counts::default();
            }
        }
    }

    /// Forgets minutes that left the sparkline. True when a sparkline moved.
    pub(crate) fn advance(&mut self, now_ms: u64) -> bool {
        let first = first_minute(now_ms);
        let mut moved = false;
        for counts in &mut self.counts {
            moved |= !counts.minutes.is_empty();
            counts.minutes = counts.minutes.split_off(&first);
        }
        moved
    }

    /// The numbers now, most visitors first. The second value counts sums too large to tell.
    pub(crate) fn rows(
        &self,
        now_ms: u64,
        currencies: &Names<Box<str>>,
    ) -> (Vec<CampaignRow>, usize) {
        let first = first_minute(now_ms);
        let mut too_large = 0;
        let mut rows = Vec::with_capacity(self.keys.len());
        for id in self.keys.ids() {
            let Some(counts) = self.counts.get(id as usize) else {
                continue;
            };
            if id == OTHER_ID && counts.hours.values().next().is_none() {
                continue;
            }
            let [source, medium, campaign] = self.keys.name(id);
            let (value, not_told) =
                money::total(counts.hours.values().map(|hour| &hour.value), currencies);
            too_large += not_told;
            let (rate, rate_low, rate_high) = wilson(counts.converted, counts.visitors);
            let minute = |minute| counts.minutes.get(&minute).copied().unwrap_or(0);
            rows.push(CampaignRow {
                source: source.to_string(),
                medium: medium.to_string(),
                campaign: campaign.to_string(),
                visitors: counts.visitors,
                engaged: counts.engaged,
                converted: counts.converted,
                conversions: counts.hours.values().map(|hour| hour.conversions).sum(),
                value,
                rate,
                rate_low,
                rate_high,
                minutes: (first..first + SPARK_MINUTES).map(minute).collect(),
            });
        }
        rows.sort_by(|a, b| {
            let key = |row: &CampaignRow| std::cmp::Reverse(row.visitors);
            (key(a), &a.source, &a.medium, &a.campaign).cmp(&(
                key(b),
                &b.source,
                &b.medium,
                &b.campaign,
            ))
        });
        (rows, too_large)
    }

    /// Campaigns kept, and events counted as `(other)`.
    pub(crate) fn usage(&self) -> (usize, u64) {
        self.keys.usage()
    }
}

/// The first minute of the sparkline, since 1970.
fn first_minute(now_ms: u64) -> u64 {
    (now_ms / MINUTE_MS + 1).saturating_sub(SPARK_MINUTES)
}

/// A share, and the ends of its 95 % Wilson interval; all 0 of nothing.
pub(crate) fn wilson(part: u64, of: u64) -> (f64, f64, f64) {
    if of == 0 {
        return (0.0, 0.0, 0.0);
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (n, share) = (of as f64, part as f64 / of as f64);
    let scale = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    // At the ends rounding may leave the share just outside its own interval.
    (
        share,
        (centre - half).clamp(0.0, share),
        (centre + half).clamp(share, 1.0),
    )
}

/// The definition in words.
pub(crate) const DEFINITION: &str = "Events by utm_source, utm_medium and utm_campaign of the visit; \
    all three empty: no campaign. Visitors: distinct visitors with any event. Engaged: those with a \
    press, scroll, swipe or custom event. Converted: those with a conversion. Rate: converted / \
    visitors, with its 95 % Wilson interval. Value: sum over conversions, in millionths, by \
    currency. Minutes: page views by event time in each of the last 30 minutes, the begun one last. \
    Past the bound of 1,000 campaigns the rest count as (other).";

/// The query that gives the same numbers: one row a campaign.
pub(crate) fn query(site: &str, from_ms: u64, now_ms: u64) -> String {
    let first = first_minute(now_ms);
    format!(
        "SELECT utm_source AS source, utm_medium AS medium, utm_campaign AS campaign,\n    \
         uniqExact(visitor) AS visitors,\n    \
         uniqExactIf(visitor, kind IN ('press', 'scroll', 'swipe', 'custom')) AS engaged,\n    \
         uniqExactIf(visitor, kind = 'conversion') AS converted,\n    \
         countIf(kind = 'conversion') AS conversions,\n    \
         sumMapIf(map(currency, toInt128(toDecimal128(value, 6) * 1000000)), \
         kind = 'conversion' AND (value != 0 OR currency != '')) AS value_micros,\n    \
         arrayMap(minute -> countEqual(groupArrayIf(intDiv(toUnixTimestamp64Milli(time), 60000), \
         kind = 'page_view' AND time >= {since}), minute), range({first}, {end})) AS minutes\n\
         FROM events\nWHERE {rows}\nGROUP BY source, medium, campaign\n\
         ORDER BY visitors DESC, source, medium, campaign",
        since = sql::moment(first * MINUTE_MS),
        end = first + SPARK_MINUTES,
        rows = sql::in_range(site, from_ms),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // Wilson (1927): 10 of 100 lies in 0.0552 to 0.1744.
        let (rate, low, high) = wilson(10, 100);
        assert_eq!(rate, 0.1);
        assert!(
            (low - 0.055_228).abs() < 1e-5 && (high - 0.174_366).abs() < 1e-5,
            "{low} {high}"
        );
        assert_eq!(wilson(0, 0), (0.0, 0.0, 0.0));
        assert_eq!(wilson(0, 5).1, 0.0);
        assert_eq!(wilson(5, 5).2, 1.0);
    }
}
