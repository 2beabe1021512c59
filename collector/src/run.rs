//! Putting the parts together and taking them down again, in the right order.
//!
//! Up: state, log, ingest, live engine, HTTP; ClickHouse and everything that needs it come when
//! they come. Down: HTTP first, then the writer until nothing is left, then ClickHouse.

use crate::alert;
use crate::api::access::{self, Access};
use crate::api::client::Clients;
use crate::api::limits::{Limits, LimitsConfig};
use crate::api::{self, ClickHouseUp, Stopping};
use crate::clock;
use crate::config::{Retention, Site};
use crate::definitions::{self, Definitions};
use crate::erasure::{Eraser, Erasures};
use crate::feed::{Listeners, feed_live};
use crate::ingest::recovery::{self, Recovered};
use crate::ingest::{self, Ingest, Quota, imported};
use crate::live::{self, Live};
use crate::log::storage::{Disk, Storage};
use crate::log::{self, Position, Reader};
use crate::past::Past;
use crate::row::{ElementRow, EventRow};
use crate::signals::Signals;
use crate::signals::deliver::Webhooks;
use crate::signals::firing::{self, Doers};
use crate::signals::outbox::Outbox;
use crate::signals::post::Reach;
use crate::store::audit::Auditor;
use crate::store::child::{self, ChildConfig};
use crate::store::export::Exports;
use crate::store::keeper::Keeper;
use crate::store::ledger::Ledger;
use crate::store::quarantine::{self, Quarantine};
use crate::store::state::State;
use crate::store::writer::{self, Resume, Watermarks, Writer};
use crate::store::{self, StoreError, history, migrate, repair, retention};
use actix_web::{App, HttpServer, web};
use anyhow::Context;
use clickhouse::Client;
use metrics_exporter_prometheus::PrometheusBuilder;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How long open requests may take when the process stops.
const HTTP_STOP_SECONDS: u64 = 5;
/// How long the writer may take to insert what is left when the process stops. What is not in by
/// then is in the log.
const WRITER_STOP: Duration = Duration::from_secs(15);
/// Pause after ClickHouse was up but could not be used.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// How long a request's head may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Segments that the log has at least when it is full.
const SEGMENTS_MIN: u64 = 16;
/// File in the data folder with what webhooks were not told yet.
const OUTBOX_FILE: &str = "outbox.redb";
/// File in the data folder with the alerts that were told.
const ALERTS_FILE: &str = "alerts.redb";
/// Connections at once.
const CONNECTIONS_MAX: usize = 25_000;

/// Where ClickHouse is.
#[derive(Clone, Debug)]
pub enum ClickHouse {
    /// Our own, in a child process.
    Child(ChildConfig),
    /// Somebody else's, for us to use.
    Server(store::Access),
}

/// What [`run`] needs to know.
pub struct Options {
    /// Folder of log, state and secret.
    pub data: PathBuf,
    /// The sites.
    pub sites: Vec<Site>,
    /// For how long the tables keep rows.
    pub retention: Retention,
    /// Who clients are, and where.
    pub clients: Clients,
    /// ClickHouse.
    pub clickhouse: ClickHouse,
    /// Size past which a new segment of the log is begun.
    pub log_segment_bytes: u64,
    /// Sizes of the log past which less is taken, and nothing any more.
    pub log_quota: Quota,
    /// What one address may do.
    pub limits: LimitsConfig,
    /// How often the tables are compared with what was acknowledged.
    pub audit_every: Duration,
    /// Where webhooks may go.
    pub webhook_reach: Reach,
    /// How to watch for what is wrong.
    pub alerts: alert::Options,
}

