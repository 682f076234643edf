"""What became of one call, asked of everybody who knows: ASAPP, Twilio, the API, the archive, the store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from http import HTTPStatus
from itertools import pairwise
from math import inf
from typing import Any

from orchestrator.emulators.scenario import Played
from tests.e2e.harness import Json, Site
from tests.e2e.processes import poll

START, STOP = "start-streaming", "stop-streaming"
SETTLES_S = 8.0
ARCHIVED_S = 30.0
"""A second look at ASAPP's list follows 10 s after the first; the contract gives it 90 s."""
PAUSE_TO_OFF_S = 0.5
ANSWER_S = 0.06
"""What a stop-streaming that has arrived may take until it counts, and two frames on their way."""


class CallSeen:
    """One call of a site, looked at from outside."""

    def __init__(self, site: Site, call_sid: str) -> None:
        self.site, self.sid = site, call_sid

    # --- ASAPP's side ---------------------------------------------------------------------------------------------

    def asapp(self) -> Json:
        return dict(self.site.asapp(f"calls/{self.sid}"))

    def was_forked(self) -> bool:
        """Whether any media stream of the call ever reached ASAPP."""
        return any(row["guid"] == self.sid for row in self.site.asapp("calls"))

    def sessions(self) -> list[Json]:
        """The stretches of transcription as ASAPP had them, each with the agent it was told."""
        return list(self.asapp()["sessions"])

    def told_agents(self) -> list[str]:
        """The `agentId` of each stretch."""
        return [session["agent_id"] for session in self.sessions()]

    def heard_ms(self) -> dict[str, float]:
        """Emulated milliseconds of audio by kind that arrived while ASAPP was transcribing."""
        return {kind: float(ms) for kind, ms in self.asapp()["heard_ms"].items() if ms}

    def received_ms(self) -> dict[str, float]:
        """The same for all audio that reached ASAPP, transcribed or not."""
        return {kind: float(ms) for kind, ms in self.asapp()["received_ms"].items() if ms}

    def requests(self, operation: str) -> list[Json]:
        """Requests about this call that ASAPP received, in their order."""
        rows = self.site.asapp("requests", guid=self.sid)
        return sorted((row for row in rows if row["path"].rstrip("/").endswith(operation)), key=lambda row: row["at"])

    def accepted(self, operation: str) -> list[Json]:
        """Those of them that ASAPP did; a start too early for it (400-203) is refused and sent again."""
        return [row for row in self.requests(operation) if row["status"] == HTTPStatus.OK]

    def order(self) -> list[str]:
        """Starts and stops as ASAPP did them."""
        rows = [(row["at"], name) for name in (START, STOP) for row in self.accepted(name)]
        return [name for _, name in sorted(rows)]

    def hold_sound(self) -> str:
        """The kind of audio that a held customer hears at this site."""
        return "silence" if self.site.switched.twilio.get("hold-without-url") == "silence" else "hold-music"

    # --- Twilio's side --------------------------------------------------------------------------------------------

    def twilio(self) -> Json:
        return dict(self.site.twilio(f"calls/{self.sid}"))

    def streams(self) -> list[Json]:
        return list(self.twilio()["streams"])

    def created_streams(self) -> list[Json]:
        """Streams asked for by REST."""
        rows = self.site.twilio("requests", method="POST")
        return [row for row in rows if row["path"].endswith(f"/Calls/{self.sid}/Streams.json")]

    def deliveries(self, kind: str) -> list[Json]:
        return [row for row in self.site.twilio("deliveries", kind=kind) if row["params"].get("CallSid") == self.sid]

    # --- our side -------------------------------------------------------------------------------------------------

    def api(self) -> Json:
        return dict(self.site.api(f"/calls/{self.sid}"))

    def report(self, kind: str, **more: object) -> Json:
        return dict(self.site.api(f"/calls/{self.sid}/events", {"type": kind, **more}))

    def timeline(self) -> list[Json]:
        return list(self.site.api(f"/calls/{self.sid}/timeline")["entries"])

    def transcript(self) -> Json:
        return dict(self.site.api(f"/calls/{self.sid}/transcript"))

    def archived(self) -> Json | None:
        found = list((self.site.folder / "archive").rglob(f"{self.sid}.json"))
        return dict(json.loads(found[0].read_text())) if found else None


