//! Heat maps of every kind: cells over each element, the window or the document, by page, origin,
//! window width and whether it looks like a program's; by minute while recent, else by hour.
//!
//! Owns which keys are kept. What an event adds is `kind`'s, the cells are `grid`'s. Knows no
//! strings but those it is asked with: names and descriptors are looked up.

mod grid;
mod kind;

pub use kind::{HeatKind, Over};

use super::element::Elements;
use super::filter::{Filter, Wanted, is_robot};
use super::limits::Bounds;
use super::names::OTHER;
use super::origin::Origins;
use super::range::{HOUR_MS, Range};
use super::window::{MINUTE_MS, first_recent_minute};
use crate::row::EventRow;
use grid::{Added, Grid, Since};
use hashbrown::HashMap;
use kind::Mark;
use std::collections::BTreeMap;
use upriver_wire::ElementId;
use upriver_wire::live::{HeatElement, HeatMap};

/// The element that stands for all past the bound. No element has this number.
pub(crate) const OTHER_ELEMENT: u64 = u64::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    element: u64,
    origin: u32,
    width: u16,
    kind: HeatKind,
    robot: bool,
}

/// All grids of one site.
#[derive(Debug)]
pub(crate) struct Heat {
    pages: HashMap<u32, HashMap<Key, Grid>>,
    first_hour: u64,
    first_minute: u64,
    keys: usize,
    keys_max: usize,
    cells: usize,
    cells_max: usize,
    overflowed: u64,
    marks: Vec<Mark>,
}

impl Heat {
    pub(crate) fn new(bounds: &Bounds, now_ms: u64) -> Self {
        Self {
            pages: HashMap::new(),
            first_hour: Range::at(now_ms).start_ms() / HOUR_MS,
            first_minute: first_recent_minute(now_ms),
            keys: 0,
            keys_max: bounds.heat_keys,
            cells: 0,
            cells_max: bounds.heat_cells,
            overflowed: 0,
            marks: Vec::new(),
        }
    }

    /// Counts an event of the range in every kind it is in.
    pub(crate) fn count(&mut self, row: &EventRow, page: u32, origins: &mut Origins) {
        let kinds = HeatKind::of(row.kind);
        if kinds.is_empty() {
            return;
        }
        let origin = origins.acquire(row);
        let mut marks = std::mem::take(&mut self.marks);
        for kind in kinds {
            marks.clear();
            let element = kind.marks(row, &mut marks);
            let key = Key {
                element,
                origin,
                width: row.width_bucket,
                kind: *kind,
                robot: is_robot(row),
            };
            if !marks.is_empty() {
                self.add(page, key, row, &marks, origins);
            }
        }
        self.marks = marks;
        // Every key that was made has taken a use of its own.
        origins.release(origin);
    }

    fn add(&mut self, page: u32, key: Key, row: &EventRow, marks: &[Mark], origins: &mut Origins) {
        let minute = row.time as u64 / MINUTE_MS;
        let grids = self.pages.entry(page).or_default();
        let mut others = 0;
        if let Some(grid) = grid(grids, key, &mut self.keys, self.keys_max, origins) {
            for mark in marks {
                let may_grow = self.cells < self.cells_max;
                match grid.add(minute, self.first_minute, *mark, may_grow) {
                    Added::ToKnown => (),
                    Added::Made => self.cells += 1,
                    Added::Refused => others += u64::from(mark.1),
                }
            }
        } else {
            others = marks.iter().map(|(_, amount)| u64::from(*amount)).sum();
        }
        if others == 0 {
            return;
        }
        self.overflowed += 1;
        let origin = origins.acquire_other(row.device);
        let other = Key {
            element: OTHER_ELEMENT,
            origin,
            width: 0,
            ..key
        };
        // There are few of these: they may go past the bound.
        if let Some(grid) = grid(grids, other, &mut self.keys, usize::MAX, origins) {
            while others > 0 {
                let amount = u32::try_from(others).unwrap_or(u32::MAX);
                others -= u64::from(amount);
                let added = grid.add(minute, self.first_minute, (0, amount), true);
                self.cells += usize::from(added == Added::Made);
            }
        }
        origins.release(origin);
    }

    /// Lets time pass: minutes that are not recent any more become hours.
    pub(crate) fn advance(&mut self, now_ms: u64) {
        let first_minute = first_recent_minute(now_ms);
        if first_minute <= self.first_minute {
            return;
        }
        for grid in self.pages.values_mut().flat_map(HashMap::values_mut) {
            self.cells -= grid.fold(self.first_minute, first_minute);
        }
        self.first_minute = first_minute;
    }

    /// Forgets what happened before a whole hour, Unix milliseconds.
    pub(crate) fn forget(&mut self, from_ms: u64, origins: &mut Origins) {
        let first_hour = from_ms / HOUR_MS;
        let (keys, cells) = (&mut self.keys, &mut self.cells);
        self.pages.retain(|_, grids| {
            grids.retain(|key, grid| {
                *cells -= grid.forget(self.first_hour, first_hour);
                let stays = grid.cells() > 0;
                if !stays {
                    origins.release(key.origin);
                    *keys -= 1;
                }
                stays
            });
            !grids.is_empty()
        });
        self.first_hour = first_hour;
    }

    /// The numbers of some pages now; of no page, none.
    pub(crate) fn data(
        &self,
        kind: HeatKind,
        pages: &[u32],
        filter: &Filter,
        origins: &Origins,
        elements: &Elements,
        now_ms: u64,
    ) -> HeatMap {
        let mut found: BTreeMap<u64, BTreeMap<u16, u64>> = BTreeMap::new();
        self.each(
            &[kind],
            pages,
            filter,
            origins,
            now_ms,
            |_, element, cell, amount| {
                *found.entry(element).or_default().entry(cell).or_default() += amount;
            },
        );
        message(kind, filter, found, elements)
    }

