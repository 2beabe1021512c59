//! Erasing a visitor: nothing of them is left in any file, everything else is as it was, and they do
//! not come back by themselves.

use crate::audit::complaints;
use crate::definitions::ask;
use crate::webhooks::webhook;
use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use upriver_tests::{
    ADMIN_TOKEN, Collector, IMPORT_TOKEN, PRIVACY_TOKEN, Page, SITE, WRITE_KEY, eventually,
};
use upriver_wire::batch::{Batch, Body, Custom, Identify, Prop, Value as PropValue};
use upriver_wire::{ElementId, envelope};

/// In everything that only the visitor said.
const CANARY: &str = "canary-4711-do-not-keep";

/// How long an erasure may take: old files are let go of after a minute, in idle tables too, and not when
/// ClickHouse looks for them the next time, which may be five minutes later.
const PATIENCE: Duration = Duration::from_secs(170);

/// A batch of a visitor whose path, element, property and identity nobody else has.
pub(crate) fn secret(page: &mut Page) -> Batch {
    let view = page.view(&format!("/account/{CANARY}"));
    let custom = Body::Custom(Custom {
        name: "note".into(),
        props: vec![Prop {
            name: "text".into(),
            value: PropValue::Text(CANARY.into()),
        }],
    });
    let who = Body::Identify(Identify {
        user: CANARY.into(),
        ..Identify::default()
    });
    let press = Page::press(0.5, 0.5);
    let mut batch = page.batch(vec![view, custom, who, press, Page::order(5_000_000)]);
    batch.elements[0].id = ElementId::of(CANARY);
    if let Some(descriptor) = &mut batch.elements[0].descriptor {
        descriptor.label = CANARY.into();
    }
    batch
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
    since.map_or(0, |since| since.as_millis() as u64)
}

/// Files below a folder in which one of these stands.
fn found(folder: &Path, needles: &[Vec<u8>]) -> Result<Vec<String>> {
    let mut hits = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            hits.extend(found(&path, needles)?);
            continue;
        }
        // It may be removed meanwhile.
        let Ok(bytes) = std::fs::read(&path) else {
            continue;
        };
        for needle in needles {
            if bytes.windows(needle.len()).any(|part| part == needle) {
                hits.push(format!(
                    "{}: {}",
                    path.display(),
                    String::from_utf8_lossy(needle)
                ));
            }
        }
    }
    Ok(hits)
}

/// A visitor as text, as the wire has them, and as ClickHouse stores them.
fn needles(visitor: u128) -> Vec<Vec<u8>> {
    let hex = format!("{visitor:032x}");
    let uuid = format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    );
    let (high, low) = ((visitor >> 64) as u64, visitor as u64);
    let stored = [high.to_le_bytes(), low.to_le_bytes()].concat();
    vec![
        CANARY.into(),
        format!("{visitor:x}").into_bytes(),
        uuid.into_bytes(),
        visitor.to_le_bytes().into(),
        visitor.to_be_bytes().into(),
        stored,
    ]
}

/// What the tables say of everybody else.
async fn numbers(collector: &Collector) -> Result<BTreeMap<&'static str, u64>> {
    let mut numbers = BTreeMap::new();
    for sql in [
        "SELECT count() FROM events",
        "SELECT sum(presses) FROM heatmap",
        "SELECT sum(cityHash64(path, hour, element, cell) * presses) FROM heatmap",
        "SELECT sum(events) FROM sessions",
        "SELECT uniqExact(visitor) FROM sessions",
        "SELECT sum(events) FROM campaign_minutes",
        "SELECT toUInt64(sum(value)) FROM campaign_minutes",
        "SELECT sum(events) FROM page_minutes",
        "SELECT uniqExact(path) FROM page_minutes",
        "SELECT count() FROM elements FINAL",
        "SELECT count() FROM dead_letters",
    ] {
        numbers.insert(sql, collector.sql(sql).await?);
    }
    Ok(numbers)
}

pub(crate) async fn request(
    collector: &Collector,
    method: &str,
    path: &str,
    token: &str,
) -> Result<(u16, Value)> {
    let url = format!("{}/v1/sites/{SITE}/{path}", collector.url);
    let request = collector.http.request(method.parse()?, url);
    let response = request.bearer_auth(token).send().await?;
    Ok((response.status().as_u16(), response.json().await?))
}

