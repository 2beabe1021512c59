//! The live engine: counts every durable event at once and tells whoever listens.
//!
//! [`Engine`] is the state machine (no clock, no task). The hub knows the subscribers. [`Live`] is
//! the handle that everyone else holds; one thread behind it owns all state. Knows neither HTTP
//! nor ClickHouse: history is fed by the same [`Live::apply`] as new events.

mod activity;
mod beyond;
mod board;
mod campaign;
mod chain;
mod define;
mod due;
mod element;
mod engine;
mod entry;
mod experiment;
mod fault;
mod filter;
mod funnel;
mod heatmap;
mod hub;
pub mod limits;
mod mark;
mod minute;
mod money;
mod names;
mod origin;
mod overview;
mod page;
mod presence;
mod range;
mod release;
mod resource;
mod site;
mod source;
pub(crate) mod sql;
pub(crate) mod step;
mod took;
mod usage;
mod visitor;
mod window;

#[cfg(test)]
mod tests;

pub use activity::{ActivityFilter, kinds_told};
pub use beyond::Beyond;
pub use board::By;
pub use engine::Engine;
pub use experiment::{EXPERIMENT_DAYS, evidence, experiment_days, experiments_from_ms};
pub use filter::{Filter, ROBOT_SCORE_MIN, Seen};
pub use funnel::Stayed;
pub use heatmap::{HeatKind, Over};
pub use hub::{LiveError, Published};
pub use overview::COUNTED;
pub use range::{HOUR_MS, WHOLE_HOURS};
pub use resource::{Naming, Query, Resource};
pub(crate) use sql::glob_matches;
pub(crate) use step::CompiledStep;
pub use window::{RECENT_MINUTES, Window};

use crate::config::{Experiment, Funnel, Release, Site};
use crate::row::{ElementRow, EventRow};
use hub::Hub;
use limits::{Bounds, COMMANDS_MAX, PRESENCE_MS, TICK_MS};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use upriver_wire::live::Alerts;

/// Tells the time in Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How the engine runs.
#[derive(Clone)]
pub struct Options {
    /// Where the time comes from.
    pub clock: Clock,
    /// The bounds of its maps.
    pub bounds: Bounds,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(crate::clock::now_ms),
            bounds: Bounds::default(),
        }
    }
}

/// The rows that history must hold at a time: those of the live range by `time`, and those
/// received in it, for the feed and presence. Unix milliseconds. Experiments reach further back:
/// [`experiments_from_ms`].
pub fn history_from_ms(now_ms: u64) -> u64 {
    range::Range::at(now_ms)
        .start_ms()
        .min(now_ms.saturating_sub(PRESENCE_MS))
}

/// The handle of the live engine. Cheap to clone. The engine ends when the last handle is gone,
/// or with [`Live::stop`].
#[derive(Clone)]
pub struct Live {
    commands: mpsc::Sender<Command>,
    sites: Arc<RwLock<Vec<SiteIndex>>>,
}

/// What of a site can be asked for by name.
#[derive(Clone, Debug)]
pub struct SiteIndex {
    /// Its id.
    pub site: String,
    /// Id and name of each funnel.
    pub funnels: Vec<(String, String)>,
    /// The releases that were defined.
    pub releases: Vec<Release>,
}

/// What the engine is told, in order.
enum Command {
    Apply(Arc<Vec<EventRow>>, Arc<Vec<ElementRow>>),
    HistoryComplete,
    Define(Arc<str>, String, Option<Funnel>, u64),
    Recount(Arc<str>, u64, Vec<EventRow>, bool),
    DefineRelease(Arc<str>, String, Option<Release>),
    Plan(Arc<str>, String, Option<Experiment>),
    ReleasesSeen(Vec<(String, String, u64)>),
    Alerts(Arc<str>, Alerts),
    /// Counts everything from here on a second time, in an engine that knows nothing yet.
    Rebuild,
    /// What that engine is to know of before.
    ApplyBefore(Vec<EventRow>, Vec<ElementRow>),
    /// That engine takes the other's place.
    Rebuilt(oneshot::Sender<()>),
    Snapshot(
        Arc<str>,
        Query,
        oneshot::Sender<Result<Published, LiveError>>,
    ),
    Subscribe(
        Arc<str>,
        Query,
        Option<String>,
        oneshot::Sender<Result<Subscription, LiveError>>,
    ),
    Stop,
}

/// A subscription: first a snapshot or what was missed, then every change. Ends when the engine does.
pub type Subscription = mpsc::Receiver<Published>;

