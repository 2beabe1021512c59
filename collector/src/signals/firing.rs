//! Rules at work: what is durable is held against them, and what fires is recorded, then told.
//!
//! A firing is an event of its own, taken by the log before anyone is told: so it is counted once, in
//! live numbers and SQL alike, and a restart tells nobody again. Whoever was recorded as shown and then
//! not told, because the process died between, stays recorded: the lift only gets smaller by it.

use super::book::{Book, Bounds, Firing};
use super::deliver::Webhooks;
use super::message::Message;
use super::rule::CompiledRule;
use super::{Signals, new_number};
use crate::clock::now_ms;
use crate::config::{Rule, Site, rule_experiment};
use crate::ingest::{Ingest, Verdict};
use crate::row::EventRow;
use crate::secret;
use metrics::{counter, gauge};
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use upriver_wire::VisitorId;
use upriver_wire::answer::Signal;

/// Groups of events waiting to be held against rules; the feed waits when it is full.
const WAITING_MAX: usize = 256;
/// Firings waiting to be recorded; more are not told.
pub const FIRINGS_MAX: usize = 10_000;
/// Firings recorded at once.
const RECORDED_AT_ONCE: usize = 500;
/// File in the data folder with the secret that decides who is left out.
const SECRET_FILE: &str = "holdout.secret";

enum Told {
    Rows(Arc<Vec<EventRow>>),
    Begin,
    Define(String, Box<CompiledRule>),
    Remove(String, String),
    Erase(Erasing, oneshot::Sender<()>),
    Erased(Erasing),
}

/// A visitor of a site who is being erased, and up to when, Unix ms.
pub type Erasing = (String, VisitorId, u64);

/// What waits to be recorded.
enum Queued {
    Firing(Firing),
    /// Whoever wants to know when all before it was.
    Flush(oneshot::Sender<()>),
}

/// Where events are handed in. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Rules {
    told: mpsc::Sender<Told>,
}

impl Rules {
    /// Hands in events, each once. Waits while [`WAITING_MAX`] groups are waiting.
    pub async fn see(&self, rows: &Arc<Vec<EventRow>>) {
        self.tell(Told::Rows(rows.clone())).await;
    }

    /// Says that all that happened before the start was handed in: from here on rules fire.
    pub async fn begin(&self) {
        self.tell(Told::Begin).await;
    }

    /// Forgets a visitor. When it returns, whatever had fired for them before is recorded and told, and
    /// nothing fires any more because of what they did up to then.
    pub async fn erase(&self, erasing: Erasing) {
        let (flush, flushed) = oneshot::channel();
        self.tell(Told::Erase(erasing, flush)).await;
        // Nobody answers when the process stops.
        let _ = flushed.await;
    }

    /// Says that a visitor was erased everywhere.
    pub async fn erased(&self, erasing: Erasing) {
        self.tell(Told::Erased(erasing)).await;
    }

    /// Puts a rule of a site in the place of the one with its id, if there is any: whatever is handed in
    /// after this is held against it. What happened before `since_ms`, Unix milliseconds, is not.
    pub async fn define(&self, site: &str, rule: &Rule, since_ms: u64) {
        let rule = CompiledRule::new(rule, since_ms);
        self.tell(Told::Define(site.to_owned(), Box::new(rule)))
            .await;
    }

    /// Removes a rule of a site. What has fired already is still told.
    pub async fn remove(&self, site: &str, id: &str) {
        self.tell(Told::Remove(site.to_owned(), rule_experiment(id)))
            .await;
    }

    async fn tell(&self, what: Told) {
        // They have stopped only when the process does.
        let _ = self.told.send(what).await;
    }
}

/// What rules do when they fire.
pub struct Doers {
    /// Where firings are recorded.
    pub ingest: Ingest,
    /// Visitors' pages.
    pub signals: Signals,
    /// Other systems.
    pub webhooks: Webhooks,
}

/// Rules that are not at work yet.
pub struct Worker {
    book: Book,
    told: mpsc::Receiver<Told>,
}

/// The rules that sites have by themselves: where events are handed in, and what is to be run.
///
/// # Errors
/// The secret cannot be read or made.
pub fn prepare(sites: &[Site], data: &Path) -> io::Result<(Rules, Worker)> {
    let path = data.join(SECRET_FILE);
    secret::make_file(&path)?;
    let book = Book::new(sites, std::fs::read(path)?, Bounds::default());
    let (sender, told) = mpsc::channel(WAITING_MAX);
    Ok((Rules { told: sender }, Worker { book, told }))
}

impl Worker {
    /// Knows from the beginning that a visitor is being erased.
    pub fn erasing(&mut self, (site, visitor, until_ms): &Erasing) {
        self.book.erase(site, *visitor, *until_ms);
    }

    /// Has from the beginning a rule that was defined, or was and is not any more: that is remembered for
    /// whom it has told. See [`Rules::define`].
    pub fn defined(&mut self, site: &str, rule: &Rule, since_ms: u64, removed: bool) {
        self.book.define(site, CompiledRule::new(rule, since_ms));
        if removed {
            self.book.remove(site, &rule.experiment());
        }
    }

    /// Works until every [`Rules`] is gone.
    pub async fn run(self, doers: Doers) {
        let (firings, queue) = mpsc::channel(FIRINGS_MAX);
        // Apart, so that events are taken on while the log is asked: it may itself be waiting for them.
        tokio::join!(watch(self, firings), record(queue, doers));
    }
}

