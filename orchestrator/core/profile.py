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
    name: str = "default"
    match: str = "*"
    no_agent_route: Route | None = None
    transcribe: bool = True
    stream_from: str = "call-start"
    language: str = "en-US"
    redaction: str = "redacted"
    detailed_tokens: bool = False
    audio_recording_allowed: bool = False
    customer_id: str = "call_sid"
    consent: str = "assumed"
    cut_stream_on: tuple[str, ...] = ("consent",)
    survey_url: str | None = None
    agent_identities: tuple[str, ...] = ()
    outbound_caller_id: str | None = None
    outbound_allow: tuple[str, ...] = ()
    accepted_is_connected: bool = False
    max_pause_s: int = 900
    agent_return_s: int = 30
    silence_probe_s: int = 60
    after_call: bool = True
    keep_quarantined_text: bool = False
