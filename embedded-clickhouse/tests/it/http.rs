//! The interface by curl: formats, parameters, errors, parts, long results.

use crate::server::Server;

fn start() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    (folder, server)
}

#[test]
fn json_rows_in_and_native_out_and_in_again() {
    let (_folder, server) = start();
    let user = format!("default:{}", server.password);
    server.sql("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a");
    let rows: String = (0..100_000)
        .map(|n| format!("{{\"a\":{n},\"s\":\"row {n}\"}}\n"))
        .collect();
    let inserted = server.curl_as(
        &user,
        "/?query=INSERT+INTO+t+FORMAT+JSONEachRow&async_insert=1",
        &[],
        rows.as_bytes(),
    );
    assert_eq!(inserted.status, 200, "{}", inserted.text());
    assert!(
        inserted
            .header("X-ClickHouse-Summary")
            .unwrap()
            .contains(r#""written_rows":"100000""#)
    );

    let native = server.curl("/?query=SELECT+*+FROM+t+ORDER+BY+a+FORMAT+Native", &[]);
    assert_eq!(
        native.header("X-ClickHouse-Format").as_deref(),
        Some("Native")
    );
    server.sql("CREATE TABLE u AS t");
    let mut inline = b"INSERT INTO u FORMAT Native\n".to_vec();
    inline.extend_from_slice(&native.body);
    assert_eq!(server.curl_as(&user, "/", &[], &inline).status, 200);
    assert_eq!(
        server.sql("SELECT count(), sum(a), sum(cityHash64(s)) FROM u"),
        server.sql("SELECT count(), sum(a), sum(cityHash64(s)) FROM t")
    );
}

#[test]
fn a_batch_of_200000_rows_is_one_part() {
    let (_folder, server) = start();
    let user = format!("default:{}", server.password);
    let mut rows = Vec::new();
    for number in 0..200_000_u64 {
        rows.extend_from_slice(&number.to_le_bytes());
        rows.push(60);
        rows.extend_from_slice(&[b';'; 60]);
    }
    for format in ["RowBinary", "Native"] {
        server.sql(&format!(
            "CREATE TABLE {format} (a UInt64, s String) ENGINE = MergeTree ORDER BY a"
        ));
        let body = match format {
            "RowBinary" => rows.clone(),
            _ => {
                server
                    .curl("/?query=SELECT+*+FROM+RowBinary+FORMAT+Native", &[])
                    .body
            }
        };
        let inserted = server.curl_as(
            &user,
            &format!("/?query=INSERT+INTO+{format}+FORMAT+{format}"),
            &[],
            &body,
        );
        assert_eq!(inserted.status, 200, "{}", inserted.text());
        // Level 0 and block 1 to 1: one part was written, none was merged.
        let parts = format!("SELECT name, rows FROM system.parts WHERE table = '{format}'");
        assert_eq!(server.sql(&parts), "all_1_1_0\t200000");
    }
}

#[test]
fn parameters_settings_and_formats() {
    let (_folder, server) = start();
    let user = format!("default:{}", server.password);
    let ping = server.curl_as("", "/ping", &[], b"");
    assert_eq!((ping.status, ping.text().as_str()), (200, "Ok.\n"));
    let bound = "/?param_s=it's%5C%5C%5Ctb&param_n=7&default_format=JSONCompactEachRow";
    let answer = server.curl_as(&user, bound, &[], b"SELECT {s:String}, {n:UInt8} + 1");
    assert_eq!(answer.text(), "[\"it's\\\\\\tb\", 8]\n");
    let form = server.curl_as(
        &user,
        "/",
        &[
            "-F",
            "query=SELECT {x:Array(String)}",
            "-F",
            "param_x=['a','b']",
        ],
        b"",
    );
    assert_eq!(form.text(), "['a','b']\n");
    assert_eq!(
        server
            .curl_as(
                &user,
                "/?session_timezone=Asia/Tokyo",
                &[],
                b"SELECT toDateTime(0)"
            )
            .text(),
        "1970-01-01 09:00:00\n"
    );
    assert_eq!(
        server.sql("SELECT getSetting('session_timezone')"),
        "",
        "a setting ends with its request"
    );
    let named = server.curl_as(
        &user,
        "/?query_id=my-id",
        &["-H", "X-ClickHouse-Format: CSV"],
        b"SELECT 'a'",
    );
    assert_eq!(
        (
            named.text().as_str(),
            named.header("X-ClickHouse-Query-Id").as_deref()
        ),
        ("\"a\"\n", Some("my-id"))
    );
    assert_eq!(
        server
            .curl(
                "/?query=SELECT+1",
                &["--compressed", "-H", "Accept-Encoding: gzip"]
            )
            .text(),
        "1\n"
    );
    // Headers of joined pieces appear once; a bracketed format is whole.
    let joined = server.sql(
        "SELECT number FROM numbers(300000) SETTINGS max_block_size = 10000 FORMAT CSVWithNames",
    );
    assert_eq!(
        (joined.lines().count(), joined.matches("number").count()),
        (300_001, 1)
    );
    let json = server.sql(
        "SELECT number FROM numbers(200000) SETTINGS max_block_size = 10000 FORMAT JSONCompact",
    );
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["data"].as_array().unwrap().len(), 200_000);
}

