//! A funnel's numbers: how many visitors are at which level, how long the last step took them, and
//! with what they began.
//!
//! Owns the counts, by beginning; every number and group is a sum over those a filter wants. The
//! level of one visitor is `chain`'s, words and SQL are `sql`'s.

mod sql;
mod stayed;

use super::chain::{EXCLUDES, Shape, StepRow};
use super::due::Due;
use super::entry::Entries;
use super::filter::{Filter, Wanted};
use super::names::NONE;
use super::origin::Origins;
use super::page::Pages;
use super::step::CompiledStep;
use super::took;
use super::visitor::{Counted, VisitorFunnel};
use crate::config::{Funnel as Definition, STEPS_MAX};
use crate::row::{Device, EventRow};
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use upriver_wire::live::{Funnel, FunnelGroup, FunnelLink, FunnelStep};

pub use stayed::Stayed;

/// Visitors by the exact level they are at, level 1 first.
type Levels = [u32; STEPS_MAX];

/// The visitors of one beginning.
#[derive(Debug, Default)]
struct Tally {
    at: Levels,
    open_at: Levels,
    /// Those who converted, by bin of the time it took them, ascending.
    took: Vec<(u16, u32)>,
}

/// What the numbers of a beginning mean.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) entries: &'a Entries,
    pub(crate) origins: &'a Origins,
    pub(crate) pages: &'a Pages,
}

/// One funnel of one site.
#[derive(Debug)]
pub(crate) struct FunnelCounts {
    pub(crate) id: String,
    /// What it was made from.
    definition: Definition,
    shape: Shape,
    steps: Vec<CompiledStep>,
    excludes: Vec<CompiledStep>,
    /// Kinds that some step wants, one bit each: most events are done with after this.
    kinds: u32,
    /// By beginning; nobody's has no entry.
    tallies: HashMap<u32, Tally>,
    /// When the window of an open visitor passes: deadline and place. An entry may be early, then
    /// it is put back, or for nobody, then it is dropped.
    deadlines: Due,
    /// Events past the bound of their visitor.
    not_kept: u64,
    /// Whether all events of the range are in it that it was there for, and those from before.
    whole: bool,
}

impl FunnelCounts {
    pub(crate) fn new(definition: &Definition) -> Self {
        let steps: Vec<_> = definition.steps.iter().map(CompiledStep::new).collect();
        let excludes: Vec<_> = definition.excludes.iter().map(CompiledStep::new).collect();
        let window_ms = u64::try_from(definition.window.as_millis()).unwrap_or(u64::MAX);
        Self {
            id: definition.id.clone(),
            definition: definition.clone(),
            shape: Shape {
                steps: steps.len(),
                window_ms,
            },
            kinds: steps
                .iter()
                .chain(&excludes)
                .fold(0, |kinds, step| kinds | 1 << step.kind as u32),
            steps,
            excludes,
            tallies: HashMap::new(),
            deadlines: Due::default(),
            not_kept: 0,
            whole: true,
        }
    }

    /// One that has yet to be given what was before it.
    pub(crate) fn without_past(definition: &Definition) -> Self {
        Self {
            whole: false,
            ..Self::new(definition)
        }
    }

    /// A place without a funnel, which counts nothing.
    pub(crate) fn free() -> Self {
        Self::new(&Definition {
            id: String::new(),
            name: String::new(),
            window: std::time::Duration::ZERO,
            steps: Vec::new(),
            excludes: Vec::new(),
        })
    }

    /// The same funnel, or place without one, that has yet to count everything.
    pub(crate) fn emptied(&self) -> Self {
        Self::new(&self.definition)
    }

    /// Whether this place has no funnel.
    pub(crate) fn is_free(&self) -> bool {
        self.steps.is_empty()
    }

