"""`orchestrator events CALL_SID TYPE`: a desktop's event by hand.

Goes to the store as the API's events do, so it needs no key, and works while the web processes are away. Only calls
that are known get one: a slip must not begin a call. Exit 1: no such call, or not as wanted within `--wait`.
"""

from __future__ import annotations

import json
import time

import click

from orchestrator.cli.reading import known_call, services
from orchestrator.core.call import Call
from orchestrator.core.desired import is_converged, state_of
from orchestrator.errors import OrchestratorError
from orchestrator.services import Services
from orchestrator.web.desktop_events import TYPES, parse
from orchestrator.web.render import call_json

_SOURCE = "command-line"
_LOOK_S = 0.05
_DAY_S = 86_400


@click.command()
@click.argument("call_sid")
@click.argument("kind", metavar="TYPE", type=click.Choice(list(TYPES)))
@click.option("--agent-id", help="Of agent-connected and agent-disconnected.")
@click.option("--agent-leg", help="The agent's leg, CA...")
@click.option("--reason", help="Of pause and resume; manual if not given.")
@click.option("--event-id", help="The same id again has no effect.")
@click.option("--sequence", type=click.IntRange(0), help="Orders events of the same source.")
@click.option("--wait", "wait_s", default=0.0, type=click.FloatRange(0, 60), help="Seconds until all is as wanted.")
@click.option("--json", "as_json", is_flag=True, help="The call as the API gives it.")
def command(
    call_sid: str,
    kind: str,
    agent_id: str | None,
    agent_leg: str | None,
    reason: str | None,
    event_id: str | None,
    sequence: int | None,
    wait_s: float,
    as_json: bool,
) -> None:
    """Report an event to a call, as an agent's desktop does.

    \b
    agent-connected  agent-disconnected   an agent came, or went
    hold  unhold                          the customer is held, or no longer
    pause  resume                         with --reason, e.g. payment
    consent-given  consent-withdrawn      of the customer
    call-ended                            Twilio is asked whether it has
    survey-transfer                       send the customer to the survey
    retry                                 try again what was given up
    """  # noqa: D301 - \b is click's
    given: dict[str, object] = {"type": kind, "agent_id": agent_id, "agent_leg": agent_leg, "reason": reason}
    given |= {"event_id": event_id, "sequence": sequence}
    try:
        reported = parse(json.dumps(given).encode(), source=_SOURCE)
    except OrchestratorError as error:
        raise click.UsageError(error.message) from error
    built = services()
    call = known_call(built, call_sid)
    if agent_leg and agent_leg != call.call_sid:
        built.store.index("leg", agent_leg, call.call_sid, built.settings.call_ttl_days * _DAY_S)
    applied = built.store.apply(call.call_sid, reported.event(built.clock.now_ms()))
    seen = _watched(built, applied.after if applied else call, wait_s)
    click.echo(json.dumps(call_json(seen), indent=2) if as_json else _line(seen))
    if wait_s and not is_converged(seen):
        raise SystemExit(1)


def _watched(built: Services, call: Call, wait_s: float) -> Call:
    until = time.monotonic() + wait_s
    while not is_converged(call) and time.monotonic() < until:
        time.sleep(_LOOK_S)
        call = built.store.load(call.call_sid) or call
    return call


def _line(call: Call) -> str:
    left = "" if is_converged(call) else ", on its way"
    return f"{call.call_sid}: {state_of(call)}, transcription {call.transcription.state}{left}"
