"""What all of the vendor's endpoints share: recording, credentials, limits, faults, the error envelope."""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from orchestrator.emulators.asapp.state import EMULATOR, Emulator, Recorded
from orchestrator.emulators.asapp.wire import Refusal, WithinOk
from orchestrator.emulators.faults import Rule

Work = Callable[[], dict[str, object]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

RECORD: Final = web.RequestKey("record", Recorded)
_GENERIC: Final = "mg-codes"
_HANG_POLL_S: Final = 0.05
_CLIENT_LEFT: Final = 499  # only ever in the record: nobody is there to read it


def json_answer(body: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def envelope(emulator: Emulator, refusal: Refusal) -> web.Response:
    """Return ASAPP's error body (error-handling page: requestId, message, code)."""
    code = refusal.code
    if emulator.switches.word(_GENERIC) == "generic":
        code = f"{code.partition('-')[0]}-01"
    error = {"requestId": emulator.new_id(), "message": refusal.message, "code": code}
    return json_answer({"error": error}, refusal.status)


@web.middleware
async def vendor_side(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record each request and turn every refusal into the vendor's envelope."""
    emulator = request.app[EMULATOR]
    if request.path.startswith(("/_emulator/", "/presigned/")):
        return await handler(request)
    record = Recorded(0.0, request.method, request.path, dict(request.query))
    request[RECORD] = record
    try:
        raw = await request.read()
        record.at, record.body = time.time(), _readable(raw)
        record.guid = _guid(record)
        emulator.requests.append(record)
        check_credentials(emulator, request)
        answer: web.StreamResponse = await handler(request)
    except Refusal as refusal:
        answer = envelope(emulator, refusal)
    except web.HTTPException as error:
        answer = envelope(emulator, Refusal(error.status, f"{error.status}-01", error.reason))
    record.status, record.answered_at = answer.status, time.time()
    return answer


def check_credentials(emulator: Emulator, request: web.Request) -> None:
    """Refuse a request without both headers, or with others than the one known pair."""
    given = [request.headers.get("asapp-api-id"), request.headers.get("asapp-api-secret")]
    if not all(given):
        raise Refusal(401, "401-01", "asapp-api-id and asapp-api-secret are required")
    known = [emulator.settings.api_id, emulator.settings.api_secret]
    pairs = [(a or "", b) for a, b in zip(given, known, strict=True)]
    if not all(hmac.compare_digest(a.encode(), b.encode()) for a, b in pairs):
        status = int(emulator.switches.word("wrong-credentials"))
        raise Refusal(status, f"{status}-01", "the credentials are not valid")


async def perform(request: web.Request, operation: str, work: Work, guid: str | None = None) -> web.Response:
    """Do ``work`` as one operation of the vendor's: within its limits, suffering what is scripted."""
    emulator = request.app[EMULATOR]
    emulator.limits.count(operation, emulator.clock.now())
    rule = emulator.faults.take(operation, {"guid": guid} if guid else {})
    if rule is None:
        return _done(work)
    await asyncio.sleep(rule.delay_ms / 1000)
    if rule.hang:
        emulator.pending_guids.discard(guid or "")  # the gateway never sees such a request
        await _until_client_leaves(request)
        raise Refusal(_CLIENT_LEFT, "499-01", "nobody waits for this answer")
    if rule.replaces_the_answer:
        return _scripted(emulator, rule)
    if rule.variant == "is-ok-false":
        call = emulator.calls.get(guid or "")
        return json_answer(emulator.gateway.is_ok_false(call.session if call else None))
    answer = _done(work)
    if rule.drop_after and request.transport is not None:
        request.transport.abort()
    return _variant(emulator, rule, answer)


def _done(work: Work) -> web.Response:
    try:
        return json_answer(work())
    except WithinOk as outcome:
        return json_answer(outcome.body)


def _scripted(emulator: Emulator, rule: Rule) -> web.Response:
    status = rule.status or 200
    if rule.body is not None:
        kind = rule.content_type or "application/json"
        return web.Response(body=rule.body.encode(), status=status, headers={"Content-Type": kind})
    return envelope(emulator, Refusal(status, str(rule.code or f"{status}-01"), "scripted fault"))


def _variant(emulator: Emulator, rule: Rule, answer: web.Response) -> web.Response:
    """Alter a done operation's answer: participant-4094, agent-5000, failed."""
    match (rule.variant or "").split("-"):
        case ["participant" | "customer" | "agent" as who, code] if code.isdecimal():
            return _with_status(answer, "customer" if who == "participant" else who, int(code))
        case ["failed"]:
            status = int(emulator.switches.word("health-failed-status"))
            return json_answer({"healthCheck": "FAILED"}, status)
        case _:
            return answer


def _with_status(answer: web.Response, role: str, code: int) -> web.Response:
    body = msgspec.json.decode(answer.body if isinstance(answer.body, bytes) else b"{}")
    participant = body.get("autotranscribeResponse", {}).get(role)
    if participant is not None:
        participant["status"] = {"code": code, "description": "scripted fault"}
    return json_answer(body, answer.status)


async def _until_client_leaves(request: web.Request) -> None:
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - aiohttp has no event for it
        await asyncio.sleep(_HANG_POLL_S)


def _guid(record: Recorded) -> str | None:
    body = record.body if isinstance(record.body, dict) else {}
    guid = body.get("guid") or record.query.get("externalId")
    return guid if isinstance(guid, str) else None


def _readable(raw: bytes) -> object:
    if not raw:
        return None
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return raw.decode(errors="replace")
