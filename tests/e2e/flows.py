"""What a customer of this service already has: a call flow behind a redirect, and a survey. Plain TwiML over HTTP."""

from __future__ import annotations

from urllib.parse import parse_qs

from tests.loopback import Handler, Loopback

_SURVEY = '<Response><Say>Welcome to our survey.</Say><Pause length="120"/></Response>'
_FLOW = "<Response><Say>Please wait.</Say><Dial><Conference>flow-{sid}</Conference></Dial></Response>"
_visits: list[tuple[str, str]] = []


class _Handler(Handler):
    def answer(self) -> None:
        form = parse_qs(self.body().decode())
        call_sid = form["CallSid"][0]
        _visits.append((self.path, call_sid))
        document = _SURVEY if self.path == "/survey" else _FLOW.format(sid=call_sid)
        self.send(200, document.encode(), "text/xml")


class ExistingFlows(Loopback):
    """The server, in a thread of the test's process."""

    def __init__(self) -> None:
        self.visits = _visits
        """Path and Call SID of every fetch."""
        super().__init__(_Handler)
