"""What Twilio's answers mean.

    2xx with a JSON object            done
    21220                             not in progress (it has ended, or still rings)
    20404, or any 404                 not found; only `20404` is Twilio's own word for it
    429, 20429                        refused for now, family 429: Twilio says it was not processed
    401, 403                          refused for now, family auth
    5xx, 3xx, anything unreadable     failed, family 5xx
    other 4xx                         terminal

Sources: Twilio's error dictionary for the codes; its OpenAPI for the statuses. Errors of both of Twilio's formats
carry `code`. Details are cut short and cleaned; they are for people.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from orchestrator.core.actions import Outcome, Verdict
from orchestrator.http import Answer, HttpError, NoAnswer, NotSent

NO_SUCH_RESOURCE = "20404"
_NOT_IN_PROGRESS = "21220"
_TOO_MANY = "20429"
_DETAIL_LENGTH = 200
_NUMBER = re.compile(r"\+?\d{7,}")
_URL = re.compile(r"\b\w{2,5}://\S+")


def json_object(answer: Answer) -> dict[str, Any] | None:
    """The body if it is a JSON object."""
    try:
        body = msgspec.json.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def refusal(answer: Answer) -> Outcome | None:
    """The outcome of an answer that is not success, else None."""
    body = json_object(answer)
    if 200 <= answer.status < 300:  # noqa: PLR2004  # HTTP's successes
        return None if body is not None else unreadable(f"{answer.status} without a JSON object")
    told = body or {}
    code = str(told["code"]) if isinstance(told.get("code"), int | str) else str(answer.status)
    code = code if re.fullmatch(r"[0-9]{3,6}", code) else str(answer.status)
    detail = _for_people(told.get("message") or told.get("detail") or told.get("title") or "")
    verdict, family = _judged(answer.status, code)
    return Outcome(verdict=verdict, code=code, detail=detail, family=family)


def _judged(status: int, code: str) -> tuple[Verdict, str]:
    if status in {401, 403}:
        return Verdict.REFUSED_FOR_NOW, "auth"
    if status == 429 or code == _TOO_MANY:  # noqa: PLR2004  # HTTP: too many requests
        return Verdict.REFUSED_FOR_NOW, "429"
    if not 400 <= status < 500:  # noqa: PLR2004  # HTTP's client errors
        return Verdict.FAILED, "5xx"
    if code == _NOT_IN_PROGRESS:
        return Verdict.NOT_IN_PROGRESS, ""
    if status == 404 or code == NO_SUCH_RESOURCE:  # noqa: PLR2004  # HTTP: not found
        return Verdict.NOT_FOUND, ""
    return Verdict.TERMINAL, ""


def no_answer(error: HttpError) -> Outcome:
    """The outcome of an attempt that brought no readable answer."""
    if isinstance(error, NotSent):
        return Outcome(verdict=Verdict.REFUSED_FOR_NOW, family="5xx", detail=f"not sent: {error.reason}")
    if isinstance(error, NoAnswer):
        return Outcome(verdict=Verdict.UNKNOWN, family="5xx", detail=f"no answer: {error.reason}")
    return unreadable(error.reason)


def unreadable(detail: str) -> Outcome:
    return Outcome(verdict=Verdict.FAILED, code="unreadable", detail=_for_people(detail), family="5xx")


def _for_people(text: object) -> str:
    """One short printable line without URLs and long numbers: Twilio's messages may quote what we sent."""
    line = "".join(character if character.isprintable() else " " for character in str(text)[: 2 * _DETAIL_LENGTH])
    return _NUMBER.sub("[number]", _URL.sub("[url]", line))[:_DETAIL_LENGTH]
