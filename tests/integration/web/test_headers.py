"""Strict headers on every answer, whatever was asked and however it went."""

from __future__ import annotations

import pytest
from flask import request
from werkzeug.test import TestResponse

from tests.integration.conftest import RedisServer
from tests.integration.web.site import CALL, MakeSettings, Site, open_site

STRICT = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}


def answers(site: Site) -> list[TestResponse]:
    """Each route by each method, and what no route takes."""
    asked = []
    for rule in site.app.url_map.iter_rules():
        path = rule.rule.replace("<call_sid>", CALL)
        if "<" not in path and "/stream" not in path:
            asked += [site.client.open(path, method=method) for method in ("GET", "POST", "OPTIONS", "DELETE")]
    return [*asked, site.client.get("/nowhere"), site.client.post("/twilio/voice", data="a=" + "b" * 70_000)]


def test_every_answer_is_strict(site: Site) -> None:
    """Nothing is sniffed, framed, kept by others or asked for without TLS; a page runs scripts of its own only."""
    found = answers(site)
    assert len({answer.status_code for answer in found}) > 4
    for answer in found:
        for name, value in STRICT.items():
            assert answer.headers.get(name) == value, f"{answer.request.path}: {name}"
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy, answer.request.path
        is_for_all = answer.request.path.endswith((".css", ".js", ".svg"))
        assert "no-store" in answer.headers["Cache-Control"] or is_for_all, answer.request.path
        answer.close()  # some are files


@pytest.mark.parametrize(("proxies", "seen"), [("0", "10.0.0.9"), ("1", "198.51.100.7"), ("2", "203.0.113.5")])
def test_forwarded_addresses_count_for_as_many_proxies_as_are_trusted(
    redis_server: RedisServer, make_settings: MakeSettings, site: Site, proxies: str, seen: str
) -> None:
    """What a client adds on the left is never believed."""
    other = open_site(make_settings(redis_server.url, TRUSTED_PROXIES=proxies), site.vendor)
    other.app.add_url_rule("/address", view_func=lambda: str(request.remote_addr))
    forwarded = {"X-Forwarded-For": "192.0.2.1, 203.0.113.5, 198.51.100.7"}
    answer = other.client.get("/address", headers=forwarded, environ_base={"REMOTE_ADDR": "10.0.0.9"})
    assert answer.text == seen
    other.services.close()


def test_without_tls_no_browser_is_told_to_ask_for_it(
    redis_server: RedisServer, make_settings: MakeSettings, site: Site
) -> None:
    """A loopback address stays usable."""
    local = open_site(make_settings(redis_server.url, PUBLIC_BASE_URL="http://127.0.0.1:8000"), site.vendor)
    assert "Strict-Transport-Security" not in local.client.get("/healthz").headers
    local.services.close()
