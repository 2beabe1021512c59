//! The clients people use: the Rust crate, the official Python and JavaScript clients.

use std::path::{Path, PathBuf};
use std::process::Command;

use clickhouse::{Client, Compression, Row};
use serde::{Deserialize, Serialize};

use crate::server::Server;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

#[derive(Row, Serialize, Deserialize, Debug, PartialEq)]
struct Record {
    a: u64,
    s: String,
}

#[tokio::test]
async fn the_rust_crate() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let client = Client::default()
        .with_url(&server.url)
        .with_user("default")
        .with_password(&server.password);
    for (table, compression) in [("plain", Compression::None), ("packed", Compression::Lz4)] {
        let client = client.clone().with_compression(compression);
        client
            .query(&format!(
                "CREATE TABLE {table} (a UInt64, s String) ENGINE = MergeTree ORDER BY a"
            ))
            .execute()
            .await
            .unwrap();
        let mut insert = client.insert::<Record>(table).await.unwrap();
        for a in 0..100_000 {
            insert
                .write(&Record {
                    a,
                    s: format!("row;\0{a}"),
                })
                .await
                .unwrap();
        }
        insert.end().await.unwrap();
        let sum: u64 = client
            .query("SELECT sum(a) FROM ?")
            .bind(clickhouse::sql::Identifier(table))
            .fetch_one()
            .await
            .unwrap();
        assert_eq!(sum, 4_999_950_000);
        let mut cursor = client
            .query(&format!("SELECT ?fields FROM {table} ORDER BY a"))
            .fetch::<Record>()
            .unwrap();
        for a in 0..100_000 {
            assert_eq!(
                cursor.next().await.unwrap().unwrap(),
                Record {
                    a,
                    s: format!("row;\0{a}")
                }
            );
        }
        assert!(cursor.next().await.unwrap().is_none());
        let bound: String = client
            .query("SELECT {s:String}")
            .param("s", "it's\t\\ \n;")
            .fetch_one()
            .await
            .unwrap();
        assert_eq!(bound, "it's\t\\ \n;");
        let error = client
            .query("SELECT * FROM nosuch")
            .execute()
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("Code: 60."), "{error}");
        let failing = client
            .query("SELECT throwIf(number = 5000000) FROM numbers(9000000)")
            .fetch_all::<u8>()
            .await;
        let error = failing.unwrap_err().to_string();
        assert!(error.contains("Code: 395."), "{error}");
    }
    let stranger = Client::default()
        .with_url(&server.url)
        .with_user("default")
        .with_password("wrong");
    let error = stranger
        .query("SELECT 1")
        .execute()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("Code: 516."), "{error}");
}

#[test]
fn the_python_client() {
    let python = python_with_client();
    run(Command::new(python).arg(Path::new(CRATE).join("clients/python_client.py")));
}

#[test]
fn the_javascript_client() {
    let clients = Path::new(CRATE).join("clients");
    if !clients.join("node_modules/@clickhouse/client").exists() {
        let installed = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(&clients)
            .status();
        let installed = installed.expect("npm is needed: install Node.js 20 or newer");
        assert!(installed.success(), "run `npm ci` in {}", clients.display());
    }
    run(Command::new("node").arg(clients.join("javascript_client.mjs")));
}

/// Runs a client's script against a fresh server; it exits with 0 when all its assertions held.
fn run(script: &mut Command) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let output = script
        .env("CLICKHOUSE_URL", &server.url)
        .env("CLICKHOUSE_PASSWORD", &server.password)
        .output()
        .unwrap_or_else(|error| panic!("cannot run {script:?}: {error}; install it"));
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && said.trim_end().ends_with("all held"),
        "{said}{complained}"
    );
}

/// A virtual environment under the target folder with the pinned client, made on first use.
fn python_with_client() -> PathBuf {
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clickhouse-connect");
    let python = environment.join("bin/python");
    let requirements = Path::new(CRATE).join("clients/requirements.txt");
    let stamp = environment.join("requirements.txt");
    if std::fs::read(&stamp).ok() != std::fs::read(&requirements).ok() {
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment)
            .status();
        assert!(
            made.is_ok_and(|made| made.success()),
            "python3 with venv is needed: run `apt-get install python3-venv`"
        );
        let installed = Command::new(&python)
            .args(["-m", "pip", "install", "-q", "-r"])
            .arg(&requirements)
            .status();
        assert!(
            installed.unwrap().success(),
            "pip could not install {}",
            requirements.display()
        );
        std::fs::copy(&requirements, &stamp).unwrap();
    }
    python
}
