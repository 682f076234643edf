// @ts-check
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Desktop, isOnHold, isWaiting, transcriptionOf } from "../src/index.js";
import { FakeService, MemoryStorage, SID, TOKEN, eventually, refuse } from "../testing/fake-service.js";

/** @type {FakeService} */
let service;
/** @type {Desktop[]} */
let desktops;

beforeEach(async () => {
  service = await new FakeService().start();
  desktops = [];
});

afterEach(async () => {
  for (const desktop of desktops) desktop.close();
  await service.stop();
});

/** @param {Partial<import("../src/types.js").Options>} [options] */
function desktop(options) {
  const made = new Desktop({
    baseUrl: /** @type {string} */ (service.url),
    getToken: () => TOKEN,
    storage: null,
    retry: { firstMs: 5, mostMs: 20 },
    silenceMs: 1000,
    timeoutMs: 1000,
    ...options,
  });
  desktops.push(made);
  return made;
}

const live = (/** @type {import("../src/types.js").View} */ view) => view.connection === "live";
const types = () => service.counted.map((event) => event.type);

test("A call is shown as the service tells it, and changes when the service says so", async () => {
  const call = desktop().call(SID);
  assert.equal(transcriptionOf(call.view), "unknown");
  call.subscribe(() => {});
  await call.until(live);
  assert.equal(transcriptionOf(call.view), "on");

  service.change({ transcription: { state: "off" }, pauses: [{ reason: "hold:desktop" }] });
  await call.until((view) => transcriptionOf(view) === "off");
  assert.ok(isOnHold(call.view));
});

test("A long transcript so far is told in a few pieces, not word by word", async () => {
  for (let second = 0; second < 1200; second++) {
    const start = new Date(Date.UTC(2026, 0, 1) + 1000 * second).toISOString();
    service.tell("utterance", { text: `word ${second}`, role: "agent", start });
  }
  const call = desktop().call(SID);
  let told = 0;
  call.subscribe(() => told++);
  await call.until((view) => live(view) && view.utterances.length === 1200);
  assert.ok(told < 120, `told ${told} times`);
});

test("A hold that was only reported shows as waiting, never as off", async () => {
  const call = desktop().call(SID);
  call.subscribe(() => {});
  await call.until(live);
  /** @type {(() => void)} */
  let go = () => {};
  service.faults.push((_, answer) => {
    go = () => refuse(answer, 503, "store-unavailable");
    return true;
  });

  const held = call.hold();
  await eventually(() => isWaiting(call.view, "hold"), "the hold waits");
  assert.equal(transcriptionOf(call.view), "on");
  await eventually(() => service.faults.length === 0, "the service has the request");
  go();
  await held;
  assert.equal(transcriptionOf(call.view), "on");
  assert.ok(!isWaiting(call.view, "hold"));
});

test("Nothing is known to be off while the service is not heard", async () => {
  const call = desktop({ retry: { firstMs: 600_000, mostMs: 600_000 } }).call(SID);
  service.call.transcription = { state: "off" };
  call.subscribe(() => {});
  await call.until((view) => transcriptionOf(view) === "off");

  service.cut();
  await call.until((view) => view.connection === "offline");
  assert.equal(transcriptionOf(call.view), "unknown");
});

test("A broken stream is resumed after the last event that was seen", async () => {
  const call = desktop().call(SID);
  call.subscribe(() => {});
  await call.until(live);
  service.tell("utterance", { text: "good morning", role: "agent", start: "2026-01-01T00:00:01.000Z" });
  await call.until((view) => view.utterances.length === 1);
  service.isTelling = false;
  service.tell("utterance", { text: "good day", role: "customer", start: "2026-01-01T00:00:02.000Z" });
  service.isTelling = true;
  service.cut();

  await call.until((view) => view.utterances.length === 2 && live(view));
  assert.deepEqual(service.resumed, ["", "1"]);
  assert.deepEqual(call.view.utterances.map((each) => each.text), ["good morning", "good day"]);
});

test("A stream that has fallen silent counts as lost and is opened anew", async () => {
  const call = desktop({ silenceMs: 60 }).call(SID);
  /** @type {string[]} */
  const seen = [];
  call.subscribe((view) => seen.push(view.connection));
  await eventually(() => service.resumed.length >= 2, "a second subscription");
  await eventually(() => seen.filter((each) => each === "live").length >= 2, "live again");
  assert.ok(seen.includes("offline"));
});

