"""Media streams: generations, what may still live, and rebuilding without touching the call."""

from __future__ import annotations

import pytest

from orchestrator.core import events as e
from orchestrator.core.actions import CreateStream, NoteTime, Outcome, ReadCall, StartTranscription, StopStream, Verdict
from orchestrator.core.applied.streams import generation_of
from orchestrator.core.backoff import spread
from tests.unit.core.given import CUSTOMER, Story, sid


def waiting(**keys: object) -> Story:
    """No agent yet; the stream of the first TwiML is live."""
    return Story(**keys).arrives().stream_started().customer_joins()


def broken() -> Story:
    """The stream failed before anybody was transcribed; a rebuild is due."""
    return waiting().stream_failed()


def test_started_is_live() -> None:
    """`stream-started` makes the requested stream live, with its SID."""
    story = Story().arrives().stream_started()
    assert (story.stream.state, story.stream.sid) == ("live", sid("MZ", "asapp-1"))


def test_error_mid_talk() -> None:
    """A `stream-error` fails it at once: stopped at ASAPP, rebuilt as the next generation, started (story 9)."""
    story = Story().talks().stream_failed()
    assert (story.transcription, story.state, story.stream.error) == ("unknown", "interrupted", "31941")
    story.settles()
    assert (story.transcription, story.stream.name, story.stream.state) == ("on", "asapp-2", "live")
    assert [(gap.reason, gap.end) for gap in story.call.gaps][-1] == ("stream-broken", story.now)


def test_stopped_alone_waits_a_second() -> None:
    """`stream-stopped` alone waits 1 s, since at every hang-up it comes before `completed`."""
    story = waiting().stream_stopped()
    assert (story.next_action(), story.look_again_in()) == (None, 1_000)
    story.at(1_000).next_is(CreateStream)


def test_stopped_and_then_the_end() -> None:
    """The end of the call within that second rebuilds nothing."""
    story = waiting().stream_stopped().at(500).ends().at(60_000).settles()
    assert [stream.name for stream in story.call.streams] == ["asapp-1"]


def test_stopped_and_then_error() -> None:
    """An error after the stop rebuilds at once."""
    story = waiting().stream_stopped().stream_failed()
    assert story.stream.state == "failed"
    story.next_is(CreateStream)


def test_error_and_then_stopped() -> None:
    """A stop after the error changes nothing."""
    assert waiting().stream_failed().stream_stopped().stream.state == "failed"


def test_a_create_that_went_through_after_all_is_known_to_live() -> None:
    """A frozen worker's, carried out after the stop by name had found nothing; its answer comes before its callback."""
    story = broken().intends()
    late, attempt = story.call.in_flight, story.attempt
    assert late is not None
    story.abandons().answers(Verdict.NOT_FOUND)
    assert not story.stream.may_live
    done = Outcome(verdict=Verdict.DONE, sid=sid("MZ", "asapp-2"))
    story.told(e.ActionEnded, action=late.action, attempt=attempt, outcome=done)
    assert (story.stream.name, story.stream.may_live, story.stream.sid) == ("asapp-2", True, sid("MZ", "asapp-2"))
    assert story.next_is(StopStream).sid == sid("MZ", "asapp-2")


def test_a_name_that_is_taken_is_stopped_and_the_next_one_asked_for() -> None:
    """After a failover a stream of ours may live of which we know nothing any more."""
    story = broken().answers(Verdict.TERMINAL, code="21000")
    assert story.next_is(StopStream).name == "asapp-2"
    story.answers().settles().at(3_000).settles()
    assert (story.stream.name, story.stream.state, story.problems) == ("asapp-3", "live", [])


def test_late_started_revives_nothing() -> None:
    """`stream-started` after the end of that stream is old news."""
    story = waiting().stream_failed()
    before = story.call
    assert story.stream_started().call == before


