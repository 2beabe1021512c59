//! What counting live costs: events per second of processor time through the engine, one thread,
//! and bytes of memory per visitor; beside a recount of the same events from nothing.

use crate::memory;
use anyhow::{Context, Result, ensure};
use rustix::process::getpid;
use serde_json::{Value, json};
use upriver_collector::live::limits::Bounds;
use upriver_collector::live::{Engine, Filter, HOUR_MS, Query, Resource};
use upriver_collector::row::{Device, EventRow, Kind, order};
use upriver_tests::oracle::Naive;
use uuid::Uuid;

/// Events the engine is given at a time.
const BATCH: usize = 1_000;
/// Events of a second of processor time, at least.
const EVENTS_PER_CPU_S: f64 = 1e6;
/// Bytes of memory a visitor, at most, where there are [`ENOUGH`] of them.
const BYTES_PER_VISITOR: f64 = 300.0;
const ENOUGH: usize = 200_000;
/// What each visitor does.
const VISIT: [(Kind, &str, &str); 10] = [
    (Kind::PageView, "/", ""),
    (Kind::Scroll, "/", ""),
    (Kind::Press, "/", ""),
    (Kind::PageView, "/product/kettle", ""),
    (Kind::Scroll, "/product/kettle", ""),
    (Kind::Press, "/product/kettle", ""),
    (Kind::Custom, "/product/kettle", "add_to_cart"),
    (Kind::PageView, "/cart", ""),
    (Kind::Press, "/cart", ""),
    (Kind::Conversion, "/cart", "order"),
];
const SITE: &str = r#"
[[site]]
id = "shop"
write_key = "wk_bench_0001"
[[site.funnel]]
id = "checkout"
name = "Checkout"
window = "30m"
step = [
  { name = "Product", kind = "page_view", page = "/product/*" },
  { name = "Cart", kind = "custom", event = "add_to_cart" },
  { name = "Order", kind = "conversion", event = "order" },
]
"#;

/// Counts `visitors` visitors' events.
///
/// # Errors
/// The engine and the recount disagree: the figures are void. Or a promise is broken.
pub(crate) fn run(visitors: usize) -> Result<Value> {
    let sites: upriver_collector::config::Sites = toml::from_str(SITE)?;
    let now_ms = 497_000 * HOUR_MS + HOUR_MS / 2;
    let rows = rows(visitors, now_ms);
    let naive = Naive::new(&sites.sites[0], &rows);
    let memory = memory::resident_bytes(getpid())?;
    let mut engine = Engine::new(&sites.sites, Bounds::default(), now_ms);
    let begun = cpu_ns()?;
    for rows in rows.chunks(BATCH) {
        engine.apply(rows);
    }
    let engine_s = (cpu_ns()? - begun) as f64 / 1e9;
    let grown = memory::resident_bytes(getpid())?.saturating_sub(memory);
    let answer = engine.answer("shop", &Query::Funnel("checkout".into(), Filter::default()));
    let Some(Resource::Funnel(live)) = answer else {
        anyhow::bail!("the engine has no funnel");
    };
    let live: Vec<u64> = live.steps.iter().map(|step| step.visitors).collect();
    let begun = cpu_ns()?;
    let again = naive.funnel_steps("checkout", now_ms);
    let naive_s = (cpu_ns()? - begun) as f64 / 1e9;
    ensure!(
        live == again,
        "void: the engine counts {live:?}, the recount {again:?}"
    );
    let bytes_per_visitor = grown as f64 / visitors as f64;
    let figures = json!({
        "visitors": visitors,
        "events": rows.len(),
        "events_per_cpu_s": rows.len() as f64 / engine_s,
        "bytes_per_visitor": bytes_per_visitor,
        "recount_events_per_cpu_s": rows.len() as f64 / naive_s,
        "recount_s": naive_s,
        "engine_ms_per_batch_of_1000": engine_s * 1e3 * BATCH as f64 / rows.len() as f64,
        "funnel": live,
        "wanted": {"events_per_cpu_s": EVENTS_PER_CPU_S, "bytes_per_visitor": BYTES_PER_VISITOR},
    });
    ensure!(
        rows.len() as f64 / engine_s >= EVENTS_PER_CPU_S,
        "too slow: {figures}"
    );
    // What is there once, however many come, would be taken for theirs.
    ensure!(
        visitors < ENOUGH || bytes_per_visitor <= BYTES_PER_VISITOR,
        "too much memory: {figures}"
    );
    Ok(figures)
}

/// Visitors by the hundred at once, their events a second apart and interleaved as they arrive.
fn rows(visitors: usize, now_ms: u64) -> Vec<EventRow> {
    let mut rows = Vec::with_capacity(visitors * VISIT.len());
    for group in 0..visitors.div_ceil(100) {
        // Spread over the hour before; the last of them are still present.
        let start_ms = now_ms - HOUR_MS + HOUR_MS * group as u64 * 100 / visitors as u64;
        for (at, (kind, path, name)) in VISIT.iter().enumerate() {
            for visitor in group * 100..((group + 1) * 100).min(visitors) {
                // Each step loses some.
                if visitor % 10 < at {
                    continue;
                }
                let id =
                    (visitor as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
                let time = start_ms + at as u64 * 1_000;
                let campaign = ["", "spring", "summer", "autumn"][visitor % 4];
                rows.push(EventRow {
                    site: "shop".into(),
                    received_at: time as i64,
                    time: time as i64,
                    ord: order(time, id, 0),
                    kind: *kind,
                    stream: Uuid::from_u128(id),
                    seq: at as u64,
                    visitor: Uuid::from_u128(id),
                    path: (*path).into(),
                    device: Device::ALL[visitor % 4],
                    width_bucket: (visitor % 8) as u16 * 160,
                    utm_source: if campaign.is_empty() { "" } else { "mail" }.into(),
                    utm_campaign: campaign.into(),
                    element: at as u64 + 1,
                    cell: (visitor % 256) as u8,
                    name: (*name).into(),
                    ..EventRow::default()
                });
            }
        }
    }
    rows
}

/// Time this thread was on a processor, nanoseconds.
fn cpu_ns() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split_whitespace().next().context("an odd schedstat")?;
    Ok(first.parse()?)
}