async fn watch(worker: Worker, firings: mpsc::Sender<Queued>) {
    let Worker { mut book, mut told } = worker;
    loop {
        let pause = Duration::from_millis(book.next_ms().saturating_sub(now_ms()));
        let fired = tokio::select! {
            told = told.recv() => match told {
                None => return,
                Some(Told::Rows(rows)) => book.see(&rows, now_ms()),
                Some(Told::Begin) => book.begin(now_ms()),
                Some(Told::Define(site, rule)) => {
                    book.define(&site, *rule);
                    Vec::new()
                }
                Some(Told::Remove(site, experiment)) => {
                    book.remove(&site, &experiment);
                    Vec::new()
                }
                Some(Told::Erase((site, visitor, until_ms), flush)) => {
                    book.erase(&site, visitor, until_ms);
                    let firings = firings.clone();
                    // Apart, for the same reason as recording is.
                    tokio::spawn(async move { firings.send(Queued::Flush(flush)).await });
                    Vec::new()
                }
                Some(Told::Erased((site, visitor, _))) => {
                    book.erased(&site, visitor);
                    Vec::new()
                }
            },
            () = tokio::time::sleep(pause) => {
                let fired = book.due(now_ms());
                let (watches, remembered, not_kept) = book.usage();
                gauge!("upriver_rule_watches").set(watches as f64);
                gauge!("upriver_rule_firings_remembered").set(remembered as f64);
                gauge!("upriver_rule_events_not_kept").set(not_kept as f64);
                fired
            }
        };
        for firing in fired {
            if let Err(error) = firings.try_send(Queued::Firing(firing)) {
                let Queued::Firing(firing) = error.into_inner() else {
                    continue;
                };
                count(&firing, "dropped");
                tracing::error!(rule = firing.rule.said.id, "too many firings; not told");
            }
        }
    }
}

/// Counts what became of a firing.
fn count(firing: &Firing, end: &'static str) {
    let (site, rule) = (firing.site.to_string(), firing.rule.said.id.clone());
    counter!("upriver_rule_firings_total", "site" => site, "rule" => rule, "end" => end)
        .increment(1);
}

async fn record(mut queue: mpsc::Receiver<Queued>, doers: Doers) {
    let mut queued = Vec::new();
    while queue.recv_many(&mut queued, RECORDED_AT_ONCE).await > 0 {
        let mut by_site: BTreeMap<Arc<str>, Vec<Firing>> = BTreeMap::new();
        let mut flushes = Vec::new();
        for queued in queued.drain(..) {
            match queued {
                Queued::Firing(firing) => {
                    by_site.entry(firing.site.clone()).or_default().push(firing);
                }
                Queued::Flush(flush) => flushes.push(flush),
            }
        }
        for (site, firings) in by_site {
            record_of(&site, firings, &doers).await;
        }
        for flush in flushes {
            // Whoever asked may have stopped.
            let _ = flush.send(());
        }
    }
}

async fn record_of(site: &Arc<str>, firings: Vec<Firing>, doers: &Doers) {
    let received_ms = now_ms();
    let (mut records, mut recorded) = (Vec::new(), Vec::new());
    for firing in firings {
        match firing.record(received_ms) {
            Ok(record) => {
                records.push(record);
                recorded.push(firing);
            }
            Err(reason) => {
                count(&firing, "failed");
                tracing::error!(reason, rule = firing.rule.said.id, "firing not recorded");
            }
        }
    }
    let size = records.len() * size_of::<EventRow>();
    let arrival = (received_ms, size);
    match doers
        .ingest
        .import(site, records, Vec::new(), arrival)
        .await
    {
        Ok(verdicts) => {
            for (firing, verdict) in recorded.iter().zip(verdicts) {
                match verdict {
                    Verdict::Ok if firing.held_out => count(firing, "held_out"),
                    Verdict::Ok => {
                        count(firing, "shown");
                        tell(firing, doers);
                    }
                    // Told before the restart.
                    Verdict::Duplicate => count(firing, "duplicate"),
                    _ => count(firing, "failed"),
                }
            }
        }
        Err(error) => {
            for firing in &recorded {
                count(firing, "failed");
            }
            let firings = recorded.len();
            tracing::error!(%error, firings, "firings not recorded; nobody is told");
        }
    }
}

/// Tells whoever is to be told of a firing.
fn tell(firing: &Firing, doers: &Doers) {
    let said = &firing.rule.said;
    let now_ms = now_ms();
    if let Some(name) = &said.signal {
        let life_ms = u64::try_from(said.expires.as_millis()).unwrap_or(u64::MAX);
        let sent = new_number()
            .map_err(|error| error.to_string())
            .and_then(|id| {
                let signal = Signal {
                    id,
                    name: name.clone(),
                    payload: said.payload.to_string(),
                    expires_ms: now_ms.saturating_add(life_ms),
                };
                let sent = doers
                    .signals
                    .send(&firing.site, firing.visitor, signal, now_ms);
                sent.map_err(|error| error.to_string())
            });
        if let Err(error) = sent {
            count(firing, "signal_failed");
            tracing::error!(error, rule = said.id, "signal not sent");
        }
    }
    if let Some(webhook) = &said.webhook {
        let data = json!({
            "site": &*firing.site,
            "rule": said.id,
            "visitor": firing.visitor,
            "page": firing.page().path,
            "signal": said.signal,
        });
        let message = Message::new(&firing.id, "rule.fired", firing.at_ms, &data);
        let sent = message
            .map_err(|error| error.to_string())
            .and_then(|message| {
                let sent = doers.webhooks.send(&firing.site, webhook, message);
                sent.map_err(|error| error.to_string())
            });
        if let Err(error) = sent {
            count(firing, "webhook_failed");
            tracing::error!(error, rule = said.id, "webhook not told");
        }
    }
}
