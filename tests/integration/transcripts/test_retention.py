"""The archive's retention in the workers: what is too old goes, once for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.transcripts.retention import Retention
from tests.integration.conftest import RedisServer
from tests.integration.transcripts.conftest import Office, open_office
from tests.unit.transcripts.conversations import given_call, listed

CALL = given_call()
"""Of 2023."""


def given_archived(office: Office) -> None:
    office.put(CALL)
    office.lists([listed(13_000, "hello")])
    office.look(CALL)
    assert office.archived() is not None


@pytest.mark.usefixtures("redis")
def test_one_worker_deletes_what_is_too_old(redis_server: RedisServer, tmp_path: Path) -> None:
    """The others have nothing to do for the next hours, nor has it itself."""
    with open_office(redis_server, tmp_path, ARCHIVE_TTL_DAYS="30") as office:
        given_archived(office)
        first, second = Retention(office.services), Retention(office.services)
        assert first.look() == 1
        assert office.archived() is None
        assert (first.look(), second.look()) == (None, None)


@pytest.mark.usefixtures("redis")
@pytest.mark.parametrize("days", ["36500", ""])
def test_what_is_to_be_kept_is(redis_server: RedisServer, tmp_path: Path, days: str) -> None:
    """For the days that the site says; without ARCHIVE_TTL_DAYS for good."""
    with open_office(redis_server, tmp_path, ARCHIVE_TTL_DAYS=days) as office:
        given_archived(office)
        assert not Retention(office.services).look()
        assert office.archived() is not None
