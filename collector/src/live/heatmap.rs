//! Heat maps: presses in a 16 × 16 grid over each element, by page, origin and window width.
//!
//! Owns the grids. Knows no strings but those it is asked with: names and descriptors are looked up.

use super::element::Elements;
use super::limits::Bounds;
use super::names::{NONE, OTHER};
use super::origin::{Origin, Origins};
use super::range::{Hour, HourSet};
use super::sql;
use crate::row::{Device, EventRow};
use hashbrown::HashMap;
use std::collections::BTreeMap;
use upriver_wire::ElementId;
use upriver_wire::live::{HeatElement, HeatMap};

/// Which presses of a heat map count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HeatFilter {
    /// Path of the page.
    pub page: String,
    /// Only from this device.
    pub device: Option<Device>,
    /// Only with this `utm_campaign`; `(none)` for visits without.
    pub campaign: Option<String>,
    /// Only by visitors shown this `experiment=variant`.
    pub variant: Option<String>,
}

/// The element that stands for all past the bound.
const OTHER_ELEMENT: u64 = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    element: u64,
    origin: u32,
    width: u16,
}

/// Presses of one hour in one cell, sorted by both.
#[derive(Clone, Copy, Debug)]
struct Cell {
    hour: Hour,
    cell: u8,
    presses: u32,
}

/// All grids of one site.
#[derive(Debug)]
pub(crate) struct Heat {
    pages: HashMap<u32, HashMap<Key, Vec<Cell>>>,
    keys: usize,
    keys_max: usize,
    overflowed: u64,
}

impl Heat {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self {
            pages: HashMap::new(),
            keys: 0,
            keys_max: bounds.heat_keys,
            overflowed: 0,
        }
    }

    /// Counts a press.
    pub(crate) fn count(&mut self, row: &EventRow, page: u32, hour: Hour, origins: &mut Origins) {
        let origin = origins.acquire(row);
        let mut key = Key {
            element: row.element,
            origin,
            width: row.width_bucket,
        };
        let grids = self.pages.entry(page).or_default();
        if !grids.contains_key(&key) && self.keys >= self.keys_max {
            self.overflowed += 1;
            origins.release(origin);
            let origin = origins.acquire_other(row.device);
            key = Key {
                element: OTHER_ELEMENT,
                origin,
                width: 0,
            };
        }
        let grid = grids.entry(key).or_default();
        if grid.is_empty() {
            // The grid keeps the use of its origin.
            self.keys += 1;
        } else {
            origins.release(key.origin);
        }
        match grid.binary_search_by_key(&(hour, row.cell), |cell| (cell.hour, cell.cell)) {
            Ok(place) => grid[place].presses += 1,
            Err(place) => grid.insert(
                place,
                Cell {
                    hour,
                    cell: row.cell,
                    presses: 1,
                },
            ),
        }
    }

    /// Forgets hours.
    pub(crate) fn forget(&mut self, gone: HourSet, origins: &mut Origins) {
        self.pages.retain(|_, grids| {
            grids.retain(|key, grid| {
                grid.retain(|cell| !gone.contains(cell.hour));
                if grid.is_empty() {
                    origins.release(key.origin);
                    self.keys -= 1;
                }
                !grid.is_empty()
            });
            !grids.is_empty()
        });
    }

    /// The numbers of a page now; of no page, none.
    pub(crate) fn data(
        &self,
        page: Option<u32>,
        filter: &HeatFilter,
        origins: &Origins,
        elements: &Elements,
    ) -> HeatMap {
        let mut found: BTreeMap<u64, BTreeMap<u8, u64>> = BTreeMap::new();
        let grids = page
            .and_then(|page| self.pages.get(&page))
            .into_iter()
            .flatten();
        let wanted = Wanted::new(filter, origins);
        for (key, grid) in grids {
            if wanted.holds(origins.get(key.origin)) {
                let cells = found.entry(key.element).or_default();
                for cell in grid {
                    *cells.entry(cell.cell).or_default() += u64::from(cell.presses);
                }
            }
        }
        let mut rows: Vec<HeatElement> = found
            .into_iter()
            .map(|(element, cells)| {
                let known = elements.get(element);
                HeatElement {
                    element: ElementId(element),
                    selector: known
                        .map(|row| row.selector.to_string())
                        .unwrap_or_default(),
                    label: match known {
                        Some(row) => row.label.to_string(),
                        None if element == OTHER_ELEMENT => OTHER.into(),
                        None => String::new(),
                    },
                    role: known.map(|row| row.role.to_string()).unwrap_or_default(),
                    total: cells.values().sum(),
                    cells: cells.into_iter().collect(),
                }
            })
            .collect();
        rows.sort_by_key(|row| (std::cmp::Reverse(row.total), row.element));
        HeatMap {
            basis: None,
            page: filter.page.clone(),
            total: rows.iter().map(|row| row.total).sum(),
            elements: rows,
        }
    }

    /// Keys kept, and presses counted as `(other)` for want of room.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.keys, self.overflowed)
    }
}

