//! ClickHouse: the tables, the one writer, and reading back after a restart.
//!
//! Owns everything that names a table. Knows neither HTTP handlers nor the live engine.

pub mod audit;
pub mod batch;
pub mod child;
pub mod erase;
pub mod export;
pub mod history;
pub mod keeper;
pub mod ledger;
pub mod migrate;
pub mod quarantine;
pub mod repair;
pub mod retention;
pub mod rollup;
pub mod schema;
pub mod state;
pub mod writer;

use crate::log::LogError;
use clickhouse::Client;
use secrecy::{ExposeSecret, SecretString};

/// The lane this collector writes in. One collector, one lane.
pub const LANE: u16 = 0;

/// Why storage could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// ClickHouse refused, or could not be reached.
    #[error("clickhouse: {0}")]
    ClickHouse(#[from] clickhouse::error::Error),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The state file could not be written.
    #[error(transparent)]
    State(#[from] state::StateError),
    /// The process stopped before ClickHouse could be used.
    #[error("clickhouse could not be used before the process stopped")]
    NeverReady,
    /// Ingest has stopped.
    #[error("ingest: {0}")]
    Ingest(#[from] crate::ingest::IngestError),
}

/// Where ClickHouse is and who the collector is there.
#[derive(Clone, Debug)]
pub struct Access {
    /// `http://host:port`.
    pub url: String,
    /// User with the right to create and insert.
    pub user: String,
    /// Password.
    pub password: SecretString,
    /// Database.
    pub database: String,
}

impl Access {
    /// A client for this access.
    pub fn client(&self) -> Client {
        Client::default()
            .with_url(&self.url)
            .with_user(&self.user)
            .with_password(self.password.expose_secret())
            .with_database(&self.database)
    }
}
