//! How far one visitor got in one funnel: the definition itself, over that visitor's step rows.
//!
//! A chain is a list of distinct rows e1…ek matching steps 1…k, `ord` never falling, with
//! ms(ek) − ms(e1) ≤ W, and no excluding row from e1 to before ek. The level is the longest chain. Rows come in any order; a row past all
//! others costs O(steps), any other marks the chain stale and it is replayed once a batch.
//! Knows no names, no counts and no clock.

use crate::config::STEPS_MAX;
use smallvec::SmallVec;

/// No row.
const NO_ROW: u16 = u16::MAX;

// A row is named by 16 bits, and the last number means none.
const _: () = assert!(super::limits::FUNNEL_ROWS_MAX < NO_ROW as usize);
/// The bit of a row that no chain may go past, above those of its steps.
pub(crate) const EXCLUDES: u16 = 1 << STEPS_MAX;
/// Bits of the steps of a row.
const STEPS_BITS: u32 = EXCLUDES.ilog2() + 1;

// A beginning shares a word with them.
const _: () = assert!(super::entry::NO_ENTRY <= u32::MAX >> STEPS_BITS);

/// One event that matches a step. Sixteen bytes, as there are more of these than visitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StepRow {
    /// Its order: milliseconds above 20 bits of tie.
    ord: u64,
    /// Tells rows of the same `ord` apart, the same way whatever order they came in.
    tie: u32,
    /// The beginning above the steps.
    entry_and_steps: u32,
}

impl StepRow {
    /// A row of an order, with what a chain begins with that begins here, which is
    /// [`super::entry::NO_ENTRY`] where none can; and the steps it matches, one bit each, with
    /// [`EXCLUDES`].
    pub(crate) fn new((ord, tie): (u64, u32), entry: u32, steps: u16) -> Self {
        Self {
            ord,
            tie,
            entry_and_steps: entry << STEPS_BITS | u32::from(steps),
        }
    }

    /// What a chain begins with that begins here.
    pub(crate) fn entry(&self) -> u32 {
        self.entry_and_steps >> STEPS_BITS
    }

    fn steps(&self) -> u16 {
        (self.entry_and_steps & ((1 << STEPS_BITS) - 1)) as u16
    }

    fn matches(&self, step: usize) -> bool {
        self.steps() & (1 << step) != 0
    }

    fn ms(&self) -> u64 {
        self.ord >> 20
    }
}

/// The shape of a funnel, as far as a chain needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Steps.
    pub(crate) steps: usize,
    /// Time from the first row within which the others must follow, milliseconds.
    pub(crate) window_ms: u64,
}

/// One visitor's rows and how far they reach.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// By `(ord, tie)`; many visitors have one.
    rows: SmallVec<[StepRow; 1]>,
    /// The latest row that begins a chain of each length.
    best: [u16; STEPS_MAX],
    /// Length of the longest chain.
    level: u8,
    /// First row of the chain that got there first; of several, the latest.
    entry: u16,
    /// The row with which it got there.
    reached: u16,
    /// Rows came in between or left: everything but `rows` must be computed again.
    stale: bool,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            rows: SmallVec::new(),
            best: [NO_ROW; STEPS_MAX],
            level: 0,
            entry: NO_ROW,
            reached: NO_ROW,
            stale: false,
        }
    }
}

impl Chain {
    /// Adds a row. Returns false, and keeps nothing, past `rows_max`.
    pub(crate) fn insert(&mut self, row: StepRow, shape: Shape, rows_max: usize) -> bool {
        if self.rows.len() >= rows_max {
            return false;
        }
        let in_order = self.rows.last().is_none_or(|last| last.ord < row.ord);
        if in_order {
            self.rows.push(row);
            if !self.stale {
                self.step(self.rows.len() - 1, shape);
            }
        } else {
            let key = (row.ord, row.tie);
            let place = self
                .rows
                .partition_point(|other| (other.ord, other.tie) <= key);
            self.rows.insert(place, row);
            self.stale = true;
        }
        true
    }

