"""What ASAPP's answers mean.

A start or stop (ASAPP: Start streaming, Stop streaming; status codes of its WebSocket guide):

    200, isOk, every participant named is 1000       done
    200, otherwise                                    failed; for a start terminal if a status is of configuration
    409-201 / 409-202 / 400-203                       already / busy / no stream
    409, 400 without a subcode of the gateway's own   as the message says; a 409 that does not say: busy
    429                                               refused for now, family 429
    401, 403                                          refused for now, family auth
    5xx, anything unreadable                          failed, family 5xx
    other 4xx                                         terminal

Details are cut short and hold only ASAPP's own words; they are for people.
"""

from __future__ import annotations

import re

import msgspec

from orchestrator.core.actions import Outcome, Verdict
from orchestrator.http import Answer

OK = 200
_STATUS_OK = 1000
_ROLES = ("customer", "agent")
_DETAIL_LENGTH = 200
_CODE = re.compile(r"\d{3}-\d{1,4}\Z")
_BY_CODE = {"409-201": Verdict.ALREADY, "409-202": Verdict.BUSY, "400-203": Verdict.NO_STREAM}
_GATEWAYS_OWN = re.compile(r"\d{3}-2\d\d\Z")
_SAYS_ALREADY = re.compile(r"\balready\b", re.IGNORECASE)
_SAYS_NO_CALL = re.compile(r"\bno (such )?call\b|\bcall\b.*\bnot found\b", re.IGNORECASE)
_LONG_DIGITS = re.compile(r"\+?\d{7,}")


class _Status(msgspec.Struct):
    code: int | str | None = None
    description: str | None = None

    def number(self) -> int:
        """The WebSocket product writes the same codes as text."""
        text = str(self.code)
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1


class _Summary(msgspec.Struct, rename="camel"):
    transcripts: int | None = None
    audio_duration_ms: int | None = None


class _Participant(msgspec.Struct, rename="camel"):
    stream_id: str | None = None
    status: _Status | None = None
    summary: _Summary | None = None


class _Streaming(msgspec.Struct, rename="camel"):
    is_ok: bool
    error_message: str | None = None
    autotranscribe_response: dict[str, _Participant | None] | None = None


class _Error(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _Envelope(msgspec.Struct):
    error: _Error | None = None


class _StreamUrl(msgspec.Struct, rename="camel"):
    streaming_url: str


class _Health(msgspec.Struct, rename="camel"):
    health_check: str


def streaming(answer: Answer, *, is_start: bool) -> Outcome:
    """The outcome of a start or a stop."""
    if answer.status != OK:
        return refusal(answer)
    try:
        body = msgspec.json.decode(answer.body, type=_Streaming)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return unreadable(f"200 with {len(answer.body)} bytes of {answer.content_type or 'no type'}")
    participants = body.autotranscribe_response or {}
    known = {role: found for role in _ROLES if (found := participants.get(role)) is not None}
    statuses = [each.status for each in known.values() if each.status is not None]
    wrong = [status for status in statuses if status.number() != _STATUS_OK]
    if body.is_ok and len(statuses) == len(_ROLES) and not wrong:
        return _done(known)
    code = str(wrong[0].code) if wrong else ""
    told = (wrong[0].description if wrong else None) or body.error_message
    detail = _for_people(f"isOk {str(body.is_ok).lower()}: {told or 'no status for both participants'}")
    if is_start and any(_is_of_configuration(status.number()) for status in wrong):
        return Outcome(verdict=Verdict.TERMINAL, code=code, detail=detail, may_be_done=True)
    return Outcome(verdict=Verdict.FAILED, code=code, detail=detail, family="5xx")


def _done(participants: dict[str, _Participant]) -> Outcome:
    summaries = {role: each.summary for role, each in participants.items() if each.summary is not None}
    return Outcome(
        verdict=Verdict.DONE,
        code=str(_STATUS_OK),
        stream_ids={role: each.stream_id for role, each in participants.items() if each.stream_id},
        promised={role: each.transcripts for role, each in summaries.items() if each.transcripts is not None},
        duration_ms=max((each.audio_duration_ms or 0 for each in summaries.values()), default=0),
    )


def _is_of_configuration(code: int) -> bool:
    """4040 format; 405x language, encoding, order; 409x redaction. 4090 is the limit of a stream's length."""
    return code == 4040 or 4050 <= code <= 4059 or 4091 <= code <= 4099  # noqa: PLR2004  # ASAPP's ranges


def refusal(answer: Answer) -> Outcome:
    """The outcome of any answer but 200. Our own vendor-neutral words, ASAPP's code and message for people."""
    error = _error(answer)
    code = error.code if error.code and _CODE.match(error.code) else str(answer.status)
    detail = _for_people(error.message or "")
    match answer.status:
        case 401 | 403:
            return Outcome(verdict=Verdict.REFUSED_FOR_NOW, code=code, detail=detail, family="auth")
        case 429:
            return Outcome(verdict=Verdict.REFUSED_FOR_NOW, code=code, detail=detail, family="429")
        case status if 400 <= status < 500:  # noqa: PLR2004  # HTTP's client errors
            return Outcome(verdict=_refused(status, code, error.message or ""), code=code, detail=detail)
    return Outcome(verdict=Verdict.FAILED, code=code, detail=detail, family="5xx")


def _refused(status: int, code: str, message: str) -> Verdict:
    """The gateway's subcode decides; where it sends the generic ones, its words do.

    Whether the SIPREC page's subcodes hold for Twilio is not documented. Nothing is believed to be off that is not
    said to be: a 409 that says neither is asked again.
    """
    if _GATEWAYS_OWN.match(code):
        return _BY_CODE.get(code, Verdict.TERMINAL)
    if status == 409:  # noqa: PLR2004  # HTTP: conflict
        return Verdict.ALREADY if _SAYS_ALREADY.search(message) else Verdict.BUSY
    if status == 400 and _SAYS_NO_CALL.search(message):  # noqa: PLR2004  # HTTP: bad request
        return Verdict.NO_STREAM
    return Verdict.TERMINAL


def unreadable(detail: str) -> Outcome:
    return Outcome(verdict=Verdict.FAILED, code="unreadable", detail=detail[:_DETAIL_LENGTH], family="5xx")


def stream_url(answer: Answer) -> str | Outcome:
    if answer.status != OK:
        return refusal(answer)
    try:
        return msgspec.json.decode(answer.body, type=_StreamUrl).streaming_url
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return unreadable("200 without a stream URL")


def health(answer: Answer) -> Outcome:
    """Healthy only if both the status and the word say so."""
    if answer.status != OK:
        return refusal(answer)
    try:
        word = msgspec.json.decode(answer.body, type=_Health).health_check
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return unreadable("200 without a health word")
    if word == "SUCCESS":
        return Outcome(verdict=Verdict.DONE)
    return Outcome(verdict=Verdict.FAILED, code="unhealthy", detail=_for_people(word), family="5xx")


def _error(answer: Answer) -> _Error:
    try:
        return msgspec.json.decode(answer.body, type=_Envelope).error or _Error()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Error()


def _for_people(text: str) -> str:
    """One short printable line. A validator's message may quote what we sent, so URLs and long numbers go."""
    line = "".join(character if character.isprintable() else " " for character in text[: 2 * _DETAIL_LENGTH])
    line = re.sub(r"\b\w{2,5}://\S+", "[url]", line)
    return _LONG_DIGITS.sub("[number]", line)[:_DETAIL_LENGTH]
