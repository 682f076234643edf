"""`calls`, `explain`, `events` and `replay` on calls that a real Redis holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from click.testing import Result
from msgspec.structs import replace

from orchestrator.core import events as e
from orchestrator.services import Services, build
from orchestrator.settings import Settings
from orchestrator.shown import event_json, moment
from orchestrator.store.connect import Redis
from orchestrator.transcripts import view
from orchestrator.transcripts.archive import Archive, archive_document
from tests.integration.cli.conftest import Run
from tests.integration.conftest import RedisServer
from tests.unit.narration.story import AMY, CALL, T0, held_once

OTHER = "CA" + "9" * 32


@dataclass
class Site:
    services: Services
    run: Callable[..., Result]


@pytest.fixture
def site(redis: Redis, redis_server: RedisServer, environment: dict[str, str], run: Run) -> Iterator[Site]:
    """A call that was held once, and has ended."""
    del redis  # empties the server
    services = build(Settings.from_environment({**environment, "REDIS_URL": redis_server.url}))
    first, *rest = (entry.event for entry in held_once()[1])
    assert isinstance(first, e.CallArrived)
    services.store.begin(first, indexes=(("leg", AMY),))
    for event in rest:
        assert event is not None
        services.store.apply(CALL, event)
    yield Site(services, lambda *arguments: run(redis_server.url, *arguments))
    services.close()


def another(site: Site) -> None:
    """A call that waits for an agent."""
    first = held_once()[1][0].event
    assert isinstance(first, e.CallArrived)
    site.services.store.begin(e.CallArrived(at=T0 + 60_000, call_sid=OTHER, profile=first.profile, has_stream_url=True))


def test_calls_are_listed_newest_first_and_filtered(site: Site) -> None:
    """One line each, within 80 columns; --state and --live choose; --json is the API's."""
    another(site)
    lines = site.run("calls").output.splitlines()
    assert [line.split()[2] for line in lines] == [OTHER, CALL]
    assert all(len(line) <= 80 for line in lines)
    assert "12:00:00" in lines[1]
    assert CALL not in site.run("calls", "--live").output
    (only,) = site.run("calls", "--state", "ended", "--json").output.splitlines()
    assert (json.loads(only)["call_sid"], json.loads(only)["state"]) == (CALL, "ended")


@pytest.mark.parametrize("arguments", [("--state", "nonsense"), ("--watch",), ("--limit", "0")])
def test_what_calls_cannot_do_is_a_usage_error(site: Site, arguments: tuple[str, ...]) -> None:
    """Exit 2: an unknown state, a table that keeps itself up to date where there is no terminal."""
    assert site.run("calls", *arguments).exit_code == 2


def test_a_call_is_told_in_sentences(site: Site) -> None:
    """With its times, its changes of state and how much of it was transcribed; by any of its legs."""
    told = site.run("explain", AMY).output
    assert told.startswith(f"{CALL}: ended, transcription ")
    assert "2026-01-02, 12:00:00.000 to 12:00:30.000 (UTC)" in told
    assert "12:00:10.000  The customer was put on hold. -> pausing" in told
    assert "12:00:05.100 ASAPP: done, 0.09 s of audio (start-transcription). -> transcribing" in " ".join(told.split())
    assert "s of talk were transcribed" in told
    assert all(len(line) <= 80 for line in told.splitlines())


def test_why_not_between_two_times_is_answered(site: Site) -> None:
    """What was so, since when, and which event began it."""
    told = site.run("explain", CALL, "--from", "12:00:12", "--to", "2026-01-02T12:00:21Z").output
    assert "Transcribed for 0.6 of 9 s." in told
    assert "12:00:12.000 to 12:00:20.000 (8 s)  not transcribed" in told
    words = " ".join(told.split())
    assert "paused: the customer was on hold in the conference, since 12:00:10.100." in words
    assert "Because, 12:00:10.000: The customer was put on hold." in words
    (moment,) = json.loads(site.run("explain", CALL, "--at", "12:00:10.050", "--json").output)["stretches"]
    assert (moment["heard"], moment["cause"]) == ("perhaps", "The customer was put on hold")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--from", "noon"), 2),
        (("--from", "12:00:20", "--to", "12:00:10"), 2),
        (("--at", "12:00:10", "--to", "12:00:20"), 2),
        (("--at", "2026-01-01T00:00:00Z"), 1),
    ],
)
def test_times_that_cannot_be_answered(site: Site, arguments: tuple[str, ...], code: int) -> None:
    """Exit 2 for what is no time, 1 for a time of which nothing is known."""
    assert site.run("explain", CALL, *arguments).exit_code == code


