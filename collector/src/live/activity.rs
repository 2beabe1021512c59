//! The feed: the newest things that happened, in the order the collector had them.
//!
//! Of each kind so many are kept, so that those that are rare are still there among those that are
//! not. Most that happens is kept for a moment and never read, so texts are kept as numbers and an
//! item is made when somebody looks. Owns which of them a reader wants, three ways: as a test, in
//! words, and in SQL.

use super::element::Elements;
use super::filter::{ROBOT_SCORE_MIN, is_robot};
use super::limits::{ACTIVITY_KEPT_MAX, ACTIVITY_MAX};
use super::names::{NONE, Names};
use super::resource::Naming;
use super::sql;
use crate::row::{Device, EventRow, Kind};
use std::collections::VecDeque;
use upriver_wire::ElementId;
use upriver_wire::batch::Campaign;
use upriver_wire::live::{ActivityItem, Money};

/// Kinds that are not told: they come by themselves, in numbers, or say who somebody is.
const UNTOLD: [Kind; 6] = [
    Kind::Path,
    Kind::Attention,
    Kind::Impression,
    Kind::Visibility,
    Kind::Consent,
    Kind::Identify,
];

/// Whether events of a kind are told.
pub(crate) fn is_told(kind: Kind) -> bool {
    !UNTOLD.contains(&kind)
}

/// The kinds that are not told, as a list in SQL.
pub(crate) fn untold() -> String {
    UNTOLD.map(|kind| sql::literal(kind.name())).join(", ")
}

/// Names of the kinds that are told.
pub fn kinds_told() -> impl Iterator<Item = Kind> {
    Kind::ALL.iter().copied().filter(|kind| is_told(*kind))
}

/// Which events a reader of the feed wants; everything that is left out is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ActivityFilter {
    /// Only of these kinds.
    pub kinds: Vec<Kind>,
    /// Only on pages of this path; `*` stands for any characters.
    pub page: Option<String>,
    /// Only about this element.
    pub element: Option<u64>,
    /// Only custom events and conversions of this name.
    pub event: Option<String>,
    /// Only with this `utm_campaign`; `(none)` for visits without.
    pub campaign: Option<String>,
    /// Only with this `utm_source`; `(none)` for visits without.
    pub source: Option<String>,
    /// Only from this device.
    pub device: Option<Device>,
    /// Only what does not look like a program's.
    pub human: bool,
}

impl ActivityFilter {
    fn holds(&self, kept: &Kept, texts: &Texts) -> bool {
        let named = |wanted: &Option<String>, name: &str| {
            let name = if name.is_empty() { NONE } else { name };
            wanted.as_ref().is_none_or(|wanted| wanted == name)
        };
        let kind = kept.kind;
        let is_event = matches!(kind, Kind::Custom | Kind::Conversion);
        let [source, _, campaign, _, _] = texts.campaigns.name(kept.campaign);
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.page.as_ref())
                .is_none_or(|page| sql::glob_matches(page, texts.words.name(kept.path)))
            && self.element.is_none_or(|wanted| wanted == kept.element)
            && (self.event.as_deref())
                .is_none_or(|name| is_event && *name == **texts.words.name(kept.about))
            && named(&self.campaign, campaign)
            && named(&self.source, source)
            && self.device.is_none_or(|device| device == kept.device)
            && !(self.human && kept.robot)
    }

    /// As conditions on rows; and in words, each as what an event must be.
    fn conditions(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        let none = |name: &str| sql::literal(if name == NONE { "" } else { name });
        if !self.kinds.is_empty() {
            let names: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
            let list: Vec<_> = names.iter().map(|name| sql::literal(name)).collect();
            let condition = format!("kind IN ({})", list.join(", "));
            all.push((condition, format!("of kind {}", names.join(" or "))));
        }
        if let Some(page) = &self.page {
            all.push((sql::glob("path", page), format!("on page {page}")));
        }
        if let Some(element) = self.element {
            let words = format!("about element {element:016x}");
            all.push((format!("element = {element}"), words));
        }
        if let Some(event) = &self.event {
            let name = sql::literal(event);
            let condition = format!("kind IN ('custom', 'conversion') AND name = {name}");
            all.push((condition, format!("named {event:?}")));
        }
        if let Some(name) = &self.campaign {
            let condition = format!("utm_campaign = {}", none(name));
            all.push((condition, format!("of campaign {name}")));
        }
        if let Some(name) = &self.source {
            let condition = format!("utm_source = {}", none(name));
            all.push((condition, format!("of source {name}")));
        }
        if let Some(device) = self.device {
            let condition = format!("device = {}", sql::literal(device.name()));
            all.push((condition, format!("on device {}", device.name())));
        }
        if self.human {
            let condition = format!("bot_score < {ROBOT_SCORE_MIN}");
            all.push((condition.clone(), format!("with {condition}")));
        }
        all
    }
}

