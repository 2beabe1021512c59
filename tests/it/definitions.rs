//! `/v1/sites/{site}/definitions`: funnels that are made while the collector runs count as if they had
//! always been there; of two changes one wins; nothing is lost by a kill, or with ClickHouse away.

use anyhow::{Context, Result, ensure};
use reqwest::{Method, RequestBuilder};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use upriver_tests::{ADMIN_TOKEN, Collector, Page, SITE, eventually};

/// A request about the definitions of the site, or about the one at `place`.
pub(crate) fn ask(collector: &Collector, method: Method, place: &str) -> RequestBuilder {
    ask_of(collector, (SITE, ADMIN_TOKEN), method, place)
}

/// The same of another site, with the token that defines things there.
pub(crate) fn ask_of(
    collector: &Collector,
    (site, token): (&str, &str),
    method: Method,
    place: &str,
) -> RequestBuilder {
    let url = format!("{}/v1/sites/{site}/definitions{place}", collector.url);
    collector.http.request(method, url).bearer_auth(token)
}

/// Its status and its body.
pub(crate) async fn answer(request: RequestBuilder) -> Result<(u16, Value)> {
    let response = request.send().await?;
    Ok((response.status().as_u16(), response.json().await?))
}

fn buys(window: &str) -> Value {
    json!({"name": "Buys", "window": window, "step": [
        {"name": "Home", "kind": "page_view", "page": "/"},
        {"name": "Order", "kind": "conversion", "event": "order"},
    ]})
}

async fn visit(collector: &Collector, visitors: u64) -> Result<()> {
    for number in 0..visitors {
        let mut page = Page::new("/");
        let mut bodies = vec![page.view("/"), Page::press(0.5, 0.9)];
        if number % 3 == 0 {
            bodies.push(Page::order(19_990_000));
        }
        let sent = collector.send(page.bytes(bodies)).await?;
        ensure!(sent.status == 200, "{sent:?}");
    }
    Ok(())
}

/// Visitors by step once the numbers are complete, which must be those of the SQL beside them.
async fn steps(collector: &Collector, id: &str) -> Result<Vec<u64>> {
    let funnel = eventually("the funnel is complete", async || {
        let funnel = collector.live(&format!("funnel?id={id}")).await?;
        Ok((funnel["basis"]["complete"] == true).then_some(funnel))
    })
    .await?;
    let steps = funnel["steps"].as_array().context("no steps")?;
    let steps: Vec<u64> = steps
        .iter()
        .filter_map(|step| step["visitors"].as_u64())
        .collect();
    let sql = funnel["basis"]["sql"].as_str().context("no sql")?;
    for (at, visitors) in steps.iter().enumerate() {
        let step = format!("SELECT visitors FROM ({sql}) WHERE step = {}", at + 1);
        collector.sql_becomes(&step, *visitors).await?;
    }
    Ok(steps)
}

#[tokio::test]
async fn a_funnel_defined_while_running_counts_what_was_before_and_what_comes() -> Result<()> {
    let mut collector = Collector::start().await?;
    visit(&collector, 30).await?;
    let (status, made) =
        answer(ask(&collector, Method::PUT, "/funnel/buys").json(&buys("30m"))).await?;
    ensure!(status == 201 && made["version"] == 1, "{status} {made}");
    visit(&collector, 30).await?;
    assert_eq!(steps(&collector, "buys").await?, [60, 20]);

    // Another window is another funnel, counted anew.
    let changed = ask(&collector, Method::PUT, "/funnel/buys").json(&buys("1h"));
    let (status, changed) = answer(changed.header("if-match", "\"1\"")).await?;
    ensure!(
        status == 200 && changed["version"] == 2,
        "{status} {changed}"
    );
    visit(&collector, 3).await?;
    assert_eq!(steps(&collector, "buys").await?, [63, 21]);

    // It is there after a kill, with its past.
    collector.kill()?;
    collector.restart()?;
    assert_eq!(steps(&collector, "buys").await?, [63, 21]);
    let (_, listed) = answer(
        collector
            .http
            .get(format!("{}/v1/live", collector.url))
            .header("authorization", Collector::bearer()),
    )
    .await?;
    let ids: Vec<_> = listed["funnels"]
        .as_array()
        .context("no funnels")?
        .iter()
        .map(|funnel| &funnel["id"])
        .collect();
    assert_eq!(ids, ["checkout", "buys"]);

    let (status, _) = answer(ask(&collector, Method::DELETE, "/funnel/buys")).await?;
    ensure!(status == 200, "{status}");
    ensure!(
        collector.live("funnel?id=buys").await.is_err(),
        "it is still counted"
    );
    // Every version is kept, here and in ClickHouse.
    let (_, versions) = answer(ask(&collector, Method::GET, "/funnel/buys/versions")).await?;
    let versions = versions["versions"]
        .as_array()
        .context("no versions")?
        .clone();
    assert_eq!(versions.len(), 3);
    assert_eq!(versions[1]["body"]["window"], "1h");
    assert_eq!(versions[2]["body"], Value::Null);
    let told = "SELECT count() FROM definitions FINAL WHERE site = 'shop' AND kind = 'funnel' AND id = 'buys'";
    collector.sql_becomes(told, 3).await
}

