"""Key names, and the slot that they share."""

from __future__ import annotations

import re

from orchestrator.store.keys import Keys


def test_all_keys_of_a_call_and_its_queue_share_a_tag() -> None:
    """One script may touch them all on a cluster."""
    keys = Keys(8)
    call = keys.of("CA1")

    names = [*call[1:], keys.live(call.shard), keys.recent(call.shard), keys.counters(call.shard)]
    names += keys.queue("calls", call.shard)

    tags = {tuple(re.findall(r"\{(.*?)\}", name)) for name in names}
    assert tags == {(str(call.shard),)}
    assert len(set(names)) == len(names)


def test_calls_spread_over_the_shards() -> None:
    """Every shard gets its share."""
    keys = Keys(4)

    assert {keys.of(f"CA{number}").shard for number in range(100)} == {0, 1, 2, 3}


def test_one_shard_is_the_default() -> None:
    """Without REDIS_SHARDS every tag is {0}."""
    assert Keys().of("CA1").document == "orchestrator:{0}:call:CA1"
