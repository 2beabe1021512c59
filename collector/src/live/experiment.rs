//! Experiments: who was shown which variant first, and who converted after it.
//!
//! Owns a memory of its own that reaches further back than the live range, because an experiment
//! runs for weeks and its numbers are only as honest as they are whole. What the counts prove is
//! `evidence`'s to say, what is answered `answer`'s.

mod answer;
pub mod evidence;
#[cfg(test)]
mod tests;

pub(crate) use answer::{DEFINITION, query};

use super::limits::{Bounds, CONVERSIONS_PER_VISITOR_MAX, SHOWN_PER_VISITOR_MAX};
use super::money::Sums;
use super::names::{Names, OTHER, OTHER_ID};
use crate::config;
use crate::row::{EventRow, Kind};
use hashbrown::{Equivalent, HashMap};
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Most whole days (UTC) before the begun one that experiments are counted over.
pub const EXPERIMENT_DAYS: u64 = 30;
const DAY_MS: u64 = 24 * 3_600_000;

/// Whole days that experiments are counted over where events are kept so many days, or for ever: none
/// of which a row may have gone, so that a restart finds all of them again. A row received on a day
/// goes so many days after that day's midnight; and it may have been received five minutes before the
/// day on which it happened.
pub fn experiment_days(kept_days: Option<u32>) -> u64 {
    let whole = |days: u32| u64::from(days).saturating_sub(2);
    kept_days.map_or(EXPERIMENT_DAYS, |days| whole(days).min(EXPERIMENT_DAYS))
}

/// Exposures and conversions from this time on are counted for experiments that are counted over so
/// many whole days, Unix milliseconds.
pub fn experiments_from_ms(now_ms: u64, days: u64) -> u64 {
    (now_ms / DAY_MS).saturating_sub(days) * DAY_MS
}

/// An experiment and one of its variants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    experiment: Box<str>,
    variant: Box<str>,
}

/// The same, borrowed from a row. Hashes as `Key` does, field by field.
#[derive(Hash)]
struct KeyRef<'a> {
    experiment: &'a str,
    variant: &'a str,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.experiment == *key.experiment && *self.variant == *key.variant
    }
}

/// What one visitor did that matters to any experiment.
#[derive(Debug, Default)]
struct Person {
    /// Of each variant and day the first time it was shown, by `ord`. The later ones of a day change
    /// nothing, and days are forgotten whole.
    shown: Vec<Shown>,
    /// Every conversion, in any order.
    conversions: SmallVec<[Conversion; 1]>,
}

#[derive(Clone, Copy, Debug)]
struct Shown {
    ord: u64,
    key: u32,
}

impl Shown {
    fn day(self) -> u64 {
        day_of(self.ord)
    }
}

#[derive(Clone, Copy, Debug)]
struct Conversion {
    ord: u64,
    /// Number of the currency, of one with a value.
    currency: Option<u32>,
    micros: i64,
}

fn day_of(ord: u64) -> u64 {
    (ord >> 20) / DAY_MS
}

/// The numbers of one variant.
#[derive(Clone, Debug, Default)]
struct Counts {
    /// Visitors by the day they were shown it first.
    days: BTreeMap<u64, u64>,
    conflicting: u64,
    converted: u64,
    conversions: u64,
    value: Sums,
}

impl Counts {
    fn visitors(&self) -> u64 {
        self.days.values().sum()
    }
}

/// The experiments of one site.
#[derive(Debug)]
pub(crate) struct Experiments {
    plans: Vec<config::Experiment>,
    keys: Names<Key>,
    counts: Vec<Counts>,
    people: HashMap<u128, Person>,
    people_max: usize,
    days: u64,
    first_day: u64,
    /// The latest day with an event that a bound kept out.
    not_kept_day: Option<u64>,
    not_kept: u64,
}

impl Experiments {
    pub(crate) fn new(plans: &[config::Experiment], bounds: &Bounds, now_ms: u64) -> Self {
        let other = Key {
            experiment: OTHER.into(),
            variant: OTHER.into(),
        };
        Self {
            plans: plans.to_vec(),
            keys: Names::new(other, bounds.variants),
            counts: Vec::new(),
            people: HashMap::new(),
            people_max: bounds.experiment_visitors,
            days: bounds.experiment_days,
            first_day: experiments_from_ms(now_ms, bounds.experiment_days) / DAY_MS,
            not_kept_day: None,
            not_kept: 0,
        }
    }

    /// None counted yet, with the plans as they are now.
    pub(crate) fn emptied(&self, bounds: &Bounds, now_ms: u64) -> Self {
        Self::new(&self.plans, bounds, now_ms)
    }

    /// Plans an experiment anew, or without one takes its plan away.
    pub(crate) fn plan(&mut self, id: &str, plan: Option<config::Experiment>) {
        self.plans.retain(|known| known.id != id);
        self.plans.extend(plan);
    }

    /// Counts an event; only exposures and conversions matter. True when numbers may have changed.
    pub(crate) fn count(&mut self, row: &EventRow, currencies: &mut Names<Box<str>>) -> bool {
        let day = day_of(row.ord);
        if !matches!(row.kind, Kind::Exposure | Kind::Conversion) || day < self.first_day {
            return false;
        }
        let id = row.visitor.as_u128();
        let known = self.people.remove(&id);
        if known.is_none() && self.people.len() >= self.people_max {
            return self.keep_out(day);
        }
        let mut person = known.unwrap_or_default();
        self.tally(&person, false);
        let kept = if row.kind == Kind::Exposure {
            self.show(&mut person, row)
        } else {
            convert(&mut person, row, currencies)
        };
        self.tally(&person, true);
        if !person.shown.is_empty() || !person.conversions.is_empty() {
            self.people.insert(id, person);
        }
        if !kept {
            self.keep_out(day);
        }
        true
    }

