"""Profiles are matched in order, filled from the default, and checked with line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.profile import Profile
from orchestrator.errors import ConfigurationError
from orchestrator.profiles import CHECKS, load, parse

FILE = """
[default]
route = "conference"
survey_url = "https://survey.example/start"

[[profile]]
to = "+1555*"
language = "es-US"

[[profile]]
to = "+15555550101"
language = "fr-CA"

[[profile]]
to = "calls.sip.example"
route = "enqueue:WW00000000000000000000000000000000"
"""


def test_the_first_match_wins_and_keeps_the_defaults() -> None:
    """A pattern above an exact number takes the call; keys not set come from the default."""
    profile = parse(FILE).match("+15555550101")
    assert (profile.language, profile.name) == ("es-US", "+1555*")
    assert profile.survey_url == "https://survey.example/start"
    assert profile.cut_stream_on == ("consent",)


@pytest.mark.parametrize("called", ["sip:desk@calls.sip.example", "sip:desk@CALLS.sip.example:5061;transport=tls"])
def test_a_sip_domain_is_matched(called: str) -> None:
    """Port, parameters and letter case do not matter."""
    assert parse(FILE).match(called).route.startswith("enqueue:")


@pytest.mark.parametrize("key", ["route", "no_agent_route", "survey_url"])
@pytest.mark.parametrize(
    "url",
    [
        "https://calls.example/pre/twilio/voice",
        "HTTPS://Calls.Example:443/pre/twilio/survey?x=1",
        "https://calls.example./pre/twilio/",
    ],
)
def test_nobody_is_sent_to_this_service_again(key: str, url: str) -> None:
    """Twilio would fetch the same answer without end; told with line and key, however the address is written."""
    value = url if key == "survey_url" else f"redirect:{url}"
    text = f'[default]\nroute = "conference"\n[[profile]]\nto = "+1555*"\n{key} = "{value}"\n'
    with pytest.raises(ConfigurationError) as refused:
        parse(text, "p.toml", "https://calls.example/pre")
    assert list(refused.value.faults) == [f"p.toml, line 5: {key} must lead away from this service"]
    assert parse(text, "p.toml", "https://other.example/pre")
    assert parse(text, "p.toml")


@pytest.mark.parametrize("url", ["https://calls.example/twilio/voice", "https://calls.example/pre/twilio-flow/x"])
def test_a_neighbour_on_the_same_host_may_be_led_to(url: str) -> None:
    """Below the same host there may be more than this service."""
    text = f'[default]\nroute = "redirect:{url}"\n'
    assert parse(text, "p.toml", "https://calls.example/pre").default.route == f"redirect:{url}"


@pytest.mark.parametrize("called", ["", "+4420", "client:amy", "sip:", "sip:@", "[", "anonymous"])
def test_whatever_is_called_the_default_serves(called: str) -> None:
    """No called address makes matching fail."""
    assert parse(FILE).match(called).name == "default"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("route", '"dial:12"'),
        ("route", '"redirect:http://ivr.example"'),
        ("no_agent_route", "1"),
        ("transcribe", '"yes"'),
        ("stream_from", '"later"'),
        ("language", '"English"'),
        ("redaction", '"none"'),
        ("customer_id", '"number"'),
        ("consent", '"maybe"'),
        ("cut_stream_on", '"consent"'),
        ("survey_url", '"ftp://x"'),
        ("agent_identities", '["amy"]'),
        ("outbound_caller_id", '"5550101"'),
        ("max_pause_s", "0"),
        ("max_pause_s", "true"),
        ("silence_probe_s", "-1"),
        ("detailed_tokens", "true"),
        ("colour", '"red"'),
    ],
)
def test_a_bad_value_is_named_with_line_and_key(key: str, value: str) -> None:
    """The message leads to the very line."""
    base = "" if key == "route" else 'route = "conference"\n'
    text = f"[default]\n{base}{key} = {value}\n"
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "p.toml")
    (fault,) = caught.value.faults
    assert fault.startswith(f"p.toml, line {len(text.splitlines())}: {key} ")


def test_a_missing_route_default_or_pattern_is_told() -> None:
    """All three at once."""
    with pytest.raises(ConfigurationError) as caught:
        parse("[[profile]]\nlanguage = 'en-US'\n")
    assert "[default] is missing" in str(caught.value)
    assert "line 1: to must be" in str(caught.value)


def test_broken_toml_names_its_line() -> None:
    """The parser's own position is passed on."""
    with pytest.raises(ConfigurationError, match="line 2"):
        parse("[default]\nroute = \n")


def test_an_unreadable_file_is_a_fault(tmp_path: Path) -> None:
    """A path that leads nowhere is named."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_the_shipped_file_is_good() -> None:
    """`config/profiles.toml` loads as it is."""
    assert load(Path(__file__).parents[2] / "config/profiles.toml").default.route


DESKS = """
[default]
route = "conference"

[[profile]]
to = "+15555550102"
agent_identities = ["client:*"]

[[profile]]
to = "+15555550103"
agent_identities = ["client:agent-*"]
outbound_caller_id = "+15555550103"
outbound_allow = ["+1555*"]

[[profile]]
to = "+15555550104"
agent_identities = ["client:agent-*"]
outbound_caller_id = "+15555550104"
"""


@pytest.mark.parametrize(
    ("identity", "called", "expected"),
    [
        ("client:agent-1", "+15555550199", "+15555550103"),
        ("client:agent-1", "+15555550104", "+15555550104"),
        ("client:eve", "+15555550199", "+15555550102"),
        ("sip:eve@desk.example", "+15555550199", None),
        ("+15555550101", "+15555550103", None),
    ],
)
def test_the_profile_of_an_agents_device(identity: str, called: str, expected: str | None) -> None:
    """That of the called number if it knows the device, else the first that does, placing calls before not."""
    profile = parse(DESKS).for_device(identity, called)
    assert (profile and profile.name) == expected


ROUTE = 'route = "conference"'
WRONG: dict[str, str] = {
    "route": '"park"',
    "no_agent_route": '"enqueue:support"',
    "transcribe": '"yes"',
    "stream_from": '"later"',
    "language": '"English"',
    "redaction": '"none"',
    "detailed_tokens": "1",
    "audio_recording_allowed": '"no"',
    "customer_id": '"sip_header:"',
    "consent": "true",
    "cut_stream_on": '"consent"',
    "survey_url": '"http://survey.example/"',
    "agent_identities": '["agent-*"]',
    "outbound_caller_id": '"5555550101"',
    "outbound_allow": '["1555*"]',
    "accepted_is_connected": "0",
    "max_pause_s": "0",
    "agent_return_s": "-1",
    "silence_probe_s": '"60"',
    "after_call": "1.0",
    "keep_quarantined_text": "1",
}


@pytest.mark.parametrize("key", WRONG)
def test_a_wrong_value_of_any_key_is_named_with_its_line(key: str) -> None:
    """Every key of a profile is checked, in [default] and in a [[profile]]."""
    assert set(WRONG) == set(CHECKS) == set(Profile.__struct_fields__) - {"name", "match"}
    in_default = f"[default]\n{key} = {WRONG[key]}\n{ROUTE if key != 'route' else ''}\n"
    in_profile = f'[default]\nroute = "conference"\n\n[[profile]]\nto = "+1*"\n{key} = {WRONG[key]}\n'
    for text, line in ((in_default, 2), (in_profile, 6)):
        with pytest.raises(ConfigurationError) as caught:
            parse(text)
        assert f"line {line}: {key} " in str(caught.value)
