"""Scenarios: calls told in short English sentences, played against the emulators.

A scenario is a TOML file with ``title``, ``number`` (the number that is called), optionally ``customer``
(who calls) and ``steps``, a list of sentences. `SENTENCES` is all there is to say. Seconds in a sentence
are emulated ones, divided by the player's ``speed``; what is waited for has a real time limit.

`load` raises `ScenarioError` naming file and line for a sentence that means nothing; `Player.play` raises
`PlayError` naming the sentence that could not be played.
"""

import re
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

SCENARIOS: Final = Path(__file__).parent / "scenarios"
_HTTP_S: Final = 20.0
_LOOK_S: Final = 0.02
_WITH_REASON: Final = frozenset({"pause", "resume"})
_WITH_AGENT: Final = frozenset({"agent-connected", "agent-disconnected"})
_CARD: Final = "my card number is four two four two and the code is one two three"


class ScenarioError(ValueError):
    """A scenario file that cannot be played, with its name and line."""


class PlayError(RuntimeError):
    """A sentence that could not be played, or did not come true in time."""


@dataclass(frozen=True)
class Step:
    """One sentence and where it stands."""

    sentence: str
    line: int


@dataclass(frozen=True)
class Scenario:
    """A scenario read from a file."""

    title: str
    number: str
    customer: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class StepTime:
    """When a sentence was played, in epoch seconds."""

    sentence: str
    began: float
    ended: float


@dataclass
class Played:
    """What a played scenario leaves: the customer's Call SID and the times of its steps."""

    call_sid: str = ""
    steps: list[StepTime] = field(default_factory=list)

    def time_of(self, sentence: str) -> StepTime:
        """Return the last time that a sentence was played."""
        return next(step for step in reversed(self.steps) if step.sentence == sentence)


def load(path: Path) -> Scenario:
    """Read a scenario file; see the module for its shape."""
    text = path.read_text()
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ScenarioError(f"{path.name}: {problem}") from problem
    unknown = set(content) - {"title", "number", "customer", "steps"}
    if unknown or not {"title", "number", "steps"} <= set(content):
        raise ScenarioError(f"{path.name}: title, number and steps, nothing else (found {sorted(content)})")
    steps = _with_lines(content["steps"], text)
    for step in steps:
        if _meaning(step.sentence) is None:
            raise ScenarioError(f"{path.name}:{step.line}: no such sentence: {step.sentence!r}")
    customer = content.get("customer", "+15555550101")
    return Scenario(content["title"], content["number"], customer, tuple(steps))


def shipped() -> dict[str, Path]:
    """Return the scenarios that come with the emulators, by name."""
    return {path.stem: path for path in sorted(SCENARIOS.glob("*.toml"))}


def _with_lines(sentences: list[str], text: str) -> list[Step]:
    lines, at, steps = text.splitlines(), 0, []
    for sentence in sentences:
        at = next((n for n in range(at, len(lines)) if f'"{sentence}"' in lines[n]), at)
        steps.append(Step(sentence, at + 1))
        at += f'"{sentence}"' in lines[at] and lines[at].count('"') == 2  # noqa: PLR2004 - one sentence a line
    return steps


class Player:
    """Plays scenarios, each in the thread that calls `play`; ``on_step`` hears every sentence as it begins.

    ``speed`` is that of the emulators; ``patience_s`` (real seconds) limits every waiting.
    """

    def __init__(
        self,
        twilio_url: str,
        asapp_url: str,
        desktop_url: str,
        desktop_key: str,
        speed: float = 1.0,
        on_step: Callable[[str, str], None] | None = None,
        patience_s: float = 30.0,
    ) -> None:
        self.twilio_url, self.asapp_url, self.desktop_url = twilio_url, asapp_url, desktop_url
        self.desktop_key, self.speed, self.patience_s = desktop_key, speed, patience_s
        self._on_step = on_step or (lambda _call_sid, _sentence: None)

    def play(self, scenario: Scenario) -> Played:
        """Play every step in order and return the call and the times."""
        with requests.Session() as session:
            stage = _Stage(self, scenario, session)
            for step in scenario.steps:
                self._on_step(stage.played.call_sid, step.sentence)
                stage.play(step)
            return stage.played


