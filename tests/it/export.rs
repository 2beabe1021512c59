//! Exporting a visitor: every row there is of them and of nobody else, or clear words that something is
//! missing.

use crate::erasure::{done, let_go_at_once, request, secret};
use anyhow::{Context, Result, ensure};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Output;
use std::time::{SystemTime, UNIX_EPOCH};
use upriver_tests::{Collector, IMPORT_TOKEN, PRIVACY_TOKEN, Page, SITE, eventually};
use upriver_wire::envelope;

/// Rows by table.
type Rows = BTreeMap<String, Vec<Value>>;

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

/// The rows of an export and its last line, which must be the last.
fn read(text: &str) -> Result<(Rows, Value)> {
    let mut lines = text.lines();
    let end: Value = serde_json::from_str(lines.next_back().context("no line")?)?;
    ensure!(end["table"] == "end", "{end}");
    let mut rows = Rows::new();
    for line in lines {
        let mut line: Value = serde_json::from_str(line)?;
        let table = line["table"].as_str().context("no table")?.to_owned();
        rows.entry(table).or_default().push(line["row"].take());
    }
    Ok((rows, end))
}

async fn export(collector: &Collector, visitor: &str) -> Result<(u16, String)> {
    let url = format!("{}/v1/sites/{SITE}/visitors/{visitor}", collector.url);
    let response = collector.http.get(url).bearer_auth(PRIVACY_TOKEN).send();
    let response = response.await?;
    Ok((response.status().as_u16(), response.text().await?))
}

/// What SQL has, as an analyst would ask for it.
async fn sql(collector: &Collector, sql: &str) -> Result<Vec<Value>> {
    let client = collector.clickhouse().await?;
    let query = client
        .query_raw(sql)
        .with_setting("output_format_json_quote_64bit_integers", "1")
        .with_setting("date_time_output_format", "iso");
    let bytes = query.fetch_bytes("JSONEachRow")?.collect().await?;
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    lines
        .map(|line| Ok(serde_json::from_slice(line)?))
        .collect()
}

fn sorted(rows: &[Value]) -> Vec<String> {
    let mut rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    rows.sort();
    rows
}

/// `upriver export` with these arguments.
async fn upriver(collector: &Collector, arguments: &[&str]) -> Result<Output> {
    let mut command = Collector::command();
    command.arg("export").arg("--data").arg(collector.data());
    command.args(arguments);
    // Apart, so that connections that are closed meanwhile are not taken for open ones.
    let output = tokio::task::spawn_blocking(move || command.output()).await?;
    Ok(output?)
}

