//! The processes that faults happen to: a collector, and its ClickHouse, which is its own child or a
//! process apart behind a proxy. Owns them, where they keep their data, and their end. Knows no fault.

use super::disk::Disk;
use super::load::{Address, now_ms};
use super::proxy::Proxy;
use crate::collector::child_of;
use crate::eventually;
use crate::oracle::World;
use anyhow::{Context, Result, bail, ensure};
use clickhouse::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a process may take to say that it listens.
const START_WAIT: Duration = Duration::from_secs(60);
/// How long ClickHouse may take to have what the log has.
const STORE_WAIT: Duration = Duration::from_secs(90);
/// Small, so that a run goes through many segments.
const SEGMENT_BYTES: &str = "40000";
/// File on the desk that says how far the collector's clock is ahead.
const CLOCK_FILE: &str = "clock";

/// What is started, and where.
#[derive(Clone, Debug)]
pub(super) struct Blueprint {
    /// The collector's binary.
    pub binary: PathBuf,
    /// The fault planted in it, if it is built for that.
    pub planted: Option<&'static str>,
    /// Folder for journals, settings and what processes say; on a disk that does not fail.
    pub desk: PathBuf,
    /// Folder whose `data` the processes use.
    pub place: PathBuf,
    /// Whether ClickHouse is a process apart, behind a proxy.
    pub apart: bool,
    /// Whether system calls can be made to fail here.
    pub traps: bool,
    /// Whether the collector's clock can be made to jump: it is built for that.
    pub clock: bool,
}

/// What the collector's clock says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// How far it is ahead, ms.
    offset_ms: i64,
    /// The latest it said before it jumped, Unix ms. What was received then stays received then.
    latest_ms: u64,
}

impl Clock {
    /// What it says now, Unix ms.
    pub(super) fn now_ms(self) -> u64 {
        now_ms().saturating_add_signed(self.offset_ms)
    }

    /// How far it is ahead, ms; 0 when it is not.
    pub(super) fn ahead_ms(self) -> u64 {
        u64::try_from(self.offset_ms).unwrap_or(0)
    }

    /// The same as [`Clock::now_ms`], or the latest that it has said.
    pub(super) fn latest_ms(self) -> u64 {
        self.latest_ms.max(self.now_ms())
    }
}

/// How a program is run so that it fails at an exact system call: `strace`'s words.
pub(super) type Trap = Vec<String>;

/// The running processes.
pub(super) struct House {
    /// What was asked for.
    pub blueprint: Blueprint,
    /// The site.
    pub world: Arc<World>,
    /// Where the collector listens just now.
    pub address: Address,
    /// For asking it.
    pub http: reqwest::Client,
    /// Between the collector and a ClickHouse apart.
    pub proxy: Option<Proxy>,
    /// The clock of the collector.
    pub clock: Clock,
    collector: Option<Child>,
    clickhouse: Option<Child>,
    /// The disk of the place, when it has one of its own. Last, so that nobody uses it any more when
    /// it goes.
    pub disk: Option<Disk>,
}

impl House {
    /// Starts everything and waits until batches would be taken.
    ///
    /// # Errors
    /// A process does not start.
    pub(super) async fn start(
        blueprint: Blueprint,
        world: Arc<World>,
        disk: Option<Disk>,
    ) -> Result<Self> {
        std::fs::write(blueprint.desk.join("sites.toml"), &world.text)?;
        std::fs::write(blueprint.desk.join("password"), "between-two-children")?;
        let proxy = match blueprint.apart {
            true => Some(Proxy::start().await?),
            false => None,
        };
        let mut house = Self {
            blueprint,
            world,
            address: Address::default(),
            http: reqwest::Client::builder().timeout(START_WAIT).build()?,
            proxy,
            clock: Clock::default(),
            collector: None,
            clickhouse: None,
            disk,
        };
        house.start_clickhouse(&Trap::new()).await?;
        house.start_collector(&Trap::new()).await?;
        Ok(house)
    }

    /// The data folder.
    pub(super) fn data(&self) -> PathBuf {
        self.blueprint.place.join("data")
    }

    /// Starts the collector.
    ///
    /// # Errors
    /// It ends before it listens.
    pub(super) async fn start_collector(&mut self, trap: &Trap) -> Result<()> {
        let desk = &self.blueprint.desk;
        let mut words: Vec<String> = "serve --listen 127.0.0.1:0 --batches-per-s 100000 \
             --batches-burst 100000 --log-segment-bytes"
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let path = |path: PathBuf| path.display().to_string();
        words.push(SEGMENT_BYTES.to_owned());
        words.extend(["--config".to_owned(), path(desk.join("sites.toml"))]);
        words.extend(["--data".to_owned(), path(self.data())]);
        if let Some(proxy) = &self.proxy {
            words.extend(["--clickhouse-url".to_owned(), proxy.url()]);
            words.extend([
                "--clickhouse-password-file".to_owned(),
                path(desk.join("password")),
            ]);
        }
        let (child, url) = self.spawn("collector", words, trap).await?;
        self.collector = Some(child);
        self.address.set(url);
        Ok(())
    }

