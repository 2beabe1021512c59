//! The feed: the newest things that happened, in the order the collector had them.
//!
//! Of each kind so many are kept, so that those that are rare are still there among those that are
//! not. Owns which of them a reader wants, three ways: as a test, in words, and in SQL.

use super::element::Elements;
use super::filter::{ROBOT_SCORE_MIN, is_robot};
use super::limits::{ACTIVITY_KEPT_MAX, ACTIVITY_MAX};
use super::names::NONE;
use super::resource::Naming;
use super::sql;
use crate::row::{Device, EventRow, Kind};
use std::collections::BTreeMap;
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
    fn holds(&self, kind: Kind, kept: &Kept) -> bool {
        let named = |wanted: &Option<String>, name: &str| {
            let name = if name.is_empty() { NONE } else { name };
            wanted.as_ref().is_none_or(|wanted| wanted == name)
        };
        let item = &kept.item;
        let event = || matches!(kind, Kind::Custom | Kind::Conversion).then_some(&item.about);
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.page.as_ref()).is_none_or(|page| sql::glob_matches(page, &item.path))
            && self.element.is_none_or(|wanted| wanted == item.element.0)
            && (self.event.as_ref()).is_none_or(|name| event() == Some(name))
            && named(&self.campaign, &item.campaign.campaign)
            && named(&self.source, &item.campaign.source)
            && self.device.is_none_or(|wanted| wanted == kept.device)
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

#[derive(Debug)]
struct Kept {
    /// Its id is 0 until it is numbered.
    item: ActivityItem,
    device: Device,
    robot: bool,
}

/// The feed of one site.
#[derive(Debug)]
pub(crate) struct Feed {
    /// By kind.
    kinds: Vec<BTreeMap<Place, Kept>>,
    /// Those without an id.
    fresh: Vec<(Place, Kind)>,
    numbered: u64,
    max: usize,
    displaced: u64,
}

impl Feed {
    pub(crate) fn new(of_kind_max: usize) -> Self {
        let kinds = Kind::ALL.iter().map(|kind| *kind as usize).max();
        Self {
            kinds: (0..=kinds.unwrap_or(0)).map(|_| BTreeMap::new()).collect(),
            fresh: Vec::new(),
            numbered: 0,
            max: of_kind_max,
            displaced: 0,
        }
    }

    /// Offers an event. Most are too old to be kept when a batch is offered newest first, and
    /// then cost nothing.
    pub(crate) fn offer(&mut self, row: &EventRow, tie: u32) -> bool {
        if !is_told(row.kind) {
            return false;
        }
        let place = (row.received_at, row.ord, tie);
        let items = &mut self.kinds[row.kind as usize];
        if items.len() >= self.max {
            self.displaced += 1;
            let oldest = items.first_key_value();
            if oldest.is_none_or(|(oldest, _)| *oldest > place) {
                return false;
            }
            items.pop_first();
        }
        let kept = Kept {
            item: item(row),
            device: row.device,
            robot: is_robot(row),
        };
        items.insert(place, kept);
        self.fresh.push((place, row.kind));
        true
    }

    /// Numbers what was offered since, oldest first.
    pub(crate) fn number(&mut self) {
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.sort_unstable();
        for (place, kind) in fresh {
            // What was pushed out meanwhile gets no number.
            if let Some(kept) = self.kinds[kind as usize].get_mut(&place) {
                self.numbered += 1;
                kept.item.id = self.numbered;
            }
        }
    }

    /// Numbers everything anew, after items came in between others.
    pub(crate) fn renumber(&mut self) {
        self.fresh.clear();
        for kind in Kind::ALL {
            let items = self.kinds[*kind as usize].keys();
            self.fresh.extend(items.map(|place| (*place, *kind)));
        }
        self.number();
    }

    /// Numbers everything on from another feed.
    pub(crate) fn continue_after(&mut self, before: &Self) {
        self.numbered = before.numbered;
        self.renumber();
    }

    /// Forgets what was received before a time.
    pub(crate) fn forget(&mut self, from_ms: u64) {
        for items in &mut self.kinds {
            *items = items.split_off(&(from_ms as i64, 0, 0));
        }
    }

    /// Items kept, and events of which none is kept any more.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.kinds.iter().map(BTreeMap::len).sum(), self.displaced)
    }

    /// The newest of the items somebody wants, oldest first, each with the label its element has now.
    pub(crate) fn items(
        &self,
        wanted: &ActivityFilter,
        naming: Naming,
        elements: &Elements,
    ) -> Vec<ActivityItem> {
        let mut found: Vec<(&Place, &Kept)> = Vec::new();
        for kind in Kind::ALL {
            let items = self.kinds[*kind as usize].iter().rev();
            let items = items.filter(|(_, kept)| wanted.holds(*kind, kept));
            found.extend(items.take(ACTIVITY_MAX));
        }
        found.sort_unstable_by_key(|(place, _)| **place);
        let newest = found.len().saturating_sub(ACTIVITY_MAX);
        let labelled = |(_, kept): &(&Place, &Kept)| {
            let mut item = kept.item.clone();
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

fn item(row: &EventRow) -> ActivityItem {
    let about = match row.kind {
        Kind::PageView => row.title.clone(),
        Kind::Form => row.form_step.name().to_string(),
        Kind::Fault => row.message.clone(),
        Kind::Scroll | Kind::Swipe => row.direction.name().to_string(),
        Kind::Custom | Kind::Conversion => row.name.clone(),
        Kind::Exposure => {
            let shown = row.props.iter().find(|(name, _)| name == "variant");
            shown.map_or(row.name.clone(), |(_, variant)| {
                format!("{}={variant}", row.name)
            })
        }
        // The label of the element, looked up when the feed is read.
        Kind::Press
        | Kind::LongPress
        | Kind::Pinch
        | Kind::Hesitation
        | Kind::Rage
        | Kind::Dead
        | Kind::ErrorPress => String::new(),
        Kind::Thrash
        | Kind::Path
        | Kind::Attention
        | Kind::Impression
        | Kind::Visibility
        | Kind::Consent
        | Kind::Identify => String::new(),
    };
    let money = row.kind == Kind::Conversion && (row.value != 0 || !row.currency.is_empty());
    ActivityItem {
        id: 0,
        time_ms: u64::try_from(row.time).unwrap_or(0),
        visitor: format!("{:08x}", row.visitor.as_u128() >> 96),
        kind: row.kind.name().into(),
        path: row.path.clone(),
        about,
        value: money.then(|| Money {
            currency: row.currency.clone(),
            micros: row.value,
        }),
        campaign: Campaign {
            source: row.utm_source.clone(),
            medium: row.utm_medium.clone(),
            campaign: row.utm_campaign.clone(),
            term: row.utm_term.clone(),
            content: row.utm_content.clone(),
        },
        device: row.device.into(),
        element: ElementId(row.element),
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