class _Stage:
    """One scenario being played."""

    def __init__(self, player: Player, scenario: Scenario, session: requests.Session) -> None:
        self._player, self._scenario, self._session = player, scenario, session
        self._agents: dict[str, str] = {}
        self.played = Played()

    def play(self, step: Step) -> None:
        found = _meaning(step.sentence)
        if found is None:
            raise PlayError(f"line {step.line}: no such sentence: {step.sentence!r}")
        act, words = found
        began = time.time()
        try:
            act(self, **words)
        except (requests.RequestException, PlayError) as trouble:
            raise PlayError(f"{self._scenario.title}, line {step.line}, {step.sentence!r}: {trouble}") from trouble
        self.played.steps.append(StepTime(step.sentence, began, time.time()))

    def customer_calls(self) -> None:
        body = {"from": self._scenario.customer, "to": self._scenario.number}
        self.played.call_sid = self._post(f"{self._player.twilio_url}/_emulator/calls", body)["sid"]

    def agent_dials(self, name: str, number: str) -> None:
        body = {"from": f"client:agent-{name}", "to": number, "number": self._scenario.number}
        self.played.call_sid = self._post(f"{self._player.twilio_url}/_emulator/calls", body)["sid"]

    def wait(self, seconds: str) -> None:
        time.sleep(float(seconds) / self._player.speed)

    def customer_does(self, action: str) -> None:
        verbs = {"is held": "hold", "is unheld": "unhold", "hangs up": "hangup"}
        self._act(verbs[action], {})

    def customer_gives_card(self) -> None:
        self._act("say", {"role": "customer", "kind": "payment", "text": _CARD})

    def says(self, role: str, text: str) -> None:
        self._act("say", {"role": role, "text": text})

    def comes(self, who: str, name: str) -> None:
        label = f"{who}-{name}"
        self._agents[name] = self._act(f"{who}-joins", {"label": label, "client": label})["sid"]

    def agent_leaves(self, name: str) -> None:
        self._act("agent-leaves", {"leg": self._leg(name)})

    def agent_hold(self, name: str, state: str) -> None:
        self._act("hold" if state == "held" else "unhold", {"leg": self._leg(name)})

    def agent_picks_up(self, name: str, action: str) -> None:
        self._agents[name] = self._act("agent-answers" if action == "answers" else "agent-declines", {})["sid"]

    def customer_answers(self) -> None:
        """The customer's leg is the one that the agent's device dials; the call is that leg from here on."""
        self.played.call_sid = self._act("agent-answers", {})["sid"]

    def toggle(self, times: str, seconds: str, state: str) -> None:
        """Hold and unhold in turn, evenly spread; the last one is ``state``."""
        count, began = int(times), time.monotonic()
        for number in range(count):
            is_last_kind = (count - 1 - number) % 2 == 0
            self._act("hold" if is_last_kind == (state == "held") else "unhold", {})
            due = began + (number + 1) * float(seconds) / self._player.speed / count
            time.sleep(max(0.0, due - time.monotonic()))

    def stream_breaks(self, mode: str) -> None:
        self._act("break-stream", {"mode": mode})

    def desktop_sends(self, kind: str, word: str | None) -> None:
        body = {"type": kind}
        if word and kind in _WITH_REASON:
            body["reason"] = word
        elif word and kind in _WITH_AGENT:
            body["agent_id"] = word
        elif word:
            raise PlayError(f"{kind} takes no further word")
        self._post(f"{self._desktop()}/events", body, self._key())

    def asapp_takes(self, operation: str, seconds: str) -> None:
        """Let ASAPP's next answer to this call's operation take some emulated seconds."""
        delay_ms = 1000 * float(seconds) / self._player.speed
        rule = {"operation": operation, "match": {"guid": self.played.call_sid}, "times": 1, "delay_ms": delay_ms}
        self._post(f"{self._player.asapp_url}/_emulator/faults", [rule])

    def wait_until_heard(self, kind: str, again: str | None) -> None:
        before = self._heard(kind) if again else 0
        self._until(f"heard {kind}", lambda: self._heard(kind) > before)

    def wait_until_asked(self, operation: str) -> None:
        """Wait until ASAPP has received a request for this call (it may not have been answered)."""
        self._until(f"{operation} asked", lambda: self._is_asked(operation))

    def wait_until_state(self, state: str) -> None:
        self._until(f"state {state}", lambda: self._get(self._desktop(), self._key()).get("state") == state)

    def _is_asked(self, operation: str) -> bool:
        url = f"{self._player.asapp_url}/_emulator/requests"
        rows = self._session.get(url, params={"guid": self.played.call_sid}, timeout=_HTTP_S).json()
        return any(operation in row["path"] for row in rows)

    def _heard(self, kind: str) -> float:
        url = f"{self._player.asapp_url}/_emulator/calls/{self.played.call_sid}"
        return float(self._get(url, {}).get("heard_ms", {}).get(kind, 0))

    def _until(self, what: str, look: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._player.patience_s
        while not look():
            if time.monotonic() > deadline:
                raise PlayError(f"not within {self._player.patience_s:g} s: {what}")
            time.sleep(_LOOK_S)

    def _leg(self, name: str) -> str:
        if name not in self._agents:
            raise PlayError(f"{name} has not joined")
        return self._agents[name]

    def _desktop(self) -> str:
        return f"{self._player.desktop_url}/api/v1/calls/{self.played.call_sid}"

    def _key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._player.desktop_key}"}

    def _act(self, action: str, body: dict[str, str]) -> dict[str, Any]:
        return self._post(f"{self._player.twilio_url}/_emulator/calls/{self.played.call_sid}/{action}", body)

    def _post(self, url: str, body: object, headers: dict[str, str] | None = None) -> dict[str, Any]:
        answer = self._session.post(url, json=body, headers=headers, timeout=_HTTP_S)
        if not answer.ok:
            raise PlayError(f"answered {answer.status_code}: {answer.text[:200]}")
        return dict(answer.json()) if answer.content else {}

    def _get(self, url: str, headers: dict[str, str]) -> dict[str, Any]:
        """Read a resource; one that does not exist yet is empty."""
        answer = self._session.get(url, headers=headers, timeout=_HTTP_S)
        return dict(answer.json()) if answer.ok else {}


