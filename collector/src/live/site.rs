//! One site's live state: hands each event to every part, and each part the hours that passed.
//!
//! Owns the order in which parts count and forget. The numbers themselves are the parts'.

use super::activity::Feed;
use super::campaign::Campaigns;
use super::chain::StepRow;
use super::define::Defining;
use super::element::Elements;
use super::entry::{Entries, NO_ENTRY};
use super::experiment::Experiments;
use super::fault::Faults;
use super::funnel::{FunnelCounts, Known};
use super::heatmap::{Heat, HeatKind};
use super::limits::Bounds;
use super::mark::Marks;
use super::minute::Minutes;
use super::names::{Names, OTHER};
use super::origin::Origins;
use super::overview::Totals;
use super::page::Pages;
use super::presence::{self, PresenceCounts};
use super::range::{HourSet, Hourly, Range};
use super::release::ReleaseMarks;
use super::source::Sources;
use super::visitor::Visitors;
use super::window::MINUTE_MS;
use crate::config;
use crate::row::{ElementRow, EventRow, Kind};
use upriver_wire::live::Alerts;

/// How often it is told what takes a look at all visitors and changes with all that happens.
const SELDOM_MS: u64 = 5_000;

/// How often each resource has changed. A number only grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Revisions {
    pub(crate) overview: u64,
    /// By kind.
    pub(crate) heat: [u64; HeatKind::ALL.len()],
    pub(crate) campaigns: u64,
    pub(crate) presence: u64,
    pub(crate) present: u64,
    pub(crate) pages: u64,
    pub(crate) activity: u64,
    pub(crate) board: u64,
    pub(crate) experiments: u64,
    pub(crate) alerts: u64,
    pub(crate) releases: u64,
    pub(crate) sources: u64,
    pub(crate) errors: u64,
    pub(crate) funnels: Vec<u64>,
    /// The visitors of all funnels.
    pub(crate) funnel_visitors: u64,
}

impl Revisions {
    /// Everything may have changed.
    pub(crate) fn all(&mut self) {
        for revision in [
            &mut self.overview,
            &mut self.campaigns,
            &mut self.presence,
            &mut self.present,
            &mut self.pages,
            &mut self.activity,
            &mut self.board,
            &mut self.experiments,
            &mut self.alerts,
            &mut self.releases,
            &mut self.sources,
            &mut self.errors,
        ] {
            *revision += 1;
        }
        self.funnels.iter_mut().for_each(|revision| *revision += 1);
        self.funnel_visitors += 1;
        self.all_heat();
    }

    /// Counts on from others, so that none is one of theirs.
    pub(crate) fn continue_after(&mut self, before: &Self) {
        // All are named: one that is added and forgotten here is refused by the compiler.
        let Self {
            overview,
            heat,
            campaigns,
            presence,
            present,
            pages,
            activity,
            board,
            experiments,
            alerts,
            releases,
            sources,
            errors,
            funnels,
            funnel_visitors,
        } = self;
        for (revision, before) in [
            (overview, before.overview),
            (campaigns, before.campaigns),
            (presence, before.presence),
            (present, before.present),
            (pages, before.pages),
            (activity, before.activity),
            (board, before.board),
            (experiments, before.experiments),
            (alerts, before.alerts),
            (releases, before.releases),
            (sources, before.sources),
            (errors, before.errors),
            (funnel_visitors, before.funnel_visitors),
        ] {
            *revision += before + 1;
        }
        let pairs = funnels.iter_mut().zip(before.funnels.iter().copied());
        for (revision, before) in pairs.chain(heat.iter_mut().zip(before.heat)) {
            *revision += before + 1;
        }
    }

    /// Every heat map may have changed.
    fn all_heat(&mut self) {
        self.heat.iter_mut().for_each(|revision| *revision += 1);
    }
}

