"""Which messages of a later source are which known utterances.

First the same message by its id, which list and feed share; then the same words of the same role, the nearest in time;
then words that differ a little and are closer still. The vendor's clock and the meaning of its timestamps are not
known, so the usual distance between its times and ours is learnt from the words that occur once; until enough of them
agree, the clocks are taken to be about the same. Audio that came late moves a stretch of the talk against the rest:
near a longer utterance its own distance counts as well. And the same words that the vendor stored just when its
real-time message came are that message, whatever its offsets say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from statistics import median_low

from orchestrator.asapp.wire import StoredMessage
from orchestrator.transcripts.entry import Entry, length_of
from orchestrator.transcripts.fence import words_of

NEAR_MS = 1_500
"""Within so long of each other words that differ a little are the same; no better is it known when they were said."""

_ALIKE = 0.75
_ALIKE_LENGTH = 0.8
_MANY_PAIRS = 250_000
_SAME_MS = 2_000
_FAR_MS = 30_000
LONG_WORDS = 4
"""So many words in a row are hardly said twice within half a minute; a "yes" is."""

_SURE = 3
"""So many words that occur once tell how the clocks differ; from then on a short word is not looked for far off."""

Skews = tuple[int, ...]
"""How much later (ms) an utterance may end than the source's time for it says."""
Rows = dict[str, list[int]]
"""Positions of messages by their fingerprints."""
Pairs = dict[int, Entry]
"""Position of a message -> the utterance that it is."""


def matched(entries: Sequence[Entry], items: Sequence[StoredMessage], prints: Sequence[str]) -> tuple[Pairs, int]:
    """The pairs, and how much later (ms) utterances end than the source's times say."""
    found = _by_id(entries, items)
    taken = set(found.values())
    known: defaultdict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        if number not in taken:
            known[entry.print].append(number)
    told: defaultdict[str, list[int]] = defaultdict(list)
    for index, mark in enumerate(prints):
        if mark and index not in found:
            told[mark].append(index)
    once = [(number, index) for index, number in found.items()]
    once += [(known[mark][0], rows[0]) for mark, rows in told.items() if len(rows) == len(known.get(mark, ())) == 1]
    skew_ms, is_sure = _skew([entries[number].end - items[index].sent_at for number, index in once])
    long, short = _by_length(told, items)
    for mark, rows in long.items():
        found.update(_nearest(entries, known.get(mark, []), items, rows, [(skew_ms,)] * len(items), _FAR_MS))
    distances = {index: entries[number].end - items[index].sent_at for index, number in found.items()}
    skews = _with_neighbours(skew_ms, distances, len(items))
    for mark, rows in short.items():
        found.update(_nearest(entries, known.get(mark, []), items, rows, skews, _SAME_MS if is_sure else _FAR_MS))
    found.update(_alike(entries, items, found, skews))
    return {index: entries[number] for index, number in found.items()}, skew_ms


def _by_id(entries: Sequence[Entry], items: Sequence[StoredMessage]) -> dict[int, int]:
    """Whatever their times say. One whose words are gone was judged by its own time, and stays by itself."""
    known = {(each.message_id, each.role): number for number, entry in enumerate(entries) for each in entry.messages}
    ids = [(each.message_id, each.role) for each in items]
    return {index: known[own] for index, own in enumerate(ids) if own in known and not items[index].is_scrubbed}


def _by_length(told: Mapping[str, list[int]], items: Sequence[StoredMessage]) -> tuple[Rows, Rows]:
    """Long utterances, which are hardly said twice, and short ones."""
    long = {mark: rows for mark, rows in told.items() if len(items[rows[0]].text.split()) >= LONG_WORDS}
    return long, {mark: rows for mark, rows in told.items() if mark not in long}


def _with_neighbours(skew_ms: int, known: Mapping[int, int], count: int) -> list[Skews]:
    """The distances that each item may have: the usual one, and its nearest neighbours' whose own is known."""
    before = _latest_known(range(count), known)
    after = _latest_known(range(count - 1, -1, -1), known)[::-1]
    return [(skew_ms, *(each for each in near if each is not None)) for near in zip(before, after, strict=True)]


def _latest_known(order: Iterable[int], known: Mapping[int, int]) -> list[int | None]:
    """At each item on the way the one that was known last."""
    seen: int | None = None
    return [seen := known.get(index, seen) for index in order]


def _distance(entry: Entry, item: StoredMessage, skews: Skews) -> int:
    return min(abs(item.sent_at + skew_ms - entry.end) for skew_ms in skews)


def _distance_of_same(entry: Entry, item: StoredMessage, skews: Skews) -> int:
    """By when it was spoken, which offsets tell more or less well; or by when it was told, which is known."""
    spoken = _distance(entry, item, skews)
    return spoken if entry.received is None else min(spoken, abs(item.sent_at - entry.received.at))


def _skew(distances: list[int]) -> tuple[int, bool]:
    """How much later utterances end than the source says, and whether enough of them agree on it."""
    if len(distances) < _SURE:
        return 0, False

    def agreeing(skew_ms: int) -> list[int]:
        return [each for each in distances if abs(each - skew_ms) <= _SAME_MS]

    best = max((agreeing(0), agreeing(median_low(distances))), key=len)
    return (median_low(best), True) if len(best) >= _SURE else (0, False)


def _nearest(
    entries: Sequence[Entry],
    numbers: list[int],
    items: Sequence[StoredMessage],
    rows: list[int],
    skews: Sequence[Skews],
    within_ms: int,
) -> dict[int, int]:
    """Pairs of the same words, the nearest in time first; of very many the first with the first."""
    if len(numbers) * len(rows) > _MANY_PAIRS:
        return dict(zip(rows, numbers, strict=False))
    distances = [
        (_distance_of_same(entries[number], items[index], skews[index]), index, number)
        for number in numbers
        for index in rows
    ]
    return _first_come(sorted(each for each in distances if each[0] <= within_ms))


def _alike(
    entries: Sequence[Entry], items: Sequence[StoredMessage], found: dict[int, int], skews: Sequence[Skews]
) -> dict[int, int]:
    """Pairs among what is left: the same role, close in time, nearly the same words."""
    taken = set(found.values())
    free = [number for number in range(len(entries)) if number not in taken]
    distances = []
    for index, item in enumerate(items):
        if index in found:
            continue
        for number in free:
            entry = entries[number]
            distance = _distance(entry, item, skews[index])
            if entry.role == item.role and distance <= NEAR_MS and _is_alike(entry, item):
                distances.append((distance, index, number))
    return _first_come(sorted(distances))


def _first_come(distances: list[tuple[int, int, int]]) -> dict[int, int]:
    found: dict[int, int] = {}
    taken: set[int] = set()
    for _, index, number in distances:
        if index not in found and number not in taken:
            found[index] = number
            taken.add(number)
    return found


def _is_alike(entry: Entry, item: StoredMessage) -> bool:
    """Where the words have been thrown away on one side, their length has to do; on both, the time alone."""
    if entry.text and item.text:
        ours, theirs = words_of(entry.text).split(), words_of(item.text).split()
        return SequenceMatcher(None, ours, theirs, autojunk=False).ratio() >= _ALIKE
    if not item.text:
        return entry.reason is not None
    short, long = sorted((length_of(entry), len(item.text)))
    return short >= long * _ALIKE_LENGTH
