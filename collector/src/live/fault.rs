//! Errors of the page's scripts: how often each happened, to how many, and how far they were in each
//! funnel when it did.
//!
//! Owns which errors a visitor met, and when. How far somebody is at a moment is `chain`'s to say.

use super::funnel::FunnelCounts;
use super::limits::{Bounds, FAULT_ROWS_MAX, FAULTS_MAX};
use super::names::{Names, OTHER};
use super::range::{Hour, HourSet, Hourly};
use super::site::SiteState;
use super::sql;
use super::visitor::Visitor;
use crate::row::{EventRow, Kind};
use hashbrown::{Equivalent, HashMap, HashSet};
use std::cmp::Reverse;
use upriver_wire::live::{ErrorFunnel, ErrorRow, ErrorStep, Errors};

/// What errors have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    message: Box<str>,
    source: Box<str>,
    line: u32,
}

/// The same, borrowed from a row. Hashes as `Key` does, field by field.
#[derive(Hash)]
struct KeyRef<'a> {
    message: &'a str,
    source: &'a str,
    line: u32,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.message == *key.message && *self.source == *key.source && self.line == key.line
    }
}

/// One error that a visitor met.
#[derive(Clone, Copy, Debug)]
struct Met {
    ord: u64,
    group: u32,
    hour: Hour,
}

#[derive(Debug, Default)]
struct InHour {
    errors: u64,
    /// The latest, Unix milliseconds.
    last_ms: u64,
}

/// The errors of one site.
#[derive(Debug)]
pub(crate) struct Faults {
    groups: Names<Key>,
    counts: Vec<Hourly<InHour>>,
    /// By place of the visitor.
    met: HashMap<u32, Vec<Met>>,
    kept: usize,
    max: usize,
    not_kept: Hourly<u64>,
    overflowed: u64,
}

impl Faults {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let other = Key {
            message: OTHER.into(),
            source: OTHER.into(),
            line: 0,
        };
        Self {
            groups: Names::new(other, bounds.fault_groups),
            counts: Vec::new(),
            met: HashMap::new(),
            kept: 0,
            max: bounds.faults,
            not_kept: Hourly::default(),
            overflowed: 0,
        }
    }

    /// Counts an event of a visitor at a place, if that one is kept; only errors matter.
    pub(crate) fn count(&mut self, row: &EventRow, hour: Hour, place: Option<u32>) {
        if row.kind != Kind::Fault {
            return;
        }
        let key = KeyRef {
            message: &row.message,
            source: &row.source,
            line: row.source_line,
        };
        let group = self.groups.acquire(&key, |key| Key {
            message: key.message.into(),
            source: key.source.into(),
            line: key.line,
        });
        if self.counts.len() <= group as usize {
            self.counts.resize_with(group as usize + 1, Hourly::default);
        }
        let in_hour = self.counts[group as usize].at(hour);
        in_hour.errors += 1;
        in_hour.last_ms = in_hour.last_ms.max(row.time as u64);
        match place.filter(|_| self.kept < self.max) {
            Some(place) => {
                let ord = row.ord;
                let met = self.met.entry(place).or_default();
                met.push(Met { ord, group, hour });
                self.kept += 1;
            }
            None => {
                *self.not_kept.at(hour) += 1;
                self.overflowed += 1;
            }
        }
    }

    /// Forgets hours of the visitor at a place.
    pub(crate) fn forget_visitor(&mut self, place: u32, gone: HourSet) {
        let Some(met) = self.met.get_mut(&place) else {
            return;
        };
        let before = met.len();
        met.retain(|met| !gone.contains(met.hour));
        self.kept -= before - met.len();
        if met.is_empty() {
            self.met.remove(&place);
        }
    }

    /// Forgets hours. Every visitor must have forgotten them before.
    pub(crate) fn forget(&mut self, gone: HourSet) {
        for (group, hours) in self.counts.iter_mut().enumerate() {
            let mut errors = 0;
            hours.forget(gone, |hour| errors += hour.errors);
            if errors > 0 {
                self.groups.release(group as u32, errors);
            }
        }
        self.not_kept.forget(gone, |_| ());
    }

    /// Whether every error of the range is kept with its visitor.
    pub(crate) fn every_one_kept(&self) -> bool {
        self.not_kept.values().next().is_none()
    }

    /// Errors kept with their visitors, and those that are not.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.kept, self.overflowed)
    }

    /// Different errors kept, and events counted as `(other)`.
    pub(crate) fn groups_usage(&self) -> (usize, u64) {
        self.groups.usage()
    }
}

/// Of one group: who met it, and by funnel and step where they were.
#[derive(Debug, Default)]
struct Found {
    visitors: HashSet<u32>,
    steps: HashMap<(u8, u8), (u64, HashSet<u32>)>,
}

