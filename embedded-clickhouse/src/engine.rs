//! Sessions of the engine: how many at once, with which settings, how they are killed and closed.
//! Every request gets a fresh session (opening one takes 0.3 ms), so nothing of one request's
//! `USE`, `SET` or temporary tables reaches the next. Knows no HTTP.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ffi::{Connection, Engine, Output};

/// Statements that run at the same time; more wait.
pub(crate) const SESSIONS_MAX: usize = 16;
/// How long a statement waits for its turn before it is refused.
pub(crate) const SESSION_WAIT_MAX: Duration = Duration::from_secs(10);

/// Settings of every session, chosen so that the engine behaves as ClickHouse's server does where
/// the library's own defaults differ, and so that one request's insert becomes one block.
const SESSION_SETTINGS: &[(&str, &str)] = &[
    ("implicit_select", "0"),
    ("allow_introspection_functions", "0"),
    ("async_insert", "0"),
    ("max_insert_block_size", "1048576"),
    ("min_insert_block_size_rows", "1048576"),
    ("min_insert_block_size_bytes", "0"),
    ("input_format_parallel_parsing", "0"),
];

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// `default`: may do everything.
    Owner,
    /// `analyst`: may read.
    Analyst,
}

/// Why no session was given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error(
        "{SESSIONS_MAX} statements are already running and none ended within 10 s; try again later"
    )]
    Busy,
    #[error("the server is shutting down")]
    Stopping,
    #[error("the engine refused a new session; its reason is on the server's standard error")]
    Refused,
}

/// The running engine on one data folder.
pub(crate) struct Sessions {
    engine: Engine,
    path_argument: String,
    permits: Arc<Semaphore>,
    /// Keeps the engine alive between requests and runs KILL. `None` once closed.
    control: Mutex<Option<Connection>>,
    /// What the SQL function `version()` says.
    pub(crate) version: String,
    /// The engine's time zone name.
    pub(crate) timezone: String,
    /// Table functions of this engine, lower case.
    pub(crate) table_functions: Vec<String>,
}

impl Sessions {
    /// Boots the engine on `data_dir`. Blocks; a folder takes 0.1 s when empty.
    pub(crate) fn open(engine: Engine, data_dir: &Path) -> Result<Self, String> {
        let path_argument = format!("--path={}", data_dir.display());
        let mut control = engine
            .connect(&arguments(&path_argument, Role::Owner))
            .ok_or("the engine could not open the data folder; its reason is on standard error")?;
        let version = single(&mut control, "SELECT version()")?;
        let timezone = single(&mut control, "SELECT timezone()")?;
        let table_functions = single(
            &mut control,
            "SELECT lower(name) FROM system.table_functions",
        )?;
        Ok(Self {
            engine,
            path_argument,
            permits: Arc::new(Semaphore::new(SESSIONS_MAX)),
            control: Mutex::new(Some(control)),
            version,
            timezone,
            table_functions: table_functions.lines().map(str::to_owned).collect(),
        })
    }

    /// Waits for a turn, at most [`SESSION_WAIT_MAX`].
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, SessionError> {
        match tokio::time::timeout(SESSION_WAIT_MAX, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_closed)) => Err(SessionError::Stopping),
            Err(_elapsed) => Err(SessionError::Busy),
        }
    }

    /// Opens a session. The caller holds a turn.
    pub(crate) fn session(&self, role: Role) -> Result<Connection, SessionError> {
        self.engine
            .connect(&arguments(&self.path_argument, role))
            .ok_or(SessionError::Refused)
    }

    /// Asks the engine to stop every statement of this tag (its `log_comment` setting). Returns at
    /// once; the statement itself ends with code 394.
    pub(crate) fn kill(&self, tag: &str) {
        debug_assert!(tag.bytes().all(|b| b.is_ascii_hexdigit()));
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(control) = control.as_mut() {
            let sql = format!("KILL QUERY WHERE Settings['log_comment'] = '{tag}' ASYNC");
            if let Err(error) = control.query(&sql, "Null", &[]) {
                tracing::warn!(%error, "could not cancel a statement whose client is gone");
            }
        }
    }

    /// Waits for running statements, at most `grace`, then kills them; afterwards closes the engine.
    ///
    /// Closing the last session is what stops the tables and flushes them. The library's own
    /// shutdown call then joins its idle pool threads; once a table was made it reports that some
    /// remain, which harms nothing.
    pub(crate) async fn close(self: Arc<Self>, grace: Duration) {
        let all = SESSIONS_MAX as u32;
        if tokio::time::timeout(grace, self.permits.acquire_many(all))
            .await
            .is_err()
        {
            tracing::warn!("statements still running after the grace period are killed");
            let sessions = self.clone();
            let _ = tokio::task::spawn_blocking(move || sessions.kill_all()).await;
            let _ = tokio::time::timeout(grace, self.permits.acquire_many(all)).await;
        }
        self.permits.close();
        let closing = tokio::task::spawn_blocking(move || {
            drop(
                self.control
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take(),
            );
            if !self.engine.shutdown() {
                tracing::debug!("the engine keeps idle threads until the process ends");
            }
        });
        if closing.await.is_err() {
            tracing::error!("closing the engine broke off");
        }
    }

    fn kill_all(&self) {
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(control) = control.as_mut() {
            let _ = control.query(
                "KILL QUERY WHERE query NOT ILIKE 'KILL%' ASYNC",
                "Null",
                &[],
            );
        }
    }
}

fn arguments(path_argument: &str, role: Role) -> Vec<String> {
    let mut arguments = vec![path_argument.to_owned()];
    arguments.extend(
        SESSION_SETTINGS
            .iter()
            .map(|(name, value)| format!("--{name}={value}")),
    );
    if role == Role::Analyst {
        arguments.push("--readonly=2".to_owned());
    }
    arguments
}

fn single(connection: &mut Connection, sql: &str) -> Result<String, String> {
    let output: Output = connection.query(sql, "TabSeparatedRaw", &[])?;
    Ok(String::from_utf8_lossy(output.as_ref())
        .trim_end()
        .to_owned())
}
