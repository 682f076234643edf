"""Timeline entries made small: an event's JSON and a state's, deflated with the words that all of them share.

A call leaves some hundreds of bytes in its timeline with every event, most of them the same words; with a dictionary
of those a sixth is left, for some ten microseconds. A packed text begins with the number of its dictionary; a text
that begins otherwise was never packed. A dictionary is never changed, for timelines outlive releases: a better one
would be the next number.
"""

from __future__ import annotations

import zlib

_FIRST = b"\x01"
_LEVEL, _WINDOW, _MEMORY = 6, -12, 4
_LONGEST = 1 << 20
_NOTHING = b"{}"
_DICTIONARY = (
    b'"parked","survey-transfer","stream-restarts-exhausted","twilio-unauthorized","asapp-unauthorized","asapp-refused"'
    b'"problem":"stop-unconfirmed","problem":"pause-overdue","survey":"none","survey":"asked","survey":"done"'
    b'"progress":"unknown","progress":"ended","progress":"dropped","stream":"failed","stream":"stopped","stream":"unknown"'
    b'"state":"interrupted","state":"not-transcribed","state":"survey","state":"ended","transcription":"unknown"'
    b'"pauses":["consent"],"pauses":["payment"],"pauses":["manual"]'
    b'{"event":"pause-requested","event_id":","sequence":,"source":","reason":"payment","event":"pause-lifted"'
    b'{"event":"utterances-heard","at":17,"until":17}{"event":"time-passed","at":17,"what":"handed-over"}'
    b'{"event":"stream-stopped","at":17,"name":"asapp-2","sid":"MZ}{"event":"stream-failed","error":"31941"}'
    b'{"event":"leg-ended","at":17,"leg":"CA","reason":"completed","is_dialled":true}{"event":"leg-answered","identity":"'
    b'{"event":"call-read","at":17,"status":"in-progress","parent":"CA","customer_number":"+1","called_number":"+1"}'
    b'{"event":"participants-read","at":17,"occurred_at":17,"conference":"CF","asked_at":17,"participants":[{"leg":"CA'
    b'{"event":"participant-left","participant-unheld","participant-held","participant-modified","conference-started"'
    b'{"event":"participant-joined","at":17,"occurred_at":17,"conference":"CF","leg":"CA","sequence":1,"label":"agent-'
    b'","label":"customer","is_held":false,"is_coaching":false,"is_own_room":true}'
    b'{"event":"call-arrived","at":17,"call_sid":"CA","profile":{"route":"conference","survey_url":"https://"},'
    b'"customer_id":"CA","customer_number":"+1","called_number":"+1","has_stream_url":true}'
    b'{"event":"stream-started","at":17,"name":"asapp-1","sid":"MZ"}{"event":"agent-connected","at":17,"agent_id":"'
    b'{"event":"hold-reported","at":17,"source":"desk"}{"event":"unhold-reported","at":17}'
    b'{"event":"action-intended","at":17,"action":{"action":"stop-stream","create-stream","read-participants","why":"audit'
    b'{"event":"action-intended","at":17,"action":{"action":"stop-transcription","timeout_ms":2000},"attempt":2,"worker":"'
    b'{"event":"action-intended","at":17,"action":{"action":"start-transcription","agent_id":"","stream":"asapp-1"},"attempt":1,"worker":"'
    b'{"event":"action-ended","at":17,"action":{"action":"stop-transcription","timeout_ms":2000},"attempt":2,'
    b'"outcome":{"verdict":"done","code":"1000","stream_ids":{"customer":"","agent":""},"promised":{"customer":1,"agent":1},"duration_ms":'
    b'{"state":"pausing","state":"paused","state":"starting","state":"waiting","state":"transcribing","progress":"in-progress",'
    b'"transcription":"stopping","transcription":"starting","transcription":"off","transcription":"on","transcribed_agent":"",'
    b'"stream":"requested","stream":"live","stream_name":"asapp-1","agents":[""],"pauses":["hold:desktop"],"in_flight":1}'
)


_PREPARED = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, _DICTIONARY)
"""Knows the dictionary already, which takes as long as a text; each text gets a copy."""


def packed(text: bytes) -> bytes:
    """The text in as few bytes as may be."""
    deflate = _PREPARED.copy()
    return _FIRST + deflate.compress(text) + deflate.flush()


def unpacked(stored: bytes) -> bytes:
    """The text again; an empty object for what this release cannot unpack, so that the rest can be shown."""
    if not stored.startswith(_FIRST):
        return stored
    inflate = zlib.decompressobj(_WINDOW, _DICTIONARY)
    try:
        text = inflate.decompress(stored[len(_FIRST) :], _LONGEST)
    except zlib.error:
        return _NOTHING
    return text if inflate.eof else _NOTHING