#[tokio::test]
async fn an_export_has_every_row_of_a_visitor_or_says_what_is_missing() -> Result<()> {
    let collector = Collector::start().await?;
    let (mut page, mut other) = (Page::new("/"), Page::new("/"));
    let visitor = page.visitor();
    let bodies = vec![
        other.view("/"),
        Page::press(0.5, 0.5),
        Page::order(1_000_000),
    ];
    ensure!(collector.send(other.bytes(bodies)).await?.status == 200);
    ensure!(
        collector
            .send(envelope::encode(&secret(&mut page), now_ms()))
            .await?
            .status
            == 200
    );
    let event = json!({"events": [{"id": "one", "visitor": visitor, "time_ms": now_ms() - 86_400_000,
        "body": {"custom": {"name": "paid", "props": []}}}]});
    let import = collector.http.post(format!("{}/v1/events", collector.url));
    let import = import.bearer_auth(IMPORT_TOKEN).json(&event).send().await?;
    ensure!(import.status() == 200);
    let refused = [
        b"\xff\xfe{\"visitor\":\"".to_vec(),
        format!("{visitor}\"").into(),
    ]
    .concat();
    ensure!(collector.send(refused.clone()).await?.status == 400);
    let bodies = vec![Page::press(0.1, 0.1); 700];
    ensure!(collector.send(page.bytes(bodies)).await?.status == 200);

    // At once: what was acknowledged a moment ago may be in the log only.
    let (status, text) = export(&collector, &visitor.to_string()).await?;
    ensure!(status == 200, "{status} {text}");
    let (rows, end) = read(&text)?;
    let counts = json!({"events": 706, "sessions": 2, "elements": 2, "dead_letters": 1});
    ensure!(end["rows"] == counts && end["complete"] == true, "{end}");
    ensure!(end["missing"] == json!([]), "{end}");
    let uuid = uuid::Uuid::from_u128(visitor.0);
    for (table, asked) in [
        (
            "events",
            format!("SELECT * FROM events WHERE visitor = '{uuid}'"),
        ),
        (
            "sessions",
            format!("SELECT * FROM sessions FINAL WHERE visitor = '{uuid}'"),
        ),
        // The other one pressed the button too, and nothing else.
        ("elements", "SELECT * FROM elements FINAL".into()),
        (
            "dead_letters",
            "SELECT * REPLACE (base64Encode(body) AS body) FROM dead_letters".into(),
        ),
    ] {
        let wanted = sql(&collector, &asked).await?;
        ensure!(counts[table] == wanted.len(), "{table}: {}", wanted.len());
        assert_eq!(sorted(&rows[table]), sorted(&wanted), "{table}");
    }
    let times: Vec<&str> = rows["events"]
        .iter()
        .filter_map(|row| row["time"].as_str())
        .collect();
    ensure!(times.is_sorted(), "oldest first");

    // The same from the command line, on a pipe and in a file that nobody else may read.
    let whole = ["--site", SITE, "--visitor", &uuid.to_string()];
    let said = upriver(&collector, &whole).await?;
    ensure!(said.status.success(), "{said:?}");
    assert_eq!(read(&String::from_utf8(said.stdout)?)?.0, rows);
    let told = String::from_utf8(said.stderr)?;
    ensure!(
        told.contains("711 rows") && told.contains("706 of events"),
        "{told}"
    );
    let file = collector.data().join("visitor.ndjson");
    let path = file.to_string_lossy().into_owned();
    let to_file = [&whole[..], &["--out", &path]].concat();
    ensure!(upriver(&collector, &to_file).await?.status.success());
    assert_eq!(read(&std::fs::read_to_string(&file)?)?.0, rows);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file)?.permissions());
    assert_eq!(mode & 0o777, 0o600);
    let again = upriver(&collector, &to_file).await?;
    let told = String::from_utf8(again.stderr)?;
    ensure!(
        again.status.code() == Some(1) && told.contains("is there already"),
        "{told}"
    );

    refusals(&collector, &visitor.to_string()).await?;
    behind(&collector, &mut page).await?;

    // What is kept apart is missing, and that is said.
    let client = collector.clickhouse().await?;
    let constraint = "ALTER TABLE events ADD CONSTRAINT no_poison CHECK name != 'poison'";
    client.query(constraint).execute().await?;
    let poison = page.bytes(vec![Page::custom("poison")]);
    ensure!(collector.send(poison).await?.status == 200);
    let said = upriver(&collector, &whole).await?;
    let told = String::from_utf8(said.stderr)?;
    ensure!(said.status.code() == Some(2), "{told}");
    ensure!(
        told.contains("NOT COMPLETE: 1 events are kept apart"),
        "{told}"
    );

    // Once they are erased there is nothing, and until then it is not given out.
    let_go_at_once(&collector).await?;
    let path = format!("visitors/{visitor}");
    let (_, order) = request(&collector, "DELETE", &path, PRIVACY_TOKEN).await?;
    let (status, text) = export(&collector, &visitor.to_string()).await?;
    ensure!(
        status == 409 && text.contains("being erased"),
        "{status} {text}"
    );
    done(&collector, order["id"].as_str().context("no id")?).await?;
    let (status, text) = export(&collector, &visitor.to_string()).await?;
    let (rows, end) = read(&text)?;
    ensure!(
        status == 200 && rows.is_empty() && end["complete"] == true,
        "{text}"
    );
    let (_, text) = export(&collector, &other.visitor().to_string()).await?;
    let (_, end) = read(&text)?;
    let counts = json!({"events": 3, "sessions": 1, "elements": 1, "dead_letters": 0});
    ensure!(end["rows"] == counts, "{end}");
    Ok(())
}

/// Who may not, and what makes no sense.
async fn refusals(collector: &Collector, visitor: &str) -> Result<()> {
    let path = format!("visitors/{visitor}");
    let (status, error) = request(collector, "GET", &path, IMPORT_TOKEN).await?;
    ensure!(
        status == 403 && error.to_string().contains("visitors:export"),
        "{error}"
    );
    let url = format!("{}/v1/sites/{SITE}/{path}", collector.url);
    let status = collector.http.get(url).send().await?.status();
    ensure!(status == 401, "{status}");
    let (status, error) = request(collector, "GET", "visitors/xyz", PRIVACY_TOKEN).await?;
    ensure!(
        status == 400 && error["error"]["code"] == "invalid_visitor",
        "{error}"
    );
    for (arguments, code, words) in [
        (
            ["--site", SITE, "--visitor", "1234"],
            0,
            "nothing is kept of this visitor",
        ),
        (
            ["--site", SITE, "--visitor", "not-hex"],
            2,
            "hexadecimal digits",
        ),
        (["--site", "a/b", "--visitor", "1234"], 2, "a site's id is"),
        (
            ["--site", "other", "--visitor", "1234"],
            1,
            "there is no site other",
        ),
    ] {
        let said = upriver(collector, &arguments).await?;
        let told = String::from_utf8(said.stderr)?;
        ensure!(
            said.status.code() == Some(code) && told.contains(words),
            "{arguments:?}: {told}"
        );
    }
    Ok(())
}

/// While ClickHouse hangs an export says how much it has not; then it is whole.
async fn behind(collector: &Collector, page: &mut Page) -> Result<()> {
    let pid = collector.clickhouse_pid().await?;
    kill_process(pid, Signal::STOP)?;
    let sent = collector
        .send(page.bytes(vec![Page::press(0.2, 0.2)]))
        .await;
    let answer = export(collector, &page.visitor().to_string()).await;
    kill_process(pid, Signal::CONT)?;
    ensure!(sent?.status == 200);
    let (status, text) = answer?;
    ensure!(
        status == 503 && text.contains("bytes of the log are still to be stored"),
        "{text}"
    );
    eventually("the export is whole", async || {
        let (status, text) = export(collector, &page.visitor().to_string()).await?;
        if status != 200 {
            return Ok(None);
        }
        let (_, end) = read(&text)?;
        ensure!(
            end["rows"]["events"] == 707 && end["complete"] == true,
            "{end}"
        );
        Ok(Some(()))
    })
    .await
}
