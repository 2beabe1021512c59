//! `upriver`: the command line and the signals; everything else is the library's.

mod ask;
mod export;
mod import;
mod requeue;
mod stop;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;
use secrecy::SecretString;
use std::io::{IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use upriver_collector::alert;
use upriver_collector::api::access;
use upriver_collector::api::client::Clients;
use upriver_collector::api::limits::LimitsConfig;
use upriver_collector::config::{Retention, Sites};
use upriver_collector::ingest::Quota;
use upriver_collector::signals::post::Reach;
use upriver_collector::store::Access;
use upriver_collector::store::child::ChildConfig;
use upriver_collector::{ClickHouse, Options};

/// File in the data folder that says where the collector listens.
const ADDRESS_FILE: &str = "address";

/// How `upriver audit` ends when it found a difference.
const UNHEALTHY: u8 = 2;

/// How `upriver import` ends when lines were rejected.
const REJECTED: u8 = 2;

/// How `upriver export` ends when something is missing.
const INCOMPLETE: u8 = 2;

/// How often `upriver erase` asks how far it is.
const ERASURE_PAUSE: Duration = Duration::from_millis(500);

/// File in the data folder that says where the embedded ClickHouse listens.
const CLICKHOUSE_ADDRESS_FILE: &str = "clickhouse-address";

/// Streams what people do on a page upstream, counts it live and keeps it in ClickHouse.
#[derive(Parser)]
#[command(version, args_override_self = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Takes events, serves the dashboard and the live API.
    Serve(Box<Serve>),
    /// Serves an embedded ClickHouse over HTTP.
    Clickhouse(Embedded),
    /// Prints a new link that logs in to the dashboard once.
    LoginLink(LoginLink),
    /// Asks the running collector whether the tables hold what was acknowledged, once each. Ends
    /// with 2 when they do not, with 1 when it could not be asked.
    Audit(Audit),
    /// Tells the running collector the events of a file, one JSON object a line. May be run again:
    /// what was taken before is not taken twice. Ends with 2 when lines were rejected; they are then
    /// in FILE.rejected.ndjson, each with its reason.
    Import(Import),
    /// Has the running collector tell a webhook that this is a test. Prints the id of the message;
    /// the collector's own log says what came of it.
    WebhookTest(WebhookTest),
    /// Gives batches that ClickHouse refused back to the log, once the reason is gone. The collector must
    /// not run meanwhile.
    Requeue(Requeue),
    /// Erases a visitor: from the tables, the log and the live numbers. Waits until nothing is left and
    /// prints the receipt. Interrupted or not, what was ordered is carried out.
    Erase(Erase),
    /// Writes everything that is kept of a visitor, one JSON object a line. Ends with 2 when that is not
    /// all, with 1 when it could not be had; the reason is on standard error.
    Export(Export),
    /// Prints the schema: the statements that make the tables of this version.
    Schema(Schema),
}

#[derive(Args)]
struct Requeue {
    /// The collector's data folder.
    #[arg(long, env = "UPRIVER_DATA")]
    data: PathBuf,
}

#[derive(Args)]
struct Schema {
    /// Database for the tables.
    #[arg(long, default_value = "upriver")]
    database: String,
    /// Name of a ClickHouse cluster: tables are then replicated, on each of its servers.
    #[arg(long)]
    cluster: Option<String>,
    #[command(flatten)]
    retention: Retention,
}

