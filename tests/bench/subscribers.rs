//! What many who listen cost: processor time and memory of the collector with a thousand subscribers
//! beside the same traffic with none, how many messages each gets a second, and whether all of them
//! hold in the end what a fresh answer holds.

use crate::{ack, memory};
use anyhow::{Context, Result, bail, ensure};
use futures_util::StreamExt;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use upriver_tests::{Collector, eventually};

/// What they listen to, by turns: what the traffic here changes at every tick.
const RESOURCES: [&str; 3] = ["overview", "pages", "heatmap?page=/product/kettle"];
/// Events a second meanwhile.
const EVENTS_PER_S: u64 = 5_000;
/// Messages a second that each gets at least, of the ten that there may be.
const MESSAGES_PER_S: f64 = 8.0;
/// How long the last messages may be on their way.
const PATIENCE: Duration = Duration::from_secs(30);

/// As far as a subscriber here reads a message.
#[derive(Deserialize)]
struct Message {
    r#type: String,
    seq: u64,
    cursor: String,
    #[allow(dead_code, reason = "it is read past")]
    data: IgnoredAny,
}

/// What one subscriber has come to.
#[derive(Clone, Debug, Default)]
struct Listener {
    messages: u64,
    bytes: u64,
    snapshots: u64,
    gaps: u64,
    seq: u64,
    cursor: String,
}

impl Listener {
    fn take(&mut self, data: &str) -> Result<()> {
        let message: Message = serde_json::from_str(data)?;
        let is_snapshot = message.r#type == "snapshot";
        if self.messages > 0 && !is_snapshot && message.seq != self.seq + 1 {
            self.gaps += 1;
        }
        self.messages += 1;
        self.bytes += data.len() as u64;
        self.snapshots += u64::from(is_snapshot);
        (self.seq, self.cursor) = (message.seq, message.cursor);
        Ok(())
    }
}

/// Sends for so many seconds to nobody, and as long to so many subscribers.
///
/// # Errors
/// One of them missed something, or holds something else than a fresh answer in the end: the figures
/// are void. Or they get too few messages.
pub(crate) async fn run(subscribers: usize, seconds: u64) -> Result<Value> {
    let collector = Collector::start().await?;
    collector.sql("SELECT count() FROM events").await?;
    let (lasts, batches) = (
        Duration::from_secs(seconds),
        EVENTS_PER_S / ack::EVENTS as u64,
    );
    // What is there once is there before both.
    ack::load(&collector, batches, Duration::from_secs(2)).await?;

    let before = ack::cpu_ticks(&collector)?;
    let alone = ack::load(&collector, batches, lasts).await?;
    let alone_ticks = ack::cpu_ticks(&collector)? - before;

    let memory = memory::resident_bytes(collector.pid())?;
    let listeners: Vec<_> = (0..subscribers)
        .map(|_| Arc::new(Mutex::new(Listener::default())))
        .collect();
    let mut listening = JoinSet::new();
    for (at, listener) in listeners.iter().enumerate() {
        let resource = RESOURCES[at % RESOURCES.len()];
        let url = format!("{}/v1/live/{resource}", collector.url);
        let request = collector.http.get(url).timeout(lasts + 4 * PATIENCE);
        let request = request.header("authorization", Collector::bearer());
        let answer = request.header("accept", "text/event-stream").send().await?;
        listening.spawn(listen(answer.error_for_status()?, listener.clone()));
    }
    let all = |holds: &dyn Fn(usize, &Listener) -> bool| {
        let mut each = listeners.iter().enumerate();
        each.all(|(at, one)| one.lock().is_ok_and(|one| holds(at, &one)))
    };
    eventually("every subscriber has its snapshot", async || {
        Ok(all(&|_, one| one.messages > 0).then_some(()))
    })
    .await?;
    let begun = Instant::now();
    let before = ack::cpu_ticks(&collector)?;
    let heard = ack::load(&collector, batches, lasts).await?;
    let heard_ticks = ack::cpu_ticks(&collector)? - before;
    let lasted_s = begun.elapsed().as_secs_f64();
    let grown = memory::resident_bytes(collector.pid())?.saturating_sub(memory);
    let told: u64 = sum(&listeners, |one| one.messages - 1);
    let bytes: u64 = sum(&listeners, |one| one.bytes);

    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut fresh = Vec::new();
        for resource in RESOURCES {
            fresh.push(cursor(&collector, resource).await?);
        }
        if all(&|at, one| one.cursor == fresh[at % RESOURCES.len()]) {
            break;
        }
        if Instant::now() > deadline {
            let behind = |resource: usize| {
                let of = listeners.iter().skip(resource).step_by(RESOURCES.len());
                of.filter(|one| one.lock().is_ok_and(|one| one.cursor != fresh[resource]))
                    .count()
            };
            let behind: Vec<_> = (0..RESOURCES.len()).map(behind).collect();
            bail!(
                "void: of {RESOURCES:?} so many subscribers hold something else than a fresh \
                 answer: {behind:?}"
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    listening.abort_all();
    let gaps = sum(&listeners, |one| one.gaps);
    ensure!(gaps == 0, "void: {gaps} gaps");
    let each_s = told as f64 / subscribers as f64 / lasted_s;
    let extra_s = (heard_ticks - alone_ticks) / ack::TICKS_PER_S;
    let said = json!({
        "subscribers": subscribers,
        "other_events_per_s": EVENTS_PER_S,
        "messages": told,
        "messages_per_subscriber_and_s": each_s,
        "bytes_per_message": bytes as f64 / (told + subscribers as u64) as f64,
        "snapshots_instead_of_changes": sum(&listeners, |one| one.snapshots) - subscribers as u64,
        "gaps": gaps,
        "collector_cpu_s": {
            "with_none": alone_ticks / ack::TICKS_PER_S,
            "with_all": heard_ticks / ack::TICKS_PER_S,
            "ratio": heard_ticks / alone_ticks,
            "a_1000_messages": extra_s * 1_000.0 / told as f64,
        },
        "collector_bytes_per_subscriber": grown as f64 / subscribers as f64,
        "ack_ms": {"with_none": ack::quantiles(&alone), "with_all": ack::quantiles(&heard)},
    });
    ensure!(
        each_s >= MESSAGES_PER_S,
        "fewer messages than {MESSAGES_PER_S} a second each: {said}"
    );
    Ok(said)
}

async fn listen(answer: reqwest::Response, listener: Arc<Mutex<Listener>>) -> Result<()> {
    let mut bytes = answer.bytes_stream();
    let mut text = String::new();
    while let Some(chunk) = bytes.next().await {
        text.push_str(std::str::from_utf8(&chunk?)?);
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            let data = event.lines().find_map(|line| line.strip_prefix("data:"));
            if let (Some(data), Ok(mut listener)) = (data, listener.lock()) {
                listener.take(data)?;
            }
        }
    }
    Ok(())
}

fn sum(listeners: &[Arc<Mutex<Listener>>], of: impl Fn(&Listener) -> u64) -> u64 {
    let each = listeners.iter().filter_map(|one| one.lock().ok());
    each.map(|one| of(&one)).sum()
}

async fn cursor(collector: &Collector, resource: &str) -> Result<String> {
    let request = collector
        .http
        .get(format!("{}/v1/live/{resource}", collector.url));
    let request = request.header("authorization", Collector::bearer());
    let update: Value = request.send().await?.error_for_status()?.json().await?;
    Ok(update["cursor"].as_str().context("no cursor")?.into())
}