_NAME = r"[a-z][a-z0-9]*"
_WORD = r"[a-z][a-z0-9-]*"
_SECONDS = r"\d+(?:\.\d+)?"
SENTENCES: Final[tuple[tuple[re.Pattern[str], Callable[..., None]], ...]] = tuple(
    (re.compile(pattern), act)
    for pattern, act in (
        (r"customer calls", _Stage.customer_calls),
        (rf"agent (?P<name>{_NAME}) dials (?P<number>\+\d+)", _Stage.agent_dials),
        (r"customer answers", _Stage.customer_answers),
        (r"customer (?P<action>is held|is unheld|hangs up)", _Stage.customer_does),
        (r"customer gives card details", _Stage.customer_gives_card),
        (r"(?P<role>customer|agent) says (?P<text>.+)", _Stage.says),
        (rf"(?P<who>agent|coach) (?P<name>{_NAME}) joins", _Stage.comes),
        (rf"agent (?P<name>{_NAME}) leaves", _Stage.agent_leaves),
        (rf"agent (?P<name>{_NAME}) is (?P<state>held|unheld)", _Stage.agent_hold),
        (rf"agent (?P<name>{_NAME}) (?P<action>answers|declines)", _Stage.agent_picks_up),
        (
            rf"toggle hold (?P<times>\d+) times in (?P<seconds>{_SECONDS}) s ending (?P<state>held|unheld)",
            _Stage.toggle,
        ),
        (
            r"stream breaks with (?P<mode>error-then-stopped|stopped-only|error-only|silent)",
            _Stage.stream_breaks,
        ),
        (rf"desktop sends (?P<kind>{_WORD})(?: (?P<word>{_WORD}))?", _Stage.desktop_sends),
        (
            rf"asapp (?P<operation>start-streaming|stop-streaming) takes (?P<seconds>{_SECONDS}) s",
            _Stage.asapp_takes,
        ),
        (rf"wait until heard (?P<kind>{_WORD})(?P<again> again)?", _Stage.wait_until_heard),
        (r"wait until (?P<operation>start-streaming|stop-streaming) is asked", _Stage.wait_until_asked),
        (rf"wait until (?P<state>{_WORD})", _Stage.wait_until_state),
        (rf"wait (?P<seconds>{_SECONDS})", _Stage.wait),
    )
)


def _meaning(sentence: str) -> tuple[Callable[..., None], dict[str, Any]] | None:
    for pattern, act in SENTENCES:
        match = pattern.fullmatch(sentence)
        if match:
            return act, match.groupdict()
    return None