def test_late_news_of_an_old_generation() -> None:
    """News of an old generation cannot touch the new one."""
    story = broken().settles()
    before = story.stream
    story.stream_failed("asapp-1").stream_stopped("asapp-1").stream_started("asapp-1")
    assert story.stream == before


@pytest.mark.parametrize("kind", [e.StreamStopped, e.StreamFailed])
def test_news_of_a_stream_nobody_knows(kind: type[e.StreamStopped]) -> None:
    """The end of a stream that we never knew changes nothing."""
    story = waiting()
    before = story.call
    assert story.told(kind, name="asapp-7", sid=sid("MZ", "seven")).call == before


def test_unexpected_older_stream_is_stopped() -> None:
    """A stream that nobody told us about and that is not newer than ours is stopped."""
    story = waiting().told(e.StreamStarted, name="asapp-1", sid=sid("MZ", "twin"))
    stop = story.next_is(StopStream)
    assert (stop.sid, stop.purpose) == (sid("MZ", "twin"), "unwanted")
    assert story.stream.sid == sid("MZ", "asapp-1")


def test_unexpected_newer_stream_takes_over() -> None:
    """A newer one is the current one; the older goes down, so that at most one lives."""
    story = waiting().stream_started("asapp-4")
    assert story.stream.name == "asapp-4"
    assert story.next_is(StopStream).name == "asapp-1"


def test_started_of_an_unwanted_stream_leads_to_its_stop() -> None:
    """A stream that starts although none is wanted is stopped."""
    story = waiting(consent="required").stream_started("asapp-1")
    assert story.next_is(StopStream).sid == sid("MZ", "asapp-1")


def test_started_after_the_end_is_nobodys() -> None:
    """After the end of the call no stream is taken up."""
    story = waiting().ends()
    before = story.call.streams
    assert story.stream_started("asapp-5").call.streams == before


def test_foreign_name_has_generation_zero() -> None:
    """Only `asapp-<number>` has a generation; anything else is older than all of ours."""
    assert [generation_of(name) for name in ("asapp-7", "other", "asapp-x", "asapp-1234567890")] == [7, 0, 0, 0]


def test_create_by_rest() -> None:
    """The intent makes the new stream `requested`; Twilio's answer brings its SID, the callback makes it live."""
    story = broken().intends()
    assert (story.stream.name, story.stream.state) == ("asapp-2", "requested")
    assert story.answered().stream.sid == sid("MZ", "asapp-2")
    assert story.stream_started("asapp-2").stream.state == "live"


def test_callback_before_the_answer() -> None:
    """A callback that comes before the REST response that caused it counts, whatever that response was."""
    story = broken().intends().stream_started("asapp-2").answered(Verdict.UNKNOWN)
    assert (story.stream.state, story.next_action()) == ("live", None)


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.FAILED])
def test_create_whose_answer_was_lost(verdict: Verdict) -> None:
    """It may live: stopped by name before the next is created (fault 25)."""
    story = broken().answers(verdict)
    assert (story.stream.state, story.stream.may_live) == ("failed", True)
    assert story.next_is(StopStream).name == "asapp-2"
    assert story.answers(Verdict.NOT_FOUND).at(5_000).settles().stream.name == "asapp-3"


def test_lost_create_that_starts_after_all() -> None:
    """Its `stream-started` before that stop makes it the live one."""
    assert broken().answers(Verdict.UNKNOWN).stream_started("asapp-2").stream.state == "live"


def test_lost_create_that_arrives_after_its_stop() -> None:
    """A create that arrives after the stop by name found nothing is stopped by its SID."""
    story = broken().answers(Verdict.UNKNOWN).answers(Verdict.NOT_FOUND).told(e.CallRead, status="in-progress")
    story.stream_started("asapp-2")
    assert (story.stream.state, story.next_is(StopStream).sid) == ("failed", sid("MZ", "asapp-2"))
    story.stream_failed("asapp-2")
    assert not story.stream.may_live


