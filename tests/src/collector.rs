//! A collector in a process of its own, with its embedded ClickHouse.

use anyhow::{Context, Result, bail, ensure};
use clickhouse::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The site of every test.
pub const SITE: &str = "shop";
/// Its write key.
pub const WRITE_KEY: &str = "wk_test_0001";
/// Its read token.
pub const READ_TOKEN: &str = "rt_test_0001";
/// The token that sends signals.
pub const SIGNAL_TOKEN: &str = "st_test_0001";
/// The token that servers tell events with.
pub const IMPORT_TOKEN: &str = "it_test_0001";
/// The token that defines things.
pub const ADMIN_TOKEN: &str = "at_test_0001";
/// The token that exports and erases visitors.
pub const PRIVACY_TOKEN: &str = "pt_test_0001";
/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

const SITES: &str = r#"
[[site]]
id = "shop"
write_key = "wk_test_0001"
read_token = "rt_test_0001"
signal_token = "st_test_0001"
import_token = "it_test_0001"
admin_token = "at_test_0001"
privacy_token = "pt_test_0001"
origins = ["https://shop.example"]

[[site.funnel]]
id = "checkout"
name = "Checkout"
window = "30m"
[[site.funnel.step]]
name = "Product"
kind = "page_view"
page = "/product/*"
[[site.funnel.step]]
name = "Cart"
kind = "custom"
event = "add_to_cart"
[[site.funnel.step]]
name = "Order"
kind = "conversion"
event = "order"
"#;

/// What became of a batch that was sent.
#[derive(Debug)]
pub struct Sent {
    /// HTTP status.
    pub status: u16,
    /// The answer's bytes.
    pub body: Vec<u8>,
    /// `Retry-After`, seconds.
    pub retry_after: Option<u32>,
}

/// A running collector. Its processes end with it.
pub struct Collector {
    folder: TempDir,
    child: Child,
    /// `http://127.0.0.1:…`.
    pub url: String,
    /// For HTTP.
    pub http: reqwest::Client,
    arguments: Vec<String>,
}

impl Collector {
    /// Starts one in a fresh folder.
    ///
    /// # Errors
    /// It could not be built or started.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// Starts one with further arguments.
    ///
    /// # Errors
    /// It could not be built or started.
    pub async fn start_with(arguments: &[&str]) -> Result<Self> {
        Self::start_with_sites(SITES, arguments).await
    }

    /// Starts one with a sites file of its own.
    ///
    /// # Errors
    /// It could not be built or started.
    pub async fn start_with_sites(sites: &str, arguments: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("sites.toml"), sites)?;
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let (child, url) = spawn(folder.path(), &arguments)?;
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        Ok(Self {
            folder,
            child,
            url,
            http,
            arguments,
        })
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Process id of the collector.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Process id of its ClickHouse, once it runs.
    ///
    /// # Errors
    /// It does not appear.
    pub async fn clickhouse_pid(&self) -> Result<Pid> {
        let parent = self.child.id();
        eventually("the collector has a ClickHouse child", async || {
            Ok(child_of(parent as i32))
        })
        .await
    }

    /// Ends the collector at once, as a crash would; its ClickHouse follows by itself.
    ///
    /// # Errors
    /// It was gone already.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on the same folder.
    ///
    /// # Errors
    /// It could not be started.
    pub fn restart(&mut self) -> Result<()> {
        let (child, url) = spawn(self.folder.path(), &self.arguments)?;
        (self.child, self.url) = (child, url);
        Ok(())
    }

    /// Starts it again on the same folder with other further arguments.
    ///
    /// # Errors
    /// It could not be started.
    pub fn restart_with(&mut self, arguments: &[&str]) -> Result<()> {
        self.arguments = arguments.iter().map(ToString::to_string).collect();
        self.restart()
    }

