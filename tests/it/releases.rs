//! Releases from before what memory holds are answered by ClickHouse, on the same URL, with the numbers
//! that memory gives of those it holds.

use super::definitions::ask;
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use upriver_tests::{Collector, Thing, Visit, eventually};
use upriver_wire::batch::Device;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
/// Releases that are listed.
const LISTED: usize = 20;

const BUY: Thing = Thing {
    selector: "#buy",
    label: "Buy",
    role: "button",
    background: 0xd0_2020,
};

fn now_ms() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64)
}

/// Visits of the last hours, of two releases, in which everything happens that is counted.
fn recent(now_ms: u64) -> Vec<Visit> {
    let visit = |number: u64| {
        let minutes_ago = 10 + 13 * number;
        let start_ms = now_ms - minutes_ago * MINUTE_MS;
        let visitor = u128::from(1 + number % 7);
        let mut visit = Visit::new(visitor, 1 + number, start_ms, Device::Phone)
            .release(if minutes_ago > 200 { "r3" } else { "r'4" })
            .view(0, "/product/kettle");
        if number % 4 == 1 {
            visit = visit.rage(1, BUY).dead(2, BUY, 2_500);
        }
        if number.is_multiple_of(3) {
            visit = visit.order(3, number as i64, "A-1");
        }
        if number % 5 == 2 {
            visit = visit
                .error_press(4, BUY, 60)
                .fault(4, "x is undefined", "/shop.js", 7);
        }
        visit
    };
    (0..24).map(visit).collect()
}

/// Visits around two releases that went out when `at_ms` and half an hour before: long ago.
fn old(at_ms: u64) -> Vec<Visit> {
    let visit = |visitor: u128, minutes: i64, release: &str| {
        let start_ms = at_ms.saturating_add_signed(minutes * MINUTE_MS as i64);
        let visit = Visit::new(visitor, 1_000 + visitor as u64, start_ms, Device::Desktop);
        visit.release(release).view(0, "/")
    };
    vec![
        visit(101, -30, "r0").order(1, 20, "B-1"),
        // The minute it goes out in counts for neither side.
        visit(102, 0, "r1").rage(1, BUY),
        visit(103, 10, "r1").rage(1, BUY).order(2, 0, "B-2"),
        visit(104, 60, "r1"),
        visit(105, 61, "r1").order(1, 5, "B-3"),
    ]
}

/// What is told of releases but the words and the query.
async fn told(collector: &Collector, asked: &str) -> Result<Value> {
    let mut answer = collector.live(&format!("releases?{asked}")).await?;
    let basis = answer["basis"].take();
    ensure!(basis["complete"] == true, "{asked} is not complete");
    Ok(answer)
}

async fn define(collector: &Collector, id: &str, at_ms: u64) -> Result<()> {
    let release = json!({"name": id, "at_ms": at_ms});
    let request = ask(collector, Method::PUT, &format!("/release/{id}"));
    request.json(&release).send().await?.error_for_status()?;
    Ok(())
}

fn names(answer: &Value) -> Vec<&str> {
    let rows = answer["rows"].as_array().map_or(&[][..], Vec::as_slice);
    rows.iter().filter_map(|row| row["name"].as_str()).collect()
}