class Looks:
    """What ASAPP had heard of a call when each sentence began: an `on_step` of `Site.play`."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seen: list[tuple[str, dict[str, float]]] = []

    def __call__(self, call_sid: str, sentence: str) -> None:
        call = CallSeen(self._site, call_sid)
        self._seen.append((sentence, call.heard_ms() if call_sid and call.was_forked() else {}))

    def before(self, sentence: str) -> dict[str, float]:
        """All that was heard until the sentence was first played."""
        return self._seen[self._index(sentence)][1]

    def between(self, first: str, last: str) -> dict[str, float]:
        """What was heard from the end of one sentence's first playing to the beginning of a later one."""
        begin = self._index(first) + 1
        earlier, later = self._seen[begin][1], self._seen[self._index(last, begin)][1]
        return {kind: ms - earlier.get(kind, 0.0) for kind, ms in later.items() if ms > earlier.get(kind, 0.0)}

    def _index(self, sentence: str, start: int = 0) -> int:
        return next(n for n in range(start, len(self._seen)) if self._seen[n][0] == sentence)


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def assert_state(call: CallSeen, state: str, within_s: float = SETTLES_S) -> None:
    poll(lambda: call.api()["state"] == state, within_s, f"{call.sid} is {state}, now {call.api()}")


def assert_heard_only(call: CallSeen, *allowed: str) -> None:
    """Nothing but these kinds (and the silence between words) was transcribed."""
    others = {kind: ms for kind, ms in call.heard_ms().items() if kind not in {*allowed, "silence"}}
    assert not others, f"heard besides {allowed}: {others} ms"


def assert_heard(call: CallSeen, *kinds: str) -> None:
    heard = call.heard_ms()
    assert set(heard) >= set(kinds), f"heard: {heard}"


def assert_unheard_but_received(call: CallSeen, *kinds: str) -> None:
    """The audio was there and not transcribed: otherwise its absence would prove nothing."""
    received, heard = call.received_ms(), call.heard_ms()
    for kind in kinds:
        assert received.get(kind, 0) > 0, f"{kind} reached ASAPP: {received}"
        assert heard.get(kind, 0) == 0, f"{kind} heard for {heard.get(kind)} ms"


def assert_stop_before_start(call: CallSeen) -> None:
    """No stretch began while another was on: each of ASAPP's sessions ended before the next one's start."""
    sessions = call.sessions()
    for earlier, later in pairwise(sessions):
        assert earlier["stopped_at"] is not None, f"a stretch that never ended: {sessions}"
        assert earlier["stopped_at"] <= later["started_at"]
    asked = [row["at"] for row in call.requests(STOP)]
    for earlier, later in pairwise(call.accepted(START)):
        assert any(earlier["at"] < at < later["at"] for at in asked), f"a start without a stop before it: {sessions}"


def assert_labelled(call: CallSeen, *kinds: str) -> None:
    """Whose words were heard is what they are labelled as, at ASAPP and in the archive."""
    roles = {(row["kind"], row["role"]) for row in call.asapp()["heard_text"]}
    expected = {("customer-speech", "customer"), ("agent-speech", "agent")}
    found = {pair for pair in roles if pair[0] in {"customer-speech", "agent-speech"}}
    assert found <= expected, f"words under a wrong label: {found - expected}"
    assert {kind for kind, _ in found} >= set(kinds), f"heard: {found}"


