"""`/healthz` for load balancers, `/readyz` for people and alarms, `/metrics` for Prometheus.

None of them calls a vendor. `/healthz` asks nobody: a process whose Redis is away still answers callers and must not
be restarted for it. What is promised is counted in Redis, so any web process answers `/metrics` for all.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec
from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from orchestrator.core.desired import state_of
from orchestrator.counting import hand_over
from orchestrator.errors import OrchestratorError
from orchestrator.metrics import exposition, sample
from orchestrator.services import Services
from orchestrator.store import health as store_health
from orchestrator.web.access import has_bearer
from orchestrator.web.context import services
from orchestrator.worker import poison

bp = Blueprint("health", __name__)

_BATCH = 500
_SHOWN = 20
Line = dict[str, object]


@bp.get("/healthz")
def healthz() -> Response:
    return Response("ok\n", content_type="text/plain; charset=utf-8")


@bp.get("/readyz")
def readyz() -> Response:
    """One JSON line per dependency; 503 when one that calls need is not well."""
    lines = list(_lines(services()))
    is_ready = all(line["ok"] for line in lines)
    text = "\n".join(msgspec.json.encode(line).decode() for line in lines) + "\n"
    return Response(text, status=200 if is_ready else 503, content_type="application/x-ndjson")


def _lines(services: Services) -> Iterator[Line]:
    redis = _line("redis", lambda: _redis(services))
    yield redis
    yield _line("webhooks", lambda: _webhooks(services))
    if redis["ok"]:
        yield _line("stream_url", lambda: _stream_url(services))
        yield _line("workers", lambda: _workers(services))
        yield _line("asapp", lambda: _asapp(services))
        yield _line("twilio", lambda: {"ok": True, "creates": services.budgets.creates.state()})
        yield _line("calls", lambda: _parked(services))
        if services.settings.sink_url:
            yield _line("sink", lambda: _sink(services))


def _line(name: str, look: Callable[[], Line]) -> Line:
    started = time.monotonic()
    try:
        found = look()
    except OrchestratorError as error:
        found = {"ok": False, "error": error.error_id}
    return {"dependency": name, **found, "ms": round((time.monotonic() - started) * 1000, 1)}


def _redis(services: Services) -> Line:
    health = store_health.ping(services.redis)
    return {"ok": True, **msgspec.to_builtins(health), "warnings": health.warnings()}


def _stream_url(services: Services) -> Line:
    """Its absence harms no call that lives: streams are added later. It is shown, and does not make us unready."""
    age_ms = services.stream_urls.age_ms()
    age_s = None if age_ms is None else round(age_ms / 1000, 1)
    return {"ok": True, "age_s": age_s, "fetches": services.budgets.urls.state()}


def _webhooks(services: Services) -> Line:
    """The latest request that Twilio did sign and this process refused. A replay may cause one: shown, no more."""
    latest = services.mismatches.latest()
    if latest is None:
        return {"ok": True}
    ago_s, found = latest
    told: Line = {"signed_url": found.signed_url, "differs": found.differs, "cure": found.cure}
    return {"ok": True, "problem": "twilio-refused", "refused_ago_s": round(ago_s), **told}


def _asapp(services: Services) -> Line:
    """What workers have found: a vendor on a bad day harms no caller, so it is shown, and does not make us unready."""
    today = services.budgets.asapp_day.today()
    budgets = services.budgets
    line: Line = {"ok": True, "starts": budgets.starts.state(), "media": budgets.media.state()}
    if today.limit is not None:
        line |= {"used_today": today.used, "kept_for_stops": today.reserved, "daily_limit": today.limit}
    return line | ({"problem": "daily-limit-near"} if today.is_near else {})


def _parked(services: Services) -> Line:
    """Calls that no worker could work on; a person has to look."""
    parked = poison.parked(services)
    return {"ok": True, "parked": parked[:_SHOWN]} if parked else {"ok": True}


def _sink(services: Services) -> Line:
    """Its troubles harm no call; dead letters wait for a person (`orchestrator sinks`)."""
    return {"ok": True, **services.budgets.sink.state(), "dead_letters": services.deliveries.dead_count()}


def _workers(services: Services) -> Line:
    alive = len(list(services.heartbeat.workers()))
    return {"ok": alive > 0, "alive": alive}


@bp.get("/metrics")
def metrics() -> Response:
    """Prometheus text behind METRICS_TOKEN; without a token there is no such page."""
    tokens = services().settings.metrics_token.values()
    if not tokens:
        raise NotFound
    if not has_bearer(tokens):
        raise OrchestratorError("unauthorized", "The metrics token is needed")
    hand_over(services())
    text = exposition(services().store.counters() | _gauges(services()), _calls_by_state(services()))
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")


def _gauges(services: Services) -> dict[str, float]:
    """What is so at this moment, beside the calls."""
    budgets = services.budgets
    gauges = {
        sample("orchestrator_breaker_open", breaker=each.name): float(each.is_open()) for each in budgets.breakers
    }
    gauges["orchestrator_dead_letters"] = float(services.deliveries.dead_count())
    gauges["orchestrator_workers"] = float(len(list(services.heartbeat.workers())))
    gauges["orchestrator_parked_calls"] = float(len(poison.parked(services)))
    gauges["orchestrator_redis_warnings"] = float(len(store_health.ping(services.redis).warnings()))
    return gauges | _day(services)


def _day(services: Services) -> dict[str, float]:
    today = services.budgets.asapp_day.today()
    if today.limit is None:
        return {}
    return {
        "orchestrator_asapp_requests_today": float(today.used),
        "orchestrator_asapp_kept_for_stops": float(today.reserved),
        "orchestrator_asapp_daily_limit": float(today.limit),
    }


def _calls_by_state(services: Services) -> Counter[str]:
    """Live calls, counted when asked."""
    counted: Counter[str] = Counter()
    sids = services.store.live_sids()
    while batch := list(islice(sids, _BATCH)):
        counted.update(state_of(call) for call in services.store.load_many(batch))
    return counted
