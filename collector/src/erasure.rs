//! Erasing visitors: an order is kept before it is answered, carried out however often the process is
//! killed meanwhile, and ends in a receipt that names nobody.
//!
//! Owns the order of the steps. What is done in the tables, the log and the live numbers is done by
//! those who own them. Knows no HTTP.

mod order;

use crate::clock::now_ms;
use crate::feed::Rebuild;
use crate::ingest::Ingest;
use crate::ingest::erased::{Name, Namer, REMEMBERED_MS};
use crate::live::{self, Live};
use crate::log::Position;
use crate::row::{ElementRow, EventRow};
use crate::signals::Signals;
use crate::signals::deliver::Webhooks;
use crate::signals::firing::{Erasing, Rules};
use crate::store::erase::{self, Target};
use crate::store::ledger::Ledger;
use crate::store::state::State;
use crate::store::{StoreError, history, quarantine};
use clickhouse::Client;
use metrics::{counter, gauge};
use order::{Order, Orders};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use upriver_wire::VisitorId;
use uuid::Uuid;

/// Orders that wait at once.
pub(crate) const ORDERS_MAX: usize = 1_000;
/// First and longest pause after a failure.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Folder of the orders, in the data folder.
const FOLDER: &str = "erasures";

/// Why a visitor is not erased.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ErasureError {
    /// Too many wait.
    #[error("{ORDERS_MAX} orders to erase wait already; try again later")]
    Busy,
    /// The disk refused.
    #[error("the order to erase could not be kept: {0}")]
    Disk(#[from] io::Error),
    /// The state file cannot be read.
    #[error("receipts cannot be read: {0}")]
    State(#[from] crate::store::state::StateError),
}

/// Why it could not be carried out yet.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ingest(#[from] crate::ingest::IngestError),
    #[error("the state file: {0}")]
    State(#[from] crate::store::state::StateError),
    #[error("the folder of orders: {0}")]
    Disk(#[from] io::Error),
    #[error("the files of batches kept apart: {0}")]
    Quarantine(io::Error),
    #[error("webhooks that were not told yet could not be dropped")]
    Webhooks,
    #[error("live numbers: {0}")]
    Live(&'static str),
}

/// How far an erasure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Progress {
    /// It will be carried out, whatever happens.
    Ordered,
    /// Nothing of the visitor is left.
    Done,
}

/// What is said of an erasure. It names nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    /// The order's number.
    pub(crate) id: Uuid,
    /// The site.
    pub(crate) site: String,
    /// How far it is.
    pub(crate) state: Progress,
    /// Keyed hash of site and visitor; the key is in the data folder. Hexadecimal.
    pub(crate) visitor_hash: String,
    /// When it was ordered: everything up to then goes. Unix ms.
    pub(crate) ordered_ms: u64,
    /// When nothing was left, Unix ms; 0 before.
    pub(crate) done_ms: u64,
    /// Rows that were erased, by table, and events that were kept apart in `quarantine`. Roll-ups, live
    /// numbers and the log are without them too.
    pub(crate) rows: BTreeMap<String, u64>,
}

/// Takes orders and tells how far they are. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Erasures {
    inner: Arc<Inner>,
}

struct Inner {
    namer: Namer,
    orders: Orders,
    waiting: Mutex<Vec<Order>>,
    ordered: Notify,
    state: Arc<State>,
}

