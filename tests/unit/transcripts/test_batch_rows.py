"""The work file: whole files or nothing, the newest record, the right speaker, for its owner's eyes only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.asapp.exporter import STATES, UTTERANCES
from orchestrator.asapp.exporter_download import FeedRow
from orchestrator.transcripts.batch_rows import WorkFile


def row(message: str, at: str = "2026-11-21 09:00:00", *, company: str = "acme", **more: str | None) -> FeedRow:
    return FeedRow(
        company_marker=company,
        conversation_id="01C",
        message_id=message,
        external_conversation_id="CA1",
        chat_message_event_ts=at,
        **more,
    )


@pytest.fixture
def work(tmp_path: Path) -> Iterator[WorkFile]:
    with WorkFile(tmp_path / "deep" / "day.work") as made:
        yield made


def nothing() -> None:
    pass


def test_only_its_owner_reads_it(tmp_path: Path, work: WorkFile) -> None:
    """It holds words of conversations."""
    assert work.taken() == set()
    path = tmp_path / "deep" / "day.work"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_the_newest_wins_in_any_order_and_style_of_time(work: WorkFile) -> None:
    """By the row's own time; where that is the same, by what was read last."""
    rows = [
        row("m1", "2026-11-21T09:00:05Z", utterance="newest"),
        row("m1", "2026-11-21 09:00:04", utterance="older"),
        row("m2", utterance="first"),
        row("m2", utterance="second"),
    ]
    work.take("f", UTTERANCES, rows, nothing)
    assert [(each.message_id, each.text) for each in work.joined()] == [("m1", "newest"), ("m2", "second")]
    assert work.totals() == {"rows": 4, "unreadable": 0}


@pytest.mark.parametrize(
    ("sender", "agent", "role"),
    [
        ("SENDER_CUSTOMER", None, "customer"),
        ("SENDER_AGENT", "amy", "agent"),
        ("SENDER_REP", None, "agent"),
        ("agent", None, "agent"),
        ("Customer", None, "customer"),
        ("SENDER_SYSTEM", None, "system"),
        ("SENDER_BOT", None, "system"),
        (None, "amy", "agent"),
        (None, None, None),
    ],
)
def test_roles(work: WorkFile, sender: str | None, agent: str | None, role: str | None) -> None:
    """What is not documented is guessed from the word; what names nobody stays unknown."""
    work.take("u", UTTERANCES, [row("m1", utterance="words")], nothing)
    work.take("s", STATES, [row("m1", sender_type=sender, agent_metadata_external_agent_id=agent)], nothing)
    assert [each.role for each in work.joined()] == [role]


def test_keys_have_three_parts(work: WorkFile) -> None:
    """The same message id of another company is another message; states without an utterance tell nothing."""
    work.take(
        "u", UTTERANCES, [row("m", company="acme", utterance="a"), row("m", company="zeta", utterance="z")], nothing
    )
    states = [row("a"), row("m", company="zeta", sender_type="SENDER_AGENT"), row("z")]
    work.take("s", STATES, states, nothing)
    assert [(each.text, each.role) for each in work.joined()] == [("a", None), ("z", "agent")]


def test_half_a_file_is_none(work: WorkFile) -> None:
    """A file that breaks off leaves nothing behind, and can be taken again."""

    def broken() -> Iterator[FeedRow]:
        yield from [row(f"m{number}", utterance="words") for number in range(2500)]
        raise ConnectionError

    with pytest.raises(ConnectionError):
        work.take("u", UTTERANCES, broken(), nothing)
    assert (work.taken(), list(work.joined())) == (set(), [])
    work.take("u", UTTERANCES, [row("m1", utterance="words")], nothing)
    assert (work.taken(), len(list(work.joined()))) == ({"u"}, 1)


def test_unreadable_rows_are_counted(work: WorkFile) -> None:
    """A row without its message id or words is none; the others count."""
    assert work.take("u", UTTERANCES, [FeedRow(), row("m1"), row("m2", utterance="words")], nothing) == 3
    assert work.totals() == {"rows": 1, "unreadable": 2}
