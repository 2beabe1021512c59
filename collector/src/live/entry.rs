//! Where a visitor's way through a funnel began, as one number: origin, source, page, and whether it
//! looked like a program.
//!
//! Counted by use, bounded; past the bound the device is still known, and whether it is a program.

use super::filter::is_robot;
use super::limits::{Bounds, ENTRIES_MAX};
use super::names::{Names, OTHER, OTHER_ID};
use super::origin::Origins;
use super::page::Pages;
use crate::row::{Device, EventRow};

/// The number of no beginning: of a row that begins nothing. The last of 19 bits, as a row keeps its
/// beginning in so many.
pub(crate) const NO_ENTRY: u32 = (1 << 19) - 1;

// No beginning has that number: those kept, one for each device and twice, and the first.
const _: () = assert!(ENTRIES_MAX + 2 * Device::ALL.len() < NO_ENTRY as usize);

/// One beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) origin: u32,
    /// Number of `utm_source`.
    pub(crate) source: u32,
    /// Number of the path.
    pub(crate) page: u32,
    pub(crate) robot: bool,
}

/// The beginnings of one site. Each holds one use of everything it names.
#[derive(Debug)]
pub(crate) struct Entries {
    table: Names<Entry>,
    /// `utm_source`.
    pub(crate) sources: Names<Box<str>>,
    /// What a beginning past the bound becomes: by device, people first.
    others: [[u32; 2]; 4],
}

impl Entries {
    pub(crate) fn new(bounds: &Bounds, origins: &mut Origins, pages: &mut Pages) -> Self {
        let mut other = |device, robot| {
            pages.paths.again(OTHER_ID);
            Entry {
                origin: origins.acquire_other(device),
                source: OTHER_ID,
                page: OTHER_ID,
                robot,
            }
        };
        let first = other(Device::Other, false);
        let kept = Device::ALL.len() * 2 - 1;
        let mut table = Names::new(first, bounds.entries + kept);
        let mut sources = Names::new(OTHER.into(), bounds.names);
        let mut others = [[OTHER_ID; 2]; 4];
        for device in Device::ALL {
            for robot in [false, true] {
                sources.again(OTHER_ID);
                let entry = other(*device, robot);
                others[*device as usize][usize::from(robot)] = table.acquire(&entry, |own| *own);
            }
        }
        Self {
            table,
            sources,
            others,
        }
    }

    /// The number of the beginning that an event is; one more use of it.
    pub(crate) fn acquire(
        &mut self,
        row: &EventRow,
        origins: &mut Origins,
        pages: &mut Pages,
    ) -> u32 {
        let entry = Entry {
            origin: origins.acquire(row),
            source: self.sources.acquire_text(row.utm_source.as_str()),
            page: pages.paths.acquire_text(row.path.as_str()),
            robot: is_robot(row),
        };
        let known = self.table.find(&entry).is_some();
        let mut id = self.table.acquire(&entry, |own| *own);
        let full = id == OTHER_ID && !known;
        if full {
            self.table.release(OTHER_ID, 1);
            id = self.others[row.device as usize][usize::from(entry.robot)];
            self.table.again(id);
        }
        if known || full {
            self.release_names(entry, origins, pages);
        }
        id
    }

    /// Gives back one use; of [`NO_ENTRY`] there is none.
    pub(crate) fn release(&mut self, id: u32, origins: &mut Origins, pages: &mut Pages) {
        if id != NO_ENTRY && self.table.release(id, 1) {
            let entry = *self.table.name(id);
            self.release_names(entry, origins, pages);
        }
    }

    fn release_names(&mut self, entry: Entry, origins: &mut Origins, pages: &mut Pages) {
        origins.release(entry.origin);
        self.sources.release(entry.source, 1);
        pages.paths.release(entry.page, 1);
    }

    /// The beginning of a number in use.
    pub(crate) fn get(&self, id: u32) -> Entry {
        *self.table.name(id)
    }

    /// Beginnings in use beside those that are always there, and times one was counted as such.
    pub(crate) fn usage(&self) -> (usize, u64) {
        let kept = Device::ALL.len() * 2;
        (self.table.len() - kept, self.table.overflowed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_holds_its_names_as_long_as_it_is_used_and_the_bound_holds() {
        let bounds = Bounds {
            entries: 1,
            ..Bounds::default()
        };
        let (mut origins, mut pages) = (Origins::new(&bounds), Pages::new(10));
        let mut entries = Entries::new(&bounds, &mut origins, &mut pages);
        let kept = entries.usage().0;
        let row = |source: &str, bot_score| EventRow {
            utm_source: source.into(),
            path: "/a".into(),
            device: Device::Phone,
            bot_score,
            ..EventRow::default()
        };
        let mail = entries.acquire(&row("mail", 0), &mut origins, &mut pages);
        let again = entries.acquire(&row("mail", 0), &mut origins, &mut pages);
        assert_eq!((mail, entries.usage()), (again, (kept + 1, 0)));
        let full = entries.acquire(&row("feed", 90), &mut origins, &mut pages);
        let other = entries.get(full);
        assert!(other.robot && other.source == OTHER_ID && other.page == OTHER_ID);
        assert_eq!(origins.get(other.origin).device, Device::Phone);
        assert_eq!((entries.usage(), entries.sources.len()), ((kept + 1, 1), 2));
        assert_eq!(&**pages.paths.name(entries.get(mail).page), "/a");
        for id in [mail, again, full, NO_ENTRY] {
            entries.release(id, &mut origins, &mut pages);
        }
        assert_eq!((entries.usage().0, pages.paths.find("/a")), (kept, None));
        assert_eq!(entries.sources.find("mail"), None);
    }
}
