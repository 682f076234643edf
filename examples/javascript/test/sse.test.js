// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { Parser } from "../src/sse.js";

test("A message is complete at its empty line, whatever the pieces it arrives in", () => {
  const text = "\uFEFFid: 7\nevent: call\ndata: {\"a\":1}\n\n: heartbeat\n\nid: 8\r\ndata: one\r\ndata:two\r\n\r\ndata: last\r\r";
  const whole = new Parser().feed(`${text}\n`);
  const parser = new Parser();
  const pieces = [...`${text}\n`].flatMap((character) => parser.feed(character));

  assert.deepEqual(pieces, whole);
  assert.deepEqual(whole, [
    { event: "call", data: '{"a":1}', id: "7" },
    { event: "message", data: "one\ntwo", id: "8" },
    { event: "message", data: "last", id: "8" },
  ]);
});

test("A heartbeat, an unknown field and an event without data are no messages; retry is heard", () => {
  const parser = new Parser();

  assert.deepEqual(parser.feed(": hello\nunknown: 1\nevent: call\nretry: 1500\nretry: soon\n\n"), []);
  assert.equal(parser.retryMs, 1500);
});

test("Characters that look like line ends in other standards do not end a line", () => {
  assert.equal(new Parser().feed("data: a\u2028b\u0085c\n\n")[0]?.data, "a\u2028b\u0085c");
});
