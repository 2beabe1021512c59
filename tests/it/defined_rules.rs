//! Rules that are made, changed and removed while the collector runs: at work at once, like those of
//! the sites file, still there after a kill, and nobody is told twice because of a change.

use crate::definitions::{answer, ask};
use crate::rules::{SECRET, Visitor, begun, counted, hesitation};
use crate::webhooks::Receiver;
use anyhow::{Context, Result, ensure};
use reqwest::{Method, RequestBuilder};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use upriver_tests::{ADMIN_TOKEN, Collector, Page, SITE, WRITE_KEY};

const FLAGS: [&str; 1] = ["--webhook-allow-private"];

fn sites(port: u16) -> String {
    format!(
        r#"
[[site]]
id = "{SITE}"
write_key = "{WRITE_KEY}"
read_token = "rt_test_0001"
admin_token = "{ADMIN_TOKEN}"

[[site.webhook]]
id = "chat"
url = "http://127.0.0.1:{port}/"
secret = "{SECRET}"

[[site.rule]]
id = "angry"
step = [{{ kind = "rage" }}]
"#
    )
}

fn put(collector: &Collector, id: &str, rule: &Value) -> RequestBuilder {
    ask(collector, Method::PUT, &format!("/rule/{id}")).json(rule)
}

/// A second hesitation before a product is worth an offer.
fn offer(percent: u64) -> Value {
    json!({
        "step": [{"kind": "hesitation", "page": "/product/*", "times": 2}],
        "unless": [{"kind": "press"}],
        "window": "60s",
        "signal": "offer",
        "payload": {"percent": percent},
        "webhook": "chat",
    })
}

/// Somebody who was not there before hesitates twice: what their page is told.
async fn newcomer_is_told(collector: &Collector) -> Result<String> {
    let mut visitor = Visitor::come(collector).await?;
    let there = visitor.does(vec![hesitation(), hesitation()]).await?;
    Ok(visitor.signal(there).await?.payload)
}

