"""Times and lines of the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest

from orchestrator.cli.layout import counted, wrapped
from orchestrator.cli.times import clock, moment_in_call

BEGAN = round(datetime(2026, 1, 2, 23, 59, 30, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("23:59:40", "2026-01-02T23:59:40+00:00"),
        ("23:59:40.250", "2026-01-02T23:59:40.250+00:00"),
        ("23:59", "2026-01-02T23:59:00+00:00"),
        ("00:00:10", "2026-01-03T00:00:10+00:00"),
        ("2026-01-02T23:59:40Z", "2026-01-02T23:59:40+00:00"),
        ("2026-01-02 23:59:40", "2026-01-02T23:59:40+00:00"),
        ("2026-01-03T01:59:40+02:00", "2026-01-02T23:59:40+00:00"),
    ],
)
def test_a_time_of_day_is_the_first_one_of_the_call(text: str, meant: str) -> None:
    """Over midnight it is the next day's; a minute before the call still is the call's day."""
    assert moment_in_call(text, BEGAN) == round(datetime.fromisoformat(meant).timestamp() * 1000)


@pytest.mark.parametrize("text", ["noon", "25:00", "12:03:10Zulu", "2026-13-01T00:00:00Z", ""])
def test_what_is_no_time_is_a_usage_error(text: str) -> None:
    """With the forms that are."""
    with pytest.raises(click.BadParameter, match="12:03:10"):
        moment_in_call(text, BEGAN)


def test_a_clock_has_milliseconds() -> None:
    """In UTC."""
    assert clock(BEGAN + 250) == "23:59:30.250"


def test_text_stays_to_the_right_of_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken at the terminal's width, and never wider than 120."""
    monkeypatch.setenv("COLUMNS", "40")
    lines = wrapped("12:03:10", "one two three four five six seven eight", 10).splitlines()
    assert lines == ["12:03:10  one two three four five six", "          seven eight"]
    monkeypatch.setenv("COLUMNS", "500")
    assert max(len(line) for line in wrapped("", "word " * 100, 0).splitlines()) <= 120


def test_one_is_not_many() -> None:
    """English."""
    assert [counted(number, "call") for number in (0, 1, 2)] == ["0 calls", "1 call", "2 calls"]
