// The console's little script: pages come from the server, this keeps them as they are now.
// Regions (`data-region`) are replaced by the same page asked for again, when an event says that something changed.
"use strict";

const LOOK_MS = 700; // between two looks at most so often, however many events come
const LOST_MS = 5000;

const clockAhead = Number(document.body.dataset.now) - Date.now();
const live = document.getElementById("live-status");

// --- durations go on by themselves ---

function lengthOf(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor(seconds / 60) % 60)} min`;
}

function tick() {
  const now = Date.now() + clockAhead;
  for (const each of document.querySelectorAll("[data-since]")) {
    const text = lengthOf(now - Number(each.dataset.since));
    if (each.textContent !== text) each.textContent = text;
  }
}
setInterval(tick, 1000);

// --- regions ---

function put(region, fresh) {
  const held = document.activeElement;
  const key = region.contains(held) ? held.dataset.key || held.id : null;
  const spoken = region.querySelector(".spoken");
  const isAtEnd = spoken && spoken.scrollTop + spoken.clientHeight > spoken.scrollHeight - 40;
  const scrolled = spoken && spoken.scrollTop;
  region.replaceWith(fresh);
  if (key) {
    const same = fresh.querySelector(`[data-key="${CSS.escape(key)}"]`) || fresh.querySelector(`#${CSS.escape(key)}`);
    if (same) same.focus({ preventScroll: true });
  }
  const renewed = fresh.querySelector(".spoken");
  if (renewed) renewed.scrollTop = isAtEnd ? renewed.scrollHeight : scrolled;
}

async function look() {
  const answer = await fetch(location.href, { headers: { "X-Live": "1" }, redirect: "manual" });
  if (answer.type === "opaqueredirect" || answer.status === 404) return location.reload();
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const region of document.querySelectorAll("[data-region]")) {
    const fresh = page.getElementById(region.id);
    const isAsking = region.querySelector("dialog[open]");
    if (fresh && !isAsking && !fresh.isEqualNode(region)) put(region, document.adoptNode(fresh));
  }
  tick();
}

let isLooking = false;
let isStale = false;

async function refresh() {
  isStale = true;
  if (isLooking) return;
  isLooking = true;
  while (isStale && !document.hidden) {
    isStale = false;
    await look().catch(() => {});
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
  isLooking = false;
}

document.addEventListener("visibilitychange", () => isStale && refresh());

// --- events ---

function say(text, kind) {
  live.textContent = text;
  live.className = `live-dot ${kind}`;
}

function follow(what) {
  let lost = null;
  const source = new EventSource(`/console/live?of=${encodeURIComponent(what)}`);
  source.addEventListener("open", () => {
    clearTimeout(lost);
    lost = null;
    say("Live", "on");
    refresh(); // what was missed meanwhile
  });
  source.addEventListener("change", refresh);
  source.addEventListener("error", () => {
    lost ??= setTimeout(() => say("Not live", "off"), LOST_MS);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow(what), LOST_MS);
  });
  addEventListener("pagehide", () => source.close());
}

if (document.body.dataset.live) follow(document.body.dataset.live);

// --- questions before something is done ---

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
  if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();
});

document.addEventListener("submit", (event) => {
  for (const button of event.target.querySelectorAll("button")) setTimeout(() => (button.disabled = true));
});

// --- filters ---

const filter = document.querySelector("form[data-filter]");
if (filter) {
  for (const choice of filter.querySelectorAll("select")) choice.addEventListener("change", () => filter.requestSubmit());
  filter.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (!value || (name === "sort" && value === "need")) event.formData.delete(name);
  });
}

// --- what was done is said once ---

if (document.querySelector("[data-done]")) {
  const here = new URL(location.href);
  here.searchParams.delete("done");
  history.replaceState(null, "", here);
}
const spoken = document.querySelector(".spoken");
if (spoken) spoken.scrollTop = spoken.scrollHeight;
