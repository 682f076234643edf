"""Starting: once the stream is up, for the right agent, by the start's ladder; an answer of doubt leads to a stop."""

from __future__ import annotations

import pytest

from orchestrator.core import events as e
from orchestrator.core.actions import Outcome, StartTranscription, StopTranscription, Verdict
from orchestrator.core.backoff import HEAD_START_MS, REASSERT_MS, SETTLE_MS, spread
from orchestrator.core.reconcile import head_start_ms
from tests.unit.core.given import CUSTOMER, Story


def about_to_start(**keys: object) -> Story:
    return Story(**keys).arrives().stream_started().customer_joins().agent_joins().at(5_000)


def wait_ms(story: Story) -> int:
    return story.call.transcription.not_before - story.now


def test_start_once_the_agent_has_joined() -> None:
    """One start, for the agent, on the live stream; confirmed on makes it on (story 1)."""
    story = about_to_start()
    start = story.next_is(StartTranscription)
    assert (start.agent_id, start.stream, start.purpose) == ("amy", "asapp-1", "start")
    assert story.answers().transcription == "on"
    assert story.next_action() is None


def test_first_start_does_not_settle() -> None:
    """The first start of a call does not wait for toggling to end."""
    Story().arrives().stream_started().customer_joins().agent_joins().next_is(StartTranscription)


def test_intent_comes_first() -> None:
    """From the intent on the state is `starting`; nothing else is planned until its outcome is known."""
    story = about_to_start().intends()
    assert (story.transcription, story.next_action(), story.look_again_in()) == ("starting", None, None)


def test_start_waits_for_its_stream() -> None:
    """While the stream is on its way the start waits; `stream-started` lets it go."""
    story = Story().arrives().customer_joins().agent_joins()
    assert story.next_action() is None
    story.stream_started().next_is(StartTranscription)


def test_overdue_stream_is_tried_by_the_start_itself() -> None:
    """8 s without `stream-started` one start is sent: 200 confirms the stream and is the start."""
    story = Story().arrives().customer_joins().agent_joins()
    assert story.look_again_in() == 8_000
    assert story.at(8_000).next_is(StartTranscription).purpose == "confirm"
    assert story.answers().transcription == "on"
    assert story.stream.state == "live"


def test_overdue_stream_is_failed_by_400_203() -> None:
    """400-203 to that start fails the stream."""
    story = Story().arrives().customer_joins().agent_joins().at(8_000).answers(Verdict.NO_STREAM)
    assert (story.transcription, story.stream.state) == ("off", "failed")


def test_overdue_stream_stays_requested_while_not_wanted() -> None:
    """While transcription is not wanted an overdue stream stays requested; the try comes when it is wanted."""
    story = Story().arrives().customer_joins().at(30_000)
    assert (story.next_action(), story.stream.state) == (None, "requested")
    assert story.agent_joins().next_is(StartTranscription).purpose == "confirm"


def test_resume_settles() -> None:
    """After an unhold the start waits 300 ms, so that toggling reaches no vendor."""
    story = Story().talks().customer_held().settles().customer_unheld()
    assert (story.next_action(), story.look_again_in()) == (None, SETTLE_MS)
    story.at(SETTLE_MS).next_is(StartTranscription)


def test_toggling_makes_few_requests() -> None:
    """A hold toggled 20 times in a second ends off, with one stop; a final unhold starts once (story 3)."""
    story = Story().talks()
    attempts = story.call.attempts
    for _ in range(20):
        story.customer_held().settles().at(25).customer_unheld().settles().at(25)
    assert (story.customer_held().settles().transcription, story.call.attempts - attempts) == ("off", 1)
    story.customer_unheld().at(SETTLE_MS).settles()
    assert (story.transcription, story.call.attempts - attempts) == ("on", 2)


@pytest.mark.parametrize(
    ("family", "waits"),
    [
        ("429", [1_000, 2_000, 4_000, 5_000, 10_000]),
        ("5xx", [250, 500, 1_000, 5_000, 10_000]),
        ("", [250, 500, 1_000, 5_000, 10_000]),
        ("auth", [30_000, 30_000]),
    ],
)
def test_ladder_of_a_start_refused_for_now(family: str, waits: list[int]) -> None:
    """A start that was certainly not served is repeated by ASAPP's steps, then in 5 s steps."""
    story = about_to_start()
    seen = []
    for _ in waits:
        story.answers(Verdict.REFUSED_FOR_NOW, family=family)
        seen.append(wait_ms(story))
        assert story.transcription == "off"
        story.at(wait_ms(story))
    assert seen == [spread(CUSTOMER, wait) for wait in waits]


