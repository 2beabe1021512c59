//! The checkpoint: every few seconds the memory of streams, and how far the tables are, are kept
//! beside the log, and log that nobody needs any more is let go of.
//!
//! It goes on while ClickHouse is away, so that a start reads little of a long log. Knows no table
//! and no HTTP.

use super::ledger::{Ledger, Page};
use super::state::State;
use crate::clock::now_ms;
use crate::ingest::recovery::Mark;
use crate::ingest::{Ingest, StreamChanges};
use crate::log::Position;
use metrics::{counter, gauge};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often the checkpoint is written when there is something new.
const EVERY: Duration = Duration::from_secs(5);

/// The one that writes checkpoints. Runs as one task.
pub struct Keeper {
    ingest: Ingest,
    ledger: Arc<Ledger>,
    state: Arc<State>,
    /// What could not be written yet. Until it is, nothing newer is asked for.
    unwritten: Option<Arc<Checkpoint>>,
    /// Position of the log and end of the newest batch that are kept.
    kept: (Position, Position),
}

struct Checkpoint {
    page: Page,
    mark: Mark,
    changes: StreamChanges,
}

impl Keeper {
    /// A keeper that has not begun.
    pub fn new(ingest: Ingest, ledger: Arc<Ledger>, state: Arc<State>) -> Self {
        Self {
            ingest,
            ledger,
            state,
            unwritten: None,
            kept: (0, 0),
        }
    }

    /// Keeps until `stopping`, and once more then.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            let stopped = stopping.wait_for(|stopping| *stopping);
            let last = tokio::time::timeout(EVERY, stopped).await.is_ok();
            self.keep().await;
            if last {
                return;
            }
        }
    }

    async fn keep(&mut self) {
        let checkpoint = match self.unwritten.take() {
            Some(checkpoint) => checkpoint,
            None => match self.checkpoint().await {
                Some(checkpoint) => Arc::new(checkpoint),
                None => return,
            },
        };
        let (state, writing) = (self.state.clone(), checkpoint.clone());
        let written = tokio::task::spawn_blocking(move || {
            let Checkpoint {
                page,
                mark,
                changes,
            } = &*writing;
            state.checkpoint(page.newest, mark, changes)
        });
        match written.await {
            Ok(Ok(())) => {
                gauge!("upriver_checkpoint_failed").set(0.0);
                self.ledger.kept(checkpoint.page.newest.to);
                self.kept = (checkpoint.mark.position, checkpoint.page.newest.to);
                self.ingest.forget_log(checkpoint.page.newest.to).await;
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the checkpoint was not written; trying again");
                counter!("upriver_checkpoint_failures_total").increment(1);
                gauge!("upriver_checkpoint_failed").set(1.0);
                self.unwritten = Some(checkpoint);
            }
            // The process is stopping.
            Err(_) => {}
        }
    }

    /// What is to be kept now; none when nothing changed, or the log has failed.
    async fn checkpoint(&self) -> Option<Checkpoint> {
        // First the tables, then the streams: all that the tables have then lies before the mark.
        let page = self.ledger.page();
        if self.kept == (*self.ingest.durable().borrow(), page.newest.to) {
            return None;
        }
        let changes = self.ingest.stream_changes(now_ms()).await.ok()?;
        let mark = Mark {
            position: changes.position,
            unstored: changes.taken.saturating_sub(page.events + page.quarantined),
            received_ms: changes.received_ms,
            forgotten_until_ms: changes.forgotten_until_ms,
            sealed: page.sealed.clone(),
        };
        Some(Checkpoint {
            page,
            mark,
            changes,
        })
    }
}