    /// Starts a ClickHouse apart, where there is to be one.
    ///
    /// # Errors
    /// It ends before it listens.
    pub(super) async fn start_clickhouse(&mut self, trap: &Trap) -> Result<()> {
        if self.proxy.is_none() {
            return Ok(());
        }
        let path = |path: PathBuf| path.display().to_string();
        let words = vec![
            "clickhouse".to_owned(),
            "--listen".to_owned(),
            "127.0.0.1:0".to_owned(),
            "--data".to_owned(),
            path(self.data().join("clickhouse")),
            "--password-file".to_owned(),
            path(self.blueprint.desk.join("password")),
        ];
        let (child, url) = self.spawn("clickhouse", words, trap).await?;
        self.clickhouse = Some(child);
        if let Some(proxy) = &self.proxy {
            proxy.lead_to(&url)?;
        }
        Ok(())
    }

    async fn spawn(&self, name: &str, words: Vec<String>, trap: &Trap) -> Result<(Child, String)> {
        let said = self.blueprint.desk.join(format!("{name}.log"));
        let said = File::options().create(true).append(true).open(said)?;
        let mut command = match trap.first() {
            Some(program) => Command::new(program),
            None => Command::new(&self.blueprint.binary),
        };
        if !trap.is_empty() {
            command.args(&trap[1..]).arg(&self.blueprint.binary);
        }
        if self.blueprint.clock {
            let file = self.blueprint.desk.join(CLOCK_FILE);
            command.env("UPRIVER_CLOCK_OFFSET_FILE", file);
        }
        if let Some(planted) = self.blueprint.planted {
            command.env("UPRIVER_PLANTED_FAULT", planted);
        }
        std::fs::create_dir_all(&self.blueprint.place)?;
        let mut child = command
            .args(words)
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let output = child.stdout.take().context("no output")?;
        let (line, lines) = mpsc::channel();
        // What it says later is read away, so that it is never kept waiting.
        std::thread::spawn(move || {
            let output = BufReader::new(output).lines().map_while(Result::ok);
            output.for_each(|text| drop(line.send(text)));
        });
        let first = tokio::task::spawn_blocking(move || lines.recv_timeout(START_WAIT)).await?;
        let url = first.ok().and_then(|line| {
            let url = line.strip_prefix("listening on ")?;
            Some(url.trim().to_owned())
        });
        match url {
            Some(url) => Ok((child, url)),
            None => {
                // Ended, or about to be: it is of no use.
                let _ = child.kill();
                bail!("{name} ended before it listened: {}", child.wait()?)
            }
        }
    }

    /// Has the collector's clock say a time from here on, Unix ms.
    ///
    /// # Errors
    /// The file that tells it cannot be written.
    pub(super) fn set_clock(&mut self, says_ms: u64) -> Result<()> {
        let offset_ms = says_ms as i64 - now_ms() as i64;
        let file = self.blueprint.desk.join(CLOCK_FILE);
        // Put in its place whole: it is read all the time.
        let new = file.with_extension("new");
        std::fs::write(&new, offset_ms.to_string())?;
        let latest_ms = self.clock.latest_ms();
        std::fs::rename(new, file)?;
        self.clock = Clock {
            offset_ms,
            latest_ms,
        };
        Ok(())
    }

    /// Process id of the collector.
    ///
    /// # Errors
    /// It does not run.
    pub(super) fn collector_pid(&self) -> Result<Pid> {
        Ok(Pid::from_child(
            self.collector.as_ref().context("no collector runs")?,
        ))
    }

    /// Process id of ClickHouse, once it runs.
    ///
    /// # Errors
    /// It does not appear.
    pub(super) async fn clickhouse_pid(&self) -> Result<Pid> {
        if let Some(clickhouse) = &self.clickhouse {
            return Ok(Pid::from_child(clickhouse));
        }
        let parent = self.collector_pid()?.as_raw_nonzero().get();
        eventually("the collector has a ClickHouse child", async || {
            Ok(child_of(parent))
        })
        .await
    }

    /// Ends the collector as a crash would. Its own ClickHouse follows by itself.
    ///
    /// # Errors
    /// It does not run.
    pub(super) fn kill_collector(&mut self) -> Result<()> {
        let mut collector = self.collector.take().context("no collector runs")?;
        collector.kill()?;
        collector.wait()?;
        Ok(())
    }

