//! `collector/openapi.json` says what the collector does: it is OpenAPI 3.1, has every URL and no other, and
//! what a running collector answers, takes and refuses is what it says.
//!
//! For the comparison every object is closed: a field that is not described is a difference.

mod contract;
mod live;

use anyhow::{Context, Result, ensure};
use contract::{Ask, Contract};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use upriver_collector::api::{Needs, routes};
use upriver_tests::{Collector, Page, SITE, WRITE_KEY, eventually};
use upriver_wire::live::{AlertKind, AlertRow, VariantComparison};

const DOCUMENT: &str = include_str!("../../collector/openapi.json");
/// What the OpenAPI Initiative publishes for version 3.1 (Apache-2.0).
const OPENAPI_3_1: &str = include_str!("openapi-3.1.schema.json");
/// A token with every scope.
const TOKEN: &str = "every-scope-0123456789";

fn document() -> Result<Value> {
    Ok(serde_json::from_str(DOCUMENT)?)
}

fn sites() -> String {
    let scopes: Vec<_> = upriver_collector::config::Scope::ALL
        .iter()
        .map(|scope| scope.name())
        .collect();
    format!(
        r#"
        [[site]]
        id = "{SITE}"
        name = "Shop"
        write_key = "{WRITE_KEY}"
        base_url = "https://shop.example"

        [[site.token]]
        name = "everything"
        scopes = {scopes:?}
        secret = "{TOKEN}"

        [[site.token]]
        name = "writer"
        scopes = ["events:write"]
        secret = "only-writes-0123456789"

        [[site.funnel]]
        id = "checkout"
        name = "Checkout"
        window = "30m"
        step = [
          {{ name = "Home", kind = "page_view" }},
          {{ name = "Order", kind = "conversion", event = "order" }},
        ]

        [[site.webhook]]
        id = "chat"
        url = "http://127.0.0.1:9/"
        secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

        [[site.rule]]
        id = "angry"
        step = [{{ kind = "rage" }}]

        [[site.alert]]
        id = "visits"
        kinds = ["traffic_vanished"]
        webhooks = ["chat"]
        "#
    )
}

#[test]
fn the_document_is_openapi_3_1() -> Result<()> {
    let document = document()?;
    let schema = serde_json::from_str(OPENAPI_3_1)?;
    let errors: Vec<_> = jsonschema::validator_for(&schema)?
        .iter_errors(&document)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    ensure!(errors.is_empty(), "{errors:#?}");
    for (name, schema) in document["components"]["schemas"]
        .as_object()
        .context("none")?
    {
        let checked = jsonschema::meta::validate(schema);
        ensure!(checked.is_ok(), "{name}: {:?}", checked.err());
    }
    // Every reference leads somewhere, and everything is referred to.
    let mut references = BTreeSet::new();
    gather(&document, &mut references);
    for reference in &references {
        let place = reference.strip_prefix('#').context("not in the document")?;
        ensure!(
            document.pointer(place).is_some(),
            "{reference} leads nowhere"
        );
    }
    for part in ["schemas", "parameters", "responses"] {
        for name in document["components"][part]
            .as_object()
            .context("none")?
            .keys()
        {
            let own = format!("#/components/{part}/{name}");
            ensure!(references.contains(&own), "{own} is referred to by nothing");
        }
    }
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().context("none")? {
        for (method, operation) in methods.as_object().context("none")? {
            let id = operation["operationId"].as_str().context("no id")?;
            ensure!(ids.insert(id), "{method} {path}: {id} is there twice");
            let known = |tag: &Value| {
                let tags = document["tags"].as_array();
                tags.is_some_and(|tags| tags.iter().any(|own| own["name"] == *tag))
            };
            let tags = operation["tags"].as_array().context("no tags")?;
            ensure!(tags.iter().all(known), "{method} {path}: {tags:?}");
        }
    }
    Ok(())
}

fn gather(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(to)) = fields.get("$ref") {
                references.insert(to.clone());
            }
            fields.values().for_each(|value| gather(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| gather(value, references)),
        _ => (),
    }
}