/// Serves on the listener until `shutdown` resolves, then drains. Returns when everything that was
/// acknowledged is in ClickHouse, or safely in the log.
///
/// # Errors
/// The folder, the log or the listener cannot be used.
pub async fn run(
    options: Options,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(&options.data)
        .with_context(|| format!("cannot make the data folder {}", options.data.display()))?;
    let disk = Disk::open(options.data.join("log")).context("cannot open the log")?;
    let state = State::open(&options.data.join("state.redb"))?;
    let remembered = state.remembered()?;
    // A segment is let go of as a whole: of a small log it may only be a small part.
    let segment_bytes = options.log_segment_bytes;
    let segment_bytes = segment_bytes
        .min(options.log_quota.hard / SEGMENTS_MIN)
        .max(1);
    let recovered = recovery::recover(disk, log::Options::new(segment_bytes), remembered)?;
    report(&recovered);

    let metrics = PrometheusBuilder::new()
        .install_recorder()
        .context("cannot set up metrics")?;
    let (book, sites) = definitions::open(&options.data, &options.sites)
        .context("cannot open the file of definitions")?;
    let mut live_options = live::Options::default();
    live_options.bounds.experiment_days = live::experiment_days(options.retention.events_days);
    let (live, live_thread) =
        Live::start(&sites, live_options.clone()).context("cannot start the live engine")?;
    let (rules, mut rules_worker) = firing::prepare(&options.sites, &options.data)
        .context("cannot make the secret that decides who is left out of rules")?;
    definitions::restore_rules(&book, &options.sites, &live, &mut rules_worker)
        .await
        .context("cannot read the rules that were defined")?;
    let listeners = Listeners {
        live: live.clone(),
        rules: rules.clone(),
    };
    // Three steps of stopping: streams close, the writer drains, ClickHouse ends.
    let (closing, closed) = watch::channel(false);
    let (stop, stopping) = watch::channel(false);
    let (client, client_watch) = watch::channel(None);
    let (tables, tables_made) = watch::channel(false);
    let alerts_book = book.clone();
    let (definitions, teller) = Definitions::new(book, &options.sites, live.clone(), rules);

    let state = Arc::new(state);
    let known: imported::Known = {
        let state = state.clone();
        Box::new(move |keys| state.imported(keys).map_err(|error| error.to_string()))
    };
    let quarantine = options.data.join(quarantine::FOLDER);
    let quarantine = Quarantine::open(quarantine).context("cannot open the quarantine")?;
    let plan = Plan {
        reader: recovered.reader.clone(),
        ledger: Arc::default(),
        listeners: listeners.clone(),
        seals: recovered.seals.clone(),
        checkpoint: recovered.checkpoint,
        marked: recovered.marked,
        gap: recovered.gap,
        tables,
        end: recovered.log.position(),
        retention: options.retention,
        history: watch::channel(false).0,
    };
    let secret = access::secret(&options.data)?;
    let erasures = Erasures::open(&options.data, &secret, state.clone())
        .context("cannot read the orders to erase")?;
    let erasing = erasures.erasing();
    // Until they are carried out, tables and live numbers need not agree.
    plan.ledger.set_erasing(!erasing.is_empty());
    for erasing in &erasing {
        rules_worker.erasing(erasing);
    }
    let erased = erasures.erased(clock::now_ms())?;
    let taken = recovered.unstored_events;
    let (ingest, feed, sequencer) = ingest::start(recovered, options.log_quota, known, erased)?;
    let (cuts, cut_asks) = mpsc::channel(1);
    let (rebuilds, rebuild_asks) = mpsc::channel(1);
    let asks = (cut_asks, rebuild_asks);
    let feeder = tokio::spawn(feed_live(feed, asks, plan.end, taken, listeners.clone()));
    let clickhouse = tokio::spawn(clickhouse(options.clickhouse.clone(), client, stopping));
    let database = match &options.clickhouse {
        ClickHouse::Child(child) => child.database.clone(),
        ClickHouse::Server(access) => access.database.clone(),
    };
    let (drain, draining) = watch::channel(false);
    // From here on it can be asked; the writer only begins when ClickHouse is there.
    plan.ledger.begin(plan.checkpoint, &plan.seals);
    let keeper = Keeper::new(ingest.clone(), plan.ledger.clone(), state);
    let keeper = tokio::spawn(keeper.run(stop.subscribe()));
    let auditor = Auditor {
        cuts,
        client: client_watch.clone(),
        ingest: ingest.clone(),
        reader: plan.reader.clone(),
        ledger: plan.ledger.clone(),
    };
    let (audit, audits) = auditor.start(options.audit_every, draining.clone());
    let retaining = tokio::spawn(retention::tell(
        options.retention,
        client_watch.clone(),
        tables_made.clone(),
    ));
    let teller = tokio::spawn(teller.run(definitions::Surroundings {
        client: client_watch.clone(),
        tables: tables_made,
        ledger: plan.ledger.clone(),
        durable: ingest.durable(),
    }));
    let history = plan.history.subscribe();
    let ledger = plan.ledger.clone();
    let writer = tokio::spawn(plan.carry_out(
        (ingest.clone(), quarantine),
        client_watch.clone(),
        database,
        draining,
    ));

    let outbox = Outbox::open(&options.data.join(OUTBOX_FILE), clock::now_ms())?;
    let reach = options.webhook_reach;
    let (webhooks, deliveries) = Webhooks::start(&options.sites, outbox, reach, stop.subscribe())
        .context("cannot start webhooks")?;
    let signals = Signals::default();
    let rules = tokio::spawn(rules_worker.run(Doers {
        ingest: ingest.clone(),
        signals: signals.clone(),
        webhooks: webhooks.clone(),
    }));
    let exports = Exports::new(
        client_watch.clone(),
        ingest.clone(),
        ledger.clone(),
        options.data.join(quarantine::FOLDER),
    );
    let eraser = Eraser {
        erasures: erasures.clone(),
        ingest: ingest.clone(),
        ledger,
        live: live.clone(),
        client: client_watch.clone(),
        rebuilds,
        history,
        experiment_days: live_options.bounds.experiment_days,
        quarantine: options.data.join(quarantine::FOLDER),
        rules: listeners.rules,
        signals: signals.clone(),
        webhooks: webhooks.clone(),
    };
    let eraser = tokio::spawn(eraser.run());

    let alerts = tokio::spawn(alert::watch(
        options.sites.clone(),
        alerts_book,
        options.alerts,
        client_watch.clone(),
        alert::Told::open(&options.data.join(ALERTS_FILE))?,
        (live.clone(), webhooks.clone()),
    ));

    let access = web::Data::new(Access::new(&options.sites, access::signer(&options.data)?));
    let limits = web::Data::new(Limits::new(options.limits));
    let clients = web::Data::new(options.clients);
    let past_client = client_watch.clone();
    let shared = (
        web::Data::new(ingest.clone()),
        web::Data::new(live.clone()),
        web::Data::new(Stopping(closed)),
        web::Data::new(ClickHouseUp(client_watch)),
        web::Data::new(metrics),
        web::Data::new(audit),
        web::Data::new(signals),
        web::Data::new(Past::new(past_client, live.clone())),
        web::Data::new(definitions),
        (
            web::Data::new(webhooks),
            web::Data::new(options.retention),
            web::Data::new(erasures),
            web::Data::new(exports),
        ),
    );
    let server = HttpServer::new(move || {
        let (ingest, live, stopping, up, metrics, audit, signals, past, definitions, rest) =
            shared.clone();
        let (webhooks, retention, erasures, exports) = rest;
        App::new()
            .app_data(access.clone())
            .app_data(limits.clone())
            .app_data(clients.clone())
            .app_data(ingest)
            .app_data(live)
            .app_data(stopping)
            .app_data(up)
            .app_data(metrics)
            .app_data(audit)
            .app_data(signals)
            .app_data(past)
            .app_data(definitions)
            .app_data(webhooks)
            .app_data(retention)
            .app_data(erasures)
            .app_data(exports)
            .configure(api::configure)
    })
    .workers(std::thread::available_parallelism().map_or(2, usize::from))
    .client_request_timeout(REQUEST_TIMEOUT)
    .max_connections(CONNECTIONS_MAX)
    .shutdown_timeout(HTTP_STOP_SECONDS)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    let served = tokio::spawn(server);

    shutdown.await;
    tracing::info!("stopping");
    // Streams and subscriptions end by themselves, so that the server need not wait for them.
    closing.send_replace(true);
    live.stop().await;
    handle.stop(true).await;
    served.await??;
    // What it was at is taken up by the next start.
    eraser.abort();
    drain.send_replace(true);
    match tokio::time::timeout(WRITER_STOP, writer).await {
        Ok(Ok(Ok(()))) => tracing::info!("everything is in clickhouse"),
        Ok(Ok(Err(error))) => tracing::error!(%error, "the writer failed; the rest is in the log"),
        Ok(Err(error)) => tracing::error!(%error, "the writer failed; the rest is in the log"),
        Err(_) => {
            tracing::warn!("clickhouse did not take everything in time; the rest is in the log")
        }
    }
    audits.abort();
    teller.abort();
    retaining.abort();
    alerts.abort();
    stop.send_replace(true);
    clickhouse.await?;
    keeper.await?;
    rules.abort();
    deliveries.await?;
    drop(ingest);
    drop(live);
    feeder.abort();
    let _ = tokio::task::spawn_blocking(move || (sequencer.join(), live_thread.join())).await;
    Ok(())
}

