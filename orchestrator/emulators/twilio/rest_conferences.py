"""The REST API: conferences and participants (Twilio: Conference and Participant resources)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from orchestrator.emulators.twilio import answers, calls, placing, rooms
from orchestrator.emulators.twilio.answers import RestError, not_found
from orchestrator.emulators.twilio.formats import is_true
from orchestrator.emulators.twilio.keys import ACCOUNT, FORM, Form
from orchestrator.emulators.twilio.legs import role_of
from orchestrator.emulators.twilio.model import Callback, Conference, Leg, Member, Role
from orchestrator.emulators.twilio.webhooks import Webhook

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account

_RING_S = 60
_DEFAULT_EVENTS = frozenset({"start", "end"})


def conference_of(request: web.Request) -> Conference:
    found = request.app[ACCOUNT].conferences.get(request.match_info["conference"])
    if found is None:
        raise not_found(request.path)
    return found


def member_of(request: web.Request) -> Member:
    """Return the participant that the path names by its Call SID or its label."""
    wanted = request.match_info["participant"]
    for member in conference_of(request).members:
        if wanted in {member.leg.sid, member.label}:
            return member
    raise not_found(request.path)


async def list_conferences(request: web.Request) -> web.Response:
    account, query = request.app[ACCOUNT], request.query
    rows = [
        answers.conference(account, room)
        for room in reversed(account.conferences.values())
        if query.get("FriendlyName") in {None, room.name} and query.get("Status") in {None, room.status}
    ]
    return answers.page(account, request, "Conferences", "conferences", rows)


async def read_conference(request: web.Request) -> web.Response:
    return web.json_response(answers.conference(request.app[ACCOUNT], conference_of(request)))


async def update_conference(request: web.Request) -> web.Response:
    account, room = request.app[ACCOUNT], conference_of(request)
    status = request[FORM].get("Status")
    if status not in {None, "completed"}:
        raise RestError(400, 20001, "Status must be completed")
    if status:
        rooms.end(account, room)
    return web.json_response(answers.conference(account, room))


async def list_participants(request: web.Request) -> web.Response:
    account, room = request.app[ACCOUNT], conference_of(request)
    flags: dict[str, Callable[[Member], bool]] = {
        "Hold": lambda member: member.held,
        "Muted": lambda member: member.muted,
        "Coaching": lambda member: member.coaching,
    }
    rows = [
        answers.participant(account, room, member)
        for member in room.members
        if all(read(member) == is_true(request.query[n]) for n, read in flags.items() if n in request.query)
    ]
    return answers.page(account, request, f"Conferences/{room.sid}/Participants", "participants", rows)


async def read_participant(request: web.Request) -> web.Response:
    body = answers.participant(request.app[ACCOUNT], conference_of(request), member_of(request))
    return web.json_response(body)


async def create_participant(request: web.Request) -> web.Response:
    """Call somebody into a conference, named by SID or name, which begins if need be."""
    account, form, wanted = request.app[ACCOUNT], request[FORM], request.match_info["conference"]
    if not form.get("From") or not form.get("To"):
        raise RestError(400, 21201, "From and To are required")
    name = account.conferences[wanted].name if wanted in account.conferences else wanted
    room = rooms.conference(account, name)
    label = form.get("Label", "")
    if label and any(member.label == label for member in room.members):
        raise RestError(400, rooms.DUPLICATE_LABEL, f"the label {label} is taken")
    if room.callback is None and not room.members:
        room.callback = _conference_callback(form)
    leg = _new_leg(form, label)
    placing.outgoing(account, leg, placing.conference_step(name, _attributes(form)), _ring_s(form))
    body = answers.participant(account, room, Member(leg, label=label))
    return web.json_response(body | {"status": "queued"}, status=201)


def _ring_s(form: Form) -> float:
    return float(form.get("Timeout") or _RING_S)


def _new_leg(form: Form, label: str) -> Leg:
    events = frozenset(form.getall("StatusCallbackEvent", ["completed"]))
    callback = Callback(form.get("StatusCallback", ""), form.get("StatusCallbackMethod", "POST"), events)
    is_customer = label == "customer" and role_of(form["To"]) is Role.CUSTOMER
    role = Role.CUSTOMER if is_customer else Role.AGENT
    return Leg(form["From"], form["To"], "outbound-api", role, callbacks=[callback])


def _attributes(form: Form) -> dict[str, str]:
    return {
        "participantLabel": form.get("Label", ""),
        "muted": form.get("Muted", ""),
        "beep": form.get("Beep", ""),
        "startConferenceOnEnter": form.get("StartConferenceOnEnter", ""),
        "endConferenceOnExit": form.get("EndConferenceOnExit", ""),
        "coach": form.get("CallSidToCoach", "") if is_true(form.get("Coaching")) else "",
    }


def _conference_callback(form: Form) -> Callback | None:
    return rooms.callback_of(
        form.get("ConferenceStatusCallback", ""),
        form.get("ConferenceStatusCallbackMethod", "POST"),
        " ".join(form.getall("ConferenceStatusCallbackEvent", [])),
        _DEFAULT_EVENTS,
    )


async def update_participant(request: web.Request) -> web.Response:
    account, form, member = request.app[ACCOUNT], request[FORM], member_of(request)
    held = is_true(form["Hold"]) if "Hold" in form else None
    muted = is_true(form["Muted"]) if "Muted" in form else None
    has_hold_url = bool(form.get("HoldUrl"))
    if held and has_hold_url:
        _ask_for_hold_music(account, member, form)
    rooms.set_flags(account, member, held=held, muted=muted, has_hold_url=has_hold_url)
    if _modify(member, form):
        rooms.modified(account, member)
    body = answers.participant(account, conference_of(request), member)
    return web.json_response(body)


def _ask_for_hold_music(account: "Account", member: Member, form: Form) -> None:
    params = calls.voice_params(account, member.leg)
    account.hooks.send(Webhook("hold-music", form["HoldUrl"], params, form.get("HoldMethod", "GET")))


def _modify(member: Member, form: Form) -> bool:
    """Set the other flags; tell whether there were any."""
    if "EndConferenceOnExit" in form:
        member.end_on_exit = is_true(form["EndConferenceOnExit"])
    if "Coaching" in form:
        member.coaching = is_true(form["Coaching"])
        member.coached_sid = form.get("CallSidToCoach", "")
    return any(name in form for name in ("EndConferenceOnExit", "Coaching", "BeepOnExit", "WaitUrl"))


async def delete_participant(request: web.Request) -> web.Response:
    """Kick a participant: it leaves the room and goes on with its document."""
    rooms.leave(request.app[ACCOUNT], member_of(request).leg, "participant_updated_via_api")
    return web.Response(status=204)
