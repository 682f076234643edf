"""Connection overrides in the fragment of a webhook URL."""

import pytest

from orchestrator.emulators.twilio.overrides import OverrideError, Overrides, split


def test_without_a_fragment_one_retry_follows_a_failed_connection_only() -> None:
    """The vendor's defaults."""
    url, how = split("https://example.com/a?b=1")
    assert (url, how) == ("https://example.com/a?b=1", Overrides())
    assert how.retries == 1
    assert how.retries_after("ct")
    assert not any(how.retries_after(failure) for failure in ("rt", "4xx", "5xx"))


def test_the_fragment_is_taken_off_and_obeyed() -> None:
    """Retries, their reasons and the times."""
    url, how = split("https://example.com/a#rc=3&rp=5xx,ct,rt&ct=200&tt=1500")
    assert url == "https://example.com/a"
    assert (how.retries, how.connect_s, how.total_s) == (3, 0.2, 1.5)
    assert how.retries_after("5xx")
    assert not how.retries_after("4xx")
    assert split("https://example.com/a#rp=all")[1].retries_after("4xx")


@pytest.mark.parametrize("fragment", ["rc=6", "rc=x", "rp=sometimes", "ct=50", "rt=20000", "e=atlantis"])
def test_a_fragment_out_of_range_is_refused(fragment: str) -> None:
    """The vendor refuses values that it does not know."""
    with pytest.raises(OverrideError):
        split(f"https://example.com/#{fragment}")