/// Receipt, order, tie: which of two items is newer.
type Place = (i64, u64, u32);

/// What an item is made of when somebody looks.
#[derive(Debug)]
struct Kept {
    place: Place,
    /// 0 until it is numbered.
    id: u64,
    time_ms: u64,
    element: u64,
    /// Number of the currency, and millionths.
    value: Option<(u32, i64)>,
    /// The first 32 bits.
    visitor: u32,
    /// Numbers of texts.
    path: u32,
    about: u32,
    campaign: u32,
    kind: Kind,
    device: Device,
    robot: bool,
}

/// The texts of everything that is kept, each once. As there are no more than what is kept has, they
/// need no bound of their own.
#[derive(Debug)]
struct Texts {
    words: Names<Box<str>>,
    /// What a visit came with: source, medium, campaign, term, content.
    campaigns: Names<[Box<str>; 5]>,
}

impl Texts {
    fn new() -> Self {
        Self {
            words: Names::new(Box::default(), usize::MAX),
            campaigns: Names::new(Default::default(), usize::MAX),
        }
    }

    /// What is kept of an event; it holds a use of each of its texts.
    fn keep(&mut self, row: &EventRow, place: Place) -> Kept {
        let campaign = self.campaigns.acquire_texts([
            &row.utm_source,
            &row.utm_medium,
            &row.utm_campaign,
            &row.utm_term,
            &row.utm_content,
        ]);
        let money = row.kind == Kind::Conversion && (row.value != 0 || !row.currency.is_empty());
        Kept {
            place,
            id: 0,
            time_ms: u64::try_from(row.time).unwrap_or(0),
            element: row.element,
            value: money.then(|| (self.words.acquire_text(&row.currency), row.value)),
            visitor: (row.visitor.as_u128() >> 96) as u32,
            path: self.words.acquire_text(row.path.as_str()),
            about: self.about(row),
            campaign,
            kind: row.kind,
            device: row.device,
            robot: is_robot(row),
        }
    }

    /// The number of what an event was about; that of no text where its element's label says it,
    /// which is looked up when the feed is read.
    fn about(&mut self, row: &EventRow) -> u32 {
        match row.kind {
            Kind::PageView => self.words.acquire_text(&row.title),
            Kind::Form => self.words.acquire_text(row.form_step.name()),
            Kind::Fault => self.words.acquire_text(&row.message),
            Kind::Scroll | Kind::Swipe => self.words.acquire_text(row.direction.name()),
            Kind::Custom | Kind::Conversion => self.words.acquire_text(&row.name),
            Kind::Exposure => match row.props.iter().find(|(name, _)| name == "variant") {
                Some((_, variant)) => {
                    let shown = format!("{}={variant}", row.name);
                    self.words.acquire_text(&shown)
                }
                None => self.words.acquire_text(&row.name),
            },
            Kind::Press
            | Kind::LongPress
            | Kind::Pinch
            | Kind::Hesitation
            | Kind::Rage
            | Kind::Dead
            | Kind::ErrorPress
            | Kind::Thrash
            | Kind::Path
            | Kind::Attention
            | Kind::Impression
            | Kind::Visibility
            | Kind::Consent
            | Kind::Identify => self.words.acquire_text(""),
        }
    }

