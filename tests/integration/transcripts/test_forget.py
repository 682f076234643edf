"""The right to erasure: out of Redis, out of the archive, and it stays out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from orchestrator.core.call import Call, Progress
from orchestrator.store.keys import PARKED
from orchestrator.store.utterances import Added
from orchestrator.transcripts.after_call import add_batch, work
from orchestrator.transcripts.archive import Archive
from tests.integration.transcripts.conftest import Office
from tests.unit.transcripts.conversations import SID, given_call, heard, listed

CALL = given_call()
WORDS = "my fake name is Robin"
SAID = heard(12_000, 13_000, WORDS)
DAY_S = 86_400


def forget(office: Office, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["forget", *arguments], env=office.environment)


def documents(office: Office) -> list[Path]:
    """All that is archived."""
    return [path for path in (office.folder / "archive").rglob("*") if path.is_file()]


@pytest.fixture
def archived(office: Office) -> Office:
    office.put(CALL)
    office.hear(CALL, SAID)
    office.lists([listed(13_000, WORDS)])
    office.look(CALL)
    assert WORDS in office.everything_kept()
    return office


def test_nothing_of_it_is_left(archived: Office) -> None:
    """Neither words nor the call itself; the mark that stays does not name it and lasts 40 days."""
    done = forget(archived, SID, "--yes")
    assert done.exit_code == 0, done.output
    kept = archived.everything_kept()
    assert WORDS not in kept
    assert SID not in kept
    assert archived.archived() is None
    mark = archived.services.store.keys.forgotten(SID)
    left_s = archived.services.redis.execute_command("TTL", mark)
    assert 40 * DAY_S - 60 < left_s <= 40 * DAY_S


def test_no_source_brings_the_words_back(archived: Office) -> None:
    """Late webhooks are answered 200 and dropped; the list and the batch feed are not kept either."""
    forget(archived, SID, "--yes")
    assert archived.post(CALL, SAID) == 200
    assert archived.hear(CALL, SAID) == [Added.FORGOTTEN]
    archived.put(CALL)  # a late callback of Twilio made the call known again
    assert archived.look(CALL) is None
    add_batch(archived.services, SID, [listed(13_000, WORDS)])
    assert archived.look(CALL) is None
    assert WORDS not in archived.everything_kept()
    assert archived.archived() is None


def test_a_call_that_redis_has_lost_is_found_in_the_archive(archived: Office) -> None:
    """Its day is not known any more; again is harmless."""
    archived.services.redis.execute_command("FLUSHALL")
    done = forget(archived, SID, "--yes")
    assert "Archive: 1 erased" in done.output
    assert archived.archived() is None
    assert "Archive: nothing there" in forget(archived, SID, "--yes").output


def test_a_call_that_became_known_anew_is_found_in_the_archive(archived: Office) -> None:
    """By a late callback, the day after Redis had lost it."""
    archived.services.redis.execute_command("FLUSHALL")
    archived.put(msgspec.structs.replace(CALL, created_at=CALL.created_at + DAY_S * 1000))
    assert "Archive: 1 erased" in forget(archived, SID, "--yes").output
    assert archived.archived() is None


def test_documents_of_several_days_all_go(archived: Office) -> None:
    """Known anew after Redis had lost it, the call was archived a second time: a day later."""
    archived.services.redis.execute_command("FLUSHALL")
    again = msgspec.structs.replace(CALL, created_at=CALL.created_at + DAY_S * 1000, segments=())
    archived.put(again)
    work(archived.services, SID)
    assert len(documents(archived)) == 2
    assert "Archive: 2 erased" in forget(archived, SID, "--yes").output
    assert documents(archived) == []


def test_a_worker_killed_while_it_archived_leaves_nothing(archived: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """It had read the words before they were erased and wrote them after; who takes over erases them."""

    class Killed(BaseException):
        """Nobody catches it, as nobody catches the end of a process."""

    def write(archive: Archive, call: Call, document: dict[str, Any]) -> bool:
        forget(archived, SID, "--yes")
        whole(archive, call, document)
        raise Killed

    whole = Archive.write
    with monkeypatch.context() as patched:
        patched.setattr(Archive, "write", write)
        with pytest.raises(Killed):
            work(archived.services, SID)
    assert WORDS in archived.everything_kept()
    assert work(archived.services, SID) is None
    assert documents(archived) == []
    assert WORDS not in archived.everything_kept()


def test_a_parked_call_is_in_no_list(archived: Office) -> None:
    """Nobody could work on it; that is told by its SID."""
    archived.services.redis.execute_command("ZADD", PARKED, archived.services.clock.now_ms(), SID)
    forget(archived, SID, "--yes")
    assert SID not in archived.everything_kept()


def test_it_asks_first_and_spares_a_call_that_goes_on(archived: Office) -> None:
    """Exit 1 and nothing erased, exit 2 for what is no SID."""
    assert forget(archived, SID).exit_code == 1
    assert forget(archived, "CA1", "--yes").exit_code == 2
    archived.put(msgspec.structs.replace(CALL, progress=Progress.IN_PROGRESS, ended_at=None))
    assert forget(archived, SID, "--yes").exit_code == 1
    assert WORDS in archived.everything_kept()
