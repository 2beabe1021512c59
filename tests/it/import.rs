//! Events that servers tell: `POST /v1/events` and `upriver import`.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::process::Output;
use std::time::{SystemTime, UNIX_EPOCH};
use upriver_tests::{Collector, IMPORT_TOKEN, Page, SITE, eventually};
use upriver_wire::batch::Body;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// An order of one euro by a visitor, so long ago.
fn order(id: &str, visitor: u64, ago_ms: u64) -> Value {
    json!({
        "id": id, "time_ms": now_ms() - ago_ms, "visitor": format!("{visitor:x}"),
        "page": {"path": "/checkout"},
        "body": {"conversion": {"name": "order", "value_micros": 1_000_000, "currency": "EUR"}},
    })
}

async fn tell(collector: &Collector, token: &str, body: &Value) -> Result<(u16, Value)> {
    let request = collector.http.post(format!("{}/v1/events", collector.url));
    let response = request.bearer_auth(token).json(body).send().await?;
    Ok((response.status().as_u16(), response.json().await?))
}

async fn verdicts(collector: &Collector, events: &[Value]) -> Result<Vec<String>> {
    let body = json!({"events": events});
    let (status, answer) = tell(collector, IMPORT_TOKEN, &body).await?;
    ensure!(status == 200, "{status} {answer}");
    let told = answer["events"].as_array().context("no verdicts")?;
    let verdict = |(at, event): (usize, &Value)| {
        assert_eq!(event["index"], at);
        event["verdict"].as_str().unwrap_or_default().to_owned()
    };
    Ok(told.iter().enumerate().map(verdict).collect())
}

#[tokio::test]
async fn an_event_is_taken_once_however_old_and_however_often_it_comes() -> Result<()> {
    let mut collector = Collector::start().await?;
    let events = [
        order("new", 1, 60_000),
        order("week", 2, 7 * DAY_MS),
        order("year", 3, 360 * DAY_MS),
        order("too old", 4, 400 * DAY_MS),
        order("new", 1, 60_000),
    ];
    let first = ["ok", "ok", "ok", "rejected", "duplicate"];
    assert_eq!(verdicts(&collector, &events).await?, first);
    let again = [
        "duplicate",
        "duplicate",
        "duplicate",
        "rejected",
        "duplicate",
    ];
    assert_eq!(verdicts(&collector, &events).await?, again);

    // Known from the log after a kill; from the state file once the log has gone.
    collector.kill()?;
    collector.restart()?;
    assert_eq!(verdicts(&collector, &events).await?, again);
    collector
        .sql_becomes("SELECT count() FROM ingest_log", 1)
        .await?;
    let status = collector.stop().await?;
    ensure!(status.success(), "{status}");
    collector.restart()?;
    assert_eq!(verdicts(&collector, &events).await?, again);

    collector
        .sql_becomes("SELECT count() FROM events", 3)
        .await?;
    let rows = "SELECT count() FROM events WHERE imported AND kind = 'conversion' AND value = 1 \
                AND time < now() - INTERVAL 6 DAY AND received_at > now() - INTERVAL 1 HOUR";
    assert_eq!(collector.sql(rows).await?, 2);
    let letters = "SELECT count() FROM dead_letters WHERE source = 'events' \
                   AND reason LIKE '%366 days%' AND body LIKE '%too old%'";
    collector.sql_becomes(letters, 3).await?;
    collector
        .sql_becomes("SELECT sum(conversions) FROM campaign_minutes", 3)
        .await?;
    collector.audited().await?;
    // Only what happened in the live range is counted live, and only who came just now is here.
    assert_eq!(collector.live("overview").await?["conversions"], 1);
    assert_eq!(collector.live("presence").await?["online"], 1);
    assert_eq!(
        collector.live("activity").await?["items"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    Ok(())
}

#[tokio::test]
async fn an_imported_event_gives_the_row_that_a_captured_one_gives() -> Result<()> {
    let collector = Collector::start().await?;
    let mut page = Page::new("/product/kettle").from_campaign("spring");
    let mut kinds: Vec<Body> = (0..15).map(Page::by_turns).collect();
    kinds.extend([
        Page::press(0.3, 0.6),
        Page::order(5_000_000),
        Page::custom("paid"),
    ]);
    kinds.push(page.view("/product/kettle"));
    let batch = page.batch(kinds);
    let captured = serde_json::to_value(&batch)?;
    ensure!(
        collector
            .send(captured.to_string().into_bytes())
            .await?
            .status
            == 200
    );
    let mut time_ms = batch.first_ms;
    let mut events = Vec::new();
    for (number, event) in batch.events.iter().enumerate() {
        time_ms += u64::from(event.delta_ms);
        events.push(json!({
            "id": number.to_string(), "time_ms": time_ms, "visitor": batch.visitor,
            "session": batch.session, "page": captured["page"]["inline"],
            "elements": captured["elements"], "body": event.body,
        }));
    }
    let taken = verdicts(&collector, &events).await?;
    ensure!(taken.iter().all(|verdict| verdict == "ok"), "{taken:?}");
    collector
        .sql_becomes("SELECT count() FROM events", 38)
        .await?;
    // All that does not say where the event came from.
    let differ = "SELECT count() FROM (SELECT * EXCEPT (received_at, ord, skew_ms, stream, seq, \
                  browser, os, bot_score, bot_reasons, imported, lane, batch, idx), \
                  countIf(imported) AS told, count() AS all FROM events GROUP BY ALL \
                  HAVING told != 1 OR all != 2)";
    assert_eq!(collector.sql(differ).await?, 0);
    collector.audited().await
}

#[tokio::test]
async fn only_the_token_for_it_may_tell_events_and_only_of_its_site() -> Result<()> {
    let collector = Collector::start().await?;
    let body = json!({"events": [order("a", 1, 0)]});
    for (wrong, status) in [
        ("rt_test_0001", 403),
        ("st_test_0001", 403),
        ("wk_test_0001", 401),
        ("", 401),
    ] {
        assert_eq!(tell(&collector, wrong, &body).await?.0, status, "{wrong}");
    }
    let url = format!("{}/v1/events?site=other", collector.url);
    let other = collector
        .http
        .post(url)
        .bearer_auth(IMPORT_TOKEN)
        .json(&body);
    assert_eq!(other.send().await?.status(), 403);
    let reads = collector
        .http
        .get(format!("{}/v1/live/overview", collector.url));
    assert_eq!(reads.bearer_auth(IMPORT_TOKEN).send().await?.status(), 403);
    for (wrong, code) in [
        (json!({"events": []}), "wrong_number_of_events"),
        (
            json!({"events": vec![order("a", 1, 0); 1_001]}),
            "wrong_number_of_events",
        ),
        (json!([1]), "malformed_json"),
    ] {
        let (status, answer) = tell(&collector, IMPORT_TOKEN, &wrong).await?;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(code)));
    }
    assert_eq!(tell(&collector, IMPORT_TOKEN, &body).await?.0, 200);
    collector.sql_becomes("SELECT count() FROM events", 1).await
}

