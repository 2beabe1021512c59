//! The one task that watches: at the end of each tick it asks ClickHouse what came, lets that pass
//! through the detectors, and says what is new: to dashboards, to webhooks, in the log.
//!
//! Looks again at all of the history when much of it came late: an import, or visitors who were
//! offline. While ClickHouse is away nothing is judged; what passed meanwhile is when it is back.

use super::detector::TICK_MS;
use super::query::{self, DEFINITION};
use super::site::{HourRow, SiteWatch, TickRow};
use super::told::{News, Told, reconcile};
use super::traffic::HOUR_MS;
use crate::clock::now_ms;
use crate::config::{Alert, Site};
use crate::definitions::book::Book;
use crate::definitions::{alerts, with_defined};
use crate::live::Live;
use crate::past::{PastError, rows};
use crate::signals::deliver::Webhooks;
use crate::signals::message::Message;
use clickhouse::Client;
use metrics::{counter, gauge};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use upriver_wire::live::{AlertRow, Alerts, Basis};

/// How far back is looked.
const HISTORY_MS: u64 = 28 * 24 * HOUR_MS;
/// How long after its end a tick is judged: events are on their way.
const GRACE_MS: u64 = 60_000;
/// All is looked at again at least so often: other pages are viewed most by then.
const ANEW_MS: u64 = 24 * HOUR_MS;
/// Events that must have come late for all to be looked at again…
const LATE_MIN: u64 = 100;
/// …and looks between two times of that.
const LOOKS_BETWEEN: u32 = 10;

/// How to watch.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Time between two looks at whether a tick has ended or something came late.
    pub every: Duration,
}

/// Watches the sites that want it, with the funnels that the book defines beside their own, until the
/// task is aborted.
pub async fn watch(
    sites: Vec<Site>,
    book: Arc<Book>,
    options: Options,
    client: watch::Receiver<Option<Client>>,
    told: Told,
    (live, webhooks): (Live, Webhooks),
) {
    let told = Arc::new(told);
    let mut changes = book.changes();
    let wanted = with_defined(&book, &sites).into_iter();
    let wanted = wanted.filter(|site| site.alerts.enabled);
    let mut watched: Vec<Watched> = wanted.map(Watched::new).collect();
    loop {
        tokio::time::sleep(options.every).await;
        if changes.has_changed().unwrap_or(false) {
            changes.mark_unchanged();
            for site in with_defined(&book, &sites) {
                let known = watched.iter_mut().find(|known| known.config.id == site.id);
                // Other funnels: all of the history is judged anew.
                if let Some(known) = known.filter(|known| known.config.funnels != site.funnels) {
                    *known = Watched::new(site);
                }
            }
        }
        let Some(client) = client.borrow().clone() else {
            continue;
        };
        for site in &mut watched {
            match site.look(&client, options.every).await {
                Ok(false) => {}
                Ok(true) => {
                    if let Err(error) = site.tell(&told, &live, (&webhooks, &book)).await {
                        tracing::error!(site = site.config.id, error, "alerts were not told");
                    }
                }
                // The tables are being made.
                Err(error) if site.tick == 0 => {
                    tracing::debug!(site = site.config.id, %error, "alerts cannot be looked at yet");
                }
                Err(error) => {
                    counter!("upriver_alert_looks_failed_total").increment(1);
                    tracing::warn!(site = site.config.id, %error, "alerts could not be looked at");
                }
            }
        }
    }
}

/// A site and how far it was looked at.
struct Watched {
    config: Site,
    state: SiteWatch,
    /// Ticks before this one have passed; 0: none yet.
    tick: u64,
    /// Hours before this one have passed.
    hour: u64,
    looked_ms: u64,
    begun_ms: u64,
    /// When the newest event was received of those that ClickHouse had when all was looked at.
    newest_ms: u64,
}

impl Watched {
    fn new(config: Site) -> Self {
        Self {
            state: SiteWatch::new(&config),
            config,
            tick: 0,
            hour: 0,
            looked_ms: 0,
            begun_ms: 0,
            newest_ms: 0,
        }
    }