#[tokio::test]
async fn of_two_changes_one_wins_and_what_is_wrong_is_said() -> Result<()> {
    let collector = Collector::start().await?;
    let release = json!({"name": "2.4.0", "at_ms": 1_795_000_000_000_u64});
    let put = |place: &str, body: &Value| ask(&collector, Method::PUT, place).json(body);
    let (status, _) = answer(put("/release/r1", &release).header("if-none-match", "*")).await?;
    ensure!(status == 201, "{status}");
    for (request, expected, says) in [
        (
            put("/release/r1", &release).header("if-none-match", "*"),
            412,
            "version 1 is there",
        ),
        (
            put("/release/r1", &release).header("if-match", "\"9\""),
            412,
            "version 1 is there",
        ),
        (
            put("/release/r1", &release).header("if-match", "x"),
            400,
            "must be a version",
        ),
        (
            put("/release/r2", &json!({"nam": "x"})),
            400,
            "unknown field",
        ),
        (put("/release/a%20b", &release), 400, "letters"),
        (
            put("/goal/r1", &release),
            404,
            "possible: funnel, rule, alert, release",
        ),
        (put("/funnel/checkout", &buys("30m")), 409, "sites file"),
        (put("/funnel/f", &buys("90d")), 400, "between 1ms and 30d"),
        (
            ask(&collector, Method::DELETE, "/release/none"),
            404,
            "no such definition",
        ),
        (
            ask(&collector, Method::GET, "/release/none"),
            404,
            "no release none",
        ),
    ] {
        let (status, said) = answer(request).await?;
        let message = said["error"]["message"].as_str().unwrap_or_default();
        ensure!(
            status == expected && message.contains(says),
            "{status} {said}"
        );
    }
    // Who reads may read; who sends signals may not even that; nobody without a token.
    let url = format!("{}/v1/sites/{SITE}/definitions", collector.url);
    let reader = collector
        .http
        .get(&url)
        .header("authorization", Collector::bearer());
    let (status, all) = answer(reader).await?;
    ensure!(status == 200, "{status}");
    let all: Vec<_> = all["definitions"]
        .as_array()
        .context("none")?
        .iter()
        .map(|one| (one["source"].clone(), one["id"].clone()))
        .collect();
    assert_eq!(
        all,
        [
            (json!("file"), json!("checkout")),
            (json!("api"), json!("r1"))
        ]
    );
    let reader = collector
        .http
        .put(format!("{url}/release/r1"))
        .header("authorization", Collector::bearer());
    ensure!(answer(reader.json(&release)).await?.0 == 403);
    ensure!(answer(collector.http.get(&url)).await?.0 == 401);
    Ok(())
}

/// Sites with one of everything that the file can define, and what nobody may be told.
const OF_EVERYTHING: &str = r#"
[[site]]
id = "shop"
write_key = "wk_test_0001"
read_token = "rt_test_0001"
admin_token = "at_test_0001"

[[site.webhook]]
id = "chat"
url = "http://127.0.0.1:9/hidden"
secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

[[site.funnel]]
id = "checkout"
name = "From product to order"
window = "30m"
step = [
  { name = "Product", kind = "page_view", page = "/product/*" },
  { name = "Order", kind = "conversion", event = "order", props = { paid = "*" } },
]
exclude = [{ name = "Back", kind = "page_view", page = "/returns/*" }]

[[site.rule]]
id = "offer"
step = [{ kind = "hesitation", times = 2 }]
holdout = 0.25
signal = "offer"
payload = { percent = 10 }
webhook = "chat"

[[site.alert]]
id = "spring"
kinds = ["campaign_not_converting"]
campaign = "spring*"
webhooks = ["chat"]

[[site.experiment]]
id = "buy-button"
variant = [{ name = "green", share = 90 }, { name = "red", share = 10 }]
"#;

