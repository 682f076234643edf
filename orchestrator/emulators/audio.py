"""Synthetic telephone audio that says of itself what it is.

The Twilio side of the emulators builds frames here and the ASAPP side reads them, so that what was
heard, and by whom, is known from the audio alone and not from what anyone claims about it.

A frame is 160 bytes of 8 kHz mu-law, 20 ms (Twilio: Media Streams, media message). Its layout:

=======  =====================================================================
bytes    meaning
=======  =====================================================================
0-3      magic ``ATO1``
4        kind, its place in `Kind` counted from 0
5-8      utterance number, unsigned big endian (0 where nothing is said)
9-10     word index inside the utterance, unsigned big endian
11       length of the word in bytes, 0 to 24; 0 means that no word is spoken
12-35    the word in UTF-8, filled with mu-law silence
36-159   a quiet tone, one frequency for each kind (silence has none)
=======  =====================================================================

Each frame carries its whole word, so an utterance of which only a part is heard yields exactly the
words that were heard. A caller may pace the frames as it likes; durations here are audio time.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

FRAME_BYTES: Final = 160
FRAME_MS: Final = 20
WORD_BYTES: Final = 24
SILENCE_BYTE: Final = 0xFF

_MAGIC: Final = b"ATO1"
_HEADER: Final = struct.Struct(">4sBIHB")
_WORD_AT: Final = _HEADER.size
_TONE_AT: Final = _WORD_AT + WORD_BYTES
_SAMPLE_RATE: Final = 8000
_AMPLITUDE: Final = 700
_BIAS: Final = 0x84


class Kind(StrEnum):
    """What a listener would call the sound of a frame; the order is part of the layout."""

    CUSTOMER_SPEECH = "customer-speech"
    AGENT_SPEECH = "agent-speech"
    CONSULT = "consult"
    HELD_CUSTOMER = "held-customer"  # the customer's microphone while on hold
    HOLD_MUSIC = "hold-music"
    QUEUE_MUSIC = "queue-music"
    IVR = "ivr"
    SURVEY = "survey"
    PAYMENT = "payment"
    SILENCE = "silence"


_KINDS: Final = tuple(Kind)
_CODES: Final = {kind: code for code, kind in enumerate(_KINDS)}


@dataclass(frozen=True, slots=True)
class Heard:
    """What one frame says of itself; ``word`` is empty where nothing is spoken."""

    kind: Kind
    utterance: int
    word_index: int
    word: str


def frames(kind: Kind, text: str, utterance: int, words_per_s: float = 3.0) -> Iterator[bytes]:
    """Yield the frames of ``text`` spoken once: each word lasts 1 / ``words_per_s`` of audio time.

    ``utterance`` tells one saying from the next and is the caller's to number (32 bits). A word
    longer than 24 bytes of UTF-8 is cut at a character. Without any word nothing is yielded.
    """
    per_word = max(1, round(1000 / words_per_s / FRAME_MS))
    for index, word in enumerate(text.split()):
        yield from [_frame(kind, utterance, index, _shorten(word))] * per_word


def tone(kind: Kind) -> bytes:
    """Return the one frame of a kind that says nothing: music, silence, background."""
    return _silent_frame(kind)


def recognise(frame: bytes) -> Heard | None:
    """Read what a frame says of itself; None where there is no header of ours ("unknown" audio)."""
    if len(frame) != FRAME_BYTES or not frame.startswith(_MAGIC):
        return None
    _, code, utterance, index, length = _HEADER.unpack_from(frame)
    if code >= len(_KINDS) or length > WORD_BYTES:
        return None
    try:
        word = frame[_WORD_AT : _WORD_AT + length].decode()
    except UnicodeDecodeError:
        return None
    return Heard(_KINDS[code], utterance, index, word)


@cache
def _silent_frame(kind: Kind) -> bytes:
    return _frame(kind, 0, 0, b"")


def _frame(kind: Kind, utterance: int, index: int, word: bytes) -> bytes:
    header = _HEADER.pack(_MAGIC, _CODES[kind], utterance, index, len(word))
    return header + word.ljust(WORD_BYTES, bytes([SILENCE_BYTE])) + _tone_bytes(kind)


def _shorten(word: str) -> bytes:
    return word.encode()[:WORD_BYTES].decode(errors="ignore").encode()


@cache
def _tone_bytes(kind: Kind) -> bytes:
    count = FRAME_BYTES - _TONE_AT
    if kind is Kind.SILENCE:
        return bytes([SILENCE_BYTE]) * count
    step = 2 * math.pi * (300 + 100 * _CODES[kind]) / _SAMPLE_RATE
    return bytes(_mu_law(round(_AMPLITUDE * math.sin(step * n))) for n in range(_TONE_AT, FRAME_BYTES))


def _mu_law(sample: int) -> int:
    """Compress one 16-bit linear sample as ITU-T G.711 does."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + _BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~(sign | exponent << 4 | mantissa) & 0xFF
