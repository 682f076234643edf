"""What doctor says of a site's archive; the rest of it is tested on running sites."""

from __future__ import annotations

from pathlib import Path

from orchestrator.diagnosis.finding import FAIL, OK
from orchestrator.diagnosis.site import archive
from orchestrator.settings import Settings

GOOD = {
    "PUBLIC_BASE_URL": "https://calls.example.com",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "fake-token",
    "ASAPP_API_ID": "fake-id",
    "ASAPP_API_SECRET": "fake-secret",
}


def look(url: str | None) -> list[tuple[str, str]]:
    settings = Settings.from_environment({**GOOD, **({"ARCHIVE_URL": url} if url else {})}, needs_redis=False)
    return [(finding.status, finding.told) for finding in archive(settings)]


def test_an_archive_that_can_be_read_is_well(tmp_path: Path) -> None:
    """Also before the first document; looking makes no folder."""
    assert look((tmp_path / "new").as_uri()) == [(OK, "can be looked at; it is empty so far")]
    assert not (tmp_path / "new").exists()
    assert look(tmp_path.as_uri()) == [(OK, "can be looked at")]


def test_an_archive_that_does_not_let_us_look_is_told() -> None:
    """By the kind of its error, without its address."""
    ((status, told),) = look("ftp://127.0.0.1:1/archive")
    assert (status, told) == (FAIL, "ARCHIVE_URL cannot be looked at (ConnectionRefusedError)")


def test_without_an_archive_there_is_nothing_to_say() -> None:
    """That there is none is told with what a site left out."""
    assert look(None) == []
