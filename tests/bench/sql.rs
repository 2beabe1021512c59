//! How long the questions of dashboards and analysts take over millions of rows, in the ClickHouse that
//! the collector starts, asked as an analyst asks: over HTTP, as the read-only user. Beside each what
//! it read, and its time as a part of one pass over all rows in the same run.
//!
//! The rows are generated ([`upriver_tests::generated`]); the tables are those of the migrations.

mod ask;
mod question;

use anyhow::{Result, ensure};
use ask::{Asked, Asker};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use upriver_collector::store::migrate;
use upriver_tests::generated::{Generated, SITES};
use upriver_tests::{Collector, eventually};

/// The collector looks at its tables by itself, to audit them and to alert; here that would only take
/// the processors away from what is measured.
const QUIET: [&str; 4] = ["--audit-seconds", "86400", "--alert-seconds", "86400"];
/// Days that the rows are spread over: more than are asked about.
const DAYS: u64 = 15;
/// How long merges may go on once everything is in.
const MERGES_MAX: Duration = Duration::from_secs(300);
/// One pass over all rows: the columns that most questions read.
const PASS: &str = "SELECT sum(cityHash64(site, kind, time, visitor, path, ord)) FROM events";

/// Fills the tables with so many rows, asks, and prints a table unless `quiet`.
///
/// # Errors
/// A promise is broken; the figures have been printed by then. Or the run is void.
pub(crate) async fn run(rows: u64, quiet: bool) -> Result<Value> {
    let collector = Collector::start_with_sites(question::SITES_FILE, &QUIET).await?;
    let versions = "SELECT toUInt64(max(version)) FROM migrations";
    collector
        .sql_becomes(versions, u64::from(migrate::NEWEST))
        .await?;
    let client = collector.clickhouse().await?;
    let generated = Generated::events(rows, DAYS)?;
    let begun = Instant::now();
    generated.fill(&client).await?;
    let filled_s = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let merging = "SELECT count() FROM system.merges";
    while collector.sql(merging).await? > 0 && begun.elapsed() < MERGES_MAX {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let rows = collector.sql("SELECT count() FROM events").await?;
    let sizes = "SELECT count(), sum(bytes_on_disk) FROM system.parts \
                 WHERE active AND database = 'upriver' AND table = 'events'";
    let (parts, bytes) = client.query(sizes).fetch_one::<(u64, u64)>().await?;

    let questions = question::all(&collector, &generated).await?;
    let asker = Asker::new(&collector, client).await?;
    let load = load_average()?;
    let pass = asker.ask(PASS, &[]).await?;
    let mut answers = Vec::new();
    for question in &questions {
        answers.push(asker.ask(&question.sql, &question.parameters).await?);
    }
    let answered: Vec<_> = questions.iter().zip(&answers).collect();
    let figures = json!({
        "rows": rows,
        "sites": SITES.len(),
        "days": DAYS,
        "parts": parts,
        "bytes_a_row_on_disk": bytes as f64 / rows as f64,
        "filled_s": filled_s,
        "merged_s": begun.elapsed().as_secs_f64(),
        "load_average_before": load,
        "load_average_after": load_average()?,
        "pass_over_all_rows": pass.figures(&pass),
        "questions": answered
            .iter()
            .map(|(question, asked)| {
                let mut figures = asked.figures(&pass);
                figures["question"] = question.name.clone().into();
                figures["promised_ms"] = question.promised_ms.into();
                figures
            })
            .collect::<Vec<_>>(),
    });
    if !quiet {
        print(&figures, &pass, &answered);
    }
    let broken: Vec<String> = answered
        .iter()
        .filter_map(|(question, asked)| {
            let promised_ms = question.promised_ms?;
            let median_ms = asked.median_ms();
            let name = &question.name;
            (median_ms > promised_ms)
                .then(|| format!("{name} took {median_ms:.0} ms, more than {promised_ms} ms"))
        })
        .collect();
    if quiet && !broken.is_empty() {
        println!("{figures}");
    }
    ensure!(broken.is_empty(), "{}", broken.join("; "));
    Ok(figures)
}

fn print(figures: &Value, pass: &Asked, answered: &[(&question::Question, &Asked)]) {
    println!(
        "{} rows of {} sites over {} days, {:.0} bytes each on disk, in {} parts; load {} before, {} after",
        figures["rows"],
        figures["sites"],
        figures["days"],
        figures["bytes_a_row_on_disk"].as_f64().unwrap_or_default(),
        figures["parts"],
        figures["load_average_before"],
        figures["load_average_after"],
    );
    println!(
        "median of {} after a first one with nothing in memory; of a pass over all rows\n",
        ask::TIMES
    );
    println!(
        "{:<58} {:>8} {:>8} {:>8} {:>8} {:>11} {:>8}",
        "question", "promise", "median", "first", "of pass", "rows read", "MB read"
    );
    let line = |name: &str, promised: Option<f64>, asked: &Asked| {
        let promised = promised.map_or(String::new(), |ms| format!("{ms:.0}"));
        println!(
            "{name:<58} {promised:>8} {:>8.1} {:>8.0} {:>8.3} {:>11} {:>8.1}",
            asked.median_ms(),
            asked.first_ms,
            asked.median_ms() / pass.median_ms(),
            asked.rows,
            asked.bytes as f64 / 1e6,
        );
    };
    line("one pass over all rows", None, pass);
    for (question, asked) in answered {
        line(&question.name, question.promised_ms, asked);
    }
}

/// Processes that wanted to run in the last minute, on average: others take time away from what is
/// measured.
fn load_average() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

/// Where the collector's ClickHouse listens and the analyst's password.
async fn analyst(collector: &Collector) -> Result<(String, String)> {
    let address = std::fs::read_to_string(collector.data().join("clickhouse-address"))?;
    let file = collector.data().join("clickhouse").join("analyst-password");
    let password = eventually("there is an analyst's password", async || {
        Ok(std::fs::read_to_string(&file).ok())
    })
    .await?;
    Ok((address.trim().to_owned(), password.trim().to_owned()))
}
