//! A funnel's numbers: how many visitors are at which level, and in which group.
//!
//! Owns the counts, the printed definition and the SQL. The level of one visitor is `chain`'s.

use super::chain::{EXCLUDES, Shape, StepRow};
use super::names::{NONE, OTHER};
use super::origin::Origins;
use super::sql;
use super::step::CompiledStep;
use super::visitor::{Counted, VisitorFunnel};
use crate::config::{Funnel as Definition, STEPS_MAX};
use crate::row::{Device, EventRow};
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use upriver_wire::live::{Funnel, FunnelGroup, FunnelStep};

/// Visitors by the exact level they are at, level 1 first.
type Levels = [u32; STEPS_MAX];

/// One funnel of one site.
#[derive(Debug)]
pub(crate) struct FunnelCounts {
    pub(crate) id: String,
    name: String,
    shape: Shape,
    steps: Vec<CompiledStep>,
    excludes: Vec<CompiledStep>,
    /// Kinds that some step wants, one bit each: most events are done with after this.
    kinds: u32,
    at: Levels,
    open_at: Levels,
    campaigns: HashMap<u32, Levels>,
    variants: HashMap<Option<u32>, Levels>,
    devices: [Levels; 4],
    /// When the window of an open visitor passes: deadline and place. An entry may be early, then
    /// it is put back, or for nobody, then it is dropped.
    deadlines: BinaryHeap<Reverse<(u64, u32)>>,
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
            name: definition.name.clone(),
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
            at: Levels::default(),
            open_at: Levels::default(),
            campaigns: HashMap::new(),
            variants: HashMap::new(),
            devices: Default::default(),
            deadlines: BinaryHeap::new(),
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

