//! What is looked at: views, visitors and presses of each path.

use super::names::{Names, OTHER, OTHER_ID};
use super::range::{Hour, HourSet, Hourly};
use super::sql;
use super::visitor::Visitor;
use crate::row::{EventRow, Kind};
use upriver_wire::live::PageRow;

#[derive(Debug, Default)]
struct Counts {
    hours: Hourly<HourCounts>,
    visitors: u64,
}

#[derive(Debug, Default)]
struct HourCounts {
    rows: u64,
    views: u64,
    presses: u64,
}

/// The pages of one site. Also names pages for others, who may hold uses of their own.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) paths: Names<Box<str>>,
    counts: Vec<Counts>,
}

impl Pages {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            paths: Names::new(OTHER.into(), max),
            counts: Vec::new(),
        }
    }

    /// Counts an event, and its visitor if that one is kept. Answers the page's number.
    pub(crate) fn count(
        &mut self,
        row: &EventRow,
        hour: Hour,
        visitor: Option<&mut Visitor>,
    ) -> u32 {
        let page = self.paths.acquire_text(row.path.as_str());
        if self.counts.len() <= page as usize {
            self.counts.resize_with(page as usize + 1, Counts::default);
        }
        let counts = &mut self.counts[page as usize];
        let in_hour = counts.hours.at(hour);
        in_hour.rows += 1;
        in_hour.views += u64::from(row.kind == Kind::PageView);
        in_hour.presses += u64::from(row.kind == Kind::Press);
        if let Some(visitor) = visitor {
            counts.visitors += u64::from(visitor.page(page, hour));
        }
        page
    }

    /// Forgets hours of one visitor.
    pub(crate) fn forget_visitor(&mut self, visitor: &mut Visitor, gone: HourSet) {
        visitor.pages.retain_mut(|(page, hours)| {
            hours.remove(gone);
            self.counts[*page as usize].visitors -= u64::from(hours.is_empty());
            !hours.is_empty()
        });
    }

    /// Forgets hours. Every visitor must have forgotten them before.
    pub(crate) fn forget(&mut self, gone: HourSet) {
        for (page, counts) in self.counts.iter_mut().enumerate() {
            let mut rows = 0;
            counts.hours.forget(gone, |hour| rows += hour.rows);
            if rows > 0 {
                self.paths.release(page as u32, rows);
            }
        }
    }

    /// The numbers now, most views first. Events without a page are not listed.
    pub(crate) fn rows(&self) -> Vec<PageRow> {
        let mut rows = Vec::with_capacity(self.paths.len());
        for page in self.paths.ids() {
            let (Some(counts), path) = (self.counts.get(page as usize), self.paths.name(page))
            else {
                continue;
            };
            let unused = counts.hours.values().next().is_none();
            if unused || (path.is_empty() && page != OTHER_ID) {
                continue;
            }
            rows.push(PageRow {
                path: path.to_string(),
                views: counts.hours.values().map(|hour| hour.views).sum(),
                visitors: counts.visitors,
                presses: counts.hours.values().map(|hour| hour.presses).sum(),
            });
        }
        rows.sort_by(|a, b| {
            (std::cmp::Reverse(a.views), &a.path).cmp(&(std::cmp::Reverse(b.views), &b.path))
        });
        rows
    }

    /// Paths kept, and events counted as `(other)`.
    pub(crate) fn usage(&self) -> (usize, u64) {
        self.paths.usage()
    }
}

/// The definition in words.
pub(crate) const DEFINITION: &str = "Events by path of the page. Views: page views. Visitors: \
    distinct visitors with any event on it. Presses: presses on it. Past the bound of 2,000 paths \
    the rest count as (other).";

/// The query that gives the same numbers: one row a path.
pub(crate) fn query(site: &str, from_ms: u64) -> String {
    format!(
        "SELECT path, countIf(kind = 'page_view') AS views, uniqExact(visitor) AS visitors,\n    \
         countIf(kind = 'press') AS presses\nFROM events\nWHERE {} AND path != ''\nGROUP BY path\n\
         ORDER BY views DESC, path",
        sql::in_range(site, from_ms)
    )
}