def test_trouble_shows_and_ends() -> None:
    """A failing start shows as `interrupted`, an unauthorized one as a problem; success clears both."""
    story = about_to_start().answers(Verdict.REFUSED_FOR_NOW, family="auth", code="401")
    assert (story.state, story.problems) == ("interrupted", ["asapp-unauthorized"])
    story.at(40_000).answers()
    assert (story.state, story.problems, story.call.trouble) == ("transcribing", [], "")


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.FAILED])
def test_start_without_an_answer_is_unknown(verdict: Verdict) -> None:
    """A start of unknown outcome: stop first, by the start's ladder, then start."""
    story = about_to_start().answers(verdict)
    assert story.transcription == "unknown"
    assert story.next_action() is None
    assert story.at(wait_ms(story)).next_is(StopTranscription).purpose == "reset"
    story.answers().next_is(StartTranscription)


def test_hold_after_a_start_without_an_answer() -> None:
    """A start of unknown outcome and then a hold: stopped at once, and once more 6 s after the start."""
    story = about_to_start().answers(Verdict.UNKNOWN).at(100).customer_held()
    story.next_is(StopTranscription)
    assert story.answers().look_again_in() == REASSERT_MS - 100
    assert story.at(REASSERT_MS - 100).next_is(StopTranscription).purpose == "assert"
    assert story.answers(Verdict.ALREADY).next_action() is None


def test_start_that_was_already_so() -> None:
    """409-201 to a start: a session of unknown settings; stop, then start."""
    story = about_to_start().answers(Verdict.ALREADY)
    assert story.next_is(StopTranscription).purpose == "reset"
    assert story.answers().answers().transcription == "on"


def test_already_again_and_again_is_spaced() -> None:
    """The second 409-201 in a row waits by the ladder, so that nothing races."""
    story = about_to_start()
    story.intends().answered(Verdict.ALREADY)
    story.intends().answered(Verdict.UNKNOWN)
    assert story.next_action() is None


def test_busy_start_is_repeated_soon() -> None:
    """409-202, another request pending: again after a short delay, what is on then being unknown."""
    story = about_to_start().answers(Verdict.BUSY)
    assert (story.transcription, wait_ms(story), story.state) == ("unknown", 250, "interrupted")
    story.at(250).next_is(StopTranscription)


def test_young_stream_is_given_time() -> None:
    """400-203 within 3 s of the stream's start is repeated; later the stream is dead."""
    story = Story().arrives().stream_started().customer_joins().agent_joins().at(2_900)
    story.answers(Verdict.NO_STREAM)
    assert (story.stream.state, wait_ms(story)) == ("live", 250)
    story.at(250).answers(Verdict.NO_STREAM)
    assert story.stream.state == "failed"
    assert story.call.trouble == "stream-broken"


def test_no_stream_for_a_stream_that_is_gone() -> None:
    """400-203 for a stream that has stopped meanwhile tells nothing new."""
    story = about_to_start().intends().stream_stopped().answered(Verdict.NO_STREAM)
    assert (story.stream.state, story.transcription) == ("stopped", "off")


def test_success_on_a_stream_that_has_ended_meanwhile() -> None:
    """A start confirmed after its stream had stopped leaves the truth unknown: a stop finds out first."""
    story = about_to_start().intends().stream_stopped().answered()
    assert story.transcription == "unknown"
    story.next_is(StopTranscription)


def test_terminal_answer_gives_up_until_retry() -> None:
    """A refusal that repeating does not change gives up, visibly; `retry` tries again."""
    story = about_to_start().answers(Verdict.TERMINAL, code="405", detail="bad language")
    assert (story.next_action(), story.problems, story.state) == (None, ["asapp-refused"], "interrupted")
    assert story.call.problem is not None
    assert story.call.problem.gave_up
    assert story.told(e.RetryRequested).problems == []
    story.next_is(StartTranscription)


def test_other_agent_means_stop_then_start() -> None:
    """When another agent becomes current transcription is stopped, then started for that one (story 5)."""
    story = Story().talks().agent_joins("bob").settles().at(1_000).agent_leaves("amy")
    assert story.next_is(StopTranscription).purpose == "reset"
    assert story.answers().next_is(StartTranscription).agent_id == "bob"
    assert [segment.agent_id for segment in story.answers().call.segments] == ["amy", "bob"]


def test_change_of_agent_while_a_resume_settles() -> None:
    """A change of agent too waits for toggling to end."""
    story = Story().talks().customer_held().at(10).customer_unheld().agent_joins("bob").agent_leaves("amy")
    assert (story.next_action(), story.look_again_in()) == (None, SETTLE_MS)


