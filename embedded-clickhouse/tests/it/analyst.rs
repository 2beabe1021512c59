//! The analyst reads and does nothing else.

use crate::server::Server;

const ANALYST: &str = "analyst:analyst-secret";

#[test]
fn the_analyst_reads() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.sql("CREATE DATABASE shop");
    server.sql("CREATE TABLE shop.t (a UInt64) ENGINE = MergeTree ORDER BY a");
    server.sql("INSERT INTO shop.t SELECT number FROM numbers(1000)");
    let check = |sql: &str, expected: &str| {
        let answer = server.curl_as(
            ANALYST,
            "/?database=shop&param_t=t&max_threads=1",
            &[],
            sql.as_bytes(),
        );
        assert_eq!(
            (answer.status, answer.text().trim_end()),
            (200, expected),
            "{sql}"
        );
    };
    check("SELECT count() FROM t", "1000");
    check(
        "WITH x AS (SELECT a FROM shop.t) SELECT sum(a) FROM x WHERE a IN (SELECT number FROM numbers(10))",
        "45",
    );
    check(
        "SELECT count() FROM {t:Identifier} SETTINGS max_threads = 2",
        "1000",
    );
    check("SHOW TABLES", "t");
    check("SELECT format('{}-{}', 'a', 'file(x)')", "a-file(x)");
    check("EXISTS TABLE shop.t", "1");
}

#[test]
fn the_analyst_changes_nothing_and_leaves_the_engine_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.sql("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a");
    let secret = server.folder.join("analyst");
    let secret = secret.to_str().unwrap();
    let out = server.folder.join("out.csv");
    let refused = [
        "INSERT INTO t VALUES (1)".to_owned(),
        "INSERT INTO t SELECT 1".to_owned(),
        "INSERT INTO t FORMAT CSV\n1".to_owned(),
        "CREATE TABLE u (a UInt8) ENGINE = Memory".to_owned(),
        format!("CREATE TEMPORARY TABLE u (s String) ENGINE = File(LineAsString, '{secret}')"),
        "DROP TABLE t".to_owned(),
        "ALTER TABLE t DELETE WHERE 1".to_owned(),
        "TRUNCATE TABLE t".to_owned(),
        "OPTIMIZE TABLE t".to_owned(),
        "SYSTEM FLUSH LOGS".to_owned(),
        "SET readonly = 0".to_owned(),
        "SELECT 1 SETTINGS readonly = 0".to_owned(),
        "KILL QUERY WHERE 1".to_owned(),
        "USE system".to_owned(),
        format!("SELECT * FROM file('{secret}', 'LineAsString')"),
        format!("SELECT * FROM `fi\\x6ce`('{secret}', 'LineAsString')"),
        format!("SELECT file('{secret}')"),
        format!("SELECT * FROM '{secret}'"),
        format!("SELECT * FROM `{secret}`"),
        format!("SELECT 1 IN \"{secret}\""),
        format!("SELECT * FROM default.`{secret}`"),
        format!("WITH x AS (SELECT * FROM file('{secret}', 'LineAsString')) SELECT * FROM x"),
        format!("EXPLAIN SELECT (SELECT file('{secret}'))"),
        format!("DESCRIBE TABLE file('{secret}')"),
        "SELECT * FROM {f:Identifier}".to_owned(),
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')".to_owned(),
        "SELECT * FROM s3('http://127.0.0.1:1/a/b', 'CSV', 'a String')".to_owned(),
        "SELECT * FROM remote('127.0.0.1:1', 'system.one')".to_owned(),
        "SELECT * FROM executable('x', 'TSV', 'a String')".to_owned(),
        "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')".to_owned(),
        "SELECT * FROM merge('default', '.*')".to_owned(),
        format!("INSERT INTO FUNCTION file('{}') SELECT 1", out.display()),
        format!("SELECT 1 INTO OUTFILE '{}'", out.display()),
        "SELECT 1 PARALLEL WITH SELECT 2".to_owned(),
    ];
    let target = format!("/?param_f={}", secret.replace('/', "%2F"));
    for sql in &refused {
        let (status, code) = server.error(ANALYST, &target, sql);
        assert!(status == 403 || code == "164", "{sql}: {status} {code}");
    }
    assert_eq!(
        server.error(ANALYST, "/?readonly=0", "SELECT 1"),
        (403, "164".to_owned())
    );
    assert!(!out.exists());
    assert_eq!(server.sql("SELECT count() FROM t"), "0");
    // The same text is open to the owner, so the refusals above are the guard's doing.
    assert_eq!(
        server.sql(&format!("SELECT * FROM file('{secret}', 'LineAsString')")),
        "analyst-secret"
    );
}