#[derive(Args)]
#[command(args_override_self = true)]
struct Serve {
    /// TOML file with the sites, their keys and funnels.
    #[arg(long, env = "UPRIVER_CONFIG")]
    config: PathBuf,
    /// Folder for the log, the state and the embedded ClickHouse; made if absent.
    #[arg(long, env = "UPRIVER_DATA")]
    data: PathBuf,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, env = "UPRIVER_LISTEN", default_value = "127.0.0.1:8460")]
    listen: SocketAddr,
    /// A ClickHouse server or cluster to write to, instead of the embedded one: http://host:8123.
    #[arg(long, env = "UPRIVER_CLICKHOUSE_URL")]
    clickhouse_url: Option<String>,
    /// User at that server.
    #[arg(long, env = "UPRIVER_CLICKHOUSE_USER", default_value = "default")]
    clickhouse_user: String,
    /// File with the password at that server; none means no password.
    #[arg(long, env = "UPRIVER_CLICKHOUSE_PASSWORD_FILE")]
    clickhouse_password_file: Option<PathBuf>,
    /// Database for the tables; made if absent.
    #[arg(long, env = "UPRIVER_CLICKHOUSE_DATABASE", default_value = "upriver")]
    clickhouse_database: String,
    /// Where the embedded ClickHouse listens; port 0 takes a free one.
    #[arg(long, env = "UPRIVER_CLICKHOUSE_LISTEN", default_value = "127.0.0.1:0")]
    clickhouse_listen: SocketAddr,
    /// The embedded ClickHouse's engine library, when it is not in one of the usual places.
    #[arg(long, env = "UPRIVER_ENGINE")]
    engine: Option<PathBuf>,
    /// Size in bytes past which a new segment of the log is begun.
    #[arg(long, env = "UPRIVER_LOG_SEGMENT_BYTES", default_value_t = 64 << 20)]
    log_segment_bytes: u64,
    /// Size in bytes of the log past which nothing is taken until ClickHouse has caught up.
    #[arg(long, env = "UPRIVER_LOG_BYTES_MAX", default_value_t = 8 << 30)]
    log_bytes_max: u64,
    /// Size in bytes of the log past which ways of pointers, attention, impressions and thrash are
    /// left out, and half way to the maximum scrolls, swipes and the like; three quarters of the
    /// maximum when it is not said.
    #[arg(long, env = "UPRIVER_LOG_BYTES_SOFT")]
    log_bytes_soft: Option<u64>,
    /// Batches a second that one address may send.
    #[arg(long, env = "UPRIVER_BATCHES_PER_S", default_value = "200")]
    batches_per_s: NonZeroU32,
    /// Batches that one address may send at once.
    #[arg(long, env = "UPRIVER_BATCHES_BURST", default_value = "1000")]
    batches_burst: NonZeroU32,
    /// Streams that one address may have open.
    #[arg(long, env = "UPRIVER_STREAMS_PER_ADDRESS", default_value_t = 20)]
    streams_per_address: usize,
    /// Seconds between two audits: is in the tables what was acknowledged, once each.
    #[arg(long, env = "UPRIVER_AUDIT_SECONDS", default_value = "60")]
    audit_seconds: NonZeroU32,
    /// Allow webhooks to addresses that are not of the public internet: loopback, private networks,
    /// link-local.
    #[arg(long, env = "UPRIVER_WEBHOOK_ALLOW_PRIVATE")]
    webhook_allow_private: bool,
    /// Seconds between two looks at whether there is something to be alerted to. Time is judged in
    /// ticks of ten minutes.
    #[arg(long, env = "UPRIVER_ALERT_SECONDS", default_value = "60")]
    alert_seconds: NonZeroU32,
    /// File in MaxMind's format (.mmdb) that tells countries by addresses; without it none is told. Read
    /// at the start. No address is kept.
    #[arg(long, env = "UPRIVER_GEOIP")]
    geoip: Option<PathBuf>,
    /// Network of a proxy before the collector, like 10.0.0.0/8, whose X-Forwarded-For says who a client
    /// is; may be given several times.
    #[arg(long, env = "UPRIVER_TRUSTED_PROXY", value_delimiter = ',')]
    trusted_proxy: Vec<IpNet>,
    #[command(flatten)]
    retention: Retention,
}

