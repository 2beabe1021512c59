"""clickhouse-connect against the embedded server: exits with 0 when every assertion held."""

import os
from datetime import datetime, timedelta, timezone
from urllib.parse import urlparse

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError

URL = urlparse(os.environ["CLICKHOUSE_URL"])
PASSWORD = os.environ["CLICKHOUSE_PASSWORD"]
ROWS = 100_000
START = datetime(2024, 1, 1, tzinfo=timezone.utc)


def connect(password=PASSWORD, **options):
    return clickhouse_connect.get_client(
        host=URL.hostname, port=URL.port, username="default", password=password, **options
    )


for compress in (False, "lz4", "zstd", "gzip", True):
    client = connect(compress=compress)
    table = f"t_{str(compress).lower()}"
    client.command(f"CREATE TABLE {table} (a UInt64, s String, at DateTime64(3, 'UTC'), n Nullable(Float64)) ENGINE = MergeTree ORDER BY a")
    rows = [[a, f"row;\0{a}", START + timedelta(milliseconds=a), None if a % 2 else a / 2] for a in range(ROWS)]
    summary = client.insert(table, rows, column_names=["a", "s", "at", "n"])
    assert summary.written_rows == ROWS, (compress, summary.summary)
    back = client.query(f"SELECT a, s, n FROM {table} ORDER BY a")
    assert back.result_rows == [(a, f"row;\0{a}", None if a % 2 else a / 2) for a in range(ROWS)]
    bound = client.query(
        "SELECT {s:String}, {n:Array(UInt8)}, {d:DateTime}",
        parameters={"s": "it's\t\\;", "n": [1, 2], "d": "2024-01-01 00:00:00"},
    )
    assert bound.result_rows[0][:2] == ("it's\t\\;", [1, 2]), bound.result_rows
    assert client.command("SELECT count() FROM {t:Identifier}", parameters={"t": table}) == ROWS
    with client.query_rows_stream("SELECT number FROM numbers(500000)") as stream:
        assert sum(row[0] for row in stream) == 500000 * 499999 // 2
    try:
        client.query("SELECT * FROM nosuch")
        raise AssertionError("a missing table must be an error")
    except ClickHouseError as error:
        assert "60" in str(error) and "nosuch" in str(error), error
    client.close()

try:
    connect(password="wrong")
    raise AssertionError("a wrong password must be refused")
except ClickHouseError as error:
    assert "516" in str(error) or "Authentication" in str(error), error

print("all held")
