//! What a site's rules say, as the sites file has them: when a visitor is told something, how often,
//! and how many are left out to measure what it brings.

use super::{Experiment, STEPS_MAX, Site, Step, Variant};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::time::Duration;
use upriver_wire::limits::{NAME_BYTES_MAX, SIGNAL_BYTES_MAX};

/// Most rules of one site.
pub const RULES_MAX: usize = 50;
/// Longest window and wait of a rule together.
pub const RULE_SPAN_MAX: Duration = Duration::from_secs(3_600);
/// How often a rule may fire for one visitor at most, and how long that is remembered.
const EVERY: RangeInclusive<Duration> = Duration::from_secs(60)..=RULE_EVERY_MAX;
/// The longest of that.
pub const RULE_EVERY_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How long a signal may wait.
const EXPIRES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);
/// The largest share that may be left out.
const HOLDOUT_MAX: f64 = 0.9;
/// The experiment that a rule is: this and its id.
pub const RULE_PREFIX: &str = "rule:";
/// The variant of visitors that were told.
pub const SHOWN: &str = "shown";
/// The variant of visitors that were left out.
pub const HELD_OUT: &str = "held_out";

/// A rule over the events of one visitor.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Short name: `special-offer`.
    pub id: String,
    /// What must happen, in order.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
    /// What must not happen between the first step and the moment it fires.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<Step>,
    /// Time within which all steps must follow the first.
    #[serde(default = "ten_minutes", with = "humantime_serde")]
    pub window: Duration,
    /// How long after the last step it fires.
    #[serde(default, with = "humantime_serde")]
    pub after: Duration,
    /// At most once for a visitor in this time.
    #[serde(default = "one_day", with = "humantime_serde")]
    pub every: Duration,
    /// Only events of visits with this `utm_campaign` are steps; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// Share of the visitors who are left out, 0 to 0.9.
    #[serde(default)]
    pub holdout: f64,
    /// Name of the signal that the visitor's page gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// What goes with it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub payload: Value,
    /// How long the signal is worth acting on.
    #[serde(default = "one_minute", with = "humantime_serde")]
    pub expires: Duration,
    /// The webhook that is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
}

fn one_minute() -> Duration {
    Duration::from_secs(60)
}

fn ten_minutes() -> Duration {
    Duration::from_secs(600)
}

fn one_day() -> Duration {
    Duration::from_secs(24 * 3_600)
}

/// The experiment that firings of the rule with this id are exposures of.
pub fn rule_experiment(id: &str) -> String {
    format!("{RULE_PREFIX}{id}")
}

impl Rule {
    /// The experiment that its firings are exposures of.
    pub fn experiment(&self) -> String {
        rule_experiment(&self.id)
    }

    /// That experiment as it is planned; none where nobody is left out.
    pub fn plan(&self) -> Option<Experiment> {
        let variant = |name: &str, share| Variant {
            name: name.to_owned(),
            share,
        };
        (self.holdout > 0.0).then(|| Experiment {
            id: self.experiment(),
            variants: vec![
                variant(HELD_OUT, self.holdout),
                variant(SHOWN, 1.0 - self.holdout),
            ],
        })
    }

