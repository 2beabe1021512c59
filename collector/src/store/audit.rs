//! The audit: whether what is in the tables is what was acknowledged, no row more and none less.
//!
//! Owns the questions, when they are asked, and the report. What follows from the answers is
//! decided in [`check`], which is pure. Changes nothing, ever. Knows no HTTP.
//!
//! It runs beside a writer that goes on writing, so every comparison is bound to a batch that all
//! tables are known to have: nothing in flight can look like a fault.

pub mod check;
mod facts;
mod live;
mod rolled;

pub(super) use facts::DAYS;

use super::ledger::Ledger;
use crate::clock::now_ms;
use crate::ingest::Ingest;
use crate::log::Reader;
use crate::log::storage::Storage;
use check::{Check, Counts, Verdict};
use clickhouse::Client;
use metrics::{counter, gauge};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests for a report that wait at once. They share the next one.
const ASKS_MAX: usize = 16;
/// How long one audit may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Why nothing could be compared while rows were leaving one table after the other.
const ERASING: &str = "a visitor is being erased; ask again when that is done";

/// What an audit found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When it was begun, Unix ms.
    pub at_ms: u64,
    /// How long it took, ms.
    pub took_ms: u64,
    /// False as soon as one check is wrong. A check that could not be made is not wrong.
    pub healthy: bool,
    /// The newest batch that was looked at.
    pub batch: u64,
    /// The checks, always the same ones in the same order.
    pub checks: Vec<Check>,
}

/// The live numbers of every site between two groups of the log: all that stands before the
/// position is counted in them, and nothing that stands after it.
#[derive(Clone, Debug, Default)]
pub struct Cut {
    /// The position.
    pub position: crate::log::Position,
    /// Events taken before it, since the checkpoint that the process started from.
    pub taken: u64,
    /// The sites.
    pub sites: Vec<LiveCounts>,
}

/// One site, as it is counted live.
#[derive(Clone, Debug, Default)]
pub struct LiveCounts {
    /// The site.
    pub site: String,
    /// Events from this time on are counted, Unix ms.
    pub from_ms: u64,
    /// False while history is missing, or when something was left out.
    pub complete: bool,
    /// The numbers.
    pub counts: Counts,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Too many wait for one.
    #[error("{ASKS_MAX} audits are waited for already; try again shortly")]
    Busy,
    /// The process is stopping, or its log failed.
    #[error("the audit has stopped; is the collector stopping?")]
    Stopped,
}

/// Asks for audits. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Audit {
    asks: mpsc::Sender<oneshot::Sender<Arc<Report>>>,
}

impl Audit {
    /// A report that was begun after this was called.
    ///
    /// # Errors
    /// [`AuditError`].
    pub async fn report(&self) -> Result<Arc<Report>, AuditError> {
        let (reply, answer) = oneshot::channel();
        self.asks.try_send(reply).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AuditError::Busy,
            mpsc::error::TrySendError::Closed(_) => AuditError::Stopped,
        })?;
        answer.await.map_err(|_| AuditError::Stopped)
    }
}

/// What the audit looks at.
pub struct Auditor<S: Storage> {
    /// Asks for the live numbers at one place in the log.
    pub cuts: mpsc::Sender<oneshot::Sender<Cut>>,
    /// The tables; empty while ClickHouse is away.
    pub client: watch::Receiver<Option<Client>>,
    /// What was taken.
    pub ingest: Ingest,
    /// The log.
    pub reader: Reader<S>,
    /// What the writer says it stored.
    pub ledger: Arc<Ledger>,
}

impl<S: Storage> Auditor<S> {
    /// Audits now and then, and whenever somebody asks, until `stopping`.
    pub fn start(
        mut self,
        every: Duration,
        mut stopping: watch::Receiver<bool>,
    ) -> (Audit, tokio::task::JoinHandle<()>) {
        let (asks, mut asked) = mpsc::channel::<oneshot::Sender<Arc<Report>>>(ASKS_MAX);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let mut waiting = Vec::new();
                tokio::select! {
                    _ = ticks.tick() => {}
                    ask = asked.recv() => waiting.extend(ask),
                    _ = stopping.wait_for(|stopping| *stopping) => return,
                }
                while let Ok(ask) = asked.try_recv() {
                    waiting.push(ask);
                }
                let report = Arc::new(self.audit().await);
                publish(&report);
                for ask in waiting {
                    // Whoever asked may have gone.
                    let _ = ask.send(report.clone());
                }
            }
        });
        (Audit { asks }, task)
    }

    async fn audit(&mut self) -> Report {
        let at_ms = now_ms();
        let client = self.client.borrow().clone();
        let erasing = self.ledger.erasing();
        let gathered = match client {
            _ if erasing.now => Err(ERASING.to_owned()),
            Some(client) => {
                let gathered = facts::gather(self, &client, at_ms);
                let gathered = tokio::time::timeout(TIMEOUT, gathered).await;
                gathered.unwrap_or_else(|_| Err(format!("no answer within {TIMEOUT:?}")))
            }
            None => Err("clickhouse is away".to_owned()),
        };
        let gathered = match self.ledger.erasing() == erasing {
            true => gathered,
            false => Err(ERASING.to_owned()),
        };
        let (batch, checks) = match gathered {
            Ok(facts) => (facts.batch, check::check(&facts)),
            Err(reason) => (0, check::none(&reason)),
        };
        Report {
            at_ms,
            took_ms: now_ms().saturating_sub(at_ms),
            healthy: checks.iter().all(|check| check.verdict != Verdict::Wrong),
            batch,
            checks,
        }
    }
}

/// Metrics, and a line in the log for whatever is wrong.
fn publish(report: &Report) {
    counter!("upriver_audit_runs_total").increment(1);
    gauge!("upriver_audit_at_seconds").set(report.at_ms as f64 / 1000.0);
    gauge!("upriver_audit_healthy").set(f64::from(u8::from(report.healthy)));
    for check in &report.checks {
        let checked = f64::from(u8::from(check.verdict != Verdict::NotChecked));
        gauge!("upriver_audit_checked", "check" => check.name).set(checked);
        gauge!("upriver_audit_difference", "check" => check.name).set(check.difference as f64);
        if check.verdict == Verdict::Wrong {
            tracing::error!(
                check = check.name,
                difference = check.difference,
                detail = check.detail,
                "the audit found a difference"
            );
        }
    }
}
