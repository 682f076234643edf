"""What Twilio must be told so that it reaches us: the settings of numbers and workspaces, and which of them differ.

A trunk or an application takes precedence over a number's voice URL, so neither may stand. A fallback outside this
service is better than ours, so any that is there stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urldefrag

from orchestrator.twilio import wire
from orchestrator.twilio.account import Workspace
from orchestrator.twilio.client import PhoneNumber
from orchestrator.twilio.twiml import OVERRIDES

_POST = "POST"
TASK_EVENTS = ("reservation.accepted", "task.updated", *wire.RESERVATION_OVER, *wire.TASK_OVER)
"""TaskRouter's events that mean something here."""


@dataclass(frozen=True)
class Change:
    """A setting that is not as it should be. `is_taking`: it would be taken from something else that uses it."""

    setting: str
    now: str
    wanted: str
    is_taking: bool = False


class Wiring:
    """Where Twilio should send what. `public_base_url` as in the settings."""

    def __init__(self, public_base_url: str) -> None:
        base = public_base_url.rstrip("/")
        self.base = f"{base}/twilio/"
        self.voice = f"{base}/twilio/voice"
        self.voice_fallback = f"{base}/twilio/voice-fallback"
        self.call_status = f"{base}/twilio/call-status{OVERRIDES}"
        self.taskrouter_events = f"{base}/twilio/taskrouter-events{OVERRIDES}"

    def is_ours(self, number: PhoneNumber) -> bool:
        """Whether calls of this number come here, or would if nothing took precedence."""
        return _bare(number.voice_url) == self.voice

    def of_number(self, number: PhoneNumber, fallback: str | None = None) -> list[Change]:
        """What to change; `fallback`: TwiML outside this service. Empty: calls come here."""
        kept = number.voice_fallback_url or self.voice_fallback
        wanted = {
            "trunk_sid": "",
            "voice_application_sid": "",
            "voice_url": self.voice,
            "voice_method": _POST,
            "voice_fallback_url": fallback or kept,
            "status_callback": self.call_status,
            "status_callback_method": _POST,
        }
        if _bare(wanted["voice_fallback_url"]) == self.voice_fallback:
            wanted["voice_fallback_method"] = _POST
        return [
            Change(name, now, value, is_taking=name in {"trunk_sid", "voice_application_sid"})
            for name, value in wanted.items()
            if not _is_same(now := str(getattr(number, name)), value)
        ]

    def of_workspace(self, workspace: Workspace) -> list[Change]:
        """A workspace has one event callback: another's would be taken away."""
        changes = []
        now = workspace.event_callback_url
        if not _is_same(now, self.taskrouter_events):
            is_other = bool(now) and not now.startswith(self.base)
            changes.append(Change("event_callback_url", now, self.taskrouter_events, is_taking=is_other))
        heard = {name.strip() for name in workspace.events_filter.split(",") if name.strip()}
        if heard and not heard.issuperset(TASK_EVENTS):
            wanted = ",".join(sorted(heard | set(TASK_EVENTS)))
            changes.append(Change("events_filter", workspace.events_filter, wanted))
        return changes


def _bare(url: str) -> str:
    """Without the connection overrides, which anybody may have chosen otherwise."""
    return urldefrag(url).url


def _is_same(now: str, wanted: str) -> bool:
    return _bare(now) == _bare(wanted)
