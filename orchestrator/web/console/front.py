"""`/console`: the floor at a glance. What workers have found of the vendors is read from Redis; nobody is asked."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from orchestrator.store import health as store_health
from orchestrator.web.console.lists import Wish, chosen, figures, in_need
from orchestrator.web.console.pages import bp, floor, page
from orchestrator.web.console.words import LIVE_STATES
from orchestrator.web.context import services
from orchestrator.worker import poison

if TYPE_CHECKING:
    from orchestrator.services import Services

_SHOWN = 8
_FAILED = frozenset({"failed", "unknown", "refused-for-now", "terminal"})
_REQUESTS = "orchestrator_provider_requests_total{"


@bp.get("")
def front() -> str:
    now = services().clock.now_ms()
    rows = floor().rows()
    first = chosen((row for row in rows if row.is_live), Wish(), now)
    return page(
        "front",
        figures=figures(rows, now),
        states=LIVE_STATES,
        first=floor().refreshed(first[:_SHOWN]),
        needy=in_need(first, now),
        around=_around(services()),
    )


def _around(of: Services) -> dict[str, Any]:
    """What calls depend on."""
    today, redis = of.budgets.asapp_day.today(), store_health.ping(of.redis)
    requests = _requests(of.store.counters())
    return {
        "breakers": [
            ("ASAPP", "starts of transcription", of.budgets.starts.state(), requests.get("asapp")),
            ("Twilio", "new media streams", of.budgets.creates.state(), requests.get("twilio")),
            ("ASAPP", "stream URLs", of.budgets.urls.state(), None),
            ("ASAPP", "streams that arrive", of.budgets.media.state(), None),
        ],
        "day": today,
        "url_age_ms": of.stream_urls.age_ms(),
        "workers": sorted(of.heartbeat.workers().items()),
        "redis": redis,
        "parked": poison.parked(of),
    }


def _requests(counters: dict[str, float]) -> dict[str, dict[str, int]]:
    """By vendor: how many requests, and how many of them were not carried out, since counting began."""
    found: defaultdict[str, dict[str, int]] = defaultdict(lambda: {"all": 0, "failed": 0})
    for name, value in counters.items():
        if name.startswith(_REQUESTS):
            labels = dict(part.split("=", 1) for part in name[len(_REQUESTS) : -1].replace('"', "").split(","))
            own = found[labels["provider"]]
            own["all"] += int(value)
            own["failed"] += (
                int(value) if labels["outcome"] in {"failed", "unknown", "refused-for-now", "terminal"} else 0
            )
    return dict(found)
