"""No secret and no phone number gets through the log."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from orchestrator import log

CANARIES = ("+15555550101", "5555550101", "canary")


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, object]]]]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    log.configure("json", "info", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_values_are_cleaned_whatever_their_shape(lines: Callable[[], list[dict[str, object]]]) -> None:
    """Numbers keep their last four digits; what is named like a secret is gone; URLs lose what may be secret."""
    log.get_logger("t").info(
        "call arrived",
        call_sid="CA" + "0" * 32,
        caller="+15555550101",
        called_number=15555550101,
        auth_token="canary",
        nested={"api-key": "canary", "deep": ["tel 5555550101", {"Authorization": "canary"}]},
        url="https://user:canary@h.example/p?token=canary#canary",
        media="wss://h.example/canary",
        path="/asapp/transcripts?name=canary",
        elapsed_ms=1_700_000_000_000,
    )
    (line,) = lines()
    assert not [canary for canary in CANARIES if canary in json.dumps(line)]
    assert line["call_sid"] == "CA" + "0" * 32
    assert line["caller"] == "...0101"
    assert line["url"] == "https://h.example/p"
    assert line["elapsed_ms"] == 1_700_000_000_000
    assert line["event"] == "call arrived"


def test_libraries_and_tracebacks_are_cleaned_too(lines: Callable[[], list[dict[str, object]]]) -> None:
    """A foreign log line and an exception's text go the same way, one line each."""
    logging.getLogger("library").warning("dialled %s\nat %s", "+15555550101", "wss://h.example/canary")
    try:
        int("number +15555550101 wss://h.example/canary")
    except ValueError:
        log.get_logger("t").exception("failed")
    found = lines()
    assert len(found) == 2
    assert not [canary for canary in CANARIES if canary in json.dumps(found)]


def test_a_forged_line_break_stays_inside_its_line(lines: Callable[[], list[dict[str, object]]]) -> None:
    """A value cannot start a log line of its own."""
    log.get_logger("t").info("x", name='amy\n{"event": "forged"}')
    assert len(lines()) == 1
