"""The rules of start-streaming and stop-streaming (ASAPP: OpenAPI mg-autotranscribe, SIPREC guide's codes).

Pure: a call, a request, the switches and the time in; an answer's body out, or `Refusal`, or `WithinOk`.
"""

from collections.abc import Callable
from math import ceil
from typing import Final

import msgspec

from orchestrator.emulators.asapp.calls import Call, Session, Spoken, Stream
from orchestrator.emulators.asapp.switches import Switches
from orchestrator.emulators.asapp.wire import (
    ROLES,
    Refusal,
    Role,
    StartRequest,
    StopRequest,
    Track,
    TranscribeParams,
    WithinOk,
    read_start,
    read_stop,
)

_OK: Final = {"code": 1000, "description": "OK"}
_LANGUAGES: Final = ("en-us", "es-us")
_REDACTION_TEXT: Final = "redaction settings are incorrect"
_TRACKS: Final[tuple[Track, ...]] = ("inbound", "outbound")


class Gateway:
    """Decides about calls; ``new_id`` makes streamIds, ``speed`` scales what the vendor takes its time for."""

    def __init__(self, switches: Switches, new_id: Callable[[], str], speed: float) -> None:
        self._switches = switches
        self._new_id = new_id
        self._speed = speed

    def parse_start(self, body: bytes) -> StartRequest:
        try:
            request = read_start(body)
        except msgspec.DecodeError as error:
            raise Refusal(400, "400-201", str(error)) from error
        if request.autotranscribe_params.language.lower() not in _LANGUAGES:
            raise Refusal(400, "400-202", f"language {request.autotranscribe_params.language} is not supported")
        tracks = request.twilio_params.track_map
        if tracks.inbound == tracks.outbound and self._switches.word("same-role-tracks") != "accept":
            raise Refusal(400, "400-201", f"both tracks are mapped to {tracks.inbound}")
        return request

    def parse_stop(self, body: bytes) -> StopRequest:
        try:
            request = read_stop(body)
        except msgspec.DecodeError as error:
            raise Refusal(400, "400-201", str(error)) from error
        if request.namespace is None and self._switches.word("stop-fields") == "both":
            raise Refusal(400, "400-201", "Object missing required field `namespace`")
        return request

    def start(self, call: Call | None, request: StartRequest, now: float) -> tuple[dict[str, object], list[Spoken]]:
        """Begin a session; return the answer and what the end of an earlier session cut short."""
        call = self._with_stream(call)
        self._check_audio_is_known(call, now)
        self._check_redaction(request.autotranscribe_params)
        leftover: list[Spoken] = []
        if call.session is not None:
            leftover = self._start_again(call, request, now)
        if call.session is None:
            call.session = self._new_session(call, request, now)
            call.sessions.append(call.session)
        return self._answer(call.session, {role: {} for role in ROLES}), leftover

    def stop(self, call: Call | None, now: float) -> tuple[dict[str, object], list[Spoken]]:
        """End the session; return the answer with its summary, and what the end cut short."""
        call = self._with_stream(call)
        session = call.session
        if session is None:
            if not call.sessions and self._switches.word("stop-before-start") == "400-203":
                raise Refusal(400, "400-203", "No call with the given guid found")
            raise Refusal(409, "409-201", "Transcription is already stopped for the call")
        cut_short = call.end_session(now)
        covered = call.sessions if self._switches.word("summary") == "cumulative" else [session]
        extra: dict[Role, dict[str, object]] = {role: {"summary": _summary(covered, role)} for role in ROLES}
        return self._answer(session, extra), cut_short

    def stream_opened(self, call: Call, stream: Stream) -> None:
        """Decide what a new media stream means to a session that its predecessor left behind."""
        if call.session is None or call.is_transcribing:
            return
        if self._switches.word("after-reconnect") == "resumes":
            call.session.streams.append(stream)

    def stream_closed(self, call: Call, now: float) -> list[Spoken]:
        """End the session whose last stream closed, unless the gateway holds on to it."""
        if call.session is None or call.is_transcribing:
            return []
        if self._switches.word("after-reconnect") == "stopped":
            return call.end_session(now)
        return list(call.session.flush())

    def is_ok_false(self, session: Session | None) -> dict[str, object]:
        """Return the body of a success that is none."""
        body: dict[str, object] = {"isOk": False, "errorMessage": "the stream could not be processed"}
        if session is not None and self._switches.word("is-ok-false-body") == "streams":
            body["autotranscribeResponse"] = _participants(session, 5000, {})
        return body

    def _with_stream(self, call: Call | None) -> Call:
        if call is None or not call.open_streams:
            raise Refusal(400, "400-203", "No call with the given guid found")
        return call

    def _check_audio_is_known(self, call: Call, now: float) -> None:
        known_after_s = self._switches.number("stream-known-after-ms") / 1000 / self._speed
        if self._switches.word("start-before-media") == "accept":
            return
        if not any(
            stream.first_media_at is not None and now >= stream.opened_at + known_after_s
            for stream in call.open_streams
        ):
            raise Refusal(400, "400-203", "No call with the given guid found")

    def _start_again(self, call: Call, request: StartRequest, now: float) -> list[Spoken]:
        current = call.session
        policy = self._switches.word("start-with-new-agent")
        if current is None or request.agent_id == current.request.agent_id or policy == "409-201":
            raise Refusal(409, "409-201", "Transcription is already started for the call")
        return call.end_session(now) if policy == "switch" else []

    def _check_redaction(self, params: TranscribeParams) -> None:
        rules = self._switches.word("redaction-rules")
        masks, bares = params.redaction_output != "unredacted", params.redaction_output != "redacted"
        if params.detailed_token and masks:
            self._refuse_redaction(4093, "detailedToken with redaction")
        if rules == "none" and masks:
            self._refuse_redaction(4093, "no redaction rules are configured")
        if rules == "always" and bares:
            self._refuse_redaction(4094, "the account always redacts")

    def _refuse_redaction(self, status: int, why: str) -> None:
        match self._switches.word("redaction-refusal"):
            case "is-ok-false":
                raise WithinOk({"isOk": False, "errorMessage": f"{_REDACTION_TEXT}: {why}"})
            case "status":
                failed = {"status": {"code": status, "description": why}}
                raise WithinOk({"isOk": True, "autotranscribeResponse": dict.fromkeys(ROLES, failed)})
            case _:
                raise Refusal(400, "400-202", f"{_REDACTION_TEXT}: {why}")

    def _new_session(self, call: Call, request: StartRequest, now: float) -> Session:
        keeps_ids = call.sessions and self._switches.word("stream-ids-after-resume") == "same"
        ids: dict[Role, str] = (
            dict(call.sessions[-1].stream_ids) if keeps_ids else {role: self._new_id() for role in ROLES}
        )
        goes_on = self._switches.word("offsets-after-resume") == "continue"
        bases = {track: call.track_ms[track] if goes_on else 0 for track in _TRACKS}
        return Session(request, now, ids, call.open_streams, bases)

    def _answer(self, session: Session, extra: dict[Role, dict[str, object]]) -> dict[str, object]:
        participants = _participants(session, 1000, extra)
        for role in ROLES:
            if session.has_track_for(role):
                continue
            match self._switches.word("missing-track"):
                case "absent":
                    del participants[role]
                case "4080":
                    participants[role]["status"] = {"code": 4080, "description": "unable to transcribe"}
        return {"isOk": True, "autotranscribeResponse": participants}


def _participants(session: Session, code: int, extra: dict[Role, dict[str, object]]) -> dict[Role, dict[str, object]]:
    status = _OK if code == _OK["code"] else {"code": code, "description": "internal error"}
    return {
        role: {"streamId": session.stream_ids[role], "status": dict(status), **extra.get(role, {})} for role in ROLES
    }


def _summary(sessions: list[Session], role: Role) -> dict[str, int]:
    parts = [session.summary(role) for session in sessions]
    total = {name: sum(part[name] for part in parts) for name in parts[0]}
    total["streamingSeconds"] = ceil(total["audioDurationMs"] / 1000)
    return total
