"""A site of its own for tests that kill, freeze and empty: nothing of it is shared with the stories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.faults.talks import Talk
from tests.e2e.harness import Site


@pytest.fixture(scope="module")
def own_site() -> Iterator[Site]:
    with Site() as running:
        yield running


@pytest.fixture
def talk(own_site: Site) -> Iterator[Talk]:
    """A call in which customer and agent talk and are transcribed; it ends with the test."""
    talk = Talk(own_site)
    talk.play("customer calls", "agent amy joins", "wait until transcribing", "wait until heard customer-speech")
    yield talk
    own_site.http.delete(f"{own_site.asapp_url}/_emulator/faults", timeout=10)
    own_site.http.delete(f"{own_site.twilio_url}/_emulator/faults", timeout=10)
    talk.play("customer hangs up if still there")
