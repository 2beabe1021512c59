//! `GET /v1/stream`: the WebSocket up, and stopping while it is open.

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use upriver_tests::{Collector, Page, WRITE_KEY};
use upriver_wire::answer::{Answer, Refusal};
use upriver_wire::{ElementId, envelope};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(collector: &Collector, key: &str) -> Result<Socket> {
    let url = format!(
        "{}/v1/stream?key={key}",
        collector.url.replace("http://", "ws://")
    );
    Ok(tokio_tungstenite::connect_async(url).await?.0)
}

async fn answer(socket: &mut Socket) -> Result<Answer> {
    loop {
        match socket.next().await.context("the stream ended")?? {
            Message::Binary(bytes) => return Ok(envelope::decode_answer(&bytes)?),
            Message::Ping(_) | Message::Pong(_) => {}
            other => anyhow::bail!("unexpected: {other:?}"),
        }
    }
}

#[tokio::test]
async fn batches_go_up_and_answers_come_down() -> Result<()> {
    let collector = Collector::start().await?;
    let mut socket = open(&collector, WRITE_KEY).await?;
    let mut page = Page::new("/");

    // Without its descriptor the element is asked for, once it is known no more.
    let mut batch = page.batch(vec![Page::press(0.5, 0.5)]);
    batch.elements[0].descriptor = None;
    socket
        .send(Message::binary(envelope::encode(&batch, 0)))
        .await?;
    let Answer::Ack(ack) = answer(&mut socket).await? else {
        panic!("refused")
    };
    assert_eq!((ack.first_seq, ack.next_seq), (0, 1));
    assert_eq!(ack.need, vec![ElementId::of("buy")]);
    socket
        .send(Message::binary(page.bytes(vec![Page::press(0.5, 0.5)])))
        .await?;
    let Answer::Ack(ack) = answer(&mut socket).await? else {
        panic!("refused")
    };
    assert_eq!((ack.next_seq, ack.need), (2, vec![]));

    // A bad message is refused, and the stream goes on.
    socket.send(Message::binary(vec![1, 2, 3])).await?;
    let Answer::Refused(refused) = answer(&mut socket).await? else {
        panic!("taken")
    };
    assert_eq!(refused.refusal, Refusal::Bad);
    socket
        .send(Message::binary(page.bytes(vec![Page::press(0.5, 0.5)])))
        .await?;
    ensure!(matches!(answer(&mut socket).await?, Answer::Ack(_)));
    collector.sql_becomes("SELECT count() FROM events", 3).await
}

#[tokio::test]
async fn a_wrong_key_is_told_to_stop() -> Result<()> {
    let collector = Collector::start().await?;
    let mut socket = open(&collector, "wrong").await?;
    let Answer::Refused(refused) = answer(&mut socket).await? else {
        panic!("taken")
    };
    assert_eq!(refused.refusal, Refusal::Forbidden);
    let Some(Ok(Message::Close(Some(close)))) = socket.next().await else {
        panic!("still open")
    };
    assert_eq!(u16::from(close.code), 4401);
    Ok(())
}

#[tokio::test]
async fn asked_to_stop_it_closes_streams_drains_and_exits_with_0() -> Result<()> {
    let mut collector = Collector::start().await?;
    let mut socket = open(&collector, WRITE_KEY).await?;
    let mut page = Page::new("/");
    for _ in 0..20 {
        socket
            .send(Message::binary(page.bytes(vec![Page::press(0.5, 0.5)])))
            .await?;
        ensure!(matches!(answer(&mut socket).await?, Answer::Ack(_)));
    }
    let clickhouse = collector.clickhouse_pid().await?;
    let status = collector.stop().await?;
    ensure!(status.success(), "{status}");
    let Some(Ok(Message::Close(Some(close)))) = socket.next().await else {
        panic!("still open")
    };
    assert_eq!(u16::from(close.code), 1012);
    ensure!(
        rustix::process::test_kill_process(clickhouse).is_err(),
        "its ClickHouse still runs"
    );

    // Everything was inserted before it exited: nothing is left for the next start to insert.
    collector.restart()?;
    assert_eq!(collector.sql("SELECT count() FROM events").await?, 20);
    Ok(())
}