#[test]
fn every_url_is_in_it_with_what_it_needs_and_no_other() -> Result<()> {
    let contract = Contract::new()?;
    let paths = contract.closed["paths"].as_object().context("no paths")?;
    let mut said = BTreeMap::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().context("no methods")? {
            let mut allowed = BTreeSet::new();
            for way in operation["security"].as_array().context("no security")? {
                for (scheme, scopes) in way.as_object().context("no scheme")? {
                    let scopes: Vec<_> = scopes.as_array().into_iter().flatten().collect();
                    let scope = scopes.first().and_then(|scope| scope.as_str());
                    allowed.insert(format!("{scheme} {}", scope.unwrap_or_default()));
                }
            }
            said.insert((method.to_uppercase(), path.clone()), allowed);
            // The parts of the path are described.
            let described: BTreeSet<_> = contract
                .parameters(operation)
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned))
                .collect();
            let parts = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}').map(str::to_owned));
            assert_eq!(parts.collect::<BTreeSet<_>>(), described, "{method} {path}");
        }
    }
    let mut are = BTreeMap::new();
    for entry in routes() {
        let mut allowed = BTreeSet::new();
        match entry.needs {
            Needs::Nothing => (),
            Needs::WriteKey => {
                allowed.insert("writeKey ".to_owned());
            }
            Needs::Somebody => {
                allowed.extend(["token ", "login ", "ticket "].map(str::to_owned));
            }
            Needs::Scope(one_of) => {
                allowed.insert("login ".to_owned());
                for scope in one_of {
                    allowed.insert(format!("token {}", scope.name()));
                    // A ticket buys no other.
                    if scope.name() == "live:read" && entry.path != "/v1/tickets" {
                        allowed.insert("ticket live:read".to_owned());
                    }
                }
            }
        }
        let path = entry.path.replace(":.*", "");
        are.insert((entry.method.to_string(), path), allowed);
    }
    let known: Vec<_> = said.keys().collect();
    assert_eq!(known, are.keys().collect::<Vec<_>>());
    assert_eq!(said, are);
    Ok(())
}

/// Rows that no short run brings, as they are written by the types that are sent.
#[test]
fn rows_that_are_rare_are_as_it_says() -> Result<()> {
    let contract = Contract::new()?;
    let schema = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let kinds = [
        AlertKind::StepBroke,
        AlertKind::CampaignNotConverting,
        AlertKind::TrafficVanished,
        AlertKind::TrafficSpiked,
    ];
    for kind in kinds {
        let row = AlertRow {
            kind,
            ..AlertRow::default()
        };
        contract.check(&schema("AlertRow"), &serde_json::to_value(row)?)?;
    }
    let comparison = serde_json::to_value(VariantComparison::default())?;
    contract.check(&schema("VariantComparison"), &comparison)
}

/// Some visitors with some of everything, told in JSON.
fn batch(visitor: u32, first_ms: u64) -> Value {
    let variant = ["green", "red"][visitor as usize % 2];
    let text = |name: &str, value: &str| json!({"name": name, "value": {"text": value}});
    json!({
        "stream": format!("{visitor:x}"), "visitor": format!("{visitor:032x}"), "session": "1",
        "first_seq": 0, "first_ms": first_ms,
        "page": {"inline": {"path": "/", "campaign": {"campaign": "spring", "source": "mail"}}},
        "variants": [{"experiment": "button", "variant": variant}],
        "events": [
            {"body": {"exposure": {"experiment": "button", "variant": variant}}},
            {"delta_ms": 1, "body": {"custom": {"name": "filter", "props": [text("colour", "red")]}}},
            {"delta_ms": 1, "body": {"conversion": {"name": "order", "value_micros": 19_900_000, "currency": "EUR"}}},
        ],
    })
}