impl Live {
    /// Starts the engine's thread.
    ///
    /// # Errors
    /// The thread or its timer could not be made.
    pub fn start(sites: &[Site], options: Options) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (commands, queue) = mpsc::channel(COMMANDS_MAX);
        let now_ms = (options.clock)();
        let hub = Hub::new(Engine::new(sites, options.bounds, now_ms), now_ms);
        // A thread of its own: a batch may take milliseconds, an hour's turn longer, and no
        // request may wait behind them.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let thread = std::thread::Builder::new()
            .name("live".into())
            .spawn(move || runtime.block_on(run(hub, queue, options.clock)))?;
        let index = |site: &Site| SiteIndex {
            site: site.id.clone(),
            funnels: site
                .funnels
                .iter()
                .map(|f| (f.id.clone(), f.name.clone()))
                .collect(),
            releases: site.releases.clone(),
        };
        Ok((
            Self {
                commands,
                sites: Arc::new(RwLock::new(sites.iter().map(index).collect())),
            },
            thread,
        ))
    }

    /// Counts events and takes descriptors. Each event must be given exactly once, in any order.
    /// Waits while [`limits::COMMANDS_MAX`] commands are queued; nothing is lost.
    ///
    /// # Errors
    /// [`LiveError::Stopped`] only.
    pub async fn apply(
        &self,
        rows: Arc<Vec<EventRow>>,
        elements: Arc<Vec<ElementRow>>,
    ) -> Result<(), LiveError> {
        self.send(Command::Apply(rows, elements)).await
    }

    /// Says that all history has been applied: from here on `basis.complete` is true.
    ///
    /// # Errors
    /// [`LiveError::Stopped`] only.
    pub async fn history_complete(&self) -> Result<(), LiveError> {
        self.send(Command::HistoryComplete).await
    }

    /// Defines a funnel of a site anew, or without one removes it. Its numbers are incomplete until
    /// what was before has been given by [`Live::recount`] with the same generation, which is one
    /// that no other definition of the site has.
    ///
    /// # Errors
    /// [`LiveError::Stopped`] only.
    pub async fn define(
        &self,
        site: Arc<str>,
        id: &str,
        funnel: Option<Funnel>,
        generation: u64,
    ) -> Result<(), LiveError> {
        let name = funnel.as_ref().map(|funnel| funnel.name.clone());
        let command = Command::Define(site.clone(), id.to_owned(), funnel, generation);
        self.send(command).await?;
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = sites.iter_mut().find(|index| index.site == *site) {
            let at = index.funnels.iter().position(|(known, _)| known == id);
            match (at, name) {
                (Some(at), Some(name)) => index.funnels[at].1 = name,
                (None, Some(name)) => index.funnels.push((id.to_owned(), name)),
                (Some(at), None) => drop(index.funnels.remove(at)),
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Gives a funnel events from before it was defined, as often as need be; `last`: these were all.
    ///
    /// # Errors
    /// [`LiveError::Stopped`] only.
    pub async fn recount(
        &self,
        site: Arc<str>,
        generation: u64,
        rows: Vec<EventRow>,
        last: bool,
    ) -> Result<(), LiveError> {
        self.send(Command::Recount(site, generation, rows, last))
            .await
    }

    /// Defines a release of a site anew, or without one removes it.
    ///
    /// # Errors
    /// [`LiveError::Stopped`] only.
    pub async fn define_release(
        &self,
        site: Arc<str>,
        id: &str,
        release: Option<Release>,
    ) -> Result<(), LiveError> {
        let command = Command::DefineRelease(site.clone(), id.to_owned(), release.clone());
        self.send(command).await?;
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = sites.iter_mut().find(|index| index.site == *site) {
            index.releases.retain(|known| known.id != id);
            index.releases.extend(release);
        }
        Ok(())
    }

    /// Plans an experiment of a site anew, or without one takes its plan away. What was counted stays.
    ///
    /// # Errors
    /// [`LiveError::Stopped`] only.
    pub async fn plan(
        &self,
        site: Arc<str>,
        id: String,
        plan: Option<Experiment>,
    ) -> Result<(), LiveError> {
        self.send(Command::Plan(site, id, plan)).await
    }

    /// Takes site, name and first moment (Unix milliseconds) of releases that events from before
    /// carried; each as often as need be.
    ///
    /// # Errors
    /// [`LiveError::Stopped`] only.
    pub async fn releases_seen(&self, seen: Vec<(String, String, u64)>) -> Result<(), LiveError> {
        self.send(Command::ReleasesSeen(seen)).await
    }

    /// Shows these as the alerts of a site.
    ///
    /// # Errors
    /// [`LiveError::Stopped`] only.
    pub async fn alerts(&self, site: Arc<str>, alerts: Alerts) -> Result<(), LiveError> {
        self.send(Command::Alerts(site, alerts)).await
    }

    /// Begins to count anew beside what is counted: everything that is applied from here on is in both.
    ///
    /// # Errors
    /// [`LiveError::Stopped`] only.
    pub async fn rebuild(&self) -> Result<(), LiveError> {
        self.send(Command::Rebuild).await
    }

    /// Tells what is counted anew of what was applied before [`Live::rebuild`].
    ///
    /// # Errors
    /// [`LiveError::Stopped`] only.
    pub async fn apply_before(
        &self,
        rows: Vec<EventRow>,
        elements: Vec<ElementRow>,
    ) -> Result<(), LiveError> {
        self.send(Command::ApplyBefore(rows, elements)).await
    }

    /// From here on what was counted anew is what is answered. Its history is then complete.
    ///
    /// # Errors
    /// [`LiveError::Stopped`] only.
    pub async fn rebuilt(&self) -> Result<(), LiveError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Rebuilt(answer)).await?;
        answered.await.map_err(|_| LiveError::Stopped)
    }

    /// A resource as it is after everything applied so far.
    ///
    /// # Errors
    /// Unknown site or funnel, or the engine has stopped.
    pub async fn snapshot(&self, site: Arc<str>, query: Query) -> Result<Published, LiveError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Snapshot(site, query, answer)).await?;
        answered.await.map_err(|_| LiveError::Stopped)?
    }

    /// Subscribes to a resource; `after` is the cursor of what the subscriber has already.
    ///
    /// # Errors
    /// Unknown site or funnel, too many subscribers or queries, or the engine has stopped.
    pub async fn subscribe(
        &self,
        site: Arc<str>,
        query: Query,
        after: Option<String>,
    ) -> Result<Subscription, LiveError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Subscribe(site, query, after, answer))
            .await?;
        answered.await.map_err(|_| LiveError::Stopped)?
    }

    /// The ids of the sites.
    pub fn sites(&self) -> Vec<String> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        sites.iter().map(|index| index.site.clone()).collect()
    }

    /// What of a site can be asked for by name; none for an unknown site.
    pub fn index(&self, site: &str) -> Option<SiteIndex> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        sites.iter().find(|index| index.site == site).cloned()
    }

    /// Ends the engine after what is queued; every subscription ends with it.
    pub async fn stop(&self) {
        // Stopped already is as good.
        let _ = self.send(Command::Stop).await;
    }

    /// Whether the engine has ended. Then so has every subscription; before that one ends by itself
    /// only where there is no longer what it is to.
    pub(crate) fn has_stopped(&self) -> bool {
        self.commands.is_closed()
    }

    async fn send(&self, command: Command) -> Result<(), LiveError> {
        self.commands
            .send(command)
            .await
            .map_err(|_| LiveError::Stopped)
    }
}

