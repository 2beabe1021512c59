//! `POST /v1/sites/{site}/signals`: who may send, and which page of which visitor gets it.

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use upriver_tests::{Collector, Page, SIGNAL_TOKEN, SITE, WRITE_KEY};
use upriver_wire::answer::{Answer, Signal};
use upriver_wire::{VisitorId, envelope};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Longest a message may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

async fn open(collector: &Collector) -> Result<Socket> {
    let url = collector.url.replace("http://", "ws://");
    let url = format!("{url}/v1/stream?key={WRITE_KEY}");
    Ok(tokio_tungstenite::connect_async(url).await?.0)
}

async fn told(socket: &mut Socket) -> Result<Answer> {
    let next = async {
        loop {
            match socket.next().await.context("the stream ended")?? {
                Message::Binary(bytes) => return Ok(envelope::decode_answer(&bytes)?),
                Message::Ping(_) | Message::Pong(_) => {}
                other => anyhow::bail!("unexpected: {other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, next).await?
}

async fn signal(socket: &mut Socket) -> Result<Signal> {
    match told(socket).await? {
        Answer::Signal(signal) => Ok(signal),
        other => anyhow::bail!("no signal: {other:?}"),
    }
}

/// Sends a batch over the stream, which tells whose it is.
async fn arrive(socket: &mut Socket, page: &mut Page) -> Result<()> {
    let batch = page.bytes(vec![Page::press(0.5, 0.5)]);
    socket.send(Message::binary(batch)).await?;
    ensure!(matches!(told(socket).await?, Answer::Ack(_)));
    Ok(())
}

/// Sends a batch by HTTP; returns what its answer holds besides the ack.
async fn post(collector: &Collector, page: &mut Page) -> Result<Vec<Signal>> {
    let sent = collector
        .send(page.bytes(vec![Page::press(0.5, 0.5)]))
        .await?;
    ensure!(sent.status == 200, "{}", sent.status);
    let mut answers = envelope::decode_answers(&sent.body)?;
    ensure!(matches!(answers.pop(), Some(Answer::Ack(_))), "no ack last");
    let signals = answers.into_iter().map(|answer| match answer {
        Answer::Signal(signal) => Ok(signal),
        other => anyhow::bail!("{other:?}"),
    });
    signals.collect()
}

fn offer(visitor: VisitorId, more: &Value) -> Value {
    let mut body = json!({"visitor": visitor, "name": "offer", "payload": {"percent": 10}});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn a_signal_reaches_every_open_page_of_its_visitor_and_no_other() -> Result<()> {
    let collector = Collector::start().await?;
    let (mut one, mut two) = (open(&collector).await?, open(&collector).await?);
    let mut page = Page::new("/");
    arrive(&mut one, &mut page).await?;
    arrive(&mut two, &mut page).await?;
    let ada = page.visitor();
    let bob = VisitorId(ada.0 ^ 1);

    let (status, answer) = collector
        .signal(SIGNAL_TOKEN, SITE, &offer(bob, &json!({})))
        .await?;
    assert_eq!((status, &answer["streams"]), (202, &json!(0)));
    let (status, answer) = collector
        .signal(SIGNAL_TOKEN, SITE, &offer(ada, &json!({})))
        .await?;
    assert_eq!((status, &answer["streams"]), (202, &json!(2)));
    for socket in [&mut one, &mut two] {
        let signal = signal(socket).await?;
        assert_eq!(json!(signal.id), answer["id"]);
        assert_eq!(json!(signal.expires_ms), answer["expires_ms"]);
        assert_eq!(
            (&*signal.name, &*signal.payload),
            ("offer", r#"{"percent":10}"#)
        );
        assert!(signal.id < 1 << 53, "a script would round {}", signal.id);
    }
    // Batches go on as before.
    arrive(&mut one, &mut page).await
}

#[tokio::test]
async fn who_is_not_there_gets_it_with_the_next_answer_unless_it_has_expired() -> Result<()> {
    let collector = Collector::start().await?;
    let mut page = Page::new("/");
    let ada = page.visitor();
    let ask = async |more: Value| {
        let (status, answer) = collector
            .signal(SIGNAL_TOKEN, SITE, &offer(ada, &more))
            .await?;
        ensure!(status == 202, "{answer}");
        Ok(answer)
    };
    ask(json!({"expires_in_ms": 1})).await?;
    let kept = ask(json!({"payload": null})).await?;
    // One millisecond is over when the next answer has come.
    let [first] = &post(&collector, &mut page).await?[..] else {
        panic!("one was to come")
    };
    assert_eq!(
        (json!(first.id), &*first.payload),
        (kept["id"].clone(), "null")
    );
    assert!(post(&collector, &mut page).await?.is_empty());

    // The same over a stream that opens later.
    let kept = ask(json!({})).await?;
    let mut socket = open(&collector).await?;
    arrive(&mut socket, &mut page).await?;
    assert_eq!(json!(signal(&mut socket).await?.id), kept["id"]);
    Ok(())
}

#[tokio::test]
async fn only_the_signal_token_of_the_site_sends_and_only_what_is_right() -> Result<()> {
    let collector = Collector::start().await?;
    let mut page = Page::new("/");
    let ada = page.visitor();
    let read_token = Collector::bearer();
    let read_token = read_token.trim_start_matches("Bearer ");
    for (token, refusal) in [
        ("", (401, "unauthorized")),
        ("wrong", (401, "unauthorized")),
        (WRITE_KEY, (401, "unauthorized")),
        (read_token, (403, "insufficient_scope")),
    ] {
        let (status, answer) = collector
            .signal(token, SITE, &offer(ada, &json!({})))
            .await?;
        let code = answer["error"]["code"].as_str().unwrap_or_default();
        assert_eq!((status, code), refusal, "{token}");
    }
    let (status, _) = collector
        .signal(SIGNAL_TOKEN, "blog", &offer(ada, &json!({})))
        .await?;
    assert_eq!(status, 403);
    let url = format!("{}/v1/sites/{SITE}/signals", collector.url);
    let nobody = collector
        .http
        .post(&url)
        .json(&offer(ada, &json!({})))
        .send()
        .await?;
    assert_eq!(nobody.status().as_u16(), 401);
    for wrong in [
        json!({"name": ""}),
        json!({"name": "x".repeat(129)}),
        json!({"payload": "x".repeat(8 * 1024)}),
        json!({"expires_in_ms": 0}),
        json!({"visitor": "not hex"}),
        json!({"colour": "red"}),
    ] {
        let (status, answer) = collector
            .signal(SIGNAL_TOKEN, SITE, &offer(ada, &wrong))
            .await?;
        assert_eq!(status, 400, "{answer}");
    }
    // None of them was kept.
    assert!(post(&collector, &mut page).await?.is_empty());
    // As many as may wait, and one more.
    for count in 0..=16 {
        let (status, _) = collector
            .signal(SIGNAL_TOKEN, SITE, &offer(ada, &json!({})))
            .await?;
        assert_eq!(status, if count < 16 { 202 } else { 429 });
    }
    assert_eq!(post(&collector, &mut page).await?.len(), 16);
    Ok(())
}
