"""From entries of the feed to what is told: the call as it is now, the utterance if the fence lets it through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from orchestrator.core.call import Call, Progress
from orchestrator.feeds.view import Render, Seen, seen
from orchestrator.store.feed import Entry, Feed, Loaded, Place
from orchestrator.transcripts.live import LiveUtterances
from orchestrator.transcripts.utterance import Utterance
from orchestrator.transcripts.view import shown


class Told(NamedTuple):
    """One entry that is told. `seen` is None for a call that is gone; `utterance` holds JSON; `key`: its key."""

    place: Place
    call_sid: str
    version: int
    seen: Seen | None
    key: str = ""
    utterance: bytes = b""
    forgotten: str = ""


class Teller:
    """Thread-safe; raises StoreUnavailable when Redis is away."""

    def __init__(self, feed: Feed, live: LiveUtterances, render: Render) -> None:
        self._feed = feed
        self._live = live
        self._render = render

    def told(self, entries: Sequence[Entry]) -> list[Told]:
        """Of these entries of one shard those that are told, in order."""
        loaded = self._feed.load(sorted({entry.call_sid for entry in entries if entry.call_sid}))
        views = {sid: self._seen(each) for sid, each in loaded.items()}
        utterances = self._utterances(entries, loaded)
        told: list[Told] = []
        for entry in entries:
            sid = entry.call_sid
            if entry.forgotten:
                told.append(Told(entry.place, "", 0, None, forgotten=entry.forgotten))
            elif not entry.utterance:
                if loaded[sid].call is None or loaded[sid].shown == entry.version:
                    told.append(Told(entry.place, sid, entry.version, views[sid]))
            elif (body := utterances.get((sid, entry.utterance))) is not None:
                told.append(Told(entry.place, sid, 0, views[sid], entry.utterance, body))
        return told

    def seen(self, call_sids: Sequence[str]) -> list[Seen]:
        """These calls of one shard as they are now, without those that are gone."""
        found = map(self._seen, self._feed.load(call_sids).values())
        return [each for each in found if each is not None]

    def transcript(self, call_sid: str) -> tuple[list[str], list[bytes]]:
        """What may be told of a call so far: the utterances' keys, and their JSON in spoken order."""
        call = self._feed.load([call_sid])[call_sid].call
        if call is None:
            return [], []
        found = self._live.told(call, self._feed.all_utterances(call_sid))
        ordered = sorted(found.values(), key=lambda each: (each.start, each.end))
        return list(found), [_body(call_sid, each) for each in ordered]

    def _seen(self, loaded: Loaded) -> Seen | None:
        """What was never a call is gone."""
        call = loaded.call
        return None if call is None or call.progress is Progress.DROPPED else seen(call, self._render)

    def _utterances(self, entries: Iterable[Entry], loaded: dict[str, Loaded]) -> dict[tuple[str, str], bytes]:
        wanted: defaultdict[str, list[str]] = defaultdict(list)
        for entry in entries:
            if entry.utterance:
                wanted[entry.call_sid].append(entry.utterance)
        bodies: dict[tuple[str, str], bytes] = {}
        for sid, keys in wanted.items():
            call = loaded[sid].call
            if call is not None:
                bodies.update({(sid, key): _body(sid, each) for key, each in self._of(call, keys).items()})
        return bodies

    def _of(self, call: Call, keys: Sequence[str]) -> dict[str, Utterance]:
        return self._live.told(call, self._feed.utterances(call.call_sid, keys))


def _body(call_sid: str, utterance: Utterance) -> bytes:
    return msgspec.json.encode({"call_sid": call_sid, **shown(utterance)})
