//! For how long rows are kept: what is over goes when parts are merged, and nothing else does.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use upriver_tests::{Collector, IMPORT_TOKEN, Page, eventually};

/// Tables with rows by day of receipt, and the columns that say when.
const TABLES: [(&str, &[&str]); 7] = [
    ("events", &["received_at", "time"]),
    ("dead_letters", &["received_at"]),
    ("heatmap", &["received_on"]),
    ("sessions", &["received_on"]),
    ("campaign_minutes", &["received_on"]),
    ("page_minutes", &["received_on"]),
    ("ingest_log", &["received_from", "received_to"]),
];

/// Rows received more than 31 days ago, and more than 28.
const OLD: [u32; 2] = [31, 28];

async fn execute(collector: &Collector, sql: &str) -> Result<()> {
    let client = collector.clickhouse().await?;
    let done = client.query(sql).execute().await;
    done.with_context(|| sql.to_owned())
}

/// Rows of each table as they would be if the same had come so many days ago as well.
async fn copies(collector: &Collector, days: u32) -> Result<()> {
    for (table, columns) in TABLES {
        let shifted: Vec<_> = columns
            .iter()
            .map(|column| format!("{column} - INTERVAL {days} DAY AS {column}"))
            .collect();
        let new = format!("{} > now() - INTERVAL 2 DAY", columns[0]);
        let sql = format!(
            "INSERT INTO {table} SELECT * REPLACE ({}) FROM (SELECT * FROM {table} WHERE {new})",
            shifted.join(", ")
        );
        execute(collector, &sql).await?;
    }
    Ok(())
}

/// Has the tables merged, and counts their rows that are older than [`OLD`] days.
async fn merged(collector: &Collector) -> Result<Vec<[u64; 2]>> {
    let mut found = Vec::new();
    for (table, columns) in TABLES {
        execute(collector, &format!("OPTIMIZE TABLE {table} FINAL")).await?;
        let mut old = [0; 2];
        for (count, days) in old.iter_mut().zip(OLD) {
            let when = columns[0];
            let sql =
                format!("SELECT count() FROM {table} WHERE {when} < now() - INTERVAL {days} DAY");
            *count = collector.sql(&sql).await?;
        }
        found.push(old);
    }
    Ok(found)
}

/// Which rows are left of those copied 40 and 29 days back: of neither, of the newer, of both.
fn left(found: &[[u64; 2]]) -> Vec<&'static str> {
    let left = found.iter().map(|old| match old {
        [0, 0] => "none",
        [0, _] => "29",
        [old, all] if old < all => "29 and 40",
        _ => "odd",
    });
    left.collect()
}

/// The TTL of each table, as it was told; and when any of them was last altered.
async fn told(collector: &Collector) -> Result<(Vec<String>, u64)> {
    eventually("the tables say how long rows are kept", async || {
        let client = collector.clickhouse().await?;
        let mut ttls = Vec::new();
        for (table, _) in TABLES {
            let sql = "SELECT extract(engine_full, 'toIntervalDay\\((\\d+)\\)') FROM system.tables \
                       WHERE database = 'upriver' AND name = ?";
            let Ok(ttl) = client.query(sql).bind(table).fetch_one::<String>().await else {
                return Ok(None);
            };
            ttls.push(ttl);
        }
        let sql = "SELECT toUInt64(max(metadata_modification_time)) FROM system.tables \
                   WHERE database = 'upriver'";
        let altered = client.query(sql).fetch_one::<u64>().await?;
        Ok(Some((ttls, altered)))
    })
    .await
}

/// Waits until the tables have been told.
async fn become_so(collector: &Collector, wanted: [&str; 7]) -> Result<u64> {
    eventually(&format!("rows are kept for {wanted:?}"), async || {
        let (ttls, altered) = told(collector).await?;
        Ok((ttls == wanted).then_some(altered))
    })
    .await
}

async fn traffic(collector: &Collector, stored: u64) -> Result<()> {
    let mut page = Page::new("/");
    for _ in 0..10 {
        let bodies = vec![Page::press(0.4, 0.6), Page::custom("seen")];
        ensure!(collector.send(page.bytes(bodies)).await?.status == 200);
    }
    ensure!(collector.send(b"{".to_vec()).await?.status == 400);
    let new = "SELECT sum(events) FROM page_minutes WHERE received_on > now() - INTERVAL 2 DAY";
    collector.sql_becomes(new, stored).await?;
    let letters = "SELECT count() FROM dead_letters WHERE received_at > now() - INTERVAL 2 DAY";
    collector.sql_becomes(letters, stored / 20).await?;
    let batches = "SELECT sum(events) FROM ingest_log WHERE received_from > now() - INTERVAL 2 DAY";
    collector.sql_becomes(batches, stored).await
}

