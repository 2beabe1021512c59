//! Every number again, slowly, from the words of its definition: filter all rows, look at each.

mod heat;

use crate::config::{self, Step};
use crate::live::site::tie;
use crate::live::{HOUR_MS, Query, Resource, sql};
use crate::row::{EventRow, Kind};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use upriver_wire::live::*;
use uuid::Uuid;

/// Kinds the activity does not tell.
const UNTOLD: [&str; 6] = [
    "path",
    "attention",
    "impression",
    "visibility",
    "consent",
    "identify",
];

pub(super) struct Recount<'a> {
    site: &'a config::Site,
    all: Vec<&'a EventRow>,
    range: Vec<&'a EventRow>,
    now_ms: u64,
    from_ms: u64,
}

impl<'a> Recount<'a> {
    pub(super) fn new(rows: &'a [EventRow], site: &'a config::Site, now_ms: u64) -> Self {
        let from_ms = now_ms / HOUR_MS * HOUR_MS - 23 * HOUR_MS;
        let all: Vec<_> = rows.iter().filter(|row| row.site == site.id).collect();
        let range = all
            .iter()
            .copied()
            .filter(|row| row.time >= from_ms as i64)
            .collect();
        Self {
            site,
            all,
            range,
            now_ms,
            from_ms,
        }
    }

    pub(super) fn answers(&self, queries: &[Query]) -> Vec<Resource> {
        queries.iter().map(|query| self.answer(query)).collect()
    }

    fn answer(&self, query: &Query) -> Resource {
        match query {
            Query::Overview => Resource::Overview(self.overview()),
            Query::Campaigns => Resource::Campaigns(Campaigns {
                basis: None,
                rows: self.campaigns(),
                funnels: self.links(),
            }),
            Query::Pages => Resource::Pages(Pages {
                basis: None,
                rows: self.pages(),
            }),
            Query::Presence => Resource::Presence(self.presence()),
            Query::Funnel(id, _) => Resource::Funnel(self.funnel(id)),
            Query::HeatMap(kind, filter) => {
                Resource::HeatMap(heat::heat(*kind, filter, &self.range, self.now_ms))
            }
            Query::Activity(..)
            | Query::Present
            | Query::Experiments
            | Query::Releases(..)
            | Query::Sources
            | Query::Errors
            | Query::Alerts
            | Query::Board(..)
            | Query::FunnelVisitors(..) => {
                panic!("compared apart")
            }
        }
    }

    pub(super) fn feed(&self) -> Vec<(u64, String, String)> {
        let mut rows: Vec<_> = self
            .all
            .iter()
            .filter(|row| row.received_at >= self.from_ms as i64)
            .filter(|row| !UNTOLD.contains(&row.kind.name()))
            .collect();
        rows.sort_by_key(|row| (row.received_at, row.ord, tie(row)));
        let start = |row: &EventRow| row.visitor.simple().to_string()[..8].to_string();
        rows.iter()
            .map(|row| (row.time as u64, start(row), row.kind.name().into()))
            .collect()
    }

    fn overview(&self) -> Overview {
        let of = |kind| self.range.iter().filter(|row| row.kind == kind).count() as u64;
        Overview {
            basis: None,
            visitors: visitors(self.range.iter().copied()),
            page_views: of(Kind::PageView),
            presses: of(Kind::Press),
            scrolls: of(Kind::Scroll),
            swipes: of(Kind::Swipe),
            customs: of(Kind::Custom),
            conversions: of(Kind::Conversion),
            exposures: of(Kind::Exposure),
            long_presses: of(Kind::LongPress),
            pinches: of(Kind::Pinch),
            hesitations: of(Kind::Hesitation),
            paths: of(Kind::Path),
            attention_reports: of(Kind::Attention),
            impressions: of(Kind::Impression),
            form_steps: of(Kind::Form),
            rages: of(Kind::Rage),
            dead_presses: of(Kind::Dead),
            error_presses: of(Kind::ErrorPress),
            thrashes: of(Kind::Thrash),
            faults: of(Kind::Fault),
            visibility_changes: of(Kind::Visibility),
            consents: of(Kind::Consent),
            identities: of(Kind::Identify),
            value: value(&self.range),
        }
    }

