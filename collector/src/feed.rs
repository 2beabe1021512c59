//! From the log to the live engine and the rules: what is durable is counted, in log order.
//!
//! The one place that knows both the order of the log and the live numbers, so it is also the one
//! that can say what the numbers were at a position. Knows no ClickHouse and no HTTP.

use crate::ingest::{Committed, rows};
use crate::live::{self, Live};
use crate::log::Position;
use crate::row::{ElementRow, EventRow, Kind};
use crate::signals::firing::Rules;
use crate::store::audit::check::Counts;
use crate::store::audit::{Cut, LiveCounts};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use upriver_wire::live::Overview;

/// Somebody who wants the live numbers counted anew, from a position on or later; is told from which,
/// and how many events were taken before it.
pub(crate) type Rebuild = (Position, oneshot::Sender<(Position, u64)>);

/// Hands what is durable to the live engine, in log order, from `position` on, before which `taken`
/// events were taken since the checkpoint. Between two groups it says how the numbers stand, when it
/// is asked; or begins to count anew beside them, and says from which place on: position, and events
/// taken before it.
pub(crate) async fn feed_live(
    mut feed: mpsc::Receiver<Committed>,
    (mut cuts, mut rebuilds): (
        mpsc::Receiver<oneshot::Sender<Cut>>,
        mpsc::Receiver<Rebuild>,
    ),
    mut position: Position,
    mut taken: u64,
    listeners: Listeners,
) {
    let mut wanted: Option<Rebuild> = None;
    loop {
        if let Some((_, ask)) = wanted.take_if(|(from, _)| *from <= position)
            && listeners.live.rebuild().await.is_ok()
        {
            let _ = ask.send((position, taken));
        }
        let committed = tokio::select! {
            committed = feed.recv() => committed,
            Some(ask) = cuts.recv() => {
                if let Some(sites) = overviews(&listeners.live).await {
                    // Whoever asked may have given up.
                    let _ = ask.send(Cut {
                        position,
                        taken,
                        sites,
                    });
                }
                continue;
            }
            Some(ask) = rebuilds.recv() => {
                wanted = Some(ask);
                continue;
            }
        };
        let Some(committed) = committed else { return };
        let (mut events, mut elements) = (Vec::new(), Vec::new());
        for record in &committed.records {
            events.extend(rows::event_rows(record));
            elements.extend(rows::element_rows(record));
        }
        taken += events.len() as u64;
        listeners.apply(events, elements).await;
        position = committed.position;
    }
}

/// The overview of every site, after everything applied so far. None when the engine has stopped.
async fn overviews(live: &Live) -> Option<Vec<LiveCounts>> {
    let mut sites = Vec::new();
    for site in live.sites() {
        let published = live
            .snapshot(site.as_str().into(), live::Query::Overview)
            .await;
        let update: serde_json::Value = serde_json::from_str(&published.ok()?.json).ok()?;
        let data = update.get("data")?;
        let overview: Overview = serde_json::from_value(data.clone()).ok()?;
        let basis = overview.basis?;
        let mut counts = Counts {
            visitors: overview.visitors,
            ..Counts::default()
        };
        for (count, kind) in counts.kinds.iter_mut().zip(Kind::ALL) {
            let name = live::COUNTED.iter().find(|(_, counted)| counted == kind)?.0;
            *count = data.get(name)?.as_u64()?;
        }
        sites.push(LiveCounts {
            site,
            from_ms: basis.from_ms,
            complete: basis.complete,
            counts,
        });
    }
    Some(sites)
}

/// Who is told every event, each once.
#[derive(Clone)]
pub(crate) struct Listeners {
    pub(crate) live: Live,
    pub(crate) rules: Rules,
}

impl Listeners {
    pub(crate) async fn apply(&self, events: Vec<EventRow>, elements: Vec<ElementRow>) {
        let events = Arc::new(events);
        // Counted first: whoever is told something finds it in the numbers.
        let counted = self.live.apply(events.clone(), Arc::new(elements)).await;
        // It refuses only when it has stopped, and then nobody reads its numbers.
        if let Err(error) = counted {
            tracing::debug!(%error, "not counted live");
        }
        self.rules.see(&events).await;
    }
}
