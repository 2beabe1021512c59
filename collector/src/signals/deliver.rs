//! Webhooks: telling other systems, signed, again and again until it is taken or given up.
//!
//! Owns the queue. [`Webhooks::send`] never waits; a message is written to the outbox before its
//! first attempt, so that one which is not delivered survives a restart. A message is known by its
//! id: the same id is told to the same webhook once. Refuses to know what is told and why.

use super::book;
use super::message::Message;
use super::outbox::{Delivery, Fate, Outbox, OutboxError};
use super::post::{Endpoint, Outcome, Poster, Reach};
use crate::clock::now_ms;
use crate::config::Site;
use metrics::{counter, gauge};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use upriver_wire::VisitorId;

/// Messages on their way into the outbox.
pub const QUEUE_MAX: usize = 1_024;
/// Messages that wait for one webhook…
pub const WAITING_A_WEBHOOK_MAX: usize = 1_000;
/// …and for all.
pub const WAITING_MAX: usize = 4_096;
/// Attempts before a message is given up, the last of them after some seven hours.
pub const ATTEMPTS_MAX: u32 = 14;
/// Pause after the first attempt; each later one is three times as long…
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// …up to this. From half to all of it is waited, by chance.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// Attempts at once, at one webhook and in all.
const AT_ONCE_A_WEBHOOK: usize = 4;
const AT_ONCE: usize = 64;
/// How long attempts may go on when the process stops.
const STOP_MAX: Duration = Duration::from_secs(2);

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The sites file has no such webhook.
    #[error("site {site:?} has no webhook {webhook:?}")]
    Unknown {
        /// The site.
        site: String,
        /// The webhook.
        webhook: String,
    },
    /// Too many wait, or the process stops.
    #[error("too many messages wait for webhooks")]
    Full,
}

type Name = (String, String);

/// A visitor of a site whose messages are to be dropped; told whether none is left.
type Forget = (String, VisitorId, oneshot::Sender<bool>);

/// Where messages are handed in. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Webhooks {
    queue: mpsc::Sender<Delivery>,
    forgets: mpsc::Sender<Forget>,
    endpoints: Arc<HashMap<Name, Arc<Endpoint>>>,
}

impl Webhooks {
    /// Starts sending, with what a former process left undelivered. Ends some seconds after
    /// `stopping` turns true.
    ///
    /// # Errors
    /// A webhook is not well formed, or the outbox cannot be read.
    pub fn start(
        sites: &[Site],
        outbox: Outbox,
        reach: Reach,
        stopping: watch::Receiver<bool>,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let mut endpoints = HashMap::new();
        for site in sites {
            for webhook in &site.webhooks {
                let endpoint = Endpoint {
                    uri: webhook.address().map_err(io::Error::other)?,
                    key: webhook.key().map_err(io::Error::other)?,
                };
                let name = (site.id.clone(), webhook.id.clone());
                endpoints.insert(name, Arc::new(endpoint));
            }
        }
        let endpoints = Arc::new(endpoints);
        let (queue, new) = mpsc::channel(QUEUE_MAX);
        let poster = Poster::new(reach)?;
        let mut sender = Sender::new(endpoints.clone(), Arc::new(outbox), poster);
        sender.resume().map_err(io::Error::other)?;
        let (forgets, asked) = mpsc::channel(1);
        let task = tokio::spawn(sender.run((new, asked), stopping));
        let webhooks = Self {
            queue,
            forgets,
            endpoints,
        };
        Ok((webhooks, task))
    }

    /// Hands in a message for a webhook of a site. Returns at once: it will be on disk within
    /// moments, and is then attempted until it is delivered or given up.
    ///
    /// # Errors
    /// There is no such webhook, or too many wait; the message is then counted as dropped.
    pub fn send(&self, site: &str, webhook: &str, message: Message) -> Result<(), SendError> {
        let (site, webhook) = (site.to_owned(), webhook.to_owned());
        let name = (site, webhook);
        if !self.endpoints.contains_key(&name) {
            let (site, webhook) = name;
            return Err(SendError::Unknown { site, webhook });
        }
        let (site, webhook) = name;
        let delivery = Delivery {
            site,
            webhook,
            message,
            attempts: 0,
        };
        self.queue.try_send(delivery).map_err(|_| {
            ended("dropped", 1);
            SendError::Full
        })
    }
}

impl Webhooks {
    /// Drops what was not told yet of a rule that fired for a visitor, and the memory of what was.
    /// False when it could not be dropped on disk, or the process stops; it may be tried again.
    pub async fn forget(&self, site: &str, visitor: VisitorId) -> bool {
        let (answer, answered) = oneshot::channel();
        let asked = self.forgets.send((site.to_owned(), visitor, answer)).await;
        asked.is_ok() && answered.await.unwrap_or(false)
    }
}

/// Counts messages that are done with.
fn ended(how: &'static str, count: u64) {
    counter!("upriver_webhooks_total", "end" => how).increment(count);
}