    fn campaigns(&self) -> Vec<CampaignRow> {
        let key = |row: &EventRow| {
            (
                row.utm_source.clone(),
                row.utm_medium.clone(),
                row.utm_campaign.clone(),
            )
        };
        let keys: BTreeSet<_> = self.range.iter().map(|row| key(row)).collect();
        let first = self.now_ms / 60_000 - 29;
        let mut rows: Vec<CampaignRow> = keys
            .into_iter()
            .map(|(source, medium, campaign)| {
                let own = (source.clone(), medium.clone(), campaign.clone());
                let rows: Vec<_> = self
                    .range
                    .iter()
                    .copied()
                    .filter(|row| key(row) == own)
                    .collect();
                let with = |kinds: &[Kind]| {
                    visitors(rows.iter().copied().filter(|row| kinds.contains(&row.kind)))
                };
                let (all, converted) = (visitors(rows.iter().copied()), with(&[Kind::Conversion]));
                let (rate_low, rate_high) = wilson(converted as f64, all as f64);
                let in_minute = |minute: u64| {
                    let views = rows.iter().filter(|row| row.kind == Kind::PageView);
                    views
                        .filter(|row| row.time as u64 / 60_000 == minute)
                        .count() as u32
                };
                CampaignRow {
                    source,
                    medium,
                    campaign,
                    visitors: all,
                    engaged: with(&[Kind::Press, Kind::Scroll, Kind::Swipe, Kind::Custom]),
                    converted,
                    conversions: rows.iter().filter(|r| r.kind == Kind::Conversion).count() as u64,
                    value: value(&rows),
                    rate: converted as f64 / all as f64,
                    rate_low,
                    rate_high,
                    minutes: (first..first + 30).map(in_minute).collect(),
                }
            })
            .collect();
        rows.sort_by_key(|row| Reverse(row.visitors));
        rows
    }

    fn links(&self) -> Vec<FunnelLink> {
        let link = |funnel: &config::Funnel| FunnelLink {
            id: funnel.id.clone(),
            name: funnel.name.clone(),
            url: format!("/v1/live/funnel?id={}&campaign=", funnel.id),
        };
        let mut links: Vec<_> = self.site.funnels.iter().map(link).collect();
        links.sort_by(|a, b| a.id.cmp(&b.id));
        links
    }

    fn pages(&self) -> Vec<PageRow> {
        let paths: BTreeSet<_> = self.range.iter().map(|row| &row.path).collect();
        let mut rows: Vec<PageRow> = paths
            .into_iter()
            .filter(|path| !path.is_empty())
            .map(|path| {
                let rows = || self.range.iter().copied().filter(|row| row.path == *path);
                PageRow {
                    path: path.clone(),
                    views: rows().filter(|row| row.kind == Kind::PageView).count() as u64,
                    visitors: visitors(rows()),
                    presses: rows().filter(|row| row.kind == Kind::Press).count() as u64,
                }
            })
            .collect();
        rows.sort_by_key(|row| Reverse(row.views));
        rows
    }

    fn presence(&self) -> Presence {
        let mut last: BTreeMap<Uuid, &EventRow> = BTreeMap::new();
        for row in self
            .all
            .iter()
            .filter(|row| row.received_at > self.now_ms as i64 - 300_000)
        {
            let place = |row: &EventRow| (row.received_at, row.ord, tie(row));
            let known = last.entry(row.visitor).or_insert(row);
            if place(row) > place(known) {
                *known = row;
            }
        }
        let count = |name: &dyn Fn(&EventRow) -> String| {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for row in last.values() {
                let name = name(row);
                let name = if name.is_empty() {
                    "(none)".into()
                } else {
                    name
                };
                *counts.entry(name).or_default() += 1;
            }
            let mut rows: Vec<_> = counts
                .into_iter()
                .map(|(name, visitors)| Count { name, visitors })
                .collect();
            rows.sort_by_key(|row| Reverse(row.visitors));
            rows
        };
        Presence {
            basis: None,
            online: last.len() as u64,
            pages: count(&|row| row.path.clone()),
            devices: count(&|row| row.device.name().into()),
            campaigns: count(&|row| row.utm_campaign.clone()),
        }
    }