    /// Whether this place has no funnel.
    pub(crate) fn is_free(&self) -> bool {
        self.steps.is_empty()
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

    /// Forgets a visitor's rows before a time; `settle` must follow. True when some were forgotten.
    pub(crate) fn forget(
        &mut self,
        place: &mut VisitorFunnel,
        from_ms: u64,
        origins: &mut Origins,
    ) -> bool {
        // The numbers name the origin of a row that may leave, so they let go of it first.
        if let Some(counted) = place.counted.take() {
            self.count(counted, origins, false);
        }
        let gone = place
            .chain
            .forget(from_ms, |row| origins.release(row.origin));
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
    pub(crate) fn settle(
        &mut self,
        place: &mut VisitorFunnel,
        visitor: u32,
        origins: &Origins,
        now_ms: u64,
    ) -> bool {
        place.chain.settle(self.shape);
        let deadline_ms = place.chain.deadline_ms(self.shape).unwrap_or(0);
        let level = place.chain.level();
        let next = place.chain.entry().map(|entry| Counted {
            level: level as u8,
            open: level < self.shape.steps && now_ms <= deadline_ms,
            origin: entry.origin,
        });
        if next.is_some_and(|counted| counted.open) && !place.queued {
            place.queued = true;
            self.deadlines.push(Reverse((deadline_ms, visitor)));
        }
        if next == place.counted {
            return false;
        }
        if let Some(counted) = place.counted {
            self.count(counted, origins, false);
        }
        if let Some(counted) = next {
            self.count(counted, origins, true);
        }
        place.counted = next;
        true
    }

    /// The next visitor whose window may have passed; the caller settles them.
    pub(crate) fn due(&mut self, now_ms: u64) -> Option<u32> {
        self.deadlines
            .peek()
            .filter(|Reverse((deadline_ms, _))| *deadline_ms < now_ms)?;
        self.deadlines.pop().map(|Reverse((_, visitor))| visitor)
    }

    fn count(&mut self, counted: Counted, origins: &Origins, enters: bool) {
        let add = |levels: &mut Levels| {
            let count = &mut levels[usize::from(counted.level) - 1];
            *count = if enters { *count + 1 } else { *count - 1 };
            levels.iter().all(|count| *count == 0)
        };
        add(&mut self.at);
        if counted.open {
            add(&mut self.open_at);
        }
        let origin = origins.get(counted.origin);
        add(&mut self.devices[origin.device as usize]);
        if add(self.campaigns.entry(origin.campaign).or_default()) {
            self.campaigns.remove(&origin.campaign);
        }
        let none: [Option<u32>; 1] = [None];
        let some = origin.variants.iter().map(|variant| Some(*variant));
        let none = none.into_iter().filter(|_| origin.variants.is_empty());
        for variant in some.chain(none) {
            if add(self.variants.entry(variant).or_default()) {
                self.variants.remove(&variant);
            }
        }
    }

    /// Events not kept because their visitor had too many.
    pub(crate) fn not_kept(&self) -> u64 {
        self.not_kept
    }

    /// The numbers now.
    pub(crate) fn data(&self, origins: &Origins) -> Funnel {
        let reached = self.reached(&self.at);
        let last = self.shape.steps - 1;
        let steps = self.steps.iter().enumerate().map(|(at, step)| {
            let stayed = if at == last {
                0
            } else {
                u64::from(self.at[at])
            };
            let open = u64::from(self.open_at[at]);
            FunnelStep {
                name: step.name.clone(),
                matches: step.words(),
                visitors: reached[at],
                open,
                lost: stayed - open,
            }
        });
        let mut groups = Vec::new();
        let mut group = |dimension: &str, value: &str, levels: &Levels| {
            let value = if value.is_empty() { NONE } else { value }.to_string();
            let dimension = dimension.to_string();
            groups.push(FunnelGroup {
                dimension,
                value,
                visitors: self.reached(levels),
            });
        };
        for (campaign, levels) in &self.campaigns {
            group("campaign", origins.campaigns.name(*campaign), levels);
        }
        for device in Device::ALL {
            let levels = &self.devices[*device as usize];
            if levels.iter().any(|count| *count > 0) {
                group("device", device.name(), levels);
            }
        }
        for (variant, levels) in &self.variants {
            let name = variant.map_or("", |variant| origins.variants.name(variant));
            group("variant", name, levels);
        }
        // Most visitors first; a name decides between equals, so that the order is always the same.
        groups.sort_by(|a, b| {
            (&a.dimension, Reverse(a.visitors[0]), &a.value).cmp(&(
                &b.dimension,
                Reverse(b.visitors[0]),
                &b.value,
            ))
        });
        Funnel {
            basis: None,
            id: self.id.clone(),
            name: self.name.clone(),
            window_ms: self.shape.window_ms,
            steps: steps.collect(),
            groups,
        }
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

    /// The definition in words, from the steps as they are.
    pub(crate) fn definition(&self) -> String {
        let steps: Vec<String> = self
            .steps
            .iter()
            .enumerate()
            .map(|(at, step)| format!("{}. {} ({})", at + 1, step.name, step.words()))
            .collect();
        let window = humantime_serde::re::humantime::format_duration(
            std::time::Duration::from_millis(self.shape.window_ms),
        );
        let excludes: Vec<String> = self.excludes.iter().map(CompiledStep::words).collect();
        let (except, after) = match excludes.is_empty() {
            true => (String::new(), ""),
            false => (
                format!(
                    ", and without any of these from e1 on to before ek: {}",
                    excludes.join("; ")
                ),
                ", with none of those since,",
            ),
        };
        format!(
            "Steps: {}. A visitor reaches step k if there are k different events e1 to ek of \
             theirs that match steps 1 to k, ordered by ord (time in milliseconds, then stream, \
             then number in the stream), with the time of ek at most {window} after that of e1 \
             and e1 within the counted range{except}. A visitor counts once, with the longest such chain. \
             Campaign, variant and device are those of e1 of the chain that reached that length \
             first; if there are several such e1, the latest. Open: got no further, but their \
             latest e1{after} is at most {window} ago. Lost: got no further, and it is longer ago. Past \
             the bounds of memory, campaigns and variants count as {OTHER}.",
            steps.join("; "),
        )
    }

    /// The query that gives the same numbers: one row a step.
    ///
    /// `windowFunnel` compares its window with the whole key, ties included, so a chain one
    /// millisecond too long could pass when its first event has the larger tie. Doubling the
    /// milliseconds in the key leaves the order as it is and puts a gap between "in" and "out"
    /// that no tie can bridge.
    pub(crate) fn sql(&self, site: &str, from_ms: u64) -> String {
        let conditions: Vec<String> = self
            .steps
            .iter()
            .map(|step| format!("        {}", step.sql()))
            .collect();
        let counts: Vec<String> = (1..=self.steps.len())
            .map(|step| format!("countIf(level >= {step})"))
            .collect();
        let window = u128::from(self.shape.window_ms) * (1 << 21) + ((1 << 20) - 1);
        let key = "ord + bitShiftLeft(bitShiftRight(ord, 20), 20)";
        if !self.excludes.is_empty() {
            return self.sql_between_exclusions(
                &counts,
                &conditions,
                window,
                key,
                &sql::in_range(site, from_ms),
            );
        }
        format!(
            "SELECT step, visitors\nFROM\n(\n    SELECT [{counts}] AS reached\n    FROM\n    (\n      \
             SELECT windowFunnel({window}, 'strict_once')(\n        \
             {key},\n{conditions}) AS level\n      \
             FROM events\n      WHERE {rows}\n      GROUP BY visitor\n    )\n)\n\
             ARRAY JOIN reached AS visitors, arrayEnumerate(reached) AS step\nORDER BY step",
            counts = counts.join(", "),
            conditions = conditions.join(",\n"),
            rows = sql::in_range(site, from_ms),
        )
    }

    /// The same, where a visitor's events are cut into stretches: a new one begins behind each
    /// excluding event, and no chain goes from one into the next.
    fn sql_between_exclusions(
        &self,
        counts: &[String],
        conditions: &[String],
        window: u128,
        key: &str,
        rows: &str,
    ) -> String {
        let excludes: Vec<String> = self.excludes.iter().map(CompiledStep::sql).collect();
        format!(
            "SELECT step, visitors\nFROM\n(\n    SELECT [{counts}] AS reached\n    FROM\n    (\n      \
             SELECT visitor, max(reached_there) AS level\n      FROM\n      (\n        \
             SELECT visitor, stretch, windowFunnel({window}, 'strict_once')(\n        \
             {key},\n{conditions}) AS reached_there\n        FROM\n        (\n          \
             SELECT *, sum(excludes) OVER (PARTITION BY visitor ORDER BY ord)\n            \
             - sum(excludes) OVER (PARTITION BY visitor, ord) AS stretch\n          FROM\n          (\n            \
             SELECT visitor, ord, kind, path, element, name, props,\n              \
             toUInt64({excludes}) AS excludes\n            FROM events\n            \
             WHERE {rows}\n          )\n        )\n        GROUP BY visitor, stretch\n      )\n      \
             GROUP BY visitor\n    )\n)\n\
             ARRAY JOIN reached AS visitors, arrayEnumerate(reached) AS step\nORDER BY step",
            counts = counts.join(", "),
            conditions = conditions.join(",\n"),
            excludes = format_args!("({})", excludes.join(") OR (")),
        )
    }
}
