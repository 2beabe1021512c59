//! Alerts of a real collector: a history is imported in which one campaign stops converting, and
//! another of the same shape in which nothing happens.

use crate::definitions::{answer, ask_of};
use crate::webhooks;
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use upriver_tests::{Collector, eventually};

const TICK_MS: u64 = 10 * 60_000;
/// Ticks of history, six days, and those of the end in which nobody of the campaign orders.
const TICKS: u64 = 864;
const BROKEN_TICKS: u64 = 24;

fn site(id: &str, more: &str) -> String {
    format!(
        r#"
[[site]]
id = "{id}"
write_key = "wk_{id}_0001"
read_token = "rt_{id}_0001"
import_token = "it_{id}_0001"
admin_token = "at_{id}_0001"
{more}
[[site.funnel]]
id = "checkout"
name = "Checkout"
window = "30m"
step = [
    {{ name = "Cart", kind = "custom", event = "add_to_cart" }},
    {{ name = "Order", kind = "conversion", event = "order" }},
]
"#
    )
}

/// Four visitors a tick, one of them of `spring`, put something into the cart; they order some
/// minutes later, those of `spring` only before the end if it breaks.
fn history(now_ms: u64, breaks: bool) -> String {
    let mut lines = String::new();
    let mut event = |id: String, at_ms: u64, campaign: &str, who: u64, body: Value| {
        let event = json!({
            "id": id, "time_ms": at_ms, "visitor": format!("{who:x}"),
            "page": {"path": "/cart", "campaign": {"campaign": campaign}}, "body": body,
        });
        lines.push_str(&format!("{event}\n"));
    };
    let first = now_ms / TICK_MS - TICKS;
    for tick in 0..TICKS {
        for one in 0..4 {
            let who = tick * 4 + one + 1;
            let campaign = if one == 0 { "spring" } else { "autumn" };
            let came_ms = (first + tick) * TICK_MS + one * 1_000;
            let cart = json!({"custom": {"name": "add_to_cart", "props": []}});
            event(format!("c{who}"), came_ms, campaign, who, cart);
            let lost = breaks && one == 0 && tick >= TICKS - BROKEN_TICKS;
            // Three of four go on, after one to twelve minutes.
            if lost || who % 4 == tick % 4 {
                continue;
            }
            let order = json!({"conversion": {"name": "order", "value_micros": 1_000_000, "currency": "EUR"}});
            let went_ms = came_ms + (who * 7 % 12 + 1) * 60_000;
            event(format!("o{who}"), went_ms.min(now_ms), campaign, who, order);
        }
    }
    lines
}

/// More visitors of each tick of the end: two of `spring`, who order nothing, and six of `autumn`, who do,
/// so that it is the campaign still that does not convert. So few that they are told, and in ClickHouse,
/// all at once.
fn late(now_ms: u64) -> String {
    let mut lines = String::new();
    let first = now_ms / TICK_MS - BROKEN_TICKS;
    for one in 0..8 * BROKEN_TICKS {
        let who = TICKS * 4 + one + 1;
        let came_ms = (first + one / 8) * TICK_MS + 5_000;
        let (campaign, orders) = if one % 8 < 2 {
            ("spring", false)
        } else {
            ("autumn", true)
        };
        let cart = json!({"custom": {"name": "add_to_cart", "props": []}});
        let order = json!({"conversion": {"name": "order"}});
        let went_ms = (came_ms + (who * 7 % 12 + 1) * 60_000).min(now_ms);
        let both = [("c", came_ms, cart), ("o", went_ms, order)];
        for (what, at_ms, body) in both.into_iter().take(1 + usize::from(orders)) {
            let event = json!({
                "id": format!("{what}{who}"), "time_ms": at_ms, "visitor": format!("{who:x}"),
                "page": {"path": "/cart", "campaign": {"campaign": campaign}}, "body": body,
            });
            lines.push_str(&format!("{event}\n"));
        }
    }
    lines
}

fn import(collector: &Collector, site: &str, lines: &str) -> Result<()> {
    let file = collector.data().join(format!("{site}.ndjson"));
    std::fs::write(&file, lines)?;
    let mut command = Collector::command();
    command.args(["import", "--site", site, "--data"]);
    let output = command.arg(collector.data()).arg(&file).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{text}");
    Ok(())
}

async fn alerts(collector: &Collector, site: &str) -> Result<Value> {
    // A connection of its own: one kept open ends unseen while an import blocks this thread.
    let http = reqwest::Client::builder()
        .pool_max_idle_per_host(0)
        .build()?;
    let request = http.get(format!("{}/v1/live/alerts", collector.url));
    let request = request.bearer_auth(format!("rt_{site}_0001"));
    let update: Value = request.send().await?.error_for_status()?.json().await?;
    Ok(update["data"].clone())
}