#[derive(Args)]
struct Embedded {
    /// Data folder; made if absent.
    #[arg(long)]
    data: PathBuf,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8123")]
    listen: SocketAddr,
    /// File with the password of the user `default`; without it DATA/password is used or made.
    #[arg(long)]
    password_file: Option<PathBuf>,
    /// File with the password of the read-only user `analyst`; without it there is no such user.
    #[arg(long)]
    analyst_password_file: Option<PathBuf>,
    /// The engine library; without it the usual places are searched.
    #[arg(long, env = "UPRIVER_ENGINE")]
    engine: Option<PathBuf>,
    /// Stop when standard input ends: when whoever started this is gone.
    #[arg(long)]
    exit_with_parent: bool,
}

#[derive(Args)]
struct LoginLink {
    /// The collector's data folder.
    #[arg(long, env = "UPRIVER_DATA")]
    data: PathBuf,
    /// Where the dashboard is reached; without it, where the collector listens.
    #[arg(long)]
    url: Option<String>,
}

#[derive(Args)]
struct Audit {
    /// The collector's data folder.
    #[arg(long, env = "UPRIVER_DATA")]
    data: PathBuf,
    /// Print the whole report as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Import {
    /// The collector's data folder.
    #[arg(long, env = "UPRIVER_DATA")]
    data: PathBuf,
    /// The site the events are of.
    #[arg(long)]
    site: String,
    /// The file: one event a line, as `POST /v1/events` takes them.
    file: PathBuf,
}

#[derive(Args)]
struct WebhookTest {
    /// The collector's data folder.
    #[arg(long, env = "UPRIVER_DATA")]
    data: PathBuf,
    /// The site the webhook is of.
    #[arg(long)]
    site: String,
    /// Its id in the sites file.
    webhook: String,
}

/// Whose events a command is about, and where the collector is.
#[derive(Args)]
struct OneVisitor {
    /// The collector's data folder.
    #[arg(long, env = "UPRIVER_DATA")]
    data: PathBuf,
    /// The visitor's site.
    #[arg(long)]
    site: SiteId,
    /// The visitor, as events or as SQL have it.
    #[arg(long)]
    visitor: Visitor,
}

#[derive(Args)]
struct Export {
    #[command(flatten)]
    of: OneVisitor,
    /// File to write to, which must not be there yet; without it, standard output.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Args)]
struct Erase {
    #[command(flatten)]
    of: OneVisitor,
    /// Only order it; print the order.
    #[arg(long)]
    no_wait: bool,
}

/// A site on the command line: something that fits into an address.
#[derive(Clone)]
struct SiteId(String);

impl std::str::FromStr for SiteId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if text.is_empty() || !text.chars().all(good) {
            return Err("a site's id is letters, digits, - and _, as in the sites file");
        }
        Ok(Self(text.to_owned()))
    }
}

/// A visitor on the command line: something that fits into an address.
#[derive(Clone)]
struct Visitor(String);

impl std::str::FromStr for Visitor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let good = |c: char| c.is_ascii_hexdigit() || c == '-';
        if text.is_empty() || !text.chars().all(good) {
            return Err("a visitor is up to 32 hexadecimal digits, with or without dashes");
        }
        Ok(Self(text.to_owned()))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,actix_server=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let done = match Arguments::parse().command {
        Command::Serve(serve) => self::serve(*serve).await,
        Command::Clickhouse(embedded) => clickhouse(embedded).await,
        Command::LoginLink(link) => login_link(&link),
        Command::Requeue(asked) => requeue::requeue(&asked.data).and_then(|told| say(&told)),
        Command::Erase(asked) => erase(&asked),
        Command::Schema(asked) => schema(&asked),
        Command::WebhookTest(asked) => webhook_test(&asked),
        Command::Audit(asked) => match audit(&asked) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::from(UNHEALTHY),
            Err(error) => Err(error),
        },
        Command::Export(asked) => match export(&asked) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::from(INCOMPLETE),
            Err(error) => Err(error),
        },
        Command::Import(asked) => match import(&asked) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::from(REJECTED),
            Err(error) => Err(error),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever reads standard error may be gone; the exit code still says it.
            let _ = writeln!(std::io::stderr(), "error: {}", in_full(&error));
            ExitCode::FAILURE
        }
    }
}

