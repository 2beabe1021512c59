//! The feed: the newest hundred things that happened, in the order the collector had them.

use super::element::Elements;
use super::limits::ACTIVITY_MAX;
use super::resource::Naming;
use super::sql;
use crate::row::{EventRow, Kind};
use std::collections::BTreeMap;
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

/// Receipt, order, tie: which of two items is newer.
type Place = (i64, u64, u32);

/// The feed of one site.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// An item's id is 0 until it is numbered.
    items: BTreeMap<Place, (ActivityItem, u64)>,
    numbered: u64,
}

impl Feed {
    /// Offers an event. Most are too old to be kept when a batch is offered newest first, and
    /// then cost nothing.
    pub(crate) fn offer(&mut self, row: &EventRow, tie: u32) -> bool {
        if UNTOLD.contains(&row.kind) {
            return false;
        }
        let place = (row.received_at, row.ord, tie);
        if self.items.len() >= ACTIVITY_MAX {
            if self
                .items
                .first_key_value()
                .is_some_and(|(oldest, _)| *oldest > place)
            {
                return false;
            }
            self.items.pop_first();
        }
        self.items.insert(place, (item(row), row.element));
        true
    }

    /// Numbers what was offered since, oldest first.
    pub(crate) fn number(&mut self) {
        for (item, _) in self.items.values_mut().filter(|(item, _)| item.id == 0) {
            self.numbered += 1;
            item.id = self.numbered;
        }
    }

    /// Numbers everything anew, after items came in between others.
    pub(crate) fn renumber(&mut self) {
        for (item, _) in self.items.values_mut() {
            self.numbered += 1;
            item.id = self.numbered;
        }
    }

    /// Forgets what was received before a time.
    pub(crate) fn forget(&mut self, from_ms: u64) {
        self.items = self.items.split_off(&(from_ms as i64, 0, 0));
    }

    /// The items, oldest first, each with the label its element has now.
    pub(crate) fn items(&self, elements: &Elements, naming: Naming) -> Vec<ActivityItem> {
        let labelled = |(item, element): &(ActivityItem, u64)| {
            let mut item = item.clone();
            if item.about.is_empty()
                && let Some(known) = elements.get(*element)
            {
                item.about = known.label.to_string();
            }
            if naming == Naming::Unnamed {
                item.visitor.clear();
            }
            item
        };
        self.items.values().map(labelled).collect()
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
    }
}

/// The definition in words.
pub(crate) const DEFINITION: &str = "The newest 100 events in the order the collector received \
    them, whenever they happened; what a server told more than 5 minutes late, ways of the pointer, attention, impressions, visibility, consent \
    and identities are left out. Ids count up while the collector runs and begin anew after a \
    restart.";

/// The query that gives the same events, newest first.
pub(crate) fn query(site: &str, from_ms: u64) -> String {
    let untold = UNTOLD.map(|kind| sql::literal(kind.name())).join(", ");
    format!(
        "SELECT toUnixTimestamp64Milli(time) AS time_ms, \
         substring(toString(visitor), 1, 8) AS visitor_start, kind, path,\n    \
         name, element, direction, form_step, message, value, currency, utm_source, utm_medium, utm_campaign, device\n\
         FROM events\nWHERE site = {} AND received_at >= {} AND kind NOT IN ({untold})\n    AND {NEWS}\n\
         ORDER BY received_at DESC, ord DESC\nLIMIT {ACTIVITY_MAX}",
        sql::literal(site),
        sql::moment(from_ms),
        NEWS = sql::news(),
    )
}