impl Erasures {
    /// With what was ordered and not carried out before, and the secret that names visitors.
    ///
    /// # Errors
    /// The folder of orders cannot be read.
    pub(crate) fn open(data: &Path, secret: &[u8], state: Arc<State>) -> io::Result<Self> {
        let (orders, waiting) = Orders::open(&data.join(FOLDER))?;
        let inner = Inner {
            namer: Namer::new(secret),
            orders,
            waiting: Mutex::new(waiting),
            ordered: Notify::new(),
            state,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Who was erased, or will be: not to be taken again.
    ///
    /// # Errors
    /// The state file cannot be read.
    pub(crate) fn erased(
        &self,
        now_ms: u64,
    ) -> Result<crate::ingest::erased::Erased, ErasureError> {
        let receipts = self.inner.state.receipts()?;
        let mut names: Vec<(Name, u64)> = Vec::new();
        for bytes in &receipts {
            let receipt: Receipt = serde_json::from_slice(bytes).map_err(io::Error::from)?;
            let mut name = Name::default();
            if hex::decode_to_slice(&receipt.visitor_hash, &mut name).is_ok()
                && receipt.ordered_ms + REMEMBERED_MS > now_ms
            {
                names.push((name, receipt.ordered_ms));
            }
        }
        for order in &*self.waiting() {
            names.push((self.name(order), order.ordered_ms));
        }
        let namer = self.inner.namer.clone();
        Ok(crate::ingest::erased::Erased::new(namer, names))
    }

    /// Who is being erased on which site, and up to when, Unix ms.
    pub(crate) fn erasing(&self) -> Vec<Erasing> {
        self.waiting().iter().map(erasing).collect()
    }

    /// Whether a visitor of a site is being erased.
    pub(crate) fn is_erasing(&self, site: &str, visitor: VisitorId) -> bool {
        let theirs = |order: &Order| order.site == site && order.visitor == visitor;
        self.waiting().iter().any(theirs)
    }

    /// Takes an order. It is durable when this returns.
    ///
    /// # Errors
    /// [`ErasureError`].
    pub(crate) async fn order(
        &self,
        site: &str,
        visitor: VisitorId,
    ) -> Result<Receipt, ErasureError> {
        if self.waiting().len() >= ORDERS_MAX {
            return Err(ErasureError::Busy);
        }
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| io::Error::other(error.to_string()))?;
        let order = Order {
            id: Uuid::from_bytes(id),
            site: site.to_owned(),
            visitor,
            ordered_ms: now_ms(),
        };
        let receipt = self.receipt_of(&order);
        let (inner, kept) = (self.inner.clone(), order.clone());
        let keep = tokio::task::spawn_blocking(move || inner.orders.keep(&kept));
        keep.await.map_err(io::Error::other)??;
        self.waiting().push(order);
        self.inner.ordered.notify_one();
        Ok(receipt)
    }

    /// How far an erasure of a site is; none when there is no such.
    ///
    /// # Errors
    /// The state file cannot be read.
    pub(crate) fn find(&self, site: &str, id: Uuid) -> Result<Option<Receipt>, ErasureError> {
        let waiting = self.waiting().iter().find(|order| order.id == id).cloned();
        let found = match waiting {
            Some(order) => Some(self.receipt_of(&order)),
            None => match self.inner.state.receipt(&id.to_string())? {
                Some(bytes) => Some(serde_json::from_slice(&bytes).map_err(io::Error::from)?),
                None => None,
            },
        };
        Ok(found.filter(|receipt: &Receipt| receipt.site == site))
    }

    fn name(&self, order: &Order) -> Name {
        self.inner.namer.name(&order.site, order.visitor)
    }

    fn receipt_of(&self, order: &Order) -> Receipt {
        Receipt {
            id: order.id,
            site: order.site.clone(),
            state: Progress::Ordered,
            visitor_hash: hex::encode(self.name(order)),
            ordered_ms: order.ordered_ms,
            done_ms: 0,
            rows: BTreeMap::new(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Order>> {
        let waiting = self.inner.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner)
    }
}

fn erasing(order: &Order) -> Erasing {
    (order.site.clone(), order.visitor, order.ordered_ms)
}

/// The one that carries orders out. Runs as one task.
pub(crate) struct Eraser {
    pub(crate) erasures: Erasures,
    pub(crate) ingest: Ingest,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) live: Live,
    pub(crate) client: watch::Receiver<Option<Client>>,
    /// Asks the feed to have the live numbers counted anew.
    pub(crate) rebuilds: mpsc::Sender<Rebuild>,
    /// True once the live engine has its history.
    pub(crate) history: watch::Receiver<bool>,
    /// Days that experiments are counted for.
    pub(crate) experiment_days: u64,
    /// Folder of batches that are kept apart.
    pub(crate) quarantine: PathBuf,
    /// Who remembers what visitors did, and tells of it.
    pub(crate) rules: Rules,
    pub(crate) signals: Signals,
    pub(crate) webhooks: Webhooks,
}

impl Eraser {
    /// Carries out what is ordered, one order after the other, for as long as the process runs.
    pub(crate) async fn run(mut self) {
        loop {
            let waiting = self.erasures.waiting().len();
            gauge!("upriver_erasures_waiting").set(waiting as f64);
            let order = self.erasures.waiting().first().cloned();
            let Some(order) = order else {
                self.erasures.inner.ordered.notified().await;
                continue;
            };
            let mut pause = PAUSE_MIN;
            while let Err(error) = self.carry_out(&order).await {
                // Until it has succeeded tables and live numbers need not agree.
                tracing::warn!(%error, erasure = %order.id, "a visitor is not erased yet; trying again");
                counter!("upriver_erasure_retries_total").increment(1);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            tracing::info!(erasure = %order.id, "a visitor was erased");
            counter!("upriver_erasures_total").increment(1);
        }
    }

    async fn carry_out(&mut self, order: &Order) -> Result<(), Failure> {
        let mut receipt = self.erasures.receipt_of(order);
        let state = self.erasures.inner.state.clone();
        if state.receipt(&order.id.to_string())?.is_none() {
            let name = self.erasures.name(order);
            // From here on nothing from before is taken.
            self.ingest.erase(name, order.ordered_ms).await?;
            // The live engine must not be given rows of a table that is being changed.
            let _ = self.history.wait_for(|complete| *complete).await;
            self.rules.erase(erasing(order)).await;
            // Everything that was taken of them, and that rules said of them, lies before the position.
            let position = self.ingest.erase(name, order.ordered_ms).await?;
            self.ledger.reaches(position).await;
            receipt.rows = self.clear_tables(order).await?;
            self.recount(position).await?;
            self.ledger.set_erasing(false);
            self.signals.forget(&order.site, order.visitor);
            if !self.webhooks.forget(&order.site, order.visitor).await {
                return Err(Failure::Webhooks);
            }
            self.clear_log().await?;
            erase::gone_from_disk(&self.client().await?).await?;
            self.rules.erased(erasing(order)).await;
            receipt.state = Progress::Done;
            receipt.done_ms = now_ms();
            let bytes = serde_json::to_vec(&receipt).map_err(io::Error::from)?;
            state.keep_receipt(&order.id.to_string(), &bytes)?;
        }
        self.erasures.inner.orders.remove(order)?;
        self.erasures.waiting().retain(|other| other.id != order.id);
        Ok(())
    }

    /// Clears tables and quarantine.
    async fn clear_tables(&mut self, order: &Order) -> Result<BTreeMap<String, u64>, Failure> {
        let client = self.client().await?;
        // What was said of a batch that was kept apart was said after the batch.
        let said = *self.ingest.durable().borrow();
        self.ledger.reaches(said).await;
        let ledger = self.ledger.clone();
        let _turn = ledger.tables().await;
        // The tables say themselves which batches they have, by rows that may go now. What a start
        // inserts again is therefore what comes after the checkpoint.
        ledger.keeps(ledger.page().newest.to).await;
        ledger.set_erasing(true);
        let target = Target {
            erasure: order.id,
            site: order.site.clone(),
            visitor: order.visitor,
            until_ms: order.ordered_ms,
        };
        let held = self
            .in_quarantine(&target, |folder, target| {
                quarantine::held(folder, |record| target.is_of(record))
            })
            .await?;
        let rows = erase::erase(&client, &target, &held).await?;
        // The last: until here it can be seen which batches held anything of theirs.
        self.in_quarantine(&target, |folder, target| {
            quarantine::take_out(folder, |record| target.is_of(record))
        })
        .await?;
        Ok(rows)
    }

    /// Does something with the files of batches that are kept apart. The turn to change the tables is
    /// the turn to change them, too.
    async fn in_quarantine<T: Send + 'static>(
        &self,
        target: &Target,
        act: impl FnOnce(&Path, &Target) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let (folder, target) = (self.quarantine.clone(), target.clone());
        let done = tokio::task::spawn_blocking(move || act(&folder, &target)).await;
        done.map_err(io::Error::other)
            .flatten()
            .map_err(Failure::Quarantine)
    }

    /// Has the live numbers counted anew, from what the tables have now and everything after, with a
    /// position after the last of the visitor's events.
    async fn recount(&mut self, position: Position) -> Result<(), Failure> {
        let (ask, answer) = oneshot::channel();
        let stopped = "the live engine has stopped";
        let asked = self.rebuilds.send((position, ask)).await;
        asked.map_err(|_| Failure::Live(stopped))?;
        let (position, taken) = answer.await.map_err(|_| Failure::Live(stopped))?;
        self.ledger.reaches(position).await;
        let taken = taken + self.ingest.status().relearned();
        let place = self.ledger.page().place(taken);
        let place = place.ok_or(Failure::Live("the tables are too many batches ahead"))?;
        let now_ms = now_ms();
        let since = history::Since {
            all_ms: live::history_from_ms(now_ms),
            experiments_ms: live::experiments_from_ms(now_ms, self.experiment_days),
        };
        let client = self.client().await?;
        let live = &self.live;
        let seen = history::releases(&client, live::limits::RELEASES_MAX).await?;
        let seen = live.releases_seen(seen).await;
        seen.map_err(|_| Failure::Live(stopped))?;
        let take = |events: Vec<EventRow>, elements: Vec<ElementRow>| async move {
            // Stopped: then nobody reads its numbers.
            let _ = live.apply_before(events, elements).await;
        };
        let mut progress = history::Progress::default();
        history::from_clickhouse(&client, since, place, &mut progress, take).await?;
        let rebuilt = self.live.rebuilt().await;
        rebuilt.map_err(|_| Failure::Live(stopped))
    }

    /// Removes every segment in which the visitor may stand.
    async fn clear_log(&self) -> Result<(), Failure> {
        let end = self.ingest.clear_log(0).await?;
        self.ledger.keeps(end).await;
        self.ingest.clear_log(end).await?;
        Ok(())
    }

    /// The client, as soon as there is one.
    async fn client(&mut self) -> Result<Client, StoreError> {
        let client = self.client.wait_for(Option::is_some).await;
        let client = client.ok().and_then(|client| client.clone());
        client.ok_or(StoreError::NeverReady)
    }
}
