"""`orchestrator setup [NUMBER]...`: point numbers and TaskRouter's workspace at this service.

Shows what it would change; changes it with `--apply`. What belongs to something else (a trunk, an application, another
event callback) is taken away with `--force` only. Exit 1: something was refused, by us or by Twilio.
"""

from __future__ import annotations

import json

import click

from orchestrator.cli.layout import wrapped_for_people
from orchestrator.cli.reading import vendors
from orchestrator.cli.setting_up import Part, Plan
from orchestrator.twilio.wiring import Change, Wiring

_RESULTS = {
    "already-right": ("already right", "green"),
    "not-yet-changed": ("to be changed", "yellow"),
    "changed": ("changed", "green"),
    "refused": ("REFUSED", "red"),
}

_SHORT = 40


@click.command()
@click.argument("numbers", nargs=-1, metavar="[NUMBER]...")
@click.option(
    "--workspace", metavar="WS...", help="TaskRouter's workspace; if not given, that of the profiles' workflows."
)
@click.option("--fallback-url", metavar="URL", help="TwiML outside this service, for when it is away.")
@click.option("--apply", "is_applied", is_flag=True, help="Change it; without this it is only shown.")
@click.option("--force", is_flag=True, help="Take it from a trunk, an application, another event callback.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    numbers: tuple[str, ...],
    workspace: str | None,
    fallback_url: str | None,
    is_applied: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Point Twilio numbers, and TaskRouter's workspace, at this service.

    Without a NUMBER (+15555550100), those that a profile names and those that come here already are shown.
    """
    if is_applied and not numbers and not workspace:
        raise click.UsageError("Name the numbers to change; without --apply it shows which there are.")
    site = vendors()
    plan = Plan(site.account, site.profiles, Wiring(site.settings.public_base_url))
    if numbers or not workspace:
        plan.add_numbers(numbers, fallback_url)
    plan.add_workspaces(workspace)
    plan.settle(is_applied=is_applied, force=force)
    if as_json:
        click.echo(json.dumps(plan.json(), indent=2))
    else:
        _show(plan)
    if plan.has_failed:
        raise SystemExit(1)


def _show(plan: Plan) -> None:
    for part in plan.parts:
        word, colour = _RESULTS[part.result]
        click.echo(f"{click.style(word, fg=colour)}  {part.kind} {part.name}  {part.sid}".rstrip())
        for change in part.changes:
            click.echo(_line(change))
        if part.refused:
            click.echo(wrapped_for_people("   ", part.refused, 4))
    for failure in plan.failures:
        click.echo(f"{click.style('FAILED', fg='red')}  {failure}")
    if any(part.result == "not-yet-changed" for part in plan.parts):
        names = " ".join(part.name for part in plan.parts if part.kind == "number")
        click.echo(f"\nNothing was changed. To change it: orchestrator setup {names} --apply".replace("  ", " "))
    on_us = next((part for part in plan.parts if part.fallback), None)
    if on_us is not None:
        click.echo(_fallback_steps(on_us))


def _line(change: Change) -> str:
    """On one line where that is short, else one below the other."""
    now, wanted = change.now or "(nothing)", change.wanted or "(nothing)"
    is_short = len(now) + len(wanted) < _SHORT
    old = click.style(now if is_short else f"- {now}", fg="red")
    new = click.style(wanted if is_short else f"+ {wanted}", fg="green")
    return f"    {change.setting}: {old} -> {new}" if is_short else f"    {change.setting}:\n      {old}\n      {new}"


def _fallback_steps(part: Part) -> str:
    why = f"The fallback of {part.name} is this service itself. One that Twilio keeps also helps callers when this"
    why += " service, or the way to it, is down. Twilio has no API to make it; by hand:"
    return f"""
{wrapped_for_people("", why, 0)}
  1. In Twilio's console, create a TwiML Bin with this document:
     {part.fallback.partition("?>")[2]}
  2. Copy its URL, and:
     orchestrator setup {part.name} --fallback-url URL --apply"""
