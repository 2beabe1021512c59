//! Where visits come from: source, medium and referrer of each visit's first page view, and what
//! those visits bring.
//!
//! Owns what each visitor did by visit and hour, as the first page view of a visit may come late, or
//! leave the live range before the rest of it does.

use super::campaign::wilson;
use super::limits::{Bounds, SOURCES_MAX};
use super::money::{self, Sums};
use super::names::{Names, OTHER, OTHER_ID};
use super::range::{Hour, HourSet, Hourly};
use super::site::{SiteState, tie};
use super::sql;
use crate::row::{EventRow, Kind};
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::cmp::Reverse;
use upriver_wire::live::SourceRow;

/// The number of no page view.
const NO_VIEW: u32 = u32::MAX;
/// The source of visits of which no page view is counted.
const UNKNOWN: &str = "(unknown)";

/// Source, medium, and host of the referrer.
type Key = [Box<str>; 3];

/// One hour of one visit.
#[derive(Clone, Copy, Debug)]
struct Part {
    session: u64,
    /// Order of its first page view.
    ord: u64,
    /// The tie of that one. Beside its order it would leave a hole.
    tie: u32,
    /// Number of that one's source; [`NO_VIEW`] without any.
    key: u32,
    conversions: u32,
    hour: Hour,
    engaged: bool,
}

impl Part {
    /// Which of several page views is first: the least.
    fn first(&self) -> (u64, u32) {
        (self.ord, self.tie)
    }
}

/// The visits of one visitor, by hour. Most come once, and for less than one.
#[derive(Debug, Default)]
pub(crate) struct Visits(SmallVec<[Part; 1]>);

/// What is counted of events that no part has room for.
#[derive(Debug, Default)]
struct Beyond {
    events: u64,
    conversions: u64,
    value: Sums,
}

/// The sources of one site.
#[derive(Debug)]
pub(crate) struct Sources {
    keys: Names<Key>,
    /// Values by place of the visitor, visit and hour.
    values: HashMap<(u32, u64, Hour), Sums>,
    beyond: Hourly<Beyond>,
    kept: usize,
    max: usize,
    overflowed: u64,
}

/// The numbers of one source.
#[derive(Debug, Default)]
struct Counts {
    visitors: u64,
    engaged: u64,
    converted: u64,
    conversions: u64,
    value: Sums,
}

