//! The rules of all sites and what their visitors did lately: events and time go in, firings come out.
//!
//! Owns how often a visitor may be told, who is left out, and what becomes of both when a rule is changed. No clock, no task, no socket. Firings
//! come back as events, which is how it knows after a restart who was told: it fires nothing before
//! it has seen all that happened before the start.

use super::rule::{CompiledRule, Seen};
use crate::config::{HELD_OUT, RULE_EVERY_MAX, RULE_PREFIX, SHOWN, Site};
use crate::ingest::imported;
use crate::ingest::record::BatchRecord;
use crate::live::ROBOT_SCORE_MIN;
use crate::row::{EventRow, Kind};
use hashbrown::HashMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::BTreeSet;
use std::sync::Arc;
use upriver_wire::batch::{Batch, Body, Campaign, Event, Page, PageRef, Size, Variant};
use upriver_wire::{SessionId, ViewId, VisitorId};

/// Visitors, each once for each rule that something of theirs matters to, that are watched at once.
/// No rule fires for those past it.
pub const WATCHES_MAX: usize = 200_000;
/// Events of one visitor kept for one rule; past it the oldest go.
pub const SEEN_MAX: usize = 64;
/// Firings that are remembered, so that a visitor is not told too often. Past it nobody new is told.
pub const FIRED_MAX: usize = 1_000_000;
/// Rules of one site that are not there and have told somebody; whom those past it told is not known
/// when they come back.
pub const FORMER_MAX: usize = 1_000;
/// The longest that a rule may go without telling a visitor again, milliseconds.
const EVERY_MS_MAX: u64 = RULE_EVERY_MAX.as_secs() * 1_000;
/// A rule that would have fired longer ago than this does not: the page is gone, or shows another.
pub const LATE_MS: u64 = 60_000;
/// How long a rule that waits for something not to happen waits for what is still on its way.
pub const GRACE_MS: u64 = 2_000;
/// What is no longer needed is looked for this often.
const SWEEP_EVERY_MS: u64 = 10_000;

/// The bounds of a book. A test sets small ones; everyone else takes the default.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// See [`WATCHES_MAX`].
    pub watches: usize,
    /// See [`FIRED_MAX`].
    pub fired: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            watches: WATCHES_MAX,
            fired: FIRED_MAX,
        }
    }
}

/// A rule has fired for a visitor.
#[derive(Clone, Debug)]
pub struct Firing {
    /// The site.
    pub site: Arc<str>,
    /// The rule.
    pub rule: Arc<CompiledRule>,
    /// For whom.
    pub visitor: VisitorId,
    /// When, Unix milliseconds: a moment that the events decide, not when it was found out.
    pub at_ms: u64,
    /// The same for the same firing, found out again after a restart.
    pub id: String,
    /// Whether this visitor is left out, and only recorded.
    pub held_out: bool,
    /// Where the visitor was.
    place: Arc<Place>,
}

/// Where a visitor was.
#[derive(Debug)]
struct Place {
    session: u64,
    page: Page,
}

/// A rule's place among those of its site, which it keeps when it is changed or removed: so who was told
/// by it is known when it comes back.
#[derive(Debug)]
struct Slot {
    experiment: Arc<str>,
    /// None: it was removed.
    rule: Option<Arc<CompiledRule>>,
    /// How long firings are remembered.
    every_ms: u64,
}

/// A visitor's place among rules: site, rule, visitor.
type Key = (u32, u32, u128);

#[derive(Debug)]
struct Watch {
    /// In order.
    seen: Vec<Seen>,
    place: Arc<Place>,
    /// When to look at it again.
    timer_ms: Option<u64>,
}

