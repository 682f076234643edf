"""Synthetic calls at a steady rate: the shipped scenarios in turn, each with a caller of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import requests

from orchestrator.emulators.scenario import Player, PlayError, Scenario, Step, load, shipped

_CALLERS = 90
_FIRST = (
    "two_holds",
    "queue_then_agent",
    "payment_during_hold",
    "outbound",
    "stream_breaks_error_then_stopped",
    "taskrouter_conference",
    "survey_transfer",
    "consult_and_takeover",
)
_TALK = Step("wait 12", 0)
"""The shipped stories go on as soon as one word was heard; people talk longer."""


def _in_order(found: dict[str, Path]) -> list[Path]:
    """The stories that tell most come first."""
    return [found[name] for name in (*_FIRST, *(name for name in found if name not in _FIRST))]


def _with_talk(scenario: Scenario) -> Scenario:
    """The story with some talk after every point at which somebody is heard."""
    steps = [each for step in scenario.steps for each in ((step, _TALK) if "heard" in step.sentence else (step,))]
    return replace(scenario, steps=tuple(steps))


@dataclass
class Playing:
    """One call of the demo. `step` is the sentence being played; `trouble` why the script could not go on."""

    title: str
    customer: str
    call_sid: str = ""
    step: str = ""
    trouble: str = ""
    is_over: bool = False
    began: float = field(default_factory=time.monotonic)


class Traffic:
    """Starts calls until `calls` were placed, `stop` is called, or for ever (`calls` None)."""

    def __init__(self, urls: dict[str, object], *, rate_per_min: float, calls: int | None, speed: float) -> None:
        self._urls = urls
        self._pause_s = 60.0 / rate_per_min
        self._most = calls
        self._speed = speed
        self._scenarios = [_with_talk(load(path)) for path in _in_order(shipped(with_needs=True))]
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.calls: list[Playing] = []
        self._placer = threading.Thread(target=self._place_all, name="traffic", daemon=True)

    def start(self) -> None:
        self._placer.start()

    def is_over(self) -> bool:
        """All calls were placed and have ended."""
        return not self._placer.is_alive() and not any(thread.is_alive() for thread in self._threads)

    def stop(self, within_s: float) -> None:
        """Place no more calls and hang up those that are up; their scripts end with them."""
        self._stopping.set()
        self._placer.join()
        deadline = time.monotonic() + within_s
        for playing in self.calls:
            if not playing.is_over and playing.call_sid:
                with contextlib.suppress(requests.RequestException):
                    url = f"{self._urls['twilio_url']}/_emulator/calls/{playing.call_sid}/hangup"
                    requests.post(url, json={}, timeout=2)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _place_all(self) -> None:
        number = 0
        while not self._stopping.is_set() and (self._most is None or number < self._most):
            scenario = self._scenarios[number % len(self._scenarios)]
            customer = f"+1555555{101 + number % _CALLERS:04d}"
            playing = Playing(scenario.title, customer)
            self.calls.append(playing)
            thread = threading.Thread(
                target=self._play, args=(playing, replace(scenario, customer=customer)), daemon=True
            )
            self._threads.append(thread)
            thread.start()
            number += 1
            self._stopping.wait(self._pause_s)

    def _play(self, playing: Playing, scenario: Scenario) -> None:
        def on_step(call_sid: str, sentence: str) -> None:
            playing.call_sid = call_sid or playing.call_sid
            playing.step = sentence

        player = Player(**self._urls, speed=self._speed, on_step=on_step)  # type: ignore[arg-type]  # addresses by name
        try:
            player.play(scenario)
        except PlayError as trouble:
            if not self._stopping.is_set():
                playing.trouble = str(trouble)
        finally:
            playing.is_over = True
