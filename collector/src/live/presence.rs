//! Who is here now: visitors something was received from within the last five minutes; how many
//! where, and, for who may know, each of them.
//!
//! Goes by the collector's clock, so a page with a wrong clock is present all the same.

use super::activity;
use super::due::Due;
use super::limits::{PRESENCE_MS, PRESENCE_ROWS_MAX, VISITOR_ROWS_MAX};
use super::names::{NONE, Names, OTHER};
use super::origin::Origins;
use super::page::Pages;
use super::site::SiteState;
use super::sql;
use super::visitor::{Did, Present, Visitor};
use super::window::MINUTE_MS;
use crate::row::{Device, EventRow};
use hashbrown::HashMap;
use std::cmp::Reverse;
use upriver_wire::ElementId;
use upriver_wire::live::{Count, Presence, PresentVisitor, PresentVisitors};

/// Longest time without an event within which a visitor is still in the same stay, minutes.
const STAY_MINUTES: u64 = PRESENCE_MS / MINUTE_MS;

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
        let did = activity::is_told(row.kind).then_some(Did {
            last,
            kind: row.kind,
            element: row.element,
        });
        let before = visitor.present.take();
        let known = before.as_ref().and_then(|present| present.did);
        let did = match (did, known) {
            (Some(did), Some(known)) if known.last > did.last => Some(known),
            (did, known) => did.or(known),
        };
        let before = match before {
            Some(mut present) if present.last >= last => {
                present.did = did;
                visitor.present = Some(present);
                return false;
            }
            before => before,
        };
        let next = Present {
            last,
            page: pages.paths.acquire_text(row.path.as_str()),
            campaign: origins.campaigns.acquire_text(row.utm_campaign.as_str()),
            device: row.device,
            did,
        };
        match &before {
            Some(before) => self.leave(before, pages, origins),
            None => self.leaving.push(ms(row.received_at), place),
        }
        self.online += 1;
        *self.pages.entry(next.page).or_default() += 1;
        *self.campaigns.entry(next.campaign).or_default() += 1;
        self.devices[next.device as usize] += 1;
        let is = |present: &Present| (present.page, present.campaign, present.device);
        let changed = before.is_none_or(|before| is(&before) != is(&next));
        visitor.present = Some(Box::new(next));
        changed
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
        let Some(present) = visitor.present.take() else {
            return false;
        };
        if present.last.0 > gone_until(now_ms) {
            self.leaving.push(ms(present.last.0), place);
            visitor.present = Some(present);
            return false;
        }
        self.leave(&present, pages, origins);
        true
    }

    fn leave(&mut self, present: &Present, pages: &mut Pages, origins: &mut Origins) {
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

/// Everybody who is here, who was heard from last first.
pub(crate) fn visitors(site: &SiteState) -> PresentVisitors {
    let gone = gone_until(site.now_ms);
    let all = site.visitors.iter();
    let here = all.filter_map(|visitor| Some((visitor, visitor.present.as_deref()?)));
    let mut here: Vec<_> = here.collect();
    here.sort_by_key(|(visitor, present)| (Reverse(present.last.0), visitor.id));
    let left_out = here.len().saturating_sub(VISITOR_ROWS_MAX) as u64;
    let named = |name: &str| if name.is_empty() { NONE } else { name }.to_owned();
    let row = |(visitor, present): &(&Visitor, &Present)| {
        let did = present.did.filter(|did| did.last.0 > gone);
        let element = did.map_or(0, |did| did.element);
        let known = site.elements.get(element);
        PresentVisitor {
            visitor: visitor.id.to_string(),
            page: named(site.pages.paths.name(present.page)),
            campaign: named(site.origins.campaigns.name(present.campaign)),
            device: present.device.into(),
            kind: did.map_or("", |did| did.kind.name()).into(),
            element: ElementId(element),
            label: known.map_or_else(String::new, |known| known.label.to_string()),
            since_ms: since_ms(site, visitor).unwrap_or(present.last.0.max(0) as u64),
            last_ms: present.last.0.max(0) as u64,
        }
    };
    PresentVisitors {
        basis: None,
        rows: here.iter().take(VISITOR_ROWS_MAX).map(row).collect(),
        left_out,
    }
}

/// Since when a visitor has been here without leaving: the first of the minutes with an event of
/// which none is too long before the next.
fn since_ms(site: &SiteState, visitor: &Visitor) -> Option<u64> {
    let first = site.range.start_ms() / MINUTE_MS;
    let minutes = site.minutes.of(&visitor.minutes, first);
    let minutes = minutes.map(|(minute, _)| minute);
    let mut minutes: Vec<u64> = minutes.collect();
    minutes.sort_unstable_by_key(|minute| Reverse(*minute));
    let mut since = *minutes.first()?;
    for minute in minutes {
        if since - minute > STAY_MINUTES {
            break;
        }
        since = minute;
    }
    Some(since * MINUTE_MS)
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
         SELECT argMax(tuple(path, toString(device), utm_campaign), tuple(received_at, ord, {TIE})) AS last\n    \
         FROM events\n    WHERE site = {} AND received_at > {}\n      AND {NEWS}\n    GROUP BY visitor\n)\n\
         ARRAY JOIN ['online', 'page', 'device', 'campaign'] AS dimension, \
         ['', last.1, last.2, last.3] AS name\n\
         GROUP BY dimension, name\nORDER BY dimension, visitors DESC, name",
        sql::literal(site),
        sql::moment(now_ms.saturating_sub(PRESENCE_MS)),
        TIE = sql::TIE,
        NEWS = sql::news(),
    )
}

