"""Calls that agents' devices place: the device's document, the customer's child leg as the call, agent to agent."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace

from orchestrator.core.actions import CreateStream
from orchestrator.core.call import Call
from orchestrator.core.desired import desired, state_of
from orchestrator.core.reconcile import reconcile
from orchestrator.profiles import parse
from tests.integration.conftest import RedisServer
from tests.integration.web.site import BASE, CALL, PROFILES, MakeSettings, Site, Vendor, open_site

DEVICE = "CA" + "d" * 32
ROOM = "CF" + "1" * 32
CUSTOMER = "+15555550142"
CHILD = f"call-status?device={DEVICE}&identity=client%3Aagent-7"


def document(site: Site, called: str = CUSTOMER, path: str = "voice", **fields: str) -> ET.Element:
    form = {"CallSid": DEVICE, "From": "client:agent-7", "To": called, "Direction": "inbound", "CallStatus": "ringing"}
    answer = site.twilio(path, {**form, **fields})
    assert answer.status_code == 200
    return ET.fromstring(answer.text)  # noqa: S314  our own answer


def child(site: Site, status: str = "in-progress", path: str = CHILD) -> None:
    form = {
        "CallSid": CALL,
        "ParentCallSid": DEVICE,
        "From": "+15555550100",
        "To": CUSTOMER,
        "Direction": "outbound-dial",
        "CallStatus": status,
    }
    assert site.twilio(path, form).status_code == 204


def call_of(site: Site) -> Call:
    call = site.services.store.load(CALL)
    assert call is not None
    return call


@pytest.mark.parametrize("path", ["voice", "voice-fallback"])
@pytest.mark.parametrize("called", [CUSTOMER, "sip:+15555550142@calls.sip.example", "sip:%2B15555550142@calls.example"])
def test_a_device_rings_the_customer_and_makes_no_call(site: Site, path: str, called: str) -> None:
    """Under the profile's caller id, child callbacks under `?device=`; no stream on its own leg, nothing stored."""
    answer = document(site, called, path)
    assert [element.tag for element in answer.iter()] == ["Response", "Dial", "Number"]
    dial, number = answer.find("Dial"), answer.find("Dial/Number")
    assert dial is not None
    assert number is not None
    assert (dial.get("callerId"), number.text) == ("+15555550100", CUSTOMER)
    assert str(number.get("statusCallback")).startswith(f"{BASE}/twilio/{CHILD}#")
    assert site.services.store.load(DEVICE) is None


@pytest.mark.parametrize("called", ["+18005550199", "", "911", "client:stranger", "sip:someone@else.example"])
def test_a_device_may_not_call_just_anybody(site: Site, called: str) -> None:
    """Only `outbound_allow`: else a spoken word, then the end."""
    assert [element.tag for element in document(site, called)] == ["Say", "Hangup"]


def test_without_a_caller_id_nothing_is_placed(site: Site) -> None:
    """`outbound_caller_id` absent: refused."""
    profiles = site.services.profiles
    profiles.default, profiles.others = replace(profiles.default, outbound_caller_id=None), ()
    assert [element.tag for element in document(site)] == ["Say", "Hangup"]


@pytest.mark.parametrize("called", ["client:agent-8", "sip:bob@desk.example"])
def test_agent_to_agent_is_never_a_call(site: Site, called: str) -> None:
    """It is connected, and nothing of it is reported to us."""
    answer = document(site, called)
    assert [element.tag for element in answer.iter()][1] == "Dial"
    assert "statusCallback" not in ET.tostring(answer).decode()
    assert site.services.store.list().calls == []


def test_a_customers_own_web_client_is_a_customer(site: Site) -> None:
    """An identity that no profile counts as an agent's gets the route like anybody."""
    answer = document(site, "+15555550100", CallSid=CALL, From="client:visitor-3")
    assert answer.find("Dial/Conference") is not None
    assert call_of(site).customer_number == "client:visitor-3"


