"""A profile: what a site wants for the calls of one number. Copied into each call at first sight.

The keys and defaults are those of `config/profiles.toml`; `orchestrator.profiles` reads and validates the file.
"""

from __future__ import annotations

import msgspec

Route = str
"""`conference`, `redirect:https://...`, `enqueue:WW...` or `dial:...`."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One profile with its defaults filled in. `match` is the pattern of the called number or SIP domain."""

    route: Route
    """Where the caller goes: `"conference"`, `"redirect:https://..."`, `"enqueue:WW..."`, `"dial:+1..."`,
    `"dial:client:NAME"`, `"dial:sip:..."`.
    """
    name: str = "default"
    match: str = "*"
    no_agent_route: Route | None = None
    """The same forms, for a dial or queue that found no agent; none: a spoken apology, then the end."""
    transcribe: bool = True
    """Whether these calls are transcribed at all."""
    stream_from: str = "call-start"
    """When the media stream begins: `"call-start"` or `"agent-connect"`; transcription begins with the agent in both.
    """
    language: str = "en-US"
    """What is spoken."""
    redaction: str = "redacted"
    """`"redacted"`, `"unredacted"` or `"redacted_and_unredacted"` transcripts from ASAPP."""
    detailed_tokens: bool = False
    """ASAPP's detailed tokens; needs `redaction = "unredacted"`."""
    audio_recording_allowed: bool = False
    """Whether ASAPP may record the audio."""
    customer_id: str = "call_sid"
    """Who the customer is to ASAPP: `"call_sid"`, `"from"`, `"sip_header:NAME"` or `"parameter:NAME"`; where that is
    missing, the Call SID.
    """
    consent: str = "assumed"
    """`"required"`: nothing is streamed before `consent-given`."""
    cut_stream_on: tuple[str, ...] = ("consent",)
    """Reasons of pauses that also end the media stream."""
    survey_url: str | None = None
    """TwiML of the survey that follows a call."""
    agent_identities: tuple[str, ...] = ()
    """Patterns of agents' devices, e.g. `"client:agent-*"`, `"sip:*@desk.example"`."""
    outbound_caller_id: str | None = None
    """Number shown to customers whom agents' devices call."""
    outbound_allow: tuple[str, ...] = ()
    """Patterns of numbers that agents' devices may call, e.g. `"+1555*"`; all others are refused."""
    accepted_is_connected: bool = False
    """TaskRouter's `reservation.accepted` counts as the agent being connected."""
    max_pause_s: int = 900
    """Seconds after which a pause that nobody ended is reported as a problem."""
    agent_return_s: int = 30
    """Seconds until a conference of ours is ended that agents, and all others, have left.

    So that no customer sits alone in it; Twilio is asked just before.
    """
    silence_probe_s: int = 60
    """Seconds without an utterance after which it is checked that ASAPP still hears the call; 0: never."""
    after_call: bool = True
    """Whether ASAPP's own transcript is fetched after the call."""
    keep_quarantined_text: bool = False
    """Whether words heard outside a conversation are kept as text for `QUARANTINE_TTL_HOURS`."""
