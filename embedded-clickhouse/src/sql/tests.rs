//! Statements as clients really send them, and what must be made of them.

use super::*;
use proptest::prelude::*;

fn insert(statement: &str, format: Option<&'static str>, data: &'static [u8]) -> Shape<'static> {
    Shape::Insert {
        statement: statement.to_owned(),
        format,
        data,
    }
}

fn query(statement: &'static str, format: Option<&'static str>, select: bool) -> Shape<'static> {
    Shape::Query {
        statement,
        format,
        select,
    }
}

fn check(text: &'static str, expected: Shape<'static>) {
    assert_eq!(shape(text.as_bytes()).unwrap(), expected, "{text}");
}

#[test]
fn an_insert_is_cut_where_its_data_begins() {
    check(
        "INSERT INTO t FORMAT CSV\n1;2",
        insert("INSERT INTO t ", Some("CSV"), b"1;2"),
    );
    check(
        "insert into t(a, b) format RowBinary ;\0x",
        insert("insert into t(a, b) ", Some("RowBinary"), b";\0x"),
    );
    check(
        "INSERT INTO t FORMAT RowBinary;",
        insert("INSERT INTO t ", Some("RowBinary"), b""),
    );
    check(
        "INSERT INTO `a b`.\"t;\" (x) SETTINGS a=1 FORMAT JSONEachRow\r\n\n{}",
        insert(
            "INSERT INTO `a b`.\"t;\" (x) SETTINGS a=1 ",
            Some("JSONEachRow"),
            b"\n{}",
        ),
    );
    check(
        "INSERT INTO t FORMAT CSV SETTINGS a = -1, b='x'\n1,2",
        insert("INSERT INTO t SETTINGS a = -1, b='x'", Some("CSV"), b"1,2"),
    );
    check("INSERT INTO t (a)", insert("INSERT INTO t (a)", None, b""));
    check(
        "INSERT INTO t VALUES",
        insert("INSERT INTO t ", Some("Values"), b""),
    );
    check(
        "/* c */ INSERT INTO format FORMAT TSV 1",
        insert("/* c */ INSERT INTO format ", Some("TSV"), b"1"),
    );
}

#[test]
fn an_insert_that_brings_its_own_rows_is_a_query() {
    check(
        "INSERT INTO t VALUES (1, 'a;b');",
        query("INSERT INTO t VALUES (1, 'a;b')", None, false),
    );
    check(
        "INSERT INTO t (a) SELECT 1",
        query("INSERT INTO t (a) SELECT 1", None, false),
    );
    check(
        "INSERT INTO t (SELECT 1)",
        query("INSERT INTO t (SELECT 1)", None, false),
    );
    check(
        "INSERT INTO t WITH 1 AS x SELECT x",
        query("INSERT INTO t WITH 1 AS x SELECT x", None, false),
    );
}

#[test]
fn the_output_format_is_the_clause_and_not_a_column_of_that_name() {
    check(
        "SELECT 1 FORMAT JSON",
        query("SELECT 1 FORMAT JSON", Some("JSON"), true),
    );
    check(
        "SELECT 1 format CSV SETTINGS x=1;",
        query("SELECT 1 format CSV SETTINGS x=1", Some("CSV"), true),
    );
    check(
        "SELECT format FROM t",
        query("SELECT format FROM t", None, true),
    );
    check(
        "SELECT (SELECT 1 FORMAT x)",
        query("SELECT (SELECT 1 FORMAT x)", None, true),
    );
    check(
        "(SELECT 'FORMAT CSV')",
        query("(SELECT 'FORMAT CSV')", None, true),
    );
    check(
        "SHOW TABLES FORMAT TSV",
        query("SHOW TABLES FORMAT TSV", Some("TSV"), false),
    );
    check(
        "CREATE TABLE t (a UInt8) -- ;x\n",
        query("CREATE TABLE t (a UInt8) -- ;x\n", None, false),
    );
}

#[test]
fn one_statement_a_request() {
    assert_eq!(
        shape(b"SELECT 1; SELECT 2"),
        Err(ShapeError::MultipleStatements(11))
    );
    assert_eq!(shape(b" -- nothing\n"), Ok(Shape::Empty));
    assert_eq!(shape(b" ; "), Ok(Shape::Empty));
    check("SELECT 1;; -- end", query("SELECT 1", None, true));
    assert_eq!(shape(b"SELECT '\xff'"), Err(ShapeError::NotText));
}

proptest! {
    #[test]
    fn any_text_has_a_shape_or_an_error(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = shape(&text);
    }

    #[test]
    fn data_of_any_bytes_survives(data in proptest::collection::vec(any::<u8>(), 1..200)) {
        let mut text = b"INSERT INTO t (a) FORMAT RowBinary\n".to_vec();
        text.extend_from_slice(&data);
        prop_assume!(data.trim_ascii() != b";");
        match shape(&text).unwrap() {
            Shape::Insert { data: found, .. } => prop_assert_eq!(found, &data[..]),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