pub(crate) async fn done(collector: &Collector, id: &str) -> Result<Value> {
    let begun = Instant::now();
    loop {
        let path = format!("erasures/{id}");
        let (status, receipt) = request(collector, "GET", &path, PRIVACY_TOKEN).await?;
        match status {
            200 => return Ok(receipt),
            202 => {}
            status => bail!("{status}: {receipt}"),
        }
        ensure!(begun.elapsed() < PATIENCE, "still not erased: {receipt}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(crate) async fn let_go_at_once(collector: &Collector) -> Result<()> {
    for table in [
        "events",
        "elements",
        "heatmap",
        "sessions",
        "campaign_minutes",
        "page_minutes",
        "dead_letters",
    ] {
        let sql = format!("ALTER TABLE {table} MODIFY SETTING old_parts_lifetime = 1");
        collector.clickhouse().await?.query(&sql).execute().await?;
    }
    Ok(())
}

/// Flips a bit in the last byte of every occurrence of these bytes in the log.
fn spoil(folder: &Path, of: &[u8]) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|end| end != "log") {
            continue;
        }
        let mut bytes = std::fs::read(&path)?;
        let places = bytes.windows(of.len()).enumerate();
        let places: Vec<usize> = places.filter(|(_, b)| *b == of).map(|(at, _)| at).collect();
        for at in places {
            bytes[at + of.len() - 1] ^= 1;
        }
        std::fs::write(&path, bytes)?;
    }
    Ok(())
}

/// Defines a funnel while the collector runs: a page, then an event.
async fn define_looks(collector: &Collector, page: &str, then: (&str, &str)) -> Result<()> {
    let (kind, event) = then;
    let defined = json!({"name": "Looks", "window": "1h", "step": [
        {"name": "Page", "kind": "page_view", "page": page},
        {"name": "Event", "kind": kind, "event": event}]});
    let put = ask(collector, Method::PUT, "/funnel/looks");
    put.json(&defined).send().await?.error_for_status()?;
    Ok(())
}

/// Visitors by step of the funnel that was defined while the collector ran.
async fn looks(collector: &Collector) -> Result<Vec<u64>> {
    let funnel = eventually("the funnel is complete", async || {
        let funnel = collector.live("funnel?id=looks").await?;
        Ok((funnel["basis"]["complete"] == true).then_some(funnel))
    })
    .await?;
    let steps = funnel["steps"].as_array().context("no steps")?.iter();
    let visitors = steps.map(|step| step["visitors"].as_u64().context("no number"));
    visitors.collect()
}

