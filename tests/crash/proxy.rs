//! What stands between the collector and ClickHouse, and can be told to fail as networks and servers
//! do. Knows bytes and connections, nothing of HTTP but the first line of an answer it makes up.

use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Bytes passed on at once.
const PIECE_BYTES: usize = 16 * 1024;
/// How long a slow connection holds each piece back.
const SLOW: Duration = Duration::from_millis(150);
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy";

/// What happens to what passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Weather {
    /// It passes.
    #[default]
    Fair,
    /// Connections are closed as soon as they are made, and those there are.
    Down,
    /// Everything is held back for a while.
    Slow,
    /// Requests are answered with 503.
    Refusing,
    /// Requests pass, and the connection is closed when the answer comes.
    CutBeforeAnswer,
}

#[derive(Debug, Default)]
struct State {
    weather: Weather,
    target: String,
    cut: u64,
}

/// The proxy, running until it is dropped.
pub(super) struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts one that leads nowhere yet.
    ///
    /// # Errors
    /// It cannot listen.
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let shared = shared.clone();
                // A connection that breaks is what this is for.
                tokio::spawn(async move { drop(carry(connection, &shared).await) });
            }
        });
        Ok(Self {
            address,
            state,
            accepting,
        })
    }

    /// Where it listens.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where ClickHouse is.
    pub(super) fn target(&self) -> String {
        lock(&self.state).target.clone()
    }

    /// ClickHouse is there now.
    ///
    /// # Errors
    /// That is no address.
    pub(super) fn lead_to(&self, url: &str) -> Result<()> {
        url.strip_prefix("http://").context("no http:// address")?;
        lock(&self.state).target = url.to_owned();
        Ok(())
    }

    /// From now on this happens.
    pub(super) fn becomes(&self, weather: Weather) {
        lock(&self.state).weather = weather;
    }

    /// Answers that were cut off so far.
    pub(super) fn cut(&self) -> u64 {
        lock(&self.state).cut
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|error| error.into_inner())
}

async fn carry(mut near: TcpStream, state: &Mutex<State>) -> Result<()> {
    if lock(state).weather == Weather::Down {
        return Ok(());
    }
    let target = lock(state).target.clone();
    let mut far = TcpStream::connect(target.trim_start_matches("http://")).await?;
    let (mut up, mut down) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    loop {
        tokio::select! {
            read = near.read(&mut up) => {
                let piece = &up[..read?];
                if piece.is_empty() {
                    return Ok(());
                }
                let weather = lock(state).weather;
                match weather {
                    Weather::Down => return Ok(()),
                    Weather::Refusing => {
                        near.write_all(BUSY).await?;
                        return Ok(());
                    }
                    Weather::Slow => tokio::time::sleep(SLOW).await,
                    Weather::Fair | Weather::CutBeforeAnswer => {}
                }
                far.write_all(piece).await?;
            }
            read = far.read(&mut down) => {
                let piece = &down[..read?];
                if piece.is_empty() {
                    return Ok(());
                }
                let weather = lock(state).weather;
                match weather {
                    Weather::Down => return Ok(()),
                    Weather::CutBeforeAnswer => {
                        lock(state).cut += 1;
                        return Ok(());
                    }
                    Weather::Slow => tokio::time::sleep(SLOW).await,
                    Weather::Fair | Weather::Refusing => {}
                }
                near.write_all(piece).await?;
            }
        }
    }
}
