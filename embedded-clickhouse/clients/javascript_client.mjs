// @clickhouse/client against the embedded server: exits with 0 when every assertion held.

import assert from "node:assert/strict";
import { createClient } from "@clickhouse/client";

const url = process.env.CLICKHOUSE_URL;
const password = process.env.CLICKHOUSE_PASSWORD;
const ROWS = 100_000;

for (const compression of [{}, { request: true, response: true }]) {
  const client = createClient({ url, username: "default", password, compression });
  assert.equal((await client.ping()).success, true);
  const table = compression.request ? "packed" : "plain";
  await client.command({
    query: `CREATE TABLE ${table} (a UInt64, s String) ENGINE = MergeTree ORDER BY a`,
  });
  const values = Array.from({ length: ROWS }, (_, a) => ({ a, s: `row;\0${a}` }));
  const inserted = await client.insert({ table, values, format: "JSONEachRow" });
  assert.equal(inserted.summary.written_rows, String(ROWS));
  const back = await client.query({
    query: `SELECT count() AS c, sum(a) AS total FROM ${table} WHERE s = concat('row;\\0', toString(a))`,
    format: "JSONEachRow",
  });
  const [{ c, total }] = await back.json();
  assert.equal(Number(c), ROWS);
  assert.equal(Number(total), (ROWS * (ROWS - 1)) / 2);
  const bound = await client.query({
    query: "SELECT {s:String} AS s, {n:Array(UInt8)} AS n",
    query_params: { s: "it's\t\\;", n: [1, 2] },
  });
  assert.deepEqual((await bound.json()).data, [{ s: "it's\t\\;", n: [1, 2] }]);
  const stream = (await client.query({ query: "SELECT number FROM numbers(300000)", format: "JSONCompactEachRow" })).stream();
  let streamed = 0;
  for await (const rows of stream) streamed += rows.length;
  assert.equal(streamed, 300_000);
  await assert.rejects(client.query({ query: "SELECT * FROM nosuch" }), { code: "60", type: "UNKNOWN_TABLE" });
  await client.close();
}

const stranger = createClient({ url, username: "default", password: "wrong" });
await assert.rejects(stranger.query({ query: "SELECT 1" }), { code: "516" });
await stranger.close();
console.log("all held");