#[test]
fn errors_have_the_servers_codes() {
    let (_folder, server) = start();
    let user = format!("default:{}", server.password);
    let check = |target: &str, sql: &str, expected: (u16, &str)| {
        assert_eq!(
            server.error(&user, target, sql),
            (expected.0, expected.1.to_owned()),
            "{target} {sql}"
        );
    };
    check("/", "SELECT * FROM nosuch", (404, "60"));
    check("/", "SELEKT 1", (400, "62"));
    check("/", "SELECT 1; SELECT 2", (400, "62"));
    check("/", " -- nothing", (400, "62"));
    check("/", "SELECT 1 FORMAT NoSuch", (404, "73"));
    check("/?nosuch=1", "SELECT 1", (404, "115"));
    check("/?database=nosuch", "SELECT 1", (404, "81"));
    check("/?role=x", "SELECT 1", (404, "511"));
    check("/?compress=maybe", "SELECT 1", (400, "36"));
    check("/?decompress=1", "not a native block at all", (400, "271"));
    check(
        "/?query=INSERT+INTO+nosuch+FORMAT+RowBinary",
        "x",
        (404, "60"),
    );
    for who in ["", "default:wrong", "nobody:x", "analyst:", "default:"] {
        assert_eq!(
            server.error(who, "/", "SELECT 1"),
            (401, "516".to_owned()),
            "{who}"
        );
    }
    let (right, wrong) = (
        format!("/?user=default&password={}", server.password),
        "/?user=default&password=x",
    );
    assert_eq!(server.curl_as("", &right, &[], b"SELECT 1").text(), "1\n");
    assert_eq!(server.error("", wrong, "SELECT 1").0, 401);
    assert_eq!(
        server.curl("/?query=CREATE+DATABASE+x", &[]).status,
        403,
        "GET changes nothing"
    );
    assert_eq!(server.curl("/nowhere", &[]).status, 404);
}

#[test]
fn a_failure_under_way_breaks_the_answer_and_says_why() {
    let (_folder, server) = start();
    let user = format!("default:{}", server.password);
    let sql = b"SELECT throwIf(number = 5000000) FROM numbers(9000000)";
    let broken = server.curl_as(&user, "/", &[], sql);
    assert_eq!(
        (broken.status, broken.exit),
        (200, 18),
        "curl must see the transfer break off"
    );
    let tag = broken.header("X-ClickHouse-Exception-Tag").unwrap();
    let end = broken.text();
    assert!(end.ends_with(&format!(" {tag}\r\n__exception__\r\n")) && end.contains("Code: 395."));
    let waited = server.curl_as(&user, "/?wait_end_of_query=1", &[], sql);
    assert_eq!(
        (waited.status, waited.exit),
        (500, 0),
        "held back, the failure has its own status"
    );
    let early = server.curl_as(
        &user,
        "/",
        &[],
        b"SELECT throwIf(number = 5) FROM numbers(9)",
    );
    assert_eq!((early.status, early.exit), (500, 0));
}

#[test]
fn a_gigabyte_streams_in_bounded_memory_and_an_abandoned_query_ends() {
    let (_folder, server) = start();
    let user = format!("default:{}", server.password);
    let before = server.resident_mib();
    let sql = "SELECT number, repeat('x', 100) FROM numbers(10000000) FORMAT RowBinary";
    let slow = std::process::Command::new("curl")
        .args([
            "-sS",
            "-u",
            &user,
            "--limit-rate",
            "4M",
            "-m",
            "2",
            "-o",
            "/dev/null",
            "--data-binary",
            sql,
            &server.url,
        ])
        .output()
        .unwrap();
    assert_eq!(slow.status.code(), Some(28), "the slow client gave up");
    let fast = std::process::Command::new("curl")
        .args([
            "-sS",
            "-u",
            &user,
            "-o",
            "/dev/null",
            "-w",
            "%{size_download}",
            "--data-binary",
            sql,
            &server.url,
        ])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&fast.stdout), "1090000000");
    let grown = server.resident_mib().saturating_sub(before);
    assert!(grown < 400, "1.09 GB of answer cost {grown} MiB");

    // Nothing is sent before such a statement ends, so only the closed connection can end it.
    let endless = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)";
    let gone = std::process::Command::new("curl")
        .args([
            "-sS",
            "-u",
            &user,
            "-m",
            "1",
            "--data-binary",
            endless,
            &server.url,
        ])
        .output()
        .unwrap();
    assert_eq!(gone.status.code(), Some(28));
    let begun = std::time::Instant::now();
    while server.sql("SELECT count() FROM system.processes WHERE query LIKE 'SELECT sum(sip%' OR query LIKE '%repeat%' AND query NOT LIKE '%processes%'") != "0" {
        assert!(begun.elapsed().as_secs() < 10, "the abandoned statement still runs");
    }
}