    /// Checks what the types cannot say; the site is whose rule it is to be.
    ///
    /// # Errors
    /// The field and what is wrong with it, for a person.
    pub fn check(&self, site: &Site) -> Result<(), String> {
        if !super::plain(&self.id) {
            return Err("id must be 1 to 64 letters, digits, - or _".into());
        }
        let times: usize = self.steps.iter().map(|step| step.times).sum();
        if self.steps.iter().any(|step| step.times == 0) || !(1..=STEPS_MAX).contains(&times) {
            return Err(format!(
                "step: 1 to {STEPS_MAX} steps are possible, each as often as its times say"
            ));
        }
        if self.unless.len() > STEPS_MAX {
            return Err(format!("unless: at most {STEPS_MAX} are possible"));
        }
        for step in &self.steps {
            step.check().map_err(|reason| format!("step: {reason}"))?;
        }
        for step in &self.unless {
            step.check().map_err(|reason| format!("unless: {reason}"))?;
            if step.times != 1 {
                return Err("unless: once is enough; times is for step".into());
            }
        }
        if self.window.is_zero() || self.window + self.after > RULE_SPAN_MAX {
            return Err("window must be above 0, and window and after together at most 1h".into());
        }
        if !EVERY.contains(&self.every) {
            return Err("every must be between 1m and 30d".into());
        }
        if !EXPIRES.contains(&self.expires) {
            return Err("expires must be between 1s and 24h".into());
        }
        if !(0.0..=HOLDOUT_MAX).contains(&self.holdout) {
            return Err(format!("holdout must be between 0 and {HOLDOUT_MAX}"));
        }
        let named = |name: &String| (1..=NAME_BYTES_MAX).contains(&name.len());
        if !self.signal.as_ref().is_none_or(named) {
            return Err(format!("signal must be 1 to {NAME_BYTES_MAX} bytes"));
        }
        if self.signal.is_none() && !self.payload.is_null() {
            return Err("payload goes with a signal, and there is none".into());
        }
        let bytes = self.payload.to_string().len();
        if bytes > SIGNAL_BYTES_MAX {
            return Err(format!(
                "payload is {bytes} bytes of JSON; at most {SIGNAL_BYTES_MAX} fit"
            ));
        }
        if let Some(webhook) = &self.webhook
            && !site.webhooks.iter().any(|known| known.id == *webhook)
        {
            return Err(format!("webhook: the site has no webhook {webhook:?}"));
        }
        Ok(())
    }
}

/// Checks the rules of a site.
pub(super) fn check(site: &Site) -> Result<(), String> {
    if site.rules.len() > RULES_MAX {
        let count = site.rules.len();
        return Err(format!("{count} rules; at most {RULES_MAX} are possible"));
    }
    let mut ids = HashSet::new();
    for rule in &site.rules {
        let id = &rule.id;
        if !ids.insert(id) {
            return Err(format!("rule {id:?} is there twice"));
        }
        rule.check(site)
            .map_err(|reason| format!("rule {id:?}: {reason}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(rule: &str) -> Result<Site, String> {
        let text = format!(
            "id = \"shop\"\nwrite_key = \"wk_test_0001\"\n[[rule]]\nid = \"offer\"\n{rule}"
        );
        let site: Site = toml::from_str(&text).map_err(|error| error.to_string())?;
        check(&site)?;
        Ok(site)
    }

    #[test]
    fn a_rule_is_read_with_what_was_left_out() {
        let step = "step = [{ kind = \"hesitation\", times = 2 }]";
        let site = site(&format!(
            "signal = \"offer\"\npayload = {{ percent = 10 }}\n{step}"
        ));
        let rule = &site.unwrap().rules[0];
        assert_eq!((rule.every, rule.after), (one_day(), Duration::ZERO));
        assert_eq!(rule.payload["percent"], 10);
        assert_eq!(rule.steps[0].times, 2);
    }

    #[test]
    fn the_documented_rules_are_taken() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/signals.md");
        let text = std::fs::read_to_string(path).unwrap();
        let examples: Vec<&str> = text.split("```toml\n").skip(1).collect();
        let examples = examples.iter().filter_map(|text| text.split("```").next());
        let rules: String = examples.collect();
        let head = "[[site]]\nid = \"shop\"\nwrite_key = \"wk_test_0001\"\n";
        let sites: crate::config::Sites = toml::from_str(&format!("{head}{rules}")).unwrap();
        sites.check().unwrap();
        assert_eq!(sites.sites[0].rules.len(), 4);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let step = "step = [{ kind = \"rage\" }]";
        for (text, reason) in [
            ("step = []", "1 to 12 steps"),
            ("step = [{ kind = \"rage\", times = 13 }]", "1 to 12 steps"),
            ("step = [{ kind = \"angry\" }]", "no kind \"angry\""),
            (
                "step = [{ kind = \"rage\", element = \"#buy\" }]",
                "16 hexadecimal",
            ),
            (
                &format!("window = \"50m\"\nafter = \"11m\"\n{step}"),
                "at most 1h",
            ),
            (&format!("every = \"1s\"\n{step}"), "between 1m and 30d"),
            (&format!("holdout = 1.0\n{step}"), "between 0 and 0.9"),
            (&format!("payload = 1\n{step}"), "there is none"),
            (
                &format!("webhook = \"chat\"\n{step}"),
                "no webhook \"chat\"",
            ),
            (&format!("colour = \"red\"\n{step}"), "unknown field"),
        ] {
            let error = site(text).unwrap_err();
            assert!(error.contains(reason), "{error:?} does not say {reason:?}");
        }
    }
}
