"""Utterances as they are told to those who follow a call: behind the same fence as the transcript, one at a time.

An utterance's times are estimated from its call's latest ones (see `timing`), which are remembered without their
words, so that a long call is not read again for each utterance of it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from orchestrator.core.call import Call
from orchestrator.transcripts.fence import pauses_of
from orchestrator.transcripts.merge import heard, utterance_of
from orchestrator.transcripts.timing import times_of
from orchestrator.transcripts.utterance import Received, Utterance

if TYPE_CHECKING:
    from orchestrator.store.utterances import UtteranceStore

LATEST = 50
"""Enough to tell which reading of the offsets is right."""
CALLS = 5_000


class LiveUtterances:
    """Thread-safe. Every method raises StoreUnavailable when Redis is away."""

    def __init__(self, store: UtteranceStore) -> None:
        self._store = store
        self._latest: OrderedDict[str, list[Received]] = OrderedDict()
        self._lock = threading.Lock()

    def told(self, call: Call, records: Mapping[str, bytes]) -> dict[str, Utterance]:
        """Of these stored records, by key, those that may be told."""
        new = [
            msgspec.structs.replace(msgspec.json.decode(text, type=Received), key=key) for key, text in records.items()
        ]
        pauses = pauses_of(call)
        told: dict[str, Utterance] = {}
        for received, start, end in times_of(call, self._beside(call.call_sid, new)):
            if received.key not in records:
                continue
            entry = heard(received, start, end, pauses, b"")
            if entry.reason is None:
                told[received.key] = utterance_of(call, entry)
        return told

    def _beside(self, call_sid: str, new: list[Received]) -> list[Received]:
        """The new ones together with the call's latest others."""
        keys = {each.key for each in new}
        latest = self._latest.get(call_sid)
        if latest is None:
            latest = [_wordless(each) for each in _decoded(self._store.all(call_sid))]
        with self._lock:
            merged = {each.key: each for each in [*latest, *map(_wordless, new)]}
            self._latest[call_sid] = sorted(merged.values(), key=lambda each: each.at)[-LATEST:]
            self._latest.move_to_end(call_sid)
            while len(self._latest) > CALLS:
                self._latest.popitem(last=False)
        return [*(each for each in latest if each.key not in keys), *new]


def _decoded(records: list[dict[str, object]]) -> list[Received]:
    return msgspec.convert(records, list[Received])


def _wordless(received: Received) -> Received:
    return msgspec.structs.replace(received, text="")