/// One site.
#[derive(Debug)]
pub(crate) struct SiteState {
    pub(crate) id: String,
    pub(crate) revisions: Revisions,
    pub(crate) range: Range,
    pub(crate) now_ms: u64,
    pub(crate) totals: Totals,
    pub(crate) pages: Pages,
    pub(crate) campaigns: Campaigns,
    pub(crate) heat: Heat,
    pub(crate) marks: Marks,
    pub(crate) minutes: Minutes,
    pub(crate) releases: ReleaseMarks,
    pub(crate) sources: Sources,
    pub(crate) faults: Faults,
    /// Whether any visitor who is here has changed since they were last said to.
    present_changed: bool,
    /// Whether what is told every few seconds has changed since it was last said to.
    seldom_changed: bool,
    /// Whether the board of elements has changed since it was last said to.
    board_changed: bool,
    /// Whether any funnel has changed since its visitors were last said to.
    pub(super) funnels_changed: bool,
    pub(crate) presence: PresenceCounts,
    pub(crate) feed: Feed,
    pub(crate) experiments: Experiments,
    /// What was found elsewhere; shown as it came.
    pub(crate) alerts: Alerts,
    pub(crate) funnels: Vec<FunnelCounts>,
    pub(crate) origins: Origins,
    pub(crate) entries: Entries,
    pub(crate) elements: Elements,
    pub(crate) currencies: Names<Box<str>>,
    pub(crate) visitors: Visitors,
    /// Visitor and funnel of chains that must be replayed before anyone looks.
    pub(super) stale: Vec<(u32, u8)>,
    /// Funnels whose past is being read.
    pub(super) defining: Vec<Defining>,
    pub(crate) bounds: Bounds,
    /// Rows of all funnels that are kept.
    pub(crate) funnel_rows: usize,
    /// Events that no funnel of the site had room for.
    pub(crate) funnel_rows_not_kept: Hourly<u64>,
    /// The same since the start.
    pub(crate) funnel_rows_overflowed: u64,
    /// Events that could not be remembered while a past was read, since the start.
    pub(crate) recount_events_not_met: u64,
    /// Events outside the live range.
    pub(crate) out_of_range: u64,
}

impl SiteState {
    pub(crate) fn new(site: &config::Site, bounds: Bounds, now_ms: u64) -> Self {
        let funnels: Vec<_> = site.funnels.iter().map(FunnelCounts::new).collect();
        let (mut origins, mut pages) = (Origins::new(&bounds), Pages::new(bounds.pages));
        let entries = Entries::new(&bounds, &mut origins, &mut pages);
        Self {
            id: site.id.clone(),
            revisions: Revisions {
                funnels: vec![0; funnels.len()],
                ..Revisions::default()
            },
            range: Range::at(now_ms),
            now_ms,
            totals: Totals::default(),
            pages,
            campaigns: Campaigns::new(bounds.campaigns),
            heat: Heat::new(&bounds, now_ms),
            marks: Marks::new(&bounds),
            minutes: Minutes::new(bounds.visitor_minutes),
            releases: ReleaseMarks::new(&site.releases, bounds.releases),
            sources: Sources::new(&bounds),
            faults: Faults::new(&bounds),
            present_changed: false,
            seldom_changed: false,
            board_changed: false,
            funnels_changed: false,
            presence: PresenceCounts::default(),
            feed: Feed::new(bounds.activity_kept),
            alerts: Alerts::default(),
            experiments: Experiments::new(&site.planned(), &bounds, now_ms),
            funnels,
            origins,
            entries,
            elements: Elements::new(bounds.elements),
            currencies: Names::new(OTHER.into(), bounds.currencies),
            visitors: Visitors::new(bounds.visitors),
            stale: Vec::new(),
            defining: Vec::new(),
            bounds,
            funnel_rows: 0,
            funnel_rows_not_kept: Hourly::default(),
            funnel_rows_overflowed: 0,
            recount_events_not_met: 0,
            out_of_range: 0,
        }
    }

    /// The same site at a time in Unix milliseconds, without any history, its funnels, releases and
    /// plans as they are defined now and in the same places.
    pub(crate) fn emptied(&self, site: &config::Site, now_ms: u64) -> Self {
        let mut emptied = Self::new(site, self.bounds, now_ms);
        emptied.funnels = self.funnels.iter().map(FunnelCounts::emptied).collect();
        emptied.revisions.funnels = vec![0; emptied.funnels.len()];
        emptied.releases = self.releases.emptied();
        emptied.experiments = self.experiments.emptied(&self.bounds, now_ms);
        emptied
    }

    /// Goes on in the place of another that told of the same site: versions only grow.
    pub(crate) fn continue_after(&mut self, before: &Self) {
        self.revisions.continue_after(&before.revisions);
        self.feed.continue_after(&before.feed);
        self.alerts = before.alerts.clone();
    }

