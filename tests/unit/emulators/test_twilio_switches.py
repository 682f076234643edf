"""The switches for what the vendor leaves open."""

import pytest

from orchestrator.emulators.twilio.switches import SWITCHES, Switches, UnknownSwitchError


def test_every_switch_begins_at_its_first_value() -> None:
    """The default is the first value named."""
    assert Switches().as_dict() == {name: values[0] for name, values in SWITCHES.items()}


@pytest.mark.parametrize("given", [{"no-such-switch": "on"}, {"stream-break": "loudly"}])
def test_an_unknown_switch_or_value_changes_nothing(given: dict[str, str]) -> None:
    """A misspelt switch is an error, and none of its companions is set."""
    switches = Switches()
    with pytest.raises(UnknownSwitchError):
        switches.set({"dial-answer": "auto", **given})
    assert switches["dial-answer"] == "manual"


def test_reset_goes_back_to_the_start_of_the_process() -> None:
    """Values given at the start outlast a reset, later ones do not."""
    switches = Switches({"dial-answer": "auto"})
    switches.set({"dial-answer": "busy", "stream-break": "silent"})
    switches.reset()
    assert (switches["dial-answer"], switches["stream-break"]) == ("auto", "error-then-stopped")