    /// Forgets rows before a time, handing each to `forgotten`. Returns whether there were any.
    pub(crate) fn forget(&mut self, from_ms: u64, forgotten: impl FnMut(&StepRow)) -> bool {
        let gone = self.rows.partition_point(|row| row.ms() < from_ms);
        self.rows[..gone].iter().for_each(forgotten);
        self.rows.drain(..gone);
        self.stale |= gone > 0;
        gone > 0
    }

    /// Computes again what is stale.
    pub(crate) fn settle(&mut self, shape: Shape) {
        if !self.stale {
            return;
        }
        self.stale = false;
        self.best = [NO_ROW; STEPS_MAX];
        (self.level, self.entry, self.reached) = (0, NO_ROW, NO_ROW);
        let mut start = 0;
        while start < self.rows.len() {
            start = self.step_order(start, shape);
        }
    }

    /// At each of some moments, ascending and as `ord`, how many steps the longest chain of the rows
    /// before it has that could still go on then.
    pub(crate) fn standing(&self, shape: Shape, moments: impl Iterator<Item = u64>) -> Vec<u8> {
        let mut replay = Self {
            rows: self.rows.clone(),
            ..Self::default()
        };
        let mut start = 0;
        let at = |moment: u64| {
            while replay.rows.get(start).is_some_and(|row| row.ord < moment) {
                start = replay.step_order(start, shape);
            }
            let ms = moment >> 20;
            let goes_on = |first: &u16| {
                let first = replay.rows.get(usize::from(*first));
                first.is_some_and(|e1| ms - e1.ms() <= shape.window_ms)
            };
            let longest = replay.best[..shape.steps].iter().rposition(goes_on);
            longest.map_or(0, |step| step as u8 + 1)
        };
        moments.map(at).collect()
    }

    /// Takes all rows of the order of one. Returns the first after them.
    fn step_order(&mut self, start: usize, shape: Shape) -> usize {
        let ord = self.rows[start].ord;
        let mut end = start + 1;
        while self.rows.get(end).is_some_and(|row| row.ord == ord) {
            end += 1;
        }
        if end - start == 1 {
            self.step(start, shape);
        } else {
            self.step_tied(start, end, shape);
        }
        end
    }

    /// Whether rows came in since the last `settle` that need one.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale
    }

    /// Whether no row is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Steps reached, 0 to the number of steps.
    pub(crate) fn level(&self) -> usize {
        usize::from(self.level)
    }

    /// The row with whose beginning the visitor counts; none at level 0.
    pub(crate) fn entry(&self) -> Option<&StepRow> {
        self.rows.get(usize::from(self.entry))
    }

    /// When the chain of the entry began and when it got to its level, Unix milliseconds; none at
    /// level 0.
    pub(crate) fn times_ms(&self) -> Option<(u64, u64)> {
        let reached = self.rows.get(usize::from(self.reached))?;
        Some((self.entry()?.ms(), reached.ms()))
    }

    /// Until when the chain of the latest entry may grow, Unix milliseconds; none at level 0.
    pub(crate) fn deadline_ms(&self, shape: Shape) -> Option<u64> {
        self.rows
            .get(usize::from(self.best[0]))
            .map(|row| row.ms().saturating_add(shape.window_ms))
    }

    /// Takes one row whose `ord` no other row has.
    fn step(&mut self, at: usize, shape: Shape) {
        let row = self.rows[at];
        // Downwards, so that a row never follows itself.
        for step in (1..shape.steps).rev() {
            if row.matches(step) && self.reaches(self.best[step - 1], row, shape) {
                self.best[step] = later(self.best[step], self.best[step - 1]);
            }
        }
        if row.matches(0) {
            self.best[0] = at as u16;
        }
        self.attain(at, shape);
        if row.steps() & EXCLUDES != 0 {
            self.best = [NO_ROW; STEPS_MAX];
        }
    }

    /// Takes rows of the same `ord`: any order among them is allowed, but each counts once.
    fn step_tied(&mut self, start: usize, end: usize, shape: Shape) {
        let group = Group::new(&self.rows[start..end], start, shape.steps);
        let before = self.best;
        let row = self.rows[start];
        for level in 1..shape.steps {
            let first = before[level - 1];
            if self.reaches(first, row, shape) {
                for step in level..group.reach(level, None) {
                    self.best[step] = later(self.best[step], first);
                }
            }
        }
        for first in group.entries() {
            self.best[0] = later(self.best[0], first);
            for step in 1..group.reach(1, Some(first)) {
                self.best[step] = later(self.best[step], first);
            }
        }
        self.attain(start, shape);
        let excludes = |row: &StepRow| row.steps() & EXCLUDES != 0;
        if self.rows[start..end].iter().any(excludes) {
            self.best = [NO_ROW; STEPS_MAX];
        }
    }

    /// Whether a chain that began with `first` may hold `row`.
    fn reaches(&self, first: u16, row: StepRow, shape: Shape) -> bool {
        self.rows
            .get(usize::from(first))
            .is_some_and(|e1| row.ms() - e1.ms() <= shape.window_ms)
    }

    /// Notes a level reached for the first time, with a row or another of the same order.
    fn attain(&mut self, at: usize, shape: Shape) {
        let level = self.best[..shape.steps]
            .iter()
            .take_while(|&&best| best != NO_ROW)
            .count();
        if level > usize::from(self.level) {
            self.level = level as u8;
            self.entry = self.best[level - 1];
            self.reached = at as u16;
        }
    }
}

