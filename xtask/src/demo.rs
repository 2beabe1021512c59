//! `cargo xtask demo`: the collector with its own ClickHouse and the shop, on this machine, until
//! Ctrl-C. Nothing that is started here outlives this process.

use crate::process::{Service, Task};
use crate::report::{Colour, paint, say, step};
use crate::{Demo, build};
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Port of the collector; the shop has the next one.
pub(crate) const PORT: u16 = 8460;
/// The shop's address in the sites file that is under version control.
const SHOP_IN_FILE: &str = "http://127.0.0.1:8461";
const SITES_FILE: &str = "demo-site/upriver.toml";
/// Addresses that arrive at the shop as visitors of a campaign do.
const CAMPAIGNS: [&str; 2] = [
    "?utm_source=newsletter&utm_medium=email&utm_campaign=spring-sale",
    "?utm_source=instagram&utm_medium=social&utm_campaign=reels-test",
];
/// ClickHouse's read-only user, where its password is, and the collector's database.
pub(crate) const CLICKHOUSE_USER: &str = "analyst";
const CLICKHOUSE_PASSWORD_FILE: &str = "clickhouse/analyst-password";
const CLICKHOUSE_ADDRESS_FILE: &str = "clickhouse-address";
pub(crate) const DATABASE: &str = "upriver";
/// How long the collector may take to start its ClickHouse and read its log back.
const START_WAIT_MAX: Duration = Duration::from_secs(120);
/// How long a plain question may take, and how long its answer may be.
const ASK_WAIT_MAX: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: u64 = 16 * 1024;
/// How often it is looked whether everything still runs.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What runs, and where. Dropping it stops the shop first, then the collector.
pub(crate) struct Running {
    shop_service: Service,
    collector_service: Service,
    pub(crate) shop: String,
    pub(crate) collector: String,
    pub(crate) login: String,
    pub(crate) clickhouse: String,
    pub(crate) read_token: String,
    data: PathBuf,
}

/// Runs the demo until Ctrl-C.
pub(crate) fn run(root: &Path, flags: &Demo) -> Result<()> {
    let (interrupt, interrupted) = mpsc::channel();
    // Nobody listens any more once it is being stopped: a second Ctrl-C changes nothing.
    ctrlc::set_handler(move || interrupt.send(()).unwrap_or_default())
        .context("cannot listen for Ctrl-C")?;
    let ports = Ports::take(flags.port)?;
    let binary = built(root, flags.release, !flags.no_build)?;
    let data = root.join(&flags.data);
    if flags.fresh {
        clear(&data)?;
    }
    let mut running = Running::start(root, &binary, ports, &data)?;
    running.print();
    while interrupted.recv_timeout(LOOK_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
        running.check()?;
    }
    eprintln!();
    step("stop the shop, the collector and ClickHouse", || {
        running.stop()
    })
}

/// The binary, built first unless told otherwise.
pub(crate) fn built(root: &Path, release: bool, build: bool) -> Result<PathBuf> {
    if build {
        return build::all(root, release);
    }
    let binary = build::binary_path(root, release);
    if !binary.exists() {
        bail!("{} is not built: leave --no-build out", binary.display());
    }
    Ok(binary)
}

/// Ports of the collector and the shop, held until they are needed.
pub(crate) struct Ports {
    collector: TcpListener,
    shop: TcpListener,
}

impl Ports {
    /// `first` and the one after it; any free ones when `first` is 0.
    pub(crate) fn take(first: u16) -> Result<Self> {
        let second = if first == 0 {
            0
        } else {
            first.checked_add(1).context("--port is too large")?
        };
        let take = |port: u16| {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| {
                format!("port {port} is taken: name another with --port (it and the next are used)")
            })
        };
        Ok(Self {
            collector: take(first)?,
            shop: take(second)?,
        })
    }
}

