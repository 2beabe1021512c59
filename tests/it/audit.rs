//! The audit: silent on a healthy collector whatever is going on, and loud at every planted fault.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use upriver_tests::{Collector, Page, eventually};

/// Checks that are not as they should be, with their differences; empty when all were made and well.
pub(crate) async fn complaints(collector: &Collector) -> Result<BTreeMap<String, String>> {
    let report = collector.audit().await?;
    let checks = report["checks"].as_array().context("no checks")?;
    assert_eq!(checks.len(), 6, "{report}");
    let mut found = BTreeMap::new();
    for check in checks {
        if check["verdict"] != "ok" {
            let name = check["name"].as_str().context("no name")?.to_owned();
            found.insert(
                name,
                format!("{} {}", check["verdict"], check["difference"]),
            );
        }
    }
    let wrong = found.values().any(|found| found.contains("wrong"));
    assert_eq!(report["healthy"], !wrong, "{report}");
    Ok(found)
}

/// Sends 30 batches of 3 presses and one event of another kind, by turns of every one, and two bodies that make no sense.
async fn traffic(collector: &Collector) -> Result<()> {
    let mut page = Page::new("/");
    for number in 0..30 {
        let mut bodies = vec![Page::press(0.4, 0.6); 3];
        bodies.push(Page::by_turns(number));
        ensure!(collector.send(page.bytes(bodies)).await?.status == 200);
    }
    for _ in 0..2 {
        ensure!(collector.send(b"{".to_vec()).await?.status == 400);
    }
    Ok(())
}

async fn stored(collector: &Collector, events: u64, letters: u64) -> Result<()> {
    let sql = "SELECT count() FROM events";
    collector.sql_becomes(sql, events).await?;
    let sql = "SELECT sum(presses) FROM heatmap";
    collector.sql_becomes(sql, events / 4 * 3).await?;
    let sql = "SELECT count() FROM dead_letters";
    collector.sql_becomes(sql, letters).await?;
    collector.live_is_whole().await
}

async fn execute(collector: &Collector, sql: &str) -> Result<()> {
    Ok(collector.clickhouse().await?.query(sql).execute().await?)
}

#[tokio::test]
async fn nothing_is_wrong_under_traffic_and_after_a_kill() -> Result<()> {
    let mut collector = Arc::new(Collector::start().await?);
    traffic(&collector).await?;
    stored(&collector, 120, 2).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let sender = {
        let (collector, stop) = (collector.clone(), stop.clone());
        tokio::spawn(async move {
            let mut page = Page::new("/");
            let mut sent = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                let mut bodies = vec![Page::press(0.3, 0.3); 3];
                bodies.push(Page::custom("seen"));
                ensure!(collector.send(page.bytes(bodies)).await?.status == 200);
                sent += 4;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ok(sent)
        })
    };
    let mut in_log = false;
    for number in 0..100 {
        assert_eq!(complaints(&collector).await?, BTreeMap::new());
        let report = collector.audit().await?;
        let accounts = report["checks"][4]["detail"].to_string();
        in_log |= !accounts.contains("+ 0 in the log");
        if in_log && number >= 10 {
            break;
        }
    }
    ensure!(in_log, "no audit met an event that was in the log only");
    stop.store(true, Ordering::Relaxed);
    let sent = sender.await??;
    ensure!(sent > 100, "only {sent} events were sent");

    let running = Arc::get_mut(&mut collector).context("still shared")?;
    running.kill()?;
    running.restart()?;
    traffic(&collector).await?;
    stored(&collector, 240 + sent, 4).await?;
    assert_eq!(complaints(&collector).await?, BTreeMap::new());
    let output = command(&collector).await?;
    assert_eq!(output.0, Some(0), "{}", output.1);
    ensure!(output.1.starts_with("healthy"), "{}", output.1);
    Ok(())
}

/// Exit status and output of `upriver audit`. Waited for aside, so that what the collector does to
/// connections meanwhile is seen before the next request.
async fn command(collector: &Collector) -> Result<(Option<i32>, String)> {
    let data = collector.data();
    let run = move || {
        Collector::command()
            .arg("audit")
            .arg("--data")
            .arg(data)
            .output()
    };
    let output = tokio::task::spawn_blocking(run).await??;
    let mut text = String::from_utf8(output.stdout)?;
    text.push_str(&String::from_utf8(output.stderr)?);
    Ok((output.status.code(), text))
}

