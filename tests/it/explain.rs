//! The questions that are asked most read by the sorting key: `EXPLAIN indexes = 1` names the columns of
//! the key that they go by, and a part only of what a table with several sites holds is read.

use anyhow::{Context, Result, bail, ensure};
use clickhouse::Client;
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use upriver_collector::live::{By, Filter, HeatKind, Query, Window};
use upriver_collector::store::migrate;
use upriver_tests::cookbook::recipes;
use upriver_tests::generated::{DAY_S, Generated};
use upriver_tests::{Collector, document};

/// Events: enough for some dozen granules in one part.
const ROWS: u64 = 200_000;
/// The site that is asked about: nearly a fifth of all.
const SITE: &str = "books";
/// The same with the funnel of the cookbook.
const SITES_FILE: &str = r#"
[[site]]
id = "books"
write_key = "wk_test_0001"
read_token = "rt_test_0001"

[[site.funnel]]
id = "checkout"
name = "Checkout"
window = "30m"
step = [
  { name = "Product", kind = "page_view", page = "/product/*" },
  { name = "Order", kind = "conversion", event = "order" },
]
"#;

/// How one visitor's history is read: by the key, which says little of them, and by an index beside it.
const HISTORY: &[&str] = &["site", "visitor"];

/// A question and how it is to be read.
struct Question {
    name: String,
    sql: String,
    table: &'static str,
    /// Columns of the key it goes by.
    keys: &'static [&'static str],
    /// It reads at most one granule of so many.
    one_of: u64,
    /// The skipping index that leaves out part of what the key finds.
    skips_by: Option<&'static str>,
}

/// Asks for the plan, and whether each read of the table goes by the key.
///
/// # Errors
/// One does not.
async fn reads_by_key(client: &Client, question: &Question, from_s: u64) -> Result<()> {
    let explain = format!("EXPLAIN json = 1, indexes = 1 {}", question.sql);
    let query = client
        .query_raw(&explain)
        .param("site", SITE)
        .param("from", from_s)
        .param("to", from_s + DAY_S)
        // Nobody there: whoever is in few granules is hard to find in so few.
        .param("visitor", "00000000-0000-0000-0000-000000000005");
    let plan = query.fetch_bytes("TabSeparatedRaw")?.collect().await;
    let plan: Value = serde_json::from_slice(&plan.with_context(|| question.name.clone())?)?;
    let mut reads = Vec::new();
    reads_of(&plan, &format!(".{}", question.table), &mut reads);
    let name = &question.name;
    ensure!(
        !reads.is_empty(),
        "{name} reads no {}: {plan}",
        question.table
    );
    for read in reads {
        let indexes = read["Indexes"].as_array().map_or(&[][..], Vec::as_slice);
        let key = indexes.iter().find(|index| index["Type"] == "PrimaryKey");
        let key = key.with_context(|| format!("{name} does not go by the key: {read}"))?;
        let goes_by = |column: &&str| {
            let columns = key["Keys"].as_array();
            columns.is_some_and(|columns| columns.iter().any(|known| known == column))
        };
        ensure!(
            question.keys.iter().all(goes_by),
            "{name} does not go by {:?}: {key}",
            question.keys
        );
        let granules = |of: &str| key[of].as_u64().with_context(|| format!("no {of}: {key}"));
        let (all, read) = (
            granules("Initial Granules")?,
            granules("Selected Granules")?,
        );
        ensure!(
            read * question.one_of <= all,
            "{name} reads {read} granules of {all}"
        );
        if let Some(skips_by) = question.skips_by {
            let skip = indexes.iter().find(|index| index["Name"] == skips_by);
            let skip =
                skip.with_context(|| format!("{name} does not skip by {skips_by}: {read}"))?;
            let granules = |of: &str| {
                skip[of]
                    .as_u64()
                    .with_context(|| format!("no {of}: {skip}"))
            };
            let (found, left) = (
                granules("Initial Granules")?,
                granules("Selected Granules")?,
            );
            ensure!(left < found, "{name} skips none of {found} granules");
        }
    }
    Ok(())
}

/// The steps of a plan that read a table.
fn reads_of<'a>(plan: &'a Value, table: &str, found: &mut Vec<&'a Value>) {
    match plan {
        Value::Object(fields) => {
            let described = plan["Description"].as_str().unwrap_or_default();
            if plan["Node Type"] == "ReadFromMergeTree" && described.ends_with(table) {
                found.push(plan);
            }
            fields
                .values()
                .for_each(|field| reads_of(field, table, found));
        }
        Value::Array(parts) => parts.iter().for_each(|part| reads_of(part, table, found)),
        _ => {}
    }
}