def test_stopped_and_late_stream_that_fails() -> None:
    """The late failure of a stream that counted as stopped ends it for good."""
    story = waiting(consent="required").stream_started("asapp-1").answers()
    assert not story.stream_failed("asapp-1").stream.may_live


@pytest.mark.parametrize("verdict", [Verdict.NOT_IN_PROGRESS, Verdict.NOT_FOUND])
def test_create_that_says_not_in_progress_reads_the_call(verdict: Verdict) -> None:
    """21220 and 20404 lead to a read of the call, not to an end by themselves."""
    story = broken().answers(verdict)
    assert not story.call.is_ended
    story.next_is(ReadCall)


@pytest.mark.parametrize("verdict", [Verdict.NOT_IN_PROGRESS, Verdict.NOT_FOUND])
def test_stop_that_says_not_in_progress_reads_the_call(verdict: Verdict) -> None:
    """So they do when a stream is stopped."""
    story = waiting().stream_started("asapp-4").answers(verdict)
    assert [each.key for each in story.call.readings] == ["call"]


def test_terminal_create_gives_up() -> None:
    """A refusal that repeating under another name does not change gives up, visibly, until `retry`."""
    story = broken().answers(Verdict.TERMINAL, code="31902").answers(Verdict.NOT_FOUND).settles().at(3_000)
    assert story.problems == []
    story.answers(Verdict.TERMINAL, code="31902")
    assert (story.next_action(), story.problems) == (None, ["twilio-refused-stream"])
    story.told(e.RetryRequested).next_is(CreateStream)


@pytest.mark.parametrize(
    ("family", "trouble", "problems"),
    [("no-url", "no-stream-url", []), ("auth", "twilio-auth", ["twilio-unauthorized"]), ("429", "twilio-429", [])],
)
def test_create_refused_for_now(family: str, trouble: str, problems: list[str]) -> None:
    """A create refused for now did not happen: nothing to stop, again later, its reason shown."""
    story = broken().answers(Verdict.REFUSED_FOR_NOW, family=family)
    assert (story.stream.may_live, story.call.trouble, story.problems) == (False, trouble, problems)
    assert story.at(60_000).answers().problems == []


def test_missing_url_is_asked_for_often() -> None:
    """Without a URL at hand the next try is at most 5 s away, however long ASAPP was down (story 11)."""
    story = broken()
    seen = []
    for _ in range(6):
        story.answers(Verdict.REFUSED_FOR_NOW, family="no-url")
        seen.append(story.call.restart_not_before - story.now)
        story.at(seen[-1])
    assert max(seen) == seen[-1] == spread(CUSTOMER, 5_000)


def test_restarts_are_spaced() -> None:
    """Rebuilds of a stream that keeps breaking come after 0, 1, 2, 4 ... s."""
    story, seen = waiting(), []
    for generation in range(1, 6):
        story.stream_failed(f"asapp-{generation}")
        seen.append(story.call.restart_not_before - story.now)
        story.at(seen[-1]).settles()
    assert seen == [0, *(spread(CUSTOMER, wait) for wait in (1_000, 2_000, 4_000, 8_000))]


def test_steady_stream_resets_the_spacing() -> None:
    """A stream that lived a minute is rebuilt at once."""
    story = broken().settles().stream_failed("asapp-2").at(5_000).settles().at(60_000).stream_failed("asapp-3")
    assert story.call.restart_not_before == story.now


def test_ten_restarts_give_up() -> None:
    """After 10 restarts within 5 minutes it is given up, visibly; `retry` begins again."""
    story = waiting()
    for generation in range(1, 12):
        story.stream_failed(f"asapp-{generation}")
        story.at(max(0, story.call.restart_not_before - story.now))
        story.settles()
    assert story.problems == ["stream-restarts-exhausted"]
    assert len(story.call.streams) == 11
    assert story.at(600_000).settles().stream.name == "asapp-11"
    story.told(e.RetryRequested).next_is(CreateStream)


