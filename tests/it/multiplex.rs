//! `/v1/live` itself: many resources on one connection, over WebSocket and server-sent events.

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use upriver_tests::{Collector, Page, eventually};

/// Longest what is waited for may take to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Room for what a client has not read. Small, so that a slow one is soon felt to be slow.
const RECEIVE_BYTES: u32 = 4_096;

/// What a subscriber holds of one resource.
#[derive(Default)]
struct Held {
    seq: u64,
    snapshots: usize,
    deltas: usize,
    data: Map<String, Value>,
}

impl Held {
    /// A snapshot replaces all, a delta the rows it has, by their keys.
    fn take(&mut self, update: &Value) -> Result<()> {
        let seq = update["seq"].as_u64().context("no seq")?;
        let data = update["data"].as_object().context("no data")?;
        ensure!(seq >= self.seq, "{seq} came after {}", self.seq);
        self.seq = seq;
        if update["type"] == "snapshot" {
            self.snapshots += 1;
            self.data = data.clone();
            return Ok(());
        }
        ensure!(self.snapshots > 0, "a delta came before the snapshot");
        self.deltas += 1;
        for (name, value) in data {
            let merged = match (self.data.get(name), value) {
                (Some(Value::Array(old)), Value::Array(new)) if keyed(name) => {
                    let rows = old.iter().chain(new).map(|row| (key(row), row.clone()));
                    rows.collect::<BTreeMap<_, _>>().into_values().collect()
                }
                _ => value.clone(),
            };
            self.data.insert(name.clone(), merged);
        }
        Ok(())
    }

    /// The numbers without what they mean, rows in the order of their keys.
    fn numbers(data: &Map<String, Value>) -> Map<String, Value> {
        let mut numbers = data.clone();
        numbers.remove("basis");
        for (name, value) in &mut numbers {
            if let Value::Array(rows) = value
                && keyed(name)
            {
                rows.sort_by_key(key);
            }
        }
        numbers
    }
}

/// Lists whose rows a delta replaces by their keys.
fn keyed(list: &str) -> bool {
    ["rows", "elements", "groups", "value", "items"].contains(&list)
}

fn key(row: &Value) -> String {
    let names = [
        "path",
        "element",
        "dimension",
        "value",
        "source",
        "medium",
        "campaign",
        "currency",
        "id",
    ];
    // `value` is a key of a group, and a sum in a row of campaigns.
    let parts = names.map(|name| match &row[name] {
        Value::Array(_) => Value::Null,
        part => part.clone(),
    });
    json!(parts).to_string()
}

/// What one connection has brought, by number or address.
#[derive(Default)]
struct Client {
    held: BTreeMap<String, Held>,
    errors: BTreeMap<String, Value>,
}

impl Client {
    fn take(&mut self, message: &Value) -> Result<()> {
        let tag = message.get("id").or_else(|| message.get("watch"));
        let tag = tag.map_or_else(String::new, |tag| match tag {
            Value::String(address) => address.clone(),
            number => number.to_string(),
        });
        match message.get("update") {
            Some(update) => self.held.entry(tag).or_default().take(update)?,
            None => {
                let error = message.get("error").context("neither update nor error")?;
                self.errors.insert(tag, error.clone());
            }
        }
        Ok(())
    }

    fn seq(&self, tag: &str) -> u64 {
        self.held.get(tag).map_or(0, |held| held.seq)
    }
}

/// A collector that has read all its history: from then on nothing but events changes a number.
async fn start() -> Result<Collector> {
    let collector = Collector::start().await?;
    collector.live_is_whole().await?;
    Ok(collector)
}

type Socket = WebSocketStream<tokio::net::TcpStream>;

