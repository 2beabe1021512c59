//! Live resources: their parameters, answers and subscriptions.

use super::contract::{Ask, Contract};
use super::{TOKEN, fill, sites};
use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use upriver_tests::{Collector, Page};

/// Longest a message may take to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Parameters of every live resource, which `GET /v1/live` does not list.
const OF_READERS: [&str; 4] = ["site", "ticket", "after", "wait"];

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
        if path.ends_with("funnel/visitors") {
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
        ("sources", ""),
        ("errors", ""),
        ("releases", ""),
        ("presence/visitors", ""),
        ("presence", ""),
        ("pages", ""),
        ("activity", ""),
    ] {
        let path = format!("/v1/live/{path}");
        let responses = &contract.operation("GET", &path)?["responses"];
        let schema = &responses["200"]["content"]["text/event-stream"]["x-event-data"];
        // What comes later is no exposure, and changes a release once a minute only.
        let count = match &*path {
            "/v1/live/experiments" | "/v1/live/releases" | "/v1/live/errors" => 1,
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
