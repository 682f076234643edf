"""What a contact centre has beside this service: a survey, and a call flow of its own behind a redirect.

A small HTTP server on the loopback interface that answers with TwiML, for the demo and for tests.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from twilio.twiml.voice_response import Dial, VoiceResponse  # type: ignore[import-untyped]  # the SDK is not marked as typed

_LONGEST_FORM = 65_536


def survey() -> str:
    """A survey: asks, listens a while, thanks."""
    document = VoiceResponse()
    document.say("Welcome to the survey. How likely are you to recommend us?")
    document.pause(length=8)
    document.say("Thank you for taking the survey.")
    return str(document)


def existing_flow(call_sid: str) -> str:
    """A flow that was there before this service: its conference reports to nobody."""
    document = VoiceResponse()
    dial = Dial()
    dial.conference(f"flow-{call_sid}", end_conference_on_exit=True, participant_label="customer", beep="false")
    document.append(dial)
    return str(document)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(min(int(self.headers.get("Content-Length", 0)), _LONGEST_FORM)).decode())
        match self.path.partition("?")[0]:
            case "/survey":
                document = survey()
            case "/existing-flow":
                document = existing_flow(form["CallSid"][0])
            case _:
                self.send_error(404)
                return
        body = document.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - the base class names its methods so

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


class Flows:
    """The server, running from construction until `close`."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.survey_url = f"{base}/survey"
        self.existing_flow_url = f"{base}/existing-flow"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
