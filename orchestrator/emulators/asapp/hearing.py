"""What is understood of one track: frames in, utterances out.

An utterance ends when 300 ms of audio pass without its words, when another one begins, or when the
hearing ends. Only words that were heard are in it. Times are ms of audio.
"""

from dataclasses import dataclass, field
from typing import Final

from orchestrator.emulators.audio import Heard, Kind

PAUSE_MS: Final = 300


@dataclass(frozen=True, slots=True)
class Word:
    """One heard word and its place in the audio."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was understood, from the first heard word to the last."""

    kind: Kind
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def start_ms(self) -> int:
        return self.words[0].start_ms

    @property
    def end_ms(self) -> int:
        return self.words[-1].end_ms


@dataclass(slots=True)
class Ear:
    """Listens to one track; ``position_ms`` is where on the track it begins."""

    position_ms: int = 0
    _key: tuple[Kind, int] | None = None
    _index: int = -1
    _word_from_ms: int = 0
    _word: str = ""
    _last_ms: int = 0
    _words: list[Word] = field(default_factory=list)

    def hear(self, heard: Heard | None, duration_ms: int) -> Utterance | None:
        """Take one frame and return the utterance that it ended, if any."""
        begin, self.position_ms = self.position_ms, self.position_ms + duration_ms
        if heard is None or not heard.word:
            return self.flush() if self._key and self.position_ms - self._last_ms >= PAUSE_MS else None
        ended = self.flush() if self._key and self._is_other(heard) else None
        if self._key is None or heard.word_index != self._index:
            self._close_word()
            self._key, self._index = (heard.kind, heard.utterance), heard.word_index
            self._word_from_ms, self._word = begin, heard.word
        self._last_ms = self.position_ms
        return ended

    def flush(self) -> Utterance | None:
        """Return what was understood so far and not yet returned."""
        if self._key is None:
            return None
        self._close_word()
        utterance = Utterance(self._key[0], tuple(self._words))
        self._key, self._words = None, []
        return utterance

    def _is_other(self, heard: Heard) -> bool:
        return (heard.kind, heard.utterance) != self._key or heard.word_index < self._index

    def _close_word(self) -> None:
        if self._key is not None:
            self._words.append(Word(self._word, self._word_from_ms, self._last_ms))
