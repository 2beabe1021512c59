// What is taken for a message of the collector, and what is not.

import { describe, expect, it } from "vitest";
import { parse, parseTagged } from "./message";

const update = '{"seq":1,"type":"snapshot","data":{"rows":[]}}';

describe("parse", () => {
  it("takes updates and nothing else", () => {
    expect(parse(update)?.seq).toBe(1);
    for (const bad of ["", "null", "7", "{}", '{"seq":1,"type":"other","data":{}}', '{"seq":1,"type":"delta","data":null}']) {
      expect(parse(bad)).toBeUndefined();
    }
  });
});

describe("parseTagged", () => {
  it("takes updates and refusals with their number or address, and nothing else", () => {
    expect(parseTagged(`{"id":3,"update":${update}}`)).toMatchObject({ tag: 3, update: { seq: 1 } });
    expect(parseTagged(`{"watch":"/v1/live/pages","update":${update}}`)).toMatchObject({ tag: "/v1/live/pages" });
    expect(parseTagged('{"id":3,"error":{"status":404,"code":"not_found","message":"no"}}'))
      .toEqual({ tag: 3, error: { status: 404, message: "no" } });
    for (const bad of ["", "null", "7", update, `{"update":${update}}`, '{"id":3}', '{"id":3,"update":{}}', '{"id":3,"error":{"status":"404"}}']) {
      expect(parseTagged(bad)).toBeUndefined();
    }
  });
});