/// The alerts once everything imported is watched, one step, for all and for two campaigns, and the collector
/// has read all that was before it started.
async fn watched(collector: &Collector, site: &str) -> Result<Value> {
    eventually("the history is watched", async || {
        let alerts = alerts(collector, site).await?;
        let whole = alerts["watched"] == 3 && alerts["basis"]["complete"] == true;
        Ok(whole.then_some(alerts))
    })
    .await
}

#[tokio::test]
async fn a_campaign_that_stops_converting_is_told_once_and_a_healthy_one_never() -> Result<()> {
    let receiver = webhooks::receiver()?;
    let sites = [
        site("healthy", ""),
        webhooks::webhook("chat", receiver.port),
        site("broken", ""),
        webhooks::webhook("chat", receiver.port),
    ]
    .concat();
    let flags = ["--webhook-allow-private", "--alert-seconds", "1"];
    let mut collector = Collector::start_with_sites(&sites, &flags).await?;
    // Nothing is known: nothing is told.
    eventually("it is watched", async || {
        let alerts = alerts(&collector, "healthy").await?;
        Ok((alerts["watched_until_ms"] != 0).then_some(()))
    })
    .await?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let histories = [
        ("healthy", history(now_ms, false)),
        ("broken", history(now_ms, true)),
    ];
    let mut events = 0;
    for (site, lines) in &histories {
        import(&collector, site, lines)?;
        events += lines.lines().count() as u64;
    }

    let told = receiver.next()?;
    ensure!(told["type"] == "alert.opened", "{told}");
    let data = &told["data"];
    ensure!(data["kind"] == "campaign_not_converting", "{told}");
    ensure!(
        data["campaign"] == "spring" && data["next"] == "Order",
        "{told}"
    );
    ensure!(data["seen"] == 0, "{told}");
    let since_ms = data["since_ms"].as_u64().context("since when")?;
    let broke_ms = (now_ms / TICK_MS - BROKEN_TICKS) * TICK_MS;
    ensure!(
        since_ms.abs_diff(broke_ms) <= 2 * 3_600_000,
        "{since_ms} for {broke_ms}"
    );
    let all = "SELECT count() FROM events";
    collector.sql_becomes(all, events).await?;

    // Many more of them had come, which is known late: it would have been told earlier, but it was told.
    let late = late(now_ms);
    import(&collector, "broken", &late)?;
    events += late.lines().count() as u64;
    collector.sql_becomes(all, events).await?;
    let shown = eventually("what came late is looked at", async || {
        let shown = watched(&collector, "broken").await?;
        let row = &shown["rows"][0];
        let is_more = row["arrived"].as_u64() > data["arrived"].as_u64();
        Ok((is_more && as_sql_says(&collector, row).await?).then_some(shown))
    })
    .await?;
    let rows = shown["rows"].as_array().context("no rows")?;
    ensure!(rows.len() == 1 && rows[0]["open"] == true, "{shown}");
    ensure!(
        rows[0]["evidence_hours"] != data["evidence_hours"],
        "{shown}"
    );
    let healthy = watched(&collector, "healthy").await?;
    ensure!(healthy["rows"] == json!([]), "{healthy}");

    // After a kill all of it is what it was, unless a tick has ended between: then after another. By the
    // same id and opened when it was in any case, and not told again.
    let mut before = shown.clone();
    for round in 0.. {
        collector.kill()?;
        collector.restart()?;
        let after = watched(&collector, "broken").await?;
        for said in ["id", "opened_ms", "open"] {
            ensure!(
                after["rows"][0][said] == data[said],
                "{said}: {told}\n{after}"
            );
        }
        if after["watched_until_ms"] == before["watched_until_ms"] {
            ensure!(after == before, "before\n{before:#}\nafter\n{after:#}");
            break;
        }
        ensure!(round < 4, "a tick ends each time");
        before = after;
    }
    ensure!(receiver.is_quiet(), "it was told again");
    Ok(())
}

