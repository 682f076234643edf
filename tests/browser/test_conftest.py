"""The fixtures themselves: what they promise to notice, they notice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.browser.conftest import PHONE, OpenPage, width_beyond

_PAGE = b"""<!doctype html><link rel="icon" href="data:,">
<script>document.title = "inline"</script>
<p style="width: 500px">wide</p>"""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:")
        self.end_headers()
        self.wfile.write(_PAGE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def strict_site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_inline_script_under_a_strict_policy_is_noticed(
    strict_site: str, open_page: OpenPage, page_errors: list[str]
) -> None:
    """A page that breaks its own content policy fails its test."""
    page = open_page(strict_site)
    assert page.title() != "inline"
    assert [error for error in page_errors if "Content Security Policy" in error]
    page_errors.clear()


def test_a_page_that_is_too_wide_for_a_phone_is_noticed(
    strict_site: str, open_page: OpenPage, page_errors: list[str]
) -> None:
    """A page that must be scrolled sideways on a phone is seen to."""
    page = open_page(strict_site, size=PHONE)
    assert width_beyond(page) > 0
    page_errors.clear()
