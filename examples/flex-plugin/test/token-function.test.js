// @ts-check
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const CONTEXT = { ORCHESTRATOR_URL: "https://calls.example.com", ORCHESTRATOR_KEY: "fake-desktop-key" };

const WORKER = { valid: true, identity: "amy", worker_sid: `WK${"1".repeat(32)}`, roles: ["agent"] };

/**
 * Run the Function as Twilio does, for a Flex token that is valid.
 *
 * @param {(url: string, init: any) => Promise<any>} fetch
 * @param {object} [TokenResult]
 */
async function run(fetch, TokenResult = WORKER) {
  const source = readFileSync("serverless/functions/orchestrator-token.js", "utf8");
  const exported = { handler: async (/** @type {any[]} */ ..._) => {} };
  class Answer {
    status = 200;
    body = "";
    /** @type {Record<string, string>} */
    headers = {};
    appendHeader = (/** @type {string} */ name, /** @type {string} */ value) => void (this.headers[name] = value);
    setStatusCode = (/** @type {number} */ status) => void (this.status = status);
    setBody = (/** @type {string} */ body) => void (this.body = body);
  }
  const require = () => ({ functionValidator: (/** @type {any} */ handler) => handler });
  new Function("require", "exports", "Twilio", "fetch", "console", source)(
    require, exported, { Response: Answer }, fetch, { error: () => {} },
  );
  /** @type {Answer | undefined} */
  let answer;
  const event = { Token: "fake-flex-token", CallSid: "CA1", TokenResult };
  await exported.handler(CONTEXT, event, (/** @type {unknown} */ _, /** @type {Answer} */ given) => (answer = given));
  assert.ok(answer);
  return answer;
}

test("The Function hands on a short-lived token for the agent and the call, and keeps the key to itself", async () => {
  /** @type {any[]} */
  const asked = [];
  const token = '{"token":"fake-short","expires_at":"2026-01-01T00:10:00.000Z"}';
  const answer = await run(async (url, init) => (asked.push(url, init), { status: 201, text: async () => token }));

  assert.equal(asked[0], "https://calls.example.com/api/v1/tokens");
  assert.equal(asked[1].headers.Authorization, "Bearer fake-desktop-key");
  assert.deepEqual(JSON.parse(asked[1].body), { agent_id: "amy", call_sid: "CA1" });
  assert.equal(answer.status, 201);
  assert.equal(answer.body, token);
  assert.ok(!JSON.stringify(answer).includes("fake-desktop-key"));
  assert.equal(answer.headers["Cache-Control"], "no-store");
});

test("A service that is away is told as such", async () => {
  const answer = await run(() => Promise.reject(new TypeError("away")));
  assert.equal(answer.status, 502);
});

test("A guest of a web chat, whose Flex token is valid as well, gets none", async () => {
  const guest = { valid: true, identity: "guest", roles: ["guest"] };
  const answer = await run(() => assert.fail("nobody is asked"), guest);
  assert.equal(answer.status, 403);
});