#[tokio::test]
async fn all_that_holds_is_told_whole_and_nothing_secret() -> Result<()> {
    let collector = Collector::start_with_sites(OF_EVERYTHING, &[]).await?;
    let (status, made) =
        answer(ask(&collector, Method::PUT, "/funnel/buys").json(&buys("30m"))).await?;
    ensure!(status == 201, "{made}");
    let (_, all) = answer(ask(&collector, Method::GET, "")).await?;
    let in_file = |kind: &str, id: &str, body: Value| json!({"kind": kind, "id": id, "source": "file", "version": 0, "body": body});
    let checkout = json!({
        "name": "From product to order", "window": "30m",
        "step": [
            {"name": "Product", "kind": "page_view", "page": "/product/*"},
            {"name": "Order", "kind": "conversion", "event": "order", "props": {"paid": "*"}},
        ],
        "exclude": [{"name": "Back", "kind": "page_view", "page": "/returns/*"}],
    });
    let offer = json!({
        "step": [{"kind": "hesitation", "times": 2}], "window": "10m", "after": "0s", "every": "1day",
        "holdout": 0.25, "signal": "offer", "payload": {"percent": 10}, "expires": "1m", "webhook": "chat",
    });
    let spring = json!({
        "kinds": ["campaign_not_converting"], "campaign": "spring*", "webhooks": ["chat"],
    });
    let shares = json!({
        "variant": [{"name": "green", "share": 90.0}, {"name": "red", "share": 10.0}],
    });
    let wanted = [
        in_file("funnel", "checkout", checkout),
        in_file("rule", "offer", offer),
        in_file("alert", "spring", spring),
        in_file("experiment", "buy-button", shares),
        made,
    ];
    assert_eq!(all["definitions"], json!(wanted));
    let text = all.to_string();
    for secret in ["hidden", "whsec_", "wk_test", "rt_test", "at_test"] {
        ensure!(!text.contains(secret), "{secret} is told: {text}");
    }
    for one in &wanted {
        let (kind, id) = (&one["kind"], &one["id"]);
        let place = format!(
            "/{}/{}",
            kind.as_str().context("no kind")?,
            id.as_str().context("no id")?
        );
        let (status, told) = answer(ask(&collector, Method::GET, &place)).await?;
        ensure!(status == 200 && told == *one, "{place}: {status} {told}");
        let (_, versions) =
            answer(ask(&collector, Method::GET, &format!("{place}/versions"))).await?;
        assert_eq!(versions["versions"], json!([one]), "{place}");
        // What is told can be said again; only the plans of experiments are for the file alone.
        let again = ask(&collector, Method::PUT, &format!("{place}-2")).json(&one["body"]);
        let (status, said) = answer(again).await?;
        ensure!(
            status == if kind == "experiment" { 404 } else { 201 },
            "{place}: {status} {said}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_is_defined_while_clickhouse_is_away_is_there_and_comes_to_it() -> Result<()> {
    let mut collector = Collector::start().await?;
    visit(&collector, 9).await?;
    collector
        .sql_becomes("SELECT count() FROM events", 21)
        .await?;
    let clickhouse = collector.clickhouse_pid().await?;
    // Stopped, not ended: it holds its connections and answers nothing.
    kill_process(clickhouse, Signal::STOP)?;
    let note = json!({"text": "Newsletter sent"});
    let (status, kept) =
        answer(ask(&collector, Method::PUT, "/annotation/news").json(&note)).await?;
    ensure!(
        status == 201 && kept["body"]["at_ms"].is_u64(),
        "{status} {kept}"
    );
    let (status, _) =
        answer(ask(&collector, Method::PUT, "/funnel/buys").json(&buys("30m"))).await?;
    ensure!(status == 201, "{status}");
    visit(&collector, 3).await?;
    // Its past cannot be read, and it says so.
    let funnel = collector.live("funnel?id=buys").await?;
    ensure!(funnel["basis"]["complete"] == false, "{funnel}");
    kill_process(clickhouse, Signal::CONT)?;
    assert_eq!(steps(&collector, "buys").await?, [12, 4]);
    collector
        .sql_becomes("SELECT count() FROM definitions FINAL", 2)
        .await?;

    // A collector whose file is lost learns them again.
    collector.stop().await?;
    std::fs::remove_file(collector.data().join("definitions.redb"))?;
    collector.restart()?;
    eventually("definitions come back", async || {
        let (status, found) = answer(ask(&collector, Method::GET, "/annotation/news")).await?;
        Ok((status == 200 && found["body"]["text"] == "Newsletter sent").then_some(()))
    })
    .await?;
    let there = eventually("the funnel comes back", async || {
        Ok(collector.live("funnel?id=buys").await.ok().map(|_| ()))
    });
    there.await?;
    assert_eq!(steps(&collector, "buys").await?, [12, 4]);
    Ok(())
}