struct Waiting {
    delivery: Delivery,
    due: Instant,
    /// An attempt is under way.
    busy: bool,
}

/// What an attempt came to, and at which place in the queue.
type Attempt = (u64, Outcome);

/// The one that sends. Runs as one task.
struct Sender {
    endpoints: Arc<HashMap<Name, Arc<Endpoint>>>,
    outbox: Arc<Outbox>,
    poster: Poster,
    waiting: std::collections::BTreeMap<u64, Waiting>,
    next: u64,
    attempts: JoinSet<Attempt>,
}

impl Sender {
    fn new(
        endpoints: Arc<HashMap<Name, Arc<Endpoint>>>,
        outbox: Arc<Outbox>,
        poster: Poster,
    ) -> Self {
        Self {
            endpoints,
            outbox,
            poster,
            waiting: std::collections::BTreeMap::new(),
            next: 0,
            attempts: JoinSet::new(),
        }
    }

    /// Takes up what a former process left.
    fn resume(&mut self) -> Result<(), OutboxError> {
        let mut gone = Vec::new();
        for delivery in self.outbox.waiting()? {
            let name = (delivery.site.clone(), delivery.webhook.clone());
            if self.endpoints.contains_key(&name) {
                self.add(delivery);
            } else {
                gone.push((delivery, Fate::Done));
            }
        }
        if !gone.is_empty() {
            let messages = gone.len();
            tracing::warn!(
                messages,
                "undelivered messages of webhooks that are no more are dropped"
            );
            ended("dropped", messages as u64);
            self.outbox.settle(&gone, now_ms())?;
        }
        Ok(())
    }

    fn add(&mut self, delivery: Delivery) {
        let waiting = Waiting {
            delivery,
            due: Instant::now(),
            busy: false,
        };
        self.waiting.insert(self.next, waiting);
        self.next += 1;
    }

    async fn run(
        mut self,
        (mut queue, mut forgets): (mpsc::Receiver<Delivery>, mpsc::Receiver<Forget>),
        mut stopping: watch::Receiver<bool>,
    ) {
        let mut new = Vec::new();
        loop {
            gauge!("upriver_webhooks_waiting").set(self.waiting.len() as f64);
            let due = self.begin_due();
            tokio::select! {
                () = asked_to_stop(&mut stopping) => break,
                taken = queue.recv_many(&mut new, QUEUE_MAX) => {
                    if taken == 0 {
                        break;
                    }
                    self.take(std::mem::take(&mut new)).await;
                }
                Some(done) = self.attempts.join_next() => self.finish(done).await,
                Some((site, visitor, answer)) = forgets.recv() => {
                    // What was handed in before it.
                    while let Ok(delivery) = queue.try_recv() {
                        new.push(delivery);
                    }
                    self.take(std::mem::take(&mut new)).await;
                    let forgotten = self.forget(site, visitor).await;
                    // Whoever asked may have stopped.
                    let _ = answer.send(forgotten);
                }
                () = tokio::time::sleep_until(due) => {}
            }
        }
        queue.close();
        while queue.recv_many(&mut new, QUEUE_MAX).await > 0 {}
        self.take(new).await;
        // What is not answered by then is in the outbox, and told again with the same id.
        let ends = Instant::now() + STOP_MAX;
        while let Ok(Some(done)) = tokio::time::timeout_at(ends, self.attempts.join_next()).await {
            self.finish(done).await;
        }
    }

    /// Drops the messages of firings for a visitor. One that is being attempted is not attempted again.
    async fn forget(&mut self, site: String, visitor: VisitorId) -> bool {
        let theirs = move |of: &str, id: &str| of == site && book::is_firing_for(id, visitor);
        self.waiting.retain(|_, waiting| {
            let Delivery { site, message, .. } = &waiting.delivery;
            !theirs(site, message.id())
        });
        self.on_disk(move |outbox| outbox.forget(theirs))
            .await
            .is_some()
    }

    /// Takes messages in: those that are new, as far as there is room.
    async fn take(&mut self, new: Vec<Delivery>) {
        let mut room: HashMap<Name, usize> = HashMap::new();
        for waiting in self.waiting.values() {
            let Delivery { site, webhook, .. } = &waiting.delivery;
            *room.entry((site.clone(), webhook.clone())).or_default() += 1;
        }
        let (mut all, offered) = (self.waiting.len(), new.len());
        let fits = |delivery: &Delivery| {
            let name = (delivery.site.clone(), delivery.webhook.clone());
            let one = room.entry(name).or_default();
            let fits = *one < WAITING_A_WEBHOOK_MAX && all < WAITING_MAX;
            *one += usize::from(fits);
            all += usize::from(fits);
            fits
        };
        let new: Vec<Delivery> = new.into_iter().filter(fits).collect();
        let dropped = offered - new.len();
        if dropped > 0 {
            tracing::error!(dropped, "too many messages wait for webhooks");
            ended("dropped", dropped as u64);
        }
        if new.is_empty() {
            return;
        }
        let kept = {
            let new = new.clone();
            self.on_disk(move |outbox| outbox.keep(new)).await
        };
        // Without its disk it is told all the same, but does not survive a restart.
        for delivery in kept.unwrap_or(new) {
            self.add(delivery);
        }
    }

