"""Which messages of a later source are which known utterances.

First the same words of the same role, the nearest in time; then words that differ a little and are closer still. The
vendor's clock and the meaning of its timestamps are not known, so the usual distance between its times and ours is
learnt from the words that occur once; until enough of them agree, the clocks are taken to be about the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher
from statistics import median_low

from orchestrator.asapp.wire import StoredMessage
from orchestrator.transcripts.entry import Entry, length_of
from orchestrator.transcripts.fence import words_of

_NEAR_MS = 1_500
_ALIKE = 0.75
_ALIKE_LENGTH = 0.8
_MANY_PAIRS = 250_000
_SAME_MS = 2_000
_FAR_MS = 30_000
LONG_WORDS = 4
"""So many words in a row are hardly said twice within half a minute; a "yes" is."""

_SURE = 3
"""So many words that occur once tell how the clocks differ; from then on a short word is not looked for far off."""

Pairs = dict[int, Entry]
"""Position of a message -> the utterance that it is."""


def matched(entries: Sequence[Entry], items: Sequence[StoredMessage], prints: Sequence[str]) -> tuple[Pairs, int]:
    """The pairs, and how much later (ms) utterances end than the source's times say."""
    known: defaultdict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        known[entry.print].append(number)
    told: defaultdict[str, list[int]] = defaultdict(list)
    for index, mark in enumerate(prints):
        if mark:
            told[mark].append(index)
    once = [(known[mark][0], rows[0]) for mark, rows in told.items() if len(rows) == len(known.get(mark, ())) == 1]
    skew_ms, is_sure = _skew([entries[number].end - items[index].sent_at for number, index in once])
    found: dict[int, int] = {}
    for mark, rows in told.items():
        is_short = len(items[rows[0]].text.split()) < LONG_WORDS
        within_ms = _SAME_MS if is_sure and is_short else _FAR_MS
        found.update(_nearest(entries, known.get(mark, []), items, rows, skew_ms, within_ms))
    found.update(_alike(entries, items, found, skew_ms))
    return {index: entries[number] for index, number in found.items()}, skew_ms


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
    skew_ms: int,
    within_ms: int,
) -> dict[int, int]:
    """Pairs of the same words, the nearest in time first; of very many the first with the first."""
    if len(numbers) * len(rows) > _MANY_PAIRS:
        return dict(zip(rows, numbers, strict=False))
    distances = [
        (abs(items[index].sent_at + skew_ms - entries[number].end), index, number)
        for number in numbers
        for index in rows
    ]
    return _first_come(sorted(each for each in distances if each[0] <= within_ms))


def _alike(
    entries: Sequence[Entry], items: Sequence[StoredMessage], found: dict[int, int], skew_ms: int
) -> dict[int, int]:
    """Pairs among what is left: the same role, close in time, nearly the same words."""
    taken = set(found.values())
    free = [number for number in range(len(entries)) if number not in taken]
    distances = []
    for index, item in enumerate(items):
        if index in found:
            continue
        end = item.sent_at + skew_ms
        for number in free:
            entry = entries[number]
            distance = abs(end - entry.end)
            if entry.role == item.role and distance <= _NEAR_MS and _is_alike(entry, item):
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