/// The numbers now, of the errors that most visitors met.
pub(crate) fn data(site: &SiteState) -> Errors {
    let faults = &site.faults;
    let mut found: HashMap<u32, Found> = HashMap::new();
    for (&place, met) in &faults.met {
        let Some(visitor) = site.visitors.get(place) else {
            continue;
        };
        for met in met {
            let found = found.entry(met.group).or_default();
            found.visitors.insert(place);
        }
        for (at, funnel) in site.funnels.iter().enumerate() {
            if funnel.is_free() {
                continue;
            }
            for (group, step) in standing(at as u8, funnel, visitor, met) {
                let found = found.entry(group).or_default();
                let (errors, visitors) = found.steps.entry((at as u8, step)).or_default();
                *errors += 1;
                visitors.insert(place);
            }
        }
    }
    let mut rows: Vec<_> = faults
        .groups
        .ids()
        .filter_map(|group| row(site, group, found.get(&group)))
        .collect();
    rows.sort_by(|a, b| {
        let order = |row: &ErrorRow| Reverse((row.visitors, row.errors));
        (order(a), &a.message, &a.source, a.line).cmp(&(order(b), &b.message, &b.source, b.line))
    });
    let left_out = rows.len().saturating_sub(FAULT_ROWS_MAX) as u64;
    rows.truncate(FAULT_ROWS_MAX);
    Errors {
        basis: None,
        rows,
        left_out,
    }
}

/// Group of each error that a visitor met, and how many steps of a funnel they had reached.
fn standing(at: u8, funnel: &FunnelCounts, visitor: &Visitor, met: &[Met]) -> Vec<(u32, u8)> {
    let own = visitor.funnels.iter().find(|own| own.funnel == at);
    let Some(own) = own else {
        return met.iter().map(|met| (met.group, 0)).collect();
    };
    let mut met = met.to_vec();
    met.sort_unstable_by_key(|met| met.ord);
    let moments = met.iter().map(|met| met.ord);
    let steps = own.chain.standing(funnel.shape(), moments);
    met.iter().map(|met| met.group).zip(steps).collect()
}

fn row(site: &SiteState, group: u32, found: Option<&Found>) -> Option<ErrorRow> {
    let hours = site.faults.counts.get(group as usize)?;
    let errors: u64 = hours.values().map(|hour| hour.errors).sum();
    let last_ms = hours.values().map(|hour| hour.last_ms).max()?;
    let key = site.faults.groups.name(group);
    let mut funnels: Vec<_> = (0_u8..)
        .zip(&site.funnels)
        .filter(|(_, funnel)| !funnel.is_free())
        .map(|(at, funnel)| {
            let link = funnel.link();
            let names = std::iter::once("").chain(funnel.step_names());
            let steps = (0_u8..).zip(names).map(|(step, name)| {
                let counts = found.and_then(|found| found.steps.get(&(at, step)));
                ErrorStep {
                    step: u64::from(step),
                    name: name.into(),
                    errors: counts.map_or(0, |(errors, _)| *errors),
                    visitors: counts.map_or(0, |(_, visitors)| visitors.len() as u64),
                }
            });
            ErrorFunnel {
                steps: steps.collect(),
                id: link.id,
                name: link.name,
            }
        })
        .collect();
    funnels.sort_by(|a, b| a.id.cmp(&b.id));
    Some(ErrorRow {
        message: key.message.to_string(),
        source: key.source.to_string(),
        line: key.line,
        errors,
        visitors: found.map_or(0, |found| found.visitors.len() as u64),
        last_ms,
        funnels,
    })
}

/// The definition in words.
pub(crate) fn definition() -> String {
    format!(
        "Errors of the page's scripts by message, script and line. Errors: events. Visitors: distinct \
         visitors who met it. Steps of a funnel: how many steps the longest chain had, of the visitor's events \
         with an ord below the error's, that could still go on at the error: it begins at most the funnel's \
         window before the error, and nothing that the funnel excludes came since. Step 0: none; the last \
         step: converted. Of a visitor with several errors each counts by itself. The {FAULT_ROWS_MAX} errors \
         that most visitors met are listed. Past the bound of {FAULTS_MAX} errors it is no longer known who met them."
    )
}

/// The query that gives the same numbers: one row an error (`funnel` empty), and one more for each
/// step of each funnel at which it happened.
pub(crate) fn query(site: &SiteState) -> String {
    let rows = sql::in_range(&site.id, site.range.start_ms());
    let faults = format!(
        "SELECT visitor, message, source, source_line AS line, ord, \
         toUInt64(toUnixTimestamp64Milli(time)) AS ms FROM events WHERE {rows} AND kind = 'fault'"
    );
    let mut parts = vec![format!("SELECT *, '' AS funnel, 0 AS step FROM ({faults})")];
    let mut funnels: Vec<_> = site.funnels.iter().filter(|f| !f.is_free()).collect();
    funnels.sort_by(|a, b| a.id.cmp(&b.id));
    for funnel in funnels {
        parts.push(funnel.standing_sql(&faults, &rows));
    }
    format!(
        "SELECT message, source, line, funnel, step, count() AS errors, uniqExact(visitor) AS visitors, \
         max(ms) AS last_ms\nFROM\n(\n{}\n)\nGROUP BY message, source, line, funnel, step\n\
         ORDER BY message, source, line, funnel, step",
        parts.join("\nUNION ALL\n")
    )
}
