"""What merging knows of one utterance while the sources are laid over each other."""

from __future__ import annotations

import dataclasses

from orchestrator.asapp.wire import StoredMessage
from orchestrator.transcripts.fence import words_of
from orchestrator.transcripts.utterance import Received


@dataclasses.dataclass
class Entry:
    """`reason`: why it is fenced, or None. `print`: the fingerprint of its words; empty when they are not known."""

    role: str
    text: str
    start: int
    end: int
    source: str
    print: str
    reason: str | None = None
    received: Received | None = None
    messages: list[StoredMessage] = dataclasses.field(default_factory=list)
    alternative: str | None = None
    overlong: list[StoredMessage] = dataclasses.field(default_factory=list)
    """Messages that may tell more than the utterance: what was said in a pause beside it."""

    def add(self, message: StoredMessage, source: str, *, is_by_pause: bool) -> None:
        """The same utterance from a later source; where the words differ, both are kept, except beside a pause."""
        self.messages.append(message)
        if self.received is not None:
            self.source = source
        if self.reason is not None or words_of(message.text) == words_of(self.text):
            return
        if is_by_pause:
            self.overlong.append(message)
        else:
            self.alternative = self.alternative or message.text


def length_of(entry: Entry) -> int:
    """Of the words in characters, as far as known."""
    stored = max((len(message.text) for message in entry.messages), default=0)
    heard = 0 if entry.received is None else entry.received.length or len(entry.received.text)
    return max(len(entry.text), stored, heard)