    /// Counts an event. `settle` must follow before anyone looks.
    pub(crate) fn count(&mut self, row: &EventRow) {
        // Experiments reach further back than everything else.
        if self.experiments.count(row, &mut self.currencies) {
            self.revisions.experiments += 1;
        }
        // A release may have gone out long before, and a late event may say so.
        self.seldom_changed |= self.releases.see(row);
        let hour = self.range.hour_of(row.time);
        let recent = row.is_news() && presence::is_recent(row.received_at, self.now_ms);
        if hour.is_none() {
            self.out_of_range += 1;
        }
        if hour.is_none() && !recent {
            return;
        }
        let place = self.visitors.place(row.visitor);
        if let Some(place) = place.filter(|_| recent) {
            let visitor = (place, self.visitors.at(place));
            let changed =
                self.presence
                    .see(row, tie(row), visitor, &mut self.pages, &mut self.origins);
            self.revisions.presence += u64::from(changed);
            self.present_changed = true;
        }
        let Some(hour) = hour else { return };
        let currency = self.currency(row);
        self.totals.count(row, hour, currency, place.is_some());
        let mut visitor = place.map(|place| self.visitors.at(place));
        let is_new = visitor.as_ref().is_some_and(|known| known.pages.is_empty());
        self.totals.visitors += u64::from(is_new);
        let page = self.pages.count(row, hour, visitor.as_deref_mut());
        self.campaigns
            .count(row, hour, self.now_ms, visitor, currency);
        let minutes = place.map(|place| &mut self.visitors.at(place).minutes);
        self.minutes.count(row, hour, minutes, currency);
        let visits = place.map(|place| (place, &mut self.visitors.at(place).visits));
        self.sources.count(row, hour, visits, currency);
        self.faults.count(row, hour, place);
        self.seldom_changed = true;
        self.revisions.overview += 1;
        self.revisions.pages += 1;
        self.revisions.campaigns += 1;
        self.heat.count(row, page, &mut self.origins);
        let visitor = place.map(|place| self.visitors.at(place));
        let marked = self
            .marks
            .count(row, page, hour, visitor, &mut self.origins);
        self.board_changed |= marked || matches!(row.kind, Kind::Rage | Kind::Dead);
        for kind in HeatKind::of(row.kind) {
            self.revisions.heat[*kind as usize] += 1;
        }
        if let Some(place) = place {
            self.count_steps(row, place);
        }
    }

    /// The number of the currency of a conversion with a value; one more use of it.
    fn currency(&mut self, row: &EventRow) -> Option<u32> {
        let valued = row.kind == Kind::Conversion && (row.value != 0 || !row.currency.is_empty());
        valued.then(|| self.currencies.acquire_text(row.currency.as_str()))
    }

    fn count_steps(&mut self, row: &EventRow, place: u32) {
        for at in 0..self.funnels.len() {
            self.count_steps_of(at, row, place);
        }
    }

    /// Counts an event of the live range in one funnel.
    pub(super) fn count_steps_of(&mut self, at: usize, row: &EventRow, place: u32) {
        let steps = self.funnels[at].steps_of(row);
        if steps == 0 || !self.meets(at, row) {
            return;
        }
        if self.funnel_rows >= self.bounds.funnel_rows_of_site {
            self.funnel_rows_overflowed += 1;
            if let Some(hour) = self.range.hour_of(row.time) {
                *self.funnel_rows_not_kept.at(hour) += 1;
            }
            return;
        }
        let funnel = &mut self.funnels[at];
        let (origins, pages) = (&mut self.origins, &mut self.pages);
        let entry = match steps & 1 == 1 {
            true => self.entries.acquire(row, origins, pages),
            false => NO_ENTRY,
        };
        let own = self.visitors.at(place).funnel(at as u8);
        let step = StepRow::new((row.ord, tie(row)), entry, steps);
        self.revisions.funnels[at] += 1;
        self.funnels_changed = true;
        if !funnel.insert(own, step, self.bounds.funnel_rows) {
            self.entries.release(entry, origins, pages);
            return;
        }
        self.funnel_rows += 1;
        if own.chain.is_stale() {
            self.stale.push((place, at as u8));
        } else {
            funnel.settle(own, place, self.now_ms);
        }
    }

    /// Replays the chains that late rows touched, each once however many rows came.
    pub(crate) fn settle(&mut self) {
        for (place, at) in std::mem::take(&mut self.stale) {
            let own = self.visitors.at(place).funnel(at);
            if own.chain.is_stale() {
                self.funnels[usize::from(at)].settle(own, place, self.now_ms);
            }
        }
    }

    /// Takes a descriptor.
    pub(crate) fn describe(&mut self, row: &ElementRow) {
        if self.elements.describe(row) {
            self.revisions.all_heat();
            self.revisions.board += 1;
            self.revisions.activity += 1;
        }
    }

    /// Offers an event to the feed, by its place in a batch that the feed's `take` must be given.
    pub(crate) fn offer(&mut self, row: &EventRow, at: usize) {
        let within = row.received_at >= self.range.start_ms() as i64;
        if within && row.is_news() && self.feed.offer(row, tie(row), at) {
            self.revisions.activity += 1;
        }
    }

