//! The collector's own ClickHouse: a child process that is started, watched and started again.
//!
//! Owns the child's life and its passwords. Knows nothing of tables.

use super::Access;
use crate::secret;
use clickhouse::Client;
use metrics::{counter, gauge};
use secrecy::SecretString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

/// First and longest pause before the child is started again.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A child that lived this long was well; the pause begins small again.
const WELL_AFTER: Duration = Duration::from_secs(30);
/// How long the child may take to open its folder.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How long the child may take to stop before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// File in the data folder with the read-only user's password.
pub const ANALYST_PASSWORD_FILE: &str = "analyst-password";

/// How to start the child.
#[derive(Clone, Debug)]
pub struct ChildConfig {
    /// Its data folder.
    pub data: PathBuf,
    /// Where it listens; port 0 takes a free one and keeps it over restarts.
    pub listen: SocketAddr,
    /// The engine library, when it is not in one of the usual places.
    pub engine: Option<PathBuf>,
    /// Database of the collector.
    pub database: String,
    /// File that says where it listens, for people and programs that want to query it.
    pub address_file: PathBuf,
}

/// Runs the child until `stopping` turns true, then stops it. Publishes a client while it is up,
/// and nothing while it is not.
pub async fn supervise(
    mut config: ChildConfig,
    ready: watch::Sender<Option<Client>>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut pause = PAUSE_MIN;
    while !*stopping.borrow() {
        let begun = std::time::Instant::now();
        match start(&config).await {
            Ok(Started {
                mut child,
                input,
                address,
            }) => {
                config.listen = address;
                match access(&config) {
                    Ok(access) => {
                        tracing::info!(%address, data = %config.data.display(), "clickhouse is up");
                        ready.send_replace(Some(access.client()));
                        gauge!("upriver_clickhouse_up").set(1.0);
                        tokio::select! {
                            status = child.wait() => {
                                tracing::error!(?status, "clickhouse ended by itself; starting it again");
                                counter!("upriver_clickhouse_restarts_total").increment(1);
                            }
                            () = asked_to_stop(&mut stopping) => stop(child, input).await,
                        }
                    }
                    Err(error) => {
                        tracing::error!(%error, "clickhouse's password cannot be read");
                        stop(child, input).await;
                    }
                }
                ready.send_replace(None);
                gauge!("upriver_clickhouse_up").set(0.0);
            }
            Err(error) => tracing::error!(%error, "clickhouse did not start; trying again"),
        }
        if begun.elapsed() > WELL_AFTER {
            pause = PAUSE_MIN;
        }
        if tokio::time::timeout(pause, asked_to_stop(&mut stopping))
            .await
            .is_ok()
        {
            break;
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Resolves when the process is to stop, or nobody is left to say so.
async fn asked_to_stop(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// A child that listens. It stops when its input is closed, by us or by our death.
struct Started {
    child: Child,
    input: Option<ChildStdin>,
    address: SocketAddr,
}

/// Starts the child and waits for the line that says where it listens.
async fn start(config: &ChildConfig) -> io::Result<Started> {
    std::fs::create_dir_all(&config.data)?;
    let analyst = config.data.join(ANALYST_PASSWORD_FILE);
    secret::make_file(&analyst)?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["clickhouse", "--exit-with-parent", "--data"])
        .arg(&config.data)
        .arg("--listen")
        .arg(config.listen.to_string())
        .arg("--analyst-password-file")
        .arg(analyst)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    if let Some(engine) = &config.engine {
        command.arg("--engine").arg(engine);
    }
    let mut child = command.spawn()?;
    // Held here, because waiting for a child closes the input it still has.
    let input = child.stdin.take();
    let stdout = child
        .stdout
        .take()
        .ok_or_else(|| io::Error::other("the child has no output"))?;
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(START_TIMEOUT, lines.next_line())
        .await
        .map_err(|_| io::Error::other("clickhouse said nothing within two minutes"))??;
    let address = line
        .as_deref()
        .and_then(|line| {
            line.strip_prefix("listening on http://")?
                .trim()
                .parse()
                .ok()
        })
        .ok_or_else(|| {
            io::Error::other("clickhouse ended before it listened; see its log above")
        })?;
    std::fs::write(&config.address_file, format!("http://{address}\n"))?;
    Ok(Started {
        child,
        input,
        address,
    })
}

/// Closes the child's input, which asks it to stop, and waits.
async fn stop(mut child: Child, input: Option<ChildStdin>) {
    drop(input);
    match tokio::time::timeout(STOP_TIMEOUT, child.wait()).await {
        Ok(status) => tracing::info!(?status, "clickhouse stopped"),
        Err(_) => {
            tracing::error!("clickhouse did not stop in time and is killed");
            if let Err(error) = child.kill().await {
                tracing::error!(%error, "clickhouse could not be killed");
            }
        }
    }
}

fn access(config: &ChildConfig) -> io::Result<Access> {
    let password = std::fs::read_to_string(config.data.join(embedded_clickhouse::PASSWORD_FILE))?;
    Ok(Access {
        url: format!("http://{}", config.listen),
        user: "default".into(),
        password: SecretString::from(password.trim()),
        database: config.database.clone(),
    })
}
