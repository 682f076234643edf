"""A site that takes nothing but SharedKey signatures, and an account that signs so."""

from __future__ import annotations

from tests.e2e.harness import Site
from tests.e2e.processes import poll
from tests.e2e.world import CallSeen, assert_ended_clean

KEY = "webhooks_sharedkey_fake:fake-shared-secret"


def test_a_call_is_looked_after_with_a_shared_key_alone() -> None:
    """Every webhook of the story is signed with HMAC-SHA256 and accepted; with the token's signature none would be."""
    with Site(environment={"TWILIO_SHARED_KEYS": KEY, "TWILIO_SIGNATURES": "shared-key"}) as site:
        site.twilio("credentials", {"shared_key": KEY})
        call = CallSeen(site, site.play("two_holds").call_sid)
        assert_ended_clean(call)
        assert statuses_of(site, call.sid) == {200, 204}
        site.twilio("credentials", {"shared_key": ""})
        answer = site.twilio("calls", {"from": "+15555550101", "to": "+15555550100"})
        poll(lambda: statuses_of(site, answer["sid"]) == {403}, 10, "the token's signature is refused")


def statuses_of(site: Site, call_sid: str) -> set[int]:
    return {row["status"] for row in site.twilio("deliveries") if row["params"].get("CallSid") == call_sid}