def test_the_customer_answers(site: Site) -> None:
    """The child leg is the call, outbound, with the device's leg as its connected agent; its stream comes by REST."""
    child(site)
    call = call_of(site)
    assert (call.direction, call.customer_number, call.called_number) == ("outbound", CUSTOMER, "+15555550100")
    assert desired(call).agent_id == "client:agent-7"
    assert isinstance(reconcile(call, call.created_at).action, CreateStream)
    child(site)
    assert len(call_of(site).agents) == 1


def test_an_unanswered_customer_is_no_call(site: Site) -> None:
    """The end of a leg that never answered makes nothing known."""
    child(site, "no-answer")
    assert site.services.store.list().calls == []


def test_the_device_hangs_up_and_the_customer_ends(site: Site) -> None:
    """The device's own status callback finds the call by its leg; the child's end is the call's end."""
    child(site)
    site.twilio("call-status", {"CallSid": DEVICE, "CallStatus": "completed"})
    assert not desired(call_of(site)).transcription
    assert not call_of(site).is_ended
    child(site, "completed")
    assert state_of(call_of(site)) == "ended"


def test_a_transfer_into_a_conference_keeps_the_call(site: Site) -> None:
    """Customer and device are moved into a room configured elsewhere; another agent takes over."""
    child(site)
    for sequence, (leg, label) in enumerate([(CALL, ""), (DEVICE, ""), ("CA" + "b" * 32, "agent-amy")], start=1):
        form = {
            "StatusCallbackEvent": "participant-join",
            "ConferenceSid": ROOM,
            "FriendlyName": "transfer-9",
            "CallSid": leg,
            "ParticipantLabel": label,
            "SequenceNumber": str(sequence),
            "Hold": "false",
        }
        assert site.twilio("conference-status", form).status_code == 204
    assert desired(call_of(site)).agent_id == "client:agent-7"
    leaves = {**form, "StatusCallbackEvent": "participant-leave", "CallSid": DEVICE, "SequenceNumber": "4"}
    site.twilio("conference-status", {**leaves, "ParticipantLabel": ""})
    assert desired(call_of(site)).agent_id == "amy"


def test_the_desktop_may_name_the_devices_leg(site: Site) -> None:
    """Any leg of the call will do; a survey transfer is about the customer's leg."""
    child(site)
    answer = site.report(DEVICE, type="survey-transfer")
    assert answer.get_json()["call_sid"] == CALL
    assert state_of(call_of(site)) == "survey"


def test_a_callback_url_without_an_identity(site: Site) -> None:
    """The number's profile then; the agent has the leg's name."""
    child(site, path=f"call-status?device={DEVICE}")
    assert desired(call_of(site)).agent_id == DEVICE
    assert site.twilio("call-status?device=x", {"CallSid": CALL, "CallStatus": "in-progress"}).status_code == 400


def test_a_device_gets_through_with_redis_away(
    own_redis: RedisServer, make_settings: MakeSettings, vendor: Vendor
) -> None:
    """Placing a call needs no store."""
    site = open_site(make_settings(own_redis.url), vendor)
    own_redis.end()
    assert document(site).find("Dial/Number") is not None


def test_a_call_placed_over_rest_to_a_customer(site: Site) -> None:
    """Click to call: Twilio called the customer, so the number called is theirs and the caller's is ours."""
    site.arrive(From="+15555550102", To=CUSTOMER, Direction="outbound-api")
    call = call_of(site)
    assert (call.customer_number, call.called_number) == (CUSTOMER, "+15555550102")
    assert call.profile.route == "dial:+15555550177"


def test_a_changed_profiles_file_does_not_change_a_live_call(site: Site) -> None:
    """The profile is copied into the call at first sight; what follows its dial is the old one's."""
    site.arrive(called="+15555550102")
    changed = parse(PROFILES.replace("+15555550188", "+15555550189"))
    site.services.profiles.default, site.services.profiles.others = changed.default, changed.others
    form = {"CallSid": CALL, "DialCallStatus": "busy", "To": "+15555550102"}
    assert "+15555550188" in site.twilio(f"dial-ended?call={CALL}", form).text
    other = {**form, "CallSid": "CA" + "9" * 32}
    assert "+15555550189" in site.twilio(f"dial-ended?call={'CA' + '9' * 32}", other).text