/// The questions of the cookbook, and those of the live API about times that memory does not hold.
async fn questions(collector: &Collector, from_s: u64) -> Result<Vec<Question>> {
    let question = |name: &str, sql: &str, table, keys, one_of| Question {
        name: name.to_owned(),
        sql: sql.to_owned(),
        table,
        keys,
        one_of,
        skips_by: (keys == HISTORY).then_some("visitor_in"),
    };
    let mut all = Vec::new();
    let known = recipes(&document("sql-cookbook.md")?)?;
    let asked: [(u32, &str, &[&str], u64); 9] = [
        (9, "events", &["site", "kind", "time"], 6),
        (14, "events", &["site", "time"], 3),
        (18, "events", &["site", "kind", "time"], 6),
        (19, "heatmap", &["site", "path", "hour"], 2),
        (27, "events", &["site", "kind", "time"], 6),
        (29, "events", HISTORY, 3),
        (37, "events", &["site", "kind", "time"], 6),
        (51, "sessions", &["site"], 2),
        (52, "page_minutes", &["site", "minute"], 2),
    ];
    for (number, table, keys, one_of) in asked {
        let named = format!("{number}. ");
        let recipe = known
            .iter()
            .find(|known| known.question.starts_with(&named));
        let recipe = recipe.with_context(|| format!("no question {number}"))?;
        all.push(question(&recipe.question, &recipe.sql, table, keys, one_of));
    }
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let filter = Filter {
        page: "/".into(),
        window: Window::Between(from_s * 1_000, (from_s + DAY_S) * 1_000),
        ..Filter::default()
    };
    let people = Filter {
        human: true,
        ..filter.clone()
    };
    let asked: [(&str, Query, &str, &[&str], u64); 4] = [
        (
            "live heat map",
            Query::HeatMap(HeatKind::Press, filter.clone()),
            "heatmap",
            &["site", "path", "hour"],
            2,
        ),
        (
            "live heat map of people",
            Query::HeatMap(HeatKind::Press, people),
            "events",
            &["site", "kind", "time"],
            6,
        ),
        (
            "live elements",
            Query::Board(filter, By::Colour),
            "events",
            &["site", "kind", "time"],
            3,
        ),
        (
            "live releases",
            Query::Releases(60, Some(Window::Since(from_s * 1_000))),
            "events",
            &["site", "time"],
            3,
        ),
    ];
    for (name, query, table, keys, one_of) in asked {
        let beyond = query.beyond(SITE, &[], now_ms).context("memory has it")?;
        all.push(question(name, beyond.sql(), table, keys, one_of));
    }
    let funnel = collector.live("funnel?id=checkout").await?;
    let sql = funnel["basis"]["sql"].as_str().context("no query")?;
    let live_ms = funnel["basis"]["from_ms"].as_u64().context("no range")?;
    let longer = sql.replace(&live_ms.to_string(), &(from_s * 1_000).to_string());
    let keys = &["site", "kind", "time"];
    all.push(question("live funnel", &longer, "events", keys, 6));
    Ok(all)
}

#[tokio::test]
async fn the_main_questions_read_by_the_sorting_key() -> Result<()> {
    let collector = Collector::start_with_sites(SITES_FILE, &[]).await?;
    let versions = "SELECT toUInt64(max(version)) FROM migrations";
    collector
        .sql_becomes(versions, u64::from(migrate::NEWEST))
        .await?;
    let client = collector.clickhouse().await?;
    let rows = Generated::events(ROWS, 1)?;
    rows.fill(&client).await?;
    for table in ["events", "heatmap", "sessions", "page_minutes"] {
        let merge = format!("OPTIMIZE TABLE {table} FINAL");
        client.query(&merge).execute().await?;
    }
    let mut wrong = Vec::new();
    for question in questions(&collector, rows.from_s()).await? {
        let read = reads_by_key(&client, &question, rows.from_s()).await;
        wrong.extend(read.err().map(|error| format!("{error:#}")));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));

    // A question that hides the site from the key reads everything, and is found out.
    let scan = "SELECT count() FROM events WHERE lower(site) = {site:String} AND kind = 'press'";
    let planted = Question {
        name: "planted".into(),
        sql: scan.into(),
        table: "events",
        keys: &["site", "kind"],
        one_of: 6,
        skips_by: None,
    };
    if reads_by_key(&client, &planted, rows.from_s()).await.is_ok() {
        bail!("a full scan was not found out");
    }
    Ok(())
}