fn report<S: Storage>(recovered: &Recovered<S>) {
    tracing::info!(
        log_bytes = recovered.log.bytes(),
        streams = recovered.dedup.len(),
        sealed_not_checkpointed = recovered.seals.len(),
        "log recovered"
    );
    if recovered.unknown_records > 0 {
        tracing::error!(
            records = recovered.unknown_records,
            "the log has records of another version; they are passed over"
        );
    }
}

async fn clickhouse(
    config: ClickHouse,
    client: watch::Sender<Option<Client>>,
    mut stopping: watch::Receiver<bool>,
) {
    match config {
        ClickHouse::Child(config) => child::supervise(config, client, stopping).await,
        ClickHouse::Server(access) => {
            client.send_replace(Some(access.client()));
            let _ = stopping.wait_for(|stopping| *stopping).await;
        }
    }
}

/// What is to be done once ClickHouse is there: bring the tables up to date, give the live engine
/// its history, and write.
struct Plan<S: Storage> {
    reader: Reader<S>,
    ledger: Arc<Ledger>,
    listeners: Listeners,
    seals: Vec<ingest::record::Seal>,
    checkpoint: ingest::record::Seal,
    /// Where the log was when the streams were remembered.
    marked: Position,
    /// Whether a part of the log after that cannot be read.
    gap: bool,
    /// Told when the tables are up to date.
    tables: watch::Sender<bool>,
    /// End of the log at the start: what comes later reaches the live engine by itself.
    end: Position,
    /// For how long the tables keep rows.
    retention: Retention,
    /// Told when the live engine has its history.
    history: watch::Sender<bool>,
}