/// A filter in numbers. A name nobody uses matches nothing.
struct Wanted<'a> {
    filter: &'a HeatFilter,
    campaign: Option<Option<u32>>,
    variant: Option<Option<u32>>,
}

impl<'a> Wanted<'a> {
    fn new(filter: &'a HeatFilter, origins: &Origins) -> Self {
        let campaign = filter.campaign.as_deref().map(|name| {
            let name = if name == NONE { "" } else { name };
            origins.campaigns.find(name)
        });
        let variant = filter
            .variant
            .as_deref()
            .map(|name| origins.variants.find(name));
        Self {
            filter,
            campaign,
            variant,
        }
    }

    fn holds(&self, origin: &Origin) -> bool {
        self.filter
            .device
            .is_none_or(|device| device == origin.device)
            && self
                .campaign
                .is_none_or(|campaign| campaign == Some(origin.campaign))
            && self.variant.is_none_or(|wanted| {
                wanted.is_some_and(|variant| origin.variants.binary_search(&variant).is_ok())
            })
    }
}

/// The definition in words.
pub(crate) fn definition(filter: &HeatFilter) -> String {
    let mut text = format!(
        "Presses on page {} by element and by cell of a 16 × 16 grid over the element's box \
         (cell 0 at the top left, row by row)",
        filter.page
    );
    if let Some(device) = filter.device {
        text.push_str(&format!(", on device {}", device.name()));
    }
    if let Some(campaign) = &filter.campaign {
        text.push_str(&format!(", of visits with campaign {campaign}"));
    }
    if let Some(variant) = &filter.variant {
        text.push_str(&format!(", of visitors shown {variant}"));
    }
    text.push_str(". Past the bounds of memory, presses count under element 0, labelled (other).");
    text
}

/// The query that gives the same numbers: one row an element and cell.
pub(crate) fn query(filter: &HeatFilter, site: &str, from_ms: u64) -> String {
    let mut rows = sql::in_range(site, from_ms);
    rows.push_str(&format!(
        " AND kind = 'press' AND path = {}",
        sql::literal(&filter.page)
    ));
    if let Some(device) = filter.device {
        rows.push_str(&format!(" AND device = {}", sql::literal(device.name())));
    }
    if let Some(campaign) = &filter.campaign {
        let campaign = if campaign == NONE { "" } else { campaign };
        rows.push_str(&format!(" AND utm_campaign = {}", sql::literal(campaign)));
    }
    if let Some(variant) = &filter.variant {
        rows.push_str(&format!(
            " AND has(arrayMap((e, v) -> concat(e, '=', v), mapKeys(variants), \
             mapValues(variants)), {})",
            sql::literal(variant)
        ));
    }
    format!(
        "SELECT lower(leftPad(hex(element), 16, '0')) AS element_id, cell, count() AS presses\n\
         FROM events\nWHERE {rows}\nGROUP BY element, cell\nORDER BY element, cell"
    )
}
