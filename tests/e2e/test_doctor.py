"""`orchestrator doctor` on a running site: what it finds wrong, and that its fixes are fixes."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.harness import AUTH_TOKEN, NUMBER, Json, Site
from tests.e2e.numbers import WORKFLOW
from tests.e2e.processes import poll

WORKSPACE = "WS" + "0" * 32


@pytest.fixture(scope="module")
def own_site() -> Iterator[Site]:
    """A site whose account these tests may change."""
    with Site() as site:
        site.twilio("workspace", {"workspace_sid": WORKSPACE, "event_callback_url": "", "workflows": [WORKFLOW]})
        yield site


def run(site: Site, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "orchestrator", *arguments],
        env={**site.environment(), **changes},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def findings(site: Site, *arguments: str, **changes: str) -> dict[str, list[Json]]:
    """By what was checked."""
    told = json.loads(run(site, "doctor", "--json", *arguments, **changes).stdout)
    found: dict[str, list[Json]] = {}
    for finding in told["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return found


def statuses(found: list[Json]) -> set[str]:
    return {finding["status"] for finding in found}


def test_whatever_it_finds_wrong_at_twilio_its_fix_makes_right(own_site: Site) -> None:
    """Numbers and a workspace that point elsewhere fail, each with a command; after those commands all is well."""
    site = own_site
    site.twilio("numbers", {"phone_number": NUMBER, "voice_url": f"{site.web_url}/twilio/voice", "voice_method": "GET"})
    first = run(site, "doctor")
    assert first.returncode == 1
    assert "voice_method is GET, must be POST" in first.stdout
    fixes = [line.partition("fix: ")[2] for line in first.stdout.splitlines() if "fix: orchestrator setup" in line]
    assert any("--workspace" in fix for fix in fixes)
    for fix in fixes:
        applied = run(site, *shlex.split(fix)[1:])
        assert applied.returncode == 0, applied.stdout + applied.stderr
    second = run(site, "doctor")
    assert second.returncode == 0, second.stdout
    assert "  ok  signatures: a signed request is accepted, an unsigned one refused" in second.stdout
    assert "  ok  workers: 1 alive" in second.stdout
    assert f"  ok  number {NUMBER}: comes here" in second.stdout


def test_asking_the_site_changes_nothing(own_site: Site) -> None:
    """The signed request to itself makes no call, and nothing at the vendors is written."""
    before = [row for row in own_site.twilio("requests") if row["method"] != "GET"]
    calls = own_site.api("/calls")
    run(own_site, "doctor")
    assert [row for row in own_site.twilio("requests") if row["method"] != "GET"] == before
    assert own_site.api("/calls") == calls


def test_another_token_is_found_at_twilio_and_at_the_site(own_site: Site) -> None:
    """Both say 403 to it; the fixes name the token."""
    found = findings(own_site, TWILIO_AUTH_TOKEN="fake-other-token")
    assert statuses(found["auth token"]) == {"fail"}
    assert "primary auth token" in found["auth token"][0]["fix"]
    (signatures,) = found["signatures"]
    assert (signatures["status"], "TWILIO_AUTH_TOKEN" in signatures["fix"]) == ("fail", True)


def test_another_name_of_the_site_is_told_with_the_setting(own_site: Site) -> None:
    """PUBLIC_BASE_URL is what the numbers say; what runs was given another: its own help names both."""
    other = own_site.web_url.replace("127.0.0.1", "localhost")

    def look() -> dict[str, list[Json]] | None:
        """The site looks at one refusal in a second: one of another test's may have been just before ours."""
        found = findings(own_site, PUBLIC_BASE_URL=other)
        return found if "webhooks" in found else None

    found = poll(look, 30, "the site told what it refused")
    assert statuses(found["signatures"]) == {"fail"}
    (refused,) = found["webhooks"]
    assert f"{other}/twilio/voice-fallback" in refused["told"]
    assert f"set PUBLIC_BASE_URL to {other}" in refused["fix"]
    assert AUTH_TOKEN not in json.dumps(found)


def test_a_path_that_leads_nowhere_is_told(own_site: Site) -> None:
    """The host answers, and not as this service does; that it is this machine alone is only noted."""
    found = findings(own_site, PUBLIC_BASE_URL=f"{own_site.web_url}/prefix")
    assert statuses(found["public URL"]) == {"note", "fail"}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:1", "nobody answers"),
        ("https://127.0.0.1:{port}", "its certificate is not accepted"),
    ],
)
def test_an_address_that_leads_nowhere_is_told(own_site: Site, url: str, told: str) -> None:
    """With the reason."""
    port = own_site.web_url.rpartition(":")[2]
    found = findings(own_site, PUBLIC_BASE_URL=url.format(port=port))
    failed = [finding for finding in found["public URL"] if finding["status"] == "fail"]
    assert told in failed[0]["told"]
    assert failed[0]["fix"]


def test_something_else_at_the_address_is_told(own_site: Site) -> None:
    """Another server that answers is not this service."""
    found = findings(own_site, PUBLIC_BASE_URL=own_site.twilio_url)
    assert any("not as this service does" in finding["told"] for finding in found["public URL"])


def test_vendors_that_refuse_are_told(own_site: Site) -> None:
    """Wrong credentials of ASAPP, of an API key, and the numbers that then cannot be read."""
    found = findings(
        own_site, ASAPP_API_SECRET="fake-wrong", TWILIO_API_KEY="SK" + "9" * 32, TWILIO_API_SECRET="fake-wrong"
    )
    for check in ("asapp", "twilio", "numbers"):
        assert statuses(found[check]) == {"fail"}, found[check]
        assert found[check][0]["fix"]
    assert statuses(found["auth token"]) == {"ok"}


def test_a_stream_url_with_a_query_is_told(own_site: Site) -> None:
    """Twilio would drop it."""
    own_site.asapp("switches", {"stream-url-form": "query"})
    try:
        found = findings(own_site)
    finally:
        own_site.asapp("switches", {"stream-url-form": "path"})
    assert statuses(found["stream URL"]) == {"fail"}


def test_a_release_asks_no_vendor(own_site: Site) -> None:
    """With both vendors away it is content."""
    nowhere = "http://127.0.0.1:1"
    done = run(own_site, "doctor", "--release", TWILIO_API_BASE_URL=nowhere, ASAPP_API_BASE_URL=nowhere)
    assert done.returncode == 0, done.stdout
    assert not any(word in done.stdout for word in ("twilio", "asapp", "public URL"))
