//! Whether a site is watched, and who is told.

use super::{Site, Webhook};
use serde::Deserialize;

/// `[site.alerts]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// Whether its funnels, campaigns and pages are watched.
    pub enabled: bool,
    /// Ids of the webhooks that are told; all of the site's when it is not said.
    pub webhooks: Option<Vec<String>>,
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
    /// The webhooks that are told of alerts.
    pub fn alert_webhooks(&self) -> impl Iterator<Item = &str> {
        let named = self.alerts.webhooks.as_ref();
        let told = move |webhook: &&Webhook| named.is_none_or(|ids| ids.contains(&webhook.id));
        self.webhooks
            .iter()
            .filter(told)
            .map(|webhook| webhook.id.as_str())
    }
}

/// Checks that the webhooks it names are there.
pub(super) fn check(alerts: &Alerts, webhooks: &[Webhook]) -> Result<(), String> {
    for id in alerts.webhooks.iter().flatten() {
        if !webhooks.iter().any(|webhook| webhook.id == *id) {
            return Err(format!("alerts: there is no webhook {id:?}"));
        }
    }
    Ok(())
}