    /// Hands over what was counted: kind, element, cell, amount; a cell may come several times.
    pub(crate) fn each(
        &self,
        kinds: &[HeatKind],
        pages: &[u32],
        filter: &Filter,
        origins: &Origins,
        now_ms: u64,
        mut take: impl FnMut(HeatKind, u64, u16, u64),
    ) {
        let since = Since {
            first_hour: self.first_hour,
            first_minute: self.first_minute,
            from_ms: filter.window.start_ms(now_ms),
        };
        let wanted = Wanted::new(filter, origins);
        let grids = pages.iter().filter_map(|page| self.pages.get(page));
        for (key, grid) in grids.flatten() {
            let holds = || wanted.holds(origins.get(key.origin), key.width, key.robot);
            if kinds.contains(&key.kind) && holds() {
                for (cell, amount) in grid.since(since) {
                    take(key.kind, key.element, cell, amount);
                }
            }
        }
    }

    /// Keys kept, and events counted as `(other)` for want of room.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.keys, self.overflowed)
    }

    /// Cells kept.
    pub(crate) fn cells(&self) -> usize {
        self.cells
    }
}

/// The grid of a key, made if absent; none past the bound.
fn grid<'a>(
    grids: &'a mut HashMap<Key, Grid>,
    key: Key,
    keys: &mut usize,
    keys_max: usize,
    origins: &mut Origins,
) -> Option<&'a mut Grid> {
    match grids.entry(key) {
        hashbrown::hash_map::Entry::Occupied(entry) => Some(entry.into_mut()),
        hashbrown::hash_map::Entry::Vacant(_) if *keys >= keys_max => None,
        hashbrown::hash_map::Entry::Vacant(entry) => {
            *keys += 1;
            origins.again(key.origin);
            Some(entry.insert(Grid::default()))
        }
    }
}

/// The answer of cells by element.
pub(crate) fn message(
    kind: HeatKind,
    filter: &Filter,
    found: BTreeMap<u64, BTreeMap<u16, u64>>,
    elements: &Elements,
) -> HeatMap {
    let mut rows: Vec<HeatElement> = found
        .into_iter()
        .filter(|(_, cells)| !cells.is_empty())
        .map(|(element, cells)| {
            let known = elements.get(element);
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            let selector = text(known.map(|row| &*row.selector));
            let mut label = text(known.map(|row| &*row.label));
            let role = text(known.map(|row| &*row.role));
            if element == OTHER_ELEMENT {
                label = OTHER.into();
            }
            HeatElement {
                element: ElementId(element),
                selector,
                label,
                role,
                total: cells.values().sum(),
                cells: cells.into_iter().collect(),
            }
        })
        .collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.total), row.element));
    let (columns, lines) = kind.over().size();
    HeatMap {
        basis: None,
        page: filter.page.clone(),
        kind: kind.name().into(),
        unit: kind.unit().into(),
        over: kind.over().name().into(),
        columns,
        rows: lines,
        total: rows.iter().map(|row| row.total).sum(),
        elements: rows,
    }
}

/// The definition in words.
pub(crate) fn definition(kind: HeatKind, filter: &Filter) -> String {
    let cells = match kind.over() {
        Over::Element => {
            " of a 16 × 16 grid over the element's box (cell 0 at the top left, row by row)"
        }
        Over::Window => {
            ". The cells are a 16 × 16 grid over the window (cell 0 at the top left, row by row)"
        }
        Over::Document => {
            ". The cells are 32 columns and 128 rows of the document (cell 0 at the top left, row by row)"
        }
        Over::Bands => ". Bands are 20 equal parts of the document's height, 0 at the top",
        Over::Directions => " (0 back where it began, 1 up, 2 down, 3 left, 4 right)",
        Over::Nothing => "",
    };
    format!(
        "{}{cells}; {}. Past the bounds of memory, they count under element {OTHER_ELEMENT:016x}, \
         labelled {OTHER}.",
        kind.words(),
        filter.words(),
    )
}

/// The query that gives the same numbers and shape from the roll-up, sorted by page instead of kind and
/// time; none when that does not hold them.
pub(crate) fn rolled_up(kind: HeatKind, filter: &Filter, site: &str) -> Option<String> {
    let rows = (kind == HeatKind::Press).then(|| filter.rolled_up(site))??;
    Some(format!(
        "SELECT lower(leftPad(hex(element), 16, '0')) AS element_id, cell, sum(presses) AS amount\n\
         FROM heatmap\nWHERE {rows}\nGROUP BY element, cell\nORDER BY element, cell"
    ))
}

/// The query that gives the same numbers: one row an element and cell.
pub(crate) fn query(kind: HeatKind, filter: &Filter, site: &str, now_ms: u64) -> String {
    let events = super::sql::literal(kind.events());
    let rows = format!("{} AND kind = {events}", filter.sql(site, now_ms));
    if kind.over() == Over::Element {
        return format!(
            "SELECT lower(leftPad(hex(element), 16, '0')) AS element_id, cell, count() AS amount\n\
             FROM events\nWHERE {rows}\nGROUP BY element, cell\nORDER BY element, cell"
        );
    }
    let (element, marks, known) = kind.sql();
    format!(
        "SELECT lower(leftPad(hex(anchor), 16, '0')) AS element_id, mark.1 AS cell, \
         sum(mark.2) AS amount\nFROM\n(\n    SELECT {element} AS anchor,\n        \
         arrayJoin({marks}) AS mark\n    FROM events\n    WHERE {rows}{known}\n)\n\
         GROUP BY anchor, cell\nHAVING amount > 0\nORDER BY anchor, cell"
    )
}
