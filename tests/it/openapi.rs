//! `collector/openapi.json` says what the collector does: it is OpenAPI 3.1, has every URL and no other, and
//! what a running collector answers, takes and refuses is what it says.
//!
//! For the comparison every object is closed: a field that is not described is a difference.

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use upriver_collector::api::{Needs, routes};
use upriver_tests::{Collector, Page, SITE, WRITE_KEY, eventually};
use upriver_wire::live::{AlertKind, AlertRow, VariantComparison};

const DOCUMENT: &str = include_str!("../../collector/openapi.json");
/// What the OpenAPI Initiative publishes for version 3.1 (Apache-2.0).
const OPENAPI_3_1: &str = include_str!("openapi-3.1.schema.json");
/// Longest a message may take to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// A token with every scope.
const TOKEN: &str = "every-scope-0123456789";
/// Parameters of every live resource, which `GET /v1/live` does not list.
const OF_READERS: [&str; 4] = ["site", "ticket", "after", "wait"];

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
        "#
    )
}

/// Closes every object that says its properties and not whether there may be others.
fn close(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            let described = fields.get("type") == Some(&json!("object"));
            if described && fields.get("properties").is_some_and(Value::is_object) {
                fields.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => (),
    }
}

/// The document, and what of it was met.
struct Contract {
    closed: Value,
    validators: RefCell<BTreeMap<String, Validator>>,
    /// Method, path and kind of status.
    met: RefCell<BTreeSet<(String, String, String)>>,
}

/// What is sent: method, path of the document, address.
struct Ask<'a>(&'a str, &'a str, String);

impl Contract {
    fn new() -> Result<Self> {
        let mut closed = document()?;
        close(&mut closed);
        Ok(Self {
            closed,
            validators: RefCell::default(),
            met: RefCell::default(),
        })
    }

    /// Holds a value against a schema of the document.
    fn check(&self, schema: &Value, value: &Value) -> Result<()> {
        let mut validators = self.validators.borrow_mut();
        let key = schema.to_string();
        if !validators.contains_key(&key) {
            let mut whole = schema.clone();
            whole["components"] = self.closed["components"].clone();
            whole["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
            validators.insert(key.clone(), jsonschema::validator_for(&whole)?);
        }
        let errors: Vec<_> = validators[&key]
            .iter_errors(value)
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect();
        ensure!(errors.is_empty(), "{key}: {} in {value}", errors.join("; "));
        Ok(())
    }

    /// What the document refers to, or the thing itself.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target = value["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
        target
            .and_then(|to| self.closed.pointer(to))
            .unwrap_or(value)
    }

    fn operation(&self, method: &str, path: &str) -> Result<&Value> {
        let found = &self.closed["paths"][path][method.to_lowercase()];
        ensure!(found.is_object(), "the document has no {method} {path}");
        Ok(found)
    }

    fn parameters(&self, operation: &Value) -> Vec<Value> {
        let all = operation["parameters"].as_array();
        let all = all.into_iter().flatten();
        all.map(|parameter| self.resolve(parameter).clone())
            .collect()
    }

