//! The questions: those of the cookbook as they stand there, and those that the live API runs.

use anyhow::{Context, Result};
use std::time::{SystemTime, UNIX_EPOCH};
use upriver_collector::live::{By, Filter, HeatKind, Query, Window};
use upriver_tests::cookbook::{Recipe, recipes};
use upriver_tests::generated::{DAY_S, Generated, SITES};
use upriver_tests::{Collector, document};

/// Longest time of a heat map of a page, ms.
const HEAT_MAP_MS: f64 = 50.0;
/// Longest time of a funnel of four steps of a site over 14 days, ms.
const FUNNEL_MS: f64 = 1_000.0;
/// Days that are asked about.
const DAYS_ASKED: u64 = 14;
/// The page that is looked at most.
const PAGE: &str = "/";
/// Pages and campaigns that the cookbook names, and what they are called here.
const NAMES: [(&str, &str); 3] = [
    ("'/product/kettle'", "'/'"),
    ("'/tea'", "'/'"),
    ("'spring'", "'campaign-0'"),
];
/// The cookbook's questions, by number, and which of them are promised something.
const ASKED: [(u32, Option<f64>); 18] = [
    (9, Some(FUNNEL_MS)),
    (19, Some(HEAT_MAP_MS)),
    (18, None),
    (1, None),
    (5, None),
    (6, None),
    (8, None),
    (10, None),
    (13, None),
    (14, None),
    (16, None),
    (17, None),
    (20, None),
    (28, None),
    (29, None),
    (37, None),
    (42, None),
    (51, None),
];

/// The largest site has the funnel of the cookbook.
pub(super) const SITES_FILE: &str = r#"
[[site]]
id = "shop"
write_key = "wk_test_0001"
read_token = "rt_test_0001"

[[site.funnel]]
id = "checkout"
name = "Checkout"
window = "30m"
step = [
  { name = "Product", kind = "page_view", page = "/product/*" },
  { name = "Put in", kind = "custom", event = "add_to_cart" },
  { name = "Cart", kind = "page_view", page = "/cart" },
  { name = "Order", kind = "conversion", event = "order" },
]
"#;

/// What is asked.
pub(super) struct Question {
    pub(super) name: String,
    pub(super) sql: String,
    /// Name and value of each.
    pub(super) parameters: Vec<(String, String)>,
    /// Longest time that its median may be, ms.
    pub(super) promised_ms: Option<f64>,
}

/// All of them, about the largest site and the last 14 days.
///
/// # Errors
/// The collector does not say what it would ask, or the cookbook has no such question.
pub(super) async fn all(collector: &Collector, rows: &Generated) -> Result<Vec<Question>> {
    let (from_s, until_s) = (rows.until_s - DAYS_ASKED * DAY_S, rows.until_s);
    let window = Window::Between(from_s * 1_000, until_s * 1_000);
    let filter = |page: &str| Filter {
        page: page.into(),
        window,
        ..Filter::default()
    };
    let mut questions = vec![
        live_funnel(collector, from_s * 1_000).await?,
        live(
            "live API: heat map of a page, presses",
            &Query::HeatMap(HeatKind::Press, filter(PAGE)),
            Some(HEAT_MAP_MS),
        )?,
        live(
            "live API: the same of people only, from the rows",
            &Query::HeatMap(
                HeatKind::Press,
                Filter {
                    human: true,
                    ..filter(PAGE)
                },
            ),
            None,
        )?,
        live(
            "live API: heat map of a page, attention",
            &Query::HeatMap(HeatKind::Attention, filter(PAGE)),
            None,
        )?,
        live(
            "live API: elements of a page, by colour",
            &Query::Board(filter(PAGE), By::Colour),
            None,
        )?,
    ];
    let visitor = "SELECT toString(visitor) FROM events WHERE site = 'shop' AND kind = 'conversion' \
                   ORDER BY time, visitor LIMIT 1";
    let client = collector.clickhouse().await?;
    let visitor: String = client.query(visitor).fetch_one().await?;
    let known = recipes(&document("sql-cookbook.md")?)?;
    for (number, promised_ms) in ASKED {
        let named = format!("{number}. ");
        let recipe = known
            .iter()
            .find(|known| known.question.starts_with(&named));
        let recipe = recipe.with_context(|| format!("the cookbook has no question {number}"))?;
        questions.push(cookbook(recipe, promised_ms, (from_s, until_s), &visitor));
    }
    Ok(questions)
}

fn cookbook(
    recipe: &Recipe,
    promised_ms: Option<f64>,
    (from_s, until_s): (u64, u64),
    visitor: &str,
) -> Question {
    let mut sql = recipe.sql.clone();
    for (there, here) in NAMES {
        sql = sql.replace(there, here);
    }
    let parameters = [
        ("site", SITES[0].to_owned()),
        ("from", from_s.to_string()),
        ("to", until_s.to_string()),
        ("visitor", visitor.to_owned()),
    ];
    Question {
        name: recipe.question.clone(),
        sql,
        parameters: parameters
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        promised_ms,
    }
}

/// What the live API asks ClickHouse, because memory does not hold it.
fn live(name: &str, query: &Query, promised_ms: Option<f64>) -> Result<Question> {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let asked = query
        .beyond(SITES[0], &[], now_ms)
        .context("memory has it")?;
    Ok(Question {
        name: name.to_owned(),
        sql: asked.sql().to_owned(),
        parameters: Vec::new(),
        promised_ms,
    })
}

/// The query beside the live funnel, over more days than memory has.
async fn live_funnel(collector: &Collector, from_ms: u64) -> Result<Question> {
    let answer = collector.live("funnel?id=checkout").await?;
    let sql = answer["basis"]["sql"].as_str().context("no query")?;
    let live_ms = answer["basis"]["from_ms"].as_u64().context("no range")?;
    let moment = |ms: u64| format!("toInt64({ms})");
    let longer = sql.replace(&moment(live_ms), &moment(from_ms));
    anyhow::ensure!(longer != sql, "the query has another range: {sql}");
    Ok(Question {
        name: "live API: the funnel's basis.sql, with groups and times".into(),
        sql: longer,
        parameters: Vec::new(),
        promised_ms: Some(FUNNEL_MS),
    })
}