impl Sources {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self {
            keys: Names::new([OTHER; 3].map(Into::into), bounds.sources),
            values: HashMap::new(),
            beyond: Hourly::default(),
            kept: 0,
            max: bounds.visit_hours,
            overflowed: 0,
        }
    }

    /// Counts an event of a visitor at a place, if that one is kept. `currency` is the number of the
    /// value's currency, of a conversion with a value.
    pub(crate) fn count(
        &mut self,
        row: &EventRow,
        hour: Hour,
        visitor: Option<(u32, &mut Visits)>,
        currency: Option<u32>,
    ) {
        let conversion = row.kind == Kind::Conversion;
        let Some((place, part)) = visitor.and_then(|(place, visits)| {
            let part = self.part(visits, row.session, hour)?;
            Some((place, part))
        }) else {
            self.overflowed += 1;
            let beyond = self.beyond.at(hour);
            beyond.events += 1;
            beyond.conversions += u64::from(conversion);
            if let Some(currency) = currency {
                beyond.value.add(currency, row.value);
            }
            return;
        };
        part.engaged |= matches!(
            row.kind,
            Kind::Press | Kind::Scroll | Kind::Swipe | Kind::Custom
        );
        part.conversions += u32::from(conversion);
        if let Some(currency) = currency {
            let values = self.values.entry((place, row.session, hour));
            values.or_default().add(currency, row.value);
        }
        let first = (row.ord, tie(row));
        if row.kind == Kind::PageView && (part.key == NO_VIEW || first < part.first()) {
            let key = [&row.utm_source, &row.utm_medium, referrer(row)];
            let key = self.keys.acquire_texts(key);
            let before = std::mem::replace(&mut part.key, key);
            (part.ord, part.tie) = first;
            if before != NO_VIEW {
                self.keys.release(before, 1);
            }
        }
    }

    /// The part of a visit in an hour, made if absent; none without room.
    fn part<'a>(
        &mut self,
        visits: &'a mut Visits,
        session: u64,
        hour: Hour,
    ) -> Option<&'a mut Part> {
        let same = |part: &Part| (part.session, part.hour) == (session, hour);
        let at = match visits.0.iter().rposition(same) {
            Some(at) => at,
            None if self.kept >= self.max => return None,
            None => {
                self.kept += 1;
                visits.0.push(Part {
                    session,
                    ord: 0,
                    tie: 0,
                    key: NO_VIEW,
                    conversions: 0,
                    hour,
                    engaged: false,
                });
                visits.0.len() - 1
            }
        };
        visits.0.get_mut(at)
    }

    /// Forgets hours of the visitor at a place.
    pub(crate) fn forget_visitor(&mut self, place: u32, visits: &mut Visits, gone: HourSet) {
        visits.0.retain(|part| {
            let stays = !gone.contains(part.hour);
            if !stays {
                self.kept -= 1;
                if part.conversions > 0 {
                    self.values.remove(&(place, part.session, part.hour));
                }
                if part.key != NO_VIEW {
                    self.keys.release(part.key, 1);
                }
            }
            stays
        });
    }

    /// Forgets hours. Currencies are given back by who counts the same values by the hour.
    pub(crate) fn forget(&mut self, gone: HourSet) {
        self.beyond.forget(gone, |_| ());
    }

    /// Whether every event of the range is counted with its visit.
    pub(crate) fn every_one_kept(&self) -> bool {
        self.beyond.values().next().is_none()
    }

    /// Hours of visits kept, and events counted as `(other)` for want of room for their visit.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.kept, self.overflowed)
    }

    /// Sources kept, and page views counted as `(other)`.
    pub(crate) fn keys_usage(&self) -> (usize, u64) {
        self.keys.usage()
    }

    /// Adds what a visitor at a place did to the numbers, by the key of each visit.
    fn tally(&self, place: u32, visits: &Visits, counts: &mut HashMap<u32, Counts>) {
        // Few visits a visitor, so a list beats a table.
        let mut found: Vec<(u64, Part)> = Vec::with_capacity(visits.0.len());
        for part in &visits.0 {
            let Some((_, visit)) = found
                .iter_mut()
                .find(|(session, _)| *session == part.session)
            else {
                found.push((part.session, *part));
                continue;
            };
            visit.engaged |= part.engaged;
            visit.conversions += part.conversions;
            if part.key != NO_VIEW && (visit.key == NO_VIEW || part.first() < visit.first()) {
                (visit.key, visit.ord, visit.tie) = (part.key, part.ord, part.tie);
            }
        }
        for (at, (_, visit)) in found.iter().enumerate() {
            let own = |(_, other): &&(u64, Part)| other.key == visit.key;
            let counts = counts.entry(visit.key).or_default();
            counts.conversions += u64::from(visit.conversions);
            // A visitor counts once, with the first of their visits from there.
            if found[..at].iter().any(|other| own(&other)) {
                continue;
            }
            let all = || found.iter().filter(own);
            counts.visitors += 1;
            counts.engaged += u64::from(all().any(|(_, visit)| visit.engaged));
            counts.converted += u64::from(all().any(|(_, visit)| visit.conversions > 0));
        }
        for part in visits.0.iter().filter(|part| part.conversions > 0) {
            let visit = found.iter().find(|(session, _)| *session == part.session);
            let values = self.values.get(&(place, part.session, part.hour));
            if let (Some((_, visit)), Some(values)) = (visit, values) {
                let counts = counts.entry(visit.key).or_default();
                values.iter().for_each(|sum| counts.value.merge(*sum));
            }
        }
    }
}