#[tokio::test]
async fn a_defined_rule_tells_at_once_and_after_a_kill_and_nobody_twice() -> Result<()> {
    let receiver = Receiver::start(SECRET)?;
    let mut collector = Collector::start_with_sites(&sites(receiver.port), &FLAGS).await?;
    begun(&collector).await?;
    let mut ada = Visitor::come(&collector).await?;
    // What was before does not count for it.
    ensure!(ada.does(vec![hesitation()]).await?.is_empty());
    let first = put(&collector, "offer", &offer(10)).header("if-none-match", "*");
    let (status, made) = answer(first).await?;
    ensure!(status == 201 && made["version"] == 1, "{status} {made}");
    ensure!(ada.does(vec![hesitation()]).await?.is_empty());
    let there = ada.does(vec![hesitation()]).await?;
    let signal = ada.signal(there).await?;
    ensure!(
        (&*signal.name, &*signal.payload) == ("offer", r#"{"percent":10}"#),
        "{signal:?}"
    );
    let told = receiver.next()?;
    ensure!(
        told["data"]["visitor"] == json!(ada.page.visitor()),
        "{told}"
    );

    // Changed it tells another thing, and not again whom it has told.
    let changed = put(&collector, "offer", &offer(20)).header("if-match", "\"1\"");
    let (status, changed) = answer(changed).await?;
    ensure!(
        status == 200 && changed["version"] == 2,
        "{status} {changed}"
    );
    ensure!(ada.does(vec![hesitation(), hesitation()]).await?.is_empty());
    ensure!(newcomer_is_told(&collector).await? == r#"{"percent":20}"#);
    ensure!(receiver.next()?["type"] == "rule.fired");
    ensure!(
        ada.does(vec![Page::custom("stays")]).await?.is_empty(),
        "told again"
    );

    collector.kill()?;
    collector.restart()?;
    begun(&collector).await?;
    let mut ada = ada.again(&collector).await?;
    ensure!(ada.does(vec![hesitation(), hesitation()]).await?.is_empty());
    ensure!(newcomer_is_told(&collector).await? == r#"{"percent":20}"#);
    ensure!(receiver.next()?["type"] == "rule.fired");
    ensure!(
        ada.does(vec![Page::custom("stays")]).await?.is_empty(),
        "told again after the restart"
    );

    // Removed it tells nobody; what the sites file has goes on, and is recorded after it.
    let (status, _) = answer(ask(&collector, Method::DELETE, "/rule/offer")).await?;
    ensure!(status == 200, "{status}");
    let recorded = |rule: &str| {
        format!("SELECT count() FROM events WHERE kind = 'exposure' AND name = 'rule:{rule}'")
    };
    for round in 1..=2 {
        let mut eve = Visitor::come(&collector).await?;
        let bodies = vec![hesitation(), hesitation(), rage()];
        ensure!(eve.does(bodies).await?.is_empty(), "a removed rule tells");
        collector.sql_becomes(&recorded("angry"), round).await?;
        collector.sql_becomes(&recorded("offer"), 3).await?;
        collector.kill()?;
        collector.restart()?;
        begun(&collector).await?;
    }
    ensure!(receiver.is_quiet(), "a removed rule tells, or twice");

    // It knows whom it had told when it comes back.
    let (status, back) = answer(put(&collector, "offer", &offer(30))).await?;
    ensure!(status == 200 && back["version"] == 4, "{status} {back}");
    let mut ada = ada.again(&collector).await?;
    ensure!(ada.does(vec![hesitation(), hesitation()]).await?.is_empty());
    ensure!(newcomer_is_told(&collector).await? == r#"{"percent":30}"#);
    ensure!(
        ada.does(vec![Page::custom("goes")]).await?.is_empty(),
        "told again"
    );
    Ok(())
}

fn rage() -> upriver_wire::batch::Body {
    upriver_wire::batch::Body::Rage(upriver_wire::batch::Rage::default())
}

#[tokio::test]
async fn whom_a_former_rule_of_the_sites_file_told_is_not_told_again_by_one_with_its_id()
-> Result<()> {
    let without = sites(9);
    let with = format!(
        "{without}\n[[site.rule]]\nid = \"offer\"\nsignal = \"offer\"\n\
         step = [{{ kind = \"hesitation\", times = 2 }}]\n"
    );
    let mut collector = Collector::start_with_sites(&with, &[]).await?;
    begun(&collector).await?;
    let mut ada = Visitor::come(&collector).await?;
    let there = ada.does(vec![hesitation(), hesitation()]).await?;
    ensure!(ada.signal(there).await?.name == "offer");

    // The file has it no more; then it is made anew, and no start comes after that.
    collector.kill()?;
    std::fs::write(collector.data().with_file_name("sites.toml"), without)?;
    collector.restart()?;
    begun(&collector).await?;
    let mut rule = offer(20);
    rule["webhook"].take();
    let (status, made) = answer(put(&collector, "offer", &rule)).await?;
    ensure!(status == 201, "{status} {made}");
    let mut ada = ada.again(&collector).await?;
    ensure!(ada.does(vec![hesitation(), hesitation()]).await?.is_empty());
    ensure!(newcomer_is_told(&collector).await? == r#"{"percent":20}"#);
    ensure!(
        ada.does(vec![Page::custom("stays")]).await?.is_empty(),
        "told again"
    );
    Ok(())
}

#[tokio::test]
async fn what_a_defined_rule_brings_is_compared_by_its_shares_also_when_it_is_gone() -> Result<()> {
    const VISITORS: u64 = 40;
    let mut collector = Collector::start_with_sites(&sites(9), &[]).await?;
    begun(&collector).await?;
    let mut rule = offer(10);
    rule["holdout"] = json!(0.25);
    rule["webhook"].take();
    let (status, made) = answer(put(&collector, "offer", &rule)).await?;
    ensure!(status == 201, "{made}");
    let mut shown = 0;
    let mut visitors = Vec::new();
    for _ in 0..VISITORS {
        let mut visitor = Visitor::come(&collector).await?;
        let there = visitor.does(vec![hesitation(), hesitation()]).await?;
        visitors.push((visitor, there.len() as u64));
    }
    let all =
        "SELECT toUInt64(count()) FROM events WHERE kind = 'exposure' AND name = 'rule:offer'";
    collector.sql_becomes(all, VISITORS).await?;
    for (visitor, there) in &mut visitors {
        shown += *there + visitor.does(vec![Page::order(1_000_000)]).await?.len() as u64;
    }
    // One in 10^5 that nobody is left out.
    ensure!(
        (1..VISITORS).contains(&shown),
        "{shown} of {VISITORS} were told"
    );
    collector.live_is_whole().await?;
    let compared = |arms: &Value| -> Result<()> {
        let [held_out, told] = arms.as_array().context("no variants")?.as_slice() else {
            anyhow::bail!("{arms}")
        };
        ensure!(
            held_out["variant"] == "held_out" && held_out["share"] == 0.25,
            "{arms}"
        );
        ensure!(
            told["visitors"] == shown && held_out["visitors"] == VISITORS - shown,
            "{shown}: {arms}"
        );
        ensure!(
            told["converted"] == shown && told["comparison"].is_object(),
            "{arms}"
        );
        Ok(())
    };
    compared(&counted(&collector).await?)?;
    let (status, _) = answer(ask(&collector, Method::DELETE, "/rule/offer")).await?;
    ensure!(status == 200, "{status}");
    compared(&counted(&collector).await?)?;
    collector.kill()?;
    collector.restart()?;
    begun(&collector).await?;
    compared(&counted(&collector).await?)
}

#[tokio::test]
async fn a_rule_defined_while_clickhouse_is_away_is_at_work_and_wrong_ones_are_refused()
-> Result<()> {
    let mut collector = Collector::start_with_sites(&sites(9), &[]).await?;
    begun(&collector).await?;
    let clickhouse = collector.clickhouse_pid().await?;
    // Stopped, not ended: it holds its connections and answers nothing.
    kill_process(clickhouse, Signal::STOP)?;
    let mut rule = offer(10);
    rule["webhook"].take();
    let (status, made) = answer(put(&collector, "offer", &rule)).await?;
    ensure!(status == 201, "{status} {made}");
    ensure!(newcomer_is_told(&collector).await? == r#"{"percent":10}"#);
    collector.kill()?;
    // It ends with its parent as soon as it can see that.
    kill_process(clickhouse, Signal::CONT)?;
    collector.restart()?;
    begun(&collector).await?;
    ensure!(newcomer_is_told(&collector).await? == r#"{"percent":10}"#);
    collector
        .sql_becomes(
            "SELECT count() FROM definitions FINAL WHERE kind = 'rule'",
            1,
        )
        .await?;

    let with = |field: &str, value: Value| {
        let mut rule = rule.clone();
        rule[field] = value;
        rule
    };
    for (id, rule, expected, says) in [
        ("offer", with("holdout", json!(2)), 400, "holdout"),
        ("offer", with("window", json!("2h")), 400, "window"),
        ("offer", with("step", json!([])), 400, "step"),
        ("offer", with("webhook", json!("mail")), 400, "webhook"),
        ("offer", with("every", json!(5)), 400, "every"),
        ("offer", with("colour", json!("red")), 400, "`colour`"),
        ("a.b", rule.clone(), 400, "id must be"),
        (
            "angry",
            rule.clone(),
            409,
            "rule \"angry\" stands in the sites file",
        ),
    ] {
        let (status, said) = answer(put(&collector, id, &rule)).await?;
        let message = said["error"]["message"].as_str().unwrap_or_default();
        ensure!(
            status == expected && message.contains(says),
            "{status} {said}"
        );
    }
    // One is in the sites file, one was there, and 48 more fit.
    for number in 0..48 {
        let (status, said) = answer(put(&collector, &format!("r{number}"), &rule)).await?;
        ensure!(status == 201, "{said}");
    }
    let (status, said) = answer(put(&collector, "r48", &rule)).await?;
    let message = said["error"]["message"].as_str().unwrap_or_default();
    ensure!(
        status == 409 && message.contains("50 rules already"),
        "{said}"
    );
    let (status, said) = answer(put(&collector, "r1", &rule)).await?;
    ensure!(status == 200, "one that is there may be changed: {said}");
    let (_, listed) = answer(ask(&collector, Method::GET, "")).await?;
    let listed = listed["definitions"].as_array().context("none")?;
    let from = |source: &str| listed.iter().filter(|one| one["source"] == source).count();
    ensure!((from("file"), from("api")) == (1, 49), "{listed:#?}");
    Ok(())
}