/// Every rule of every site.
pub struct Book {
    sites: HashMap<String, u32>,
    rules: Vec<(Arc<str>, Vec<Slot>)>,
    watches: HashMap<Key, Watch>,
    /// The last firing of each.
    fired: HashMap<Key, u64>,
    timers: BTreeSet<(u64, Key)>,
    /// Visitors who are being erased, and up to when, Unix ms: nothing of theirs from before counts.
    erasing: HashMap<(u32, u128), u64>,
    secret: Vec<u8>,
    bounds: Bounds,
    /// Whether all that happened before the start was seen.
    whole: bool,
    swept_ms: u64,
    not_kept: u64,
}

impl Book {
    /// The rules that sites have by themselves. `secret` decides who is left out, the same way every time.
    pub fn new(sites: &[Site], secret: Vec<u8>, bounds: Bounds) -> Self {
        let places = (0..).zip(sites);
        let slots = |site: &Site| {
            let rules = site.rules.iter();
            let slots = rules.map(|rule| Slot::of(CompiledRule::new(rule, 0)));
            (Arc::from(site.id.as_str()), slots.collect())
        };
        Self {
            sites: places.map(|(at, site)| (site.id.clone(), at)).collect(),
            rules: sites.iter().map(slots).collect(),
            watches: HashMap::new(),
            fired: HashMap::new(),
            timers: BTreeSet::new(),
            erasing: HashMap::new(),
            secret,
            bounds,
            whole: false,
            swept_ms: 0,
            not_kept: 0,
        }
    }

    /// Puts a rule of a site in the place of the one with its id, if there was any. It begins anew: nobody
    /// is half way through it. Who was told by the other is not told again too soon.
    pub fn define(&mut self, site: &str, rule: CompiledRule) {
        let Some(&site) = self.sites.get(site) else {
            return;
        };
        let slot = Slot::of(rule);
        match self.slot(site, &slot.experiment) {
            Some(at) => {
                self.stop(site, at);
                self.rules[site as usize].1[at] = slot;
            }
            None => self.rules[site as usize].1.push(slot),
        }
    }

    /// Removes a rule of a site: nothing fires by it any more.
    pub fn remove(&mut self, site: &str, experiment: &str) {
        let Some(&site) = self.sites.get(site) else {
            return;
        };
        if let Some(at) = self.slot(site, experiment) {
            self.stop(site, at);
            self.rules[site as usize].1[at].rule = None;
        }
    }

    fn slot(&self, site: u32, experiment: &str) -> Option<usize> {
        let slots = &self.rules[site as usize].1;
        slots
            .iter()
            .position(|slot| *slot.experiment == *experiment)
    }

    /// Forgets who is half way through a rule.
    fn stop(&mut self, site: u32, slot: usize) {
        let timers = &mut self.timers;
        self.watches.retain(|key, watch| {
            let stays = (key.0, key.1 as usize) != (site, slot);
            if let Some(at_ms) = watch.timer_ms.filter(|_| !stays) {
                timers.remove(&(at_ms, *key));
            }
            stays
        });
    }

    /// Takes events, each once, in any order and any batches; returns what fires because of them.
    pub fn see(&mut self, rows: &[EventRow], now_ms: u64) -> Vec<Firing> {
        let mut touched = BTreeSet::new();
        for row in rows {
            let Some(&site) = self.sites.get(&row.site) else {
                continue;
            };
            if self.is_erased(site, row) {
                continue;
            }
            self.note_firing(site, row);
            if row.bot_score < ROBOT_SCORE_MIN {
                self.note(site, row, now_ms, &mut touched);
            }
        }
        let touched = touched.into_iter();
        touched.flat_map(|key| self.look(key, now_ms)).collect()
    }

    /// Says that all that happened before the start was seen; returns what fires now.
    pub fn begin(&mut self, now_ms: u64) -> Vec<Firing> {
        self.whole = true;
        let keys: Vec<Key> = self.watches.keys().copied().collect();
        keys.into_iter()
            .flat_map(|key| self.look(key, now_ms))
            .collect()
    }

