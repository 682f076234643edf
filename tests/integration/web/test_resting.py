"""The hub's readers while nobody follows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from orchestrator.feeds.hub import Hub
from orchestrator.feeds.telling import Teller
from orchestrator.feeds.view import View
from orchestrator.store.connect import LONGEST_BLOCK_S
from orchestrator.store.errors import StoreUnavailable
from orchestrator.transcripts.live import LiveUtterances
from orchestrator.web.render import call_json
from tests.integration.web.site import CALL, Site
from tests.scarce import no_threads

Eventually = Callable[[Callable[[], object]], None]


def test_a_floor_that_nobody_follows_costs_redis_nothing(site: Site, eventually: Eventually) -> None:
    """After the last follower has left the feed is read no more; the next one is shown what came meanwhile."""
    services = site.services
    teller = Teller(services.feed, LiveUtterances(services.utterances), call_json)
    hub = Hub(services.feed, teller, rest_after_s=0.2)

    def reads() -> int:
        told = cast("dict[str, Any]", services.redis.execute_command("INFO", "commandstats"))
        return int(told.get("cmdstat_xread", {"calls": 0})["calls"])

    def is_at_rest() -> bool:
        before = reads()
        time.sleep(3 * LONGEST_BLOCK_S)  # a reader at work asks again after one of these
        return reads() == before

    try:
        first = hub.join(View(), None, lambda: True)
        assert first.floor == []
        assert not is_at_rest()
        hub.leave(first.connection)
        eventually(is_at_rest)
        site.arrive()
        second = hub.join(View(), None, lambda: True)
        assert [call.call_sid for call in second.floor] == [CALL]
        assert not is_at_rest()
    finally:
        hub.stop(2.0)


def test_a_feed_without_threads_is_told_and_followed_later(site: Site) -> None:
    """The system had none to give: whoever wants to follow is told so, and follows once there are some."""
    services = site.services
    hub = Hub(services.feed, Teller(services.feed, LiveUtterances(services.utterances), call_json))
    with no_threads(), pytest.raises(StoreUnavailable):
        hub.join(View(), None, lambda: True)
    try:
        assert hub.join(View(), None, lambda: True).floor == []
    finally:
        hub.stop(2.0)