def assert_segments(document: Json, *agents: str) -> None:
    """One segment for each stretch, with its agent, and every word of an agent's under the segment's name."""
    assert [segment["agent_id"] for segment in document["segments"]] == list(agents)
    for utterance in document["utterances"]:
        if utterance["role"] == "agent":
            assert utterance["agent_id"] == agents[utterance["segment"]], utterance


def assert_ended_clean(call: CallSeen) -> None:
    """Off at ASAPP, no stream anywhere, state `ended`, and nothing left to do."""
    assert_state(call, "ended")
    poll(lambda: not call.asapp()["transcribing"], SETTLES_S, f"transcription is off: {call.asapp()}")
    poll(lambda: all(s["state"] != "live" for s in call.streams()), SETTLES_S, f"no stream lives: {call.streams()}")
    poll(lambda: call.api()["transcription"]["state"] == "off", SETTLES_S, "known to be off")
    poll(lambda: call.site.is_idle(call.sid), SETTLES_S, f"nothing is due: {call.timeline()[-3:]}")
    assert call.api()["problem"] is None, call.api()["problem"]


def assert_archived_complete(call: CallSeen) -> Json:
    """The archive has the transcript, complete, and it is what ASAPP said, with its roles."""
    document = poll(
        lambda: document if (document := call.archived()) and document["complete"] else None,
        ARCHIVED_S,
        f"archived complete: {(call.archived() or {}).get('complete', 'not there')}",
    )
    said = texts(call.asapp()["heard_text"])
    assert said, "ASAPP transcribed something"
    kept = texts(document["utterances"])
    assert kept == said, f"missing {said - kept}, more {kept - said}, kept out {document.get('quarantined')}"
    assert texts(call.transcript()["utterances"]) == said
    return document


def texts(rows: Iterable[Json]) -> Counter[tuple[Any, Any]]:
    """Who said what, and how often."""
    return Counter((row["role"], row["text"]) for row in rows)


def failures(document: Json) -> list[Json]:
    """The gaps with a failure behind them: the moments of an ordinary start are none."""
    return [gap for gap in document["gaps"] if gap["reason"] != "starting"]


def pause_to_off_s(call: CallSeen) -> list[float]:
    """How long each stop took by our own timeline: from the event before its intent to ASAPP's confirmation."""
    spans: list[float] = []
    wanted_off_at: str | None = None
    before = ""
    for entry in call.timeline():
        state = entry["state"].get("transcription")
        if state == "stopping" and wanted_off_at is None:
            wanted_off_at = before
        elif state == "off" and wanted_off_at is not None:
            spans.append(seconds(entry["at"]) - seconds(wanted_off_at))
            wanted_off_at = None
        before = entry["at"]
    return spans


def assert_hold_music_bounded(call: CallSeen, played: Played, *, holds: int) -> None:
    """Each hold was off within half a second, and hold music was heard no longer than that took."""
    spans = pause_to_off_s(call)
    assert len(spans) >= holds, f"a stop for each hold: {spans}"
    assert max(spans) < PAUSE_TO_OFF_S, f"pause to off: {spans}"
    assert_heard_at_most(call, "hold-music", [s.began for s in played.steps if s.sentence == "customer is held"])
    sound = call.hold_sound()
    assert call.received_ms()[sound] > call.heard_ms().get(sound, 0) + 5000, "the holds were long enough to show it"


def assert_heard_at_most(call: CallSeen, kind: str, since: list[float]) -> None:
    """Audio of a kind was heard, from each of these moments on, only until a stop counted or the stream ended."""
    stops = [row["at"] for row in call.requests(STOP)] + [each["closed_at"] or inf for each in call.asapp()["streams"]]
    on_their_way_s = sum(min(at for at in stops if at > began) - began for began in since)
    most_ms = 1000 * call.site.speed * (on_their_way_s + len(since) * ANSWER_S)
    heard_ms = call.heard_ms().get(kind, 0.0)
    assert heard_ms <= most_ms, f"{kind} heard for {heard_ms} ms, {most_ms:.0f} ms at most"