    /// Whether the collector has ended, by itself or by a trap.
    ///
    /// # Errors
    /// Nobody knows.
    pub(super) fn collector_ended(&mut self) -> Result<bool> {
        let collector = self.collector.as_mut();
        Ok(collector
            .map(Child::try_wait)
            .transpose()?
            .flatten()
            .is_some())
    }

    /// Whether the collector says that it takes no events any more, or has ended.
    ///
    /// # Errors
    /// Nobody knows.
    pub(super) async fn takes_nothing(&mut self) -> Result<bool> {
        let ready = self.http.get(format!("{}/readyz", self.address.get()));
        let refuses = ready
            .send()
            .await
            .is_ok_and(|answer| answer.status() == 503);
        Ok(refuses || self.collector_ended()?)
    }

    /// Whether the ClickHouse apart has ended.
    ///
    /// # Errors
    /// Nobody knows.
    pub(super) fn clickhouse_ended(&mut self) -> Result<bool> {
        let clickhouse = self.clickhouse.as_mut();
        Ok(clickhouse
            .map(Child::try_wait)
            .transpose()?
            .flatten()
            .is_some())
    }

    /// Ends ClickHouse as a crash would. The collector's own is started again by the collector; one
    /// apart is not.
    ///
    /// # Errors
    /// It does not run.
    pub(super) async fn kill_clickhouse(&mut self) -> Result<()> {
        match self.clickhouse.take() {
            Some(mut clickhouse) => {
                clickhouse.kill()?;
                clickhouse.wait()?;
            }
            None => kill_process(self.clickhouse_pid().await?, Signal::KILL)?,
        }
        Ok(())
    }

    /// Waits until nothing that was taken is in the log only, as the collector's audit says.
    ///
    /// # Errors
    /// That is not so within 90 s.
    pub(super) async fn all_stored(&self) -> Result<()> {
        let deadline = Instant::now() + STORE_WAIT;
        let mut said = String::from("nothing yet");
        while Instant::now() < deadline {
            said = match self.audit().await {
                Ok(report) => match unsettled(&report) {
                    None => return Ok(()),
                    Some(what) => what,
                },
                Err(error) => error.to_string(),
            };
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("not everything was stored within {STORE_WAIT:?}; the audit said {said}")
    }

    /// The collector's audit.
    ///
    /// # Errors
    /// It does not answer.
    pub(super) async fn audit(&self) -> Result<Value> {
        let request = self.http.get(format!("{}/v1/audit", self.address.get()));
        let token = format!("rt_{}_0001", self.world.site.id);
        let answer = request.bearer_auth(token).send().await?;
        ensure!(
            answer.status().is_success(),
            "the audit answers {}",
            answer.status()
        );
        Ok(answer.json().await?)
    }

    /// A client for ClickHouse itself, past any proxy.
    ///
    /// # Errors
    /// It does not say where it is.
    pub(super) fn client(&self) -> Result<Client> {
        let (url, password) = match &self.proxy {
            Some(proxy) => (proxy.target(), self.blueprint.desk.join("password")),
            None => {
                let address = std::fs::read_to_string(self.data().join("clickhouse-address"))?;
                (
                    address.trim().to_owned(),
                    self.data().join("clickhouse/password"),
                )
            }
        };
        let password = std::fs::read_to_string(password)?;
        Ok(Client::default()
            .with_url(url)
            .with_user("default")
            .with_password(password.trim())
            .with_database("upriver"))
    }

    /// Ends everything at once.
    pub(super) fn end(&mut self) {
        let orphan = self
            .collector
            .as_ref()
            .and_then(|collector| child_of(collector.id() as i32));
        for child in [self.collector.take(), self.clickhouse.take()] {
            let Some(mut child) = child else { continue };
            // Gone already is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(orphan) = orphan {
            let _ = kill_process(orphan, Signal::KILL);
            let gone = Instant::now() + START_WAIT;
            let path = format!("/proc/{}", orphan.as_raw_nonzero());
            while Path::new(&path).exists() && Instant::now() < gone {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// The checks of an audit that were not made, or that found events in the log only.
fn unsettled(report: &Value) -> Option<String> {
    let checks = report["checks"].as_array().cloned().unwrap_or_default();
    let settled = |check: &&Value| {
        let detail = check["detail"].as_str().unwrap_or_default();
        let stored = check["name"] != "accounts" || detail.contains("+ 0 in the log");
        check["verdict"] != "not_checked" && stored
    };
    let open: Vec<String> = checks
        .iter()
        .filter(|check| !settled(check))
        .map(Value::to_string)
        .collect();
    (checks.is_empty() || !open.is_empty()).then(|| open.join(", "))
}

impl Drop for House {
    fn drop(&mut self) {
        self.end();
    }
}