fn schema(asked: &Schema) -> anyhow::Result<()> {
    let Schema {
        database,
        cluster,
        retention,
    } = asked;
    retention.check().map_err(anyhow::Error::msg)?;
    let text = upriver_collector::store::schema::text(database, cluster.as_deref(), *retention)?;
    say(text.trim_end())
}

fn webhook_test(asked: &WebhookTest) -> anyhow::Result<()> {
    let WebhookTest {
        data,
        site,
        webhook,
    } = asked;
    let path = format!("/v1/sites/{site}/webhooks/{webhook}/test");
    match ask::post(data, ADDRESS_FILE, &path, b"")? {
        ask::Asked::Answered(body) => say(&body),
        ask::Asked::Later(reason) => bail!("{reason}; does the collector run?"),
    }
}

/// Prints an audit. False when it found a difference.
fn audit(asked: &Audit) -> anyhow::Result<bool> {
    let (text, healthy) = ask::audit(&asked.data, ADDRESS_FILE, asked.json)?;
    say(&text)?;
    Ok(healthy)
}

/// Orders an erasure and, unless nobody wants to wait, prints the receipt.
fn erase(asked: &Erase) -> anyhow::Result<()> {
    let Erase { of, no_wait } = asked;
    let (data, SiteId(site), Visitor(visitor)) = (&of.data, &of.site, &of.visitor);
    let mut erasure = ask::erase(data, ADDRESS_FILE, (site, visitor))?;
    if !*no_wait && !erasure.done {
        let text = format!("ordered as {}; waiting until nothing is left\n", erasure.id);
        // Whoever reads standard error may be gone.
        let _ = std::io::stderr().write_all(text.as_bytes());
        while !erasure.done {
            std::thread::sleep(ERASURE_PAUSE);
            erasure = ask::erased(data, ADDRESS_FILE, (site, &erasure.id))?;
        }
    }
    say(&erasure.text)
}

/// Exports a visitor. False when something is missing.
fn export(asked: &Export) -> anyhow::Result<bool> {
    let Export { of, out } = asked;
    let (data, SiteId(site), Visitor(visitor)) = (&of.data, &of.site, &of.visitor);
    let who = (&**site, &**visitor);
    let end = match out {
        Some(file) => export::to_file(data, ADDRESS_FILE, who, file)?,
        None => export::export(data, ADDRESS_FILE, who, &mut std::io::stdout().lock())?,
    };
    // Whoever reads standard error may be gone; the exit code still says it.
    let _ = writeln!(std::io::stderr(), "{}", end.summary());
    Ok(end.complete)
}

/// Imports a file. False when lines were rejected.
fn import(asked: &Import) -> anyhow::Result<bool> {
    let Import { data, site, file } = asked;
    let outcome = import::import(data, ADDRESS_FILE, site, file)?;
    let mut text = import::summary(outcome);
    if outcome.rejected > 0 {
        let rejected = import::rejected_file(file);
        text = format!("{text}: see {}", rejected.display());
    }
    say(&text)?;
    Ok(outcome.rejected == 0)
}

