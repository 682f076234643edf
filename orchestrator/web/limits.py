"""How often one caller may ask: a bucket in Redis that all web processes share.

What may mean that nobody is to be heard any more (a hold, a pause) is never limited. Everything else needs Redis
anyway, so it costs nothing that the bucket does, too.
"""

from __future__ import annotations

import math

from orchestrator.errors import OrchestratorError
from orchestrator.store.budgets import TokenBucket
from orchestrator.web.context import services
from orchestrator.web.tokens import Caller

BURST_S = 2


def take(who: Caller) -> None:
    """Raises `too-many-requests` that says when to come again, and StoreUnavailable."""
    rate = services().settings.agent_api_rps
    bucket = TokenBucket(services().redis, f"api:{who.source}", rate, rate * BURST_S, reserved_share=0)
    if wait_ms := bucket.take():
        after_s = math.ceil(wait_ms / 1000)
        raise OrchestratorError("too-many-requests", f"At most {rate} requests a second", retry_after_s=after_s)