    /// Begins every attempt that is due and may be; returns when to look again.
    fn begin_due(&mut self) -> Instant {
        const IDLE: Duration = Duration::from_secs(3_600);
        let now = Instant::now();
        let mut next = now + IDLE;
        let mut busy: HashMap<Name, usize> = HashMap::new();
        for Waiting { delivery, .. } in self.waiting.values().filter(|waiting| waiting.busy) {
            let name = (delivery.site.clone(), delivery.webhook.clone());
            *busy.entry(name).or_default() += 1;
        }
        for (number, waiting) in &mut self.waiting {
            if waiting.busy {
                continue;
            }
            if waiting.due > now {
                next = next.min(waiting.due);
                continue;
            }
            let Delivery { site, webhook, .. } = &waiting.delivery;
            let name = (site.clone(), webhook.clone());
            let Some(endpoint) = self.endpoints.get(&name).cloned() else {
                continue;
            };
            let busy = busy.entry(name).or_default();
            // One that may not begin yet is looked at again when another has ended.
            if *busy >= AT_ONCE_A_WEBHOOK || self.attempts.len() >= AT_ONCE {
                continue;
            }
            *busy += 1;
            waiting.busy = true;
            let (number, message) = (*number, waiting.delivery.message.clone());
            let poster = self.poster.clone();
            self.attempts.spawn(async move {
                let outcome = poster.post(&endpoint, &message, now_ms() / 1_000).await;
                (number, outcome)
            });
        }
        next
    }

    /// Settles an attempt, and whatever else has ended meanwhile.
    async fn finish(&mut self, first: Result<Attempt, tokio::task::JoinError>) {
        let mut settled = Vec::new();
        let mut done = Some(first);
        while let Some(attempt) = done {
            match attempt {
                Ok((number, outcome)) => settled.extend(self.settle(number, outcome)),
                Err(error) => tracing::error!(%error, "an attempt at a webhook failed"),
            }
            done = self.attempts.try_join_next();
        }
        let written = move |outbox: &Outbox| outbox.settle(&settled, now_ms());
        let _ = self.on_disk(written).await;
    }

    fn settle(&mut self, number: u64, outcome: Outcome) -> Option<(Delivery, Fate)> {
        let waiting = self.waiting.get_mut(&number)?;
        waiting.busy = false;
        let delivery = &mut waiting.delivery;
        let (end, why) = match outcome {
            Outcome::Delivered => ("delivered", None),
            Outcome::Never(why) => ("failed", Some(why)),
            Outcome::Later(why, pause) => {
                delivery.attempts += 1;
                counter!("upriver_webhook_retries_total").increment(1);
                if delivery.attempts < ATTEMPTS_MAX {
                    let pause = pause_after(delivery.attempts).max(pause.unwrap_or_default());
                    waiting.due = Instant::now() + pause;
                    let Delivery {
                        site,
                        webhook,
                        message,
                        ..
                    } = &*delivery;
                    let id = message.id();
                    tracing::warn!(
                        site,
                        webhook,
                        id,
                        why,
                        ?pause,
                        "webhook not taken; again later"
                    );
                    return Some((delivery.clone(), Fate::Again));
                }
                ("failed", Some(why))
            }
        };
        let delivery = self.waiting.remove(&number)?.delivery;
        if let Some(why) = why {
            let Delivery {
                site,
                webhook,
                message,
                ..
            } = &delivery;
            let id = message.id();
            tracing::error!(site, webhook, id, why, "webhook given up");
        }
        ended(end, 1);
        Some((delivery, Fate::Done))
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Outbox) -> Result<T, OutboxError> + Send + 'static,
    ) -> Option<T> {
        let outbox = self.outbox.clone();
        let done = tokio::task::spawn_blocking(move || act(&outbox)).await;
        match done {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(error)) => tracing::error!(%error, "undelivered webhooks are not kept"),
            Err(error) => tracing::error!(%error, "undelivered webhooks are not kept"),
        }
        counter!("upriver_webhook_outbox_failures_total").increment(1);
        None
    }
}

/// Resolves when the process is to stop, or nobody is left to say so.
async fn asked_to_stop(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// How long to wait after so many attempts that failed.
fn pause_after(attempts: u32) -> Duration {
    let whole = PAUSE_MIN * 3_u32.saturating_pow(attempts.saturating_sub(1)).min(3_600);
    let whole = whole.min(PAUSE_MAX);
    let mut random = [0; 2];
    // Without randomness all wait their whole pause.
    let part = match getrandom::fill(&mut random) {
        Ok(()) => 0.5 + f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX) / 2.0,
        Err(_) => 1.0,
    };
    whole.mul_f64(part)
}

#[cfg(test)]
mod tests;