def test_a_pause_makes_no_restart_longer_ago() -> None:
    """A hold between two breaks, however long, does not begin the five minutes anew; talk does."""
    story = Story().talks()
    for generation in range(1, 11):
        story.stream_failed(f"asapp-{generation}")
        story.settles()
        story.at(max(0, story.call.restart_not_before - story.now))
        story.settles()
    story.customer_held().settles().at(600_000).customer_unheld().at(300).settles()
    story.stream_failed("asapp-11").settles()
    assert story.problems == ["stream-restarts-exhausted"]
    story.told(e.RetryRequested).settles()
    assert (story.transcription, story.stream.name) == ("on", "asapp-12")


def test_restarts_of_five_minutes_ago_are_forgotten() -> None:
    """After five minutes of talk a break is rebuilt as the first one was."""
    story = Story().talks()
    for generation in range(1, 11):
        story.stream_failed(f"asapp-{generation}")
        story.settles()
        story.at(max(0, story.call.restart_not_before - story.now))
        story.settles()
    story.at(301_000).stream_failed("asapp-11").settles()
    assert (story.problems, story.transcription, story.stream.name) == ([], "on", "asapp-12")


def test_no_rebuild_during_a_pause() -> None:
    """A stream that breaks on hold is rebuilt after the unhold; transcription stays off (story 10)."""
    story = Story().talks().customer_held().settles().stream_failed()
    assert story.next_action() is None
    story.customer_unheld().at(300).settles()
    assert (story.transcription, story.stream.name) == ("on", "asapp-2")


def test_no_rebuild_while_a_stop_is_unconfirmed() -> None:
    """A stream that broke mid-talk is rebuilt only after ASAPP has confirmed that nothing runs on the old one."""
    story = Story().talks().stream_failed().answers(Verdict.FAILED)
    assert (story.transcription, story.next_action()) == ("stopping", None)
    assert story.at(5_000).answers().next_is(CreateStream).name == "asapp-2"


def test_no_rebuild_for_a_customer_who_is_not_there() -> None:
    """While the customer is in no conference of theirs the stream is not rebuilt."""
    assert not isinstance(waiting().customer_leaves().stream_failed().next_action(), CreateStream)


def test_only_so_many_are_remembered() -> None:
    """Of many generations the oldest that are settled are forgotten."""
    story = waiting()
    for generation in range(1, 15):
        story.stream_failed(f"asapp-{generation}").at(40_000).settles()
    assert len(story.call.streams) == 12
    assert story.stream.name == "asapp-15"


def test_answer_for_a_stream_long_forgotten() -> None:
    """Outcomes about streams that are not known any more change nothing."""
    story = waiting()
    before = story.call
    for action in (CreateStream(name="asapp-77"), StopStream(name="asapp-77")):
        story.told(e.ActionEnded, action=action, attempt=0, outcome=Outcome(verdict=Verdict.DONE))
    assert story.call == before


def test_stop_of_what_has_stopped_meanwhile() -> None:
    """An outcome for a stream that has ended meanwhile changes nothing."""
    story = waiting().stream_started("asapp-4").intends().stream_stopped("asapp-1")
    ended = story.call.streams
    assert story.answered(Verdict.NOT_FOUND).call.streams == ended


def test_given_up_note_is_told_once() -> None:
    """Giving up is one note, not one at each look."""
    story = waiting().told(e.TimePassed, what="restarts-exhausted", subject="10 within 5 minutes").stream_failed()
    assert not isinstance(story.at(60_000).next_action(), NoteTime)


def test_start_follows_the_rebuilt_stream() -> None:
    """The start names the new generation."""
    story = Story().talks().customer_held().settles().stream_failed().customer_unheld().at(300)
    assert story.answers().stream_started("asapp-2").next_is(StartTranscription).stream == "asapp-2"