/// The engine's thread. Commands are refused before subscriptions end: what is given last is let go
/// first. Commands as they come, a tick every 100 ms, metrics every ten seconds.
async fn run(mut hub: Hub, mut queue: mpsc::Receiver<Command>, clock: Clock) {
    const TICKS_PER_REPORT: u64 = 100;
    let mut ticker = tokio::time::interval(Duration::from_millis(TICK_MS));
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ticks = 0_u64;
    loop {
        tokio::select! {
            command = queue.recv() => match command {
                None | Some(Command::Stop) => return,
                Some(command) => obey(&mut hub, command, &clock),
            },
            _ = ticker.tick() => {
                hub.advance(clock());
                hub.publish();
                if ticks.is_multiple_of(TICKS_PER_REPORT) {
                    hub.engine.report();
                    metrics::gauge!("upriver_live_subscribers").set(hub.subscribers() as f64);
                }
                ticks += 1;
            }
        }
    }
}

fn obey(hub: &mut Hub, command: Command, clock: &Clock) {
    match command {
        Command::Apply(rows, elements) => {
            hub.engine.catch_up(&rows);
            // Descriptors first, so that what is shown of these rows has its names.
            for engine in hub.engines() {
                engine.describe(&elements);
                engine.apply(&rows);
            }
        }
        Command::Rebuild => hub.begin_anew(clock()),
        Command::ApplyBefore(rows, elements) => {
            if let Some(engine) = &mut hub.anew {
                engine.describe(&elements);
                engine.apply(&rows);
            }
        }
        Command::Rebuilt(answer) => {
            hub.replace(clock());
            let _ = answer.send(());
        }
        Command::HistoryComplete => hub.engine.history_complete(),
        Command::Define(site, id, funnel, generation) => {
            hub.define(&site, &id, funnel.as_ref(), generation);
        }
        Command::Recount(site, generation, rows, last) => {
            hub.recount(&site, generation, &rows, last);
        }
        Command::DefineRelease(site, id, release) => {
            hub.define_release(&site, &id, release.as_ref());
        }
        Command::Plan(site, id, plan) => hub.plan(&site, &id, plan.as_ref()),
        Command::ReleasesSeen(seen) => hub.releases_seen(&seen),
        Command::Alerts(site, alerts) => hub.engine.alerts(&site, alerts),
        // Whoever asked may have gone; then nobody wants the answer.
        Command::Snapshot(site, query, answer) => {
            hub.engine.advance(clock());
            let _ = answer.send(hub.snapshot(&site, &query));
        }
        Command::Subscribe(site, query, after, answer) => {
            hub.engine.advance(clock());
            let _ = answer.send(hub.subscribe(&site, &query, after.as_deref()));
        }
        Command::Stop => (),
    }
}
