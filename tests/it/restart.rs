//! After a kill every live resource answers what it had answered before: fetched from a real process,
//! compared whole.

use crate::definitions::ask;
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use upriver_tests::{Collector, Thing, Visit, eventually};
use upriver_wire::batch::{Device, Look, Size};

const MINUTE_MS: u64 = 60_000;

const BUY: Thing = Thing {
    selector: "#buy",
    label: "Buy",
    role: "button",
    background: 0xd0_2020,
};

/// Every resource, asked for in ways that between them need all of its state. Alerts need days of
/// history, and are looked for at times of their own: theirs is among the tests of `watching`.
const ASKED: [&str; 29] = [
    "overview",
    "heatmap?page=*",
    "heatmap?page=/product/*&kind=swipe_path",
    "heatmap?page=*&kind=attention",
    "heatmap?page=*&kind=hesitation&device=phone",
    "heatmap?page=*&kind=scroll_depth&campaign=spring",
    "heatmap?page=*&kind=rage&window=today",
    "heatmap?page=*&kind=move&traffic=human",
    "elements?page=*",
    "elements?page=*&by=colour",
    "elements?page=*&by=variant&device=phone",
    "funnel?id=checkout",
    "funnel?id=checkout&campaign=spring",
    "funnel?id=buys",
    "funnel/visitors?id=checkout&step=1&state=lost",
    "funnel/visitors?id=checkout&step=1&state=open",
    "funnel/visitors?id=buys&state=converted",
    "campaigns",
    "sources",
    "errors",
    "releases?window=15m",
    "releases?window=1h",
    "releases?window=3h",
    "experiments",
    "presence",
    "presence/visitors",
    "pages",
    "activity",
    "activity?kind=fault,conversion&device=phone",
];

/// A visit that has something of everything, so many minutes ago.
fn visit(number: u64, minutes_ago: u64, now_ms: u64) -> Visit {
    let even = number.is_multiple_of(2);
    let device = if even { Device::Phone } else { Device::Desktop };
    let start_ms = now_ms - minutes_ago * MINUTE_MS;
    let mut visit = Visit::new(u128::from(1 + number % 9), 1 + number, start_ms, device);
    if !number.is_multiple_of(3) {
        visit = visit.campaign("news", "email", ["spring", "summer"][number as usize % 2]);
    }
    visit = visit
        .release(if minutes_ago > 95 { "r1" } else { "r2" })
        .view(0, "/product/kettle");
    if minutes_ago > 24 * 60 {
        // Nothing that experiments read again: only the question after releases finds it.
        return visit;
    }
    visit = visit
        .exposure(1, "button", ["green", "red"][number as usize % 2])
        .impression(
            1,
            BUY,
            Look {
                background: 0xd0_2020,
                size: Size { w: 120, h: 40 },
                x: 20,
                y: 300,
                radius: 8,
            },
        )
        .hesitation(2, BUY, 900, even)
        .swipe(3, BUY, (300, 200), -200)
        .scroll(4, None, 0, 700)
        .path(5, &[(0, 100, 100), (90, 40, 30), (400, 0, 0)])
        .attention(6, (6, 5), 2, &[3, 2])
        .press(7, BUY, 0.4);
    if number % 4 == 1 {
        visit = visit
            .rage(8, BUY)
            .dead(9, BUY, 2_500)
            .error_press(10, BUY, 60);
    }
    if number % 3 != 1 {
        visit = visit.custom(11, "add_to_cart", ("colour", "red"));
    }
    if number % 2 == 1 {
        visit = visit.fault(12, "x is undefined", "/shop.js", 7);
    }
    if number % 4 == 2 {
        visit = visit.order(13, 20, "A-1");
    }
    visit
}

/// The answers, without what may differ: the SQL holds the time, ids of the feed begin anew.
async fn answers(collector: &Collector) -> Result<BTreeMap<&'static str, Value>> {
    let mut all = BTreeMap::new();
    for asked in ASKED {
        let mut data = collector.live(asked).await?;
        let basis = data["basis"].as_object_mut().context("no basis")?;
        basis.remove("sql");
        ensure!(basis["complete"] == true, "{asked} is not complete");
        if asked.starts_with("presence") {
            basis.remove("from_ms");
        }
        for item in data["items"].as_array_mut().into_iter().flatten() {
            item["id"].take();
        }
        all.insert(asked, data);
    }
    Ok(all)
}

/// What is older than a day was received when it happened, as if the collector had run all that time: else
/// it is read again as news.
async fn received_when_it_happened(collector: &Collector) -> Result<()> {
    let client = collector.clickhouse().await?;
    let old = "time < now() - INTERVAL 1 DAY";
    for sql in [
        format!(
            "INSERT INTO events SELECT * REPLACE (time AS received_at) FROM events WHERE {old}"
        ),
        format!("DELETE FROM events WHERE {old} AND received_at > now() - INTERVAL 1 DAY"),
    ] {
        client.query(&sql).execute().await?;
    }
    Ok(())
}