/// The later of two first rows, of which either may be none.
fn later(a: u16, b: u16) -> u16 {
    match (a, b) {
        (NO_ROW, other) | (other, NO_ROW) => other,
        (a, b) => a.max(b),
    }
}

/// Rows of the same `ord`, no more of a kind than steps could use.
struct Group {
    steps: usize,
    /// Place among all rows and steps matched, latest first.
    rows: Vec<(u16, u16)>,
}

impl Group {
    fn new(rows: &[StepRow], start: usize, steps: usize) -> Self {
        let mut kinds: Vec<(u16, usize)> = Vec::new();
        let mut kept = Vec::new();
        for (place, row) in rows.iter().enumerate().rev() {
            let kind = match kinds.iter().position(|(steps, _)| *steps == row.steps()) {
                Some(kind) => kind,
                None => {
                    kinds.push((row.steps(), 0));
                    kinds.len() - 1
                }
            };
            if kinds[kind].1 < steps {
                kinds[kind].1 += 1;
                kept.push(((start + place) as u16, row.steps()));
            }
        }
        Self { steps, rows: kept }
    }

    /// Rows that may begin a chain; of those that match the same steps, the latest.
    fn entries(&self) -> impl Iterator<Item = u16> {
        let first_of_kind = |at: usize| !self.rows[..at].iter().any(|row| row.1 == self.rows[at].1);
        let entry = move |at: &usize| self.rows[*at].1 & 1 != 0 && first_of_kind(*at);
        (0..self.rows.len()).filter(entry).map(|at| self.rows[at].0)
    }

    /// Steps reached from `from` steps, each next step by a row of its own and none by `without`.
    fn reach(&self, from: usize, without: Option<u16>) -> usize {
        // Which row serves each step: a matching grown by one step at a time.
        let mut serves: Vec<Option<usize>> = vec![None; self.rows.len()];
        for step in from..self.steps {
            let mut tried: Vec<bool> = self
                .rows
                .iter()
                .map(|(place, _)| Some(*place) == without)
                .collect();
            if !self.assign(step, &mut serves, &mut tried) {
                return step;
            }
        }
        self.steps
    }

    /// Finds a row for a step, moving other steps to other rows where that helps.
    fn assign(&self, step: usize, serves: &mut [Option<usize>], tried: &mut [bool]) -> bool {
        for at in 0..self.rows.len() {
            if tried[at] || self.rows[at].1 & (1 << step) == 0 {
                continue;
            }
            tried[at] = true;
            if serves[at].is_none_or(|other| self.assign(other, serves, tried)) {
                serves[at] = Some(step);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