    /// Looks at what came. True when something was judged.
    async fn look(&mut self, client: &Client, every: Duration) -> Result<bool, PastError> {
        let now_ms = now_ms();
        let ended_ms = now_ms.saturating_sub(GRACE_MS);
        let (tick, hour) = (ended_ms / TICK_MS, ended_ms / HOUR_MS);
        let since_ms = now_ms.saturating_sub(self.begun_ms);
        let paused = since_ms >= (every * LOOKS_BETWEEN).as_millis() as u64;
        let anew = self.tick == 0
            || since_ms >= ANEW_MS
            || (paused && self.came_late(client).await? >= LATE_MIN);
        if !anew && tick <= self.tick {
            return Ok(false);
        }
        let since_ms = now_ms.saturating_sub(HISTORY_MS);
        let (from, from_hour) = if anew {
            (since_ms / TICK_MS, since_ms / HOUR_MS + 1)
        } else {
            (self.tick, self.hour)
        };
        // Before anything else: what comes into the tables meanwhile is looked at again.
        let newest_ms = if anew {
            newest_ms(client).await?
        } else {
            self.newest_ms
        };
        let mut ticks = Vec::new();
        for transition in self.state.transitions() {
            let sql = transition.ticks(&self.config.id, from * TICK_MS, tick * TICK_MS);
            ticks.push(parsed::<TickRow>(rows(client, &sql).await?)?);
        }
        let (from_ms, until_ms) = (from_hour * HOUR_MS, hour * HOUR_MS);
        let mut hours = Vec::new();
        if from_hour < hour {
            let pages = Some(self.state.pages()).filter(|_| !anew);
            let sql = query::hours(&self.config.id, pages.as_deref(), from_ms, until_ms);
            hours = parsed::<HourRow>(rows(client, &sql).await?)?;
        }
        let mut state = if anew {
            self.state.anew()
        } else {
            std::mem::replace(&mut self.state, SiteWatch::new(&self.config))
        };
        let passed = tokio::task::spawn_blocking(move || {
            for (at, rows) in ticks.into_iter().enumerate() {
                state.pass_ticks(at, rows, from, tick);
            }
            state.pass_hours(hours, from_hour, hour);
            state
        });
        match passed.await {
            Ok(state) => self.state = state,
            // All of it is looked at again.
            Err(error) => {
                self.tick = 0;
                return Err(PastError::Refused(error.to_string()));
            }
        }
        (self.tick, self.hour, self.looked_ms) = (tick, hour, now_ms);
        self.newest_ms = newest_ms;
        if anew {
            self.begun_ms = now_ms;
        }
        Ok(true)
    }

    /// Events that ClickHouse did not have yet when all was looked at, and that happened before. The log
    /// gives them to it in the order in which they were received.
    async fn came_late(&self, client: &Client) -> Result<u64, PastError> {
        let mut kinds = vec!["page_view"];
        kinds.extend(self.state.transitions().flat_map(query::Transition::kinds));
        kinds.sort_unstable();
        kinds.dedup();
        let from_ms = self.looked_ms.saturating_sub(HISTORY_MS);
        let range = (from_ms, self.tick * TICK_MS);
        let after_ms = TICK_MS + GRACE_MS;
        let sql = query::late(&self.config.id, &kinds, self.newest_ms, range, after_ms);
        let rows = rows(client, &sql).await?;
        Ok(rows
            .first()
            .and_then(|row| row["late"].as_u64())
            .unwrap_or(0))
    }