#[tokio::test]
async fn rows_go_when_their_time_is_over_and_the_audit_misses_none() -> Result<()> {
    let mut collector = Collector::start().await?;
    traffic(&collector, 20).await?;
    for days in [40, 29] {
        copies(&collector, days).await?;
    }
    assert_eq!(left(&merged(&collector).await?), ["29 and 40"; 7]);
    become_so(&collector, [""; 7]).await?;

    // Rows that were there before it was said go as well, day by day, and roll-ups stay for longer.
    ensure!(collector.stop().await?.success());
    let days = ["--events-days", "30", "--roll-ups-days", "400"];
    let days = [&days[..], &["--dead-letters-days", "30"]].concat();
    collector.restart_with(&days)?;
    let kept = ["30", "30", "400", "400", "400", "400", "400"];
    let altered = become_so(&collector, kept).await?;
    let (short, long) = ("29", "29 and 40");
    let wanted = [short, short, long, long, long, long, long];
    eventually("rows go", async || {
        Ok((left(&merged(&collector).await?) == wanted).then_some(()))
    })
    .await?;
    traffic(&collector, 40).await?;
    collector.audited().await?;

    // What comes while it holds goes by it too; another start with the same changes nothing.
    copies(&collector, 40).await?;
    assert_eq!(left(&merged(&collector).await?), wanted);
    collector.kill()?;
    collector.restart()?;
    traffic(&collector, 60).await?;
    collector.audited().await?;
    assert_eq!(become_so(&collector, kept).await?, altered);

    // Longer again, from the sites file this time; and roll-ups for ever.
    ensure!(collector.stop().await?.success());
    let file = collector.data().with_file_name("sites.toml");
    let sites = std::fs::read_to_string(&file)?;
    std::fs::write(&file, format!("[retention]\nevents_days = 50\n{sites}"))?;
    collector.restart_with(&["--dead-letters-days", "35"])?;
    become_so(&collector, ["50", "35", "", "", "", "", ""]).await?;
    copies(&collector, 40).await?;
    let wanted = [long, short, long, long, long, long, long];
    assert_eq!(left(&merged(&collector).await?), wanted);

    // Nothing said: what collectors told is taken back, what somebody else did is not.
    ensure!(collector.stop().await?.success());
    std::fs::write(&file, sites)?;
    collector.restart_with(&[])?;
    become_so(&collector, [""; 7]).await?;
    let own = "ALTER TABLE dead_letters MODIFY TTL toDateTime(received_at) + toIntervalDay(7)";
    execute(&collector, own).await?;
    ensure!(collector.stop().await?.success());
    collector.restart()?;
    traffic(&collector, 80).await?;
    become_so(&collector, ["", "7", "", "", "", "", ""]).await?;
    collector.audited().await
}

#[tokio::test]
async fn what_is_older_than_is_kept_is_not_imported_and_the_verdict_says_why() -> Result<()> {
    let collector = Collector::start_with(&["--events-days", "30"]).await?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let event = |days: u64| {
        json!({
            "id": format!("order-{days}"), "time_ms": now_ms - days * 86_400_000, "visitor": "1",
            "body": {"conversion": {"name": "order", "value_micros": 1, "currency": "EUR"}},
        })
    };
    let body = json!({"events": [event(29), event(200)]});
    let url = format!("{}/v1/events", collector.url);
    let request = collector.http.post(url).bearer_auth(IMPORT_TOKEN);
    let answer: Value = request.json(&body).send().await?.json().await?;
    assert_eq!(answer["events"][0]["verdict"], "ok", "{answer}");
    assert_eq!(answer["events"][1]["verdict"], "rejected", "{answer}");
    let reason = answer["events"][1]["reason"].as_str().unwrap_or_default();
    ensure!(
        reason.contains("200 days ago") && reason.contains("keeps events for 30 days"),
        "{reason}"
    );
    collector
        .sql_becomes("SELECT count() FROM events", 1)
        .await?;
    // Counted from its receipt, so it stays though it happened long before.
    execute(&collector, "OPTIMIZE TABLE events FINAL").await?;
    assert_eq!(collector.sql("SELECT count() FROM events").await?, 1);
    collector.audited().await
}

#[tokio::test]
async fn a_retention_that_cannot_be_is_told_before_anything_starts() -> Result<()> {
    // Builds it, too.
    let collector = Collector::start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("sites.toml");
    let sites = std::fs::read_to_string(collector.data().with_file_name("sites.toml"))?;
    let check = |retention: &str, flags: &[&str], wanted: &str| -> Result<()> {
        std::fs::write(&file, format!("{retention}\n{sites}"))?;
        let mut command = Collector::command();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&file);
        command
            .arg("--data")
            .arg(folder.path().join("data"))
            .args(flags);
        let output = command.output()?;
        let said = String::from_utf8(output.stderr)?;
        ensure!(!output.status.success() && said.contains(wanted), "{said}");
        ensure!(
            !folder.path().join("data").exists(),
            "a data folder was made"
        );
        Ok(())
    };
    check("", &["--events-days", "2"], "events_days is 2; 3 to 7300")?;
    check(
        "",
        &["--events-days", "soon"],
        "invalid value 'soon' for '--events-days",
    )?;
    check(
        "[retention]\nevents_days = 0",
        &[],
        "events_days is 0; 3 to 7300",
    )?;
    check(
        "[retention]\nevent_days = 9",
        &[],
        "unknown field `event_days`",
    )?;
    let both = "events are kept 90 days";
    check(
        "[retention]\nroll_ups_days = 100\nevents_days = 90",
        &["--roll-ups-days", "80"],
        both,
    )
}
