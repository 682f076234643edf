"""`orchestrator explain CALL_SID`: a call told in sentences; with a time, why it was or was not transcribed then.

Times are UTC. Exit 1: no such call, or nothing is known of that time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from orchestrator.cli.layout import counted, wrapped
from orchestrator.cli.reading import archived, known_call, services
from orchestrator.cli.times import clock, moment_in_call
from orchestrator.core.call import Call
from orchestrator.core.desired import state_of
from orchestrator.log import clean_text
from orchestrator.narration.archived import from_document
from orchestrator.narration.sentences import sentence
from orchestrator.narration.stretches import Stretch, stretches
from orchestrator.services import Services
from orchestrator.shown import event_json, moment
from orchestrator.store.reading import CUT, UNCHANGED, TimelineEntry
from orchestrator.transcripts.coverage import coverage

_INDENT = 14
_HEARD = {
    "yes": ("transcribed", "green"),
    "no": ("not transcribed", "yellow"),
    "perhaps": ("perhaps still transcribed", "magenta"),
}


@click.command()
@click.argument("call_sid")
@click.option("--from", "since", metavar="TIME", help="From this time: 12:03:10, or 2026-01-02T12:03:10Z.")
@click.option("--to", "until", metavar="TIME", help="To this time; the end of what is known if not given.")
@click.option("--at", metavar="TIME", help="Only this moment.")
@click.option("--all", "shows_all", is_flag=True, help="Messages that changed nothing, too.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    call_sid: str, since: str | None, until: str | None, at: str | None, shows_all: bool, as_json: bool
) -> None:
    """Tell what happened to a call, and why; with a time, why it was or was not transcribed then.

    CALL_SID may be any leg's; a call that Redis knows no more is told from the archive. All times are UTC.
    """
    if at and (since or until):
        raise click.UsageError("--at excludes --from and --to.")
    call, entries = _known(services(), call_sid)
    if since or until or at:
        start, end = _asked(call, entries, since or at, until or at)
        _answer(call, entries, start, end, as_json=as_json)
    elif as_json:
        click.echo(json.dumps({**_about(call), "entries": [_entry(call, entry) for entry in entries]}, indent=2))
    else:
        _tell(call, entries, shows_all=shows_all)


def _known(built: Services, sid: str) -> tuple[Call, list[TimelineEntry]]:
    document = archived(built, sid)
    if document is not None:
        return from_document(document)
    call = known_call(built, sid)
    return call, built.store.timeline(call.call_sid)


# --- the whole story -------------------------------------------------------------------------------------------------


def _tell(call: Call, entries: Sequence[TimelineEntry], *, shows_all: bool) -> None:
    for line in _heading(call):
        click.echo(line)
    state, hidden = "", 0
    for entry in entries:
        if entry.note == UNCHANGED and not shows_all:
            hidden += 1
            continue
        said = clean_text(entry.note) if entry.name == CUT else sentence(entry.event, entry.name, call.call_sid)
        after = str(entry.state.get("state", state))
        changed = f" -> {click.style(after, bold=True)}" if after != state else ""
        note = f" ({entry.note})" if entry.note and entry.name != CUT else ""
        click.echo(wrapped(clock(entry.at), f"{said}.{note}{changed}", _INDENT))
        state = after
    if hidden:
        click.echo(f"{counted(hidden, 'message')} that changed nothing: not shown; --all shows them.")


def _heading(call: Call) -> Iterator[str]:
    end = clock(call.ended_at) if call.ended_at else "now"
    day = (moment(call.created_at) or "").partition("T")[0]
    yield f"{call.call_sid}: {state_of(call)}, transcription {call.transcription.state}"
    yield f"{day}, {clock(call.created_at)} to {end} (UTC), profile {call.profile.name}"
    ledger = coverage(call)
    if ledger["ratio"] is not None:
        missing = ", ".join(f"{name} {seconds:g} s" for name, seconds in ledger["gaps_s"].items())
        told = f"{ledger['transcribed_s']:g} of {ledger['talk_s']:g} s of talk were transcribed"
        yield f"{told} ({missing} missing)" if missing else told
    for problem in call.problems:
        gave_up = ", given up" if problem.gave_up else ""
        detail = f": {clean_text(problem.detail)}" if problem.detail else ""
        yield f"problem {problem.id} since {clock(problem.since)}{gave_up}{detail}"
    yield ""


# --- why (not) at that time ------------------------------------------------------------------------------------------


def _asked(call: Call, entries: Sequence[TimelineEntry], since: str | None, until: str | None) -> tuple[int, int]:
    last = max((entry.at for entry in entries), default=call.created_at)
    first = call.created_at
    start = moment_in_call(since, call.created_at) if since else first
    end = moment_in_call(until, call.created_at) if until else max(last, start)
    if start > end:
        raise click.UsageError("--from is after --to.")
    return start, max(end, start + 1)


def _answer(call: Call, entries: Sequence[TimelineEntry], start: int, end: int, *, as_json: bool) -> None:
    found = [(each, part) for each in stretches(entries, call) if (part := each.within(start, end)) is not None]
    if as_json:
        click.echo(json.dumps({**_about(call), "stretches": [_stretch(*each) for each in found]}, indent=2))
    elif found:
        _show(found, end - start)
    if not found:
        raise click.ClickException(f"Nothing is known of that time; the call began at {moment(call.created_at)}")


def _show(found: Sequence[tuple[Stretch, tuple[int, int]]], asked_ms: int) -> None:
    on_ms = sum(last - first for each, (first, last) in found if each.heard == "yes")
    if asked_ms > 1:
        click.echo(f"Transcribed for {on_ms / 1000:g} of {asked_ms / 1000:g} s.")
    for each, (first, last) in found:
        word, colour = _HEARD[each.heard]
        times = f"{clock(first)} to {clock(last)} ({(last - first) / 1000:g} s)" if asked_ms > 1 else clock(first)
        click.echo(f"{times}  {click.style(word, fg=colour)}")
        click.echo(wrapped("", f"{each.why}{_beyond(each, first, last)}.", _INDENT))
        click.echo(wrapped("", f"Because, {clock(each.caused_at)}: {each.cause}.", _INDENT))


def _beyond(each: Stretch, first: int, last: int) -> str:
    """Where a stretch is longer than what was asked about."""
    since = f", since {clock(each.start)}" if each.start < first else ""
    until = f", until {clock(each.end)}" if each.end is not None and each.end > last else ""
    return since + until


# --- for programs ----------------------------------------------------------------------------------------------------


def _about(call: Call) -> dict[str, Any]:
    return {
        "call_sid": call.call_sid,
        "state": state_of(call),
        "created_at": moment(call.created_at),
        "ended_at": moment(call.ended_at),
    }


def _entry(call: Call, entry: TimelineEntry) -> dict[str, Any]:
    return {
        "at": moment(entry.at),
        "name": entry.name,
        "sentence": entry.note if entry.name == CUT else sentence(entry.event, entry.name, call.call_sid),
        "state": entry.state,
        "note": entry.note,
        "event": event_json(entry.event),
    }


def _stretch(each: Stretch, part: tuple[int, int]) -> dict[str, Any]:
    return {
        "from": moment(part[0]),
        "to": moment(part[1]),
        "heard": each.heard,
        "state": each.state,
        "why": each.why,
        "since": moment(each.start),
        "until": moment(each.end),
        "cause": each.cause,
        "caused_at": moment(each.caused_at),
    }
