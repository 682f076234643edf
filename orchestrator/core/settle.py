"""The books that follow every event: when wishes changed, how long audio was exposed, gaps and pauses.

Wishes themselves are derived (`desired`); only the times at which they changed have to be remembered, since nothing
else tells them. `settle` is given the call before and after an event and brings these times up to date.
"""

from __future__ import annotations

from msgspec.structs import replace

from orchestrator.core.applied.common import first, without_problems
from orchestrator.core.applied.desktop import DESKTOP_HOLD, with_pause, without_pause
from orchestrator.core.backoff import AUDIT_MS, ORPHAN_AUDIT_MS, OVERTAKEN_MS, SETTLE_MS, STOPPED_ALONE_MS, spread
from orchestrator.core.call import Agent, Call, Gap, OrphanedHold, PausedStretch, TranscriptionState
from orchestrator.core.desired import desired
from orchestrator.core.people import (
    connected_agents,
    had_agent,
    has_company,
    is_agent_connected,
    is_customer_connected,
    pause_reason,
    seat,
)

_KEPT = 200
NO_AGENT = "no-agent"


def settle(before: Call | None, after: Call, at: int) -> Call:
    """`after` with its books brought up to `at`. Idempotent: settling twice changes nothing."""
    call = _with_agents_clocked(after, at)
    call = _without_orphaned_hold(before, call, at)
    call = _with_wishes(call, at)
    call = _with_exposure(call, at)
    call = _with_gap(call, at)
    call = _with_paused(call, at)
    call = _with_loneliness(before, call, at)
    return _with_audit(call, at)


def _with_agents_clocked(call: Call, at: int) -> Call:
    """`connected_since` is kept while an agent is connected; the longest connected one is the current agent."""
    agents = tuple(_clocked(agent, is_agent_connected(call, agent), at) for agent in call.agents)
    return call if agents == call.agents else replace(call, agents=agents)


def _clocked(agent: Agent, is_connected: bool, at: int) -> Agent:
    if is_connected:
        return replace(agent, connected_since=agent.connected_since or at, has_been_connected=True)
    return replace(agent, connected_since=None)


def _without_orphaned_hold(before: Call | None, call: Call, at: int) -> Call:
    """The desktop's hold ends with its last agent.

    It stands again if an agent is there right after: whose coming was told late, by news that had been overtaken.
    """
    if connected_agents(call):
        return call if call.orphaned_hold is None else _with_hold_again(call, call.orphaned_hold, at)
    hold = first(call.pauses, lambda each: each.reason == DESKTOP_HOLD)
    if hold is None or before is None or not connected_agents(before):
        return call
    orphaned = OrphanedHold(pause=hold, ended_at=at)
    return replace(without_pause(call, DESKTOP_HOLD), orphaned_hold=orphaned)


def _with_hold_again(call: Call, orphaned: OrphanedHold, at: int) -> Call:
    call = replace(call, orphaned_hold=None)
    is_overtaken = at - orphaned.ended_at <= OVERTAKEN_MS
    return with_pause(call, DESKTOP_HOLD, orphaned.pause.since, orphaned.pause.source) if is_overtaken else call


def _with_wishes(call: Call, at: int) -> Call:
    is_wanted = desired(call).transcription
    call = _without_reassertion(call, at) if is_wanted or call.was_wanted else call
    if is_wanted:
        call = replace(call, is_cut=False)
    if is_wanted and not call.was_wanted:
        # A resume settles, so that toggling does not reach the vendors; the first start does not wait.
        settle_until = at + SETTLE_MS if call.wanted_since is not None else 0
        call = replace(call, was_wanted=True, wanted_since=at, settle_until=settle_until, off_wanted_at=None)
        if call.transcription.state is not TranscriptionState.OFF:
            # The stop that comes first now serves a start: it begins that ladder, not the one of a long pause.
            call = replace(call, transcription=replace(call.transcription, failures=0, not_before=at))
        call = replace(call, unwanted=_ended(call.unwanted, at))
    elif not is_wanted and call.was_wanted:
        stretch = PausedStretch(start=at, reason=pause_reason(call) or NO_AGENT)
        call = replace(call, was_wanted=False, unwanted=_kept((*call.unwanted, stretch)))
    is_off = call.transcription.state is TranscriptionState.OFF
    if is_wanted or is_off:
        return replace(call, off_wanted_at=None)
    if call.off_wanted_at is None:
        fresh = replace(call.transcription, failures=0, not_before=at, has_tried_stop=False)
        return replace(call, off_wanted_at=at, transcription=fresh)
    return call


def _without_reassertion(call: Call, at: int) -> Call:
    """Its time came while transcription was wanted on, and is: the stop that ends this will do.

    Off, it would not: nothing else sends a stop then, and a start of long ago may have been carried out.
    """
    is_on = call.transcription.state is TranscriptionState.ON
    is_due = call.reassert_stop_at is not None and call.reassert_stop_at <= at
    return replace(call, reassert_stop_at=None) if is_on and is_due else call