    /// Gives back what is kept no more.
    fn release(&mut self, kept: &Kept) {
        self.campaigns.release(kept.campaign, 1);
        self.words.release(kept.path, 1);
        self.words.release(kept.about, 1);
        if let Some((currency, _)) = kept.value {
            self.words.release(currency, 1);
        }
    }

    fn item(&self, kept: &Kept) -> ActivityItem {
        let [source, medium, campaign, term, content] = self.campaigns.name(kept.campaign);
        let text = |number: u32| self.words.name(number).to_string();
        ActivityItem {
            id: kept.id,
            time_ms: kept.time_ms,
            visitor: format!("{:08x}", kept.visitor),
            kind: kept.kind.name().into(),
            path: text(kept.path),
            about: text(kept.about),
            value: kept.value.map(|(currency, micros)| Money {
                currency: text(currency),
                micros,
            }),
            campaign: Campaign {
                source: source.to_string(),
                medium: medium.to_string(),
                campaign: campaign.to_string(),
                term: term.to_string(),
                content: content.to_string(),
            },
            device: kept.device.into(),
            element: ElementId(kept.element),
        }
    }
}

/// The feed of one site.
#[derive(Debug)]
pub(crate) struct Feed {
    /// By kind, oldest first.
    kinds: Vec<VecDeque<Kept>>,
    /// Events of a batch that are newer than what is kept of their kind, by place in the batch.
    offered: Vec<(Place, u32)>,
    texts: Texts,
    numbered: u64,
    max: usize,
    displaced: u64,
}

impl Feed {
    pub(crate) fn new(of_kind_max: usize) -> Self {
        let kinds = Kind::ALL.iter().map(|kind| *kind as usize).max();
        Self {
            kinds: (0..=kinds.unwrap_or(0)).map(|_| VecDeque::new()).collect(),
            offered: Vec::new(),
            texts: Texts::new(),
            numbered: 0,
            max: of_kind_max,
            displaced: 0,
        }
    }

    /// Offers an event, by its place in a batch that `take` must be given. False when it is too old
    /// to be kept.
    pub(crate) fn offer(&mut self, row: &EventRow, tie: u32, at: usize) -> bool {
        if !is_told(row.kind) {
            return false;
        }
        let place = (row.received_at, row.ord, tie);
        let kept = &self.kinds[row.kind as usize];
        if kept.len() >= self.max && kept.front().is_none_or(|oldest| oldest.place > place) {
            self.displaced += 1;
            return false;
        }
        self.offered.push((place, at as u32));
        true
    }

    /// Keeps the newest of what was offered of a batch, and numbers them, oldest first.
    pub(crate) fn take(&mut self, rows: &[EventRow]) {
        if self.offered.is_empty() {
            return;
        }
        let mut offered = std::mem::take(&mut self.offered);
        offered.sort_unstable();
        // Which of them stay: as many newest of each kind as there is room for, of these and those
        // that are there.
        let mut newer = vec![0; self.kinds.len()];
        let mut stays = vec![false; offered.len()];
        for ((place, at), stays) in offered.iter().zip(&mut stays).rev() {
            let kind = rows[*at as usize].kind as usize;
            let kept = &self.kinds[kind];
            let there = kept.len() - after(kept, *place);
            *stays = newer[kind] + there < self.max;
            newer[kind] += 1;
        }
        for ((place, at), stays) in offered.iter().zip(stays) {
            if !stays {
                self.displaced += 1;
                continue;
            }
            let row = &rows[*at as usize];
            let kept = &mut self.kinds[row.kind as usize];
            if kept.len() >= self.max
                && let Some(oldest) = kept.pop_front()
            {
                self.texts.release(&oldest);
                self.displaced += 1;
            }
            self.numbered += 1;
            let mut own = self.texts.keep(row, *place);
            own.id = self.numbered;
            kept.insert(after(kept, *place), own);
        }
        offered.clear();
        self.offered = offered;
    }

    /// Numbers everything anew, after items came in between others.
    pub(crate) fn renumber(&mut self) {
        let mut all: Vec<&mut Kept> = self.kinds.iter_mut().flatten().collect();
        all.sort_unstable_by_key(|kept| kept.place);
        for kept in all {
            self.numbered += 1;
            kept.id = self.numbered;
        }
    }

