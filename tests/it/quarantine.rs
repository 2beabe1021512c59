//! A batch that ClickHouse will never take: it is kept apart, everything else goes on, the audit knows,
//! and it can be written again once the reason is gone.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::process::Output;
use upriver_tests::{Collector, Page, eventually};

async fn execute(collector: &Collector, sql: &str) -> Result<()> {
    Ok(collector.clickhouse().await?.query(sql).execute().await?)
}

fn check<'a>(report: &'a Value, name: &str) -> Result<&'a Value> {
    let mut checks = report["checks"].as_array().context("no checks")?.iter();
    checks
        .find(|check| check["name"] == name)
        .context("no such check")
}

async fn metric(collector: &Collector, name: &str) -> Result<Option<f64>> {
    let text = collector.http.get(format!("{}/metrics", collector.url));
    let text = text.send().await?.text().await?;
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.rsplit(' ').next());
    Ok(value.map(str::parse).transpose()?)
}

fn requeue(collector: &Collector) -> Result<Output> {
    let mut command = Collector::command();
    command.arg("requeue").arg("--data").arg(collector.data());
    Ok(command.output()?)
}

#[tokio::test]
async fn a_batch_that_is_never_taken_is_kept_apart_and_written_when_the_reason_is_gone()
-> Result<()> {
    let mut collector = Collector::start().await?;
    let count = "SELECT count() FROM events";
    let mut page = Page::new("/");
    ensure!(
        collector
            .send(page.bytes(vec![Page::press(0.1, 0.1); 3]))
            .await?
            .status
            == 200
    );
    collector.sql_becomes(count, 3).await?;
    execute(
        &collector,
        "ALTER TABLE events ADD CONSTRAINT no_poison CHECK name != 'poison'",
    )
    .await?;

    let poison = page.bytes(vec![Page::custom("poison"), Page::press(0.2, 0.2)]);
    ensure!(collector.send(poison.clone()).await?.status == 200);
    eventually("the batch is kept apart", async || {
        let batches = metric(&collector, "upriver_quarantined_batches ").await?;
        Ok((batches == Some(1.0)).then_some(()))
    })
    .await?;
    // The lane goes on, and the batch is a duplicate when it comes again.
    ensure!(
        collector
            .send(page.bytes(vec![Page::press(0.3, 0.3); 5]))
            .await?
            .status
            == 200
    );
    ensure!(collector.send(poison).await?.status == 200);
    collector.sql_becomes(count, 8).await?;
    let letters = "SELECT count() FROM dead_letters WHERE code = 'quarantined' \
                   AND reason LIKE '%no_poison%'";
    collector.sql_becomes(letters, 1).await?;
    eventually("the audit counts it as kept apart", async || {
        let report = collector.audit().await?;
        let accounts = check(&report, "accounts")?;
        let told = accounts["detail"].as_str().unwrap_or_default();
        Ok((told.contains("2 in quarantine") && report["healthy"] == true).then_some(()))
    })
    .await?;

    // A start leaves it where it is.
    let running = requeue(&collector)?;
    ensure!(!running.status.success(), "the collector runs: {running:?}");
    collector.kill()?;
    collector.restart()?;
    ensure!(
        collector
            .send(page.bytes(vec![Page::press(0.4, 0.4)]))
            .await?
            .status
            == 200
    );
    collector.sql_becomes(count, 9).await?;

    execute(&collector, "ALTER TABLE events DROP CONSTRAINT no_poison").await?;
    collector.stop().await?;
    let requeued = requeue(&collector)?;
    let said = String::from_utf8_lossy(&requeued.stdout).into_owned();
    ensure!(
        requeued.status.success() && said.contains("2 rows of events"),
        "{requeued:?}"
    );
    let again = requeue(&collector)?;
    ensure!(
        String::from_utf8_lossy(&again.stdout).contains("nothing waits"),
        "{again:?}"
    );
    collector.restart()?;
    collector.sql_becomes(count, 11).await?;
    collector
        .sql_becomes("SELECT sum(events) FROM sessions", 11)
        .await?;
    collector
        .sql_becomes("SELECT uniqExact(stream, seq) FROM events", 11)
        .await?;
    eventually("everything is counted, here and there", async || {
        let report = collector.audit().await?;
        let live = check(&report, "live")?["verdict"] == "ok";
        Ok((live && report["healthy"] == true).then_some(()))
    })
    .await
}