impl Running {
    /// Starts everything and waits until it answers.
    pub(crate) fn start(root: &Path, binary: &Path, ports: Ports, data: &Path) -> Result<Self> {
        std::fs::create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
        let (at, shop_at) = (ports.collector.local_addr()?, ports.shop.local_addr()?);
        let (collector, shop) = (format!("http://{at}"), format!("http://{shop_at}"));
        let sites = std::fs::read_to_string(root.join(SITES_FILE))
            .with_context(|| format!("{SITES_FILE} is missing"))?
            .replace(SHOP_IN_FILE, &shop);
        let config = data.join("upriver.toml");
        std::fs::write(&config, &sites)?;
        let key = setting(&sites, "write_key")?;

        drop(ports.collector);
        let mut collector_service = Task::new(binary, root)
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .arg("--data")
            .arg(data.join("data"))
            .arg("--listen")
            .arg(at.to_string())
            .start("upriver")?;
        drop(ports.shop);
        let mut shop_service = Task::new("node", root)
            .arg(root.join("demo-site/serve.mjs"))
            .arg("--port")
            .arg(shop_at.port().to_string())
            .arg("--endpoint")
            .arg(&collector)
            .arg("--key")
            .arg(&key)
            .start("shop")?;
        let login = step("start the collector", || {
            collector_service.wait_for("dashboard ", START_WAIT_MAX)
        })?;
        step("start its ClickHouse", || {
            clickhouse_is_up(&mut collector_service, at)
        })?;
        let clickhouse = std::fs::read_to_string(data.join("data").join(CLICKHOUSE_ADDRESS_FILE))
            .context("the collector does not say where its ClickHouse is")?
            .trim()
            .to_owned();
        step("start the shop", || {
            shop_service.wait_for("listening on ", START_WAIT_MAX)
        })?;
        let read_token = setting(&sites, "read_token")?;
        let data = data.to_owned();
        Ok(Self {
            shop_service,
            collector_service,
            shop,
            collector,
            login,
            clickhouse,
            read_token,
            data,
        })
    }

    /// The file with the password of [`CLICKHOUSE_USER`].
    pub(crate) fn clickhouse_password(&self) -> PathBuf {
        self.data.join("data").join(CLICKHOUSE_PASSWORD_FILE)
    }

    /// Fails when something has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        for service in [&mut self.collector_service, &mut self.shop_service] {
            if !service.is_running() {
                bail!("{}\n{} has ended by itself", service.said(), service.name());
            }
        }
        Ok(())
    }

    /// Stops everything in order.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let shop = self.shop_service.stop();
        self.collector_service.stop().and(shop)
    }

    fn print(&self) {
        let link = |text: &str| paint(text, Colour::Cyan);
        let line = |name: &str, text: String| println!("  {name:<12}{text}");
        println!("\n  {}\n", paint("The river runs.", Colour::Bold));
        line("shop", link(&self.shop));
        for campaign in CAMPAIGNS {
            line("", link(&format!("{}/{campaign}", self.shop)));
        }
        line("dashboard", link(&self.login));
        line(
            "",
            "(the link logs in once; after that the browser is remembered)".into(),
        );
        let (user, password) = (CLICKHOUSE_USER, self.clickhouse_password());
        line("ClickHouse", link(&self.clickhouse));
        line(
            "",
            format!("user {user}, password in {}", password.display()),
        );
        line(
            "",
            format!(
                "curl -u {user}:$(cat {}) {} -d 'SELECT kind, count() FROM {DATABASE}.events GROUP BY kind'",
                password.display(),
                self.clickhouse
            ),
        );
        let bearer = format!("-H 'Authorization: Bearer {}'", self.read_token);
        line(
            "live API",
            format!("curl {bearer} {}/v1/live/overview", self.collector),
        );
        println!();
        say("Ctrl-C stops everything.");
    }
}

/// Waits until the collector says that its ClickHouse is there.
fn clickhouse_is_up(collector: &mut Service, at: SocketAddr) -> Result<()> {
    let begun = Instant::now();
    loop {
        let ready = ask(at, "/readyz").unwrap_or_default();
        if ready.contains("\"clickhouse\":\"up\"") {
            return Ok(());
        }
        if !collector.is_running() {
            bail!("{}\nthe collector has ended", collector.said());
        }
        if begun.elapsed() > START_WAIT_MAX {
            let waited = START_WAIT_MAX.as_secs();
            bail!(
                "{}\nClickHouse was not up within {waited} s",
                collector.said()
            );
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A plain GET; the whole answer as text.
fn ask(at: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&at, ASK_WAIT_MAX)?;
    stream.set_read_timeout(Some(ASK_WAIT_MAX))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

/// A setting of the sites file, which has one site.
fn setting(sites: &str, name: &str) -> Result<String> {
    let file: toml::Value =
        toml::from_str(sites).with_context(|| format!("{SITES_FILE} is not TOML"))?;
    let value = file
        .get("site")
        .and_then(|sites| sites.get(0))
        .and_then(|site| site.get(name));
    let value = value.and_then(toml::Value::as_str);
    value
        .map(str::to_owned)
        .with_context(|| format!("{SITES_FILE} has no {name}"))
}

/// Removes a data folder, and nothing that is not one.
pub(crate) fn clear(data: &Path) -> Result<()> {
    if !data.exists() {
        return Ok(());
    }
    if !data.join("upriver.toml").exists() {
        bail!(
            "{} holds no data of a demo, so --fresh does not remove it",
            data.display()
        );
    }
    std::fs::remove_dir_all(data).with_context(|| format!("cannot remove {}", data.display()))
}