    /// Numbers everything on from another feed.
    pub(crate) fn continue_after(&mut self, before: &Self) {
        self.numbered = before.numbered;
        self.renumber();
    }

    /// Forgets what was received before a time.
    pub(crate) fn forget(&mut self, from_ms: u64) {
        for kept in &mut self.kinds {
            let gone = after(kept, (from_ms as i64, 0, 0));
            for kept in kept.drain(..gone) {
                self.texts.release(&kept);
            }
        }
    }

    /// Items kept, and events of which none is kept any more.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.kinds.iter().map(VecDeque::len).sum(), self.displaced)
    }

    /// The newest of the items somebody wants, oldest first, each with the label its element has now.
    pub(crate) fn items(
        &self,
        wanted: &ActivityFilter,
        naming: Naming,
        elements: &Elements,
    ) -> Vec<ActivityItem> {
        let mut found: Vec<&Kept> = Vec::new();
        for kept in &self.kinds {
            let newest = kept.iter().rev();
            let newest = newest.filter(|kept| wanted.holds(kept, &self.texts));
            found.extend(newest.take(ACTIVITY_MAX));
        }
        found.sort_unstable_by_key(|kept| kept.place);
        let newest = found.len().saturating_sub(ACTIVITY_MAX);
        let labelled = |kept: &&Kept| {
            let mut item = self.texts.item(kept);
            if item.about.is_empty()
                && let Some(known) = elements.get(item.element.0)
            {
                item.about = known.label.to_string();
            }
            if naming == Naming::Unnamed {
                item.visitor.clear();
            }
            item
        };
        found[newest..].iter().map(labelled).collect()
    }
}

/// How many of what is kept of a kind are older than a place. Mostly that is the newest of all.
fn after(kept: &VecDeque<Kept>, place: Place) -> usize {
    match kept.back() {
        Some(newest) if newest.place >= place => kept.partition_point(|kept| kept.place < place),
        _ => kept.len(),
    }
}

/// The definition in words.
pub(crate) fn definition(wanted: &ActivityFilter) -> String {
    let words = wanted.conditions().into_iter().map(|(_, words)| words);
    let words: Vec<_> = words.collect();
    let only = match words.is_empty() {
        true => String::new(),
        false => format!(" that are {}", words.join(" and ")),
    };
    format!(
        "The newest {ACTIVITY_MAX} events{only}, in the order the collector received them, whenever they \
         happened, of the newest {ACTIVITY_KEPT_MAX} of each kind. What a server told more than 5 minutes late, \
         ways of the pointer, attention, impressions, visibility, consent and identities are left out. Ids \
         count up while the collector runs and begin anew after a restart."
    )
}

/// The query that gives the same events, newest first.
pub(crate) fn query(wanted: &ActivityFilter, site: &str, from_ms: u64) -> String {
    let conditions = wanted.conditions().into_iter();
    let conditions: Vec<_> = conditions.map(|(sql, _)| format!("({sql})")).collect();
    let wanted = match conditions.is_empty() {
        true => "1".into(),
        false => conditions.join(" AND "),
    };
    format!(
        "SELECT toUnixTimestamp64Milli(time) AS time_ms, \
         substring(toString(visitor), 1, 8) AS visitor_start, kind, path, lower(leftPad(hex(element), 16, '0')) AS element_id,\n    \
         name, direction, form_step, message, value, currency, utm_source, utm_medium, utm_campaign, device\n\
         FROM\n(\n    SELECT *, {tie} AS tie\n    FROM events\n    \
         WHERE site = {site} AND received_at >= {since} AND kind NOT IN ({untold})\n      AND {news}\n    \
         ORDER BY received_at DESC, ord DESC, tie DESC\n    LIMIT {ACTIVITY_KEPT_MAX} BY kind\n)\n\
         WHERE {wanted}\nORDER BY received_at DESC, ord DESC, tie DESC\nLIMIT {ACTIVITY_MAX}",
        tie = sql::TIE,
        site = sql::literal(site),
        since = sql::moment(from_ms),
        untold = untold(),
        news = sql::news(),
    )
}
