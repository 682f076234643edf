"""The emulator's HTTP application: routes, credentials, the log of REST requests, faults.

Fault rules name the operations of `operations`; a rule on a REST operation matches on ``call_sid``, ``stream``,
``conference`` or ``participant``.
"""

import asyncio
import base64
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from aiohttp import web
from multidict import MultiDict

from orchestrator.emulators.twilio import control, rest, rest_conferences, rest_numbers, rest_taskrouter
from orchestrator.emulators.twilio.answers import RestError
from orchestrator.emulators.twilio.keys import ACCOUNT, FORM, Form

if TYPE_CHECKING:
    from orchestrator.emulators.faults import Rule
    from orchestrator.emulators.twilio.account import Account

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_FAULT_CODES: Final = {401: 20003, 404: 20404, 429: 20429}
_BASE: Final = "/2010-04-01/Accounts/{account}"
_ROOM: Final = "/Conferences/{conference}"
_PEOPLE: Final = f"{_ROOM}/Participants"
# Method, path and operation (the name that fault rules and the log use) of each REST resource.
_RESOURCES: Final[tuple[tuple[str, str, str, Handler], ...]] = (
    ("GET", "", "account-read", rest_numbers.read_account),
    ("POST", "/Calls", "call-create", rest.create_call),
    ("GET", "/Calls", "calls-read", rest.list_calls),
    ("GET", "/Calls/{call}", "call-read", rest.read_call),
    ("POST", "/Calls/{call}", "call-update", rest.update_call),
    ("POST", "/Calls/{call}/Streams", "stream-create", rest.create_stream),
    ("POST", "/Calls/{call}/Streams/{stream}", "stream-stop", rest.stop_stream),
    ("GET", "/Conferences", "conferences-read", rest_conferences.list_conferences),
    ("GET", _ROOM, "conference-read", rest_conferences.read_conference),
    ("POST", _ROOM, "conference-update", rest_conferences.update_conference),
    ("GET", _PEOPLE, "participants-read", rest_conferences.list_participants),
    ("POST", _PEOPLE, "participant-create", rest_conferences.create_participant),
    ("GET", f"{_PEOPLE}/{{participant}}", "participant-read", rest_conferences.read_participant),
    ("POST", f"{_PEOPLE}/{{participant}}", "participant-update", rest_conferences.update_participant),
    ("DELETE", f"{_PEOPLE}/{{participant}}", "participant-delete", rest_conferences.delete_participant),
    ("GET", "/IncomingPhoneNumbers", "numbers-read", rest_numbers.list_numbers),
    ("GET", "/IncomingPhoneNumbers/{number}", "number-read", rest_numbers.read_number),
    ("POST", "/IncomingPhoneNumbers/{number}", "number-update", rest_numbers.update_number),
    ("GET", "/Applications", "applications-read", rest_numbers.list_applications),
    ("POST", "/Applications", "application-create", rest_numbers.create_application),
    ("POST", "/Applications/{application}", "application-update", rest_numbers.update_application),
)
_WORKSPACE: Final = "/v1/Workspaces/{workspace}"
# The same of TaskRouter, which has a host of its own at the vendor's and paths without an account.
_TASKROUTER: Final[tuple[tuple[str, str, str, Handler], ...]] = (
    ("GET", "/v1/Workspaces", "workspaces-read", rest_taskrouter.list_workspaces),
    ("GET", _WORKSPACE, "workspace-read", rest_taskrouter.read_workspace),
    ("POST", _WORKSPACE, "workspace-update", rest_taskrouter.update_workspace),
    ("GET", f"{_WORKSPACE}/Workflows", "workflows-read", rest_taskrouter.list_workflows),
    ("GET", f"{_WORKSPACE}/Workflows/{{workflow}}", "workflow-read", rest_taskrouter.read_workflow),
)


def create_app(account: "Account") -> web.Application:
    """Build the application of one account."""
    app = web.Application(client_max_size=2**20)
    app[ACCOUNT] = account
    for method, path, operation, handler in _RESOURCES:
        guarded = _guard(operation, handler)
        app.router.add_route(method, f"{_BASE}{path}.json", guarded)
    for method, path, operation, handler in _TASKROUTER:
        app.router.add_route(method, path, _guard(operation, handler))
    app.add_routes(control.routes())
    app.router.add_route("*", "/{anything:(?!_emulator).*}", _guard("unknown", _unknown))
    return app


async def _unknown(request: web.Request) -> web.StreamResponse:
    raise RestError(404, 20404, f"The requested resource {request.path} was not found")


def _guard(operation: str, handler: Handler) -> Handler:
    """Wrap a REST handler: read, log, act out a fault or check credentials and do the work."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        account = request.app[ACCOUNT]
        request[FORM] = await _form(request)
        entry = {
            "at": time.time(),
            "operation": operation,
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "form": dict(request[FORM].items()),
            "call_sid": request.match_info.get("call", ""),
            "status": 0,
        }
        account.requests.append(entry)
        facts = {"call_sid": str(entry["call_sid"]), **request.match_info}
        rule = account.faults.take(operation, facts)
        answer = await _with_fault(request, rule, handler)
        entry["status"] = answer.status
        return answer

    return guarded


async def _with_fault(request: web.Request, rule: "Rule | None", handler: Handler) -> web.StreamResponse:
    if rule is not None and rule.delay_ms:
        await asyncio.sleep(rule.delay_ms / 1000)
    if rule is not None and rule.hang:
        await _until_closed(request)
    if rule is not None and rule.replaces_the_answer:
        return _scripted(rule)
    answer = await _answer(request, handler)
    if rule is not None and rule.drop_after and request.transport is not None:
        request.transport.abort()
    return answer


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        _check_credentials(request)
        return await handler(request)
    except RestError as refusal:
        return refusal.answer()


async def _until_closed(request: web.Request) -> None:
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - the transport tells nobody
        await asyncio.sleep(0.05)


def _scripted(rule: "Rule") -> web.Response:
    status = rule.status or 200
    if rule.body is not None:
        return web.Response(status=status, text=rule.body, content_type=rule.content_type or "application/json")
    code = int(rule.code or _FAULT_CODES.get(status, 20500))
    return RestError(status, code, "a scripted fault").answer()


async def _form(request: web.Request) -> Form:
    posted = await request.post() if request.method == "POST" else MultiDict[str]()
    return MultiDict((name, value) for name, value in posted.items() if isinstance(value, str))


def _check_credentials(request: web.Request) -> None:
    account = request.app[ACCOUNT]
    allowed = {account.sid: account.settings.auth_token, **account.settings.api_keys}
    user, secret = _basic(request.headers.get("Authorization", ""))
    is_known = hmac.compare_digest(allowed.get(user, ""), secret) and bool(secret)
    if not is_known or request.match_info.get("account", account.sid) != account.sid:
        raise RestError(401, 20003, "Authenticate")


def _basic(header: str) -> tuple[str, str]:
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, secret = base64.b64decode(coded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, secret