/// From ClickHouse comes what memory tells of the releases that it holds.
async fn memory_and_clickhouse_agree(collector: &Collector) -> Result<()> {
    for window in ["15m", "1h", "3h", "6h"] {
        let asked = format!("window={window}");
        // The windows of both must end with the same minute.
        let (live, past) = eventually("one minute sees both", async || {
            let live = told(collector, &asked).await?;
            let rows = live["rows"].as_array().context("no rows")?;
            let first_ms = rows.iter().filter_map(|row| row["at_ms"].as_u64()).min();
            let from = format!("{asked}&from={}", first_ms.context("none is listed")?);
            let past = told(collector, &from).await?;
            let again = told(collector, &asked).await?;
            Ok((live == again).then_some((live, past)))
        })
        .await?;
        ensure!(live == past, "{window}: live {live:#}\nClickHouse {past:#}");
        let rows = live["rows"].as_array().context("no rows")?;
        let named = names(&live);
        ensure!(
            ["r'4", "Friday", "now"]
                .iter()
                .all(|name| named.contains(name)),
            "{named:?}"
        );
        for side in ["before", "after"] {
            let counted = rows.iter().filter_map(|row| row[side]["visitors"].as_u64());
            ensure!(counted.sum::<u64>() > 0, "{window}: nobody {side}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn releases_from_before_memory_are_told_by_clickhouse_as_memory_told_them() -> Result<()> {
    let collector = Collector::start().await?;
    let now = now_ms()?;
    let at_ms = (now - 40 * HOUR_MS) / MINUTE_MS * MINUTE_MS + 20_000;
    let mut events = 0;
    for visit in recent(now).iter().chain(&old(at_ms)) {
        let sent = collector.send(visit.bytes()).await?;
        ensure!(sent.status == 200, "{sent:?}");
        events += visit.events();
    }
    define(&collector, "Friday", now - 70 * MINUTE_MS).await?;
    // It has no whole minute yet, or one.
    define(&collector, "now", now).await?;
    collector
        .sql_becomes("SELECT count() FROM events", events)
        .await?;
    collector.live_is_whole().await?;
    memory_and_clickhouse_agree(&collector).await?;

    // Memory has nothing of these, and says nothing of them unasked.
    let live = told(&collector, "window=1h").await?;
    ensure!(!names(&live).contains(&"r1"), "{live:#}");
    let asked = format!("window=1h&from={}&to={}", at_ms - HOUR_MS, at_ms + HOUR_MS);
    let past = told(&collector, &asked).await?;
    ensure!(names(&past) == ["r1", "r0"], "{past:#}");
    let row = &past["rows"][0];
    ensure!(
        row["at_ms"] == at_ms && row["span_ms"] == HOUR_MS && row["id"] == "",
        "{row:#}"
    );
    let (before, after) = (&row["before"], &row["after"]);
    let minute_ms = at_ms / MINUTE_MS * MINUTE_MS;
    ensure!(
        before["to_ms"] == minute_ms && after["from_ms"] == minute_ms + MINUTE_MS,
        "{row:#}"
    );
    let value = |micros: u64| json!([{"currency": "EUR", "micros": micros}]);
    for (side, visitors, conversions, rages, value) in [
        (before, 1, 1, 0, value(20_000_000)),
        (after, 2, 1, 1, value(0)),
    ] {
        ensure!(
            side["visitors"] == visitors
                && side["conversions"] == conversions
                && side["converted"]["visitors"] == conversions
                && side["rages"] == rages
                && side["raged"]["visitors"] == rages
                && side["value"] == value,
            "{side:#}"
        );
    }
    ensure!(
        row["raged"]["by"] == 0.5 && row["converted"]["by"] == -0.5,
        "{row:#}"
    );

    // One that was defined is there while it is, and instead of what pages tell by its name.
    define(&collector, "r1", at_ms - 10 * MINUTE_MS).await?;
    let moved = told(&collector, &asked).await?;
    ensure!(
        moved["rows"][0]["at_ms"] == at_ms - 10 * MINUTE_MS,
        "{moved:#}"
    );
    let removal = ask(&collector, Method::DELETE, "/release/r1");
    removal.send().await?.error_for_status()?;
    ensure!(told(&collector, &asked).await? == past);

    // Who waits for changes is told too.
    let url = format!("{}/v1/live/releases?{asked}&wait=30", collector.url);
    let listen = collector
        .http
        .get(&url)
        .header("authorization", Collector::bearer());
    let heard: Value = listen.send().await?.json().await?;
    ensure!(
        names(&heard["updates"][0]["data"]) == ["r1", "r0"],
        "{heard:#}"
    );

    // The newest are listed, and how many are not.
    let long_ago = now - 9 * 24 * HOUR_MS;
    for number in 0..LISTED as u64 + 2 {
        define(
            &collector,
            &format!("d{number}"),
            long_ago + number * HOUR_MS,
        )
        .await?;
    }
    let asked = format!("from={long_ago}&to={}", long_ago + 48 * HOUR_MS);
    let past = told(&collector, &asked).await?;
    let listed = names(&past);
    ensure!(
        listed.len() == LISTED && listed[0] == "d21" && past["left_out"] == 2,
        "{past:#}"
    );
    Ok(())
}