    /// Lets time pass. True when days were forgotten.
    pub(crate) fn advance(&mut self, now_ms: u64, currencies: &mut Names<Box<str>>) -> bool {
        let first_day = experiments_from_ms(now_ms, self.days) / DAY_MS;
        if first_day <= self.first_day {
            return false;
        }
        self.first_day = first_day;
        let mut people = std::mem::take(&mut self.people);
        people.retain(|_, person| {
            let stays = |ord: u64| day_of(ord) >= first_day;
            let all = person.shown.iter().all(|shown| stays(shown.ord))
                && person.conversions.iter().all(|one| stays(one.ord));
            if all {
                return true;
            }
            self.tally(person, false);
            person.shown.retain(|shown| {
                let stays = stays(shown.ord);
                if !stays {
                    // Its counts are 0 by now, ready for the next of this number.
                    self.keys.release(shown.key, 1);
                }
                stays
            });
            person.conversions.retain(|one| {
                let stays = stays(one.ord);
                if let Some(currency) = one.currency.filter(|_| !stays) {
                    currencies.release(currency, 1);
                }
                stays
            });
            self.tally(person, true);
            !person.shown.is_empty() || !person.conversions.is_empty()
        });
        self.people = people;
        self.not_kept_day = self.not_kept_day.filter(|day| *day >= first_day);
        true
    }

    /// Whether every event of the counted days is in the numbers.
    pub(crate) fn nothing_left_out(&self) -> bool {
        self.not_kept_day.is_none()
    }

    /// Exposures and conversions from this time on are counted, Unix milliseconds.
    pub(crate) fn start_ms(&self) -> u64 {
        self.first_day * DAY_MS
    }

    /// Visitors kept, and events that a bound kept out.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.people.len(), self.not_kept)
    }

    /// Variants kept, and exposures to others.
    pub(crate) fn variants_usage(&self) -> (usize, u64) {
        self.keys.usage()
    }

    fn keep_out(&mut self, day: u64) -> bool {
        self.not_kept += 1;
        self.not_kept_day = self.not_kept_day.max(Some(day));
        true
    }

    /// Notes that a variant was shown. False past a bound.
    fn show(&mut self, person: &mut Person, row: &EventRow) -> bool {
        let variant = row.props.iter().find(|(name, _)| name == "variant");
        let key = KeyRef {
            experiment: &row.name,
            variant: variant.map_or("", |(_, variant)| variant),
        };
        let key = self.keys.acquire(&key, |key| Key {
            experiment: key.experiment.into(),
            variant: key.variant.into(),
        });
        let shown = Shown { ord: row.ord, key };
        let same = |known: &Shown| known.key == key && known.day() == shown.day();
        if key == OTHER_ID {
            self.keys.release(key, 1);
            return false;
        }
        if let Some(known) = person.shown.iter_mut().find(|known| same(known)) {
            known.ord = known.ord.min(shown.ord);
            self.keys.release(key, 1);
        } else if person.shown.len() < SHOWN_PER_VISITOR_MAX {
            person.shown.push(shown);
        } else {
            self.keys.release(key, 1);
            return false;
        }
        true
    }

    /// Adds what a visitor counts for to the numbers, or takes it out again.
    fn tally(&mut self, person: &Person, enters: bool) {
        for (at, shown) in person.shown.iter().enumerate() {
            let of = |shown: &Shown| self.keys.name(shown.key);
            // Of variants shown at the same instant of `ord` the first by name, as in SQL.
            let order = |shown: &Shown| (shown.ord, &of(shown).variant);
            let others = person.shown.iter().enumerate();
            let others = others.filter(|(_, other)| of(other).experiment == of(shown).experiment);
            let mut others = others.filter(|(other, _)| *other != at);
            if others.clone().any(|(_, other)| order(other) < order(shown)) {
                continue;
            }
            let conflicts = others.any(|(_, other)| other.key != shown.key);
            if self.counts.len() <= shown.key as usize {
                let len = shown.key as usize + 1;
                self.counts.resize_with(len, Counts::default);
            }
            let counts = &mut self.counts[shown.key as usize];
            let change = |count: &mut u64, by: u64| {
                *count = if enters { *count + by } else { *count - by };
            };
            change(counts.days.entry(shown.day()).or_default(), 1);
            counts.days.retain(|_, visitors| *visitors > 0);
            change(&mut counts.conflicting, u64::from(conflicts));
            let after = person.conversions.iter().filter(|one| one.ord > shown.ord);
            change(&mut counts.converted, u64::from(after.clone().count() > 0));
            for one in after {
                change(&mut counts.conversions, 1);
                match one.currency {
                    Some(currency) if enters => counts.value.add(currency, one.micros),
                    Some(currency) => counts.value.remove(currency, one.micros),
                    None => (),
                }
            }
        }
    }
}

/// Notes a conversion. False past the bound.
fn convert(person: &mut Person, row: &EventRow, currencies: &mut Names<Box<str>>) -> bool {
    if person.conversions.len() >= CONVERSIONS_PER_VISITOR_MAX {
        return false;
    }
    let valued = row.value != 0 || !row.currency.is_empty();
    person.conversions.push(Conversion {
        ord: row.ord,
        currency: valued.then(|| currencies.acquire_text(row.currency.as_str())),
        micros: row.value,
    });
    true
}