/// Whether the numbers of an alert are those of the query beside them.
async fn as_sql_says(collector: &Collector, row: &Value) -> Result<bool> {
    let sql = row["sql"].as_str().context("no query")?;
    for column in ["arrived", "seen"] {
        let sql = format!("SELECT toUInt64({column}) FROM ({sql})");
        if row[column].as_u64() != Some(collector.sql(&sql).await?) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[tokio::test]
async fn what_was_on_its_way_to_clickhouse_at_the_start_is_watched() -> Result<()> {
    let receiver = webhooks::receiver()?;
    let sites = site("broken", "") + &webhooks::webhook("chat", receiver.port);
    let flags = ["--webhook-allow-private", "--alert-seconds", "1"];
    let mut collector = Collector::start_with_sites(&sites, &flags).await?;
    eventually("it is watched", async || {
        let alerts = alerts(&collector, "broken").await?;
        Ok((alerts["watched_until_ms"] != 0).then_some(()))
    })
    .await?;
    let clickhouse = collector.clickhouse_pid().await?;
    // Stopped, not ended: what is imported is in the log alone.
    kill_process(clickhouse, Signal::STOP)?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    import(&collector, "broken", &history(now_ms, true))?;
    collector.kill()?;
    // It ends with its parent as soon as it can see that.
    kill_process(clickhouse, Signal::CONT)?;
    collector.restart()?;
    let told = receiver.next()?;
    ensure!(
        told["type"] == "alert.opened" && told["data"]["campaign"] == "spring",
        "{told}"
    );
    Ok(())
}

async fn define(collector: &Collector, site: &str, id: &str, body: Option<Value>) -> Result<Value> {
    let (place, token) = (format!("/alert/{id}"), format!("at_{site}_0001"));
    let ask = |method| ask_of(collector, (site, &token), method, &place);
    let request = match body {
        Some(body) => ask(Method::PUT).json(&body),
        None => ask(Method::DELETE),
    };
    let (status, mut said) = answer(request).await?;
    said["status"] = status.into();
    Ok(said)
}

#[tokio::test]
async fn a_defined_alert_tells_whom_it_names_at_once_and_after_a_kill() -> Result<()> {
    let (chat, pager, mail) = (
        webhooks::receiver()?,
        webhooks::receiver()?,
        webhooks::receiver()?,
    );
    let more = "[[site.alert]]\nid = \"all\"\nkinds = [\"step_broke\"]\nwebhooks = [\"mail\"]\n";
    let sites = [
        site("broken", &format!("[site.alerts]\nwebhooks = []\n{more}")),
        webhooks::webhook("chat", chat.port),
        webhooks::webhook("pager", pager.port),
        webhooks::webhook("mail", mail.port),
        site("off", "[site.alerts]\nenabled = false\n"),
        webhooks::webhook("chat", chat.port),
    ]
    .concat();
    let flags = ["--webhook-allow-private", "--alert-seconds", "1"];
    let mut collector = Collector::start_with_sites(&sites, &flags).await?;
    let of = |campaign: &str, webhook: &str| {
        json!({"kinds": ["campaign_not_converting"], "funnel": "checkout",
            "campaign": campaign, "webhooks": [webhook]})
    };
    for (id, alert) in [
        ("spring", of("spr*", "chat")),
        ("autumn", of("autumn", "mail")),
        ("gone", of("spr*", "mail")),
    ] {
        let said = define(&collector, "broken", id, Some(alert)).await?;
        ensure!(said["status"] == 201 && said["version"] == 1, "{said}");
    }
    let unknown = json!({"webhooks": ["chat"], "funnel": "f"});
    for (site, id, body, status, says) in [
        (
            "broken",
            "x",
            of("*", "phone"),
            400,
            "webhooks: there is no",
        ),
        (
            "broken",
            "x",
            unknown,
            400,
            "funnel: the site has no funnel",
        ),
        ("broken", "all", of("*", "chat"), 409, "stands in the sites"),
        (
            "off",
            "x",
            json!({"webhooks": ["chat"]}),
            409,
            "enabled = false",
        ),
    ] {
        let said = define(&collector, site, id, Some(body)).await?;
        let message = said["error"]["message"].as_str().unwrap_or_default();
        ensure!(said["status"] == status && message.contains(says), "{said}");
    }
    collector.kill()?;
    collector.restart()?;
    eventually("it is watched", async || {
        let alerts = alerts(&collector, "broken").await?;
        Ok((alerts["watched_until_ms"] != 0).then_some(()))
    })
    .await?;
    // One is there since before the kill, one is made now, and one is not there any more.
    let said = define(&collector, "broken", "late", Some(of("*", "pager"))).await?;
    ensure!(said["status"] == 201, "{said}");
    let said = define(&collector, "broken", "gone", None).await?;
    ensure!(said["status"] == 200, "{said}");
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    import(&collector, "broken", &history(now_ms, true))?;
    for receiver in [&chat, &pager] {
        let told = receiver.next()?;
        ensure!(
            told["type"] == "alert.opened" && told["data"]["campaign"] == "spring",
            "{told}"
        );
        ensure!(
            told["data"]["alerts"] == json!(["late", "spring"]),
            "{told}"
        );
    }
    ensure!(mail.is_quiet(), "somebody else was told");
    Ok(())
}
