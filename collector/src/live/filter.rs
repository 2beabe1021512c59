//! Which events of a page count: one filter, three ways: as a test on what is kept of an event, in
//! words, and as a condition in SQL. The three must say the same.

use super::names::{NONE, OTHER_ID};
use super::origin::{Origin, Origins};
use super::page::Pages;
use super::sql;
use super::window::Window;
use crate::row::{Device, EventRow};

/// Events with a `bot_score` from here on count as a program's.
pub const ROBOT_SCORE_MIN: u8 = 50;

/// Who of the visitors counts, by how often they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    /// Events of a visitor's first visit.
    New,
    /// Events of every later visit.
    Returning,
}

/// Which events count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Path of the page; `*` stands for any characters.
    pub page: String,
    /// Only from this device.
    pub device: Option<Device>,
    /// Only from windows of this width bucket.
    pub width: Option<u16>,
    /// Only with this `utm_campaign`; `(none)` for visits without.
    pub campaign: Option<String>,
    /// Only by visitors shown this `experiment=variant`.
    pub variant: Option<String>,
    /// Only of first, or of later, visits.
    pub seen: Option<Seen>,
    /// Only what does not look like a program's.
    pub human: bool,
    /// Only of this time.
    pub window: Window,
}

impl Filter {
    /// In words, as the end of a sentence that began with what is counted.
    pub(crate) fn words(&self) -> String {
        let mut text = format!("on page {}", self.page);
        if self.page.contains('*') {
            text.push_str(" (* stands for any characters)");
        }
        if let Some(device) = self.device {
            text.push_str(&format!(", on device {}", device.name()));
        }
        if let Some(width) = self.width {
            text.push_str(&format!(", in windows of width bucket {width}"));
        }
        if let Some(campaign) = &self.campaign {
            text.push_str(&format!(", of visits with campaign {campaign}"));
        }
        if let Some(variant) = &self.variant {
            text.push_str(&format!(", of visitors shown {variant}"));
        }
        match self.seen {
            Some(Seen::New) => text.push_str(", of each visitor's first visit ever"),
            Some(Seen::Returning) => text.push_str(", of visits after a visitor's first ever"),
            None => (),
        }
        if self.human {
            text.push_str(&format!(", with a bot_score below {ROBOT_SCORE_MIN}"));
        }
        text.push_str(", ");
        text.push_str(&self.window.words());
        text
    }

    /// As a condition on the rows of `heatmap`, which counts presses by the hour; none when that does
    /// not say who counts, or not from when.
    pub(crate) fn rolled_up(&self, site: &str) -> Option<String> {
        let hours = self.window.whole_hours(site)?;
        let told = self.seen.is_none() && !self.human;
        told.then(|| format!("{hours} AND {}", self.narrowed(site)))
    }

    /// As a condition on the rows of a site.
    pub(crate) fn sql(&self, site: &str, now_ms: u64) -> String {
        format!(
            "{} AND {}",
            self.window.sql(site, now_ms),
            self.narrowed(site)
        )
    }

    /// The same without the time, of any table that has the columns.
    fn narrowed(&self, site: &str) -> String {
        let mut rows = sql::glob("path", &self.page);
        if let Some(device) = self.device {
            rows.push_str(&format!(" AND device = {}", sql::literal(device.name())));
        }
        if let Some(width) = self.width {
            rows.push_str(&format!(" AND width_bucket = {width}"));
        }
        if let Some(campaign) = &self.campaign {
            let campaign = if campaign == NONE { "" } else { campaign };
            rows.push_str(&format!(" AND utm_campaign = {}", sql::literal(campaign)));
        }
        if let Some(variant) = &self.variant {
            rows.push_str(&format!(
                " AND has(arrayMap((e, v) -> concat(e, '=', v), mapKeys(variants), \
                 mapValues(variants)), {})",
                sql::literal(variant)
            ));
        }
        if let Some(seen) = self.seen {
            let within = match seen {
                Seen::New => "IN",
                Seen::Returning => "NOT IN",
            };
            rows.push_str(&format!(
                " AND (visitor, session) {within} (SELECT visitor, argMin(session, (ord, session)) \
                 FROM events WHERE site = {} GROUP BY visitor)",
                sql::literal(site)
            ));
        }
        if self.human {
            rows.push_str(&format!(" AND bot_score < {ROBOT_SCORE_MIN}"));
        }
        rows
    }
}

/// Whether an event looks like a program's.
pub(crate) fn is_robot(row: &EventRow) -> bool {
    row.bot_score >= ROBOT_SCORE_MIN
}

/// A filter in numbers. A name nobody uses matches nothing.
pub(crate) struct Wanted {
    device: Option<Device>,
    width: Option<u16>,
    campaign: Option<Option<u32>>,
    variant: Option<Option<u32>>,
    human: bool,
}

impl Wanted {
    pub(crate) fn new(filter: &Filter, origins: &Origins) -> Self {
        let campaign = filter.campaign.as_deref().map(|name| {
            let name = if name == NONE { "" } else { name };
            origins.campaigns.find(name)
        });
        let variant = filter.variant.as_deref();
        Self {
            device: filter.device,
            width: filter.width,
            campaign,
            variant: variant.map(|name| origins.variants.find(name)),
            human: filter.human,
        }
    }

    /// Whether what is kept of an event matches.
    pub(crate) fn holds(&self, origin: &Origin, width: u16, robot: bool) -> bool {
        self.device.is_none_or(|device| device == origin.device)
            && self.width.is_none_or(|wanted| wanted == width)
            && self
                .campaign
                .is_none_or(|campaign| campaign == Some(origin.campaign))
            && self.variant.is_none_or(|wanted| {
                wanted.is_some_and(|variant| origin.variants.binary_search(&variant).is_ok())
            })
            && !(self.human && robot)
    }
}

/// The numbers of the pages that a pattern means. Paths past the bound share one number, which
/// only the pattern `*` means.
pub(crate) fn pages_of(pattern: &str, pages: &Pages) -> Vec<u32> {
    if !pattern.contains('*') {
        return pages.paths.find(pattern).into_iter().collect();
    }
    let all = pattern.bytes().all(|byte| byte == b'*');
    let found = pages.paths.ids().filter(|page| match *page {
        OTHER_ID => all,
        page => sql::glob_matches(pattern, pages.paths.name(page)),
    });
    found.collect()
}