    /// Forgets what a visitor did up to a time, Unix ms, and how often they were told, and knows nothing
    /// of it when it comes again; until [`Book::erased`].
    pub fn erase(&mut self, site: &str, visitor: VisitorId, until_ms: u64) {
        let Some(&site) = self.sites.get(site) else {
            return;
        };
        let known = self.erasing.entry((site, visitor.0)).or_default();
        *known = until_ms.max(*known);
        let until_ms = *known;
        let timers = &mut self.timers;
        self.watches.retain(|key, watch| {
            if (key.0, key.2) != (site, visitor.0) {
                return true;
            }
            watch.seen.retain(|seen| seen.time_ms() > until_ms);
            if let Some(at_ms) = watch.timer_ms.filter(|_| watch.seen.is_empty()) {
                timers.remove(&(at_ms, *key));
            }
            !watch.seen.is_empty()
        });
        self.fired
            .retain(|key, _| (key.0, key.2) != (site, visitor.0));
    }

    /// A visitor was erased everywhere: nothing from before will come again.
    pub fn erased(&mut self, site: &str, visitor: VisitorId) {
        if let Some(&site) = self.sites.get(site) {
            self.erasing.remove(&(site, visitor.0));
        }
    }

    fn is_erased(&self, site: u32, row: &EventRow) -> bool {
        let erasing = self.erasing.get(&(site, row.visitor.as_u128()));
        erasing.is_some_and(|until_ms| {
            let until_ms = i64::try_from(*until_ms).unwrap_or(i64::MAX);
            row.received_at <= until_ms || row.time <= until_ms
        })
    }

    /// What fires because time has passed.
    pub fn due(&mut self, now_ms: u64) -> Vec<Firing> {
        let mut firings = Vec::new();
        while let Some(&(at_ms, key)) = self.timers.first()
            && at_ms <= now_ms
        {
            self.timers.pop_first();
            if let Some(watch) = self.watches.get_mut(&key) {
                watch.timer_ms = None;
            }
            firings.extend(self.look(key, now_ms));
        }
        if now_ms >= self.swept_ms + SWEEP_EVERY_MS {
            self.sweep(now_ms);
        }
        firings
    }

    /// When [`Book::due`] has something to do next, Unix milliseconds.
    pub fn next_ms(&self) -> u64 {
        let sweep = self.swept_ms + SWEEP_EVERY_MS;
        self.timers
            .first()
            .map_or(sweep, |(at_ms, _)| sweep.min(*at_ms))
    }

    /// Watches, firings remembered, and events that a bound kept out.
    pub fn usage(&self) -> (usize, usize, u64) {
        (self.watches.len(), self.fired.len(), self.not_kept)
    }

    /// The rules' own firings, which come back as exposures, told by the collector alone. Also those of
    /// rules that are not there any more: one with that id may be defined at any time.
    fn note_firing(&mut self, site: u32, row: &EventRow) {
        if row.kind != Kind::Exposure || !row.imported || !row.name.starts_with(RULE_PREFIX) {
            return;
        }
        let Some(rule) = self
            .slot(site, &row.name)
            .or_else(|| self.former(site, &row.name))
        else {
            self.not_kept += 1;
            return;
        };
        let at_ms = row.ord >> 20;
        let key = (site, rule as u32, row.visitor.as_u128());
        let is_former = self.rules[site as usize].1[rule].rule.is_none();
        let room = if is_former {
            self.spare()
        } else {
            self.bounds.fired
        };
        if self.fired.len() < room || self.fired.contains_key(&key) {
            let last = self.fired.entry(key).or_default();
            *last = at_ms.max(*last);
        } else {
            self.not_kept += 1;
        }
    }

    /// A place for a rule that is not there; none past the bound.
    fn former(&mut self, site: u32, experiment: &str) -> Option<usize> {
        let slots = &mut self.rules[site as usize].1;
        let formers = slots.iter().filter(|slot| slot.rule.is_none()).count();
        (formers < FORMER_MAX).then(|| {
            slots.push(Slot {
                experiment: experiment.into(),
                rule: None,
                every_ms: EVERY_MS_MAX,
            });
            slots.len() - 1
        })
    }

