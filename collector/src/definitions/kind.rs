//! What can be defined, and what each definition must say.
//!
//! Owns the shapes and their checks. Knows nothing of versions, files and requests.

use crate::config::{Alert, Funnel, Rule, Site};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest name, bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest text of a note or an annotation, bytes.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Longest id, bytes.
pub const ID_BYTES_MAX: usize = 64;

/// What is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Steps that visitors take: as in the sites file.
    Funnel,
    /// When visitors are told something: as in the sites file.
    Rule,
    /// Who is told when something is wrong: as in the sites file.
    Alert,
    /// A version of the site went out.
    Release,
    /// Something worth remembering happened.
    Annotation,
    /// A page, or several, that one wants to look at by name.
    Page,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Funnel,
        Self::Rule,
        Self::Alert,
        Self::Release,
        Self::Annotation,
        Self::Page,
    ];

    /// Its name in an address, in a row and in an answer.
    pub fn name(self) -> &'static str {
        match self {
            Self::Funnel => "funnel",
            Self::Rule => "rule",
            Self::Alert => "alert",
            Self::Release => "release",
            Self::Annotation => "annotation",
            Self::Page => "page",
        }
    }

    /// The kind of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Checks what somebody wants defined and gives it as it is kept: every field there, none that
    /// means nothing. `site` is whose it is to be; `now_ms` the moment of what has one and does not say
    /// it, Unix milliseconds.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub fn check(
        self,
        id: &str,
        body: &Value,
        (site, now_ms): (&Site, u64),
    ) -> Result<Value, String> {
        if !is_id(id) {
            return Err(format!(
                "the id {id:?} must be 1 to {ID_BYTES_MAX} letters, digits, -, _ or ."
            ));
        }
        match self {
            Self::Funnel => {
                funnel(id, body)?.check()?;
                Ok(body.clone())
            }
            Self::Rule => {
                rule(id, body)?.check(site)?;
                Ok(body.clone())
            }
            Self::Alert => {
                alert(id, body)?.check(site)?;
                Ok(body.clone())
            }
            Self::Release => {
                let mut release: Release = read(body)?;
                release.at_ms.get_or_insert(now_ms);
                text("name", &release.name, 1, NAME_BYTES_MAX)?;
                text("note", &release.note, 0, TEXT_BYTES_MAX)?;
                Ok(kept(&release))
            }
            Self::Annotation => {
                let mut annotation: Annotation = read(body)?;
                annotation.at_ms.get_or_insert(now_ms);
                text("text", &annotation.text, 1, TEXT_BYTES_MAX)?;
                text("page", &annotation.page, 0, TEXT_BYTES_MAX)?;
                Ok(kept(&annotation))
            }
            Self::Page => {
                let page: Page = read(body)?;
                text("name", &page.name, 1, NAME_BYTES_MAX)?;
                text("path", &page.path, 1, TEXT_BYTES_MAX)?;
                if !page.path.starts_with(['/', '*']) {
                    return Err("path must begin with / or *: /product/*".into());
                }
                Ok(kept(&page))
            }
        }
    }
}

fn is_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !id.is_empty() && id.len() <= ID_BYTES_MAX && id.bytes().all(plain)
}

/// A funnel from what is kept of it: the fields of the sites file.
///
/// # Errors
/// It is none; the message says which field.
pub fn funnel(id: &str, body: &Value) -> Result<Funnel, String> {
    read(&with_id(id, body)?)
}

/// A rule from what is kept of it: the fields of the sites file.
///
/// # Errors
/// It is none; the message says which field.
pub fn rule(id: &str, body: &Value) -> Result<Rule, String> {
    read(&with_id(id, body)?)
}

/// An alert from what is kept of it: the fields of the sites file.
///
/// # Errors
/// It is none; the message says which field.
pub fn alert(id: &str, body: &Value) -> Result<Alert, String> {
    read(&with_id(id, body)?)
}

/// What the sites file would say.
fn with_id(id: &str, body: &Value) -> Result<Value, String> {
    let mut fields = body
        .as_object()
        .cloned()
        .ok_or("a definition is a JSON object")?;
    if fields
        .insert("id".into(), Value::String(id.into()))
        .is_some()
    {
        return Err("the id stands in the address; leave it out of the body".into());
    }
    Ok(Value::Object(fields))
}

/// A release from what is kept of it; none where that is no release.
pub fn release(id: &str, body: &Value) -> Option<crate::config::Release> {
    let Release { name, at_ms, .. } = read(body).ok()?;
    Some(crate::config::Release {
        id: id.to_owned(),
        name,
        at_ms: at_ms?,
    })
}

/// A version of the site went out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    /// As the SDK's `release` option says it.
    name: String,
    /// When it went out, Unix milliseconds.
    #[serde(default)]
    at_ms: Option<u64>,
    #[serde(default)]
    note: String,
}

/// Something worth remembering happened.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotation {
    text: String,
    /// When it happened, Unix milliseconds.
    #[serde(default)]
    at_ms: Option<u64>,
    /// Of which page; empty: of all.
    #[serde(default)]
    page: String,
}

/// A page, or several.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    name: String,
    /// `*` stands for any characters.
    path: String,
}

/// Reads a shape; the error names the field.
fn read<T: for<'de> Deserialize<'de>>(body: &Value) -> Result<T, String> {
    T::deserialize(body).map_err(|error| {
        let said = error.to_string();
        if said.starts_with("missing field") || said.starts_with("unknown field") {
            return said;
        }
        // Of a value that does not fit the reader tells everything but where it stands: it is the one
        // without which something else is said.
        let fields = body.as_object().into_iter().flatten();
        let mut names = fields.map(|(name, _)| name);
        let culprit = names.find(|name| {
            let mut without = body.clone();
            if let Some(fields) = without.as_object_mut() {
                fields.remove(*name);
            }
            T::deserialize(&without).map_or_else(|error| error.to_string(), |_| String::new())
                != said
        });
        culprit.map_or_else(|| said.clone(), |name| format!("{name}: {said}"))
    })
}

