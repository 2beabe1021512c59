//! The country of whoever sends, from a file of countries: behind a proxy, through a kill, and without
//! an address kept anywhere.

use anyhow::{Context, Result, ensure};
use rustix::process::{Signal, kill_process};
use std::path::Path;
use upriver_tests::{Collector, Page, WRITE_KEY, mmdb};

/// Addresses of the documentation's networks, and countries they are not in.
const GERMAN: &str = "203.0.113.77";
const FRENCH: &str = "198.51.100.42";
const NOWHERE: &str = "192.0.2.1";

fn file(folder: &Path) -> Result<String> {
    let path = folder.join("countries.mmdb");
    let networks = [
        ([203, 0, 113, 0].into(), 24, "DE"),
        ([198, 51, 100, 0].into(), 26, "FR"),
    ];
    std::fs::write(&path, mmdb(&networks))?;
    Ok(path.display().to_string())
}

/// Sends two events as from an address behind the proxy.
async fn send(collector: &Collector, page: &mut Page, forwarded: &str) -> Result<()> {
    let url = format!("{}/v1/batch?key={WRITE_KEY}", collector.url);
    let body = page.bytes(vec![Page::press(0.1, 0.1), Page::custom("seen")]);
    let request = collector.http.post(url).body(body);
    let answer = request.header("x-forwarded-for", forwarded).send().await?;
    ensure!(answer.status() == 200, "{}", answer.text().await?);
    Ok(())
}

/// Whether any file below a folder holds any of these.
fn holds(folder: &Path, wanted: &[Vec<u8>]) -> Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if holds(&path, wanted)? {
                return Ok(true);
            }
            continue;
        }
        // One that ClickHouse has removed meanwhile holds nothing.
        let bytes = std::fs::read(&path).unwrap_or_default();
        let there = |part: &Vec<u8>| bytes.windows(part.len()).any(|window| window == part);
        if wanted.iter().any(there) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[tokio::test]
async fn the_country_is_kept_and_the_address_is_not() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = file(folder.path())?;
    let flags = ["--geoip", &file, "--trusted-proxy", "127.0.0.0/8"];
    let mut collector = Collector::start_with(&flags).await?;
    collector.sql("SELECT count() FROM events").await?;

    // In the log only, when it is killed; and the next start has no file.
    let clickhouse = collector.clickhouse_pid().await?;
    kill_process(clickhouse, Signal::STOP)?;
    let mut pages = [Page::new("/de"), Page::new("/fr"), Page::new("/none")];
    send(&collector, &mut pages[0], &format!("{NOWHERE}, {GERMAN}")).await?;
    send(&collector, &mut pages[1], FRENCH).await?;
    send(&collector, &mut pages[2], NOWHERE).await?;
    collector.kill()?;
    kill_process(clickhouse, Signal::CONT)?;
    collector.restart_with(&[])?;
    send(&collector, &mut pages[0], GERMAN).await?;
    collector
        .sql_becomes("SELECT count() FROM events", 8)
        .await?;
    for (path, country, rows) in [
        ("/de", "DE", 2),
        ("/de", "", 2),
        ("/fr", "FR", 2),
        ("/none", "", 2),
    ] {
        let sql =
            format!("SELECT count() FROM events WHERE path = '{path}' AND country = '{country}'");
        assert_eq!(collector.sql(&sql).await?, rows, "{path} {country}");
    }
    ensure!(collector.stop().await?.success());
    let texts = [GERMAN, FRENCH].map(|text| text.as_bytes().to_vec());
    let binary = [vec![203, 0, 113, 77], vec![198, 51, 100, 42]];
    // ClickHouse's files are compressed, and hold what the log's do.
    let data = collector.data();
    ensure!(!holds(&data.join("log"), &texts)? && !holds(&data.join("log"), &binary)?);
    ensure!(!holds(&data, &texts)?, "an address is kept");

    // Nobody is believed who is not said to be a proxy.
    collector.restart_with(&["--geoip", &file])?;
    send(&collector, &mut pages[1], FRENCH).await?;
    let sql = "SELECT count() FROM events WHERE path = '/fr' AND country = ''";
    collector.sql_becomes(sql, 2).await
}

#[tokio::test]
async fn a_file_that_is_not_there_or_spoilt_is_told_before_anything_starts() -> Result<()> {
    // Builds it, too.
    let collector = Collector::start().await?;
    let folder = tempfile::tempdir()?;
    let good = file(folder.path())?;
    let whole = std::fs::read(&good)?;
    let sites = collector.data().with_file_name("sites.toml");
    let check = |bytes: Option<&[u8]>, wanted: &str| -> Result<()> {
        let path = folder.path().join("wrong.mmdb");
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes)?;
        }
        let mut command = Collector::command();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&sites);
        command.arg("--data").arg(folder.path().join("data"));
        let output = command.arg("--geoip").arg(&path).output()?;
        let said = String::from_utf8(output.stderr)?;
        ensure!(!output.status.success() && said.contains(wanted), "{said}");
        let named = path.to_str().context("a path")?;
        ensure!(said.contains(named), "{said}");
        ensure!(
            !folder.path().join("data").exists(),
            "a data folder was made"
        );
        Ok(())
    };
    check(None, "cannot read the file of countries")?;
    let spoilt = "is no MaxMind DB, or spoilt";
    check(Some(b"not at all"), spoilt)?;
    check(Some(&whole[..whole.len() / 2]), spoilt)?;
    let mut turned = whole.clone();
    // A record of the tree that leads out of the file.
    turned[0] = 0x7f;
    check(Some(&turned), spoilt)
}
