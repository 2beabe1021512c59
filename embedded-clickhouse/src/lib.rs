//! ClickHouse's HTTP interface over the engine library, in one process on one data folder.
//!
//! Owns: finding and loading the engine, its sessions, the HTTP interface, two users (`default`,
//! who may do everything, and the read-only `analyst`), clean stop. Refuses to know: what the
//! tables are for, and who supervises this process.
//!
//! What a ClickHouse server has and this does not: users and grants in SQL, `system.query_log`,
//! server-side sessions (`session_id` is accepted and ignored), asynchronous inserts (every insert
//! is synchronous, whatever `async_insert` says), the native TCP protocol, clusters.

mod compression;
mod definitions;
mod engine;
mod ffi;
mod folder;
mod http;
mod locate;
mod sql;

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use folder::{FolderError, PASSWORD_FILE, Secret};
pub use locate::{ENGINE_VARIABLE, NotFound, engine_library};

/// How long a clean stop waits for running statements before it kills them.
pub const STOP_GRACE: Duration = Duration::from_secs(20);

/// What to serve, and where.
#[derive(Debug)]
pub struct Config {
    /// The data folder; made if absent. One process at a time may use it.
    pub data_dir: PathBuf,
    /// A bound listener; port 0 is fine. Bind it to loopback unless a proxy guards it: the
    /// interface speaks plain HTTP.
    pub listener: TcpListener,
    /// The password of the user `default`. `None`: the one in `data_dir/password`, which is made
    /// with random content and mode 0600 when absent.
    pub password: Option<Secret>,
    /// The password of the read-only user `analyst`. `None`: there is no such user.
    pub analyst_password: Option<Secret>,
    /// The engine library. `None`: see [`engine_library`].
    pub engine_library: Option<PathBuf>,
}

/// Why the server could not start, or broke off.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine library is nowhere.
    #[error(transparent)]
    Library(#[from] NotFound),
    /// The engine library could not be loaded or could not open the folder.
    #[error("{0}")]
    Engine(String),
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The listener failed.
    #[error("the HTTP listener failed: {0}")]
    Listener(#[from] std::io::Error),
}

/// A server ready to run: the folder is locked, the engine is up, the port is bound.
pub struct Server {
    sessions: Arc<engine::Sessions>,
    access: http::Access,
    listener: TcpListener,
    _lock: folder::Lock,
}

impl Server {
    /// Locks the folder, loads the engine and opens the data. Blocks for 0.2 s or more.
    ///
    /// # Errors
    /// See [`Error`]; nothing is left running on error.
    pub fn open(config: Config) -> Result<Self, Error> {
        let (data_dir, lock) = folder::lock(&config.data_dir)?;
        definitions::set_aside(&data_dir)?;
        let password = match config.password {
            Some(password) => password,
            None => folder::kept_password(&data_dir)?,
        };
        let library = engine_library(config.engine_library.as_deref())?;
        let engine =
            ffi::Engine::load(&library).map_err(|error| Error::Engine(error.to_string()))?;
        tracing::info!(library = %library.display(), version = engine.library_version(), "engine loaded");
        let sessions = engine::Sessions::open(engine, &data_dir).map_err(Error::Engine)?;
        Ok(Self {
            sessions: Arc::new(sessions),
            access: http::Access {
                owner: password,
                analyst: config.analyst_password,
            },
            listener: config.listener,
            _lock: lock,
        })
    }

    /// The bound address.
    ///
    /// # Errors
    /// [`Error::Listener`] if the socket is gone.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until `shutdown` resolves; then stops accepting, waits up to [`STOP_GRACE`] for
    /// running statements, closes the engine and unlocks the folder. Must be polled inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`Error::Listener`]; the engine is closed all the same.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let served = http::serve(self.listener, self.sessions.clone(), self.access, shutdown).await;
        self.sessions.close(STOP_GRACE).await;
        Ok(served?)
    }
}

/// [`Server::open`] and [`Server::run`] in one.
///
/// # Errors
/// As theirs.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    Server::open(config)?.run(shutdown).await
}
