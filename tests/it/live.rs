//! Live numbers against the SQL that stands beside them, while they change and after a restart.

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use serde_json::Value;
use std::collections::BTreeMap;
use upriver_tests::{Collector, Page, eventually};

/// Visitors of three kinds: who buy, who stop at the cart, and who only look.
async fn visit(collector: &Collector, visitors: u64) -> Result<()> {
    for number in 0..visitors {
        let mut page = Page::new("/");
        if number % 2 == 0 {
            page = page.from_campaign("spring");
        }
        let mut bodies = vec![
            page.view("/"),
            page.view("/product/kettle"),
            Page::press(0.5, 0.9),
        ];
        if number % 3 > 0 {
            bodies.push(Page::custom("add_to_cart"));
        }
        if number % 3 > 1 {
            bodies.push(Page::order(19_990_000));
        }
        let sent = collector.send(page.bytes(bodies)).await?;
        ensure!(sent.status == 200, "{sent:?}");
    }
    Ok(())
}

/// Runs the query that a live answer carries and returns its rows as text.
async fn beside(collector: &Collector, data: &Value) -> Result<Vec<BTreeMap<String, Value>>> {
    let sql = data["basis"]["sql"]
        .as_str()
        .context("no sql beside the number")?;
    let client = collector.clickhouse().await?;
    let query = client
        .query_raw(sql)
        .with_setting("output_format_json_quote_64bit_integers", "0");
    let bytes = query.fetch_bytes("JSONEachRow")?.collect().await?;
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| Ok(serde_json::from_slice(line)?))
        .collect()
}

async fn assert_live_is_sql(collector: &Collector) -> Result<()> {
    let overview = collector.live("overview").await?;
    let rows = beside(collector, &overview).await?;
    for field in [
        "visitors",
        "page_views",
        "presses",
        "customs",
        "conversions",
        "swipes",
    ] {
        assert_eq!(overview[field], rows[0][field], "overview {field}");
    }
    let funnel = collector.live("funnel?id=checkout").await?;
    let rows = beside(collector, &funnel).await?;
    let steps = funnel["steps"].as_array().context("no steps")?;
    let rows = rows.into_iter().filter(|row| row["dimension"] == "");
    let rows: Vec<_> = rows.collect();
    assert_eq!(steps.len(), rows.len());
    for (step, row) in steps.iter().zip(&rows) {
        assert_eq!(
            step["visitors"], row["visitors"],
            "funnel step {}",
            step["name"]
        );
    }
    let heatmap = collector.live("heatmap?page=/product/kettle").await?;
    let rows = beside(collector, &heatmap).await?;
    let counted: u64 = rows.iter().filter_map(|row| row["amount"].as_u64()).sum();
    assert_eq!(heatmap["total"], counted, "heat map");
    let campaigns = collector.live("campaigns").await?;
    let rows = beside(collector, &campaigns).await?;
    for live in campaigns["rows"].as_array().context("no rows")? {
        let same = |row: &&BTreeMap<String, Value>| {
            ["source", "medium", "campaign"]
                .iter()
                .all(|field| row.get(*field) == Some(&live[*field]))
        };
        let row = rows
            .iter()
            .find(same)
            .with_context(|| format!("{live} is not in {rows:?}"))?;
        for field in ["visitors", "engaged", "converted", "conversions"] {
            assert_eq!(live[field], row[field], "campaign {field}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn live_numbers_equal_their_sql_before_and_after_a_crash() -> Result<()> {
    let mut collector = Collector::start().await?;
    visit(&collector, 30).await?;
    // 30 visitors: 3 events each, 20 carts, 10 orders.
    collector
        .sql_becomes("SELECT count() FROM events", 120)
        .await?;
    assert_live_is_sql(&collector).await?;
    let steps = |funnel: &Value| -> Vec<u64> {
        let steps = funnel["steps"].as_array().unwrap();
        steps
            .iter()
            .map(|step| step["visitors"].as_u64().unwrap())
            .collect()
    };
    let funnel = collector.live("funnel?id=checkout").await?;
    assert_eq!(steps(&funnel), [30, 20, 10]);

    visit(&collector, 30).await?;
    collector.kill()?;
    collector.restart()?;
    collector.live_is_whole().await?;
    let funnel = collector.live("funnel?id=checkout").await?;
    assert_eq!(steps(&funnel), [60, 40, 20]);
    collector
        .sql_becomes("SELECT count() FROM events", 240)
        .await?;
    assert_live_is_sql(&collector).await
}

#[tokio::test]
async fn a_subscription_gives_a_snapshot_and_then_every_change() -> Result<()> {
    let collector = Collector::start().await?;
    visit(&collector, 3).await?;
    // Acknowledged is on disk; counted it is a moment later.
    eventually("the first visit is counted", async || {
        let overview = collector.live("overview").await?;
        Ok((overview["presses"] == 3).then_some(()))
    })
    .await?;
    let response = collector
        .http
        .get(format!("{}/v1/live/overview", collector.url))
        .header("authorization", Collector::bearer())
        .header("accept", "text/event-stream")
        .send()
        .await?;
    ensure!(response.status().is_success(), "{}", response.status());
    let mut bytes = response.bytes_stream();
    let mut text = String::new();
    let mut updates = Vec::new();
    visit(&collector, 3).await?;
    while !updates
        .last()
        .is_some_and(|update: &Value| update["data"]["presses"] == 6)
    {
        let chunk = bytes.next().await.context("the subscription ended")??;
        text.push_str(std::str::from_utf8(&chunk)?);
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            let data = event.lines().find_map(|line| line.strip_prefix("data:"));
            if let Some(data) = data {
                updates.push(serde_json::from_str(data.trim())?);
            }
        }
    }
    assert_eq!(updates[0]["type"], "snapshot");
    ensure!(updates[0]["data"]["presses"].as_u64() >= Some(3));
    let order: Vec<_> = updates
        .iter()
        .filter_map(|update| update["seq"].as_u64())
        .collect();
    ensure!(order.is_sorted(), "{order:?}");
    Ok(())
}
