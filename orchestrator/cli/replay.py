"""`orchestrator replay CALL_SID`: a call's timeline through this version's rules, and where they decide otherwise.

Exit 1: they do, somewhere, or the timeline's beginning is gone.
"""

from __future__ import annotations

import json

import click

from orchestrator import __version__
from orchestrator.cli.layout import counted
from orchestrator.cli.reading import known_call, services
from orchestrator.cli.times import clock
from orchestrator.narration.replay import Difference, replay
from orchestrator.shown import moment

_KINDS = {"state": "would be", "action": "would do", "idle": "would do, where nothing was done,"}


@click.command()
@click.argument("call_sid")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(call_sid: str, as_json: bool) -> None:
    """Run a call's stored timeline through this version's rules; show where they decide otherwise.

    Nothing is changed and no vendor is asked. Exit 1 where there is a difference.
    """
    built = services()
    call = known_call(built, call_sid)
    entries = built.store.timeline(call.call_sid)
    found = replay(entries)
    if as_json:
        rows = [
            {"at": moment(each.at), "kind": each.kind, "after": each.after, "then": each.then, "now": each.now}
            for each in found
        ]
        click.echo(json.dumps({"call_sid": call.call_sid, "entries": len(entries), "differences": rows}, indent=2))
    else:
        for each in found:
            click.echo(_told(each))
        count = counted(len(found), "difference") if found else "no difference"
        click.echo(f"{len(entries)} events of {call.call_sid} through version {__version__}: {count}.")
    if found:
        raise SystemExit(1)


def _told(each: Difference) -> str:
    then = "nothing" if each.then is None else json.dumps(each.then)
    now = "nothing" if each.now is None else json.dumps(each.now)
    return f"{clock(each.at)}  {each.after}\n    then      {then}\n    {_KINDS[each.kind]}  {now}"
