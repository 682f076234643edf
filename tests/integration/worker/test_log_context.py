"""Whatever a worker logs while it acts for a call carries the call's SID, whichever module writes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from structlog.contextvars import clear_contextvars, get_contextvars

from orchestrator.core import events as e
from orchestrator.core.call import Call
from orchestrator.core.profile import Profile
from orchestrator.tracing import Tracing
from tests.integration.worker.conftest import Desk

FIRST, SECOND = "CA" + "1" * 32, "CA" + "2" * 32


class Looking(Tracing):
    """Notes the log's context at each action."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, object]] = set()

    @contextmanager
    def action(self, name: str, call: Call) -> Iterator[None]:
        del name
        self.seen.add((call.call_sid, get_contextvars().get("call_sid")))
        yield


def test_the_context_is_the_claimed_calls(desk: Desk) -> None:
    """Each call's own, and none once the claim has ended."""
    clear_contextvars()
    looking = Looking()
    desk.worker.services = replace(desk.services, tracing=looking)
    desk.services.stream_urls.refresh()
    for sid, agent in ((FIRST, "CA" + "a" * 32), (SECOND, "CA" + "b" * 32)):
        at = desk.services.clock.now_ms() - 60_000
        desk.services.store.begin(e.CallArrived(at=at, call_sid=sid, profile=Profile(route="dial:client:amy")))
        desk.vendors.leg(sid)
        desk.tell(sid, e.LegAnswered(at=at, leg=agent, is_dialled=True))
    desk.turns()
    assert looking.seen == {(FIRST, FIRST), (SECOND, SECOND)}
    assert "call_sid" not in get_contextvars()