async fn connect(collector: &Collector) -> Result<Socket> {
    let address = collector
        .url
        .strip_prefix("http://")
        .context("no address")?;
    let tcp = TcpSocket::new_v4()?;
    tcp.set_recv_buffer_size(RECEIVE_BYTES)?;
    let stream = tcp.connect(address.parse()?).await?;
    let mut request = format!("ws://{address}/v1/live").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("authorization", Collector::bearer().parse()?);
    Ok(tokio_tungstenite::client_async(request, stream).await?.0)
}

async fn subscribe(socket: &mut Socket, id: u32, resource: &str) -> Result<()> {
    let said = json!({"subscribe": {"id": id, "url": format!("/v1/live/{resource}")}});
    Ok(socket.send(Message::text(said.to_string())).await?)
}

/// Reads until `enough`. Pings come for ever, so the patience is for all of it.
async fn read(
    socket: &mut Socket,
    client: &mut Client,
    mut enough: impl FnMut(&Client) -> bool,
) -> Result<()> {
    let reading = async {
        while !enough(client) {
            let message = socket.next().await.context("it ended")??;
            if message.is_text() {
                client.take(&serde_json::from_str(message.to_text()?)?)?;
            }
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, reading)
        .await
        .context("it did not come")?
}

/// A resource as it is now, and its version.
async fn get(collector: &Collector, resource: &str) -> Result<(u64, Map<String, Value>)> {
    let request = collector
        .http
        .get(format!("{}/v1/live/{resource}", collector.url));
    let request = request.header("authorization", Collector::bearer());
    let update: Value = request.send().await?.error_for_status()?.json().await?;
    let data = update["data"].as_object().context("no data")?;
    Ok((update["seq"].as_u64().context("no seq")?, data.clone()))
}

/// Reads on until what is held under a tag is of the version that a plain request gives, and
/// compares the two.
async fn assert_is_got(
    collector: &Collector,
    socket: &mut Socket,
    client: &mut Client,
    tag: &str,
    resource: &str,
) -> Result<()> {
    loop {
        let (seq, data) = get(collector, resource).await?;
        read(socket, client, |client| client.seq(tag) >= seq).await?;
        let held = &client.held[tag];
        if held.seq == seq {
            assert_eq!(
                Held::numbers(&held.data),
                Held::numbers(&data),
                "{resource}"
            );
            return Ok(());
        }
    }
}

async fn visit(collector: &Collector, visitors: u64) -> Result<()> {
    for number in 0..visitors {
        let mut page = Page::new("/").from_campaign(["spring", "autumn"][number as usize % 2]);
        let mut bodies = vec![
            page.view("/"),
            page.view("/product/kettle"),
            Page::press(0.5, 0.9),
        ];
        if number % 3 == 0 {
            bodies.push(Page::custom("add_to_cart"));
            bodies.push(Page::order(19_990_000));
        }
        let sent = collector.send(page.bytes(bodies)).await?;
        ensure!(sent.status == 200, "{sent:?}");
    }
    Ok(())
}

const RESOURCES: [&str; 6] = [
    "overview?site=shop",
    "funnel?id=checkout",
    "heatmap?page=/product/kettle",
    "campaigns",
    "pages",
    "activity",
];

#[tokio::test]
async fn one_websocket_carries_many_resources_and_a_refusal_harms_none() -> Result<()> {
    let collector = start().await?;
    visit(&collector, 3).await?;
    let mut socket = connect(&collector).await?;
    let mut client = Client::default();
    let mut tags = Vec::new();
    for (id, resource) in (1..).zip(RESOURCES) {
        subscribe(&mut socket, id, resource).await?;
        tags.push((id.to_string(), resource));
    }
    let refused = [
        (20, "funnel?id=nothing", 404, "checkout"),
        (21, "weather", 404, "overview, heatmap"),
        (22, "heatmap", 400, "needs page"),
        (23, "overview?site=other", 403, "other"),
        (1, "pages", 400, "in use"),
    ];
    for (id, resource, ..) in refused {
        subscribe(&mut socket, id, resource).await?;
    }
    socket.send(Message::text(r#"{"subscribe": 3}"#)).await?;
    read(&mut socket, &mut client, |client| {
        client.held.len() == tags.len() && client.errors.len() == refused.len() + 1
    })
    .await?;
    for (id, resource, status, says) in refused {
        let error = &client.errors[&id.to_string()];
        assert_eq!(error["status"], status, "{resource}: {error}");
        let message = error["message"].as_str().unwrap_or_default();
        ensure!(message.contains(says), "{resource}: {message}");
    }
    assert_eq!(client.errors[""]["code"], "malformed_message");

    // All that was refused has left the others as they are: each changes, and equals its `GET`.
    for round in 0..3 {
        visit(&collector, 4 + round).await?;
        for (tag, resource) in &tags {
            assert_is_got(&collector, &mut socket, &mut client, tag, resource).await?;
        }
    }
    for (tag, resource) in &tags {
        let held = &client.held[tag];
        ensure!(held.deltas > 0, "{resource} never changed");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_unsubscribed_is_silent_and_its_number_is_free() -> Result<()> {
    let collector = start().await?;
    let mut socket = connect(&collector).await?;
    subscribe(&mut socket, 1, "overview").await?;
    subscribe(&mut socket, 2, "pages").await?;
    let mut client = Client::default();
    read(&mut socket, &mut client, |client| client.held.len() == 2).await?;
    // Read after it in the same order, the last subscription's snapshot proves that it was heard.
    socket.send(Message::text(r#"{"unsubscribe": 1}"#)).await?;
    socket.send(Message::text(r#"{"unsubscribe": 77}"#)).await?;
    subscribe(&mut socket, 3, "campaigns").await?;
    read(&mut socket, &mut client, |client| client.held.len() == 3).await?;
    let before = client.seq("1");
    // The same resource under another number: what were still sent for the first would come, too.
    subscribe(&mut socket, 4, "overview").await?;
    read(&mut socket, &mut client, |client| client.held.len() == 4).await?;
    for _ in 0..4 {
        visit(&collector, 3).await?;
        assert_is_got(&collector, &mut socket, &mut client, "2", "pages").await?;
        assert_is_got(&collector, &mut socket, &mut client, "4", "overview").await?;
    }
    assert_eq!(client.seq("1"), before);

    let snapshots = client.held["1"].snapshots;
    subscribe(&mut socket, 1, "overview").await?;
    read(&mut socket, &mut client, |client| {
        client.held["1"].snapshots > snapshots || !client.errors.is_empty()
    })
    .await?;
    ensure!(client.errors.is_empty(), "{:?}", client.errors);
    assert_is_got(&collector, &mut socket, &mut client, "1", "overview").await
}

#[tokio::test]
async fn a_connection_takes_fifty_resources_and_refuses_one_more() -> Result<()> {
    let collector = start().await?;
    let mut socket = connect(&collector).await?;
    let mut client = Client::default();
    for id in 1..=51 {
        subscribe(&mut socket, id, &format!("heatmap?page=/{id}")).await?;
    }
    read(&mut socket, &mut client, |client| {
        client.held.len() + client.errors.len() == 51
    })
    .await?;
    assert_eq!(client.errors["51"]["code"], "too_many_resources");
    Ok(())
}

/// Whether a counter of the collector's metrics is above zero.
async fn counted(collector: &Collector, name: &str) -> Result<bool> {
    let request = collector.http.get(format!("{}/metrics", collector.url));
    let metrics = request.send().await?.text().await?;
    let found = metrics.lines().find_map(|line| line.strip_prefix(name));
    Ok(found.is_some_and(|value| value.trim() != "0"))
}

#[tokio::test]
async fn who_reads_too_slowly_gets_a_snapshot_and_misses_nothing() -> Result<()> {
    const TWINS: u32 = 20;
    let collector = start().await?;
    let mut socket = connect(&collector).await?;
    let mut client = Client::default();
    for id in 1..=TWINS {
        subscribe(&mut socket, id, "pages").await?;
    }
    subscribe(&mut socket, 99, "overview").await?;
    // Long paths, so that what is sent soon fills every buffer between the collector and us.
    let paths: Vec<_> = (0..40)
        .map(|n| format!("/{n}/{}", "x".repeat(900)))
        .collect();
    eventually("a queue has run over", async || {
        let mut page = Page::new("/");
        let bodies = paths.iter().map(|path| page.view(path)).collect();
        let sent = collector.send(page.bytes(bodies)).await?;
        ensure!(sent.status == 200, "{sent:?}");
        let over = counted(&collector, "upriver_live_subscriber_overflows").await?;
        Ok(over.then_some(()))
    })
    .await?;
    for id in 1..=TWINS {
        assert_is_got(
            &collector,
            &mut socket,
            &mut client,
            &id.to_string(),
            "pages",
        )
        .await?;
    }
    assert_is_got(&collector, &mut socket, &mut client, "99", "overview").await?;
    let again = client.held.values().filter(|held| held.snapshots > 1);
    ensure!(again.count() > 0, "nobody was given a new snapshot");
    Ok(())
}

#[tokio::test]
async fn one_stream_of_events_carries_many_resources() -> Result<()> {
    let collector = start().await?;
    visit(&collector, 3).await?;
    let open = async |addresses: &[String]| -> Result<reqwest::Response> {
        let mut url = reqwest::Url::parse(&format!("{}/v1/live", collector.url))?;
        for address in addresses {
            url.query_pairs_mut().append_pair("watch", address);
        }
        let request = collector
            .http
            .get(url)
            .header("accept", "text/event-stream");
        let request = request.header("authorization", Collector::bearer());
        Ok(request.send().await?)
    };
    let mut addresses: Vec<_> = RESOURCES.map(|name| format!("/v1/live/{name}")).into();
    addresses.push("/v1/live/funnel?id=nothing".into());
    let response = open(&addresses).await?;
    ensure!(response.status().is_success(), "{}", response.status());
    let mut bytes = response.bytes_stream();
    let mut client = Client::default();
    let mut text = String::new();
    let mut read = async |client: &mut Client, tag: &str, seq: u64| -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while client.seq(tag) < seq {
            let chunk = timeout_at(deadline, bytes.next())
                .await
                .context("silence")?;
            text.push_str(std::str::from_utf8(&chunk.context("it ended")??)?);
            while let Some(end) = text.find("\n\n") {
                let event: String = text.drain(..end + 2).collect();
                let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
                let Some(data) = field("data: ") else {
                    continue;
                };
                let message: Value = serde_json::from_str(data)?;
                let extent = message["update"]["type"].as_str().unwrap_or("refused");
                assert_eq!(field("event: "), Some(extent));
                client.take(&message)?;
            }
        }
        Ok(())
    };
    for round in 0..3 {
        visit(&collector, 4 + round).await?;
        for (name, address) in RESOURCES.iter().zip(&addresses) {
            loop {
                let (seq, data) = get(&collector, name).await?;
                read(&mut client, address, seq).await?;
                let held = &client.held[address];
                if held.seq == seq {
                    assert_eq!(Held::numbers(&held.data), Held::numbers(&data), "{name}");
                    break;
                }
            }
        }
    }
    ensure!(client.held.values().all(|held| held.deltas > 0));
    assert_eq!(client.held.len(), RESOURCES.len());
    assert_eq!(client.errors.len(), 1);
    assert_eq!(client.errors["/v1/live/funnel?id=nothing"]["status"], 404);

    let many: Vec<_> = (0..51)
        .map(|n| format!("/v1/live/heatmap?page=/{n}"))
        .collect();
    assert_eq!(open(&many).await?.status(), 400);
    assert_eq!(open(&[]).await?.status(), 400);
    Ok(())
}
