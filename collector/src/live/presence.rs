//! Who is here now: visitors something was received from within the last five minutes.
//!
//! Goes by the collector's clock, so a page with a wrong clock is present all the same.

use super::due::Due;
use super::limits::{PRESENCE_MS, PRESENCE_ROWS_MAX};
use super::names::{NONE, Names, OTHER};
use super::origin::Origins;
use super::page::Pages;
use super::sql;
use super::visitor::{Present, Visitor};
use crate::row::{Device, EventRow};
use hashbrown::HashMap;
use std::cmp::Reverse;
use upriver_wire::live::{Count, Presence};

/// The visitors present on one site.
#[derive(Debug, Default)]
pub(crate) struct PresenceCounts {
    online: u64,
    pages: HashMap<u32, u64>,
    campaigns: HashMap<u32, u64>,
    devices: [u64; 4],
    /// When a visitor may have left: time of a sign of life, and place. An entry may be older than
    /// the last sign, then it is put back, or for nobody, then it is dropped.
    leaving: Due,
}

impl PresenceCounts {
    /// Takes a sign of life. True when the numbers changed.
    pub(crate) fn see(
        &mut self,
        row: &EventRow,
        tie: u32,
        (place, visitor): (u32, &mut Visitor),
        pages: &mut Pages,
        origins: &mut Origins,
    ) -> bool {
        let last = (row.received_at, row.ord, tie);
        let before = visitor.present.as_deref().copied();
        if before.is_some_and(|present| present.last >= last) {
            return false;
        }
        let next = Present {
            last,
            page: pages.paths.acquire_text(row.path.as_str()),
            campaign: origins.campaigns.acquire_text(row.utm_campaign.as_str()),
            device: row.device,
        };
        visitor.present = Some(Box::new(next));
        match before {
            Some(before) => self.leave(before, pages, origins),
            None => self.leaving.push(ms(row.received_at), place),
        }
        self.online += 1;
        *self.pages.entry(next.page).or_default() += 1;
        *self.campaigns.entry(next.campaign).or_default() += 1;
        self.devices[next.device as usize] += 1;
        before.is_none_or(|before| {
            (before.page, before.campaign, before.device) != (next.page, next.campaign, next.device)
        })
    }

    /// The place of the next visitor who may have left; the caller lets `expire` decide.
    pub(crate) fn due(&mut self, now_ms: u64) -> Option<u32> {
        self.leaving.before(ms(gone_until(now_ms)) + 1)
    }

    /// Lets a visitor leave whose last sign of life is too old. True when they left.
    pub(crate) fn expire(
        &mut self,
        (place, visitor): (u32, &mut Visitor),
        now_ms: u64,
        pages: &mut Pages,
        origins: &mut Origins,
    ) -> bool {
        let Some(present) = visitor.present.as_deref().copied() else {
            return false;
        };
        if present.last.0 > gone_until(now_ms) {
            self.leaving.push(ms(present.last.0), place);
            return false;
        }
        visitor.present = None;
        self.leave(present, pages, origins);
        true
    }

    fn leave(&mut self, present: Present, pages: &mut Pages, origins: &mut Origins) {
        self.online -= 1;
        self.devices[present.device as usize] -= 1;
        for (counts, id) in [
            (&mut self.pages, present.page),
            (&mut self.campaigns, present.campaign),
        ] {
            if let Some(count) = counts.get_mut(&id) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&id);
                }
            }
        }
        pages.paths.release(present.page, 1);
        origins.campaigns.release(present.campaign, 1);
    }

    /// The numbers now.
    pub(crate) fn data(&self, pages: &Pages, origins: &Origins) -> Presence {
        let devices = Device::ALL.iter().map(|device| Count {
            name: device.name().into(),
            visitors: self.devices[*device as usize],
        });
        Presence {
            basis: None,
            online: self.online,
            pages: named(&self.pages, &pages.paths),
            devices: largest(devices.filter(|count| count.visitors > 0).collect()),
            campaigns: named(&self.campaigns, &origins.campaigns),
        }
    }
}

/// Whether a sign of life is recent enough to count.
pub(crate) fn is_recent(received_at: i64, now_ms: u64) -> bool {
    received_at > gone_until(now_ms)
}

/// A time of the collector's clock, which stands after 1970.
fn ms(received_at: i64) -> u64 {
    received_at.max(0) as u64
}

/// Signs of life up to this time no longer count.
fn gone_until(now_ms: u64) -> i64 {
    now_ms.saturating_sub(PRESENCE_MS) as i64
}

fn named(counts: &HashMap<u32, u64>, names: &Names<Box<str>>) -> Vec<Count> {
    let count = |(id, visitors): (&u32, &u64)| {
        let name = names.name(*id);
        let name = if name.is_empty() { NONE } else { name };
        Count {
            name: name.to_string(),
            visitors: *visitors,
        }
    };
    largest(counts.iter().map(count).collect())
}

/// Largest first. Each visitor is in one row only, so the rest can be added up.
fn largest(mut rows: Vec<Count>) -> Vec<Count> {
    rows.sort_by(|a, b| (Reverse(a.visitors), &a.name).cmp(&(Reverse(b.visitors), &b.name)));
    if rows.len() > PRESENCE_ROWS_MAX {
        let visitors: u64 = rows
            .drain(PRESENCE_ROWS_MAX - 1..)
            .map(|row| row.visitors)
            .sum();
        match rows.iter_mut().find(|row| row.name == OTHER) {
            Some(other) => other.visitors += visitors,
            None => rows.push(Count {
                name: OTHER.into(),
                visitors,
            }),
        }
    }
    rows
}

/// The definition in words.
pub(crate) const DEFINITION: &str = "Distinct visitors of whom something was received within the \
    last 5 minutes by the collector's clock, whenever it happened; what a server told more than 5 minutes late does not count. Page, device and campaign are \
    those of the event received last. Past 100 rows the rest count as (other).";

/// The query that gives the same numbers: one row a page, device and campaign, and one for all.
pub(crate) fn query(site: &str, now_ms: u64) -> String {
    format!(
        "SELECT dimension, name, count() AS visitors\nFROM\n(\n    \
         SELECT argMax(tuple(path, toString(device), utm_campaign), tuple(received_at, ord)) AS last\n    \
         FROM events\n    WHERE site = {} AND received_at > {}\n      AND {NEWS}\n    GROUP BY visitor\n)\n\
         ARRAY JOIN ['online', 'page', 'device', 'campaign'] AS dimension, \
         ['', last.1, last.2, last.3] AS name\n\
         GROUP BY dimension, name\nORDER BY dimension, visitors DESC, name",
        sql::literal(site),
        sql::moment(now_ms.saturating_sub(PRESENCE_MS)),
        NEWS = sql::news(),
    )
}
