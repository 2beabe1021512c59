//! The visitors of one site: who they are and in which hours they did what.
//!
//! A visitor is kept while an event of theirs is in the live range or they are present. Past the
//! bound a new visitor is not kept; the caller counts that.

use super::chain::Chain;
use super::mark::Mark;
use super::minute::VisitorMinutes;
use super::range::{Hour, HourSet};
use crate::row::Device;
use hashbrown::HashMap;

/// One visitor.
#[derive(Debug, Default)]
pub(crate) struct Visitor {
    pub(crate) id: u128,
    /// Hours with any event.
    pub(crate) hours: HourSet,
    /// By campaign.
    pub(crate) campaigns: Vec<CampaignMark>,
    /// By page: hours with an event on it.
    pub(crate) pages: Vec<(u32, HourSet)>,
    /// Minutes with any event.
    pub(crate) minutes: VisitorMinutes,
    /// By funnel, those with a step reached or tried.
    pub(crate) funnels: Vec<VisitorFunnel>,
    /// What they did with elements, sorted.
    pub(crate) marks: Vec<Mark>,
    /// The last sign of life, while it is recent.
    pub(crate) present: Option<Present>,
}

/// What a visitor did under a campaign.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CampaignMark {
    pub(crate) campaign: u32,
    /// Hours with any event.
    pub(crate) seen: HourSet,
    /// Hours with a press, scroll, swipe or custom event.
    pub(crate) engaged: HourSet,
    /// Hours with a conversion.
    pub(crate) converted: HourSet,
}

/// How far a visitor is in a funnel, and what of that is in the funnel's numbers.
#[derive(Debug, Default)]
pub(crate) struct VisitorFunnel {
    pub(crate) funnel: u8,
    pub(crate) chain: Chain,
    pub(crate) counted: Option<Counted>,
    /// Whether the funnel's queue of deadlines holds this visitor.
    pub(crate) queued: bool,
    /// Events past the bound.
    pub(crate) not_kept: u32,
}

/// A visitor's share in a funnel's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) level: u8,
    pub(crate) open: bool,
    /// With what their chain began.
    pub(crate) entry: u32,
    /// The bin of the time to convert; 0 of who has not.
    pub(crate) took: u16,
}

/// The last sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Present {
    /// When, and which of several: the greatest counts.
    pub(crate) last: (i64, u64, u32),
    pub(crate) page: u32,
    pub(crate) campaign: u32,
    pub(crate) device: Device,
}

impl Visitor {
    /// The mark of a campaign, made if absent.
    pub(crate) fn campaign(&mut self, campaign: u32) -> &mut CampaignMark {
        let place = match self
            .campaigns
            .binary_search_by_key(&campaign, |mark| mark.campaign)
        {
            Ok(place) => place,
            Err(place) => {
                let mark = CampaignMark {
                    campaign,
                    ..CampaignMark::default()
                };
                self.campaigns.insert(place, mark);
                place
            }
        };
        &mut self.campaigns[place]
    }

    /// Marks a page. True when the visitor was not among its visitors before.
    pub(crate) fn page(&mut self, page: u32, hour: Hour) -> bool {
        match self.pages.binary_search_by_key(&page, |(page, _)| *page) {
            Ok(place) => {
                self.pages[place].1.insert(hour);
                false
            }
            Err(place) => {
                let mut hours = HourSet::default();
                hours.insert(hour);
                self.pages.insert(place, (page, hours));
                true
            }
        }
    }

    /// The place in a funnel, made if absent.
    pub(crate) fn funnel(&mut self, funnel: u8) -> &mut VisitorFunnel {
        let place = match self.funnels.iter().position(|place| place.funnel == funnel) {
            Some(place) => place,
            None => {
                self.funnels.push(VisitorFunnel {
                    funnel,
                    ..VisitorFunnel::default()
                });
                self.funnels.len() - 1
            }
        };
        &mut self.funnels[place]
    }

    fn is_gone(&self) -> bool {
        self.hours.is_empty() && self.present.is_none() && self.funnels.is_empty()
    }
}

/// All visitors of a site.
#[derive(Debug)]
pub(crate) struct Visitors {
    places: HashMap<u128, u32>,
    slots: Vec<Visitor>,
    free: Vec<u32>,
    max: usize,
}

impl Visitors {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            places: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            max,
        }
    }

    /// The place of a visitor, made if absent; none past the bound.
    pub(crate) fn place(&mut self, id: u128) -> Option<u32> {
        if let Some(&place) = self.places.get(&id) {
            return Some(place);
        }
        if self.places.len() >= self.max {
            return None;
        }
        let visitor = Visitor {
            id,
            ..Visitor::default()
        };
        let place = if let Some(place) = self.free.pop() {
            self.slots[place as usize] = visitor;
            place
        } else {
            self.slots.push(visitor);
            (self.slots.len() - 1) as u32
        };
        self.places.insert(id, place);
        Some(place)
    }

    /// The visitor at a place.
    pub(crate) fn at(&mut self, place: u32) -> &mut Visitor {
        &mut self.slots[place as usize]
    }

    /// All of them; a freed place is one who did nothing.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Visitor> {
        self.slots.iter()
    }

    /// Frees a place if nothing is known of its visitor any more.
    pub(crate) fn free_if_gone(&mut self, place: u32) {
        let visitor = &mut self.slots[place as usize];
        if visitor.is_gone() && self.places.get(&visitor.id) == Some(&place) {
            self.places.remove(&visitor.id);
            *visitor = Visitor::default();
            self.free.push(place);
        }
    }

    /// Places that may hold a visitor: `0..` this.
    pub(crate) fn places(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Visitors kept.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }
}
