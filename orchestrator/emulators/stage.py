"""The sentences of scenarios and what each does: `SENTENCES` is all there is to say.

A `Stage` plays one scenario over HTTP: the far ends of the call at Twilio's emulator, slowness at ASAPP's, the
agent's desktop at the service. Seconds in a sentence are emulated ones.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import requests

if TYPE_CHECKING:
    from orchestrator.emulators.scenario import Player, Scenario

_HTTP_S: Final = 20.0
_LOOK_S: Final = 0.02
_WITH_REASON: Final = frozenset({"pause", "resume"})
_WITH_AGENT: Final = frozenset({"agent-connected", "agent-disconnected"})
_CARD: Final = "my card number is four two four two and the code is one two three"
_WORKSPACE: Final = "WS" + "0" * 32
_OVER: Final = frozenset({"completed", "failed", "busy", "no-answer", "canceled"})
_ANSWERS: Final = {"answers": "", "declines": "busy", "is busy": "busy", "does not answer": "no-answer"}


class PlayError(RuntimeError):
    """A sentence that could not be played, or did not come true in time."""


@dataclass(frozen=True)
class Step:
    """One sentence and where it stands."""

    sentence: str
    line: int


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


class Stage:
    """One scenario being played."""

    def __init__(self, player: "Player", scenario: "Scenario", session: requests.Session) -> None:
        self._player, self._scenario, self._session = player, scenario, session
        self._agents: dict[str, str] = {}
        self.played = Played()

    def play(self, step: Step) -> None:
        found = meaning(step.sentence)
        if found is None:
            raise PlayError(f"line {step.line}: no such sentence: {step.sentence!r}")
        act, words = found
        began = time.time()
        try:
            act(self, **words)
        except (requests.RequestException, PlayError) as trouble:
            raise PlayError(f"{self._scenario.title}, line {step.line}, {step.sentence!r}: {trouble}") from trouble
        self.played.steps.append(StepTime(step.sentence, began, time.time()))

    def customer_calls(self, outcome: str | None) -> None:
        body = {"from": self._scenario.customer, "to": self._scenario.number, "enqueue_outcome": outcome or ""}
        self.played.call_sid = self._control("calls", body)["sid"]

    def agent_dials(self, name: str, number: str) -> None:
        """The call is the device's until the customer answers."""
        body = {"from": f"client:agent-{name}", "to": number, "number": self._scenario.number}
        self.played.call_sid = self._agents[name] = self._control("calls", body)["sid"]

    def agent_calls_agent(self, name: str, other: str) -> None:
        self.agent_dials(name, f"client:agent-{other}")

    def wait(self, seconds: str) -> None:
        time.sleep(float(seconds) / self._player.speed)

    def customer_does(self, action: str) -> None:
        verbs = {"is held": "hold", "is unheld": "unhold", "hangs up": "hangup"}
        self._act(verbs[action], {})

    def customer_hangs_up_if_there(self) -> None:
        if not self._is_over():
            self.customer_does("hangs up")

    def customer_moves(self) -> None:
        """The agent's desktop redirects the customer into a conference that reports to the service."""
        self._act("customer-moves", {"status_callback": f"{self._player.desktop_url}/twilio/conference-status"})

    def customer_gives_card(self) -> None:
        self._act("say", {"role": "customer", "kind": "payment", "text": _CARD})

    def says(self, role: str, text: str) -> None:
        self._act("say", {"role": role, "text": text})

    def comes(self, who: str, name: str) -> None:
        """A guest is anybody else whom an agent brings in; nothing tells that this is no agent."""
        label, action = f"{who}-{name}", "coach-joins" if who == "coach" else "agent-joins"
        self._agents[name] = self._act(action, {"label": label, "client": label})["sid"]

    def leaves(self, name: str) -> None:
        self._act("agent-leaves", {"leg": self._leg(name)})

    def agent_hold(self, name: str, state: str) -> None:
        self._act("hold" if state == "held" else "unhold", {"leg": self._leg(name)})

    def agent_opens(self, name: str) -> None:
        """An agent is in the call's conference before the customer."""
        label = f"agent-{name}"
        self._agents[name] = self._act("agent-opens", {"label": label, "client": label})["sid"]

    def barges_in(self, name: str) -> None:
        self._act("coaching", {"leg": self._leg(name)})

    def agent_picks_up(self, name: str, action: str) -> None:
        self._agents[name] = self._pick_up(action)

    def customer_picks_up(self, action: str) -> None:
        """The customer's leg is the one that the agent's device dials; once answered, the call is that leg."""
        sid = self._pick_up(action)
        if action == "answers":
            self.played.call_sid = sid

    def workers_are_there(self, names: str) -> None:
        """TaskRouter's workspace reports to the service, and knows these workers."""
        events = f"{self._player.desktop_url}/twilio/taskrouter-events"
        self._control("workspace", {"workspace_sid": _WORKSPACE, "event_callback_url": events})
        for name in re.findall(_NAME, names.replace(" and ", " ")):
            self._control("workers", {"name": name, "identity": f"client:agent-{name}"})

    def worker_accepts(self, name: str, instruction: str | None) -> None:
        body = {
            "worker": name,
            "instruction": instruction or "conference",
            "conference_status_callback": f"{self._player.desktop_url}/twilio/conference-status",
        }
        self._agents[name] = self._act("worker-accepts", body)["sid"]

    def worker_declines(self, name: str, action: str) -> None:
        status = "rejected" if action == "declines" else "timeout"
        self._act("worker-declines", {"worker": name, "status": status})

    def worker_wraps_up(self, name: str) -> None:
        self._act("worker-wraps-up", {"worker": name})

    def worker_transfers(self, name: str, mode: str, other: str) -> None:
        self._leg(name)
        self._act("transfer", {"worker": other, "mode": mode})

    def task_completes(self) -> None:
        self._act("task-completes", {})

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

    def wait_until_told(self, name: str) -> None:
        """Wait until ASAPP transcribes for this agent by name."""
        self._until(f"{name} told to ASAPP", lambda: self._session_agents()[-1:] == [name])

    def wait_until_state(self, state: str) -> None:
        self._until(f"state {state}", lambda: self._get(self._desktop(), self._key()).get("state") == state)

    def wait_until_problem(self, none: str | None) -> None:
        """A problem stands beside the state, or (``no``) none does."""
        self._until(
            f"{none or 'a '}problem",
            lambda: (self._get(self._desktop(), self._key()).get("problem", "?") is None) == bool(none),
        )

    def wait_until_over(self) -> None:
        self._until("the call over at Twilio", self._is_over)

    def wait_until_conference_over(self) -> None:
        self._until("the conference over", lambda: self._twilio_call().get("conference") is None)

    def wait_until_queued(self) -> None:
        self._until("waiting in a queue", lambda: bool(self._twilio_call().get("queued")))

    def _is_over(self) -> bool:
        return self._twilio_call().get("status") in _OVER

    def _twilio_call(self) -> dict[str, Any]:
        return self._get(f"{self._player.twilio_url}/_emulator/calls/{self.played.call_sid}", {})

    def _pick_up(self, action: str) -> str:
        status = _ANSWERS[action]
        done = self._act("agent-declines", {"status": status}) if status else self._act("agent-answers", {})
        return str(done["sid"])

    def _is_asked(self, operation: str) -> bool:
        url = f"{self._player.asapp_url}/_emulator/requests"
        rows = self._session.get(url, params={"guid": self.played.call_sid}, timeout=_HTTP_S).json()
        return any(operation in row["path"] for row in rows)

    def _session_agents(self) -> list[str]:
        url = f"{self._player.asapp_url}/_emulator/calls/{self.played.call_sid}"
        return [row["agent_id"] for row in self._get(url, {}).get("sessions", [])]

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
        return self._control(f"calls/{self.played.call_sid}/{action}", body)

    def _control(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        return self._post(f"{self._player.twilio_url}/_emulator/{path}", body)

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
_PICK_UP = "|".join(_ANSWERS)
_SECONDS = r"\d+(?:\.\d+)?"
SENTENCES: Final[tuple[tuple[re.Pattern[str], Callable[..., None]], ...]] = tuple(
    (re.compile(pattern), act)
    for pattern, act in (
        (r"customer calls(?: and the queue answers (?P<outcome>queue-full|error|system-error))?", Stage.customer_calls),
        (rf"agent (?P<name>{_NAME}) calls agent (?P<other>{_NAME})", Stage.agent_calls_agent),
        (rf"agent (?P<name>{_NAME}) dials (?P<number>\+\d+)", Stage.agent_dials),
        (rf"customer (?P<action>{_PICK_UP})", Stage.customer_picks_up),
        (r"customer hangs up if still there", Stage.customer_hangs_up_if_there),
        (r"customer is moved to a conference", Stage.customer_moves),
        (r"customer (?P<action>is held|is unheld|hangs up)", Stage.customer_does),
        (r"customer gives card details", Stage.customer_gives_card),
        (r"(?P<role>customer|agent) says (?P<text>.+)", Stage.says),
        (rf"(?P<who>agent|coach|guest) (?P<name>{_NAME}) joins", Stage.comes),
        (rf"(?:agent|guest) (?P<name>{_NAME}) leaves", Stage.leaves),
        (rf"agent (?P<name>{_NAME}) is (?P<state>held|unheld)", Stage.agent_hold),
        (rf"agent (?P<name>{_NAME}) (?P<action>{_PICK_UP})", Stage.agent_picks_up),
        (rf"agent (?P<name>{_NAME}) opens the conference", Stage.agent_opens),
        (rf"coach (?P<name>{_NAME}) barges in", Stage.barges_in),
        (rf"workers? (?P<names>{_NAME}(?: and {_NAME})*) (?:is|are) there", Stage.workers_are_there),
        (rf"worker (?P<name>{_NAME}) accepts(?: by (?P<instruction>conference|dequeue|call))?", Stage.worker_accepts),
        (rf"worker (?P<name>{_NAME}) (?P<action>declines|does not react)", Stage.worker_declines),
        (rf"worker (?P<name>{_NAME}) wraps up", Stage.worker_wraps_up),
        (
            rf"worker (?P<name>{_NAME}) transfers (?P<mode>warm|cold) to (?P<other>{_NAME})",
            Stage.worker_transfers,
        ),
        (r"task completes", Stage.task_completes),
        (
            rf"toggle hold (?P<times>\d+) times in (?P<seconds>{_SECONDS}) s ending (?P<state>held|unheld)",
            Stage.toggle,
        ),
        (
            r"stream breaks with (?P<mode>error-then-stopped|stopped-then-error|stopped-only|error-only|silent)",
            Stage.stream_breaks,
        ),
        (rf"desktop sends (?P<kind>{_WORD})(?: (?P<word>{_WORD}))?", Stage.desktop_sends),
        (
            rf"asapp (?P<operation>start-streaming|stop-streaming) takes (?P<seconds>{_SECONDS}) s",
            Stage.asapp_takes,
        ),
        (rf"wait until heard (?P<kind>{_WORD})(?P<again> again)?", Stage.wait_until_heard),
        (r"wait until (?P<operation>start-streaming|stop-streaming) is asked", Stage.wait_until_asked),
        (rf"wait until asapp is told of (?P<name>{_NAME})", Stage.wait_until_told),
        (r"wait until (?P<none>no )?problem", Stage.wait_until_problem),
        (r"wait until queued", Stage.wait_until_queued),
        (r"wait until the call is over", Stage.wait_until_over),
        (r"wait until the conference is over", Stage.wait_until_conference_over),
        (rf"wait until (?P<state>{_WORD})", Stage.wait_until_state),
        (rf"wait (?P<seconds>{_SECONDS})", Stage.wait),
    )
)


def meaning(sentence: str) -> tuple[Callable[..., None], dict[str, Any]] | None:
    """Return what a sentence does, and with which words; None when it means nothing."""
    for pattern, act in SENTENCES:
        match = pattern.fullmatch(sentence)
        if match:
            return act, match.groupdict()
    return None
