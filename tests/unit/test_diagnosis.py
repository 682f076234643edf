"""What doctor says of an archive and of refusals; the rest of it is tested on running sites."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.actions import Outcome, Verdict
from orchestrator.diagnosis.finding import FAIL, OK, is_unreached, refusal
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


@pytest.mark.parametrize(
    ("outcome", "told", "unreached"),
    [
        (Outcome(verdict=Verdict.REFUSED_FOR_NOW, detail="not sent: SSLError"), "cannot be reached (SSLError)", True),
        (Outcome(verdict=Verdict.UNKNOWN, detail="no answer: deadline"), "does not answer (deadline)", True),
        (Outcome(verdict=Verdict.TERMINAL, code="20003", detail="Authenticate"), "refused 20003: Authenticate", False),
        (Outcome(verdict=Verdict.NOT_FOUND, code="20404", detail="no such"), "not found 20404: no such", False),
        (Outcome(verdict=Verdict.FAILED, code="500"), "refused 500: failed", False),
    ],
)
def test_a_refusal_is_told_in_words(outcome: Outcome, told: str, unreached: bool) -> None:
    """Whether a vendor was reached decides what to look at."""
    assert (refusal(outcome), is_unreached(outcome)) == (told, unreached)