/// None of these shapes can fail to be JSON.
fn kept(what: &impl Serialize) -> Value {
    serde_json::to_value(what).unwrap_or_default()
}

fn text(field: &str, text: &str, min: usize, max: usize) -> Result<(), String> {
    if (min..=max).contains(&text.len()) {
        return Ok(());
    }
    let bytes = text.len();
    Err(format!(
        "{field} is {bytes} bytes; {min} to {max} are possible"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(kind: Kind, id: &str, body: Value, expected: Result<Value, &str>) {
        let site: Site = toml::from_str("id = 'shop'\nwrite_key = 'wk_test_0001'").unwrap();
        match (kind.check(id, &body, (&site, 7)), expected) {
            (Ok(kept), Ok(wanted)) => assert_eq!(kept, wanted),
            (Err(said), Err(wanted)) => assert!(said.contains(wanted), "{said}"),
            (got, wanted) => panic!("{body}: {got:?} instead of {wanted:?}"),
        }
    }

    #[test]
    fn what_is_missing_is_filled_in_and_what_is_wrong_is_said() {
        let whole = json!({"name": "2.4", "at_ms": 7, "note": ""});
        check(Kind::Release, "r-2.4", json!({"name": "2.4"}), Ok(whole));
        check(
            Kind::Release,
            "r",
            json!({"name": ""}),
            Err("name is 0 bytes"),
        );
        check(Kind::Release, "a b", json!({"name": "2"}), Err("letters"));
        check(
            Kind::Annotation,
            "a",
            json!({"txt": "x"}),
            Err("unknown field `txt`"),
        );
        check(
            Kind::Page,
            "p",
            json!({"name": "x", "path": "cart"}),
            Err("must begin with /"),
        );
        check(Kind::Page, "p", json!([]), Err("invalid"));
    }

    #[test]
    fn a_funnel_is_what_it_is_in_the_sites_file() {
        let steps = json!([
            {"name": "Product", "kind": "page_view", "page": "/product/*"},
            {"name": "Order", "kind": "conversion", "event": "order"},
        ]);
        let body = json!({"name": "Buys", "window": "30m", "step": steps});
        check(Kind::Funnel, "buys", body.clone(), Ok(body.clone()));
        let with = |field: &str, value: Value| {
            let mut body = body.clone();
            body[field] = value;
            body
        };
        check(
            Kind::Funnel,
            "buys",
            with("window", json!("90d")),
            Err("between 1ms and 30d"),
        );
        check(
            Kind::Funnel,
            "buys",
            with("step", json!([])),
            Err("2 to 12"),
        );
        check(
            Kind::Funnel,
            "buys",
            with("id", json!("x")),
            Err("in the address"),
        );
        check(
            Kind::Funnel,
            "buys",
            with("setp", json!([])),
            Err("unknown field `setp`"),
        );
        let more = json!([{"name": "Rage", "kind": "rage", "times": 2}]);
        check(
            Kind::Funnel,
            "buys",
            with("exclude", more),
            Err("times is for rules"),
        );
        let nameless = json!([{"kind": "rage"}]);
        check(
            Kind::Funnel,
            "buys",
            with("exclude", nameless),
            Err("has a name"),
        );
    }

    #[test]
    fn a_rule_is_what_it_is_in_the_sites_file_and_a_wrong_field_is_named() {
        let body = json!({"step": [{"kind": "rage"}], "signal": "help", "payload": {"a": [1]}});
        check(Kind::Rule, "help", body.clone(), Ok(body.clone()));
        let with = |field: &str, value: Value| {
            let mut body = body.clone();
            body[field] = value;
            body
        };
        for (field, value, says) in [
            ("step", json!([]), "step: 1 to 12 steps"),
            ("step", json!([{"kind": "angry"}]), "step: there is no kind"),
            ("step", json!([{"page": "/"}]), "missing field `kind`"),
            (
                "unless",
                json!([{"kind": "rage", "element": "#buy"}]),
                "unless: element must be",
            ),
            ("window", json!("x"), "window: invalid value"),
            ("every", json!("1s"), "every must be"),
            ("expires", json!(60), "expires: invalid type"),
            ("campaign", json!(7), "campaign: invalid type"),
            ("holdout", json!("half"), "holdout: invalid type"),
            ("holdout", json!(1), "holdout must be between 0 and 0.9"),
            ("signal", json!(""), "signal must be 1 to"),
            ("webhook", json!("chat"), "webhook: the site has no webhook"),
            ("id", json!("x"), "in the address"),
            ("times", json!(2), "unknown field `times`"),
        ] {
            check(Kind::Rule, "help", with(field, value), Err(says));
        }
        check(Kind::Rule, "a.b", body.clone(), Err("id must be"));
        for (body, says) in [
            (json!({}), "missing field `webhooks`"),
            (json!({"webhooks": []}), "webhooks: 1 to 20"),
            (
                json!({"webhooks": ["chat"]}),
                "webhooks: there is no webhook",
            ),
            (
                json!({"webhooks": [], "kinds": ["odd"]}),
                "kinds: unknown variant",
            ),
            (
                json!({"webhooks": [], "campaign": ""}),
                "campaign must be 1 to",
            ),
            (json!({"webhooks": [], "page": 7}), "page: invalid type"),
        ] {
            check(Kind::Alert, "a", body, Err(says));
        }
    }
}
