"""`orchestrator doctor`: is everything in place? Each line says what was found and, where it is wrong, the fix.

`--release` is for a release phase: quick, without writes, and without asking the vendors, so that a vendor's bad day
does not hold up a deployment; it wants the settings that the processes after it want, REDIS_URL included. Exit 0: all
well; 1: something is wrong; 2: the configuration is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict

import click

from orchestrator.cli.layout import wrapped_for_people
from orchestrator.cli.reading import account_of, services
from orchestrator.diagnosis import reach, site, vendors, wiring
from orchestrator.diagnosis.finding import FAIL, NOTE, OK, Finding
from orchestrator.errors import ConfigurationError
from orchestrator.services import Services
from orchestrator.twilio.wiring import Wiring

_MARKS = {OK: ("  ok", "green"), NOTE: ("note", "yellow"), FAIL: ("FAIL", "red")}

_INDENT = 6
_FIX_INDENT = 11


@click.command("doctor")
@click.option("--release", is_flag=True, help="Quick and without writes; does not ask the vendors.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(release: bool, as_json: bool) -> None:
    """Check configuration, Redis, both vendors' accounts, and the way from Twilio to here.

    Every line that says FAIL is followed by the fix. Nothing is changed anywhere; what its user may do in Redis is
    tried on keys that expire within a minute.
    """
    try:
        built = services(needs_redis=release)
    except ConfigurationError as error:
        if as_json:
            _print_json([Finding("configuration", FAIL, fault, "correct it and try again") for fault in error.faults])
            raise SystemExit(2) from error
        raise
    findings = _checks(built, is_release=release)
    failed = _print_json(findings) if as_json else _print(findings)
    if failed:
        raise SystemExit(1)


def _checks(built: Services, *, is_release: bool) -> Iterator[Finding]:
    """One after the other, so that each can be shown when it is known."""
    yield Finding("configuration", OK, "settings and profiles are valid")
    yield from site.left_out(built.settings)
    yield from site.redis(built, may_write=not is_release)
    if is_release:
        return
    yield from site.workers(built)
    yield from site.archive(built.settings)
    yield from vendors.asapp(built)
    account, wanted = account_of(built.settings, built.http), Wiring(built.settings.public_base_url)
    yield from vendors.twilio(built, account)
    yield from wiring.numbers(account, built.profiles, wanted)
    yield from wiring.taskrouter(account, built.profiles, wanted)
    yield from reach.public_url(built.settings, built.http)


def _print(findings: Iterable[Finding]) -> bool:
    """Whether anything failed."""
    count = {OK: 0, NOTE: 0, FAIL: 0}
    for finding in findings:
        count[finding.status] += 1
        mark, colour = _MARKS[finding.status]
        told = wrapped_for_people(mark, f"{finding.check}: {finding.told}", _INDENT)
        click.echo(f"{click.style(told[: len(mark)], fg=colour)}{told[len(mark) :]}")
        if finding.fix:
            click.echo(wrapped_for_people("      fix:", finding.fix, _FIX_INDENT))
    click.echo(f"{count[OK]} ok, {count[NOTE]} to note, {count[FAIL]} failed")
    return bool(count[FAIL])


def _print_json(findings: Iterable[Finding]) -> bool:
    found = list(findings)
    failed = any(finding.status == FAIL for finding in found)
    click.echo(json.dumps({"ok": not failed, "findings": [asdict(finding) for finding in found]}, indent=2))
    return failed
