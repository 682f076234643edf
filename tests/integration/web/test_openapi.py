"""The OpenAPI document: made of the views, true to the answers, and nothing that it allows breaks the service."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.web.operations import operation_of
from orchestrator.web.shapes import CallShown, CallsShown, ProblemDetails, TimelineShown, TranscriptShown
from tests.integration.conftest import RedisServer
from tests.integration.web.processes import GUNICORN, base, is_up, running
from tests.integration.web.site import CALL, Site

Eventually = Callable[[Callable[[], object]], None]
AGENT = "CA" + "b" * 32


def test_every_call_of_the_api_is_in_the_document(site: Site) -> None:
    """Anybody may read it; a view that declares nothing fails here."""
    document = site.client.get("/api/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    rules = [rule for rule in site.app.url_map.iter_rules() if rule.rule.startswith("/api/v1")]
    assert all(operation_of(site.app.view_functions[rule.endpoint]) for rule in rules)
    told = {(path, method) for path, methods in document["paths"].items() for method in methods}
    expected = {
        (rule.rule.replace("<sid>", "{call_sid}"), method.lower())
        for rule in rules
        for method in rule.methods or ()
        if method in {"GET", "POST"}
    }
    assert told == expected
    assert len(told) == 8


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (f"/calls/{CALL}", CallShown),
        ("/calls", CallsShown),
        (f"/calls/{CALL}/timeline", TimelineShown),
        (f"/calls/{CALL}/transcript", TranscriptShown),
        ("/calls/CA1", ProblemDetails),
    ],
)
def test_answers_have_exactly_the_documented_fields(site: Site, path: str, shape: Any) -> None:
    """None more, none less, of the documented types."""
    site.arrive()
    site.report(CALL, type="agent-connected", agent_id="amy", agent_leg=AGENT)
    site.report(CALL, type="pause", reason="payment")
    msgspec.json.decode(site.api("GET", path).data, type=shape)


def test_the_page_shows_every_call_without_a_script(site: Site) -> None:
    """Under a policy that allows no script at all, and nothing from elsewhere."""
    page = site.client.get("/api/docs")
    text = page.get_data(as_text=True)
    for path in site.client.get("/api/openapi.json").get_json()["paths"]:
        assert path in text
    assert "<script" not in text
    assert "http://" not in text
    assert "https://" not in text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    with site.client.get("/api/docs.css") as sheet:
        assert sheet.content_type.startswith("text/css")


@pytest.mark.parametrize("call_sid", [None, CALL])
def test_schemathesis_finds_nothing(
    site: Site,
    environ: dict[str, str],
    redis_server: RedisServer,
    tmp_path: Path,
    eventually: Eventually,
    call_sid: str | None,
) -> None:
    """Against a real server: whatever the document allows is answered as documented, all else refused; seeded.

    For a call that is known and for any SID. Streams do not end by themselves and have tests of their own.
    """
    site.arrive()
    site.report(CALL, type="agent-connected", agent_id="amy")
    environ |= {"REDIS_URL": redis_server.url, "AGENT_API_KEYS": "desk:fake-key", "AGENT_API_RPS": "10000"}
    if call_sid is not None:
        (tmp_path / "schemathesis.toml").write_text(f'[parameters]\n"path.call_sid" = "{call_sid}"\n')
    with running(GUNICORN, environ, tmp_path / "log"):
        eventually(lambda: is_up(environ))
        done = subprocess.run(  # noqa: S603  ours
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                f"{base(environ)}/api/openapi.json",
                "--header=Authorization: Bearer fake-key",
                "--exclude-path-regex=/stream$",
                "--checks=all",
                "--phases=examples,coverage,fuzzing",
                "--max-examples=25",
                "--seed=1",
                "--generation-deterministic",
                "--suppress-health-check=all",
                "--continue-on-failure",
                "--no-color",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "No issues found" in done.stdout
    assert '"error_id": "internal"' not in (tmp_path / "log").read_text()
