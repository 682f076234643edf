"""What `orchestrator setup` is about to change at Twilio, and its doing so. How it is shown: `setup`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestrator.core.actions import Outcome, Verdict
from orchestrator.diagnosis.finding import refusal
from orchestrator.diagnosis.wiring import is_named, workspaces
from orchestrator.profiles import Profiles
from orchestrator.twilio import twiml
from orchestrator.twilio.account import Account
from orchestrator.twilio.client import PhoneNumber
from orchestrator.twilio.wiring import Change, Wiring

_SHOWN = 12


@dataclass
class Part:
    """A number or a workspace: what is to be changed, and what became of it.

    `result`: already-right, not-yet-changed, changed, refused. `fallback`: TwiML that Twilio can keep, for a number
    whose fallback is this service itself.
    """

    kind: str
    name: str
    sid: str
    changes: list[Change]
    result: str = "already-right"
    refused: str = ""
    fallback: str = ""


@dataclass
class Plan:
    """Everything that a run looks at; `failures` is what could not be looked at."""

    account: Account
    profiles: Profiles
    wiring: Wiring
    parts: list[Part] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add_numbers(self, wanted: tuple[str, ...], fallback_url: str | None) -> None:
        """Those that are named, else those of the account that are ours by a profile or by their URL."""
        for number in self._named(wanted) if wanted else self._ours():
            changes = self.wiring.of_number(number, fallback_url)
            falls_back_on = next(
                (each.wanted for each in changes if each.setting == "voice_fallback_url"), number.voice_fallback_url
            )
            is_here = falls_back_on.startswith(self.wiring.base)
            document = twiml.static_fallback(self.profiles.match(number.phone_number)) if is_here else ""
            self.parts.append(Part("number", number.phone_number, number.sid, changes, fallback=document))

    def _named(self, wanted: tuple[str, ...]) -> Iterator[PhoneNumber]:
        for name in wanted:
            found = self.account.number(name)
            if isinstance(found, Outcome):
                self.failures.append(f"{name}: {refusal(found)}")
            else:
                yield found

    def _ours(self) -> Iterator[PhoneNumber]:
        every = self.account.numbers()
        if isinstance(every, Outcome):
            self.failures.append(f"numbers: {refusal(every)}")
            return
        ours = [each for each in every if self.wiring.is_ours(each) or is_named(self.profiles, each.phone_number)]
        if not ours:
            some = ", ".join(each.phone_number for each in every[:_SHOWN]) or "none at all"
            self.failures.append(f"no number comes here and no profile names one; the account has {some}")
        yield from ours

    def add_workspaces(self, named: str | None) -> None:
        """The one that is named, else those that have the profiles' workflows."""
        found = {named: self.account.workspace(named)} if named else workspaces(self.account, self.profiles)
        for asked, workspace in found.items():
            if isinstance(workspace, Outcome):
                self.failures.append(f"{asked}: {refusal(workspace)}")
            elif all(part.sid != workspace.sid for part in self.parts):
                changes = self.wiring.of_workspace(workspace)
                self.parts.append(Part("workspace", workspace.sid, workspace.sid, changes))

    def settle(self, *, is_applied: bool, force: bool) -> None:
        """Say of each part what is to become of it, and with `is_applied` do it."""
        for part in self.parts:
            taken = [change.setting for change in part.changes if change.is_taking]
            if taken and not force:
                part.result, part.refused = "refused", f"{' and '.join(taken)} would be lost; --force takes them away"
            elif part.changes:
                part.result = "not-yet-changed"
                if is_applied:
                    self._apply(part)

    def _apply(self, part: Part) -> None:
        changes = {change.setting: change.wanted for change in part.changes}
        change = self.account.update_number if part.kind == "number" else self.account.update_workspace
        outcome = change(part.sid, changes)
        part.result = "changed"
        if outcome.verdict is not Verdict.DONE:
            part.result, part.refused = "refused", f"Twilio: {refusal(outcome)}"

    @property
    def has_failed(self) -> bool:
        return bool(self.failures) or any(part.refused for part in self.parts)

    def json(self) -> dict[str, Any]:
        return {"parts": [asdict(part) for part in self.parts], "failures": self.failures}
