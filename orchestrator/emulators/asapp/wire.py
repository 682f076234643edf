"""Shapes of what comes in (ASAPP's OpenAPI ``mg-autotranscribe``; Twilio's Media Streams messages).

Twilio's messages are read strictly: a field of another type or a message of another name ends the
stream, as an emulated peer should find our mistakes. Unknown fields are let pass, because both
vendors add fields without notice.
"""

from typing import Annotated, Final, Literal

import msgspec

Role = Literal["customer", "agent"]
ROLES: Final[tuple[Role, ...]] = ("customer", "agent")
Track = Literal["inbound", "outbound"]
CallSid = Annotated[str, msgspec.Meta(pattern="^CA[0-9a-f]{32}$")]
StreamSid = Annotated[str, msgspec.Meta(pattern="^MZ[0-9a-f]{32}$")]
Digits = Annotated[str, msgspec.Meta(pattern="^[0-9]+$")]
Named = Annotated[str, msgspec.Meta(min_length=1)]


class TrackMap(msgspec.Struct):
    """Which role speaks on which of Twilio's tracks."""

    inbound: Role = "customer"
    outbound: Role = "agent"


class TwilioParams(msgspec.Struct):
    """Settings of the Twilio namespace."""

    track_map: TrackMap = msgspec.field(name="trackMap", default_factory=TrackMap)


class TranscribeParams(msgspec.Struct, rename="camel"):
    """Settings of the transcription; they hold for one session."""

    language: str = "en-US"
    detailed_token: bool = False
    audio_recording_allowed: bool = False
    redaction_output: Literal["redacted", "unredacted", "redacted_and_unredacted"] = "redacted"


class StartRequest(msgspec.Struct, rename="camel"):
    """Body of start-streaming."""

    namespace: Literal["twilio"]
    guid: Named
    customer_id: Named
    agent_id: Named
    autotranscribe_params: TranscribeParams = msgspec.field(default_factory=TranscribeParams)
    twilio_params: TwilioParams = msgspec.field(default_factory=TwilioParams)


class StopRequest(msgspec.Struct):
    """Body of stop-streaming; the guide says that both fields must be sent, the OpenAPI file neither."""

    guid: Named
    namespace: Literal["twilio"] | None = None


class Connected(msgspec.Struct, tag="connected", tag_field="event"):
    """First message of a stream."""

    protocol: Literal["Call"]
    version: str


class MediaFormat(msgspec.Struct, rename="camel"):
    """The only format that Twilio documents."""

    encoding: str
    sample_rate: int
    channels: int


class StartBody(msgspec.Struct, rename="camel"):
    """Whose audio this is."""

    stream_sid: StreamSid
    account_sid: str
    call_sid: CallSid
    tracks: list[Track]
    media_format: MediaFormat
    custom_parameters: dict[str, str] = {}


class Start(msgspec.Struct, tag="start", tag_field="event", rename="camel"):
    """Second message of a stream, once."""

    sequence_number: Digits
    stream_sid: StreamSid
    start: StartBody


class MediaBody(msgspec.Struct):
    """Audio of one track; ``timestamp`` is ms from the stream's start."""

    track: Track
    chunk: Digits
    timestamp: Digits
    payload: str


class Media(msgspec.Struct, tag="media", tag_field="event", rename="camel"):
    """One piece of audio."""

    sequence_number: Digits
    stream_sid: StreamSid
    media: MediaBody


class StopBody(msgspec.Struct, rename="camel"):
    """Whose audio it was."""

    account_sid: str
    call_sid: CallSid


class Stop(msgspec.Struct, tag="stop", tag_field="event", rename="camel"):
    """Last message of a stream."""

    sequence_number: Digits
    stream_sid: StreamSid
    stop: StopBody


Message = Connected | Start | Media | Stop
read_message: Final = msgspec.json.Decoder(Message).decode
read_start: Final = msgspec.json.Decoder(StartRequest).decode
read_stop: Final = msgspec.json.Decoder(StopRequest).decode


class Refusal(Exception):  # noqa: N818 - an answer of the vendor's, not a failure of ours
    """An error answer: HTTP status, ``error.code`` and ``error.message`` of the vendor's envelope."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class WithinOk(Exception):  # noqa: N818 - likewise
    """HTTP 200 whose body says that it did not work."""

    def __init__(self, body: dict[str, object]) -> None:
        super().__init__("isOk is false or a status is not 1000")
        self.body = body