    /// Sends something that the document describes and holds the answer against it. Returns the status and
    /// the answer.
    async fn ask(
        &self,
        collector: &Collector,
        Ask(method, path, address): Ask<'_>,
        body: Option<Value>,
        token: &str,
    ) -> Result<(u16, Value)> {
        let operation = self.operation(method, path)?;
        let url = format!("{}{address}", collector.url);
        let method_name = reqwest::Method::from_bytes(method.as_bytes())?;
        let mut request = collector.http.request(method_name, url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type");
        let kind = kind
            .map(|kind| kind.to_str().map(str::to_owned))
            .transpose()?;
        let text = response.text().await?;
        let what = format!("{method} {address}: {status} {text}");

        let range = format!("{}XX", status / 100);
        let responses = &operation["responses"];
        let described = responses.get(status.to_string());
        let described = described.or_else(|| responses.get(&range));
        let described = self.resolve(described.with_context(|| format!("undescribed: {what}"))?);
        let key = (method.to_owned(), path.to_owned(), range);
        self.met.borrow_mut().insert(key);
        if text.is_empty() {
            return Ok((status, Value::Null));
        }
        let kind = kind.with_context(|| format!("no type: {what}"))?;
        let kind = kind.split(';').next().unwrap_or_default();
        let content = described["content"].get(kind);
        let content = content.with_context(|| format!("{kind} is undescribed: {what}"))?;
        if kind != "application/json" {
            return Ok((status, Value::String(text)));
        }
        let answer: Value = serde_json::from_str(&text)?;
        if let Some(schema) = content.get("schema") {
            self.check(schema, &answer).context(what)?;
        }
        // What is taken must be what the document says is taken.
        if let (200..300, Some(body)) = (status, &body) {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            self.check(schema, body)?;
        }
        Ok((status, answer))
    }
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

fn example(parameter: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match (
        parameter["schema"]["enum"].as_array(),
        parameter.get("example"),
    ) {
        (Some(values), _) => values.iter().map(text).collect(),
        (None, Some(example)) => vec![text(example)],
        (None, None) => Vec::new(),
    }
}

fn address(path: &str, given: &BTreeMap<String, String>) -> String {
    let query: Vec<_> = given
        .iter()
        .map(|(name, value)| format!("{name}={}", value.replace('%', "%25").replace('&', "%26")))
        .collect();
    format!("{path}?{}", query.join("&"))
}

#[tokio::test]
async fn live_resources_take_its_parameters_and_answer_as_it_says() -> Result<()> {
    let contract = Contract::new()?;
    let collector = Collector::start_with_sites(&sites(), &[]).await?;
    fill(&contract, &collector).await?;
    let ask = async |path: &str, address: String| {
        contract
            .ask(&collector, Ask("GET", path, address), None, TOKEN)
            .await
    };
    let (_, index) = ask("/v1/live", "/v1/live".into()).await?;
    for resource in index["resources"].as_array().context("no resources")? {
        let path = resource["url"].as_str().context("no url")?;
        let parameters = contract.parameters(contract.operation("GET", path)?);
        let named = |own: &Value| {
            let name = own["name"].as_str().unwrap_or_default().to_owned();
            (name, own["required"] == true)
        };
        // As the collector itself lists them.
        let told: BTreeSet<_> = resource["parameters"]
            .as_array()
            .context("no parameters")?
            .iter()
            .map(named)
            .collect();
        let described: BTreeSet<_> = parameters
            .iter()
            .map(named)
            .filter(|(name, _)| !OF_READERS.contains(&name.as_str()))
            .collect();
        assert_eq!(described, told, "{path}");

        let mut least = BTreeMap::new();
        for parameter in parameters.iter().filter(|own| own["required"] == true) {
            let (name, _) = named(parameter);
            least.insert(name, example(parameter)[0].clone());
        }
        if path.ends_with("/visitors") {
            least.insert("step".into(), "1".into());
        }
        let refused = async |name: &str, value: &str, code: &str| {
            let mut given = least.clone();
            given.insert(name.into(), value.into());
            let (status, answer) = ask(path, address(path, &given)).await?;
            let said = answer["error"]["code"].as_str().unwrap_or_default();
            ensure!(
                status == 400 && (code.is_empty() || said == code),
                "{path} takes {name}={value}: {answer}"
            );
            anyhow::Ok(())
        };
        for parameter in parameters {
            let (name, required) = named(&parameter);
            let values = example(&parameter);
            ensure!(
                !values.is_empty() || name == "ticket",
                "{path}: no example of {name}"
            );
            for value in values {
                let mut given = least.clone();
                if name == "to" {
                    given.insert("from".into(), "1795248000000".into());
                }
                given.insert(name.clone(), value);
                let (status, answer) = ask(path, address(path, &given)).await?;
                ensure!(status == 200, "{path} does not take {given:?}: {answer}");
            }
            if parameter["schema"]["enum"].is_array() {
                refused(&name, "nonsense", "").await?;
            }
            if required {
                refused(&name, "", "missing_parameter").await?;
            }
        }
        refused("nonsense", "1", "unknown_parameter").await?;
    }
    Ok(())
}

/// The data of the first server-sent events of an address.
async fn events(collector: &Collector, address: &str, count: usize) -> Result<Vec<Value>> {
    let request = collector.http.get(format!("{}{address}", collector.url));
    let request = request
        .bearer_auth(TOKEN)
        .header("accept", "text/event-stream");
    let mut bytes = request.send().await?.error_for_status()?.bytes_stream();
    let (mut text, mut found) = (String::new(), Vec::new());
    while found.len() < count {
        let chunk = timeout(PATIENCE, bytes.next())
            .await?
            .context("it ended")??;
        text.push_str(std::str::from_utf8(&chunk)?);
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            if let Some(data) = data {
                found.push(serde_json::from_str(data)?);
            }
        }
        // What is waited for may be a change.
        if found.len() < count {
            let mut page = Page::new("/other").from_campaign("autumn");
            let bodies = vec![
                page.view("/other"),
                Page::press(0.1, 0.2),
                Page::order(5_000_000),
            ];
            ensure!(collector.send(page.bytes(bodies)).await?.status == 200);
        }
    }
    Ok(found)
}

#[tokio::test]
async fn subscriptions_bring_what_it_says() -> Result<()> {
    let contract = Contract::new()?;
    let collector = Collector::start_with_sites(&sites(), &[]).await?;
    fill(&contract, &collector).await?;
    for (path, asked) in [
        ("overview", ""),
        ("heatmap", "?page=/*"),
        ("elements", "?page=/*"),
        ("funnel", "?id=checkout"),
        ("funnel/visitors", "?id=checkout&state=converted"),
        ("campaigns", ""),
        ("experiments", ""),
        ("releases", ""),
        ("presence", ""),
        ("pages", ""),
        ("activity", ""),
    ] {
        let path = format!("/v1/live/{path}");
        let responses = &contract.operation("GET", &path)?["responses"];
        let schema = &responses["200"]["content"]["text/event-stream"]["x-event-data"];
        // What comes later is no exposure, and changes a release once a minute only.
        let count = match &*path {
            "/v1/live/experiments" | "/v1/live/releases" => 1,
            _ => 2,
        };
        for update in events(&collector, &format!("{path}{asked}"), count).await? {
            contract.check(schema, &update).context(path.clone())?;
        }
    }
    let responses = &contract.operation("GET", "/v1/live")?["responses"];
    let schema = &responses["200"]["content"]["text/event-stream"]["x-event-data"];
    let watched = "/v1/live?watch=%2Fv1%2Flive%2Fpages&watch=%2Fv1%2Flive%2Fweather";
    let messages = events(&collector, watched, 3).await?;
    ensure!(
        messages
            .iter()
            .any(|message| message["error"]["status"] == 404)
    );
    for message in messages {
        contract.check(schema, &message)?;
    }

    let websocket = &responses["101"];
    let url = format!("{}/v1/live", collector.url.replace("http:", "ws:"));
    let mut request = url.into_client_request()?;
    let header = format!("Bearer {TOKEN}").parse()?;
    request.headers_mut().insert("authorization", header);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    for said in [
        json!({"subscribe": {"id": 1, "url": "/v1/live/presence"}}),
        json!({"subscribe": {"id": 2, "url": "/v1/live/funnel?id=none"}}),
        json!({"unsubscribe": 3}),
    ] {
        contract.check(&websocket["x-client-message"], &said)?;
        socket.send(Message::text(said.to_string())).await?;
    }
    let mut ids = BTreeSet::new();
    while ids.len() < 2 {
        let frame = timeout(PATIENCE, socket.next())
            .await?
            .context("it ended")??;
        if frame.is_text() {
            let message: Value = serde_json::from_str(frame.to_text()?)?;
            contract.check(&websocket["x-message"], &message)?;
            ids.insert(message["id"].to_string());
        }
    }
    Ok(())
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