def test_a_call_that_redis_knows_no_more_is_told_from_the_archive(site: Site) -> None:
    """The same sentences and the same answers; only what a profile said is not there."""
    url = site.services.settings.archive_url
    call = site.services.store.load(CALL)
    assert url is not None
    assert call is not None
    timeline = [
        {"at": moment(each.at), "event": each.name, "state": each.state, "detail": event_json(each.event)}
        for each in site.services.store.timeline(CALL)
    ]
    transcript = view.transcript_of(site.services, CALL)
    Archive(url).write(call, archive_document(call, transcript, timeline))
    before = site.run("explain", CALL).output
    asked = ("explain", CALL, "--from", "12:00:06", "--json")
    answer = json.loads(site.run(*asked).output)["stretches"]
    site.services.redis.execute_command("FLUSHALL")
    after = site.run("explain", CALL).output
    assert json.loads(site.run("transcript", CALL, "--json").output) == transcript
    assert site.run("transcript", OTHER).exit_code == 1
    second = "12:00:00.500"
    assert after.partition(second)[2] == before.partition(second)[2] != ""
    assert after.startswith(f"{CALL}: ended")
    assert json.loads(site.run(*asked).output)["stretches"] == answer
    assert site.run("explain", OTHER).exit_code == 1


def test_what_changed_nothing_is_shown_when_asked_for(site: Site) -> None:
    """A repeated message is counted, and told with --all."""
    site.services.store.apply(CALL, e.UtterancesHeard(at=T0 + 40_000, until=1))
    assert "1 message that changed nothing" in site.run("explain", CALL).output
    assert "(unchanged)" in site.run("explain", CALL, "--all").output


def test_an_event_by_hand_is_stored_as_the_desktop_s(site: Site) -> None:
    """Its effect shows, its source is the command line, and the same id again does nothing."""
    another(site)
    assert site.run("events", OTHER, "agent-connected", "--agent-id", "bea").exit_code == 0
    done = site.run("events", OTHER, "pause", "--reason", "payment", "--event-id", "e1", "--json")
    assert done.exit_code == 0
    assert [pause["reason"] for pause in json.loads(done.output)["pauses"]] == ["payment"]
    version = json.loads(done.output)["version"]
    again = site.run("events", OTHER, "pause", "--reason", "payment", "--event-id", "e1", "--json")
    assert json.loads(again.output)["version"] == version
    assert "Desktop command-line paused transcription: payment" in site.run("explain", OTHER).output


def test_waiting_ends_with_what_is_so(site: Site) -> None:
    """Exit 0 once all is as wanted, 1 when it is not in time: no worker runs here."""
    another(site)
    assert site.run("events", OTHER, "hold", "--wait", "5").exit_code == 0
    assert site.run("events", OTHER, "unhold").exit_code == 0
    assert site.run("events", OTHER, "agent-connected", "--agent-id", "bea", "--wait", "0.2").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((CALL, "nonsense"), 2),
        ((CALL, "agent-connected"), 2),
        ((CALL, "pause", "--reason", "NOT A REASON"), 2),
        (("CA" + "0" * 32, "hold"), 1),
    ],
)
def test_events_that_are_none(site: Site, arguments: tuple[str, ...], code: int) -> None:
    """Exit 2 for what no desktop may say, 1 for a call that is not known: none is begun by a slip."""
    assert site.run("events", *arguments).exit_code == code
    assert site.services.store.load("CA" + "0" * 32) is None


def test_a_replay_of_this_release_s_own_call_finds_no_difference(site: Site) -> None:
    """Exit 0, and the call is as before."""
    before = site.services.store.load(CALL)
    done = site.run("replay", CALL)
    assert (done.exit_code, "no difference" in done.output) == (0, True), done.output
    assert site.services.store.load(CALL) == before


def test_a_replay_shows_where_it_would_decide_otherwise(site: Site) -> None:
    """A stop that nobody asked for by this release's rules: exit 1, with then and now."""
    entries = held_once()[1]
    del entries[6]  # the hold that was the reason
    first, *rest = (entry.event for entry in entries)
    assert isinstance(first, e.CallArrived)
    site.services.store.begin(replace(first, call_sid=OTHER))
    for event in rest:
        assert event is not None
        site.services.store.apply(OTHER, event)
    done = site.run("replay", OTHER, "--json")
    assert done.exit_code == 1
    kinds = [each["kind"] for each in json.loads(done.output)["differences"]]
    assert "action" in kinds
    assert "then" in site.run("replay", OTHER).output
