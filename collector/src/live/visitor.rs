//! The visitors of one site: who they are and in which hours they did what.
//!
//! A visitor is kept while an event of theirs is in the live range or they are present. Past the
//! bound a new visitor is not kept; the caller counts that.

use super::chain::Chain;
use super::mark::Mark;
use super::minute::VisitorMinutes;
use super::range::{Hour, HourSet};
use super::source::Visits;
use crate::row::{Device, Kind};
use hashbrown::{DefaultHashBuilder, HashTable};
use smallvec::SmallVec;
use std::hash::BuildHasher;
use std::ops::{Deref, DerefMut};
use uuid::Uuid;

/// One visitor. There are as many of these as anything here, so what most have little of lies in it
/// rather than behind a pointer, and what few have lies behind one.
#[derive(Debug, Default)]
pub(crate) struct Visitor {
    /// As bytes: a number of sixteen would put holes between them all.
    pub(crate) id: Uuid,
    /// By campaign.
    pub(crate) campaigns: SmallVec<[CampaignMark; 1]>,
    /// By page: hours with an event on it. Every event is on one.
    pub(crate) pages: SmallVec<[(u32, HourSet); 3]>,
    /// By visit.
    pub(crate) visits: Visits,
    /// Minutes with any event.
    pub(crate) minutes: VisitorMinutes,
    /// By funnel, those with a step reached or tried.
    pub(crate) funnels: VisitorFunnels,
    /// What they did with elements, by number of the manner.
    pub(crate) marks: SmallVec<[Mark; 2]>,
    /// The last sign of life, while it is recent.
    pub(crate) present: Option<Box<Present>>,
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

/// How far a visitor is in the funnels. One pointer, for the many who are in none.
#[derive(Debug, Default)]
pub(crate) struct VisitorFunnels(Option<Box<SmallVec<[VisitorFunnel; 1]>>>);

impl VisitorFunnels {
    fn push(&mut self, own: VisitorFunnel) {
        self.0.get_or_insert_default().push(own);
    }

    /// Keeps some of them.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&VisitorFunnel) -> bool) {
        if let Some(all) = &mut self.0 {
            all.retain(|own| stays(own));
            if all.is_empty() {
                self.0 = None;
            }
        }
    }
}

impl Deref for VisitorFunnels {
    type Target = [VisitorFunnel];

    fn deref(&self) -> &[VisitorFunnel] {
        self.0.as_deref().map_or(&[], |all| all)
    }
}

impl DerefMut for VisitorFunnels {
    fn deref_mut(&mut self) -> &mut [VisitorFunnel] {
        self.0.as_deref_mut().map_or(&mut [], |all| all)
    }
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
    /// What they did last, of what is told.
    pub(crate) did: Option<Did>,
}

/// What a visitor did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Did {
    /// When, and which of several: the greatest counts.
    pub(crate) last: (i64, u64, u32),
    pub(crate) kind: Kind,
    pub(crate) element: u64,
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
        self.pages.is_empty() && self.present.is_none() && self.funnels.is_empty()
    }
}

/// All visitors of a site.
#[derive(Debug)]
pub(crate) struct Visitors {
    /// Places, by the visitor there.
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
    slots: Vec<Visitor>,
    free: Vec<u32>,
    max: usize,
}

impl Visitors {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            places: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            slots: Vec::new(),
            free: Vec::new(),
            max,
        }
    }

    /// The place of a visitor, made if absent; none past the bound.
    pub(crate) fn place(&mut self, id: Uuid) -> Option<u32> {
        let hash = self.hasher.hash_one(id);
        let is_theirs = |place: &u32| self.slots[*place as usize].id == id;
        if let Some(&place) = self.places.find(hash, is_theirs) {
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
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.places.insert_unique(hash, place, |place| {
            hasher.hash_one(slots[*place as usize].id)
        });
        Some(place)
    }

    /// The visitor at a place.
    pub(crate) fn at(&mut self, place: u32) -> &mut Visitor {
        &mut self.slots[place as usize]
    }

    /// The same, to read.
    pub(crate) fn get(&self, place: u32) -> Option<&Visitor> {
        self.slots.get(place as usize)
    }

    /// All of them; a freed place is one who did nothing.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Visitor> {
        self.slots.iter()
    }

    /// Frees a place if nothing is known of its visitor any more.
    pub(crate) fn free_if_gone(&mut self, place: u32) {
        let visitor = &mut self.slots[place as usize];
        if !visitor.is_gone() {
            return;
        }
        let hash = self.hasher.hash_one(visitor.id);
        if let Ok(found) = self.places.find_entry(hash, |other| *other == place) {
            found.remove();
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
