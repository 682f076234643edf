"""No open point of the vendors is forgotten by the stories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.emulators.asapp.switches import SWITCHES as ASAPP
from orchestrator.emulators.twilio.switches import SWITCHES as TWILIO
from tests.e2e.unconfirmed import ELSEWHERE, SWITCHED

Values = Mapping[str, tuple[str, ...]]
OF: Mapping[str, Values] = {
    "twilio": TWILIO,
    "asapp": {name: (switch.default, *switch.allowed) for name, switch in ASAPP.items()},
}


def chosen(vendor: str, name: str) -> set[str]:
    return {str(getattr(each, vendor).get(name, OF[vendor][name][0])) for each in SWITCHED.values()}


def left_out() -> Iterator[str]:
    """`vendor name=value` of what no set has; a switch that takes any number counts when no set changes it."""
    for vendor, switches in OF.items():
        for name, values in switches.items():
            left = set(values) - chosen(vendor, name)
            if len(set(values)) == 1 and len(chosen(vendor, name)) == 1:
                left = {"a number"}
            yield from (f"{vendor} {name}={value}" for value in left)


def test_every_value_is_in_a_set_or_has_its_reason() -> None:
    """Each value of each switch is what some set of the stories says, or `ELSEWHERE` says why not."""
    excused = [each for each in left_out() if each in ELSEWHERE or each.partition("=")[0] in ELSEWHERE]
    assert sorted(set(left_out()) - set(excused)) == []


def test_no_reason_is_left_over() -> None:
    """A reason for what a set has by now, or for a switch that is no more, is taken out."""
    left = {form for each in left_out() for form in (each, each.partition("=")[0])}
    assert sorted(set(ELSEWHERE) - left) == []
