"""What a customer of this service already has: a call flow behind a redirect, and a survey. Plain TwiML over HTTP."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs

_SURVEY = '<Response><Say>Welcome to our survey.</Say><Pause length="120"/></Response>'
_FLOW = "<Response><Say>Please wait.</Say><Dial><Conference>flow-{sid}</Conference></Dial></Response>"
_visits: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        call_sid = form["CallSid"][0]
        _visits.append((self.path, call_sid))
        document = _SURVEY if self.path == "/survey" else _FLOW.format(sid=call_sid)
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(document)))
        self.end_headers()
        self.wfile.write(document.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it
        del format, args


class ExistingFlows:
    """The server, in a thread of the test's process."""

    def __init__(self) -> None:
        self.visits = _visits
        """Path and Call SID of every fetch."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
