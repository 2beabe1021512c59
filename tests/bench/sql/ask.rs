//! Asking one question: once with nothing of the tables in memory, then again and again.

use anyhow::{Context, Result, ensure};
use clickhouse::Client;
use rustix::fs::{Advice, fadvise};
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use upriver_tests::Collector;

/// Times each question is asked after the first; the median of these counts.
pub(super) const TIMES: usize = 7;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// What ClickHouse keeps in memory of its tables, besides the system's own cache of files.
const CACHES: [&str; 5] = [
    "MARK",
    "PRIMARY INDEX",
    "UNCOMPRESSED",
    "INDEX MARK",
    "QUERY CONDITION",
];

/// What became of a question.
pub(super) struct Asked {
    /// The first time, with nothing in memory, ms.
    pub(super) first_ms: f64,
    times_ms: Vec<f64>,
    /// Rows that were read for one answer.
    pub(super) rows: u64,
    /// Bytes of them.
    pub(super) bytes: u64,
}

impl Asked {
    /// The median of all times but the first.
    pub(super) fn median_ms(&self) -> f64 {
        let middle = self.times_ms.get(self.times_ms.len() / 2);
        middle.copied().unwrap_or_default()
    }

    /// Beside a pass over all rows.
    pub(super) fn figures(&self, pass: &Self) -> Value {
        json!({
            "first_ms": self.first_ms,
            "median_ms": self.median_ms(),
            "min_ms": self.times_ms.first(),
            "max_ms": self.times_ms.last(),
            "of_a_pass": self.median_ms() / pass.median_ms(),
            "rows_read": self.rows,
            "bytes_read": self.bytes,
        })
    }
}

/// Asks as the analyst.
pub(super) struct Asker {
    http: reqwest::Client,
    owner: Client,
    address: String,
    password: String,
    tables: PathBuf,
}

impl Asker {
    /// Of this collector's ClickHouse; `owner` may empty its caches.
    ///
    /// # Errors
    /// It does not say where it listens.
    pub(super) async fn new(collector: &Collector, owner: Client) -> Result<Self> {
        let (address, password) = super::analyst(collector).await?;
        Ok(Self {
            http: reqwest::Client::builder().timeout(PATIENCE).build()?,
            owner,
            address,
            password,
            tables: collector.data().join("clickhouse"),
        })
    }

    /// Asks often enough.
    ///
    /// # Errors
    /// The question is refused.
    pub(super) async fn ask(&self, sql: &str, parameters: &[(String, String)]) -> Result<Asked> {
        for cache in CACHES {
            let drop = format!("SYSTEM DROP {cache} CACHE");
            self.owner.query(&drop).execute().await?;
        }
        forget(&self.tables)?;
        let (first_ms, rows, bytes) = self.once(sql, parameters).await?;
        let mut times_ms = Vec::new();
        for _ in 0..TIMES {
            times_ms.push(self.once(sql, parameters).await?.0);
        }
        times_ms.sort_by(f64::total_cmp);
        Ok(Asked {
            first_ms,
            times_ms,
            rows,
            bytes,
        })
    }

    /// Time until the whole answer is there, ms, and what was read for it.
    async fn once(&self, sql: &str, parameters: &[(String, String)]) -> Result<(f64, u64, u64)> {
        // What an earlier answer found out about the rows is not to help a later one.
        let settings = [
            ("database", "upriver"),
            ("wait_end_of_query", "1"),
            ("use_query_cache", "0"),
            ("use_query_condition_cache", "0"),
        ];
        let mut url = reqwest::Url::parse(&self.address)?;
        url.query_pairs_mut().extend_pairs(settings);
        for (name, value) in parameters {
            url.query_pairs_mut()
                .append_pair(&format!("param_{name}"), value);
        }
        let begun = Instant::now();
        let request = self.http.post(url).body(sql.to_owned());
        let request = request.basic_auth("analyst", Some(&self.password));
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await?;
        let took_ms = begun.elapsed().as_secs_f64() * 1_000.0;
        ensure!(
            status.is_success(),
            "{}\n{sql}",
            String::from_utf8_lossy(&body)
        );
        let summary = headers.get("X-ClickHouse-Summary").context("no summary")?;
        let summary: Value = serde_json::from_slice(summary.as_bytes())?;
        let number = |name: &str| {
            let number = summary[name].as_str().and_then(|text| text.parse().ok());
            number.with_context(|| format!("no {name} in {summary}"))
        };
        Ok((took_ms, number("read_rows")?, number("read_bytes")?))
    }
}

/// Has the system forget what it holds in memory of all files of a folder.
fn forget(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        // A merge may remove what was there a moment ago.
        if path.is_dir() && !path.is_symlink() {
            let _ = forget(&path);
        } else if let Ok(file) = File::open(&path) {
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}