test("When the service has lost our place the present replaces what was known, even if versions begin anew", async () => {
  const call = desktop().call(SID);
  service.call.version = 40;
  call.subscribe(() => {});
  await call.until(live);
  service.change({ state: "paused" });
  await call.until((view) => view.call?.state === "paused");

  service.call = { ...service.call, version: 1, state: "waiting" };
  service.isForgetful = true;
  service.cut();
  await call.until((view) => view.call?.state === "waiting" && live(view));
});

test("A heartbeat moves the place on, so that nothing is told twice", async () => {
  const call = desktop().call(SID);
  call.subscribe(() => {});
  await call.until(live);
  service.isTelling = false;
  service.tell("call", service.call); // of another call, say
  service.beat();
  await new Promise((resolve) => setTimeout(resolve, 50));
  service.cut();
  await eventually(() => service.resumed.length === 2, "resumed");
  assert.deepEqual(service.resumed, ["", "1"]);
});

test("A call that was erased is known no longer", async () => {
  const call = desktop().call(SID);
  call.subscribe(() => {});
  await call.until(live);
  service.tell("gone", { call_sid: SID });
  await call.until((view) => view.call === null);
  assert.equal(transcriptionOf(call.view), "unknown");
});

test("An answer that is older than what is known changes nothing", async () => {
  const call = desktop().call(SID);
  call.subscribe(() => {});
  await call.until(live);
  service.change({ state: "paused" });
  service.change({ state: "transcribing" });
  await call.until((view) => view.call?.version === 3);
  service.faults.push((_, answer) => {
    answer.writeHead(202).end(JSON.stringify({ ...service.call, version: 2, state: "paused" }));
    return true;
  });

  await call.hold();
  assert.equal(call.view.call?.state, "transcribing");
});

test("Events reported while offline are sent afterwards, once each and in order", async () => {
  let isOffline = true;
  const call = desktop({
    fetch: (...given) => (isOffline ? Promise.reject(new TypeError("offline")) : fetch(...given)),
  }).call(SID);

  const sent = [call.hold(), call.pause("payment"), call.unhold(), call.resume("payment")];
  await eventually(() => call.view.trouble?.slug === "unreachable", "the trouble shows");
  assert.deepEqual(call.view.waiting.map((event) => event.type), ["hold", "pause", "unhold", "resume"]);
  isOffline = false;
  await Promise.all(sent);

  assert.deepEqual(types(), ["hold", "pause", "unhold", "resume"]);
  const sequences = service.counted.map((event) => event.sequence);
  assert.deepEqual(sequences, [...new Set(sequences)].sort((a, b) => a - b));
  assert.equal(call.view.waiting.length, 0);
});

test("An event whose answer was lost is sent again under the same id and counts once", async () => {
  const call = desktop().call(SID);
  service.faults.push((_, answer) => {
    answer.end = /** @type {any} */ (() => answer.destroy()); // it takes effect, only nobody is told
    return false;
  });

  await call.hold();
  assert.equal(service.arrived.length, 2);
  assert.equal(service.arrived[0].event_id, service.arrived[1].event_id);
  assert.deepEqual(types(), ["hold"]);
});

test("Events that wait outlive the page", async () => {
  const storage = new MemoryStorage();
  const before = desktop({ storage, fetch: () => Promise.reject(new TypeError("offline")) });
  const held = before.call(SID).hold();
  held.catch(() => {});
  await eventually(() => before.call(SID).view.trouble !== null, "a first attempt");
  before.close();
  await assert.rejects(held, { slug: "closed" });

  const after = desktop({ storage });
  assert.ok(isWaiting(after.call(SID).view, "hold"));
  await eventually(() => service.counted.length === 1, "the hold was sent");
  await eventually(() => storage.length === 0, "nothing is left to send");
  assert.equal(service.arrived.length, 1);
});

test("A command that waited too long is not sent, what follows it is", async () => {
  const storage = new MemoryStorage();
  const event = { type: "survey-transfer", event_id: "old", sequence: 1, occurred_at: "2026-01-01T00:00:00.000Z" };
  storage.setItem("orchestrator-outbox", JSON.stringify([{ callSid: SID, event, until: Date.now() - 1 }]));
  const call = desktop({ storage }).call(SID);

  await call.hold();
  assert.deepEqual(types(), ["hold"]);
});