#[tokio::test]
async fn nothing_is_left_nothing_else_changes_and_nothing_comes_back() -> Result<()> {
    let mut collector = Collector::start().await?;
    let mut others = Vec::new();
    for number in 0..5 {
        let mut page = Page::new("/").from_campaign("spring");
        let mut bodies = vec![page.view("/product/kettle"), Page::press(0.4, 0.6)];
        bodies.extend([Page::by_turns(number), Page::order(7_000_000)]);
        others.push(page.bytes(bodies));
    }
    for body in others {
        ensure!(collector.send(body).await?.status == 200);
    }
    collector
        .sql_becomes("SELECT count() FROM events", 20)
        .await?;
    collector
        .sql_becomes("SELECT count() FROM ingest_log WHERE events > 0", 1)
        .await
        .ok();
    let_go_at_once(&collector).await?;
    define_looks(&collector, "/product/kettle", ("conversion", "order")).await?;
    let before = numbers(&collector).await?;

    let mut page = Page::new("/");
    let visitor = page.visitor().0;
    let first = envelope::encode(&secret(&mut page), now_ms());
    ensure!(collector.send(first.clone()).await?.status == 200);
    let event = json!({"events": [{"id": "secret-1", "visitor": format!("{visitor:x}"),
        "time_ms": now_ms() - 1_000, "body": {"custom": {"name": "paid", "props": [
            {"name": "text", "value": {"text": CANARY}}]}}}]});
    let import = async |collector: &Collector| {
        let request = collector.http.post(format!("{}/v1/events", collector.url));
        let request = request.bearer_auth(IMPORT_TOKEN).json(&event);
        Ok::<Value, anyhow::Error>(request.send().await?.json().await?)
    };
    let imported = import(&collector).await?;
    ensure!(imported["ok"] == 1, "{imported}");
    let refused = format!("{{\"visitor\":\"{visitor:x}\",\"what\":\"{CANARY}\"");
    ensure!(collector.send(refused.into_bytes()).await?.status == 400);
    collector
        .sql_becomes("SELECT count() FROM events", 26)
        .await?;
    collector
        .sql_becomes("SELECT sum(events) FROM page_minutes", 26)
        .await?;
    collector
        .sql_becomes("SELECT count() FROM dead_letters", 1)
        .await?;
    // What is looked for can be found.
    let needles = needles(visitor);
    for place in ["log", "clickhouse"] {
        let hits = found(&collector.data().join(place), &needles)?;
        ensure!(hits.len() > 1, "nothing was there to be erased: {hits:?}");
    }

    let path = format!("visitors/{visitor:x}");
    assert_eq!(
        request(&collector, "DELETE", &path, IMPORT_TOKEN).await?.0,
        403
    );
    let (status, order) = request(&collector, "DELETE", &path, PRIVACY_TOKEN).await?;
    assert_eq!(status, 202, "{order}");
    let id = order["id"].as_str().context("no id")?.to_owned();
    // Killed at once, and again half-way: it is carried out all the same.
    // The first time their part of the log is spoilt besides.
    for pause in [0, 1_500] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        collector.kill()?;
        if pause == 0 {
            spoil(&collector.data().join("log"), &visitor.to_le_bytes())?;
        }
        collector.restart()?;
    }
    let receipt = done(&collector, &id).await?;
    assert_eq!(
        receipt["rows"],
        json!({"dead_letters": 1, "elements": 1, "events": 6, "quarantine": 0}),
        "{receipt}"
    );
    assert!(!receipt.to_string().contains(&format!("{visitor:x}")));
    assert_eq!(found(&collector.data(), &needles)?, Vec::<String>::new());
    assert_eq!(numbers(&collector).await?, before);
    assert_eq!(complaints(&collector).await?, BTreeMap::new());
    assert_eq!(collector.live("overview").await?["visitors"], 5);
    assert_eq!(looks(&collector).await?, [5, 5]);

    // The same again: as it was sent, in another stream, and by the server; before a restart and after.
    for round in 0..2 {
        ensure!(collector.send(first.clone()).await?.status == 200);
        let mut again = secret(&mut page);
        again.first_ms = order["ordered_ms"].as_u64().context("no time")? - 100;
        let sent = envelope::encode(&again, now_ms());
        ensure!(collector.send(sent).await?.status == 200);
        let imported = import(&collector).await?;
        ensure!(imported["rejected"] == 1, "{imported}");
        let overview = collector.live("overview").await?;
        assert_eq!(overview["visitors"], 5, "round {round}");
        collector.stop().await?;
        collector.restart()?;
        assert_eq!(numbers(&collector).await?, before, "round {round}");
        assert_eq!(found(&collector.data(), &needles)?, Vec::<String>::new());
        // And when what is left of the log is spoilt, nothing of theirs is missed.
        spoil(&collector.data().join("log"), b"/")?;
    }
    collector.kill()?;
    collector.restart()?;
    assert_eq!(looks(&collector).await?, [5, 5]);
    assert_eq!(numbers(&collector).await?, before);
    eventually("the audit has nothing to say", async || {
        let complaints = complaints(&collector).await?;
        Ok(complaints.is_empty().then_some(()))
    })
    .await?;
    assert_eq!(done(&collector, &id).await?, receipt);

    // Whoever comes back is a new visitor.
    let mut bodies = vec![page.view("/"), Page::press(0.1, 0.1)];
    bodies.push(Page::custom("back"));
    ensure!(collector.send(page.bytes(bodies)).await?.status == 200);
    collector
        .sql_becomes("SELECT count() FROM events", 23)
        .await?;
    Ok(())
}

/// `upriver` with a command on that data folder: whether it ended well, and what it said.
fn upriver(collector: &Collector, command: &str) -> Result<(bool, String)> {
    let mut upriver: Command = Collector::command();
    let output = upriver.args([command, "--data"]).arg(collector.data());
    let output = output.output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8(text)?))
}