impl<S: Storage> Plan<S> {
    async fn carry_out(
        mut self,
        (ingest, quarantine): (Ingest, Quarantine),
        client: watch::Receiver<Option<Client>>,
        database: String,
        draining: watch::Receiver<bool>,
    ) -> Result<(), StoreError> {
        let ready = self.ready(&ingest, (&client, &database), &draining).await;
        let Some((watermarks, seals)) = ready else {
            return Err(StoreError::NeverReady);
        };
        if seals != self.seals {
            self.ledger.begin(self.checkpoint, &seals);
            self.seals = seals;
        }
        self.tables.send_replace(true);
        // Events may have been erased; what was inserted is told all the same.
        let clickhouse = watermarks.events.max(watermarks.ingest_log);
        let log = self.checkpoint.batch;
        if clickhouse < log && self.retention.events_days.is_none() {
            tracing::error!(
                clickhouse,
                log,
                "clickhouse has lost rows, or was replaced: history before the log is not there"
            );
        } else if clickhouse < log {
            tracing::warn!(
                clickhouse,
                log,
                "clickhouse does not have the newest batch any more: its time is over, or clickhouse \
                 has lost rows, or was replaced"
            );
        }
        let writer = Writer::new(
            client.clone(),
            ingest.clone(),
            self.reader.clone(),
            (self.ledger.clone(), quarantine),
            draining.clone(),
        );
        let resume = Resume {
            seals: self.seals.clone(),
            checkpoint: self.checkpoint,
            watermarks,
        };
        let history = tokio::spawn(async move {
            self.history(&ingest, client, watermarks.events).await;
        });
        let result = writer.run(resume).await;
        history.abort();
        result
    }

