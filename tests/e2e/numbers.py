"""The numbers of a test site, each with the profile that its stories need (see the scenarios' README)."""

from __future__ import annotations

NUMBER, FLOW_NUMBER, PROBED_NUMBER = "+15555550100", "+15555550114", "+15555550109"
WORKFLOW = "WW" + "0" * 32
_AGENTS = 'agent_identities = ["client:agent-*"]'
_NIGHT = 'no_agent_route = "dial:client:agent-night"'
_QUEUE = f'route = "enqueue:{WORKFLOW}"'


def profiles(flows_url: str) -> dict[str, tuple[str, ...]]:
    """The lines of each number's profile; what is not named is the default profile's."""
    return {
        NUMBER: (),
        PROBED_NUMBER: ("silence_probe_s = 1",),
        "+15555550110": (_QUEUE, _NIGHT, _AGENTS, "agent_return_s = 2"),
        "+15555550111": ('route = "dial:client:agent-amy"',),
        "+15555550112": (
            _AGENTS,
            'outbound_caller_id = "+15555550112"',
            'outbound_allow = ["+1555555*"]',
        ),
        "+15555550113": ('consent = "required"',),
        FLOW_NUMBER: (f'route = "redirect:{flows_url}/flow"',),
        "+15555550115": ('route = "dial:+15555550151"', _NIGHT),
        "+15555550117": ("max_pause_s = 2",),
        "+15555550118": ("agent_return_s = 2",),
        "+15555550119": (_QUEUE, "accepted_is_connected = true"),
    }


def as_toml(flows_url: str, extra: str = "") -> str:
    """The profiles file: a conference and a survey by default, `extra` lines beside them."""
    default = f'[default]\nroute = "conference"\nsurvey_url = "{flows_url}/survey"\n{extra}\n'
    rest = (
        "\n".join(("[[profile]]", f'to = "{number}"', *lines)) for number, lines in profiles(flows_url).items() if lines
    )
    return default + "\n".join(rest) + "\n"
