//! Coming back to a live resource: by `Last-Event-ID`, by `?after=`, by waiting for the next change, and by
//! an ETag. What is held afterwards is what a fresh answer holds, with nothing missed or brought twice.

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use serde_json::Value;
use std::collections::BTreeMap;
use upriver_tests::{Collector, Page, eventually};

/// What a subscriber to `pages` holds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Held {
    views: BTreeMap<String, u64>,
    cursor: String,
    snapshots: u32,
    seqs: Vec<u64>,
}

impl Held {
    fn take(&mut self, update: &Value) -> Result<()> {
        if update["type"] == "snapshot" {
            self.views.clear();
            self.snapshots += 1;
        }
        for row in update["data"]["rows"].as_array().context("no rows")? {
            let path = row["path"].as_str().context("no path")?;
            self.views
                .insert(path.into(), row["views"].as_u64().context("no views")?);
        }
        self.cursor = update["cursor"].as_str().context("no cursor")?.into();
        self.seqs.push(update["seq"].as_u64().context("no seq")?);
        Ok(())
    }

    fn total(&self) -> u64 {
        self.views.values().sum()
    }
}

async fn view(collector: &Collector, path: &str) -> Result<()> {
    let mut page = Page::new(path);
    let view = page.view(path);
    let sent = collector.send(page.bytes(vec![view])).await?;
    ensure!(sent.status == 200, "{sent:?}");
    Ok(())
}

fn get(collector: &Collector, resource: &str) -> reqwest::RequestBuilder {
    let request = collector
        .http
        .get(format!("{}/v1/live/{resource}", collector.url));
    request.header("authorization", Collector::bearer())
}

/// Listens to server-sent events from what is held on, until so many views are; then hangs up.
async fn listen(collector: &Collector, held: &mut Held, views: u64) -> Result<()> {
    let mut request = get(collector, "pages").header("accept", "text/event-stream");
    if !held.cursor.is_empty() {
        request = request.header("last-event-id", &held.cursor);
    }
    let mut bytes = request.send().await?.error_for_status()?.bytes_stream();
    let mut text = String::new();
    while held.total() < views {
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(60), bytes.next()).await?;
        text.push_str(std::str::from_utf8(&chunk.context("it ended")??)?);
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            let line = |name: &str| {
                event
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .map(str::trim)
            };
            let Some(data) = line("data:") else { continue };
            held.take(&serde_json::from_str(data)?)?;
            assert_eq!(line("id:"), Some(held.cursor.as_str()));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_subscriber_that_was_cut_off_goes_on_where_it_was() -> Result<()> {
    let mut collector = Collector::start().await?;
    let mut held = Held::default();
    view(&collector, "/").await?;
    listen(&collector, &mut held, 1).await?;
    let mut sent = 1;
    for round in 0..5 {
        // While nobody listens.
        for path in ["/", "/cart"] {
            view(&collector, path).await?;
            sent += 1;
        }
        // Counted, so that what is missed has been published, in one message or in several.
        eventually("they are counted", async || {
            let pages = collector.live("pages").await?;
            let rows = pages["rows"].as_array().context("no rows")?;
            let total: u64 = rows.iter().filter_map(|row| row["views"].as_u64()).sum();
            Ok((total == sent).then_some(()))
        })
        .await?;
        listen(&collector, &mut held, sent).await?;
        ensure!(held.snapshots == 1, "round {round}: all of it came again");
    }
    let gapless = held.seqs.windows(2).all(|pair| pair[1] == pair[0] + 1);
    ensure!(gapless, "{:?}", held.seqs);
    let pages = collector.live("pages").await?;
    for row in pages["rows"].as_array().context("no rows")? {
        let path = row["path"].as_str().context("no path")?;
        assert_eq!(held.views.get(path).copied(), row["views"].as_u64());
    }

    // Another process knows nothing of what this one sent: it sends all of it.
    collector.kill()?;
    collector.restart()?;
    eventually("history is read", async || {
        let pages = collector.live("pages").await?;
        Ok((pages["basis"]["complete"] == true).then_some(()))
    })
    .await?;
    held.views.clear();
    listen(&collector, &mut held, sent).await?;
    ensure!(held.snapshots >= 2, "it went on from another process");
    assert_eq!(held.total(), sent);
    Ok(())
}

#[tokio::test]
async fn a_request_waits_for_the_next_change_and_an_etag_spares_the_same_answer() -> Result<()> {
    let collector = Collector::start().await?;
    view(&collector, "/").await?;
    let mut held = Held::default();
    let poll = async |held: &mut Held, wait: u32| -> Result<usize> {
        let address = format!("pages?wait={wait}&after={}", held.cursor);
        let answer: Value = get(&collector, &address)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let updates = answer["updates"].as_array().context("no updates")?;
        for update in updates {
            held.take(update)?;
        }
        if !held.cursor.is_empty() {
            assert_eq!(answer["cursor"], held.cursor);
        }
        Ok(updates.len())
    };
    while held.total() < 1 {
        poll(&mut held, 30).await?;
    }
    ensure!(poll(&mut held, 0).await? == 0, "nothing has changed");
    for number in 2..6 {
        // The request is there before the change is.
        let (polled, viewed) = tokio::join!(poll(&mut held, 30), view(&collector, "/cart"));
        viewed?;
        ensure!(polled? > 0, "it gave up");
        while held.total() < number {
            poll(&mut held, 30).await?;
        }
    }
    ensure!(held.snapshots == 1, "{held:?}");

    let first = get(&collector, "pages").send().await?.error_for_status()?;
    let tag = first.headers().get("etag").context("no etag")?.clone();
    let answer: Value = first.json().await?;
    assert_eq!(
        tag.to_str()?,
        format!("\"{}\"", answer["cursor"].as_str().context("no cursor")?)
    );
    let same = get(&collector, "pages")
        .header("if-none-match", &tag)
        .send()
        .await?;
    assert_eq!(
        (same.status().as_u16(), same.bytes().await?.len()),
        (304, 0)
    );
    view(&collector, "/").await?;
    eventually("another answer", async || {
        let other = get(&collector, "pages")
            .header("if-none-match", &tag)
            .send()
            .await?;
        Ok((other.status() == 200).then_some(()))
    })
    .await?;
    let wrong = get(&collector, "pages?wait=999").send().await?;
    assert_eq!(wrong.status(), 400);
    Ok(())
}
