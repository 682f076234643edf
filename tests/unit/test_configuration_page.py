"""docs/configuration.md has every variable and every key of a profile, with the default that is in force."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import msgspec
import pytest

from orchestrator.core.profile import Profile
from orchestrator.errors import ConfigurationError
from orchestrator.profiles import CHECKS
from orchestrator.secret import Secret
from orchestrator.settings import Settings

ROOT = Path(__file__).parents[2]
SECTIONS = (ROOT / "docs/configuration.md").read_text(encoding="utf-8").split("\n## ")
NAMING = (
    "config/profiles.toml",
    "config/example.env",
    "orchestrator/settings.py",
    "orchestrator/web/api.py",
    "README.md",
)
REQUIRED = {
    "REDIS_URL": "redis://h",
    "PUBLIC_BASE_URL": "https://h.example",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "fake",
    "ASAPP_API_ID": "fake",
    "ASAPP_API_SECRET": "fake",
}


def rows(section: str) -> dict[str, str]:
    """Name and default of each row."""
    (text,) = [each for each in SECTIONS if each.startswith(section)]
    return dict(re.findall(r"^\| `(\w+)` \| `?(.*?)`? \|", text, re.MULTILINE))


def written(value: object) -> str:
    """A default as it would stand in the environment."""
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return "none" if value is None or text == "" or isinstance(value, Secret) else text


def test_every_variable_is_there_with_its_default() -> None:
    """None is missing, none is made up, and secrets are marked as such."""
    told = rows("Environment")
    settings = Settings.from_environment({**REQUIRED, "LOG_FORMAT": "json"})
    in_force = {each.name.upper(): getattr(settings, each.name) for each in dataclasses.fields(settings)}
    assert told.keys() == in_force.keys()
    for name, value in in_force.items():
        assert told[name] == ("required" if name in REQUIRED else written(value)), name
    marked = set(re.findall(r"^\| `(\w+)` \| \S+ \| \*secret\*", SECTIONS[1], re.MULTILINE))
    assert marked == {name for name, value in in_force.items() if isinstance(value, Secret)}


@pytest.mark.parametrize("name", [name for name, default in rows("Environment").items() if default == "required"])
def test_what_is_called_required_is(name: str) -> None:
    """Without it there is no start."""
    with pytest.raises(ConfigurationError, match=f"{name} is not set"):
        Settings.from_environment({key: value for key, value in REQUIRED.items() if key != name})


def test_every_key_of_a_profile_is_there_with_its_default() -> None:
    """As TOML writes it."""
    told = rows("Profiles")
    profile = msgspec.structs.asdict(Profile(route="conference"))
    assert told.keys() == CHECKS.keys()
    assert told.pop("route") == "required"
    for name, default in told.items():
        assert default == ("none" if profile[name] is None else json.dumps(profile[name])), name


@pytest.mark.parametrize("path", NAMING)
def test_pages_that_are_named_are_there(path: str) -> None:
    """No file points to a page of docs that nobody wrote."""
    for page in re.findall(r"docs/[\w-]+\.md", (ROOT / path).read_text(encoding="utf-8")):
        assert (ROOT / page).is_file(), page
