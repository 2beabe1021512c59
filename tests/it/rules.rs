//! Rules of a real collector: from a visitor's events to its page and to a webhook, once, measured, and
//! not again after a restart.

use crate::webhooks::Receiver;
use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use upriver_tests::{Collector, Page, WRITE_KEY, eventually};
use upriver_wire::answer::{Answer, Signal};
use upriver_wire::batch::{Body, Hesitation};
use upriver_wire::envelope;

pub(crate) const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn sites(port: u16, holdout: f64) -> String {
    format!(
        r#"
[[site]]
id = "shop"
write_key = "{WRITE_KEY}"
read_token = "rt_test_0001"

[[site.webhook]]
id = "chat"
url = "http://127.0.0.1:{port}/"
secret = "{SECRET}"

[[site.rule]]
id = "offer"
window = "60s"
step = [{{ kind = "hesitation", page = "/product/*", times = 2 }}]
unless = [{{ name = "Presses", kind = "press" }}]
holdout = {holdout}
signal = "offer"
payload = {{ percent = 10 }}
webhook = "chat"
"#
    )
}

pub(crate) fn hesitation() -> Body {
    Body::Hesitation(Hesitation::default())
}

/// Somebody with a page open.
pub(crate) struct Visitor {
    pub(crate) page: Page,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Visitor {
    pub(crate) async fn come(collector: &Collector) -> Result<Self> {
        let url = collector.url.replace("http://", "ws://");
        let url = format!("{url}/v1/stream?key={WRITE_KEY}");
        let socket = tokio_tungstenite::connect_async(url).await?.0;
        let page = Page::new("/product/kettle");
        Ok(Self { page, socket })
    }

    /// The same visitor on a new stream, as after a restart.
    pub(crate) async fn again(self, collector: &Collector) -> Result<Self> {
        let come = Self::come(collector).await?;
        Ok(Self {
            page: self.page,
            ..come
        })
    }

    /// Sends events; returns the signals that come until they are acknowledged.
    pub(crate) async fn does(&mut self, bodies: Vec<Body>) -> Result<Vec<Signal>> {
        let batch = self.page.bytes(bodies);
        self.socket.send(Message::binary(batch)).await?;
        let mut signals = Vec::new();
        loop {
            match self.told().await? {
                Answer::Ack(_) => return Ok(signals),
                Answer::Signal(signal) => signals.push(signal),
                other => anyhow::bail!("{other:?}"),
            }
        }
    }

    async fn told(&mut self) -> Result<Answer> {
        let answer = async {
            loop {
                let next = self.socket.next().await;
                if let Message::Binary(bytes) = next.context("the stream ended")?? {
                    return Ok(envelope::decode_answer(&bytes)?);
                }
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(60), answer).await;
        told.context("nothing was told")?
    }

    /// The signal that comes next, if it is not there already.
    pub(crate) async fn signal(&mut self, there: Vec<Signal>) -> Result<Signal> {
        if let Some(signal) = there.into_iter().next() {
            return Ok(signal);
        }
        match self.told().await? {
            Answer::Signal(signal) => Ok(signal),
            other => anyhow::bail!("no signal: {other:?}"),
        }
    }
}

/// Recorded firings by variant, as the live numbers have them.
pub(crate) async fn counted(collector: &Collector) -> Result<Value> {
    let answer = collector.live("experiments").await?;
    let rows = answer["rows"].as_array().context("no rows")?;
    let row = rows.iter().find(|row| row["experiment"] == "rule:offer");
    Ok(row.map_or(Value::Null, |row| row["variants"].clone()))
}

#[tokio::test]
async fn a_rule_tells_the_page_and_the_webhook_once_and_not_again_after_a_restart() -> Result<()> {
    let receiver = Receiver::start(SECRET)?;
    let sites = sites(receiver.port, 0.0);
    let mut collector = Collector::start_with_sites(&sites, &["--webhook-allow-private"]).await?;
    begun(&collector).await?;
    let (mut ada, mut bob) = (
        Visitor::come(&collector).await?,
        Visitor::come(&collector).await?,
    );
    // Bob presses between, and is not told.
    ensure!(
        bob.does(vec![hesitation(), Page::press(0.5, 0.5)])
            .await?
            .is_empty()
    );
    ensure!(bob.does(vec![hesitation()]).await?.is_empty());
    ensure!(ada.does(vec![hesitation()]).await?.is_empty());
    let since = Instant::now();
    let there = ada.does(vec![hesitation()]).await?;
    let signal = ada.signal(there).await?;
    eprintln!("from the gesture to the signal: {:?}", since.elapsed());
    ensure!(
        (&*signal.name, &*signal.payload) == ("offer", r#"{"percent":10}"#),
        "{signal:?}"
    );
    let told = receiver.next()?;
    ensure!(told["type"] == "rule.fired", "{told}");
    ensure!(
        told["data"]["visitor"] == json!(ada.page.visitor()),
        "{told}"
    );

    // A third time is too soon: the ack comes alone, and the row is one.
    ensure!(ada.does(vec![hesitation(), hesitation()]).await?.is_empty());
    let one =
        "SELECT toUInt64(count()) FROM events WHERE kind = 'exposure' AND name = 'rule:offer'";
    collector.sql_becomes(one, 1).await?;

    collector.kill()?;
    collector.restart()?;
    begun(&collector).await?;
    let mut again = ada.again(&collector).await?;
    ensure!(
        again
            .does(vec![hesitation(), hesitation()])
            .await?
            .is_empty()
    );
    // Whoever comes now is told: so the rules are at work, and Ada's silence says something.
    let mut eve = Visitor::come(&collector).await?;
    let there = eve.does(vec![hesitation(), hesitation()]).await?;
    eve.signal(there).await?;
    ensure!(receiver.next()?["data"]["visitor"] == json!(eve.page.visitor()));
    ensure!(receiver.is_quiet(), "somebody was told twice");
    ensure!(
        again.does(vec![Page::custom("goes")]).await?.is_empty(),
        "told again"
    );
    collector.sql_becomes(one, 2).await
}

#[tokio::test]
async fn who_is_held_out_is_recorded_and_not_told_and_the_lift_is_that_of_sql() -> Result<()> {
    let receiver = Receiver::start(SECRET)?;
    let sites = sites(receiver.port, 0.5);
    let collector = Collector::start_with_sites(&sites, &["--webhook-allow-private"]).await?;
    begun(&collector).await?;
    let mut visitors = Vec::new();
    for _ in 0..24 {
        let mut visitor = Visitor::come(&collector).await?;
        let there = visitor.does(vec![hesitation(), hesitation()]).await?;
        visitors.push((visitor, there.len()));
    }
    let all =
        "SELECT toUInt64(count()) FROM events WHERE kind = 'exposure' AND name = 'rule:offer'";
    collector.sql_becomes(all, 24).await?;
    let mut shown = 0;
    for (visitor, there) in &mut visitors {
        *there += visitor.does(vec![Page::order(1_000_000)]).await?.len();
        shown += *there as u64;
    }
    // One in 2^23 that all are on one side.
    ensure!((1..24).contains(&shown), "{shown} of 24 were told");
    let arms = eventually("all are counted", async || {
        let arms = counted(&collector).await?;
        let converted = |arm: &Value| arm["converted"].as_u64().unwrap_or(0);
        let sum: u64 = arms.as_array().into_iter().flatten().map(converted).sum();
        Ok((sum == 24).then_some(arms))
    })
    .await?;
    let [held_out, told] = arms.as_array().context("no variants")?.as_slice() else {
        anyhow::bail!("{arms}")
    };
    ensure!(
        held_out["variant"] == "held_out" && told["variant"] == "shown",
        "{arms}"
    );
    ensure!(
        told["visitors"] == shown && held_out["visitors"] == 24 - shown,
        "{shown}: {arms}"
    );
    ensure!(told["comparison"].is_object(), "no comparison: {arms}");
    let recorded = "SELECT toUInt64(count()) FROM events WHERE kind = 'exposure' \
        AND name = 'rule:offer' AND props['variant'] = 'shown'";
    collector.sql_becomes(recorded, shown).await
}

/// Waits until rules fire: when all history was seen.
pub(crate) async fn begun(collector: &Collector) -> Result<()> {
    eventually("history is complete", async || {
        let answer = collector.live("overview").await?;
        Ok((answer["basis"]["complete"] == true).then_some(()))
    })
    .await
}