    /// Its shape.
    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Names of its steps, in order.
    pub(crate) fn step_names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.name.as_str())
    }

    /// Where its numbers of one campaign are.
    pub(crate) fn link(&self) -> FunnelLink {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let encoded = self.id.bytes().map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        });
        FunnelLink {
            id: self.id.clone(),
            name: self.definition.name.clone(),
            url: format!(
                "/v1/live/funnel?id={}&campaign=",
                encoded.collect::<String>()
            ),
        }
    }

    /// What was before it was given.
    pub(crate) fn past_is_whole(&mut self) {
        self.whole = true;
    }

    /// Whether what was before it was given.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// The steps an event matches, one bit each, and whether it excludes.
    pub(crate) fn steps_of(&self, row: &EventRow) -> u16 {
        if self.kinds & (1 << row.kind as u32) == 0 {
            return 0;
        }
        let matched = self
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| step.matches(row));
        let steps = matched.fold(0, |steps, (at, _)| steps | 1 << at);
        match self.excludes.iter().any(|event| event.matches(row)) {
            true => steps | EXCLUDES,
            false => steps,
        }
    }

    /// Adds a visitor's row. False past the bound. `settle` must follow.
    pub(crate) fn insert(
        &mut self,
        place: &mut VisitorFunnel,
        row: StepRow,
        rows_max: usize,
    ) -> bool {
        let kept = place.chain.insert(row, self.shape, rows_max);
        if !kept {
            place.not_kept += 1;
            self.not_kept += 1;
        }
        kept
    }

    /// Forgets a visitor's rows before a time, handing on the use of a beginning that each had;
    /// `settle` must follow. True when some were forgotten.
    pub(crate) fn forget(
        &mut self,
        place: &mut VisitorFunnel,
        from_ms: u64,
        mut released: impl FnMut(u32),
    ) -> bool {
        // The numbers name the beginning of a row that may leave, so they let go of it first.
        if let Some(counted) = place.counted.take() {
            self.count(counted, false);
        }
        let gone = place.chain.forget(from_ms, |row| released(row.entry()));
        if place.chain.is_empty() {
            self.not_kept -= u64::from(place.not_kept);
            place.not_kept = 0;
        }
        gone
    }

    /// Empties the queue of deadlines; each visitor's `settle` fills it again.
    pub(crate) fn forget_deadlines(&mut self) {
        self.deadlines.clear();
    }

    /// Brings the numbers up to a visitor's level. True when they changed.
    pub(crate) fn settle(&mut self, place: &mut VisitorFunnel, visitor: u32, now_ms: u64) -> bool {
        place.chain.settle(self.shape);
        let deadline_ms = place.chain.deadline_ms(self.shape).unwrap_or(0);
        let level = place.chain.level();
        let times_ms = place.chain.times_ms();
        let next = place.chain.entry().map(|row| Counted {
            level: level as u8,
            open: level < self.shape.steps && now_ms <= deadline_ms,
            entry: row.entry(),
            took: times_ms
                .filter(|_| level == self.shape.steps)
                .map_or(0, |(began, reached)| took::bin(reached - began)),
        });
        if next.is_some_and(|counted| counted.open) && !place.queued {
            place.queued = true;
            self.deadlines.push(deadline_ms, visitor);
        }
        if next == place.counted {
            return false;
        }
        if let Some(counted) = place.counted {
            self.count(counted, false);
        }
        if let Some(counted) = next {
            self.count(counted, true);
        }
        place.counted = next;
        true
    }

    /// The next visitor whose window may have passed; the caller settles them.
    pub(crate) fn due(&mut self, now_ms: u64) -> Option<u32> {
        self.deadlines.before(now_ms)
    }

    fn count(&mut self, counted: Counted, enters: bool) {
        let tally = self.tallies.entry(counted.entry).or_default();
        let add = |count: &mut u32| *count = if enters { *count + 1 } else { *count - 1 };
        let at = usize::from(counted.level) - 1;
        add(&mut tally.at[at]);
        if counted.open {
            add(&mut tally.open_at[at]);
        }
        if at + 1 == self.shape.steps {
            let place = tally
                .took
                .binary_search_by_key(&counted.took, |(bin, _)| *bin);
            let place = place.unwrap_or_else(|place| {
                tally.took.insert(place, (counted.took, 0));
                place
            });
            add(&mut tally.took[place].1);
            if tally.took[place].1 == 0 {
                tally.took.remove(place);
            }
        }
        if tally.at.iter().all(|count| *count == 0) {
            self.tallies.remove(&counted.entry);
        }
    }

    /// Events not kept because their visitor had too many.
    pub(crate) fn not_kept(&self) -> u64 {
        self.not_kept
    }

    /// The numbers now, of the visitors whose first step a filter wants.
    pub(crate) fn data(&self, filter: &Filter, known: Known<'_>) -> Funnel {
        let wanted = Wanted::new(filter, known.origins);
        let (mut at, mut open_at) = (Levels::default(), Levels::default());
        let mut took: BTreeMap<u16, u64> = BTreeMap::new();
        let mut groups: HashMap<Group, Levels> = HashMap::new();
        for (entry, tally) in &self.tallies {
            let entry = known.entries.get(*entry);
            let origin = known.origins.get(entry.origin);
            if !wanted.holds(origin, 0, entry.robot) {
                continue;
            }
            add(&mut at, &tally.at);
            add(&mut open_at, &tally.open_at);
            for (bin, visitors) in &tally.took {
                *took.entry(*bin).or_default() += u64::from(*visitors);
            }
            let variants = origin.variants.iter().map(|id| Group::Variant(Some(*id)));
            let no_variant = origin.variants.is_empty().then_some(Group::Variant(None));
            let own = [
                Group::Campaign(origin.campaign),
                Group::Device(origin.device),
                Group::Page(entry.page),
                Group::Source(entry.source),
            ];
            for group in own.into_iter().chain(variants).chain(no_variant) {
                add(groups.entry(group).or_default(), &tally.at);
            }
        }
        let took: Vec<_> = took
            .into_iter()
            .map(|(bin, visitors)| (took::from_ms(bin), visitors))
            .collect();
        Funnel {
            basis: None,
            id: self.id.clone(),
            name: self.definition.name.clone(),
            window_ms: self.shape.window_ms,
            steps: self.step_rows(&at, &open_at),
            median_ms: took::median_ms(&took),
            took,
            groups: self.group_rows(groups, known),
        }
    }

    fn step_rows(&self, at: &Levels, open_at: &Levels) -> Vec<FunnelStep> {
        let reached = self.reached(at);
        let last = self.shape.steps - 1;
        let row = |(place, step): (usize, &CompiledStep)| {
            let stayed = match place == last {
                true => 0,
                false => u64::from(at[place]),
            };
            let open = u64::from(open_at[place]);
            FunnelStep {
                name: step.name.clone(),
                matches: step.words(),
                visitors: reached[place],
                open,
                lost: stayed - open,
            }
        };
        self.steps.iter().enumerate().map(row).collect()
    }

    fn group_rows(&self, groups: HashMap<Group, Levels>, known: Known<'_>) -> Vec<FunnelGroup> {
        let mut rows: Vec<_> = groups
            .iter()
            .map(|(group, levels)| {
                let (dimension, value) = group.names(known);
                FunnelGroup {
                    dimension: dimension.into(),
                    value: if value.is_empty() { NONE } else { value }.into(),
                    visitors: self.reached(levels),
                }
            })
            .collect();
        // Most visitors first; a name decides between equals, so that the order is always the same.
        rows.sort_by(|a, b| {
            (&a.dimension, Reverse(a.visitors[0]), &a.value).cmp(&(
                &b.dimension,
                Reverse(b.visitors[0]),
                &b.value,
            ))
        });
        rows
    }

    fn reached(&self, levels: &Levels) -> Vec<u64> {
        let mut sum = 0;
        let mut reached: Vec<u64> = Vec::with_capacity(self.shape.steps);
        for at in (0..self.shape.steps).rev() {
            sum += u64::from(levels[at]);
            reached.push(sum);
        }
        reached.reverse();
        reached
    }
}

/// By what visitors are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Group {
    Campaign(u32),
    Device(Device),
    Page(u32),
    Source(u32),
    Variant(Option<u32>),
}

impl Group {
    /// Its dimension and value.
    fn names(self, known: Known<'_>) -> (&'static str, &'_ str) {
        match self {
            Self::Campaign(id) => ("campaign", known.origins.campaigns.name(id)),
            Self::Device(device) => ("device", device.name()),
            Self::Page(id) => ("page", known.pages.paths.name(id)),
            Self::Source(id) => ("source", known.entries.sources.name(id)),
            Self::Variant(None) => ("variant", ""),
            Self::Variant(Some(id)) => ("variant", known.origins.variants.name(id)),
        }
    }
}

fn add(sum: &mut Levels, levels: &Levels) {
    sum.iter_mut()
        .zip(levels)
        .for_each(|(sum, count)| *sum += count);
}
