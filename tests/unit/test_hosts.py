"""URLs compared as servers compare them."""

from __future__ import annotations

import pytest

from orchestrator.hosts import path_below, place

BASE = "https://calls.example/twilio/"


@pytest.mark.parametrize(
    ("url", "rest"),
    [
        ("https://calls.example/twilio/voice", "voice"),
        ("HTTPS://Calls.EXAMPLE:443/twilio/voice?call=1#rc=3", "voice"),
        ("https://calls.example./twilio/", ""),
        ("https://calls.example/twilio", None),
        ("https://calls.example/twilio-flow/voice", None),
        ("https://calls.example:8443/twilio/voice", None),
        ("http://calls.example/twilio/voice", None),
        ("https://other.example/twilio/voice", None),
        ("https://[::1/twilio/voice", None),
        ("https://calls.example:x/twilio/voice", None),
        ("/twilio/voice", None),
        ("", None),
    ],
)
def test_a_url_of_ours_is_known_however_it_is_written(url: str, rest: str | None) -> None:
    """Case, the default port, a root dot and a fragment do not hide it; another port or path is another place."""
    assert path_below(url, BASE) == rest


def test_a_host_alone_and_its_root_are_one_place() -> None:
    """Whoever asks for the one asks for the other."""
    assert place("https://calls.example") == place("https://calls.example/")
    assert place("https://calls.example/a") != place("https://calls.example/a?b=1")
