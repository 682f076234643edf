"""Audio that says of itself what it is."""

import pytest

from orchestrator.emulators.audio import FRAME_BYTES, Heard, Kind, frames, recognise, tone


def test_every_frame_is_20_ms_of_mu_law() -> None:
    """A frame has 160 bytes, whether or not it speaks."""
    made = [tone(kind) for kind in Kind] + list(frames(Kind.CUSTOMER_SPEECH, "good morning", 1))
    assert {len(frame) for frame in made} == {FRAME_BYTES}


@pytest.mark.parametrize("kind", list(Kind))
def test_a_tone_is_recognised_by_its_kind_and_says_nothing(kind: Kind) -> None:
    """Each kind of sound is told from all others and carries no word."""
    assert recognise(tone(kind)) == Heard(kind, 0, 0, "")


def test_words_come_back_in_order() -> None:
    """The words of a text are read back one by one with their utterance and place."""
    heard = [recognise(frame) for frame in frames(Kind.AGENT_SPEECH, "how may I help", 7)]
    assert list(dict.fromkeys(heard)) == [
        Heard(Kind.AGENT_SPEECH, 7, index, word) for index, word in enumerate(["how", "may", "I", "help"])
    ]


def test_three_words_last_a_second() -> None:
    """At three words a second a word takes 330 ms, so three take about one second."""
    made = list(frames(Kind.CUSTOMER_SPEECH, "one two three", 1))
    assert 49 <= len(made) <= 51


def test_a_long_word_is_cut_at_a_character() -> None:
    """A word above 24 bytes is shortened without breaking its last character."""
    heard = recognise(next(frames(Kind.IVR, "x" + "é" * 20, 1)))
    assert heard is not None
    assert heard.word == "x" + "é" * 11


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xff" * 160,
        tone(Kind.IVR)[:-1],
        b"ATO1\x63" + tone(Kind.IVR)[5:],
        tone(Kind.IVR)[:11] + b"\x19" + tone(Kind.IVR)[12:],
        tone(Kind.IVR)[:11] + b"\x01" + tone(Kind.IVR)[12:],
    ],
    ids=["empty", "foreign", "short", "kind", "length", "not-utf8"],
)
def test_foreign_audio_is_not_recognised(frame: bytes) -> None:
    """Bytes that nobody here made are unknown, never mistaken for a kind."""
    assert recognise(frame) is None
