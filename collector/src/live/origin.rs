//! Where an event came from, as one number: campaign name, variants and device together.
//!
//! Heat maps and funnels keep this number instead of strings. Counted by use, bounded, and past
//! the bound the device is still known.

use super::limits::Bounds;
use super::names::{Names, OTHER, OTHER_ID, is_same};
use crate::row::{Device, EventRow};

/// Campaign, variants and device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// Number of `utm_campaign`.
    pub(crate) campaign: u32,
    /// The device.
    pub(crate) device: Device,
    /// Numbers of `experiment=variant`, ascending, each once.
    pub(crate) variants: Box<[u32]>,
}

/// The origins of one site.
#[derive(Debug)]
pub(crate) struct Origins {
    table: Names<Origin>,
    /// `utm_campaign`.
    pub(crate) campaigns: Names<Box<str>>,
    /// `experiment=variant`.
    pub(crate) variants: Names<Box<str>>,
    /// What an origin past the bound becomes, one for each device.
    others: [u32; 4],
    /// The origin of the last event: neighbours mostly share it.
    last: Option<Last>,
    text: String,
    overflowed: u64,
}

#[derive(Debug)]
struct Last {
    campaign: String,
    variants: Vec<(String, String)>,
    device: Device,
    id: u32,
}

impl Origins {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let other = |device| Origin {
            campaign: OTHER_ID,
            device,
            variants: [OTHER_ID].into(),
        };
        let mut table = Names::new(other(Device::Other), bounds.origins + Device::ALL.len() - 1);
        let mut others = [OTHER_ID; 4];
        for device in Device::ALL {
            others[*device as usize] = table.acquire(&other(*device), Clone::clone);
        }
        Self {
            table,
            campaigns: Names::new(OTHER.into(), bounds.names),
            variants: Names::new(OTHER.into(), bounds.names),
            others,
            last: None,
            text: String::new(),
            overflowed: 0,
        }
    }

    /// The number of an event's origin; one more use of it.
    pub(crate) fn acquire(&mut self, row: &EventRow) -> u32 {
        if let Some(last) = &self.last
            && is_same(&last.campaign, &row.utm_campaign)
            && last.device == row.device
            && last.variants == row.variants
        {
            self.table.again(last.id);
            return last.id;
        }
        let id = self.look_up(row);
        // The memory of the last one is a use too, so that its number cannot change meaning.
        self.table.again(id);
        let last = Last {
            campaign: row.utm_campaign.clone(),
            variants: row.variants.clone(),
            device: row.device,
            id,
        };
        if let Some(before) = self.last.replace(last) {
            self.release(before.id);
        }
        id
    }

    fn look_up(&mut self, row: &EventRow) -> u32 {
        let campaign = self.campaigns.acquire_text(row.utm_campaign.as_str());
        let mut variants = Vec::with_capacity(row.variants.len());
        for (experiment, variant) in &row.variants {
            self.text.clear();
            self.text.push_str(experiment);
            self.text.push('=');
            self.text.push_str(variant);
            variants.push(self.variants.acquire_text(self.text.as_str()));
        }
        variants.sort_unstable();
        let origin = Origin {
            campaign,
            device: row.device,
            variants: variants.into(),
        };
        let unique = {
            let mut unique = origin.variants.to_vec();
            unique.dedup();
            Origin {
                variants: unique.into(),
                ..origin.clone()
            }
        };
        let known = self.table.find(&unique).is_some();
        let mut id = self.table.acquire(&unique, Clone::clone);
        if id == OTHER_ID && !known {
            self.table.release(OTHER_ID, 1);
            self.overflowed += 1;
            id = self.others[row.device as usize];
            self.table.again(id);
        }
        // A known origin holds its names already, each variant once.
        let keeps = !known && self.table.name(id) == &unique;
        if keeps {
            let doubled = origin.variants.windows(2).filter(|pair| pair[0] == pair[1]);
            for pair in doubled {
                self.variants.release(pair[0], 1);
            }
        } else {
            self.release_names(&origin);
        }
        id
    }

    /// What an origin past the bound becomes; one more use of it.
    pub(crate) fn acquire_other(&mut self, device: Device) -> u32 {
        let id = self.others[device as usize];
        self.table.again(id);
        id
    }

    /// One more use of a number that is in use.
    pub(crate) fn again(&mut self, id: u32) {
        self.table.again(id);
    }

    /// Gives back one use.
    pub(crate) fn release(&mut self, id: u32) {
        if self.table.release(id, 1) {
            let origin = self.table.name(id).clone();
            self.release_names(&origin);
        }
    }

    fn release_names(&mut self, origin: &Origin) {
        self.campaigns.release(origin.campaign, 1);
        for variant in &origin.variants {
            self.variants.release(*variant, 1);
        }
    }

    /// The origin of a number in use.
    pub(crate) fn get(&self, id: u32) -> &Origin {
        self.table.name(id)
    }

    /// Origins in use beside those that are always there, and times one was counted as such.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.table.len() - Device::ALL.len(), self.overflowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(campaign: &str, variants: &[(&str, &str)], device: Device) -> EventRow {
        EventRow {
            utm_campaign: campaign.into(),
            variants: variants
                .iter()
                .map(|(e, v)| ((*e).into(), (*v).into()))
                .collect(),
            device,
            ..Default::default()
        }
    }

    #[test]
    fn names_are_given_back_with_the_last_use() {
        let mut origins = Origins::new(&Bounds {
            names: 2,
            ..Bounds::default()
        });
        let spring = row("spring", &[("buy", "b"), ("buy", "b")], Device::Phone);
        let first = origins.acquire(&spring);
        let second = origins.acquire(&spring);
        assert_eq!(first, second);
        let plain = origins.acquire(&row("", &[], Device::Phone));
        assert_ne!(first, plain);
        origins.release(first);
        assert_eq!(origins.campaigns.len(), 3);
        origins.release(second);
        assert_eq!((origins.campaigns.len(), origins.variants.len()), (2, 1));
        // And again, now that the numbers are used anew.
        let third = origins.acquire(&spring);
        assert_eq!(
            &**origins.campaigns.name(origins.get(third).campaign),
            "spring"
        );
        assert_eq!(origins.get(third).variants.len(), 1);
    }

    #[test]
    fn past_the_bound_the_device_is_still_known() {
        let mut origins = Origins::new(&Bounds {
            origins: 1,
            ..Bounds::default()
        });
        origins.acquire(&row("a", &[], Device::Phone));
        let other = origins.acquire(&row("b", &[], Device::Tablet));
        assert_eq!(origins.get(other).device, Device::Tablet);
        assert_eq!(origins.get(other).campaign, OTHER_ID);
        assert_eq!(origins.campaigns.find("b"), None);
    }
}