/// Host of the referrer; empty where that is the page's own, as then the visit goes on.
fn referrer(row: &EventRow) -> &str {
    let host = row.referrer.split('/').next().unwrap_or_default();
    if host == row.host { "" } else { host }
}

/// The numbers now, most visitors first. The second value counts sums too large to tell.
pub(crate) fn rows(site: &SiteState) -> (Vec<SourceRow>, usize) {
    let sources = &site.sources;
    let mut counts: HashMap<u32, Counts> = HashMap::new();
    for (place, visitor) in (0..).zip(site.visitors.iter()) {
        sources.tally(place, &visitor.visits, &mut counts);
    }
    for beyond in sources.beyond.values() {
        let counts = counts.entry(OTHER_ID).or_default();
        counts.conversions += beyond.conversions;
        beyond.value.iter().for_each(|sum| counts.value.merge(*sum));
    }
    let mut too_large = 0;
    let rows = counts.iter().map(|(key, counts)| {
        let [source, medium, referrer] = match *key {
            NO_VIEW => [UNKNOWN, "", ""],
            key => sources.keys.name(key).each_ref().map(|text| &**text),
        };
        let (value, not_told) = money::total(std::iter::once(&counts.value), &site.currencies);
        too_large += not_told;
        let (rate, rate_low, rate_high) = wilson(counts.converted, counts.visitors);
        SourceRow {
            source: source.into(),
            medium: medium.into(),
            referrer: referrer.into(),
            visitors: counts.visitors,
            engaged: counts.engaged,
            converted: counts.converted,
            conversions: counts.conversions,
            value,
            rate,
            rate_low,
            rate_high,
        }
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by(|a, b| {
        let order = |row: &SourceRow| Reverse(row.visitors);
        (order(a), &a.source, &a.medium, &a.referrer).cmp(&(
            order(b),
            &b.source,
            &b.medium,
            &b.referrer,
        ))
    });
    (rows, too_large)
}

/// The definition in words.
pub(crate) fn definition() -> String {
    format!(
        "Visits by utm_source, utm_medium and host of the referrer of their first page view by ord in the \
         counted range; a referrer on the page's own host is none; all three empty: came directly. Visits \
         without a page view in the range: {UNKNOWN}. Visitors: distinct visitors with such a visit. \
         Engaged: those with a press, scroll, swipe or custom event in such a visit. Converted: those with \
         a conversion in one. Rate: converted / visitors, with its 95 % Wilson interval. Value: sum over \
         conversions, in millionths, by currency. Past the bound of {SOURCES_MAX} sources the rest count \
         as {OTHER}."
    )
}

/// The query that gives the same numbers: one row a source.
pub(crate) fn query(site: &str, from_ms: u64) -> String {
    format!(
        "SELECT is.1 AS source, is.2 AS medium, is.3 AS referrer, uniqExact(visitor) AS visitors,\n    \
         uniqExactIf(visitor, engages) AS engaged, uniqExactIf(visitor, converts > 0) AS converted,\n    \
         sum(converts) AS conversions, sumMap(values) AS value_micros\n\
         FROM\n(\n    SELECT visitor, session,\n        \
         if(countIf(kind = 'page_view') = 0, ('{UNKNOWN}', '', ''),\n            \
         argMinIf((toString(utm_source), toString(utm_medium), \
         if(splitByChar('/', referrer)[1] = host, '', splitByChar('/', referrer)[1])),\n            \
         (ord, {tie}), kind = 'page_view')) AS is,\n        \
         countIf(kind IN ('press', 'scroll', 'swipe', 'custom')) > 0 AS engages,\n        \
         countIf(kind = 'conversion') AS converts,\n        \
         sumMapIf(map(currency, toInt128(toDecimal128(value, 6) * 1000000)), \
         kind = 'conversion' AND (value != 0 OR currency != '')) AS values\n    \
         FROM events\n    WHERE {rows}\n    GROUP BY visitor, session\n)\n\
         GROUP BY is\nORDER BY visitors DESC, source, medium, referrer",
        tie = sql::TIE,
        rows = sql::in_range(site, from_ms),
    )
}
