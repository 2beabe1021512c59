//! `embedded-clickhouse`: the server as a program of its own. Owns the command line and the
//! signals; everything else is the library's.

use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use embedded_clickhouse::{Config, Secret, Server};
use tokio::signal::unix::{SignalKind, signal};

/// ClickHouse's HTTP interface over an embedded engine.
#[derive(Parser)]
struct Arguments {
    /// Data folder; made if absent.
    #[arg(long, env = "UPRIVER_CLICKHOUSE_DATA")]
    data: PathBuf,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(
        long,
        env = "UPRIVER_CLICKHOUSE_LISTEN",
        default_value = "127.0.0.1:8123"
    )]
    listen: String,
    /// File with the password of the user `default`; without it DATA/password is used or made.
    #[arg(long, env = "UPRIVER_CLICKHOUSE_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    /// File with the password of the read-only user `analyst`; without it there is no such user.
    #[arg(long, env = "UPRIVER_CLICKHOUSE_ANALYST_PASSWORD_FILE")]
    analyst_password_file: Option<PathBuf>,
    /// The engine library; without it the usual places are searched.
    #[arg(long, env = embedded_clickhouse::ENGINE_VARIABLE)]
    engine: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .init();
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let listener = TcpListener::bind(&arguments.listen)
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let read = |file: Option<PathBuf>| file.as_deref().map(Secret::from_file).transpose();
    let server = Server::open(Config {
        data_dir: arguments.data,
        listener,
        password: read(arguments.password_file)?,
        analyst_password: read(arguments.analyst_password_file)?,
        engine_library: arguments.engine,
    })?;
    announce(&format!("listening on http://{}", server.address()?))?;
    server
        .run(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await?;
    Ok(())
}

/// The one line on standard output; who starts this program waits for it.
fn announce(line: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}
