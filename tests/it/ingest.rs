//! `POST /v1/batch`: what is taken, what is refused, and that a refusal harms nobody else.

use anyhow::{Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;
use upriver_tests::{Collector, Page, WRITE_KEY};
use upriver_wire::answer::Answer;
use upriver_wire::envelope;

#[tokio::test]
async fn a_batch_is_acknowledged_counted_live_and_found_in_clickhouse_once() -> Result<()> {
    let collector = Collector::start().await?;
    let mut page = Page::new("/").from_campaign("spring");
    let view = page.view("/product/kettle");
    let bytes = page.bytes(vec![view, Page::press(0.5, 0.5), Page::press(0.99, 0.01)]);
    for _ in 0..3 {
        let sent = collector.send(bytes.clone()).await?;
        ensure!(
            sent.status == 200,
            "{}",
            String::from_utf8_lossy(&sent.body)
        );
        let Answer::Ack(ack) = envelope::decode_answer(&sent.body)? else {
            panic!("refused")
        };
        assert_eq!((ack.first_seq, ack.next_seq), (0, 3));
        assert_eq!(ack.need, vec![]);
    }
    collector
        .sql_becomes("SELECT count() FROM events", 3)
        .await?;
    assert_eq!(collector.live("overview").await?["presses"], 2);
    let rows = "SELECT count() FROM events WHERE kind = 'press' AND path = '/product/kettle' \
                AND utm_campaign = 'spring' AND cell IN (136, 15) AND page_y = 200";
    assert_eq!(collector.sql(rows).await?, 2);
    collector
        .sql_becomes("SELECT sum(presses) FROM heatmap", 2)
        .await?;
    let described = "SELECT count() FROM elements WHERE selector = '#buy' AND label = 'Buy'";
    assert_eq!(collector.sql(described).await?, 1);
    Ok(())
}

#[tokio::test]
async fn what_sent_a_batch_is_kept_by_family_and_scored() -> Result<()> {
    let collector = Collector::start().await?;
    let agents = [
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
         HeadlessChrome/140.0.0.0 Safari/537.36",
    ];
    let url = format!("{}/v1/batch?key={WRITE_KEY}", collector.url);
    for agent in agents {
        let bytes = Page::new("/").bytes(vec![Page::press(0.5, 0.5)]);
        let request = collector.http.post(&url).header("user-agent", agent);
        ensure!(request.body(bytes).send().await?.status() == 200);
    }
    let rows = "SELECT count() FROM events WHERE os = 'Linux' AND (browser, bot_score, bot_reasons) \
                IN [('Firefox', 0, []), ('Chrome', 90, ['robot'])]";
    collector.sql_becomes(rows, 2).await
}

#[tokio::test]
async fn json_gives_a_verdict_for_each_event() -> Result<()> {
    let collector = Collector::start().await?;
    let mut page = Page::new("/meter");
    let mut batch = serde_json::to_value(page.batch(vec![Page::custom("a"), Page::custom("b")]))?;
    let sent = collector.send(serde_json::to_vec(&batch)?).await?;
    assert_eq!(verdicts(&sent.body)?, ["ok", "ok"]);

    let events = batch["events"].as_array_mut().unwrap();
    events.push(json!({"body": {"no_such_kind": {}}}));
    events.push(json!({"delta_ms": 1, "body": {"custom": {"name": "c"}}}));
    let sent = collector.send(serde_json::to_vec(&batch)?).await?;
    assert_eq!(
        verdicts(&sent.body)?,
        ["duplicate", "duplicate", "rejected", "ok"]
    );

    collector
        .sql_becomes("SELECT count() FROM events", 3)
        .await?;
    collector
        .sql_becomes(
            "SELECT count() FROM dead_letters WHERE code = 'invalid_event'",
            1,
        )
        .await
}

fn verdicts(body: &[u8]) -> Result<Vec<String>> {
    let answer: Value = serde_json::from_slice(body)?;
    let events = answer["events"].as_array().expect("a list of events");
    Ok(events
        .iter()
        .map(|event| event["verdict"].as_str().unwrap().to_owned())
        .collect())
}

/// A thousand bodies that make no sense, among batches that do.
#[tokio::test]
async fn malformed_bodies_are_refused_kept_and_harm_no_neighbour() -> Result<()> {
    let collector = Collector::start().await?;
    let mut page = Page::new("/");
    let good = page.bytes(vec![Page::press(0.1, 0.1); 5]);
    let mut neighbours = 0;
    for number in 0..1_000_usize {
        let sent = collector.send(malformed(&good, number)).await?;
        let text = String::from_utf8_lossy(&sent.body).into_owned();
        ensure!(
            (400..500).contains(&sent.status),
            "body {number}: {} {text}",
            sent.status
        );
        let error: Value = serde_json::from_str(&text)?;
        ensure!(
            error["error"]["message"]
                .as_str()
                .is_some_and(|m| m.len() > 10),
            "{text}"
        );
        if number % 10 == 0 {
            neighbours += 2;
            let bytes = page.bytes(vec![Page::press(0.2, 0.2), Page::custom("x")]);
            assert_eq!(collector.send(bytes).await?.status, 200);
        }
    }
    collector
        .sql_becomes("SELECT count() FROM dead_letters", 1_000)
        .await?;
    collector
        .sql_becomes("SELECT count() FROM events", neighbours)
        .await?;
    assert_eq!(collector.live("overview").await?["customs"], neighbours / 2);
    Ok(())
}

/// One of many ways in which a body can be wrong.
fn malformed(good: &[u8], number: usize) -> Vec<u8> {
    let text = |value: Value| value.to_string().into_bytes();
    let body = &good[envelope::HEADER_BYTES..];
    match number % 8 {
        0 => good[..1 + number % (good.len() - 1)].to_vec(),
        1 => [&[2 + (number % 200) as u8], &good[1..]]
            .concat()
            .into_iter()
            .collect(),
        2 => [good, &good[..1 + number % 20]].concat(),
        3 => (0..number % 300)
            .map(|i| (i * 31 + number) as u8 | 0x80)
            .collect(),
        4 => vec![b'{'; 1 + number % 50],
        5 => text(json!({"stream": "1", "visitor": "2", "first_seq": 0, "first_ms": 1})),
        6 => text(
            json!({"stream": "0", "visitor": "2", "first_seq": number, "first_ms": 1, "events": [{"body": {"custom": {"name": "x"}}}]}),
        ),
        // An element that the batch does not have.
        _ => {
            let mut bad = good[..envelope::HEADER_BYTES].to_vec();
            bad.extend_from_slice(body);
            let (mut batch, sent_at) = envelope::decode(&bad).expect("a good batch");
            batch.elements.clear();
            batch.first_seq = 1_000_000 + number as u64;
            envelope::encode(&batch, sent_at)
        }
    }
}

#[tokio::test]
async fn keys_origins_and_sizes_are_checked() -> Result<()> {
    let collector = Collector::start().await?;
    let bytes = Page::new("/").bytes(vec![Page::press(0.5, 0.5)]);
    assert_eq!(
        collector.send_to("/v1/batch", bytes.clone()).await?.status,
        401
    );
    assert_eq!(
        collector
            .send_to("/v1/batch?key=wrong", bytes.clone())
            .await?
            .status,
        401
    );

    let url = format!("{}/v1/batch?key={WRITE_KEY}", collector.url);
    let post = |origin: &str| {
        collector
            .http
            .post(&url)
            .header("origin", origin)
            .body(bytes.clone())
    };
    assert_eq!(
        post("https://evil.example").send().await?.status().as_u16(),
        403
    );
    let allowed = post("https://shop.example").send().await?;
    assert_eq!(allowed.status().as_u16(), 200);
    assert_eq!(
        allowed.headers()["access-control-allow-origin"],
        "https://shop.example"
    );

    assert_eq!(collector.send(vec![1; 300 * 1024]).await?.status, 413);
    let brotli = collector
        .http
        .post(&url)
        .header("content-encoding", "br")
        .body(bytes.clone());
    assert_eq!(brotli.send().await?.status().as_u16(), 415);
    collector.sql_becomes("SELECT count() FROM events", 1).await
}

#[tokio::test]
async fn a_gzip_body_is_taken_with_a_header_or_without_and_a_damaged_one_is_kept() -> Result<()> {
    let collector = Collector::start().await?;
    let mut page = Page::new("/");
    let url = format!("{}/v1/batch?key={WRITE_KEY}", collector.url);
    for header in [None, Some("gzip")] {
        let batch = page.bytes(vec![Page::press(0.5, 0.5)]);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&batch)?;
        let mut post = collector.http.post(&url).body(encoder.finish()?);
        if let Some(encoding) = header {
            post = post.header("content-encoding", encoding);
        }
        assert_eq!(post.send().await?.status().as_u16(), 200);
    }
    let damaged = vec![0x1f, 0x8b, 8, 0, 1, 2, 3];
    assert_eq!(collector.send(damaged).await?.status, 400);
    let letters = "SELECT count() FROM dead_letters WHERE code = 'malformed_gzip'";
    collector.sql_becomes(letters, 1).await?;
    let presses = "SELECT count() FROM events WHERE kind = 'press'";
    collector.sql_becomes(presses, 2).await
}

