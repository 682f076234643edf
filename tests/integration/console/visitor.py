"""Somebody's browser in front of the console, without the browser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from tests.integration.web.site import BASE, Site

HASH = generate_password_hash("fake-hashed", "pbkdf2:sha256:1000")
USERS = f"amy:fake-password,ben:{HASH}"


@dataclass
class Visitor:
    """Keeps its own cookies. `address` is as the proxy in front tells it."""

    site: Site
    address: str = "192.0.2.7"

    def __post_init__(self) -> None:
        self.client = self.site.app.test_client()

    def opens(self, path: str, **options: Any) -> TestResponse:
        return self._asks("GET", path, **options)

    def sends(self, path: str, form: dict[str, str], **options: Any) -> TestResponse:
        return self._asks("POST", path, data=form, **options)

    def _asks(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {"X-Forwarded-For": self.address, **options.pop("headers", {})}
        return self.client.open(f"/console{path}", method=method, base_url=BASE, headers=headers, **options)

    def signs_in(self, name: str, password: str, wanted: str = "") -> TestResponse:
        page = self.opens("/sign-in")
        return self.sends(
            "/sign-in", {"form_token": token_of(page), "name": name, "password": password, "next": wanted}
        )

    def presses(self, call_sid: str, slug: str, **form: str) -> TestResponse:
        """The button of a call's page."""
        page = self.opens(f"/calls/{call_sid}")
        return self.sends(f"/calls/{call_sid}/{slug}", {"form_token": token_of(page), **form})

    def reads(self, path: str) -> str:
        """The words of a page, without its tags."""
        page = self.opens(path)
        assert page.status_code == 200, page.status
        return words_of(page)


def token_of(page: TestResponse) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def words_of(page: TestResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())