def test_three_way_is_one_segment() -> None:
    """A second agent who comes and goes restarts nothing (story 6)."""
    story = Story().talks()
    attempts = story.call.attempts
    story.at(1_000).agent_joins("bob").settles().at(1_000).agent_leaves("bob").settles()
    assert (len(story.call.segments), story.call.attempts) == (1, attempts)


def test_unhold_after_a_long_failing_stop_begins_afresh() -> None:
    """A stop that serves a start again does not wait out the slow ladder of the pause before it."""
    story = Story().talks().customer_held()
    for _ in range(8):
        story.at(max(0, story.look_again_in() or 0)).answers(Verdict.REFUSED_FOR_NOW)
    story.customer_unheld()
    assert wait_ms(story) == 0
    assert story.at(SETTLE_MS).next_is(StopTranscription).purpose == "reset"


def test_failing_reset_follows_the_starts_ladder() -> None:
    """While transcription is wanted on, a failing stop is repeated by the start's ladder."""
    story = about_to_start().answers(Verdict.ALREADY)
    story.answers(Verdict.REFUSED_FOR_NOW, family="429")
    assert wait_ms(story) == spread(CUSTOMER, 2_000)
    assert story.state == "interrupted"


def test_late_start_of_a_frozen_worker() -> None:
    """A start that a frozen worker got through after all makes the truth unknown: off is found out again."""
    story = about_to_start().intends()
    start, attempt = story.call.in_flight, story.attempt
    assert start is not None
    story.abandons().at(100).customer_held().answers()
    assert story.transcription == "off"
    story.hears(ended(story, start.action, attempt, Verdict.DONE))
    assert story.transcription == "unknown"
    story.next_is(StopTranscription)


def ended(story: Story, action: object, attempt: int, verdict: Verdict) -> e.ActionEnded:
    assert isinstance(action, StartTranscription)
    return e.ActionEnded(at=story.now, action=action, attempt=attempt, outcome=Outcome(verdict=verdict))


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.FAILED])
def test_late_start_that_may_still_arrive(verdict: Verdict) -> None:
    """A late start of unknown outcome has the stop asserted once more 6 s later."""
    story = about_to_start().intends()
    late = story.call.in_flight
    assert late is not None
    attempt = story.attempt
    story.abandons().customer_held().answers().at(20_000).settles()
    story.hears(ended(story, late.action, attempt, verdict))
    assert story.call.reassert_stop_at == story.now + REASSERT_MS


@pytest.mark.parametrize("verdict", [Verdict.REFUSED_FOR_NOW, Verdict.NO_STREAM])
def test_late_start_that_was_not_served(verdict: Verdict) -> None:
    """A late start that was certainly not served changes nothing."""
    story = about_to_start().intends()
    late, attempt = story.call.in_flight, story.attempt
    assert late is not None
    story.abandons().customer_held().answers()
    before = story.call
    assert story.hears(ended(story, late.action, attempt, verdict)).call == before


def test_late_start_for_the_same_agent_while_on() -> None:
    """A late success for the agent whom we transcribe anyway is nothing new."""
    story = Story().talks()
    start = StartTranscription(agent_id="amy", stream="asapp-1")
    before = story.call
    assert story.hears(ended(story, start, 1, Verdict.DONE)).call == before
    assert story.hears(ended(story, start, 0, Verdict.ALREADY)).call == before


def test_late_start_while_a_stop_is_under_way() -> None:
    """A stop under way may have been served before the late start: it is asserted once more soon after."""
    story = about_to_start().intends()
    late, attempt = story.call.in_flight, story.attempt
    assert late is not None
    story.abandons().customer_held().intends().hears(ended(story, late.action, attempt, Verdict.DONE))
    story.answered()
    assert story.transcription == "off"
    assert story.at(2_000).next_is(StopTranscription).purpose == "assert"


def test_late_start_is_taken_back_whatever_became_of_the_next() -> None:
    """A start without an answer was served late, the next was refused: at the hold nothing else would send a stop."""
    story = about_to_start().answers(Verdict.UNKNOWN).at(1_000)
    story.answers(Verdict.ALREADY).answers(Verdict.REFUSED_FOR_NOW, family="auth")
    assert story.transcription == "off"
    story.at(REASSERT_MS).customer_held()
    assert story.next_is(StopTranscription).purpose == "assert"


def test_once_on_the_next_wanted_stop_takes_it_back() -> None:
    """No second stop for a start of long ago."""
    story = about_to_start().answers(Verdict.UNKNOWN).at(1_000).settles()
    assert story.transcription == "on"
    story.at(REASSERT_MS).customer_held()
    assert story.next_is(StopTranscription).purpose == "wanted"
    assert (story.answers().next_action(), story.call.reassert_stop_at) == (None, None)


