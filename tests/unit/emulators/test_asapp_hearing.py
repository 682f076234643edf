"""What is understood of one track."""

from collections.abc import Iterable

from orchestrator.emulators.asapp.hearing import Ear, Utterance
from orchestrator.emulators.audio import FRAME_MS, Kind, frames, recognise, tone


def listen(ear: Ear, audio: Iterable[bytes]) -> list[Utterance]:
    ended = [ear.hear(recognise(frame), FRAME_MS) for frame in audio]
    return [utterance for utterance in ended if utterance]


def test_300_ms_without_words_end_an_utterance() -> None:
    """After 280 ms of silence it may still go on, after 300 ms it is over."""
    ear = Ear()
    said = [*frames(Kind.CUSTOMER_SPEECH, "good morning", 1), *[tone(Kind.SILENCE)] * 14]
    assert listen(ear, said) == []
    (utterance,) = listen(ear, [tone(Kind.SILENCE)])
    assert (utterance.text, utterance.start_ms, utterance.end_ms) == ("good morning", 0, 680)


def test_another_utterance_ends_the_one_before() -> None:
    """No silence is needed between two utterances."""
    ear = Ear(1000)
    audio = [*frames(Kind.IVR, "one", 1), *frames(Kind.IVR, "two", 2)]
    (first,) = listen(ear, audio)
    second = ear.flush()
    assert (first.text, first.start_ms, first.end_ms) == ("one", 1000, 1340)
    assert second is not None
    assert (second.text, second.start_ms) == ("two", 1340)


def test_only_heard_words_are_understood() -> None:
    """An utterance that is joined late and left early keeps the words in between."""
    ear = Ear()
    said = list(frames(Kind.AGENT_SPEECH, "one two three four", 1))
    assert listen(ear, said[20:45]) == []
    utterance = ear.flush()
    assert utterance is not None
    assert utterance.text == "two three"
    assert [word.text for word in utterance.words] == ["two", "three"]


def test_unknown_audio_says_nothing() -> None:
    """Foreign audio is time that passes, no more."""
    ear = Ear()
    assert listen(ear, [b"\x00" * 160] * 50) == []
    assert ear.flush() is None
    assert ear.position_ms == 1000


def test_the_same_words_said_again_are_another_utterance() -> None:
    """A word index that falls back begins anew."""
    ear = Ear()
    said = list(frames(Kind.IVR, "press one", 1))
    assert [each.text for each in listen(ear, said + said)] == ["press one"]
