"""`orchestrator transcript`: the same words, wherever they are kept."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from tests.integration.transcripts.conftest import Office
from tests.unit.transcripts.conversations import SID, given_call, heard, listed

CALL = given_call((40, 60, "hold"))


@pytest.fixture
def archived(office: Office) -> Office:
    office.put(CALL)
    office.hear(CALL, heard(12_000, 13_000, "hello there"), heard(45_000, 47_000, "fake card number"))
    office.lists([listed(13_000, "Hello there.")])
    office.look(CALL)
    return office


def transcript(office: Office, *arguments: str) -> str:
    done = CliRunner().invoke(main, ["transcript", SID, *arguments], env=office.environment)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("form", ["json", "text", "vtt"])
def test_the_archive_answers_when_redis_knows_it_no_more(archived: Office, form: str) -> None:
    """In each format the very same, fenced in both places."""
    before = transcript(archived, "--format", form)
    archived.services.redis.execute_command("FLUSHALL")
    assert transcript(archived, "--format", form) == before
    assert "hello there" in before
    assert "fake card" not in before


def test_json_is_the_contracts_transcript(archived: Office) -> None:
    """Without what the archive keeps beside it."""
    archived.services.redis.execute_command("FLUSHALL")
    told = json.loads(transcript(archived, "--format", "json"))
    assert {"call_sid", "complete", "utterances", "gaps", "pauses"} <= told.keys()
    assert not {"timeline", "schema"} & told.keys()


def test_a_call_that_nobody_knows_is_told_so(office: Office) -> None:
    """Exit 1."""
    done = CliRunner().invoke(main, ["transcript", SID], env=office.environment)
    assert done.exit_code == 1
    assert "No call is known" in done.output
