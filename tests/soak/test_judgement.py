"""The judge finds what is wrong: given by hand what it is otherwise told by the emulators."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest

from orchestrator.store.reading import CallReader
from tests.soak.callers import Caller, Private
from tests.soak.judgement import Evidence, Verdict
from tests.soak.lateness import Lateness
from tests.soak.site import SoakSite

SID = "CA" + "a" * 32
HELD, MADE, UNHELD = 100.0, 100.3, 120.0


def heard(
    until: float,
    *,
    told_at: float | None = HELD,
    read_at: float | None = None,
    outages: tuple[tuple[float, float, str], ...] = (),
    forgotten: tuple[tuple[float, float], ...] = (),
    heard_ms: dict[str, int] | None = None,
    late_s: float = 0.0,
) -> Verdict:
    """One hold from 100 to 120; ASAPP transcribes from 50 to `until`."""
    site = cast("SoakSite", None)
    caller = Caller(site, random.Random(0), sid=SID)  # noqa: S311  a repeatable call
    caller.private = [Private("wait", 40.0, 50.0), Private("hold", HELD, UNHELD, made=MADE)]
    session = {"started_at": 50.0, "stopped_at": until, "heard_ms": heard_ms or {}}
    stream = {"opened_at": 45.0, "closed_at": None, "open": True}
    seen: dict[str, Any] = {"sessions": [session], "streams": [stream], "heard_ms": heard_ms or {}}
    params = {"StatusCallbackEvent": "participant-hold", "ConferenceSid": "CF1"}
    joined = {"StatusCallbackEvent": "participant-join", "ConferenceSid": "CF1"}
    told = [{"at": 45.0, "status": 204, "params": joined}]
    told += [] if told_at is None else [{"at": told_at, "status": 204, "params": params}]
    path = "/2010-04-01/Accounts/AC1/Conferences/CF1/Participants.json"
    evidence = Evidence(
        asapp={SID: seen},
        twilio={},
        deliveries={SID: told},
        reads=[] if read_at is None else [{"at": read_at, "status": 200, "path": path}],
        outages=list(outages),
        forgotten=list(forgotten),
        store=cast("CallReader", None),
        lateness=Lateness(site, [caller], samples=[(HELD, late_s)]),
    )
    verdict = Verdict()
    evidence._hear(caller, verdict)
    return verdict


@pytest.mark.parametrize(("until", "frames"), [(99.0, 0), (103.4, 0), (104.5, 50), (130.0, 825)])
def test_transcribing_in_a_hold_counts_after_its_budget(until: float, frames: int) -> None:
    """3.5 s after the service was told, every 20 ms count, up to the end of the hold."""
    assert heard(until).unwanted_frames == frames


def test_outage_begins_the_budget_anew() -> None:
    """Without a worker until 105 the 3.5 s are over at 108.5; an outage before the hold changes nothing."""
    assert heard(108.0, outages=((101.0, 105.0, "killed"),)).unwanted_frames == 0
    assert heard(109.5, outages=((101.0, 105.0, "killed"),)).unwanted_frames == 50
    assert heard(104.5, outages=((80.0, 99.0, "killed"),)).unwanted_frames == 50


def test_nobody_can_act_on_a_hold_that_was_never_told() -> None:
    """A lost callback informs nobody, nor does one that a failover forgot."""
    assert heard(130.0, told_at=None).unwanted_frames == 0
    assert heard(130.0, forgotten=((99.5, 100.5),)).unwanted_frames == 0
    assert heard(130.0, forgotten=((98.5, 99.5),)).unwanted_frames > 0


def test_a_look_at_the_conference_informs_once_the_hold_is_made() -> None:
    """Before Twilio has done it a look does not show it."""
    assert heard(130.0, told_at=None, read_at=100.2).unwanted_frames == 0
    assert heard(104.8, told_at=None, read_at=100.3).unwanted_frames == 50


def test_private_audio_outside_every_stretch_counts() -> None:
    """A card number heard in a call without a card pause, or more hold music than the hold was heard."""
    assert heard(99.0, heard_ms={"payment": 1_000}).unwanted_frames == 50
    assert heard(102.0, heard_ms={"hold-music": 2_000}).unwanted_frames == 0
    assert heard(102.0, heard_ms={"hold-music": 8_000}).unwanted_frames > 0
    assert heard(102.0, heard_ms={"hold-music": 8_000}, late_s=3.0).unwanted_frames == 0
