"""The emulated Twilio and its peer, the service of whoever uses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.twilio_peer import Emulator, Peer, running


@pytest.fixture(name="peer")
def _peer(tmp_path: Path) -> Iterator[Peer]:
    with Peer(tmp_path) as peer:
        yield peer


@pytest.fixture(name="twilio")
def _twilio(peer: Peer) -> Iterator[Emulator]:
    with running(peer) as emulator:
        yield emulator
