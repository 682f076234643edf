"""The JavaScript client in a page of another origin than the service, as a company's desktop is."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.e2e.harness import CUSTOMER, DESKTOP_KEY, FLOW_NUMBER, Site
from tests.e2e.processes import ROOT

_PAGE = b"""<!doctype html><title>-</title><link rel="icon" href="data:,"><script type="module">
import { Desktop, transcriptionOf } from "/src/index.js";
const RETRY = { firstMs: 50, mostMs: 500 };
const { baseUrl, token, callSid } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
window.call = new Desktop({ baseUrl, getToken: () => token, retry: RETRY, silenceMs: 1000 }).call(callSid);
let connections = 0;
window.call.subscribe((view) => {
  if (view.connection === "live" && !document.title.startsWith("live")) connections += 1;
  document.title = `${view.connection} ${transcriptionOf(view)} ${connections}`;
});
</script>"""


class _Handler(SimpleHTTPRequestHandler):
    """The client's files, and a page that uses them."""

    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(_PAGE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture(scope="module")
def desktop_origin() -> Iterator[str]:
    handler = partial(_Handler, directory=str(ROOT / "examples" / "javascript"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def site(desktop_origin: str) -> Iterator[Site]:
    with Site("serve", environment={"AGENT_API_ORIGINS": desktop_origin}) as running:
        yield running


@pytest.fixture
def address(site: Site, desktop_origin: str) -> Iterator[str]:
    """The page for a call that is being transcribed, with a token for it."""
    sid: str = site.twilio("calls", {"from": CUSTOMER, "to": FLOW_NUMBER})["sid"]
    site.twilio(f"calls/{sid}/agent-joins", {"label": "agent-amy", "client": "agent-amy"})
    site.api(f"/calls/{sid}/events?wait=3000", {"type": "agent-connected", "agent_id": "amy"})
    token = site.api("/tokens", {"agent_id": "amy", "call_sid": sid}, key=DESKTOP_KEY)["token"]
    yield f"{desktop_origin}/#{urlencode({'baseUrl': site.web_url, 'token': token, 'callSid': sid})}"
    site.twilio(f"calls/{sid}/hangup", {})


def test_it_follows_and_steers_a_call_of_another_origin(
    address: str, open_page: OpenPage, page_errors: list[str]
) -> None:
    """A configured origin may follow a call, report a hold, and come back after a break with its place."""
    page = open_page(address)
    places: list[str] = []
    page.on("request", lambda request: places.append(request.headers.get("last-event-id", "")))
    expect(page).to_have_title(re.compile("live on"))
    page.evaluate("call.hold()")
    expect(page).to_have_title(re.compile("live off"))
    # On hold nothing is said, and this client takes a silence of a second for a break.
    expect(page).to_have_title(re.compile("live off [3-9]"))
    assert len([place for place in places if place]) >= 2
    page.evaluate("call.unhold()")
    expect(page).to_have_title(re.compile("live on"))
    assert not page_errors


def test_an_origin_that_is_not_configured_learns_nothing(
    address: str, open_page: OpenPage, page_errors: list[str]
) -> None:
    """The same page from elsewhere is refused by the browser, whatever token it has."""
    page = open_page(address.replace("127.0.0.1", "localhost", 1))
    expect(page).to_have_title("offline unknown 0")
    assert page.evaluate("call.view.call") is None
    assert any("CORS" in error for error in page_errors)
    page.close()  # it tries again and again
    page_errors.clear()
