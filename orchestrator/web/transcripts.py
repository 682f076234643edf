"""`/asapp/transcripts`: ASAPP's real-time transcript messages (ASAPP's Twilio guide, "Real-time transcript messages").

ASAPP never repeats a message and drops the oldest first when we are slow, so this does one thing: store it, in one
round trip, and answer 200 (of a forgotten call nothing is stored). Whether it may be shown is decided where transcripts
are read. No text is ever logged.
"""

from __future__ import annotations

from flask import Blueprint, Response
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from orchestrator.asapp.wire import UnknownType, WireError, transcript_message
from orchestrator.errors import OrchestratorError
from orchestrator.log import get_logger
from orchestrator.transcripts.utterance import record_of
from orchestrator.web.context import CALL_SID, body, received_at, services
from orchestrator.web.transcript_auth import is_authorized

bp = Blueprint("transcripts", __name__, url_prefix="/asapp")

MAX_MESSAGE = 256 * 1024
_log = get_logger("orchestrator.web.transcripts")


@bp.post("/transcripts")
def transcripts() -> Response:
    tally = services().tally
    if not is_authorized(services().settings):
        tally.transcript_message("unauthorized")
        raise OrchestratorError("unauthorized", "Who delivers transcripts has to say who they are")
    try:
        message = transcript_message(body(MAX_MESSAGE))
    except RequestEntityTooLarge:
        tally.transcript_message("too-large")
        raise
    except UnknownType:
        tally.transcript_message("unknown-type")
        return Response(status=200)
    except WireError as error:
        tally.transcript_message("malformed")
        _log.warning("transcript message not understood", fault=str(error))
        raise BadRequest from error
    if not CALL_SID.match(message.call_sid):
        tally.transcript_message("malformed")
        raise BadRequest
    at = received_at()
    key, record = record_of(message, at)
    added = services().utterances.add(message.call_sid, key, record, at)
    tally.transcript_message(added.name.lower())
    return Response(status=200)
