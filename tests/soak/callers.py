"""Random calls: who joins, holds, pays, leaves, comes back, is asked how it was. Each call from its own seed.

A call notes what must not be heard as `Private`: the moment just before it began and just after it ended as the caller
lives it, and for what the desktop reported, when the service acknowledged that.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import requests

from tests.e2e.harness import CUSTOMER, DESKTOP_KEY, NUMBER
from tests.soak.site import SoakSite, now

ACKNOWLEDGED_WITHIN_S = 20.0
_ASKED_AGAIN_S = 0.3
_LATEST_S = 60.0
_HTTP_S = 20.0
_FRAMES_MS = 40
_CARD = "my card number is four two four two and the code is one two three"


class CallGoneError(Exception):
    """The phone call is over although its script is not."""


@dataclass
class Private:
    """A stretch that must not be heard. `informed_at`: None where only callbacks tell the service.

    `made`: when Twilio had done what began it; a look at the conference before that may not show it.
    """

    group: str
    began: float
    ended: float | None = None
    informed_at: float | None = None
    made: float = 0.0


@dataclass
class Caller:
    """One call, played in the thread that calls `play`."""

    site: SoakSite
    rng: random.Random
    sid: str = ""
    private: list[Private] = field(default_factory=list)
    acknowledged: list[tuple[float, str]] = field(default_factory=list)
    """When, and the `event_id`, of the desktop events that were."""
    steps: list[tuple[float, str]] = field(default_factory=list)
    trouble: str = ""

    def play(self) -> None:
        try:
            self._play()
        except (CallGoneError, requests.RequestException) as gone:
            self.trouble = f"{type(gone).__name__}: {gone}"
        finally:
            self._hang_up()

    def _play(self) -> None:
        self._arrive()
        self._pause(0.3, 2.0)
        self._private("wait", lambda: self._agent_joins("amy"), after=self._pause_none)
        self._pause(2.0, 5.0)
        acts = [self._hold, self._hold, self._pay, self._break_stream, self._cold_transfer, self._toggle]
        for act in self.rng.choices(acts, k=self.rng.randint(1, 4)):
            act()
            self._pause(1.0, 4.0)
        if self.rng.random() < 0.25:
            self._survey()

    # --- what happens --------------------------------------------------------------------------------------------

    def _arrive(self) -> None:
        """The caller's first documents are fetched and the conference begun before anything else may happen."""
        with self.site.arriving:
            began = now()
            body = {"from": CUSTOMER, "to": NUMBER}
            self.sid = self._twilio("calls", body)["sid"]
            self.private.append(Private("wait", began))
            deadline = time.monotonic() + ACKNOWLEDGED_WITHIN_S
            while self._seen()["conference"] is None and time.monotonic() < deadline:
                time.sleep(0.05)

    def _agent_joins(self, name: str) -> None:
        self._act("agent-joins", {"label": f"agent-{name}", "client": f"agent-{name}"})

    def _hold(self) -> None:
        self._private("hold", lambda: self._act("unhold"), before=lambda: self._act("hold"), after=self._pause_long)

    def _toggle(self) -> None:
        for _ in range(self.rng.randint(2, 5)):
            self._private("hold", lambda: self._act("unhold"), before=lambda: self._act("hold"), after=self._pause_none)

    def _pay(self) -> None:
        """Card details are spoken once the desktop's pause was acknowledged, and over before it resumes."""
        informed_at = self._report("pause", reason="payment")
        began, before = now(), self._seen_by_asapp()
        seconds = self._act("say", {"role": "customer", "kind": "payment", "text": _CARD})["seconds"]
        time.sleep(seconds)
        least_ms = _received_ms(before, "payment") + 1000 * seconds - _FRAMES_MS
        self._until_arrived("payment", least_ms, _open_streams(before))
        self.private.append(Private("payment", began, now(), informed_at))
        self._report("resume", reason="payment")

    def _until_arrived(self, kind: str, least_ms: float, streams: set[str]) -> None:
        """On a busy machine audio runs late: wait until all of it has reached ASAPP, or those streams have ended."""
        deadline = time.monotonic() + _LATEST_S
        while time.monotonic() < deadline:
            seen = self._seen_by_asapp()
            if _received_ms(seen, kind) >= least_ms or not streams & _open_streams(seen):
                return
            time.sleep(_ASKED_AGAIN_S)

    def _seen_by_asapp(self) -> dict[str, Any]:
        answer = self.site.http.get(f"{self.site.asapp_url}/_emulator/calls/{self.sid}", timeout=_HTTP_S)
        return dict(answer.json()) if answer.ok else {}

    def _cold_transfer(self) -> None:
        self._private(
            "wait",
            lambda: self._agent_joins(self.rng.choice(["bob", "amy"])),
            before=lambda: self._act("agent-leaves"),
            after=lambda: self._pause(0.5, 3.0),
        )

    def _break_stream(self) -> None:
        mode = self.rng.choice(["error-then-stopped", "stopped-only", "error-only"])
        self._act("break-stream", {"mode": mode})

    def _survey(self) -> None:
        informed_at = self._report("survey-transfer")
        self.private.append(Private("survey", now(), None, informed_at))
        self._pause(5.0, 8.0)

    def _hang_up(self) -> None:
        if not self.sid:
            return
        while True:
            try:
                self._act("hangup")
            except CallGoneError:
                break
            except requests.RequestException:
                time.sleep(_ASKED_AGAIN_S)
            else:
                break
        for stretch in self.private:
            stretch.ended = stretch.ended or now()

    # --- how -----------------------------------------------------------------------------------------------------

    def _private(
        self,
        group: str,
        end: Callable[[], object],
        *,
        before: Callable[[], object] | None = None,
        after: Callable[[], object],
    ) -> None:
        """Begin a stretch with `before` (else the last one of this group goes on), wait, and end it."""
        if before is not None:
            stretch = Private(group, now())
            self.private.append(stretch)
            before()
            stretch.made = now()
        after()
        stretch = next(each for each in reversed(self.private) if each.group == group)
        stretch.ended = now()
        end()

    def _pause(self, least: float, most: float) -> None:
        time.sleep(self.rng.uniform(least, most))

    def _pause_long(self) -> None:
        self._pause(2.0, 7.0)

    def _pause_none(self) -> None:
        self._pause(0.0, 0.2)

    def _act(self, action: str, body: object = None) -> dict[str, Any]:
        self.steps.append((now(), action))
        return self._twilio(f"calls/{self.sid}/{action}", body or {})

    def _twilio(self, path: str, body: object) -> dict[str, Any]:
        url = f"{self.site.twilio_url}/_emulator/{path}"
        answer = self.site.http.post(url, json=body, timeout=_HTTP_S)
        if answer.status_code == HTTPStatus.CONFLICT:
            if path.endswith("break-stream"):
                return {}
            raise CallGoneError(f"{path.rpartition('/')[2]}: {answer.text}")
        answer.raise_for_status()
        return dict(answer.json()) if answer.content else {}

    def _seen(self) -> dict[str, Any]:
        url = f"{self.site.twilio_url}/_emulator/calls/{self.sid}"
        return dict(self.site.http.get(url, timeout=_HTTP_S).json())

    def _report(self, kind: str, **more: str) -> float:
        """As a desktop does: the same event again until it is acknowledged; when that was."""
        event_id = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        body = {"type": kind, "event_id": event_id, **more}
        self.steps.append((now(), kind))
        deadline = time.monotonic() + ACKNOWLEDGED_WITHIN_S
        while time.monotonic() < deadline:
            if self._is_taken(body):
                self.acknowledged.append((now(), event_id))
                return self.acknowledged[-1][0]
            time.sleep(_ASKED_AGAIN_S)
        raise CallGoneError(f"{kind} was never acknowledged")

    def _is_taken(self, body: object) -> bool:
        headers = {"Authorization": f"Bearer {DESKTOP_KEY}"}
        try:
            url = f"{self.site.web_url}/api/v1/calls/{self.sid}/events"
            return self.site.http.post(url, json=body, headers=headers, timeout=5.0).ok
        except requests.RequestException:
            return False


def _received_ms(seen: dict[str, Any], kind: str) -> float:
    return float(seen.get("received_ms", {}).get(kind, 0))


def _open_streams(seen: dict[str, Any]) -> set[str]:
    return {stream["stream_sid"] for stream in seen.get("streams", []) if stream["open"]}
