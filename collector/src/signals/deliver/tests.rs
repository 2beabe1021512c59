//! Queue, retries and what survives a restart, against a real server that answers as it is told.

use super::*;
use crate::config::Sites;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use tempfile::tempdir;

/// A server that answers each request with the next of these statuses, the last for ever, and tells
/// which id came.
fn server(statuses: &'static [u16]) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (told, heard) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let (mut bytes, mut part) = (Vec::new(), [0; 1_024]);
            while !bytes.ends_with(b"}") {
                let read = stream.read(&mut part).unwrap();
                bytes.extend(&part[..read]);
            }
            let status = statuses[number.min(statuses.len() - 1)];
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
            let text = String::from_utf8(bytes).unwrap();
            let id = text
                .lines()
                .find_map(|line| line.strip_prefix("webhook-id: "));
            // The test is over when nobody hears any more.
            if told.send(id.unwrap().to_owned()).is_err() {
                return;
            }
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, heard)
}

fn sites(url: &str) -> Vec<Site> {
    let text = format!(
        "[[site]]\nid = \"shop\"\nwrite_key = \"wk_test_0001\"\n[[site.webhook]]\nid = \"chat\"\n\
         url = \"{url}\"\nsecret = \"whsec_{}\"\n",
        "A".repeat(32)
    );
    let sites: Sites = toml::from_str(&text).unwrap();
    sites.check().unwrap();
    sites.sites
}

fn message(id: &str) -> Message {
    Message::new(id, "test", 0, &json!({})).unwrap()
}

/// Runs a sender on this outbox while `act` does something, and stops it.
async fn sending(file: &Path, url: &str, act: impl AsyncFnOnce(&Webhooks)) {
    let outbox = Outbox::open(file, now_ms()).unwrap();
    let (stop, stopping) = watch::channel(false);
    let (webhooks, task) = Webhooks::start(&sites(url), outbox, Reach::Anywhere, stopping).unwrap();
    act(&webhooks).await;
    stop.send_replace(true);
    task.await.unwrap();
}

async fn next(heard: &mut mpsc::UnboundedReceiver<String>) -> String {
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, heard.recv())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn what_was_refused_is_told_again_and_what_was_taken_is_not() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("outbox.redb");
    let (url, mut heard) = server(&[500, 503, 200]);
    sending(&file, &url, async |webhooks| {
        webhooks.send("shop", "chat", message("a")).unwrap();
        for _ in 0..3 {
            assert_eq!(next(&mut heard).await, "a");
        }
        // The same id again is nothing new; another is. While it waits, in this run and the next.
        webhooks.send("shop", "chat", message("a")).unwrap();
        webhooks.send("shop", "chat", message("b")).unwrap();
        assert_eq!(next(&mut heard).await, "b");
    })
    .await;
    sending(&file, &url, async |webhooks| {
        webhooks.send("shop", "chat", message("a")).unwrap();
        webhooks.send("shop", "chat", message("c")).unwrap();
        assert_eq!(next(&mut heard).await, "c");
    })
    .await;
    assert!(
        Outbox::open(&file, 0)
            .unwrap()
            .waiting()
            .unwrap()
            .is_empty()
    );
    let unknown = SendError::Unknown {
        site: "shop".into(),
        webhook: "mail".into(),
    };
    sending(&file, &url, async |webhooks| {
        assert_eq!(webhooks.send("shop", "mail", message("d")), Err(unknown));
    })
    .await;
}

#[tokio::test]
async fn what_was_not_delivered_survives_a_restart() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("outbox.redb");
    let (url, mut heard) = server(&[500]);
    sending(&file, &url, async |webhooks| {
        webhooks.send("shop", "chat", message("a")).unwrap();
        assert_eq!(next(&mut heard).await, "a");
    })
    .await;
    let left = Outbox::open(&file, 0).unwrap().waiting().unwrap();
    assert_eq!((left.len(), left[0].attempts), (1, 1));
    let (url, mut heard) = server(&[200]);
    sending(&file, &url, async |_| {
        assert_eq!(next(&mut heard).await, "a")
    })
    .await;
    assert!(
        Outbox::open(&file, 0)
            .unwrap()
            .waiting()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_webhook_that_takes_nothing_keeps_so_many_and_no_more() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("outbox.redb");
    let (url, mut heard) = server(&[500]);
    sending(&file, &url, async |webhooks| {
        for number in 0..QUEUE_MAX {
            webhooks
                .send("shop", "chat", message(&format!("m{number}")))
                .unwrap();
        }
        next(&mut heard).await;
    })
    .await;
    let left = Outbox::open(&file, 0).unwrap().waiting().unwrap();
    assert_eq!(left.len(), WAITING_A_WEBHOOK_MAX);
}

#[test]
fn pauses_grow_to_an_hour_and_end_within_a_day() {
    let mut before = Duration::ZERO;
    let mut all = Duration::ZERO;
    for attempts in 1..ATTEMPTS_MAX {
        let pause = pause_after(attempts);
        assert!(
            pause > before / 2 && pause <= PAUSE_MAX,
            "{attempts}: {pause:?}"
        );
        (before, all) = (pause, all + pause);
    }
    let hours = all.as_secs_f64() / 3_600.0;
    assert!((3.0..9.0).contains(&hours), "{hours} hours");
}

#[tokio::test]
async fn what_is_forgotten_leaves_nothing_in_the_file_and_the_rest_waits_on() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("outbox.redb");
    let (url, mut heard) = server(&[500]);
    let told = |visitor: u128| {
        let id = format!("rule:offer:1f:{visitor:032x}");
        let data = json!({"page": format!("/secret/{visitor}")});
        Message::new(&id, "rule.fired", 0, &data).unwrap()
    };
    sending(&file, &url, async |webhooks| {
        for visitor in [7, 8] {
            webhooks.send("shop", "chat", told(visitor)).unwrap();
            next(&mut heard).await;
        }
    })
    .await;
    let holds = |text: &str| {
        let bytes = std::fs::read(&file).unwrap();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(holds("/secret/7") && holds("/secret/8"));
    sending(&file, &url, async |webhooks| {
        assert!(webhooks.forget("other", VisitorId(7)).await);
        assert!(holds("/secret/7"), "another site's");
        assert!(webhooks.forget("shop", VisitorId(7)).await);
        assert!(!holds("/secret/7") && holds("/secret/8"));
        // It still takes what comes.
        webhooks.send("shop", "chat", told(9)).unwrap();
        while !next(&mut heard).await.ends_with('9') {}
    })
    .await;
    let left = Outbox::open(&file, 0).unwrap().waiting().unwrap();
    let ids: Vec<&str> = left.iter().map(|one| one.message.id()).collect();
    assert_eq!(ids, [told(8).id(), told(9).id()]);
}
