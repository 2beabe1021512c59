//! Start, stop, kill, reopen: what was answered with 200 is there afterwards.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::server::{Server, command};

const TABLE: &str = "CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a \
    SETTINGS fsync_after_insert = 1, fsync_part_directory = 1";

#[test]
fn a_clean_stop_and_a_kill_keep_every_acknowledged_row() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.sql(TABLE);
    server.sql("INSERT INTO t SELECT number, toString(number) FROM numbers(100000)");
    let password = server.password.clone();
    server.stop();

    let server = Server::start(folder.path());
    assert_eq!(server.password, password, "the generated password is kept");
    assert_eq!(
        server.sql("SELECT count(), sum(a) FROM t"),
        "100000\t4999950000"
    );
    for batch in 0..20 {
        server.sql(&format!(
            "INSERT INTO t SELECT 100000 + {batch} * 100 + number, 'x' FROM numbers(100)"
        ));
    }
    server.kill();

    let server = Server::start(folder.path());
    assert_eq!(
        server.sql("SELECT count(), uniqExact(a) FROM t"),
        "102000\t102000"
    );
    server.stop();
}

#[test]
fn a_table_whose_definition_a_full_disk_left_empty_can_be_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.sql("CREATE DATABASE shop");
    for table in ["full", "new"] {
        let columns = "(a UInt8) ENGINE = MergeTree ORDER BY a";
        server.sql(&format!("CREATE TABLE shop.{table} {columns}"));
    }
    server.sql("INSERT INTO shop.full VALUES (1)");
    let metadata = server.folder.join("data/metadata/shop");
    let data = server.folder.join("data");
    server.stop();
    let kept = std::fs::read(metadata.join("full.sql")).unwrap();

    std::fs::write(metadata.join("new.sql"), "").unwrap();
    let server = Server::start(folder.path());
    server.sql("CREATE TABLE IF NOT EXISTS shop.new (a UInt8) ENGINE = MergeTree ORDER BY a");
    server.sql("INSERT INTO shop.new VALUES (1), (2)");
    assert_eq!(server.sql("SELECT count() FROM shop.new"), "2");
    server.stop();

    // Without its definition nobody would find the data again: that is for a person to decide.
    std::fs::write(metadata.join("full.sql"), "").unwrap();
    let refused = command(&data).output().unwrap();
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && reason.contains("full.sql is empty"),
        "{reason}"
    );
    std::fs::write(metadata.join("full.sql"), kept).unwrap();
    let server = Server::start(folder.path());
    assert_eq!(server.sql("SELECT count() FROM shop.full"), "1");
    server.stop();
}

#[test]
fn a_second_process_on_the_folder_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let second = command(&server.folder.join("data")).output().unwrap();
    let reason = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        !second.status.success() && reason.contains("in use by another process"),
        "{reason}"
    );
    assert_eq!(server.sql("SELECT 1"), "1", "the first is not disturbed");
}

#[test]
fn a_stop_lets_a_running_insert_finish() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.sql(TABLE);
    let (url, user) = (server.url.clone(), format!("default:{}", server.password));
    let client = std::thread::spawn(move || {
        let statement = "INSERT INTO t SELECT number + sleepEachRow(0.1), 'x' FROM numbers(20) SETTINGS max_block_size = 1, min_insert_block_size_rows = 1000";
        let output = std::process::Command::new("curl")
            .args(["-sS", "-u", &user, "--data-binary", statement, &url])
            .output();
        output.unwrap()
    });
    let running = "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO t SELECT%'";
    while server.sql(running) != "1" {
        assert!(
            !client.is_finished(),
            "the insert ended before it was seen running"
        );
    }
    server.stop();
    let output = client.join().unwrap();
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "{output:?}"
    );
    let server = Server::start(folder.path());
    assert_eq!(server.sql("SELECT count() FROM t"), "20");
}

#[test]
fn half_a_body_inserts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.sql(TABLE);
    let mut rows = Vec::new();
    for number in 0..50_000_u64 {
        rows.extend_from_slice(&number.to_le_bytes());
        rows.extend_from_slice(b"\x03a;\0");
    }
    let head = format!(
        "POST /?query=INSERT+INTO+t+FORMAT+RowBinary HTTP/1.1\r\nHost: x\r\nX-ClickHouse-User: default\r\n\
         X-ClickHouse-Key: {}\r\nContent-Length: {}\r\n\r\n",
        server.password,
        rows.len()
    );
    let address = server.url.strip_prefix("http://").unwrap();
    let mut half = TcpStream::connect(address).unwrap();
    half.write_all(head.as_bytes()).unwrap();
    half.write_all(&rows[..rows.len() / 2]).unwrap();
    half.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    let _ = half.read_to_string(&mut answer);
    assert!(!answer.contains("200 OK"), "{answer}");
    assert_eq!(server.sql("SELECT count() FROM t"), "0");

    // A body whose last row is cut is refused as a whole by the engine's parser.
    let user = format!("default:{}", server.password);
    let target = "/?query=INSERT+INTO+t+FORMAT+RowBinary";
    let cut = server.curl_as(&user, target, &[], &rows[..rows.len() - 2]);
    assert_eq!(
        (
            cut.status,
            cut.header("X-ClickHouse-Exception-Code").as_deref()
        ),
        (400, Some("33")),
        "{}",
        cut.text()
    );
    assert_eq!(server.sql("SELECT count() FROM t"), "0");

    // The same request, whole, is in: the head above was right.
    let whole = server.curl_as(&user, target, &[], &rows);
    assert_eq!(whole.status, 200, "{}", whole.text());
    assert!(
        whole
            .header("X-ClickHouse-Summary")
            .unwrap()
            .contains(r#""written_rows":"50000""#)
    );
    assert_eq!(
        server.sql("SELECT count(), countIf(s = 'a;\\0') FROM t"),
        "50000\t50000"
    );
}