/// The definition of the list in words.
pub(crate) fn visitors_definition() -> String {
    format!(
        "Visitors of whom something was received within the last 5 minutes by the collector's clock; what a \
         server told more than 5 minutes late does not count. Page, campaign and device are those of the event \
         received last, at last_ms. Kind and element: what the one received last within these 5 minutes was \
         about, ways of the pointer, attention, impressions, visibility, consent and identities apart; empty \
         without one. Since: the first minute of the stay they are in, by the times of the events in the live \
         range: of the minutes with an event, none lies more than {STAY_MINUTES} before the next. The \
         {VISITOR_ROWS_MAX} heard from last are listed."
    )
}

/// The query that gives the same visitors.
pub(crate) fn visitors_query(site: &str, from_ms: u64, now_ms: u64) -> String {
    let here = format!(
        "site = {} AND received_at > {} AND {}",
        sql::literal(site),
        sql::moment(now_ms.saturating_sub(PRESENCE_MS)),
        sql::news(),
    );
    format!(
        "SELECT toString(visitor) AS visitor, last.1 AS page, last.2 AS device, last.3 AS campaign, did.1 AS kind,\n    \
         lower(leftPad(hex(did.2), 16, '0')) AS element_id, last_ms, if(stay_ms = 0, last_ms, stay_ms) AS since_ms\n\
         FROM\n(\n    \
         SELECT visitor, toUInt64(toUnixTimestamp64Milli(max(received_at))) AS last_ms,\n        \
         argMax((toString(path), toString(device), toString(utm_campaign)), (received_at, ord, {tie})) AS last,\n        \
         argMaxIf((toString(kind), element), (received_at, ord, {tie}), kind NOT IN ({untold})) AS did\n    \
         FROM events\n    WHERE {here}\n    GROUP BY visitor\n) AS here\n\
         LEFT JOIN\n(\n    \
         SELECT visitor, arrayReverseSort(groupUniqArray(intDiv(toUnixTimestamp64Milli(time), {MINUTE_MS}))) AS minutes,\n        \
         toUInt64({MINUTE_MS} * minutes[arrayFirstIndex((is, before) -> is - before > {STAY_MINUTES}, minutes,\n        \
         arrayPushBack(arrayPopFront(minutes), -{STAY_MINUTES} - 1))]) AS stay_ms\n    \
         FROM events\n    WHERE {rows} AND visitor IN (SELECT visitor FROM events WHERE {here})\n    GROUP BY visitor\n) AS stayed \
         USING (visitor)\n\
         ORDER BY last_ms DESC, visitor\nLIMIT {VISITOR_ROWS_MAX}",
        tie = sql::TIE,
        untold = activity::untold(),
        rows = sql::in_range(site, from_ms),
    )
}
