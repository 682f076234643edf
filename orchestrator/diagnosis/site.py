"""What a process starts without and is then missed, and Redis."""

from __future__ import annotations

from collections.abc import Iterator

import fsspec

from orchestrator.diagnosis.finding import FAIL, NOTE, OK, Finding
from orchestrator.errors import OrchestratorError
from orchestrator.services import Services
from orchestrator.settings import Settings
from orchestrator.store.health import UNKNOWN, Health, ping
from orchestrator.store.permissions import forbidden
from orchestrator.store.shards import recorded_shards

_FAR_MS = 2000
"""Beyond this, times that people see on this machine and in the timelines differ visibly."""


def left_out(settings: Settings) -> Iterator[Finding]:
    """Settings that may be absent, and what is then not there."""
    if settings.transcript_webhook_auth == "secret" and not settings.transcript_webhook_secret:
        told = "TRANSCRIPT_WEBHOOK_SECRET is not set: every transcript that ASAPP sends is answered 401"
        yield Finding("transcripts", FAIL, told, "set it to the secret that ASAPP was given for the webhook")
    if not settings.agent_api_keys:
        told = "AGENT_API_KEYS is not set: no agent's desktop can report or ask anything"
        yield Finding("desktop API", NOTE, told, "set it to name:key for each desktop that calls /api")
    if settings.archive_url is None:
        told = f"ARCHIVE_URL is not set: transcripts are gone after {settings.transcript_ttl_days} days"
        yield Finding("archive", NOTE, told, "set it to where transcripts are to be kept, e.g. s3://bucket/transcripts")
        return
    scheme = settings.archive_url.partition("://")[0]
    try:
        fsspec.get_filesystem_class(scheme)
    except (ImportError, ValueError) as error:
        yield Finding("archive", FAIL, f"ARCHIVE_URL cannot be written to: {error}", _package_for(scheme))


def _package_for(scheme: str) -> str:
    return f"install fsspec's package for {scheme}:// beside this service, or change ARCHIVE_URL"


def archive(settings: Settings) -> Iterator[Finding]:
    """Whether its storage lets us look; nothing is written there."""
    if settings.archive_url is None:
        return
    try:
        files, path = fsspec.core.url_to_fs(settings.archive_url)
        is_there = files.exists(path)
    except ImportError:
        return  # told by `left_out`
    except Exception as error:  # noqa: BLE001  each storage's package raises errors of its own
        told = f"ARCHIVE_URL cannot be looked at ({type(error).__name__})"
        yield Finding("archive", FAIL, told, "check the address, and the credentials of its storage")
        return
    yield Finding("archive", OK, "can be looked at" if is_there else "can be looked at; it is empty so far")


def redis(services: Services, *, may_write: bool) -> Iterator[Finding]:
    """Reachable, new enough, set so that it forgets nothing; its clock; the number of shards; what its user may do.

    That is tried on keys of no consequence, which expire within a minute; without `may_write` it is not.
    """
    if (services.settings.redis_url or "").startswith("rediss") and services.settings.redis_tls_verify == "none":
        told = "REDIS_TLS_VERIFY=none: encrypted, but nothing proves that it is our Redis that answers"
        yield Finding("redis", NOTE, told, "have its certificate checked (REDIS_TLS_CA_FILE) where that lasts")
    try:
        health = ping(services.redis)
        recorded = recorded_shards(services.redis)
    except OrchestratorError as error:
        yield Finding("redis", FAIL, error.message, "check REDIS_URL, that Redis runs, and what its user may do")
        return
    yield Finding("redis", OK, f"{health.version}, answers in {health.latency_ms:g} ms")
    yield from _dangers(health)
    configured = services.settings.redis_shards
    if recorded not in {None, configured}:
        told = f"REDIS_SHARDS is {configured}, but this Redis holds calls in {recorded} shards"
        yield Finding("redis", FAIL, told, f"set REDIS_SHARDS to {recorded}, or empty this Redis first")
    skew_ms = services.clock.offset_ms if services.clock.refresh() else 0
    is_far = abs(skew_ms) > _FAR_MS
    told = f"Redis's clock is {abs(skew_ms)} ms {'ahead of' if skew_ms >= 0 else 'behind'} this machine's"
    fix = "set both by NTP; calls use Redis's clock, so none is harmed meanwhile" if is_far else ""
    yield Finding("clock", NOTE if is_far else OK, told, fix)
    if may_write:
        yield from _permissions(services)


def _permissions(services: Services) -> Iterator[Finding]:
    try:
        names = [name.lower() for name in forbidden(services.redis)]
    except OrchestratorError as error:
        fix = "let REDIS_URL lead to a primary that has memory and disk left"
        yield Finding("redis", FAIL, f"it takes no writes from us ({error.message})", fix)
        return
    if names:
        told = f"its user may not use {', '.join(names)}, or not on the keys orchestrator:*"
        fix = f"ACL SETUSER <user> ~orchestrator:* {' '.join(f'+{name}' for name in names)}"
        yield Finding("redis", FAIL, told, fix)


def _dangers(health: Health) -> Iterator[Finding]:
    for danger in health.dangers():
        yield Finding("redis", FAIL, danger.told, danger.cure)
    unknown = [
        name for name, value in (("appendonly", health.aof), ("maxmemory-policy", health.eviction)) if value == UNKNOWN
    ]
    if unknown:
        told = f"{' and '.join(unknown)} cannot be read (CONFIG is forbidden)"
        yield Finding("redis", NOTE, told, "see in the provider's settings: append-only file on, noeviction")


def workers(services: Services) -> Iterator[Finding]:
    """Somebody has to act on calls."""
    try:
        alive = len(services.heartbeat.workers())
    except OrchestratorError:
        return  # told by `redis`
    if alive:
        yield Finding("workers", OK, f"{alive} alive")
    else:
        fix = "run `orchestrator worker`, or set INLINE_WORKER_THREADS; `orchestrator serve` has workers of its own"
        yield Finding("workers", FAIL, "none is alive: calls are answered, nothing is transcribed", fix)