    /// Firings up to which more is remembered than the rules that are there need: half of the room stays
    /// theirs.
    fn spare(&self) -> usize {
        self.bounds.fired / 2
    }

    fn note(&mut self, site: u32, row: &EventRow, now_ms: u64, touched: &mut BTreeSet<Key>) {
        let mut place = None;
        for (at, slot) in self.rules[site as usize].1.iter().enumerate() {
            let Some(rule) = &slot.rule else { continue };
            let Some(seen) = rule.seen(row) else { continue };
            let from_ms = now_ms.saturating_sub(rule.span_ms() + GRACE_MS + LATE_MS);
            if seen.time_ms() < from_ms {
                continue;
            }
            let key = (site, at as u32, row.visitor.as_u128());
            if self.watches.len() >= self.bounds.watches && !self.watches.contains_key(&key) {
                self.not_kept += 1;
                continue;
            }
            let place = place.get_or_insert_with(|| Arc::new(place_of(row))).clone();
            let watch = self.watches.entry(key).or_insert_with(|| Watch {
                seen: Vec::new(),
                place: place.clone(),
                timer_ms: None,
            });
            watch.seen.retain(|seen| seen.time_ms() >= from_ms);
            if watch.seen.last().is_none_or(|last| *last < seen) {
                watch.place = place;
            }
            let index = watch.seen.partition_point(|known| *known < seen);
            watch.seen.insert(index, seen);
            if watch.seen.len() > SEEN_MAX {
                watch.seen.remove(0);
                self.not_kept += 1;
            }
            touched.insert(key);
        }
    }

    /// What fires for one visitor by one rule now; sets the timer for what does later.
    fn look(&mut self, key: Key, now_ms: u64) -> Vec<Firing> {
        let Some(watch) = self.watches.get_mut(&key).filter(|_| self.whole) else {
            return Vec::new();
        };
        let (site, slots) = &self.rules[key.0 as usize];
        let Some(rule) = &slots[key.1 as usize].rule else {
            return Vec::new();
        };
        if let Some(at_ms) = watch.timer_ms.take() {
            self.timers.remove(&(at_ms, key));
        }
        let grace_ms = if rule.after_ms > 0 { GRACE_MS } else { 0 };
        let mut last = self.fired.get(&key).copied();
        let mut firings = Vec::new();
        for found in rule.matches(&watch.seen) {
            let capped = last.is_some_and(|last| found.due_ms < last + rule.every_ms);
            if capped || found.due_ms + LATE_MS < now_ms {
                continue;
            }
            if found.due_ms + grace_ms > now_ms && grace_ms > 0 {
                watch.timer_ms = Some(found.due_ms + grace_ms);
                self.timers.insert((found.due_ms + grace_ms, key));
                break;
            }
            if last.is_none() && self.fired.len() >= self.bounds.fired {
                self.not_kept += 1;
                break;
            }
            last = Some(found.due_ms);
            self.fired.insert(key, found.due_ms);
            let (id, visitor) = (&rule.said.id, key.2);
            firings.push(Firing {
                site: site.clone(),
                rule: rule.clone(),
                visitor: VisitorId(visitor),
                at_ms: found.due_ms,
                id: format!("rule:{id}:{:x}:{visitor:032x}", found.ord),
                held_out: is_held_out(&self.secret, (site, id, visitor), rule.said.holdout),
                place: watch.place.clone(),
            });
        }
        firings
    }