async fn fill(contract: &Contract, collector: &Collector) -> Result<()> {
    for _ in 0..4 {
        let mut page = Page::new("/").from_campaign("spring");
        let bodies = vec![
            page.view("/"),
            Page::press(0.5, 0.9),
            Page::order(19_990_000),
        ];
        ensure!(collector.send(page.bytes(bodies)).await?.status == 200);
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    for visitor in 1..5 {
        let address = format!("/v1/batch?key={WRITE_KEY}");
        let body = batch(visitor, now.as_millis() as u64 - 1_000);
        let ask = Ask("POST", "/v1/batch", address);
        let (status, answer) = contract.ask(collector, ask, Some(body), "").await?;
        ensure!(status == 200, "{answer}");
    }
    let release = Ask(
        "PUT",
        "/v1/sites/{site}/definitions/{kind}/{id}",
        format!("/v1/sites/{SITE}/definitions/release/now"),
    );
    let (status, answer) = contract
        .ask(collector, release, Some(json!({"name": "1"})), TOKEN)
        .await?;
    ensure!(status == 201, "{answer}");
    eventually("clickhouse has them", async || {
        let told = "SELECT toUInt64(count() >= 20) FROM events";
        Ok((collector.sql(told).await? == 1).then_some(()))
    })
    .await
}

#[tokio::test]
async fn everything_else_answers_as_it_says() -> Result<()> {
    let contract = Contract::new()?;
    let collector = Collector::start_with_sites(&sites(), &[]).await?;
    fill(&contract, &collector).await?;
    let one = "/v1/sites/{site}/definitions/{kind}/{id}";
    let ask = async |method: &str, path: &str, tail: &str, body: Option<Value>, expected: u16| {
        // The address is the path with its parts filled in, and a tail.
        let mut address = path.replace("{site}", SITE).replace("{webhook}", "chat");
        address = address.replace("{visitor}", "caf0");
        if let Some((kind, id)) = tail.split_once('/') {
            address = address.replace("{kind}", kind).replace("{id}", id);
        } else {
            address.push_str(tail);
        }
        let (status, answer) = contract
            .ask(&collector, Ask(method, path, address), body, TOKEN)
            .await?;
        ensure!(
            status == expected,
            "{method} {path} {tail}: {status} {answer}"
        );
        anyhow::Ok(answer)
    };
    let step = |kind: &str| json!({"name": kind, "kind": kind});
    for (place, body) in [
        (
            "funnel/buys",
            json!({"name": "Buys", "window": "30m", "step": [step("page_view"), step("conversion")],
                "exclude": [step("rage")]}),
        ),
        (
            "rule/offer",
            json!({"step": [{"kind": "hesitation", "times": 2}], "unless": [step("press")],
                "window": "60s", "after": "1m", "every": "24h", "campaign": "spring*", "holdout": 0.2,
                "signal": "offer", "payload": {"percent": 10}, "expires": "2m", "webhook": "chat"}),
        ),
        (
            "alert/spring",
            json!({"kinds": ["campaign_not_converting"], "funnel": "buys", "campaign": "spring*",
                "page": "/cart*", "webhooks": ["chat"]}),
        ),
        ("release/r1", json!({"name": "2.4.0", "note": "new"})),
        ("annotation/a1", json!({"text": "a note", "page": "/"})),
        ("page/p1", json!({"name": "Products", "path": "/product/*"})),
    ] {
        ask("PUT", one, place, Some(body.clone()), 201).await?;
        ask("PUT", one, place, Some(body), 200).await?;
        ask("GET", one, place, None, 200).await?;
    }
    ask("DELETE", one, "page/p1", None, 200).await?;
    ask("GET", &format!("{one}/versions"), "page/p1", None, 200).await?;
    ask("GET", "/v1/sites/{site}/definitions", "", None, 200).await?;
    ask("GET", "/v1/live", "", None, 200).await?;
    ask("GET", "/v1/me", "", None, 200).await?;
    ask("GET", "/v1/audit", "", None, 200).await?;
    ask(
        "POST",
        "/v1/tickets",
        "",
        Some(json!({ "site": SITE })),
        200,
    )
    .await?;
    let event = |id: &str, time: &str| {
        json!({"id": id, "time": time, "visitor": "caf0", "session": "1", "country": "DE",
            "page": {"path": "/checkout"}, "variants": [{"experiment": "button", "variant": "red"}],
            "body": {"conversion": {"name": "order", "value_micros": 1, "currency": "EUR", "order": "1"}}})
    };
    let now = collector
        .sql("SELECT toUInt64(toUnixTimestamp(now()))")
        .await?;
    let time = format!("SELECT formatDateTime(toDateTime({now}), '%Y-%m-%dT%H:%i:%SZ', 'UTC')");
    let time: String = collector
        .clickhouse()
        .await?
        .query(&time)
        .fetch_one()
        .await?;
    let told = json!({"events": [event("1", &time), event("2", "1999-01-01T00:00:00Z")]});
    let verdicts = ask("POST", "/v1/events", "", Some(told), 200).await?;
    ensure!(
        verdicts["ok"] == 1 && verdicts["rejected"] == 1,
        "{verdicts}"
    );
    let signal = json!({"visitor": "caf0", "name": "offer", "payload": {"percent": 10}, "expires_in_ms": 60_000});
    ask("POST", "/v1/sites/{site}/signals", "", Some(signal), 202).await?;
    ask(
        "POST",
        "/v1/sites/{site}/webhooks/{webhook}/test",
        "",
        None,
        202,
    )
    .await?;
    let visitor = "/v1/sites/{site}/visitors/{visitor}";
    ask("GET", visitor, "", None, 200).await?;
    let ordered = ask("DELETE", visitor, "", None, 202).await?;
    // It may be done by now or not.
    let order = ordered["id"].as_str().context("no id")?;
    let asked = Ask(
        "GET",
        "/v1/sites/{site}/erasures/{id}",
        format!("/v1/sites/{SITE}/erasures/{order}"),
    );
    let (status, answer) = contract.ask(&collector, asked, None, TOKEN).await?;
    ensure!([200, 202].contains(&status), "{status} {answer}");
    ask("GET", "/readyz", "", None, 200).await?;
    ask("GET", "/healthz", "", None, 200).await?;
    ask("GET", "/metrics", "", None, 200).await?;
    // It is served as it is written.
    let served = ask("GET", "/v1/openapi.json", "", None, 200).await?;
    assert_eq!(served, document()?);

    // Refusals, of each kind.
    ask("GET", one, "goal/g1", None, 404).await?;
    ask("GET", one, "release/none", None, 404).await?;
    ask("PUT", one, "release/r1", Some(json!({"nam": 1})), 400).await?;
    ask("PUT", one, "funnel/checkout", Some(json!({})), 409).await?;
    ask("POST", "/v1/sites/{site}/signals", "", Some(json!({})), 400).await?;
    ask(
        "POST",
        "/v1/events",
        "?nonsense=1",
        Some(json!({"events": []})),
        400,
    )
    .await?;
    ask("POST", "/v1/events", "", Some(json!({"events": []})), 400).await?;
    for token in ["", "unknown-0123456789", "only-writes-0123456789"] {
        let expected = if token.starts_with("only") { 403 } else { 401 };
        for (method, path, address) in [
            ("GET", "/v1/audit", "/v1/audit"),
            ("GET", "/v1/live/pages", "/v1/live/pages"),
            (
                "GET",
                "/v1/sites/{site}/definitions",
                "/v1/sites/shop/definitions",
            ),
        ] {
            let asked = Ask(method, path, address.into());
            let (status, answer) = contract.ask(&collector, asked, None, token).await?;
            ensure!(status == expected, "{path} {token}: {status} {answer}");
        }
    }
    let asked = Ask("POST", "/v1/batch", "/v1/batch?key=none".into());
    let (status, _) = contract
        .ask(&collector, asked, Some(batch(9, 1)), "")
        .await?;
    ensure!(status == 401);

    // Every answer in JSON was met; those of live resources are another test's.
    let paths: Map<String, Value> = contract.closed["paths"]
        .as_object()
        .context("none")?
        .clone();
    let met = contract.met.borrow();
    for (path, methods) in paths
        .iter()
        .filter(|(path, _)| !path.starts_with("/v1/live/"))
    {
        for (method, operation) in methods.as_object().context("none")? {
            let responses = operation["responses"].as_object().context("none")?;
            let in_json = responses.iter().any(|(status, response)| {
                status.starts_with('2') && response["content"]["application/json"].is_object()
            });
            let key = (method.to_uppercase(), path.clone(), "2XX".to_owned());
            ensure!(
                !in_json || met.contains(&key),
                "{method} {path} was not looked at"
            );
        }
    }
    Ok(())
}