    /// Waits for ClickHouse, brings the tables up to date, asks how far they are, and has them tell what
    /// the log cannot. None when the process stops before that.
    async fn ready(
        &self,
        ingest: &Ingest,
        (client, database): (&watch::Receiver<Option<Client>>, &str),
        draining: &watch::Receiver<bool>,
    ) -> Option<(Watermarks, Vec<ingest::record::Seal>)> {
        let (mut client, mut draining) = (client.clone(), draining.clone());
        loop {
            let found = tokio::select! {
                found = client.wait_for(Option::is_some) => found.ok()?.clone()?,
                _ = draining.wait_for(|draining| *draining) => return None,
            };
            let result = async {
                migrate::migrate(&found, database).await?;
                writer::settled_all(&found).await?;
                let watermarks = Watermarks::read(&found).await?;
                let seals = self.mend(ingest, &found, watermarks.highest()).await?;
                Ok::<_, StoreError>((watermarks, seals))
            };
            match result.await {
                Ok(ready) => return Some(ready),
                Err(error) => {
                    tracing::warn!(%error, "clickhouse cannot be used yet; trying again");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
    }

    /// Finds the seals that are gone, and has ingest learn what was taken when a part of the log that
    /// told it is gone.
    async fn mend(
        &self,
        ingest: &Ingest,
        client: &Client,
        highest: u64,
    ) -> Result<Vec<ingest::record::Seal>, StoreError> {
        let known = (self.checkpoint, &self.seals[..]);
        let seals = repair::seals(client, &self.reader, known, highest).await?;
        if self.gap {
            repair::learn(client, self.checkpoint, ingest).await?;
            let untold = repair::untold(client, &self.reader, &seals, self.marked).await?;
            ingest.learned(untold).await?;
            tracing::warn!(
                untold,
                "clickhouse has told what it holds of the spoilt log; events are taken again"
            );
        }
        Ok(seals)
    }

    /// Gives the live engine every event before the start, each once: from ClickHouse up to its
    /// watermark, from the log above it.
    async fn history(
        &mut self,
        ingest: &Ingest,
        client: watch::Receiver<Option<Client>>,
        mark: u64,
    ) {
        let known = self.seals.iter().rfind(|seal| seal.batch <= mark);
        let from = known.map_or(self.checkpoint.to, |seal| seal.to);
        let listeners = self.listeners.clone();
        let take = |events, elements| listeners.apply(events, elements);
        if let Err(error) = history::from_log(&mut self.reader, from, self.end, take).await {
            tracing::error!(%error, "the log could not be read; live numbers stay incomplete");
            return;
        }
        self.history_in_clickhouse(ingest, client, mark).await;
    }

    async fn history_in_clickhouse(
        &self,
        ingest: &Ingest,
        mut client: watch::Receiver<Option<Client>>,
        mark: u64,
    ) {
        let now_ms = clock::now_ms();
        let since = history::Since {
            all_ms: live::history_from_ms(now_ms),
            experiments_ms: live::experiments_from_ms(
                now_ms,
                live::experiment_days(self.retention.events_days),
            ),
        };
        let mut progress = history::Progress::default();
        loop {
            let Ok(found) = client
                .wait_for(Option::is_some)
                .await
                .map(|found| found.clone())
            else {
                return;
            };
            let Some(found) = found else { continue };
            let take = |events: Vec<EventRow>, elements: Vec<ElementRow>| async move {
                let described = elements.iter().map(described).collect::<Vec<_>>();
                if !described.is_empty() {
                    ingest.described(described).await;
                }
                self.listeners.apply(events, elements).await;
            };
            let read = async {
                let seen = history::releases(&found, live::limits::RELEASES_MAX).await?;
                if let Err(error) = self.listeners.live.releases_seen(seen).await {
                    tracing::debug!(%error, "releases came too late");
                }
                let before = (mark + 1, 0);
                history::from_clickhouse(&found, since, before, &mut progress, take).await
            };
            match read.await {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(%error, "history could not be read; trying again");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
        self.listeners.rules.begin().await;
        let complete = self.listeners.live.history_complete().await;
        self.history.send_replace(true);
        match complete {
            Ok(()) => tracing::info!("live history is complete"),
            Err(error) => tracing::debug!(%error, "history came too late"),
        }
    }
}

fn described(row: &ElementRow) -> (String, u64, u64) {
    let hash = ingest::look_hash(&row.selector, &row.label, &row.role, row.background);
    (row.site.clone(), row.element, hash)
}