    fn sweep(&mut self, now_ms: u64) {
        self.swept_ms = now_ms;
        let rules = &self.rules;
        let slot = |key: &Key| &rules[key.0 as usize].1[key.1 as usize];
        let timers = &mut self.timers;
        self.watches.retain(|key, watch| {
            let rule = slot(key).rule.as_ref();
            let until_ms = rule.zip(watch.seen.last()).map_or(0, |(rule, last)| {
                last.time_ms() + rule.span_ms() + GRACE_MS + LATE_MS
            });
            let stays = until_ms >= now_ms;
            if let Some(at_ms) = watch.timer_ms.filter(|_| !stays) {
                timers.remove(&(at_ms, *key));
            }
            stays
        });
        // A rule may be changed and tell less often from then on, so more is kept while there is room.
        let longer = self.fired.len() <= self.spare();
        self.fired.retain(|key, at_ms| {
            let every_ms = if longer {
                EVERY_MS_MAX
            } else {
                slot(key).every_ms
            };
            // An event that is late by the most that counts may still ask for it.
            *at_ms + every_ms + LATE_MS >= now_ms
        });
    }
}

impl Slot {
    fn of(rule: CompiledRule) -> Self {
        Self {
            experiment: rule.experiment.clone(),
            every_ms: rule.every_ms,
            rule: Some(Arc::new(rule)),
        }
    }
}

/// Whether that is the id of a firing for a visitor.
pub fn is_firing_for(id: &str, visitor: VisitorId) -> bool {
    id.starts_with(RULE_PREFIX) && id.ends_with(&format!(":{:032x}", visitor.0))
}

impl Firing {
    /// The variant of its exposure.
    pub fn variant(&self) -> &'static str {
        if self.held_out { HELD_OUT } else { SHOWN }
    }

    /// The page the visitor was on.
    pub fn page(&self) -> &Page {
        &self.place.page
    }

    /// The exposure that is recorded, as if a server had told it.
    ///
    /// # Errors
    /// Something the visitor's page said cannot be.
    pub fn record(&self, now_ms: u64) -> Result<BatchRecord, String> {
        let Place { session, page } = &*self.place;
        let body = Body::Exposure(Variant {
            experiment: self.rule.experiment.to_string(),
            variant: self.variant().to_owned(),
        });
        let batch = Batch {
            visitor: self.visitor,
            session: SessionId(*session),
            first_ms: self.at_ms,
            page: if page.path.is_empty() {
                PageRef::None
            } else {
                PageRef::Inline(page.clone())
            },
            events: vec![Event { delta_ms: 0, body }],
            ..Batch::default()
        };
        imported::record(&self.site, &self.id, batch, now_ms)
    }
}

/// Whether a visitor is among the share that a rule leaves out. Nobody who lacks the secret can tell.
pub fn is_held_out(secret: &[u8], (site, rule, visitor): (&str, &str, u128), share: f64) -> bool {
    // HMAC takes keys of any length; a failure cannot be.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return false;
    };
    for part in [
        site.as_bytes(),
        b"/",
        rule.as_bytes(),
        b"/",
        &visitor.to_le_bytes(),
    ] {
        mac.update(part);
    }
    let digest = mac.finalize().into_bytes();
    let number = digest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (number as f64) < share * 2_f64.powi(64)
}

fn place_of(row: &EventRow) -> Place {
    let campaign = Campaign {
        source: row.utm_source.clone(),
        medium: row.utm_medium.clone(),
        campaign: row.utm_campaign.clone(),
        term: row.utm_term.clone(),
        content: row.utm_content.clone(),
    };
    let size = |w, h| Size { w, h };
    Place {
        session: row.session,
        page: Page {
            view: ViewId(row.view),
            host: row.host.clone(),
            path: row.path.clone(),
            campaign: Some(campaign).filter(|campaign| *campaign != Campaign::default()),
            device: row.device.into(),
            viewport: size(row.viewport_w, row.viewport_h),
            document: size(row.document_w, row.document_h),
            pixel_ratio_percent: row.pixel_ratio_percent,
            release: row.release.clone(),
            ..Page::default()
        },
    }
}

#[cfg(test)]
mod tests;