def _with_exposure(call: Call, at: int) -> Call:
    """Audio may be transcribed although it must not be: from the wish until off is confirmed or no stream lives."""
    is_exposed = call.off_wanted_at is not None and call.may_be_heard
    if is_exposed:
        return call if call.exposure_since is not None else replace(call, exposure_since=call.off_wanted_at)
    if call.exposure_since is None:
        return call
    # What is still to be stopped hears nobody now: its slow ladder begins, whatever was tried on the fast one.
    patient = replace(call.transcription, failures=0)
    unwanted_ms = call.unwanted_ms + max(0, at - call.exposure_since)
    return replace(call, exposure_since=None, unwanted_ms=unwanted_ms, transcription=patient)


def _with_gap(call: Call, at: int) -> Call:
    """A gap lasts while transcription is wanted on and is not; its reason is the first trouble behind it."""
    is_gap = call.was_wanted and call.transcription.state is not TranscriptionState.ON
    gap = call.gaps[-1] if call.gaps and call.gaps[-1].end is None else None
    if is_gap and gap is None:
        return replace(call, gaps=(*call.gaps, Gap(start=at, reason=call.trouble or "starting"))[-_KEPT:])
    if is_gap and gap is not None and gap.reason == "starting" and call.trouble:
        return replace(call, gaps=(*call.gaps[:-1], replace(gap, reason=call.trouble)))
    if not is_gap and gap is not None:
        closed = () if _is_hang_up(call, gap, at) else (replace(gap, end=max(gap.start, at)),)
        return replace(call, gaps=(*call.gaps[:-1], *closed), trouble="")
    return call


def _is_hang_up(call: Call, gap: Gap, at: int) -> bool:
    """At a hang-up the stream's end may be told before anybody's leaving: nothing was missed in between.

    The end of the dial may be the next news: it begins the survey, and nobody has left yet as far as is known.
    """
    is_over = call.is_ended or call.survey is not None
    are_together = is_customer_connected(call) and bool(connected_agents(call)) and not is_over
    return not are_together and at - gap.start <= STOPPED_ALONE_MS


def _with_paused(call: Call, at: int) -> Call:
    """Stretches of pause within the conversation, for transcripts; outside it nothing is told as a pause."""
    reason = pause_reason(call) if connected_agents(call) and is_customer_connected(call) else None
    stretch = call.paused[-1] if call.paused and call.paused[-1].end is None else None
    if stretch is not None and stretch.reason != reason:
        call = replace(call, paused=_ended(call.paused, at))
        stretch = None
    if stretch is None and reason is not None:
        call = replace(call, paused=_kept((*call.paused, PausedStretch(start=at, reason=reason))))
    return call if call.pauses or pause_reason(call) else without_problems(call, "pause-overdue")


def _ended(stretches: tuple[PausedStretch, ...], at: int) -> tuple[PausedStretch, ...]:
    """With the last one over."""
    if not stretches or stretches[-1].end is not None:
        return stretches
    return (*stretches[:-1], replace(stretches[-1], end=at))


def _kept(stretches: tuple[PausedStretch, ...]) -> tuple[PausedStretch, ...]:
    """No more than are kept: the two nearest become one, since words of a stretch that was forgotten would be told."""
    if len(stretches) <= _KEPT:
        return stretches
    ends = [each.start if each.end is None else each.end for each in stretches]
    at = min(range(len(stretches) - 1), key=lambda index: stretches[index + 1].start - ends[index])
    joined = replace(stretches[at], end=stretches[at + 1].end)
    return (*stretches[:at], joined, *stretches[at + 2 :])


def _with_loneliness(before: Call | None, call: Call, at: int) -> Call:
    """Since when the customer sits alone in a conference of ours after agents, and all others, have left it.

    In one that somebody else made others may be waited for, of whom we know nothing. Who has had no agent yet waits.
    """
    row = seat(call, call.call_sid)
    is_alone = (
        call.profile.route == "conference"
        and not call.is_ended
        and row is not None
        and row[0].is_ours is not False
        and had_agent(call)
        and not has_company(call)
    )
    if not is_alone:
        return replace(call, alone_since=None)
    have_just_left = before is not None and has_company(before)
    return replace(call, alone_since=at) if have_just_left and call.alone_since is None else call


def _with_audit(call: Call, at: int) -> Call:
    """When Twilio is asked next what is really so: every minute of conversation, rarely otherwise."""
    if call.is_ended:
        return replace(call, audit_at=None)
    wait_ms = AUDIT_MS if connected_agents(call) else ORPHAN_AUDIT_MS
    latest = at + spread(call.call_sid, wait_ms)
    return replace(call, audit_at=latest) if call.audit_at is None or call.audit_at > latest else call