async fn define(collector: &Collector, place: &str, body: Value) -> Result<()> {
    let request = ask(collector, Method::PUT, &format!("/{place}"));
    request.json(&body).send().await?.error_for_status()?;
    Ok(())
}

async fn complete(collector: &Collector) -> Result<()> {
    eventually(
        "history is read and every funnel has its past",
        async || {
            for asked in ["overview", "funnel?id=buys", "errors"] {
                if collector.live(asked).await?["basis"]["complete"] != true {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        },
    )
    .await
}

fn now_ms() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64)
}

/// Windows of minutes move with the clock, so both looks must be of the same minute.
async fn early_in_a_minute() -> Result<()> {
    let into_ms = now_ms()? % MINUTE_MS;
    if into_ms > 20_000 {
        tokio::time::sleep(Duration::from_millis(MINUTE_MS - into_ms + 100)).await;
    }
    Ok(())
}

#[tokio::test]
async fn after_a_kill_every_resource_is_what_it_was() -> Result<()> {
    let mut collector = Collector::start().await?;
    // None is left out.
    let list = collector
        .http
        .get(format!("{}/v1/live", collector.url))
        .header("authorization", Collector::bearer());
    let list: Value = list.send().await?.json().await?;
    let resources = list["resources"].as_array().context("no resources")?;
    let names: BTreeSet<_> = resources
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    let asked = ASKED
        .iter()
        .map(|asked| asked.split('?').next().unwrap_or(asked));
    let asked: BTreeSet<_> = asked.chain(["alerts"]).collect();
    ensure!(
        names == asked,
        "{names:?} are there, {asked:?} are compared"
    );

    define(
        &collector,
        "funnel/buys",
        json!({"name": "Buys", "window": "30m", "step": [
            {"name": "Product", "kind": "page_view"},
            {"name": "Order", "kind": "conversion"},
        ], "exclude": [{"name": "Rage", "kind": "rage"}]}),
    )
    .await?;
    let release = json!({"name": "Friday", "at_ms": now_ms()? - 70 * MINUTE_MS});
    define(&collector, "release/friday", release).await?;
    let now = now_ms()?;
    let mut events = 0;
    // The first is too old for the range: all it leaves is that its release is older still.
    let visits: Vec<_> = [
        30 * 60,
        600,
        185,
        150,
        140,
        130,
        105,
        100,
        90,
        80,
        75,
        60,
        40,
        12,
        4,
        2,
        1,
    ]
    .into_iter()
    .zip(0..)
    .map(|(minutes_ago, number)| visit(number, minutes_ago, now))
    .collect();
    for (number, visit) in visits.iter().enumerate() {
        let sent = collector.send(visit.bytes()).await?;
        ensure!(sent.status == 200, "{sent:?}");
        events += visit.events();
        // Half of it is in ClickHouse when the process is killed, at least.
        if number == visits.len() / 2 {
            collector
                .sql_becomes("SELECT count() FROM events", events)
                .await?;
            received_when_it_happened(&collector).await?;
        }
    }
    for round in ["some of it in the log only", "all of it in clickhouse"] {
        early_in_a_minute().await?;
        complete(&collector).await?;
        let before = answers(&collector).await?;
        collector.kill()?;
        collector.restart()?;
        complete(&collector).await?;
        let after = answers(&collector).await?;
        for (asked, before) in &before {
            ensure!(
                before == &after[asked],
                "{asked}, {round}: before\n{before:#}\nafter\n{:#}",
                after[asked]
            );
        }
        // What was compared holds something.
        let releases = &before["releases?window=1h"]["rows"];
        let named = |name: &str| {
            let rows = releases.as_array().into_iter().flatten();
            rows.filter(|row| row["name"] == name).count()
        };
        ensure!(
            (named("r1"), named("r2"), named("Friday")) == (0, 1, 1),
            "{releases:#}"
        );
        for (asked, rows) in [
            ("sources", "rows"),
            ("errors", "rows"),
            ("presence/visitors", "rows"),
            ("funnel/visitors?id=checkout&step=1&state=lost", "rows"),
            ("activity?kind=fault,conversion&device=phone", "items"),
        ] {
            let rows = before[asked][rows].as_array().context("no rows")?;
            ensure!(!rows.is_empty(), "{asked} is empty");
        }
        collector
            .sql_becomes("SELECT count() FROM events", events)
            .await?;
    }
    Ok(())
}