test("What the service refuses is given back, and does not hold up what follows", async () => {
  const call = desktop().call(SID);
  service.faults.push((_, answer) => refuse(answer, 400, "invalid-event"));

  const [pause, hold] = await Promise.allSettled([call.pause("payment"), call.hold()]);
  assert.equal(pause.status === "rejected" && pause.reason.slug, "invalid-event");
  assert.equal(hold.status, "fulfilled");
  assert.deepEqual(types(), ["hold"]);
});

test("The service's Retry-After is kept", async () => {
  const call = desktop().call(SID);
  service.faults.push((_, answer) => {
    answer.writeHead(429, { "Retry-After": "1" }).end();
    return true;
  });
  const began = Date.now();

  await call.hold();
  assert.ok(Date.now() - began >= 1000);
});

test("A token is asked for once for all who need one, and anew when it is refused", async () => {
  const given = ["fake-old-token", TOKEN];
  let asked = 0;
  const retry = { firstMs: 600_000, mostMs: 600_000 }; // nothing waits for another try
  const client = desktop({ retry, getToken: async () => /** @type {string} */ (given[asked++]) });
  service.tokens = new Set(["fake-old-token", TOKEN]);
  await Promise.all([client.call(SID).hold(), client.call(SID).until(live)]);
  assert.equal(asked, 1);

  service.tokens.delete("fake-old-token");
  await client.call(SID).unhold();
  assert.equal(asked, 2);
  assert.deepEqual(types(), ["hold", "unhold"]);
});

test("Each call has a token of its own", async () => {
  /** @type {string[]} */
  const asked = [];
  const client = desktop({ getToken: (callSid) => (asked.push(callSid), TOKEN) });
  const other = SID.replaceAll("1", "2");
  await client.call(SID).hold();
  await assert.rejects(client.call(other).hold(), { slug: "no-such-call" });
  await client.call(SID).unhold();
  assert.deepEqual(asked, [SID, other]);
});

test("A token is renewed before it expires", async () => {
  let asked = 0;
  const expires_at = new Date(Date.now() + 10_000).toISOString();
  const call = desktop({ getToken: () => (asked++, { token: TOKEN, expires_at }) }).call(SID);

  await call.hold();
  await call.unhold();
  assert.equal(asked, 2);
});

test("Without a token an event waits, for a hold must not be lost to a sign-in that failed", async () => {
  let isSignedIn = false;
  const call = desktop({ getToken: () => (isSignedIn ? TOKEN : Promise.reject(new Error("signed out"))) }).call(SID);

  const held = call.hold();
  await eventually(() => call.view.trouble?.slug === "no-token", "the trouble shows");
  isSignedIn = true;
  await held;
  assert.deepEqual(types(), ["hold"]);
});

test("A call is followed only while somebody listens", async () => {
  const call = desktop().call(SID);
  const first = call.subscribe(() => {});
  const second = call.subscribe(() => {});
  await call.until(live);
  assert.equal(service.listening, 1);
  first();
  assert.equal(service.listening, 1);
  second();
  await eventually(() => service.listening === 0, "the subscription ended");
  assert.equal(call.view.connection, "closed");
});

test("A key that may not follow calls is refused for good", async () => {
  const call = desktop().call(SID);
  service.faults.push((_, answer) => refuse(answer, 403, "forbidden"));
  call.subscribe(() => {});
  await call.until((view) => view.connection === "refused");
  assert.equal(call.view.trouble?.slug, "forbidden");
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(call.view.connection, "refused");
  assert.equal(service.resumed.length, 0);
});

test("A call that is followed again later shows the present, each word once", async () => {
  const call = desktop().call(SID);
  service.call.version = 40;
  service.tell("utterance", { text: "good morning", role: "agent", start: "2026-01-01T00:00:01.000Z" });
  await call.until((view) => live(view) && view.utterances.length === 1);
  await eventually(() => service.listening === 0, "not followed any more");

  service.call = { ...service.call, version: 1, state: "paused" };
  await call.until((view) => live(view) && view.call?.state === "paused");
  assert.equal(call.view.utterances.length, 1);
});

test("When the stream is back, what waits for its next try is sent at once", async () => {
  const call = desktop({ retry: { firstMs: 600_000, mostMs: 600_000 } }).call(SID);
  service.faults.push((_, answer) => refuse(answer, 503, "store-unavailable"));
  const held = call.hold();
  await eventually(() => call.view.trouble !== null, "the first attempt failed");
  call.subscribe(() => {});
  await held;
  assert.deepEqual(types(), ["hold"]);
});