#[tokio::test]
async fn what_is_kept_apart_and_what_waits_for_a_webhook_goes_too() -> Result<()> {
    // Nobody listens there: what a rule tells waits.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let sites = format!(
        "[[site]]\nid = \"{SITE}\"\nwrite_key = \"{WRITE_KEY}\"\nread_token = \"rt_test_0001\"\n\
         admin_token = \"{ADMIN_TOKEN}\"\nprivacy_token = \"{PRIVACY_TOKEN}\"\n{}\n[[site.rule]]\nid = \"notes\"\nwebhook = \"chat\"\n\
         step = [{{ kind = \"custom\", event = \"note\" }}]\n",
        webhook("chat", nobody.port())
    );
    let mut collector = Collector::start_with_sites(&sites, &["--webhook-allow-private"]).await?;
    collector.live_is_whole().await?;
    // As people have it: nothing is let go of sooner than they would see it go.
    let count = "SELECT count() FROM events";
    let (mut page, mut other) = (Page::new("/"), Page::new("/"));
    let (visitor, needles) = (page.visitor(), needles(page.visitor().0));
    // What the rule says of each is an event more.
    let bodies = vec![other.view("/"), Page::custom("note")];
    ensure!(collector.send(other.bytes(bodies)).await?.status == 200);
    ensure!(
        collector
            .send(envelope::encode(&secret(&mut page), now_ms()))
            .await?
            .status
            == 200
    );
    collector.sql_becomes(count, 3 + 6).await?;
    define_looks(&collector, "/", ("custom", "note")).await?;
    assert_eq!(looks(&collector).await?, [1, 1]);

    let client = collector.clickhouse().await?;
    let constraint = "ALTER TABLE events ADD CONSTRAINT no_poison CHECK name != 'poison'";
    client.query(constraint).execute().await?;
    let bodies = vec![page.view(&format!("/{CANARY}")), Page::custom("poison")];
    let one = page.bytes(bodies);
    let bodies = vec![Page::custom("poison"), other.view("/")];
    let two = other.bytes(bodies);
    let (one, two) = tokio::join!(collector.send(one), collector.send(two));
    ensure!((one?.status, two?.status) == (200, 200));
    let letters = "SELECT count() FROM dead_letters WHERE code = 'quarantined'";
    collector.sql_becomes(letters, 1).await?;
    client
        .query("ALTER TABLE events DROP CONSTRAINT no_poison")
        .execute()
        .await?;
    // A day whose events went by their time, and whose visits stay.
    let old =
        "INSERT INTO sessions SELECT * REPLACE (toDate('2026-01-01') AS received_on) FROM sessions";
    client.query(old).execute().await?;
    let old = "SELECT count() FROM sessions WHERE received_on = '2026-01-01'";
    collector.sql_becomes(old, 2).await?;
    for place in ["quarantine", "outbox.redb"] {
        let (folder, data) = (tempfile::tempdir()?, collector.data().join(place));
        let files: Vec<_> = match data.is_dir() {
            true => std::fs::read_dir(data)?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<_, _>>()?,
            false => vec![data],
        };
        for file in files {
            std::fs::copy(
                &file,
                folder.path().join(file.file_name().context("no name")?),
            )?;
        }
        let hits = found(folder.path(), &needles)?;
        ensure!(!hits.is_empty(), "nothing was in {place} to be erased");
    }

    let path = format!("visitors/{visitor}");
    let (status, order) = request(&collector, "DELETE", &path, PRIVACY_TOKEN).await?;
    assert_eq!(status, 202, "{order}");
    let id = order["id"].as_str().context("no id")?.to_owned();
    let receipt = done(&collector, &id).await?;
    assert_eq!(
        receipt["rows"],
        json!({"dead_letters": 1, "elements": 1, "events": 6, "quarantine": 2}),
        "{receipt}"
    );
    assert_eq!(found(&collector.data(), &needles)?, Vec::<String>::new());
    collector.sql_becomes(count, 3).await?;
    assert_eq!(collector.sql(letters).await?, 0);
    assert_eq!(
        collector.sql(old).await?,
        1,
        "the other's visit of that day"
    );
    // Counted anew without a restart, that funnel among the rest.
    assert_eq!(looks(&collector).await?, [1, 1]);

    // The other's events come back from quarantine, theirs do not.
    collector.stop().await?;
    let (well, said) = upriver(&collector, "requeue")?;
    ensure!(
        well && said.contains("1 batches are in the log again"),
        "{said}"
    );
    assert_eq!(found(&collector.data(), &needles)?, Vec::<String>::new());
    collector.restart()?;
    collector.sql_becomes(count, 5).await?;
    collector
        .sql_becomes("SELECT uniqExact(visitor) FROM events", 1)
        .await?;
    eventually("the audit has nothing to say", async || {
        let complaints = complaints(&collector).await?;
        Ok(complaints.is_empty().then_some(()))
    })
    .await
}