    fn funnel(&self, id: &str) -> Funnel {
        let funnel = self
            .site
            .funnels
            .iter()
            .find(|funnel| funnel.id == id)
            .expect("configured");
        let window_ms = funnel.window.as_millis() as u64;
        let ids: BTreeSet<_> = self.range.iter().map(|row| row.visitor).collect();
        let places: Vec<Place<'_>> = ids
            .into_iter()
            .filter_map(|id| {
                let rows: Vec<_> = self
                    .range
                    .iter()
                    .copied()
                    .filter(|row| row.visitor == id)
                    .collect();
                place(&rows, funnel, window_ms)
            })
            .collect();
        let last = funnel.steps.len();
        let steps = funnel.steps.iter().enumerate().map(|(at, step)| {
            let stayed = places
                .iter()
                .filter(|place| place.level == at + 1 && at + 1 < last);
            let (open, lost): (Vec<_>, Vec<_>) = stayed.partition(|place| {
                place
                    .latest_ms
                    .is_some_and(|latest_ms| latest_ms + window_ms >= self.now_ms)
            });
            FunnelStep {
                name: step.name.clone(),
                matches: crate::live::step::CompiledStep::new(step).words(),
                visitors: places.iter().filter(|place| place.level > at).count() as u64,
                open: open.len() as u64,
                lost: lost.len() as u64,
            }
        });
        let mut groups: BTreeMap<(&str, String), Vec<u64>> = BTreeMap::new();
        for place in &places {
            let none = |name: &str| if name.is_empty() { "(none)" } else { name }.to_string();
            let mut own = vec![
                ("campaign", none(&place.entry.utm_campaign)),
                ("device", place.entry.device.name().to_string()),
                ("page", none(&place.entry.path)),
                ("source", none(&place.entry.utm_source)),
            ];
            let variants = place.entry.variants.iter();
            own.extend(variants.map(|(e, v)| ("variant", format!("{e}={v}"))));
            if place.entry.variants.is_empty() {
                own.push(("variant", none("")));
            }
            for key in own {
                let reached = groups.entry(key).or_insert_with(|| vec![0; last]);
                reached[..place.level]
                    .iter_mut()
                    .for_each(|count| *count += 1);
            }
        }
        let mut groups: Vec<_> = groups
            .into_iter()
            .map(|((dimension, value), visitors)| FunnelGroup {
                dimension: dimension.into(),
                value,
                visitors,
            })
            .collect();
        groups.sort_by_key(|group| (group.dimension.clone(), Reverse(group.visitors[0])));
        let mut took: BTreeMap<u64, u64> = BTreeMap::new();
        for place in places.iter().filter(|place| place.level == last) {
            let ms = (place.soonest >> 20) - place.entry.time as u64;
            *took.entry(two_digits(ms)).or_default() += 1;
        }
        let each: Vec<u64> = took
            .iter()
            .flat_map(|(ms, count)| vec![*ms; *count as usize])
            .collect();
        Funnel {
            basis: None,
            median_ms: each.get(each.len().saturating_sub(1) / 2).copied(),
            took: took.into_iter().collect(),
            id: id.into(),
            name: funnel.name.clone(),
            window_ms,
            steps: steps.collect(),
            groups,
        }
    }
}

