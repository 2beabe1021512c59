//! Processes killed at the worst moments: nothing acknowledged is lost, nothing is counted twice.

use anyhow::{Result, ensure};
use rustix::process::{Signal, kill_process};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use upriver_tests::{Collector, Page, Sent, eventually};

/// Total, distinct, and what roll-ups and live engine make of it.
async fn assert_exact(collector: &Collector, acknowledged: u64) -> Result<()> {
    collector
        .sql_becomes("SELECT count() FROM events", acknowledged)
        .await?;
    let distinct = "SELECT uniqExact(stream, seq) FROM events";
    assert_eq!(
        collector.sql(distinct).await?,
        acknowledged,
        "counted twice in the rows"
    );
    collector
        .sql_becomes("SELECT sum(presses) FROM heatmap", acknowledged)
        .await?;
    for table in ["sessions", "campaign_minutes", "page_minutes"] {
        let sql = format!("SELECT sum(events) FROM {table}");
        collector.sql_becomes(&sql, acknowledged).await?;
    }
    let live = eventually("live history is complete", async || {
        let overview = collector.live("overview").await?;
        Ok((overview["basis"]["complete"] == true).then_some(overview))
    })
    .await?;
    assert_eq!(live["presses"], acknowledged, "the live number differs");
    Ok(())
}

/// ClickHouse stands still, so that what is acknowledged is in the log and nowhere else.
#[tokio::test]
async fn killed_between_acknowledgement_and_insert() -> Result<()> {
    let mut collector = Collector::start().await?;
    let mut page = Page::new("/");
    collector
        .send(page.bytes(vec![Page::press(0.1, 0.1); 10]))
        .await?;
    collector
        .sql_becomes("SELECT count() FROM events", 10)
        .await?;

    let clickhouse = collector.clickhouse_pid().await?;
    kill_process(clickhouse, Signal::STOP)?;
    let mut bodies = Vec::new();
    for _ in 0..30 {
        let body = page.bytes(vec![Page::press(0.2, 0.2); 10]);
        assert_eq!(collector.send(body.clone()).await?.status, 200);
        bodies.push(body);
    }
    collector.kill()?;
    kill_process(clickhouse, Signal::CONT)?;
    collector.restart()?;

    // A page that did not see its answers sends everything again.
    for body in bodies {
        assert_eq!(collector.send(body).await?.status, 200);
    }
    assert_exact(&collector, 310).await
}

/// Several times in a row, under traffic, at whatever moment it happens to be.
#[tokio::test]
async fn killed_again_and_again_under_traffic() -> Result<()> {
    let mut collector = Collector::start_with(&["--log-segment-bytes", "20000"]).await?;
    let mut acknowledged = 0;
    for round in 0..6_u64 {
        let mut pages: JoinSet<Result<(u64, Option<Vec<u8>>)>> = JoinSet::new();
        for number in 0..4 {
            let (http, url) = (collector.http.clone(), collector.url.clone());
            pages.spawn(async move {
                let mut page = Page::new("/");
                let mut acknowledged = 0;
                for _ in 0..200 {
                    let body = page.bytes(vec![Page::press(0.1, 0.1); 3]);
                    let url = format!("{url}/v1/batch?key={}", upriver_tests::WRITE_KEY);
                    match http.post(url).body(body.clone()).send().await {
                        Ok(response) if response.status().is_success() => acknowledged += 3,
                        // Nobody knows whether it was taken: it is sent again after the restart.
                        _ => return Ok((acknowledged, Some(body))),
                    }
                    tokio::time::sleep(Duration::from_millis(number)).await;
                }
                Ok((acknowledged, None))
            });
        }
        tokio::time::sleep(Duration::from_millis(150 + 170 * round)).await;
        collector.kill()?;
        collector.restart()?;
        for page in pages.join_all().await {
            let (taken, doubtful) = page?;
            acknowledged += taken;
            if let Some(body) = doubtful {
                let Sent { status, .. } = collector.send(body).await?;
                assert_eq!(status, 200);
                acknowledged += 3;
            }
        }
    }
    ensure!(
        acknowledged > 100,
        "only {acknowledged} events were sent: nothing was tried"
    );
    assert_exact(&collector, acknowledged).await
}

#[tokio::test]
async fn clickhouse_killed_under_traffic_comes_back_by_itself() -> Result<()> {
    let collector = Arc::new(Collector::start().await?);
    collector.sql("SELECT count() FROM events").await?;
    let stop = Arc::new(AtomicBool::new(false));
    let sender = {
        let (collector, stop) = (collector.clone(), stop.clone());
        tokio::spawn(async move {
            let mut page = Page::new("/");
            let mut acknowledged = 0;
            while !stop.load(Ordering::Relaxed) {
                let sent = collector
                    .send(page.bytes(vec![Page::press(0.3, 0.3); 4]))
                    .await?;
                ensure!(sent.status == 200, "{sent:?}");
                acknowledged += 4;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(acknowledged)
        })
    };
    let mut pids = BTreeSet::new();
    for _ in 0..3 {
        let pid = eventually("a new ClickHouse runs", async || {
            let pid = collector.clickhouse_pid().await?;
            let number = pid.as_raw_nonzero().get();
            Ok((!pids.contains(&number)).then_some(pid))
        })
        .await?;
        pids.insert(pid.as_raw_nonzero().get());
        collector.sql("SELECT count() FROM events").await?;
        tokio::time::sleep(Duration::from_millis(400)).await;
        kill_process(pid, Signal::KILL)?;
    }
    collector.sql("SELECT count() FROM events").await?;
    stop.store(true, Ordering::Relaxed);
    let acknowledged = sender.await??;
    assert_exact(&collector, acknowledged).await
}