    /// Asks it to stop and waits.
    ///
    /// # Errors
    /// It did not stop in time.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        kill_process(self.pid(), Signal::TERM)?;
        let child = &mut self.child;
        eventually("the collector stops", async || Ok(child.try_wait()?)).await
    }

    /// Sends a body to the batch endpoint.
    ///
    /// # Errors
    /// No answer came.
    pub async fn send(&self, body: Vec<u8>) -> Result<Sent> {
        self.send_to(&format!("/v1/batch?key={WRITE_KEY}"), body)
            .await
    }

    /// Sends a body to any path.
    ///
    /// # Errors
    /// No answer came.
    pub async fn send_to(&self, path: &str, body: Vec<u8>) -> Result<Sent> {
        let response = self
            .http
            .post(format!("{}{path}", self.url))
            .body(body)
            .send()
            .await?;
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let status = response.status().as_u16();
        Ok(Sent {
            status,
            body: response.bytes().await?.to_vec(),
            retry_after,
        })
    }

    /// A live resource: `overview`, `funnel?id=checkout`, …
    ///
    /// # Errors
    /// It was refused.
    pub async fn live(&self, resource: &str) -> Result<Value> {
        let request = self.http.get(format!("{}/v1/live/{resource}", self.url));
        let response = request.bearer_auth(READ_TOKEN).send().await?;
        ensure!(
            response.status().is_success(),
            "{resource}: {}",
            response.text().await?
        );
        let update: Value = response.json().await?;
        Ok(update["data"].clone())
    }

    /// Waits until live numbers hold all of their range, as they do some time after a start.
    ///
    /// # Errors
    /// They never do.
    pub async fn live_is_whole(&self) -> Result<()> {
        eventually("live history is complete", async || {
            let overview = self.live("overview").await?;
            Ok((overview["basis"]["complete"] == true).then_some(()))
        })
        .await
    }

    /// What the audit reports.
    ///
    /// # Errors
    /// It was refused.
    pub async fn audit(&self) -> Result<Value> {
        let request = self.http.get(format!("{}/v1/audit", self.url));
        let request = request.bearer_auth(READ_TOKEN);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// Holds rows, roll-ups and live numbers against each other, once live numbers are whole.
    ///
    /// # Errors
    /// The audit finds a difference, or cannot look.
    pub async fn audited(&self) -> Result<()> {
        self.live_is_whole().await?;
        let report = self.audit().await?;
        for check in report["checks"].as_array().context("no checks")? {
            ensure!(check["verdict"] == "ok", "{report}");
        }
        Ok(())
    }

    /// The collector's binary, for another of its commands. Only once one was started.
    pub fn command() -> Command {
        // One that could not be found fails when it is run.
        Command::new(binary().unwrap_or_default())
    }

    /// The read token's header.
    pub fn bearer() -> String {
        format!("Bearer {READ_TOKEN}")
    }

    /// Asks for a signal to a visitor, with this token. Returns the status and the answer.
    ///
    /// # Errors
    /// No answer came.
    pub async fn signal(&self, token: &str, site: &str, body: &Value) -> Result<(u16, Value)> {
        let url = format!("{}/v1/sites/{site}/signals", self.url);
        let request = self.http.post(url).bearer_auth(token).json(body);
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok((status, response.json().await?))
    }

    /// A client for its ClickHouse, once that is up.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn clickhouse(&self) -> Result<Client> {
        let address = eventually("clickhouse says where it listens", async || {
            Ok(std::fs::read_to_string(self.data().join("clickhouse-address")).ok())
        })
        .await?;
        let file = self.data().join("clickhouse").join("password");
        let password = eventually("clickhouse has a password", async || {
            Ok(std::fs::read_to_string(&file)
                .ok()
                .filter(|text| !text.trim().is_empty()))
        })
        .await?;
        Ok(Client::default()
            .with_url(address.trim())
            .with_user("default")
            .with_password(password.trim())
            .with_database("upriver"))
    }

    /// One number from SQL, as soon as it can be had.
    ///
    /// # Errors
    /// ClickHouse does not answer.
    pub async fn sql(&self, sql: &str) -> Result<u64> {
        eventually("clickhouse answers", async || {
            let client = self.clickhouse().await?;
            Ok(client.query(sql).fetch_one::<u64>().await.ok())
        })
        .await
    }

    /// Waits until a query gives a number; fails when it gives a higher one.
    ///
    /// # Errors
    /// It did not come to that.
    pub async fn sql_becomes(&self, sql: &str, wanted: u64) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.sql(sql).await?;
            if found == wanted {
                return Ok(());
            }
            ensure!(found < wanted, "{sql} gives {found}, more than {wanted}");
            ensure!(
                Instant::now() < deadline,
                "{sql} stays at {found}, wanted {wanted}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A child of a process, whichever of its threads began it.
pub(crate) fn child_of(parent: i32) -> Option<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).ok()?;
    let child = tasks.flatten().find_map(|task| {
        let text = std::fs::read_to_string(task.path().join("children")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    });
    child.and_then(Pid::from_raw)
}

/// Asks again and again until there is an answer.
///
/// # Errors
/// Patience ran out, or asking failed.
pub async fn eventually<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        ensure!(Instant::now() < deadline, "gave up waiting until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn spawn(folder: &Path, arguments: &[String]) -> Result<(Child, String)> {
    let mut child = Command::new(binary()?)
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--batches-per-s",
            "100000",
        ])
        .args(["--batches-burst", "100000", "--streams-per-address", "1000"])
        .arg("--config")
        .arg(folder.join("sites.toml"))
        .arg("--data")
        .arg(folder.join("data"))
        .args(arguments)
        .env(
            "RUST_LOG",
            std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".into()),
        )
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("no output")?;
    let mut output = BufReader::new(output);
    let mut line = String::new();
    output.read_line(&mut line)?;
    // What it says later is read away, so that it is never kept waiting.
    std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(drop));
    match line.strip_prefix("listening on ") {
        Some(url) => Ok((child, url.trim().to_owned())),
        None => bail!("the collector did not start: {:?}", child.wait()?),
    }
}

/// Names a collector's binary to use as it is.
const BINARY_VARIABLE: &str = "UPRIVER_BINARY";

/// The collector's binary: the one that is named, else built from what is in the tree now.
fn binary() -> Result<PathBuf> {
    if let Some(binary) = std::env::var_os(BINARY_VARIABLE) {
        return Ok(binary.into());
    }
    static BUILT: OnceLock<bool> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "build",
            "--quiet",
            "--package",
            "upriver-collector",
            "--bin",
            "upriver",
        ]);
        // What measures or runs for long is built with optimisation; so is then what it runs.
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        cargo.status().is_ok_and(|status| status.success())
    });
    ensure!(built, "`cargo build --package upriver-collector` failed");
    // A program lies beside it, a test in the folder below.
    let own = std::env::current_exe()?;
    let folder = own.parent().context("no target folder")?;
    let folder = folder.ancestors().find(|folder| !folder.ends_with("deps"));
    Ok(folder.context("no target folder")?.join("upriver"))
}
