"""Does Twilio send us what it should? The numbers' webhooks and TaskRouter's callback, compared with ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.core.actions import Outcome
from orchestrator.diagnosis.finding import FAIL, NOTE, OK, Finding, refusal
from orchestrator.profiles import Profiles
from orchestrator.twilio.account import Account, Workspace
from orchestrator.twilio.client import PhoneNumber
from orchestrator.twilio.wiring import Change, Wiring


def numbers(account: Account, profiles: Profiles, wiring: Wiring) -> Iterator[Finding]:
    """Each number that a profile names or that comes here."""
    every = account.numbers()
    if isinstance(every, Outcome):
        yield Finding("numbers", FAIL, refusal(every), "see twilio above; an API key must be allowed to read numbers")
        return
    ours = [each for each in every if wiring.is_ours(each) or is_named(profiles, each.phone_number)]
    for number in ours:
        yield from _number(number, wiring)
    if not any(wiring.is_ours(number) for number in ours):
        told = f"none of the account's {len(every)} numbers comes here"
        is_sip_site = any("." in profile.match for profile in profiles if profile is not profiles.default)
        yield Finding("numbers", NOTE if is_sip_site else FAIL, told, "orchestrator setup NUMBER --apply")


def is_named(profiles: Profiles, number: str) -> bool:
    """Whether a `[[profile]]` is for this number."""
    return profiles.match(number) is not profiles.default


def _number(number: PhoneNumber, wiring: Wiring) -> Iterator[Finding]:
    check = f"number {number.phone_number}"
    changes = wiring.of_number(number)
    if changes:
        yield Finding(check, FAIL, _told(changes), f"orchestrator setup {number.phone_number} --apply{_force(changes)}")
        return
    yield Finding(check, OK, "comes here")
    if number.voice_fallback_url.startswith(wiring.base):
        told = "its fallback is this service itself"
        fix = f"`orchestrator setup {number.phone_number}` tells how to give it one that Twilio keeps"
        yield Finding(check, NOTE, told, fix)


def taskrouter(account: Account, profiles: Profiles, wiring: Wiring) -> Iterator[Finding]:
    """The workspaces of the workflows into which profiles enqueue their callers."""
    for workflow, found in workspaces(account, profiles).items():
        if isinstance(found, Outcome):
            fix = "check the enqueue: route in the profiles file, and what the API key may read"
            yield Finding(f"workflow {workflow}", FAIL, refusal(found), fix)
        elif changes := wiring.of_workspace(found):
            fix = f"orchestrator setup --workspace {found.sid} --apply{_force(changes)}"
            yield Finding(f"workspace {found.sid}", FAIL, _told(changes), fix)
        else:
            yield Finding(f"workspace {found.sid}", OK, "tells its events here")


def workspaces(account: Account, profiles: Profiles) -> dict[str, Workspace | Outcome]:
    """Of each workflow into which a profile enqueues its callers."""
    routes = [route for each in profiles for route in (each.route, each.no_agent_route or "")]
    workflows = dict.fromkeys(route.partition(":")[2] for route in routes if route.startswith("enqueue:WW"))
    return {workflow: account.workspace_of(workflow) for workflow in workflows}


def _told(changes: Sequence[Change]) -> str:
    return "; ".join(
        f"{change.setting} is {change.now or 'not set'}, must be {change.wanted or 'empty'}" for change in changes
    )


def _force(changes: Sequence[Change]) -> str:
    """What would be taken from something else is not in the same breath advised to be."""
    return " --force, if nothing else needs it" if any(change.is_taking for change in changes) else ""