/// A number of which all but the two leading digits are 0.
fn two_digits(number: u64) -> u64 {
    let digits = number.to_string();
    let (lead, rest) = digits.split_at(digits.len().min(2));
    format!("{lead}{}", "0".repeat(rest.len()))
        .parse()
        .expect("digits")
}

/// How far a visitor got.
struct Place<'a> {
    level: usize,
    /// Order of the event that got them there.
    soonest: u64,
    entry: &'a EventRow,
    latest_ms: Option<u64>,
}

/// Tries every list of different rows.
fn place<'a>(rows: &[&'a EventRow], funnel: &config::Funnel, window_ms: u64) -> Option<Place<'a>> {
    let steps = &funnel.steps;
    let excluded = |from: u64, to: u64| {
        let mut within = rows.iter().filter(|row| (from..to).contains(&row.ord));
        within.any(|row| funnel.excludes.iter().any(|event| matches(event, row)))
    };
    // Length, order at which it was complete, first row.
    let mut chains: Vec<(usize, u64, &'a EventRow)> = Vec::new();
    let mut open: Vec<Vec<usize>> = (0..rows.len())
        .filter(|at| matches(&steps[0], rows[*at]))
        .map(|at| vec![at])
        .collect();
    while let Some(path) = open.pop() {
        let (first, last) = (rows[path[0]], rows[path[path.len() - 1]]);
        chains.push((path.len(), last.ord, first));
        let Some(step) = steps.get(path.len()) else {
            continue;
        };
        for (at, row) in rows.iter().enumerate() {
            let follows = row.ord >= last.ord && row.time - first.time <= window_ms as i64;
            let free = !path.contains(&at) && !excluded(first.ord, row.ord);
            if follows && free && matches(step, row) {
                let mut path = path.clone();
                path.push(at);
                open.push(path);
            }
        }
    }
    let level = chains.iter().map(|chain| chain.0).max()?;
    let may_go_on = chains
        .iter()
        .filter(|chain| !excluded(chain.2.ord, u64::MAX));
    let latest_ms = may_go_on.map(|chain| chain.2.time as u64).max();
    let soonest = chains
        .iter()
        .filter(|chain| chain.0 == level)
        .map(|chain| chain.1)
        .min()?;
    let entry = chains
        .iter()
        .filter(|chain| chain.0 == level && chain.1 == soonest)
        .map(|chain| chain.2)
        .max_by_key(|row| (row.ord, tie(row)))?;
    Some(Place {
        level,
        soonest,
        entry,
        latest_ms,
    })
}

fn matches(step: &Step, row: &EventRow) -> bool {
    row.kind == step.kind
        && step
            .page
            .as_ref()
            .is_none_or(|page| sql::glob_matches(page, &row.path))
        && step
            .element
            .as_ref()
            .is_none_or(|id| *id == format!("{:016x}", row.element))
        && step.event.as_ref().is_none_or(|event| *event == row.name)
}

fn visitors<'a>(rows: impl Iterator<Item = &'a EventRow>) -> u64 {
    rows.map(|row| row.visitor).collect::<BTreeSet<_>>().len() as u64
}

fn value(rows: &[&EventRow]) -> Vec<Money> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.kind == Kind::Conversion) {
        if row.value != 0 || !row.currency.is_empty() {
            *sums.entry(&row.currency).or_default() += row.value;
        }
    }
    sums.into_iter()
        .map(|(currency, micros)| Money {
            currency: currency.into(),
            micros,
        })
        .collect()
}

/// The engine's own formula, as floats must agree to the bit here; published values check it in
/// `campaign`.
fn wilson(part: f64, of: f64) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    let share = part / of;
    let scale = 1.0 + Z * Z / of;
    let centre = (share + Z * Z / (2.0 * of)) / scale;
    let half = Z / scale * (share * (1.0 - share) / of + Z * Z / (4.0 * of * of)).sqrt();
    (
        (centre - half).clamp(0.0, share),
        (centre + half).clamp(share, 1.0),
    )
}