#[tokio::test]
async fn too_many_batches_from_one_address_are_told_when_to_come_back() -> Result<()> {
    // The last of two equal flags counts.
    let collector =
        Collector::start_with(&["--batches-per-s", "1", "--batches-burst", "5"]).await?;
    let mut page = Page::new("/");
    let mut refused = 0;
    for _ in 0..20 {
        let sent = collector
            .send(page.bytes(vec![Page::press(0.5, 0.5)]))
            .await?;
        if sent.status == 429 {
            ensure!(
                sent.retry_after.is_some_and(|seconds| seconds >= 1),
                "{sent:?}"
            );
            refused += 1;
        }
    }
    ensure!((12..=15).contains(&refused), "{refused} of 20 were refused");
    Ok(())
}

#[tokio::test]
async fn health_readiness_and_metrics_answer() -> Result<()> {
    let collector = Collector::start().await?;
    collector
        .send(Page::new("/").bytes(vec![Page::press(0.5, 0.5)]))
        .await?;
    let get = async |path: &str| -> Result<(u16, String)> {
        let response = collector
            .http
            .get(format!("{}{path}", collector.url))
            .send()
            .await?;
        Ok((response.status().as_u16(), response.text().await?))
    };
    assert_eq!(get("/healthz").await?, (200, "ok\n".into()));
    let (status, body) = get("/readyz").await?;
    ensure!(status == 200 && body.contains("\"ready\":true"), "{body}");
    let (_, metrics) = get("/metrics").await?;
    ensure!(
        metrics.contains("upriver_events_total{site=\"shop\",verdict=\"ok\"} 1"),
        "{metrics}"
    );
    let (status, body) = get("/v1/me").await?;
    ensure!(status == 401 && body.contains("login link"), "{body}");
    Ok(())
}
