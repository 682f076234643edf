"""The vendor's answers: JSON of resources and errors, and where in the form a value is looked for.

Twilio: OpenAPI ``twilio_api_v2010``. Dates are RFC 2822.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.emulators.twilio.formats import rfc2822, utc_now
from orchestrator.emulators.twilio.model import Conference, Leg, Member, Number

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account
    from orchestrator.emulators.twilio.media import MediaStream

Json = dict[str, Any]
_LATE = timedelta(seconds=2)


class RestError(Exception):
    """A refusal in the vendor's form."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def answer(self) -> web.Response:
        more = f"https://www.twilio.com/docs/errors/{self.code}"
        body = {"code": self.code, "message": self.message, "more_info": more, "status": self.status}
        headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if self.status == 401 else {}  # noqa: PLR2004 - HTTP
        return web.json_response(body, status=self.status, headers=headers)


def not_found(path: str) -> RestError:
    return RestError(404, 20404, f"The requested resource {path} was not found")


def call(account: "Account", leg: Leg) -> Json:
    uri = f"{account.path}/Calls/{leg.sid}"
    return {
        "sid": leg.sid,
        "account_sid": account.sid,
        "parent_call_sid": leg.parent.sid if leg.parent else None,
        "api_version": "2010-04-01",
        "from": leg.sender,
        "from_formatted": leg.sender,
        "to": leg.to,
        "to_formatted": leg.to,
        "status": _status(account, leg),
        "direction": leg.direction,
        "date_created": rfc2822(leg.created),
        "date_updated": rfc2822(leg.updated),
        "start_time": rfc2822(leg.started),
        "end_time": rfc2822(leg.ended),
        "duration": str(leg.duration_s) if leg.is_over else None,
        "answered_by": None,
        "caller_name": "",
        "forwarded_from": None,
        "group_sid": None,
        "phone_number_sid": account.numbers[leg.to].sid if leg.to in account.numbers else "",
        "price": None,
        "price_unit": "USD",
        "queue_time": "0",
        "trunk_sid": "",
        "annotation": None,
        "uri": f"{uri}.json",
        "subresource_uris": {"streams": f"{uri}/Streams.json"},
    }


def _status(account: "Account", leg: Leg) -> str:
    is_late = account.switches["call-reads"] == "late" and leg.ended is not None
    if is_late and leg.ended is not None and utc_now() - leg.ended < _LATE:
        return leg.status_before_end
    return leg.status


def stream(account: "Account", leg: Leg, found: "MediaStream") -> Json:
    return {
        "sid": found.sid,
        "account_sid": account.sid,
        "call_sid": leg.sid,
        "name": found.order.name or None,
        "status": "in-progress" if found.is_running else "stopped",
        "date_updated": rfc2822(found.updated),
        "uri": f"{account.path}/Calls/{leg.sid}/Streams/{found.sid}.json",
    }


def conference(account: "Account", room: Conference) -> Json:
    uri = f"{account.path}/Conferences/{room.sid}"
    return {
        "sid": room.sid,
        "account_sid": account.sid,
        "api_version": "2010-04-01",
        "friendly_name": room.name,
        "status": room.status,
        "region": "us1",
        "date_created": rfc2822(room.created),
        "date_updated": rfc2822(room.updated),
        "reason_conference_ended": room.reason_ended,
        "call_sid_ending_conference": room.ended_by_sid,
        "uri": f"{uri}.json",
        "subresource_uris": {"participants": f"{uri}/Participants.json"},
    }


def participant(account: "Account", room: Conference, member: Member) -> Json:
    uri = f"{account.path}/Conferences/{room.sid}/Participants/{member.leg.sid}.json"
    return {
        "account_sid": account.sid,
        "call_sid": member.leg.sid,
        "conference_sid": room.sid,
        "label": member.label or None,
        "muted": member.muted,
        "hold": member.held,
        "coaching": member.coaching,
        "call_sid_to_coach": member.coached_sid or None,
        "status": "connected" if member.leg.is_in_progress else "ringing",
        "start_conference_on_enter": member.start_on_enter,
        "end_conference_on_exit": member.end_on_exit,
        "queue_time": "0",
        "date_created": rfc2822(member.joined),
        "date_updated": rfc2822(member.updated),
        "uri": uri,
    }


def number(account: "Account", found: Number) -> Json:
    return {
        "sid": found.sid,
        "account_sid": account.sid,
        "phone_number": found.phone_number,
        "api_version": "2010-04-01",
        "capabilities": {"voice": True, "sms": False, "mms": False},
        "date_created": rfc2822(found.created),
        "date_updated": rfc2822(found.created),
        "uri": f"{account.path}/IncomingPhoneNumbers/{found.sid}.json",
        **{name: found.settings.get(name) or _unset(name) for name in NUMBER_SETTINGS},
    }


def _unset(name: str) -> str:
    """Twilio's defaults: methods are POST, all else is empty."""
    return "POST" if name.endswith("_method") else ""


NUMBER_SETTINGS = (
    "friendly_name",
    "voice_url",
    "voice_method",
    "voice_fallback_url",
    "voice_fallback_method",
    "status_callback",
    "status_callback_method",
    "voice_application_sid",
    "voice_receive_mode",
    "trunk_sid",
)


def setting_name(form_name: str) -> str:
    """Turn a form's ``VoiceFallbackUrl`` into ``voice_fallback_url``."""
    return "".join("_" + c.lower() if c.isupper() else c for c in form_name).lstrip("_")


def page(account: "Account", request: web.Request, path: str, key: str, rows: list[Json]) -> web.Response:
    """Return one page of a list; ``Page`` counts from 0, ``PageSize`` is 50 unless given."""
    size = max(1, int(request.query.get("PageSize", "50")))
    place = int(request.query.get("Page", "0"))
    shown = rows[place * size : (place + 1) * size]
    uri = f"{account.path}/{path}.json"
    is_last = (place + 1) * size >= len(rows)
    query = request.rel_url.query.copy()
    query.popall("Page", None)
    onward = request.rel_url.with_query(query).update_query(Page=str(place + 1), PageSize=str(size))
    following = None if is_last else f"{uri}?{onward.raw_query_string}"
    body = {
        key: shown,
        "page": place,
        "page_size": size,
        "start": place * size,
        "end": max(0, place * size + len(shown) - 1),
        "uri": f"{uri}?Page={place}&PageSize={size}",
        "first_page_uri": f"{uri}?Page=0&PageSize={size}",
        "next_page_uri": following,
        "previous_page_uri": None,
    }
    return web.json_response(body)