def test_assertion_while_another_request_is_pending_is_repeated_soon() -> None:
    """ASAPP's 409-202: the start that is to be taken back is being served just now."""
    story = about_to_start().answers(Verdict.UNKNOWN).customer_held().answers(Verdict.ALREADY).at(REASSERT_MS)
    story.answers(Verdict.BUSY)
    assert story.look_again_in() == 250
    assert story.at(250).answers().call.reassert_stop_at is None


def test_refusal_of_one_participant_is_taken_back() -> None:
    """ASAPP may transcribe the other one: a stop, and nothing more until `retry`."""
    story = about_to_start().answers(Verdict.TERMINAL, code="4050", detail="bad language", may_be_done=True)
    assert (story.transcription, story.problems) == ("unknown", ["asapp-refused"])
    story.next_is(StopTranscription)
    assert (story.answers().next_action(), story.state) == (None, "interrupted")
    story.told(e.RetryRequested).next_is(StartTranscription)


def test_silence_is_probed() -> None:
    """60 s without an utterance a start is sent again as a probe; 409-201 says alive."""
    story = Story(silence_probe_s=60).talks()
    story.told(e.UtterancesHeard, until=story.now + 10_000).at(60_000).settles()
    assert story.at(10_000).next_is(StartTranscription).purpose == "probe"
    story.answers(Verdict.ALREADY)
    assert (story.transcription, story.call.last_heard_at) == ("on", story.now)


def test_probe_that_finds_no_stream() -> None:
    """400-203 to a probe says that the stream is dead: it is failed and rebuilt."""
    story = Story().talks().at(60_000).answers(Verdict.NO_STREAM)
    assert (story.transcription, story.stream.state) == ("off", "failed")


def test_probe_that_starts() -> None:
    """A probe that finds transcription off has started it: a new segment."""
    story = Story().talks().at(60_000).answers()
    assert (story.transcription, len(story.call.segments)) == ("on", 2)


def test_probe_intent_changes_no_state() -> None:
    """While a probe is under way transcription counts as on."""
    assert Story().talks().at(60_000).intends().transcription == "on"


def test_unanswered_probe_may_arrive_late() -> None:
    """A probe is a start too: a hold after an unanswered one has the stop asserted once more."""
    story = Story().talks().at(60_000).answers(Verdict.UNKNOWN)
    assert story.call.reassert_stop_at == story.now + REASSERT_MS


def test_refused_probe_tells_nothing() -> None:
    """A probe that was refused tells nothing; the next one asks again."""
    story = Story().talks().at(60_000).answers(Verdict.REFUSED_FOR_NOW)
    assert (story.transcription, story.call.reassert_stop_at) == ("on", None)


def test_no_probe_where_switched_off() -> None:
    """With `silence_probe_s = 0` nothing is probed."""
    story = Story(silence_probe_s=0).talks().at(300_000).settles()
    assert story.next_action() is None


def test_assertion_whose_time_came_while_on_is_dropped() -> None:
    """The stop is asserted only if transcription is still wanted off at that time."""
    story = about_to_start().answers(Verdict.UNKNOWN).at(400).settles()
    assert story.transcription == "on"
    story.at(600_000).customer_held().answers()
    assert story.call.reassert_stop_at is None


def test_a_start_refused_for_the_day_is_told_and_tried_every_half_minute() -> None:
    """ASAPP's day is used up: a problem that people see, until the next day's start is accepted."""
    story = Story().arrives().stream_started().customer_joins().agent_joins()
    story.answers(Verdict.REFUSED_FOR_NOW, family="daily-limit", detail="used up")
    assert (story.problems, story.state) == (["asapp-daily-limit"], "interrupted")
    assert 30_000 <= (story.look_again_in() or 0) <= 33_000
    assert story.at(33_000).answers().problems == []


def test_the_newest_talk_is_ahead_in_a_herd() -> None:
    """At its beginning a minute ahead of others that are due, after two hours no more, and never without a talk."""
    story = Story().arrives()
    assert head_start_ms(story.call, story.now) == 0
    story.stream_started().customer_joins().agent_joins()
    assert head_start_ms(story.call, story.now - 1) == head_start_ms(story.call, story.now) == HEAD_START_MS
    after = [head_start_ms(story.call, story.now + 1_000 * age_s) for age_s in (1, 3, 7, 15, 3_600, 7_200)]
    assert after[:4] == [55_300, 50_600, 45_900, 41_200], "as much for each doubling"
    assert after[4] > after[5] == 0
    assert head_start_ms(story.customer_held().call, story.now) == 0