/// Runs `upriver import` aside, so that the test goes on meanwhile.
async fn import(collector: &Collector, file: &std::path::Path) -> Result<Output> {
    let mut command = Collector::command();
    command.arg("import").arg("--data").arg(collector.data());
    command.args(["--site", SITE]).arg(file);
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

#[tokio::test]
async fn a_file_is_imported_through_a_restart_and_again_without_harm() -> Result<()> {
    let mut collector = Collector::start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("orders.ndjson");
    let mut text = String::new();
    for number in 0..20_000_u64 {
        let ago_ms = number % 300 * DAY_MS + number;
        text.push_str(&order(&format!("id{number}"), 1 + number % 500, ago_ms).to_string());
        text.push('\n');
    }
    text.push_str("no json\n\n{\"id\": \"x\"}\n");
    std::fs::write(&file, &text)?;

    let running = {
        let mut command = Collector::command();
        command.arg("import").arg("--data").arg(collector.data());
        command.args(["--site", SITE]).arg(&file);
        tokio::task::spawn_blocking(move || command.output())
    };
    eventually("the import is under way", async || {
        let request = collector.http.get(format!("{}/metrics", collector.url));
        let metrics = request.send().await?.text().await?;
        Ok(metrics
            .contains("upriver_events_total{site=\"shop\",verdict=\"ok\"}")
            .then_some(()))
    })
    .await?;
    collector.kill()?;
    collector.restart()?;
    let output = running.await??;
    let said = String::from_utf8(output.stdout)?;
    let errors = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(2), "{said}{errors}");
    ensure!(
        said.contains(" ok, ") && said.contains("2 rejected"),
        "{said}"
    );
    collector
        .sql_becomes("SELECT count() FROM events", 20_000)
        .await?;

    let output = import(&collector, &file).await?;
    let said = String::from_utf8(output.stdout)?;
    ensure!(
        said.starts_with("0 ok, 20000 duplicate, 2 rejected"),
        "{said}"
    );
    let rejected = std::fs::read_to_string(folder.path().join("orders.rejected.ndjson"))?;
    let lines: Vec<Value> = rejected
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    assert_eq!(
        (lines[0]["line"].clone(), lines[1]["line"].clone()),
        (json!(20_001), json!(20_003))
    );
    ensure!(
        lines[1]["reason"]
            .as_str()
            .is_some_and(|why| why.contains("say when")),
        "{rejected}"
    );

    assert_eq!(collector.sql("SELECT count() FROM events").await?, 20_000);
    let sum = "SELECT toUInt64(sum(value)) FROM campaign_minutes";
    collector.sql_becomes(sum, 20_000).await?;
    collector.audited().await
}
