//! What the sites file defines of a site, told as what was defined through the API is told: whole, with
//! what it leaves out filled in, and such that it could be defined so under another id.
//!
//! Nothing of a site is told but its definitions: no tokens, no keys, and of webhooks their ids only.

use crate::config::Site;
use serde::Serialize;
use serde_json::Value;

/// What only the sites file can define.
pub const EXPERIMENT: &str = "experiment";

/// A definition that stands in the sites file.
#[derive(Clone, Debug, PartialEq)]
pub struct InFile {
    /// Of which kind.
    pub kind: &'static str,
    /// Its name among those.
    pub id: String,
    /// What it says.
    pub body: Value,
}

/// All that the sites file defines of a site.
pub fn all(site: &Site) -> Vec<InFile> {
    use super::kind::Kind;
    let funnels = told(Kind::Funnel.name(), &site.funnels);
    let rules = told(Kind::Rule.name(), &site.rules);
    let alerts = told(Kind::Alert.name(), &site.alert);
    let experiments = told(EXPERIMENT, &site.experiments);
    funnels
        .chain(rules)
        .chain(alerts)
        .chain(experiments)
        .collect()
}

/// One of them.
pub fn one(site: &Site, kind: &str, id: &str) -> Option<InFile> {
    let there = |definition: &InFile| definition.kind == kind && definition.id == id;
    all(site).into_iter().find(there)
}

/// None of these can fail to be a JSON object with an id.
fn told<T: Serialize>(kind: &'static str, all: &[T]) -> impl Iterator<Item = InFile> {
    all.iter().filter_map(move |definition| {
        let mut body = serde_json::to_value(definition).ok()?;
        let id = body.as_object_mut()?.remove("id")?;
        let id = id.as_str()?.to_owned();
        Some(InFile { kind, id, body })
    })
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;
    use serde_json::json;

    /// Everything that can be said, and of each kind one that says as little as it may.
    const SITES: &str = r#"
[[site]]
id = "shop"
write_key = "wk_test_0001"
read_token = "rt_hidden_0001"

[[site.token]]
name = "wall-screen"
scopes = ["live:read"]
secret = "hidden_from_readers"

[[site.webhook]]
id = "chat"
url = "https://hooks.example/hidden"
secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

[[site.funnel]]
id = "checkout"
name = "From product to order"
window = "30m"
step = [
  { name = "Product", kind = "custom", event = "shown", page = "/product/*", props = { colour = "red*" } },
  { name = "Press", kind = "press", element = "00000000000000ff" },
]
exclude = [{ name = "Back", kind = "page_view", page = "/returns/*" }]

[[site.funnel]]
id = "short"
name = "Short"
window = "1500ms"
step = [{ name = "A", kind = "page_view" }, { name = "B", kind = "conversion" }]

[[site.rule]]
id = "offer"
step = [{ kind = "hesitation", times = 2 }]
unless = [{ kind = "press" }]
window = "60s"
after = "10s"
every = "7d"
campaign = "spring*"
holdout = 0.25
signal = "offer"
payload = { percent = 10 }
expires = "2m"
webhook = "chat"

[[site.rule]]
id = "angry"
step = [{ kind = "rage" }]

[[site.alert]]
id = "spring"
kinds = ["campaign_not_converting"]
funnel = "checkout"
campaign = "spring*"
page = "/cart*"
webhooks = ["chat"]

[[site.alert]]
id = "all"
webhooks = ["chat"]

[[site.experiment]]
id = "buy-button"
variant = [{ name = "green", share = 90 }, { name = "red", share = 10 }]
"#;

    fn site() -> Site {
        let mut sites: crate::config::Sites = toml::from_str(SITES).unwrap();
        sites.check().unwrap();
        sites.sites.remove(0)
    }

    #[test]
    fn what_is_told_says_all_and_could_be_defined_so() {
        let site = site();
        let all = all(&site);
        assert_eq!(all.len(), 7);
        let plan = one(&site, EXPERIMENT, "buy-button").unwrap();
        assert_eq!(
            plan.body["variant"][0],
            json!({"name": "green", "share": 90.0})
        );
        for InFile { kind, id, body } in &all {
            let Some(known) = Kind::by_name(kind) else {
                continue;
            };
            let kept = known.check(id, body, (&site, 7));
            assert_eq!(kept.as_ref(), Ok(body), "{kind} {id}");
        }
        // As the types have them, nothing is left out.
        for funnel in &site.funnels {
            let told = one(&site, "funnel", &funnel.id).unwrap();
            assert_eq!(
                super::super::kind::funnel(&funnel.id, &told.body).as_ref(),
                Ok(funnel)
            );
        }
        for rule in &site.rules {
            let told = one(&site, "rule", &rule.id).unwrap();
            let read = super::super::kind::rule(&rule.id, &told.body).unwrap();
            assert_eq!(format!("{read:?}"), format!("{rule:?}"));
        }
        for alert in &site.alert {
            let told = one(&site, "alert", &alert.id).unwrap();
            let read = super::super::kind::alert(&alert.id, &told.body).unwrap();
            assert_eq!(format!("{read:?}"), format!("{alert:?}"));
        }
    }

    #[test]
    fn nothing_secret_is_told() {
        let site = site();
        let told: String = all(&site).iter().map(|one| one.body.to_string()).collect();
        assert!(told.contains("chat"), "{told}");
        for secret in ["whsec_", "https:", "wk_", "rt_", "hidden"] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
    }
}
