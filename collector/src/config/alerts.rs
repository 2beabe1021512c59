//! Whether a site is watched, and who is told of what.

use super::{Site, WEBHOOKS_MAX, Webhook, plain};
use crate::live::glob_matches;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use upriver_wire::limits::NAME_BYTES_MAX;
use upriver_wire::live::{AlertKind, AlertRow};

/// Most alerts of one site that say who is told.
pub const ALERTS_MAX: usize = 50;
/// Kinds that one of them can name.
const KINDS_MAX: usize = 4;
/// Longest pattern of a path, bytes.
const PAGE_BYTES_MAX: usize = 1_024;

/// `[site.alerts]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// Whether its funnels, campaigns and pages are watched.
    pub enabled: bool,
    /// Ids of the webhooks that are told of everything; all of the site's when it is not said.
    pub webhooks: Option<Vec<String>>,
}

/// `[[site.alert]]`: who is told of what is found; every condition that is given must hold.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Short name: `spring`.
    pub id: String,
    /// What is wrong; any when it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<AlertKind>,
    /// Id of the funnel it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funnel: Option<String>,
    /// The campaign it is about; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// The path of the page it is about; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Ids of the webhooks that are told.
    pub webhooks: Vec<String>,
}

impl Alert {
    /// Checks what the types cannot say; the site is whose it is to be.
    ///
    /// # Errors
    /// The field and what is wrong with it, for a person.
    pub fn check(&self, site: &Site) -> Result<(), String> {
        if !plain(&self.id) {
            return Err("id must be 1 to 64 letters, digits, - or _".into());
        }
        if self.kinds.len() > KINDS_MAX {
            return Err(format!("kinds: at most {KINDS_MAX} can be named"));
        }
        for (field, text, max) in [
            ("funnel", &self.funnel, NAME_BYTES_MAX),
            ("campaign", &self.campaign, NAME_BYTES_MAX),
            ("page", &self.page, PAGE_BYTES_MAX),
        ] {
            let fits = |text: &String| (1..=max).contains(&text.len());
            if !text.as_ref().is_none_or(fits) {
                return Err(format!("{field} must be 1 to {max} bytes"));
            }
        }
        if !(1..=WEBHOOKS_MAX).contains(&self.webhooks.len()) {
            return Err(format!("webhooks: 1 to {WEBHOOKS_MAX} can be named"));
        }
        check_webhooks(&self.webhooks, &site.webhooks)
    }

    /// Whether an alert is one of those.
    pub fn is_of(&self, row: &AlertRow) -> bool {
        // What is about no campaign, or no page, is none of those about some.
        let fits = |wanted: &Option<String>, text: &str| {
            let fits = |wanted: &String| !text.is_empty() && glob_matches(wanted, text);
            wanted.as_ref().is_none_or(fits)
        };
        (self.kinds.is_empty() || self.kinds.contains(&row.kind))
            && self.funnel.as_ref().is_none_or(|id| *id == row.funnel)
            && fits(&self.campaign, &row.campaign)
            && fits(&self.page, &row.page)
    }
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            enabled: true,
            webhooks: None,
        }
    }
}

impl Site {
    /// The webhooks that are told of every alert.
    pub fn alert_webhooks(&self) -> impl Iterator<Item = &str> {
        let named = self.alerts.webhooks.as_ref();
        let told = move |webhook: &&Webhook| named.is_none_or(|ids| ids.contains(&webhook.id));
        self.webhooks
            .iter()
            .filter(told)
            .map(|webhook| webhook.id.as_str())
    }
}

/// Checks who is told.
pub(super) fn check(site: &Site) -> Result<(), String> {
    let named = site.alerts.webhooks.as_deref().unwrap_or_default();
    check_webhooks(named, &site.webhooks).map_err(|reason| format!("alerts: {reason}"))?;
    if site.alert.len() > ALERTS_MAX {
        let count = site.alert.len();
        return Err(format!("{count} alerts; at most {ALERTS_MAX} are possible"));
    }
    let mut ids = HashSet::new();
    for alert in &site.alert {
        let wrong = |reason| format!("alert {:?}: {reason}", alert.id);
        alert.check(site).map_err(wrong)?;
        if !ids.insert(&alert.id) {
            return Err(wrong("is there twice".into()));
        }
    }
    Ok(())
}

fn check_webhooks(named: &[String], webhooks: &[Webhook]) -> Result<(), String> {
    let there = |id: &&String| webhooks.iter().any(|webhook| webhook.id == **id);
    let missing = named.iter().find(|id| !there(id));
    missing.map_or(Ok(()), |id| {
        Err(format!("webhooks: there is no webhook {id:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_that_is_given_must_hold() {
        let row = AlertRow {
            kind: AlertKind::CampaignNotConverting,
            funnel: "checkout".into(),
            campaign: "spring-2".into(),
            ..AlertRow::default()
        };
        for (says, is) in [
            ("", true),
            ("campaign = 'spring*'", true),
            ("campaign = 'spring'", false),
            (
                "funnel = 'checkout'\nkinds = ['campaign_not_converting', 'step_broke']",
                true,
            ),
            ("funnel = 'buys'", false),
            ("kinds = ['step_broke']", false),
            ("page = '*'", false),
        ] {
            let alert: Alert =
                toml::from_str(&format!("id = 'a'\nwebhooks = ['w']\n{says}")).unwrap();
            assert_eq!(alert.is_of(&row), is, "{says}");
        }
    }
}