    /// Lets time pass. Time never goes back; an earlier time changes nothing.
    pub(crate) fn advance(&mut self, now_ms: u64) {
        if now_ms <= self.now_ms {
            return;
        }
        // Every look at the board goes over all visitors, so it is told at most once a second.
        if self.board_changed && now_ms / 1_000 != self.now_ms / 1_000 {
            self.board_changed = false;
            self.revisions.board += 1;
        }
        if self.funnels_changed && now_ms / 1_000 != self.now_ms / 1_000 {
            self.funnels_changed = false;
            self.revisions.funnel_visitors += 1;
        }
        if self.present_changed && now_ms / 1_000 != self.now_ms / 1_000 {
            self.present_changed = false;
            self.revisions.present += 1;
        }
        // Looks at all visitors too, and its windows grow by whole minutes only.
        if self.seldom_changed && now_ms / SELDOM_MS != self.now_ms / SELDOM_MS {
            self.seldom_changed = false;
            self.revisions.releases += 1;
            self.revisions.sources += 1;
            self.revisions.errors += 1;
        }
        let minute_passed = now_ms / 60_000 != self.now_ms / 60_000;
        self.now_ms = now_ms;
        while let Some(place) = self.presence.due(now_ms) {
            let visitor = (place, self.visitors.at(place));
            if self
                .presence
                .expire(visitor, now_ms, &mut self.pages, &mut self.origins)
            {
                self.revisions.presence += 1;
                self.present_changed = true;
                self.visitors.free_if_gone(place);
            }
        }
        if minute_passed {
            self.revisions.campaigns += u64::from(self.campaigns.advance(now_ms));
            self.heat.advance(now_ms);
            self.seldom_changed = true;
            self.revisions.all_heat();
        }
        let first = self.range.start_ms() / MINUTE_MS;
        if let Some(gone) = self.range.advance(now_ms) {
            self.forget(gone, first);
            self.revisions.all();
        }
        if self.experiments.advance(now_ms, &mut self.currencies) {
            self.revisions.experiments += 1;
        }
        for at in 0..self.funnels.len() {
            self.pass_deadlines(at);
        }
    }

    /// Makes open visitors lost whose window has passed.
    fn pass_deadlines(&mut self, at: usize) {
        while let Some(place) = self.funnels[at].due(self.now_ms) {
            let visitor = self.visitors.at(place);
            let Some(own) = visitor
                .funnels
                .iter_mut()
                .find(|own| usize::from(own.funnel) == at)
            else {
                continue;
            };
            own.queued = false;
            if self.funnels[at].settle(own, place, self.now_ms) {
                self.revisions.funnels[at] += 1;
                self.funnels_changed = true;
            }
        }
    }

    /// What the numbers of a funnel's beginnings mean.
    pub(crate) fn known(&self) -> Known<'_> {
        Known {
            entries: &self.entries,
            origins: &self.origins,
            pages: &self.pages,
        }
    }

    /// Forgets hours everywhere: visitors first, as their marks hold numbers of pages and
    /// campaigns; currencies last. `first` is the first minute there was.
    fn forget(&mut self, gone: HourSet, first: u64) {
        self.funnels
            .iter_mut()
            .for_each(FunnelCounts::forget_deadlines);
        for place in 0..self.visitors.places() {
            self.forget_visitor(place, gone, first);
        }
        self.campaigns.forget(gone);
        self.heat.forget(self.range.start_ms(), &mut self.origins);
        self.marks.forget(gone);
        self.minutes.forget(gone, self.range.start_ms());
        self.sources.forget(gone);
        self.faults.forget(gone);
        self.funnel_rows_not_kept.forget(gone, |_| ());
        self.pages.forget(gone);
        self.totals.forget(gone, &mut self.currencies);
        self.feed.forget(self.range.start_ms());
    }

    fn forget_visitor(&mut self, place: u32, gone: HourSet, first: u64) {
        let from_ms = self.range.start_ms();
        let visitor = self.visitors.at(place);
        let was = !visitor.pages.is_empty();
        self.campaigns.forget_visitor(visitor, gone);
        self.pages.forget_visitor(visitor, gone);
        self.totals.visitors -= u64::from(was && visitor.pages.is_empty());
        self.marks.forget_visitor(visitor, gone, &mut self.origins);
        self.minutes
            .forget_visitor(&mut visitor.minutes, first, from_ms);
        self.sources
            .forget_visitor(place, &mut visitor.visits, gone);
        self.faults.forget_visitor(place, gone);
        for own in &mut *visitor.funnels {
            let funnel = &mut self.funnels[usize::from(own.funnel)];
            let (entries, origins) = (&mut self.entries, &mut self.origins);
            let pages = &mut self.pages;
            let kept = &mut self.funnel_rows;
            funnel.forget(own, from_ms, |entry| {
                *kept -= 1;
                entries.release(entry, origins, pages);
            });
            own.queued = false;
            funnel.settle(own, place, self.now_ms);
        }
        visitor.funnels.retain(|own| !own.chain.is_empty());
        self.visitors.free_if_gone(place);
    }
}

/// Tells events of the same order apart, the same way in whatever order they come.
pub(super) fn tie(row: &EventRow) -> u32 {
    let (high, low) = row.stream.as_u64_pair();
    let mixed = (high ^ low.rotate_left(32) ^ row.seq.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_mul(0xff51_afd7_ed55_8ccd);
    (mixed >> 32) as u32
}
