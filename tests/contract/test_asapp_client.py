"""Our ASAPP client against the emulator: real requests about a call whose audio really flows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.asapp.client import AsappClient, FetchedUrl
from orchestrator.core.actions import Outcome, Verdict
from tests.contract.twilio_peer import wait_for
from tests.contract.vendors import PROFILE, Vendors, running

NOBODY = "CA" + "9" * 32


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendors]:
    with running(tmp_path_factory.mktemp("vendors")) as vendors:
        yield vendors


@pytest.fixture
def vendors(both: Vendors) -> Vendors:
    both.reset()
    return both


def stream_url(vendors: Vendors) -> str:
    got = vendors.asapp.stream_url(requested_at_ms=1)
    assert isinstance(got, FetchedUrl)
    assert got.url.startswith("wss://")
    return got.url


def talking(vendors: Vendors) -> str:
    """A call whose media stream flows to ASAPP."""
    sid = vendors.ring("<Response><Pause length='3000'/></Response>")
    got = vendors.twilio.create_stream(
        sid, name="asapp-1", url=stream_url(vendors), status_callback=vendors.callbacks.stream_status(sid)
    )
    assert got.verdict is Verdict.DONE
    return sid


def start(vendors: Vendors, sid: str, agent: str = "amy") -> Outcome:
    return vendors.asapp.start(sid, customer_id="cust-7", agent_id=agent, profile=PROFILE)


def started(vendors: Vendors, sid: str) -> Outcome:
    """Started, once ASAPP has found the stream."""
    wait_for(lambda: start(vendors, sid).verdict in {Verdict.DONE, Verdict.ALREADY})
    return start(vendors, sid)


@pytest.mark.parametrize("codes", ["gateway", "generic"])
@pytest.mark.parametrize("summary", ["segment", "cumulative"])
def test_start_and_stop(vendors: Vendors, codes: str, summary: str) -> None:
    """No stream, on, already on, off with a summary, already off, and on again, with either kind of codes."""
    vendors.control("asapp", "switches", {"mg-codes": codes, "summary": summary})
    sid = talking(vendors)
    wait_for(lambda: start(vendors, sid).verdict is Verdict.DONE)
    assert start(vendors, sid).verdict is Verdict.ALREADY
    assert start(vendors, sid, "bob").verdict is Verdict.ALREADY
    stopped = vendors.asapp.stop(sid)
    assert stopped.verdict is Verdict.DONE
    assert set(stopped.stream_ids) == set(stopped.promised) == {"customer", "agent"}
    assert vendors.asapp.stop(sid).verdict is Verdict.ALREADY
    again = start(vendors, sid, "bob")
    assert again.verdict is Verdict.DONE
    assert set(again.stream_ids) == {"customer", "agent"}


@pytest.mark.parametrize("codes", ["gateway", "generic"])
def test_no_stream(vendors: Vendors, codes: str) -> None:
    """A call that ASAPP gets no audio of cannot be started or stopped."""
    vendors.control("asapp", "switches", {"mg-codes": codes})
    assert start(vendors, NOBODY).verdict is Verdict.NO_STREAM
    assert vendors.asapp.stop(NOBODY).verdict is Verdict.NO_STREAM


@pytest.mark.parametrize("form", ["path", "query"])
def test_stream_url_of_either_form(vendors: Vendors, form: str) -> None:
    """The URL comes as it is, wherever its token stands."""
    vendors.control("asapp", "switches", {"stream-url-form": form})
    assert ("?" in stream_url(vendors)) == (form == "query")


@pytest.mark.parametrize("status", ["403", "401"])
def test_wrong_credentials(vendors: Vendors, status: str) -> None:
    """Refused for now, of the family that a new key cures."""
    vendors.control("asapp", "switches", {"wrong-credentials": status})
    stranger = AsappClient(vendors.http, vendors.urls["asapp"], lambda: ("fake-id", "fake-other"))
    for got in (stranger.stop(NOBODY), stranger.stream_url(requested_at_ms=1), stranger.messages(NOBODY)):
        assert isinstance(got, Outcome)
        assert (got.verdict, got.family) == (Verdict.REFUSED_FOR_NOW, "auth")


@pytest.mark.parametrize(
    ("rule", "verdict", "family"),
    [
        ({"status": 429, "code": "429-01"}, Verdict.REFUSED_FOR_NOW, "429"),
        ({"status": 503, "code": "503-01"}, Verdict.FAILED, "5xx"),
        ({"status": 409, "code": "409-202"}, Verdict.BUSY, ""),
        ({"status": 200, "body": "<html>", "content_type": "text/html"}, Verdict.FAILED, "5xx"),
        ({"variant": "is-ok-false"}, Verdict.FAILED, "5xx"),
        ({"variant": "participant-5000"}, Verdict.FAILED, "5xx"),
        ({"variant": "agent-5000"}, Verdict.FAILED, "5xx"),
        ({"hang": True}, Verdict.UNKNOWN, "5xx"),
        # The used connection broke before a byte of the answer: sent once more, and off already.
        ({"drop_after": True}, Verdict.ALREADY, ""),
    ],
    ids=str,
)
def test_faults(vendors: Vendors, rule: dict[str, Any], verdict: Verdict, family: str) -> None:
    """Each way in which ASAPP fails a stop has its outcome; the state behind it is asked for afterwards."""
    sid = talking(vendors)
    started(vendors, sid)
    vendors.control("asapp", "faults", [{"operation": "stop-streaming", "times": 2, **rule}])
    got = vendors.asapp.stop(sid, timeout_ms=500)
    assert (got.verdict, got.family) == (verdict, family)
    vendors.control("asapp", "faults", method="DELETE")
    assert vendors.asapp.stop(sid).verdict in {Verdict.DONE, Verdict.ALREADY}


@pytest.mark.parametrize("how", ["400-202", "is-ok-false", "status"])
def test_a_configuration_that_asapp_refuses(vendors: Vendors, how: str) -> None:
    """Redaction without rules does not get better by repeating, however ASAPP says so."""
    sid = talking(vendors)
    started(vendors, sid)
    vendors.asapp.stop(sid)
    vendors.control("asapp", "switches", {"redaction-rules": "none", "redaction-refusal": how})
    got = start(vendors, sid)
    assert got.verdict is (Verdict.FAILED if how == "is-ok-false" and not got.code else Verdict.TERMINAL)


@pytest.mark.parametrize("timestamps", ["two", "one"])
@pytest.mark.parametrize("external_id", ["present", "null", "absent"])
def test_messages(vendors: Vendors, timestamps: str, external_id: str) -> None:
    """What was said while transcription was on is in the list afterwards, in any of its documented shapes."""
    vendors.control("asapp", "switches", {"messages-timestamps": timestamps, "messages-external-id": external_id})
    sid = talking(vendors)
    started(vendors, sid)
    vendors.control("twilio", f"calls/{sid}/say", {"text": "the order is late"})

    def listed() -> Any:
        got = vendors.asapp.messages(sid)
        return [each for each in got if each.role == "customer"] if isinstance(got, list) else None

    wait_for(lambda: vendors.control("asapp", f"calls/{sid}", method="GET")["sessions"][-1]["transcripts"]["customer"])
    assert vendors.asapp.stop(sid).promised["customer"] == 1
    vendors.control("twilio", f"calls/{sid}/hangup")
    first = wait_for(listed)[0]
    assert first.text
    assert first.sent_at > 1_000_000_000_000
    assert bool(first.sender_id) == (external_id == "present")


@pytest.mark.parametrize("unknown", ["404", "empty"])
def test_messages_of_a_call_nobody_knows(vendors: Vendors, unknown: str) -> None:
    """An empty list or a refusal, as ASAPP chooses."""
    vendors.control("asapp", "switches", {"messages-unknown": unknown})
    got = vendors.asapp.messages(NOBODY)
    assert got == [] if unknown == "empty" else isinstance(got, Outcome) and got.code.startswith("404")


def test_health(vendors: Vendors) -> None:
    """ASAPP is well."""
    assert vendors.asapp.health().verdict is Verdict.DONE
