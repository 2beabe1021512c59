//! Pages that send while processes die under them: each batch until it is acknowledged or the page is
//! gone, some at the same time as their own copy, some again long after. Writes down everything in the
//! [`Journal`]. Knows nothing of what fails.

use super::journal::Journal;
use crate::oracle::{Chance, World, visit};
use anyhow::{Result, bail};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::task::JoinSet;
use upriver_wire::envelope;

/// Pages that send at a time.
const PAGES: u64 = 5;
/// How long an answer may take before a page tries again.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// How long a page goes on trying once it is told to stop.
const STOP_WAIT: Duration = Duration::from_secs(60);
/// Batches that are remembered for coming again.
const REMEMBERED_MAX: usize = 200;
/// Longest pause between two batches of a page, ms.
const PAUSE_MS: u64 = 12;

/// Where the collector listens just now.
#[derive(Clone, Debug, Default)]
pub(super) struct Address(Arc<Mutex<String>>);

impl Address {
    /// The address.
    pub(super) fn get(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(|error| error.into_inner())
            .clone()
    }

    /// It listens somewhere else now.
    pub(super) fn set(&self, url: String) {
        *self.0.lock().unwrap_or_else(|error| error.into_inner()) = url;
    }
}

/// How a page behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Of a hundred batches so many are sent twice at once, and so many come again later.
    pub repeat_percent: u64,
    /// Whether clocks of pages are wrong, and jump between two batches.
    pub clocks_jump: bool,
    /// Whether every batch says when it was sent, as a page's do. One that does not is judged by the
    /// clock of the collector alone, and too old when that is days ahead.
    pub clocks_told: bool,
}

struct Shared {
    http: reqwest::Client,
    address: Address,
    path: String,
    journal: Journal,
    next_id: AtomicU64,
    acks: AtomicU64,
    stop: AtomicBool,
    /// When the newest batch that was acknowledged had been sent.
    newest: watch::Sender<Option<Instant>>,
    manner: Manner,
}

/// The pages, sending.
pub(super) struct Load {
    shared: Arc<Shared>,
    pages: JoinSet<Result<()>>,
}

impl Load {
    /// Lets pages begin.
    pub(super) fn start(
        seed: u64,
        world: &Arc<World>,
        address: &Address,
        journal: Journal,
        manner: Manner,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            http: reqwest::Client::builder().timeout(ANSWER_WAIT).build()?,
            address: address.clone(),
            path: format!("/v1/batch?key={}", world.site.write_key),
            journal,
            next_id: AtomicU64::new(0),
            acks: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            newest: watch::Sender::new(None),
            manner,
        });
        let mut pages = JoinSet::new();
        for page in 0..PAGES {
            let chance = Chance::new(seed.wrapping_mul(PAGES).wrapping_add(page));
            pages.spawn(shared.clone().visitors(chance, world.clone()));
        }
        Ok(Self { shared, pages })
    }

    /// Waits until so many further batches that were sent after a moment are acknowledged. Returns
    /// when the first was.
    ///
    /// # Errors
    /// None was within a minute, or a page was refused for ever.
    pub(super) async fn acked_since(&mut self, moment: Instant, further: u64) -> Result<Instant> {
        let shared = self.shared.clone();
        let mut newest = shared.newest.subscribe();
        let acks = || shared.acks.load(Ordering::Relaxed);
        let waited = async {
            newest
                .wait_for(|newest| newest.is_some_and(|sent| sent > moment))
                .await?;
            let first = Instant::now();
            let wanted = acks() + further;
            while acks() < wanted {
                newest.changed().await?;
            }
            Ok::<_, anyhow::Error>(first)
        };
        tokio::select! {
            waited = tokio::time::timeout(STOP_WAIT, waited) => match waited {
                Ok(first) => first,
                Err(_) => bail!("nothing was acknowledged for a minute after the fault was over"),
            },
            Some(ended) = self.pages.join_next() => match ended? {
                Ok(()) => bail!("a page ended by itself"),
                Err(error) => Err(error),
            },
        }
    }

    /// Lets pages finish what they are sending, and gives back where it is written down.
    ///
    /// # Errors
    /// A page was refused for ever, or its last batch never acknowledged.
    pub(super) async fn finish(mut self) -> Result<std::path::PathBuf> {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.pages.join_next().await {
            ended??;
        }
        Ok(self.shared.journal.path().to_owned())
    }
}

impl Shared {
    /// One visitor after the other, until it is time to stop.
    async fn visitors(self: Arc<Self>, mut chance: Chance, world: Arc<World>) -> Result<()> {
        let mut earlier: Vec<(u64, Vec<u8>)> = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            'visit: for batch in visit(&mut chance, &world, now_ms()) {
                if self.stop.load(Ordering::Relaxed) {
                    break;
                }
                // A time of sending of 0 says nothing about the page's clock.
                let mut sent_ms = match self.manner.clocks_told {
                    true => now_ms(),
                    false => 0,
                };
                if self.manner.clocks_jump && chance.percent(50) {
                    sent_ms = now_ms() + chance.below(7_200_000) - 3_600_000;
                }
                let bytes = envelope::encode(&batch, sent_ms);
                let id = self.next_id.fetch_add(1, Ordering::Relaxed);
                self.journal.sent(id, &bytes)?;
                let repeat = self.manner.repeat_percent;
                let acked = if chance.percent(repeat) {
                    let patience = (chance.below(100), chance.below(100));
                    let (one, other) = tokio::join!(
                        self.insist(id, &bytes, patience.0),
                        self.insist(id, &bytes, patience.1)
                    );
                    one? | other?
                } else {
                    self.insist(id, &bytes, chance.below(100)).await?
                };
                if !acked {
                    break 'visit;
                }
                if earlier.len() < REMEMBERED_MAX {
                    earlier.push((id, bytes));
                }
                if chance.percent(repeat) {
                    let (id, bytes) = chance.of(&earlier).clone();
                    self.insist(id, &bytes, 0).await?;
                }
                let pause = Duration::from_millis(chance.below(PAUSE_MS));
                tokio::time::sleep(pause).await;
            }
        }
        Ok(())
    }

    /// Sends a batch until it is acknowledged. False when the page is gone before that: an impatient
    /// one goes at the first failure.
    async fn insist(&self, id: u64, bytes: &[u8], impatience: u64) -> Result<bool> {
        let mut deadline = None;
        loop {
            let sent = Instant::now();
            let url = format!("{}{}", self.address.get(), self.path);
            let request = self.http.post(url).body(bytes.to_vec()).send().await;
            match request.map(|answer| answer.status().as_u16()) {
                Ok(200..=299) => {
                    self.journal.acked(id)?;
                    self.acks.fetch_add(1, Ordering::Relaxed);
                    self.newest
                        .send_modify(|newest| *newest = (*newest).max(Some(sent)));
                    return Ok(true);
                }
                Ok(status @ 400..=499) if status != 429 => {
                    bail!("batch {id} was refused: {status}")
                }
                // Nobody knows whether it was taken.
                Ok(_) | Err(_) => {}
            }
            if impatience >= 90 {
                return Ok(false);
            }
            let stopping = self.stop.load(Ordering::Relaxed);
            if stopping && *deadline.get_or_insert(Instant::now() + STOP_WAIT) < Instant::now() {
                bail!("batch {id} was not acknowledged within a minute");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Unix time, ms.
pub(super) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