/// An error with its causes, each said once.
fn in_full(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(cause.trim()) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

async fn serve(serve: Serve) -> anyhow::Result<()> {
    let Sites {
        sites, retention, ..
    } = Sites::read(&serve.config)?;
    let retention = serve.retention.or(retention);
    retention.check().map_err(anyhow::Error::msg)?;
    let clients = Clients::new(serve.trusted_proxy, serve.geoip.as_deref())?;
    let clickhouse = match &serve.clickhouse_url {
        Some(url) => ClickHouse::Server(Access {
            url: url.clone(),
            user: serve.clickhouse_user.clone(),
            password: SecretString::from(password(serve.clickhouse_password_file.as_deref())?),
            database: serve.clickhouse_database.clone(),
        }),
        None => {
            // Without its engine the child could only fail again and again.
            embedded_clickhouse::engine_library(serve.engine.as_deref())?;
            ClickHouse::Child(ChildConfig {
                data: serve.data.join("clickhouse"),
                listen: serve.clickhouse_listen,
                engine: serve.engine.clone(),
                database: serve.clickhouse_database.clone(),
                address_file: serve.data.join(CLICKHOUSE_ADDRESS_FILE),
            })
        }
    };
    let listener = TcpListener::bind(serve.listen)
        .with_context(|| format!("cannot listen on {}; --listen names another", serve.listen))?;
    let url = format!("http://{}", listener.local_addr()?);
    std::fs::create_dir_all(&serve.data)
        .with_context(|| format!("cannot make the data folder {}", serve.data.display()))?;
    std::fs::write(serve.data.join(ADDRESS_FILE), &url)?;
    let link = access::login_link(&access::signer(&serve.data)?, &url)?;
    say(&format!("listening on {url}\ndashboard {link}"))?;

    let options = Options {
        data: serve.data,
        sites,
        retention,
        clients,
        clickhouse,
        log_segment_bytes: serve.log_segment_bytes,
        log_quota: Quota {
            soft: serve.log_bytes_soft.unwrap_or(serve.log_bytes_max / 4 * 3),
            hard: serve.log_bytes_max,
        },
        limits: LimitsConfig {
            batches_per_s: serve.batches_per_s,
            batches_burst: serve.batches_burst,
            streams: serve.streams_per_address,
        },
        audit_every: Duration::from_secs(u64::from(serve.audit_seconds.get())),
        alerts: alert::Options {
            every: Duration::from_secs(u64::from(serve.alert_seconds.get())),
        },
        webhook_reach: if serve.webhook_allow_private {
            Reach::Anywhere
        } else {
            Reach::Public
        },
    };
    upriver_collector::run(options, listener, stop::stopped(false)?).await
}

async fn clickhouse(embedded: Embedded) -> anyhow::Result<()> {
    let listener = TcpListener::bind(embedded.listen).with_context(|| {
        format!(
            "cannot listen on {}; --listen names another",
            embedded.listen
        )
    })?;
    let secret = |file: Option<PathBuf>| {
        file.as_deref()
            .map(embedded_clickhouse::Secret::from_file)
            .transpose()
    };
    let server = embedded_clickhouse::Server::open(embedded_clickhouse::Config {
        data_dir: embedded.data,
        listener,
        password: secret(embedded.password_file)?,
        analyst_password: secret(embedded.analyst_password_file)?,
        engine_library: embedded.engine,
    })?;
    say(&format!("listening on http://{}", server.address()?))?;
    server
        .run(stop::stopped(embedded.exit_with_parent)?)
        .await?;
    Ok(())
}

fn login_link(link: &LoginLink) -> anyhow::Result<()> {
    if !link.data.join(access::SECRET_FILE).exists() {
        bail!("{} is not a collector's data folder", link.data.display());
    }
    let url = match &link.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => std::fs::read_to_string(link.data.join(ADDRESS_FILE))
            .context("the collector has not listened yet; say --url")?,
    };
    say(&access::login_link(&access::signer(&link.data)?, &url)?)
}

fn password(file: Option<&Path>) -> anyhow::Result<String> {
    let Some(file) = file else {
        return Ok(String::new());
    };
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the password file {}", file.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Says something to whoever started this, at once.
fn say(text: &str) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    // One write: a reader that leaves after the first line must not make the second one fail.
    output.write_all(format!("{text}\n").as_bytes())?;
    output.flush()?;
    Ok(())
}
