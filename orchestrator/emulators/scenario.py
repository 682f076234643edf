"""Scenarios: calls told in short English sentences, played against the emulators.

A scenario is a TOML file with ``title``, ``number`` (the number that is called), optionally ``customer``
(who calls), optionally ``needs`` (what the number's profile must say beyond a survey), and ``steps``, a list of
sentences (`stage.SENTENCES`). Seconds in a sentence are emulated ones, divided by the player's ``speed``; what is
waited for has a real time limit.

`load` raises `ScenarioError` naming file and line for a sentence that means nothing; `Player.play` raises
`PlayError` naming the sentence that could not be played.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

from orchestrator.emulators.stage import Played, PlayError, Stage, Step, StepTime, meaning

__all__ = [
    "SCENARIOS",
    "PlayError",
    "Played",
    "Player",
    "Scenario",
    "ScenarioError",
    "Step",
    "StepTime",
    "load",
    "shipped",
]
SCENARIOS: Final = Path(__file__).parent / "scenarios"


class ScenarioError(ValueError):
    """A scenario file that cannot be played, with its name and line."""


@dataclass(frozen=True)
class Scenario:
    """A scenario read from a file."""

    title: str
    number: str
    customer: str
    steps: tuple[Step, ...]
    needs: str = ""


def load(path: Path) -> Scenario:
    """Read a scenario file; see the module for its shape."""
    text = path.read_text()
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ScenarioError(f"{path.name}: {problem}") from problem
    unknown = set(content) - {"title", "number", "customer", "needs", "steps"}
    if unknown or not {"title", "number", "steps"} <= set(content):
        raise ScenarioError(f"{path.name}: title, number, steps, perhaps customer and needs (found {sorted(content)})")
    steps = _with_lines(content["steps"], text)
    for step in steps:
        if meaning(step.sentence) is None:
            raise ScenarioError(f"{path.name}:{step.line}: no such sentence: {step.sentence!r}")
    customer = content.get("customer", "+15555550101")
    return Scenario(content["title"], content["number"], customer, tuple(steps), content.get("needs", ""))


def shipped(*, with_needs: bool = False) -> dict[str, Path]:
    """Return the scenarios that come with the emulators, by name.

    Those that need a profile of their own (``needs``; see the table of the folder's README) only when asked for.
    """
    found = {path.stem: path for path in sorted(SCENARIOS.glob("*.toml"))}
    return {name: path for name, path in found.items() if with_needs or not load(path).needs}


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
            stage = Stage(self, scenario, session)
            for step in scenario.steps:
                self._on_step(stage.played.call_sid, step.sentence)
                stage.play(step)
            return stage.played
