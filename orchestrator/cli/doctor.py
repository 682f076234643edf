"""`orchestrator doctor`: is everything in place? Each line says what was found and, where it is wrong, the fix.

`--release` is for a release phase: quick, without writes, and without asking the vendors, so that a vendor's bad day
does not hold up a deployment; it wants the settings that the processes after it want, REDIS_URL included. Exit 0: all
well; 1: something is wrong; 2: the configuration is (told by the start).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click
import fsspec

from orchestrator.cli.reading import services
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.errors import OrchestratorError
from orchestrator.services import Services
from orchestrator.store.health import ping


@dataclass(frozen=True)
class Finding:
    """`is_bad` None: worth knowing, not wrong."""

    what: str
    is_bad: bool | None
    told: str
    fix: str = ""


@click.command("doctor")
@click.option("--release", is_flag=True, help="Quick and without writes; does not ask the vendors.")
def command(release: bool) -> None:
    """Check configuration, Redis, and both vendors' accounts."""
    built = services(needs_redis=release)
    findings = [Finding("configuration", False, "settings and profiles are valid"), *_left_out(built), *_redis(built)]
    if not release:
        findings += [*_asapp(built), *_twilio(built)]
    for finding in findings:
        mark = {True: "FAIL", False: "ok", None: "note"}[finding.is_bad]
        click.echo(f"{mark:>4}  {finding.what}: {finding.told}")
        if finding.fix:
            click.echo(f"      fix: {finding.fix}")
    if any(finding.is_bad for finding in findings):
        raise SystemExit(1)


def _left_out(services: Services) -> Iterator[Finding]:
    """What a process starts without and is then missed."""
    settings = services.settings
    if settings.transcript_webhook_auth == "secret" and not settings.transcript_webhook_secret:
        told = "TRANSCRIPT_WEBHOOK_SECRET is not set: every transcript that ASAPP sends is answered 401"
        yield Finding("transcripts", True, told, "set it to the secret that ASAPP was given for the webhook")
    if not settings.agent_api_keys:
        told = "AGENT_API_KEYS is not set: no agent's desktop can report or ask anything"
        yield Finding("desktop API", None, told, "set it to name:key for each desktop that calls /api")
    scheme = (settings.archive_url or "file").partition("://")[0]
    try:
        fsspec.get_filesystem_class(scheme)
    except (ImportError, ValueError) as error:
        told = f"ARCHIVE_URL cannot be written to: {error}"
        yield Finding("archive", True, told, f"install fsspec's package for {scheme}://")


def _redis(services: Services) -> Iterator[Finding]:
    try:
        health = ping(services.redis)
    except OrchestratorError as error:
        yield Finding("redis", True, error.message, "check REDIS_URL and that Redis runs")
        return
    warnings = health.warnings()
    yield Finding("redis", False, f"{health.version}, answers in {health.latency_ms:g} ms")
    for warning in warnings:
        yield Finding("redis", True, warning)
    skew_ms = services.clock.offset_ms if services.clock.refresh() else 0
    is_far = abs(skew_ms) > 2000  # noqa: PLR2004 - beyond this, times of the desktop's events are clamped visibly
    yield Finding("clock", None if is_far else False, f"Redis's clock is {skew_ms} ms ahead of this machine's")


def _asapp(services: Services) -> Iterator[Finding]:
    health = services.asapp.health()
    if health.verdict is not Verdict.DONE:
        yield Finding("asapp", True, _refusal(health), "check ASAPP_API_BASE_URL, ASAPP_API_ID and ASAPP_API_SECRET")
        return
    yield Finding("asapp", False, "credentials are accepted")
    fetched = services.asapp.stream_url(requested_at_ms=services.clock.now_ms())
    if isinstance(fetched, Outcome):
        yield Finding(
            "stream URL", True, _refusal(fetched), "ask ASAPP to enable the Twilio media gateway for this key"
        )
    elif "?" in fetched.url or "#" in fetched.url:
        told = "ASAPP's stream URL has a query string, which Twilio is known to drop"
        yield Finding("stream URL", True, told, "ask ASAPP for the path form of the URL")
    else:
        yield Finding("stream URL", False, "wss, without a query string")


def _twilio(services: Services) -> Iterator[Finding]:
    listed = services.twilio.list_calls_in_progress()
    if isinstance(listed, Outcome):
        fix = "check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET"
        yield Finding("twilio", True, _refusal(listed), fix)
    else:
        yield Finding("twilio", False, f"credentials are accepted; {len(listed)} calls in progress")


def _refusal(outcome: Outcome) -> str:
    return f"{outcome.verdict.value} {outcome.code} {outcome.detail}".strip()