async fn healthy() -> Result<Collector> {
    let collector = Collector::start().await?;
    traffic(&collector).await?;
    stored(&collector, 120, 2).await?;
    assert_eq!(complaints(&collector).await?, BTreeMap::new());
    Ok(collector)
}

fn wrong(found: &[(&str, u64)]) -> BTreeMap<String, String> {
    let found = found.iter();
    found
        .map(|(name, difference)| ((*name).to_owned(), format!("\"wrong\" {difference}")))
        .collect()
}

#[tokio::test]
async fn a_row_inserted_by_hand_is_found() -> Result<()> {
    let collector = healthy().await?;
    let copy = "INSERT INTO events SELECT * FROM events WHERE kind = 'press' LIMIT 1";
    execute(&collector, copy).await?;
    let all = [
        "accounts",
        "batches",
        "duplicates",
        "live",
        "places",
        "roll_up",
    ];
    // Every roll-up misses it: one press in the heat map, one event and press in the other three.
    let all = all.map(|name| (name, if name == "roll_up" { 7 } else { 1 }));
    assert_eq!(complaints(&collector).await?, wrong(&all));

    let (status, text) = command(&collector).await?;
    assert_eq!(status, Some(2), "{text}");
    let request = collector.http.get(format!("{}/metrics", collector.url));
    let metrics = request.send().await?.text().await?;
    for line in [
        "upriver_audit_difference{check=\"duplicates\"} 1",
        "upriver_audit_checked{check=\"accounts\"} 1",
        "upriver_audit_healthy 0",
    ] {
        ensure!(metrics.contains(line), "no {line} in the metrics");
    }
    Ok(())
}

#[tokio::test]
async fn a_removed_row_and_a_removed_batch_are_found() -> Result<()> {
    let collector = healthy().await?;
    let remove = "ALTER TABLE events DELETE WHERE kind != 'press' AND (batch, idx) IN \
                  (SELECT batch, idx FROM events WHERE kind != 'press' ORDER BY batch, idx LIMIT 1) \
                  SETTINGS mutations_sync = 2";
    execute(&collector, remove).await?;
    let found = complaints(&collector).await?;
    // Three roll-ups still have it.
    let expected = [("accounts", 1), ("batches", 1), ("live", 1), ("roll_up", 3)];
    let expected = wrong(&expected);
    for (name, difference) in &expected {
        assert_eq!(found.get(name), Some(difference), "{found:?}");
    }
    ensure!(!found.contains_key("duplicates"), "{found:?}");

    let remove = "ALTER TABLE dead_letters DELETE WHERE 1 SETTINGS mutations_sync = 2";
    execute(&collector, remove).await?;
    assert_eq!(complaints(&collector).await?["batches"], "\"wrong\" 3");
    Ok(())
}

#[tokio::test]
async fn a_wrong_roll_up_is_found_without_being_asked_for() -> Result<()> {
    let collector = Collector::start_with(&["--audit-seconds", "1"]).await?;
    traffic(&collector).await?;
    stored(&collector, 120, 2).await?;
    assert_eq!(complaints(&collector).await?, BTreeMap::new());
    let copy = "INSERT INTO heatmap SELECT * REPLACE (toUInt64(7) AS presses) FROM heatmap LIMIT 1";
    execute(&collector, copy).await?;
    eventually("the audit that runs by itself finds it", async || {
        let request = collector.http.get(format!("{}/metrics", collector.url));
        let metrics = request.send().await?.text().await?;
        let found = metrics.contains("upriver_audit_difference{check=\"roll_up\"} 7");
        Ok(found.then_some(()))
    })
    .await?;
    assert_eq!(complaints(&collector).await?, wrong(&[("roll_up", 7)]));
    Ok(())
}

#[tokio::test]
async fn only_readers_may_ask() -> Result<()> {
    let collector = Collector::start().await?;
    let url = format!("{}/v1/audit", collector.url);
    assert_eq!(collector.http.get(&url).send().await?.status(), 401);
    let wrong = collector.http.get(&url).bearer_auth("rt_wrong");
    assert_eq!(wrong.send().await?.status(), 401);
    Ok(())
}