    /// Says what is new.
    async fn tell(
        &self,
        told: &Arc<Told>,
        live: &Live,
        (webhooks, book): (&Webhooks, &Book),
    ) -> Result<(), String> {
        let (site, found) = (self.config.id.clone(), self.state.rows());
        let (reader, asked) = (told.clone(), site.clone());
        let known = tokio::task::spawn_blocking(move || reader.of(&asked));
        let mut known = known
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        let before = known.clone();
        let (mut shown, news) = reconcile(&mut known, &found, self.looked_ms);
        shown.truncate(super::site::ROWS_MAX);
        // As they are at this moment: one that was just defined, or removed, works at once.
        let alerts = alerts(book, &self.config);
        for (row, news) in &news {
            self.say(row, *news, (webhooks, &alerts));
        }
        gauge!("upriver_alerts_open", "site" => site.clone())
            .set(shown.iter().filter(|row| row.open).count() as f64);
        // Messages are known by their ids: told again after a crash here, they go out once.
        if known != before {
            let (writer, site) = (told.clone(), site.clone());
            let written = tokio::task::spawn_blocking(move || writer.keep(&site, &known));
            written
                .await
                .map_err(|error| error.to_string())?
                .map_err(|error| error.to_string())?;
        }
        let watched_until_ms = self.tick * TICK_MS;
        let alerts = Alerts {
            basis: Some(Basis {
                definition: DEFINITION.into(),
                sql: self.sql(watched_until_ms),
                from_ms: watched_until_ms.saturating_sub(HISTORY_MS),
                complete: true,
            }),
            watched_until_ms,
            watched: u32::try_from(self.state.watched(self.hour)).unwrap_or(u32::MAX),
            rows: shown,
        };
        // Refused only when it has stopped.
        let _ = live.alerts(site.into(), alerts).await;
        Ok(())
    }

    fn say(&self, row: &AlertRow, news: News, (webhooks, alerts): (&Webhooks, &[Alert])) {
        let site = &self.config.id;
        let (kind, at_ms) = match news {
            News::Opened => ("alert.opened", row.opened_ms),
            News::Closed => ("alert.closed", row.closed_ms),
        };
        tracing::info!(site, id = row.id, title = row.title, kind, "alert");
        counter!("upriver_alerts_total", "site" => site.clone(), "news" => kind).increment(1);
        let mut data = serde_json::to_value(row).unwrap_or_default();
        data["site"] = site.clone().into();
        let alerts: Vec<&Alert> = alerts.iter().filter(|alert| alert.is_of(row)).collect();
        data["alerts"] = alerts.iter().map(|alert| alert.id.as_str()).collect();
        let id = format!("{}:{at_ms}:{kind}", row.id).replace('.', ":");
        let message = match Message::new(&id, kind, at_ms, &data) {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(site, %error, "an alert does not fit a webhook");
                return;
            }
        };
        let named = alerts.iter().flat_map(|alert| &alert.webhooks);
        // Each once, however many say that it is told.
        let told: BTreeSet<&str> = self
            .config
            .alert_webhooks()
            .chain(named.map(String::as_str))
            .collect();
        for webhook in told {
            if let Err(error) = webhooks.send(site, webhook, message.clone()) {
                tracing::error!(site, %error, "an alert is not told to a webhook");
            }
        }
    }

    /// The query that gives what is watched of the first funnel, or of the site.
    fn sql(&self, until_ms: u64) -> String {
        let (site, from_ms) = (&self.config.id, until_ms.saturating_sub(HISTORY_MS));
        let transition = self.state.transitions().next();
        transition.map_or_else(
            || query::hours(site, None, from_ms, until_ms),
            |transition| transition.ticks(site, from_ms, until_ms),
        )
    }
}

/// When the newest event that ClickHouse has was received, Unix milliseconds; its parts know.
async fn newest_ms(client: &Client) -> Result<u64, PastError> {
    let rows = rows(client, query::NEWEST).await?;
    let newest = rows.first().and_then(|row| row["newest_ms"].as_u64());
    Ok(newest.unwrap_or(0))
}

fn parsed<T: DeserializeOwned>(rows: Vec<serde_json::Value>) -> Result<Vec<T>, PastError> {
    let rows: Result<_, _> = rows.into_iter().map(serde_json::from_value).collect();
    rows.map_err(|error| PastError::Refused(error.to_string()))
}
